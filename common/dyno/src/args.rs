//! The command line of both worker binaries.

use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;

use clap::Parser;
use common::plan::Allocator;

use crate::{Engine, limits};

#[derive(Debug, Parser)]
#[command(
    version,
    about = "A worker process of Headroom: it is told everything else by `loadgen run --listen ADDR`",
    long_about = None,
    after_help = "Exit codes: 0 the run is over, 1 it could not be carried out, 2 usage, or no loadgen at ADDR."
)]
struct Args {
    /// Where loadgen listens, such as 127.0.0.1:7878
    #[arg(long, value_name = "ADDR", value_parser = address)]
    connect: SocketAddr,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found =
        text.to_socket_addrs().map_err(|error| format!("{error}; give host and port, such as 127.0.0.1:7878"))?;
    found.next().ok_or_else(|| "the host has no address".to_owned())
}

/// Parses the command line and runs the dyno, whose binary allocates with `allocator`. Exit codes: 0 ok, 1 failed, 2 usage or
/// nobody there.
#[must_use]
pub fn main<E: Engine + Send + 'static>(allocator: Allocator) -> ExitCode {
    limits::turn_off_huge_pages();
    let args = Args::parse();
    // A worker that panics must not look like one that is slow: the dyno ends, and the run says that it was lost.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
    match crate::run::<E>(args.connect, allocator) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error:#}", E::ENGINE.binary(allocator));
            ExitCode::from(if error.is::<crate::NobodyListens>() { 2 } else { 1 })
        }
    }
}
