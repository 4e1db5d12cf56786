//! `workers-async --connect ADDR`: one dyno of the async engine.

use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dyno::args::main::<workers_async::Async>()
}
