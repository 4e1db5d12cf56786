//! A plain async connection: nothing stands between the worker and its socket.
//!
//! redis-rs offers only connections with a driver task behind two channels. Measured with those, "async" would mean
//! "that client"; they are the client `multiplexed`.

use std::io;
use std::time::Duration;

use common::endpoint::Endpoint;
use common::request::{Incoming, Replies, Request, RequestError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A socket, and how long it may take to answer.
pub(super) struct Wire {
    socket: TcpStream,
    response_timeout: Duration,
}

impl Wire {
    /// Connects, and does what redis-rs's client does before the first command: AUTH, SELECT.
    pub(super) async fn open(endpoint: &Endpoint) -> Result<Wire, RequestError> {
        let connect = async { TcpStream::connect(endpoint.address()?).await };
        let socket = timeout(endpoint.connect_timeout, connect).await.map_err(|_| RequestError::Timeout)?;
        let socket = socket.map_err(of_io)?;
        socket.set_nodelay(true).map_err(of_io)?;
        let mut wire = Wire { socket, response_timeout: endpoint.response_timeout };
        let setup = endpoint.setup();
        if setup.replies() > 0 {
            wire.query(setup).await?;
        }
        Ok(wire)
    }

    pub(super) async fn query(&mut self, request: Request) -> Result<Replies, RequestError> {
        let exchange = async {
            self.socket.write_all(request.bytes()).await.map_err(of_io)?;
            let mut incoming = Incoming::new(request.replies());
            // Its buffer may be used for the replies of others meanwhile.
            drop(request);
            loop {
                let count = self.socket.read(incoming.space()).await.map_err(of_io)?;
                if incoming.arrived(count)? {
                    return incoming.replies();
                }
            }
        };
        timeout(self.response_timeout, exchange).await.unwrap_or(Err(RequestError::Timeout))
    }
}

fn of_io(error: io::Error) -> RequestError {
    RequestError::Disconnected(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use common::endpoint::Endpoint;
    use common::plan::RedisSettings;
    use common::request::{Request, RequestError};

    use super::Wire;

    /// A server that answers every byte it reads with one byte of a reply that never ends, soon enough for every read and
    /// never soon enough for the request.
    fn trickling() -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}/0", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 64];
            let _ = stream.read(&mut request);
            while stream.write_all(b"+").is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        let settings = RedisSettings { response_timeout_s: 0.2, ..RedisSettings::default() };
        Endpoint::new(&url, &settings).unwrap()
    }

    #[test]
    fn the_response_timeout_is_for_the_whole_request() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut wire = Wire::open(&trickling()).await.unwrap();
            let request = Request::new().command("PING", []);
            assert_eq!(wire.query(request).await.unwrap_err(), RequestError::Timeout);
        });
    }
}
