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
        let mut setup = endpoint.setup();
        if setup.replies() > 0 {
            wire.query(&mut setup).await?;
        }
        Ok(wire)
    }

    /// The request is written, and its buffer given back.
    pub(super) async fn query(&mut self, request: &mut Request) -> Result<Replies, RequestError> {
        let exchange = async {
            self.socket.write_all(request.bytes()).await.map_err(of_io)?;
            let mut incoming = Incoming::new(request.replies());
            request.written();
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
    use common::endpoint::Endpoint;
    use common::plan::RedisSettings;
    use common::request::{Request, RequestError};

    use super::Wire;

    #[test]
    fn the_response_timeout_is_for_the_whole_request() {
        let settings = RedisSettings { response_timeout_s: 0.2, ..RedisSettings::default() };
        let endpoint = Endpoint::new(&format!("redis://{}/0", testkit::trickling_server()), &settings).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut wire = Wire::open(&endpoint).await.unwrap();
            let mut request = Request::new().command("PING", []);
            assert_eq!(wire.query(&mut request).await.unwrap_err(), RequestError::Timeout);
        });
    }
}
