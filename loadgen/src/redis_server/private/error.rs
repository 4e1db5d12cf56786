//! Why a private server did not start.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a private server did not start. No process is left behind.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// Redis would quietly lower `maxclients` instead, and the run would fail later.
    #[error(
        "a Redis server for {max_clients} clients needs {needed} open files, and the hard limit is {limit}; \
         raise it (`ulimit -Hn`, or LimitNOFILE= in systemd), or use fewer connections"
    )]
    OpenFiles {
        /// Asked for.
        max_clients: u32,
        /// Clients and what Redis needs for itself.
        needed: u64,
        /// `RLIMIT_NOFILE`, hard.
        limit: u64,
    },
    /// The port, or every free port that was tried, was taken when the server came to bind it.
    #[error("port {port} on 127.0.0.1 is taken; choose another, or let one be picked")]
    PortTaken {
        /// The last one tried.
        port: u16,
    },
    /// The server ended before it accepted connections.
    #[error("{} ended ({status}) before it accepted connections; its log ends with:\n{log}", .binary.display())]
    Ended {
        /// Started.
        binary: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it printed.
        log: String,
    },
    /// The server was neither ready nor ended in time.
    #[error(
        "{} did not accept connections within {} ms and was killed; its log ends with:\n{log}",
        .binary.display(), .timeout.as_millis()
    )]
    NotReady {
        /// Started.
        binary: PathBuf,
        /// `start_timeout`.
        timeout: Duration,
        /// The last lines that it printed.
        log: String,
    },
    /// The binary, its directory, or a resource of this process.
    #[error("cannot {action} {}: {error}", .path.display())]
    Io {
        /// What was tried: `start`, `write`, `find a free port for`, `wait for`, `end`.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        error: io::Error,
    },
}
