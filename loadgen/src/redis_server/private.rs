//! A Redis server of our own: started on a loopback port, awaited, and gone when its owner is.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};

pub use self::error::PrivateError;
use super::server_log::{ServerLog, Start};
use super::target::ServerUrl;
use crate::child::{self, ChildGuard, Seat};

mod error;

/// The name of the server's log in its directory.
pub const LOG_FILE: &str = "redis.log";
/// Files that Redis keeps for itself (`CONFIG_MIN_RESERVED_FDS` in its source).
const RESERVED_FILES: u64 = 32;
/// Without persistence the end is a matter of milliseconds; a server that runs a long script does not listen to SIGTERM.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Ports to try before it is no coincidence any more that all are taken.
const PORTS_TRIED: usize = 10;
const LOG_LINES: usize = 20;

/// How to start a private server. Not `Debug`: `extra_args` may hold a password.
#[derive(Clone)]
pub struct PrivateOptions {
    /// The server binary, as [`find`](super::find()) returns it.
    pub binary: PathBuf,
    /// The server's own directory, which must exist: its working directory, and the place of `redis.log`, which is appended to.
    pub directory: PathBuf,
    /// A loopback port; `None` picks a free one.
    pub port: Option<u16>,
    /// `maxmemory`, in bytes; at this size writes are refused (`noeviction`).
    pub maxmemory_bytes: u64,
    /// `maxclients`: connections at a time.
    pub max_clients: u32,
    /// How long the server may take until it accepts connections.
    pub start_timeout: Duration,
    /// Where it runs.
    pub seat: Seat,
    /// More arguments, after ours, so that they win: `["--io-threads", "4"]`.
    pub extra_args: Vec<String>,
}

impl PrivateOptions {
    /// A free port, 256 MiB, 1000 clients, 10 s to start, nothing extra.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>, directory: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            directory: directory.into(),
            port: None,
            maxmemory_bytes: 256 * 1024 * 1024,
            max_clients: 1000,
            start_timeout: Duration::from_secs(10),
            seat: Seat::default(),
            extra_args: Vec::new(),
        }
    }
}

/// A running private server. Dropping it kills it and reaps it.
pub struct PrivateServer {
    child: ChildGuard,
    log: ServerLog,
    port: u16,
}

impl PrivateServer {
    /// Starts a server and waits until it accepts connections.
    ///
    /// From the main thread in production: see [`child::spawn`].
    ///
    /// # Errors
    /// See [`PrivateError`].
    pub fn start(options: &PrivateOptions) -> Result<Self, PrivateError> {
        match options.port {
            Some(port) => Self::start_on(options, [Ok(port)]),
            None => Self::start_on(options, std::iter::repeat_with(free_port).take(PORTS_TRIED)),
        }
    }

    /// As [`start`](Self::start), on the first of these ports that is not taken; `options.port` does not matter.
    ///
    /// # Errors
    /// See [`PrivateError`]; [`PrivateError::PortTaken`] names the last port.
    pub fn start_on(
        options: &PrivateOptions,
        ports: impl IntoIterator<Item = io::Result<u16>>,
    ) -> Result<Self, PrivateError> {
        let (_, hard_limit) =
            getrlimit(Resource::RLIMIT_NOFILE).map_err(|errno| io_error("start", &options.binary, errno.into()))?;
        check_open_files(options.max_clients, hard_limit)?;
        let mut last = 0;
        for port in ports {
            last = port.map_err(|error| io_error("find a free port for", &options.binary, error))?;
            match Self::try_start(options, last) {
                // Somebody took it between our look and the server's bind.
                Err(PrivateError::PortTaken { .. }) => {}
                result => return result,
            }
        }
        Err(PrivateError::PortTaken { port: last })
    }

    fn try_start(options: &PrivateOptions, port: u16) -> Result<Self, PrivateError> {
        let log_path = options.directory.join(LOG_FILE);
        let log_file = OpenOptions::new().create(true).append(true).open(&log_path);
        let log_file = log_file.map_err(|error| io_error("write", &log_path, error))?;
        let started =
            launch(options, port).and_then(|(child, output)| Ok((child, ServerLog::follow(output, log_file)?)));
        let (child, log) = started.map_err(|error| io_error("start", &options.binary, error))?;
        let mut server = Self { child, log, port };
        match server.log.wait_ready(options.start_timeout) {
            Start::Ready => Ok(server),
            Start::Ended => Err(server.why_ended(options)),
            Start::Silent => Err(server.why_not_ready(options)),
        }
    }

    fn why_not_ready(&mut self, options: &PrivateOptions) -> PrivateError {
        if let Err(error) = self.child.terminate(Duration::ZERO) {
            return io_error("end", &options.binary, error);
        }
        self.log.finish();
        PrivateError::NotReady {
            binary: options.binary.clone(),
            timeout: options.start_timeout,
            log: self.log_tail(LOG_LINES),
        }
    }

    fn why_ended(&mut self, options: &PrivateOptions) -> PrivateError {
        let status = match self.child.terminate(STOP_GRACE) {
            Ok(status) => status,
            Err(error) => return io_error("wait for", &options.binary, error),
        };
        self.log.finish();
        let log = self.log_tail(LOG_LINES);
        if log.contains("Address already in use") {
            return PrivateError::PortTaken { port: self.port };
        }
        PrivateError::Ended { binary: options.binary.clone(), status, log }
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// 127.0.0.1 and the port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The URL of database 0, without credentials.
    #[must_use]
    pub fn url(&self) -> ServerUrl {
        ServerUrl::of_address(self.addr())
    }

    /// The server's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// The exit status if the server has ended by itself, without waiting.
    ///
    /// # Errors
    /// As [`ChildGuard::try_wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// The last lines that the server printed, at most `n_lines` and at most 200.
    #[must_use]
    pub fn log_tail(&self, n_lines: usize) -> String {
        self.log.tail(n_lines)
    }

    /// Ends the server in good order (SIGTERM; SIGKILL after 5 s), reaps it and completes its log.
    ///
    /// # Errors
    /// As [`ChildGuard::terminate`].
    pub fn stop(mut self) -> io::Result<ExitStatus> {
        let status = self.child.terminate(STOP_GRACE);
        self.log.finish();
        status
    }
}

impl fmt::Debug for PrivateServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateServer").field("pid", &self.pid()).field("port", &self.port).finish_non_exhaustive()
    }
}

fn launch(options: &PrivateOptions, port: u16) -> io::Result<(ChildGuard, io::PipeReader)> {
    // One pipe for both: the log goes to stdout, complaints about the configuration to stderr.
    let (output, input) = io::pipe()?;
    let mut command = Command::new(&options.binary);
    command.args(arguments(options, port)).args(&options.extra_args);
    // The messages that are looked for are the C library's English ones.
    command.current_dir(&options.directory).env("LC_ALL", "C");
    command.stdin(Stdio::null()).stdout(input.try_clone()?).stderr(input);
    // `command` holds our copies of the write end; they go with it here, so that the server's end is the end of file.
    Ok((child::spawn(&mut command, &options.seat)?, output))
}

fn arguments(options: &PrivateOptions, port: u16) -> Vec<String> {
    let pairs = [
        ("--bind", "127.0.0.1".to_owned()),
        ("--port", port.to_string()),
        ("--save", String::new()),
        ("--appendonly", "no".to_owned()),
        ("--maxmemory", options.maxmemory_bytes.to_string()),
        ("--maxmemory-policy", "noeviction".to_owned()),
        ("--maxclients", options.max_clients.to_string()),
        ("--tcp-backlog", "511".to_owned()),
        ("--daemonize", "no".to_owned()),
        ("--logfile", String::new()),
    ];
    pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
}

fn check_open_files(max_clients: u32, limit: u64) -> Result<(), PrivateError> {
    let needed = u64::from(max_clients) + RESERVED_FILES;
    if needed <= limit {
        return Ok(());
    }
    Err(PrivateError::OpenFiles { max_clients, needed, limit })
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn io_error(action: &'static str, path: &Path, error: io::Error) -> PrivateError {
    let path = path.to_owned();
    PrivateError::Io { action, path, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_clients_than_files_are_refused_in_words() {
        assert!(check_open_files(968, 1000).is_ok());
        let error = check_open_files(969, 1000).unwrap_err().to_string();
        assert!(error.contains("969 clients needs 1001 open files, and the hard limit is 1000"), "{error}");
        assert!(check_open_files(u32::MAX, u64::MAX).is_ok());
    }

    #[test]
    fn a_private_server_keeps_nothing_on_disk_and_evicts_nothing() {
        let arguments = arguments(&PrivateOptions::new("/bin/server", "/tmp"), 7000).join(" ");
        assert_eq!(
            arguments,
            "--bind 127.0.0.1 --port 7000 --save  --appendonly no --maxmemory 268435456 --maxmemory-policy noeviction \
             --maxclients 1000 --tcp-backlog 511 --daemonize no --logfile "
        );
    }
}
