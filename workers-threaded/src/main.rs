//! `workers-threaded --connect ADDR`: one dyno of the threaded engine.

use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dyno::args::main::<workers_threaded::Threaded>()
}
