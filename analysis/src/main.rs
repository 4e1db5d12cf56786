//! `analysis`: compares the runs of a bench, or shows one run.

use std::process::ExitCode;

mod cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("analysis: {}", analysis::escape::lines(&error.to_string()));
            cli::exit_code(&error)
        }
    }
}
