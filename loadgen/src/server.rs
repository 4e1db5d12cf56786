//! The server of a bench, private or external, as one thing.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use common::plan::demand::Demand;
use redis::Connection;

use crate::child::Seat;
use crate::error::Refused;
use crate::redis_server::{
    self, Environment, ExternalOptions, ExternalServer, PrivateOptions, PrivateServer, ServerBinary, ServerUrl,
};

/// Which server runs use.
pub enum Source {
    /// A fresh one for every run.
    Private(ServerBinary),
    /// The user's, flushed between runs with the user's permission.
    External(Box<ExternalServer>),
}

/// The server of one run. A private one ends with it.
pub struct Server {
    /// For the dynos.
    pub url: ServerUrl,
    /// Its process, if it is on this machine.
    pub pid: Option<u32>,
    /// What the report says of where it comes from.
    pub origin: String,
    private: Option<PrivateServer>,
}

/// How long the server may take to let loadgen in.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// How long the server may take to answer loadgen itself.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Connections beyond those of the run.
const SPARE_CLIENTS: u32 = 32;
/// Memory beyond the estimate: the server's own, and buffers.
const SPARE_BYTES: u64 = 512 << 20;

impl Source {
    /// The external server where the user names one; else a server binary, wherever it is to be found.
    ///
    /// # Errors
    /// Nothing found, or a server that must not be used; the message says what would do.
    pub fn find(url: Option<&str>, flush: bool, say: &mut dyn FnMut(&str)) -> anyhow::Result<Source> {
        match url {
            Some(url) => {
                let url: ServerUrl = url.parse()?;
                let options = ExternalOptions { flush, ..ExternalOptions::default() };
                Ok(Source::External(Box::new(ExternalServer::admit(url, options)?)))
            }
            None if flush => {
                let why = "--flush allows an external database to be flushed: name it by --redis-url";
                Err(Refused(why.to_owned()).into())
            }
            None => Ok(Source::Private(redis_server::find(&Environment::from_process(), say)?)),
        }
    }

    /// Whether a fresh server is started for every run.
    #[must_use]
    pub fn is_private(&self) -> bool {
        matches!(self, Source::Private(_))
    }

    /// An empty server for a run of the given demand; private ones log into `directory` and run on `seat`.
    ///
    /// # Errors
    /// It does not start, or cannot be flushed.
    pub fn provide(&self, directory: &Path, demand: &Demand, seat: Seat) -> anyhow::Result<Server> {
        match self {
            Source::Private(binary) => {
                std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
                let mut options = PrivateOptions::new(&binary.path, directory);
                options.maxmemory_bytes = demand.redis_bytes + demand.redis_bytes / 2 + SPARE_BYTES;
                options.seat = seat;
                options.max_clients = u32::try_from(demand.redis_connections)?.saturating_add(SPARE_CLIENTS);
                let server = PrivateServer::start(&options)?;
                let origin = format!("{} ({})", binary.path.display(), binary.origin);
                Ok(Server { url: server.url(), pid: Some(server.pid()), origin, private: Some(server) })
            }
            Source::External(external) => {
                external.flush()?;
                let url = external.url().clone();
                let origin = url.to_string();
                Ok(Server { url, pid: None, origin, private: None })
            }
        }
    }
}

/// A connection for loadgen itself, with timeouts; the server may be as far away as `distance`.
///
/// # Errors
/// The server does not answer.
pub fn connect(url: &ServerUrl, distance: Duration) -> anyhow::Result<Connection> {
    let client = redis::Client::open(url.connection_info()?)?;
    // Whoever has a password is asked for it: that, and a database, are two round trips.
    let connection = client
        .get_connection_with_timeout(CONNECT_WITHIN + 2 * distance)
        .with_context(|| format!("the Redis server at {url}"))?;
    connection.set_read_timeout(Some(ANSWER_WITHIN + distance))?;
    connection.set_write_timeout(Some(ANSWER_WITHIN))?;
    Ok(connection)
}

impl Server {
    /// A connection for loadgen itself, with timeouts.
    ///
    /// # Errors
    /// The server does not answer.
    pub fn connect(&self) -> anyhow::Result<Connection> {
        connect(&self.url, Duration::ZERO)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Its host has no address at which it can be connected to.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        let answers = |address: &SocketAddr| TcpStream::connect_timeout(address, CONNECT_WITHIN).is_ok();
        let mut addresses = (self.url.host(), self.url.port()).to_socket_addrs()?;
        addresses.find(answers).with_context(|| format!("no address of {} answers", self.url))
    }

    /// How the process of a private server ended, if it has ended by itself.
    pub fn lost(&mut self) -> Option<String> {
        let status = self.private.as_mut()?.try_wait().ok()??;
        Some(status.to_string())
    }

    /// Whether it was started for this run.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// Ends a private server.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn end(self) -> anyhow::Result<()> {
        if let Some(server) = self.private {
            server.stop()?;
        }
        Ok(())
    }
}
