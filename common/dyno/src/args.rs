//! The command line of both worker binaries.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;

use crate::{Engine, limits};

/// A worker process of Headroom. It gets everything else from loadgen.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None)]
struct Args {
    /// Where loadgen listens, such as 127.0.0.1:7878
    #[arg(long, value_name = "ADDR")]
    connect: SocketAddr,
}

/// Parses the command line and runs the dyno. Exit codes: 0 ok, 1 failed, 2 usage.
#[must_use]
pub fn main<E: Engine + Send + 'static>() -> ExitCode {
    let args = Args::parse();
    // A worker that panics must not look like one that is slow: the dyno ends, and the run says that it was lost.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    limits::without_huge_pages();
    match crate::run::<E>(args.connect) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("workers-{}: {error:#}", E::ENGINE);
            ExitCode::FAILURE
        }
    }
}
