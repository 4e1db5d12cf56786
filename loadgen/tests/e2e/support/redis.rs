//! What a test does with the server behind loadgen's back: it watches, holds it up, and reads everything.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use redis::Connection;
use testkit::TestServer;

use super::LONG;

/// Sees every command that a server executes, as it happens.
pub struct Watch(BufReader<TcpStream>);

impl Watch {
    pub fn on(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(b"MONITOR\r\n").unwrap();
        let mut watch = Self(BufReader::new(stream));
        assert_eq!(watch.line(), "+OK");
        watch
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).unwrap();
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }

    /// Blocks until `count` more tasks have saved their document: what comes after that is a `PING`.
    pub fn tasks(&mut self, count: usize) {
        self.calls("EXEC", count);
    }

    /// Blocks until `command` has been called `count` more times.
    pub fn calls(&mut self, command: &str, count: usize) {
        // +1700000000.000001 [0 127.0.0.1:5000] "GET" "key"
        let wanted = format!("] \"{}\"", command.to_ascii_uppercase());
        let mut left = count;
        while left > 0 {
            let line = self.line();
            assert!(!line.is_empty(), "the server hung up with {left} of {count} {command} to come");
            left -= usize::from(line.to_ascii_uppercase().contains(&wanted));
        }
    }
}

/// From now on no write and no script is answered, while loadgen still gets its `INFO`: tasks hang, as long as they are
/// let.
pub fn hold_writes(server: &TestServer) {
    redis::cmd("CLIENT").arg(("PAUSE", 3_600_000, "WRITE")).exec(&mut server.connection()).unwrap();
}

/// A connection to database `db`.
pub fn database(server: &TestServer, db: u32) -> Connection {
    let mut connection = server.connection();
    redis::cmd("SELECT").arg(db).exec(&mut connection).unwrap();
    connection
}

/// The value of a key, with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    String(Vec<u8>),
    List(Vec<Vec<u8>>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
}

/// A whole database.
pub fn contents(connection: &mut Connection) -> BTreeMap<String, Value> {
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(connection).unwrap();
    let value = |key: String| {
        let kind: String = redis::cmd("TYPE").arg(&key).query(connection).unwrap();
        let value = match kind.as_str() {
            "string" => Value::String(redis::cmd("GET").arg(&key).query(connection).unwrap()),
            "list" => Value::List(redis::cmd("LRANGE").arg((&key, 0, -1)).query(connection).unwrap()),
            "hash" => Value::Hash(redis::cmd("HGETALL").arg(&key).query(connection).unwrap()),
            other => panic!("{key} is a {other}"),
        };
        (key, value)
    };
    keys.into_iter().map(value).collect()
}

/// A loopback address where nobody listens.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
