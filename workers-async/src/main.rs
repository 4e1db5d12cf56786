//! `workers-async --connect ADDR`: one dyno of the async engine, with mimalloc.

use std::process::ExitCode;

use common::plan::Allocator;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dyno::args::main::<workers_async::Async>(Allocator::Mimalloc)
}
