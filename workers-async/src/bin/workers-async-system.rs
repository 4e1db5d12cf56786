//! `workers-async-system --connect ADDR`: the same dyno, with the C library's allocator.

use std::process::ExitCode;

use common::plan::Allocator;

fn main() -> ExitCode {
    dyno::args::main::<workers_async::Async>(Allocator::System)
}
