//! `workers-threaded --connect ADDR`: one dyno of the threaded engine, with mimalloc.

use std::process::ExitCode;

use common::plan::Allocator;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dyno::args::main::<workers_threaded::Threaded>(Allocator::Mimalloc)
}
