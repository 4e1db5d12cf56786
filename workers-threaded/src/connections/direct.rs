//! A plain blocking connection: nothing stands between the worker and its socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use common::endpoint::Endpoint;
use common::request::{Incoming, Replies, Request, RequestError};
use dyno::clock::now_ns;

/// A socket, and how long it may take to answer.
pub(super) struct Wire {
    socket: TcpStream,
    response_timeout_ns: u64,
}

impl Wire {
    /// Connects, and does what redis-rs's client does before the first command: AUTH, SELECT.
    pub(super) fn open(endpoint: &Endpoint) -> Result<Wire, RequestError> {
        let socket = connect(endpoint).map_err(of_io)?;
        let timeout = Some(endpoint.response_timeout);
        socket.set_nodelay(true).map_err(of_io)?;
        socket.set_read_timeout(timeout).map_err(of_io)?;
        socket.set_write_timeout(timeout).map_err(of_io)?;
        let mut wire = Wire { socket, response_timeout_ns: endpoint.response_timeout.as_nanos() as u64 };
        let setup = endpoint.setup();
        if setup.replies() > 0 {
            wire.query(setup)?;
        }
        Ok(wire)
    }

    pub(super) fn query(&mut self, request: Request) -> Result<Replies, RequestError> {
        let late_ns = now_ns() + self.response_timeout_ns;
        self.socket.write_all(request.bytes()).map_err(of_io)?;
        let mut incoming = Incoming::new(request.replies());
        // Its buffer may be used for the replies of others meanwhile.
        drop(request);
        loop {
            let count = match self.socket.read(incoming.space()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                count => count.map_err(of_io)?,
            };
            let complete = incoming.arrived(count)?;
            // The socket's timeout is for one read; the plan's is for the request.
            if now_ns() > late_ns {
                return Err(RequestError::Timeout);
            }
            if complete {
                return incoming.replies();
            }
        }
    }
}

/// To the first address of the host that answers.
fn connect(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let mut result = Err(io::Error::new(ErrorKind::NotFound, "the host has no address"));
    for address in endpoint.address()?.to_socket_addrs()? {
        result = TcpStream::connect_timeout(&address, endpoint.connect_timeout);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn of_io(error: io::Error) -> RequestError {
    match error.kind() {
        // What a socket says when its timeout has passed.
        ErrorKind::WouldBlock | ErrorKind::TimedOut => RequestError::Timeout,
        _ => RequestError::Disconnected(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use common::endpoint::Endpoint;
    use common::plan::RedisSettings;
    use common::request::{Request, RequestError};

    use super::Wire;

    #[test]
    fn the_response_timeout_is_for_the_whole_request() {
        let settings = RedisSettings { response_timeout_s: 0.2, ..RedisSettings::default() };
        let endpoint = Endpoint::new(&format!("redis://{}/0", testkit::trickling_server()), &settings).unwrap();
        let mut wire = Wire::open(&endpoint).unwrap();
        let request = Request::new().command("PING", []);
        assert_eq!(wire.query(request).unwrap_err(), RequestError::Timeout);
    }
}
