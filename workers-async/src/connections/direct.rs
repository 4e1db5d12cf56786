//! A plain async connection: redis-rs encodes and parses, and nothing stands between the worker and its socket.
//!
//! redis-rs itself offers only connections with a driver task behind two channels. Measured with those, "async" would
//! mean "that client"; they are the setting `shared`.

use std::io;

use combine::parser::combinator::AnySendSyncPartialState;
use combine::stream::{Decoder, PointerOffset};
use common::endpoint::Endpoint;
use common::request::{Replies, Request, RequestError};
use redis::{ConnectionAddr, Value};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection that remembers whether it may be used again.
pub(super) struct Link {
    socket: TcpStream,
    decoder: Decoder<AnySendSyncPartialState, PointerOffset<[u8]>>,
    response_timeout: std::time::Duration,
    pub(super) broken: bool,
}

impl Link {
    /// Connects, and does what redis-rs's blocking client does before the first command: AUTH, SELECT.
    pub(super) async fn open(endpoint: &Endpoint) -> Result<Link, RequestError> {
        let connect = async {
            let socket = match endpoint.info.addr() {
                ConnectionAddr::Tcp(host, port) => TcpStream::connect((host.as_str(), *port)).await,
                _ => Err(io::Error::new(io::ErrorKind::Unsupported, "only redis:// over TCP")),
            };
            let socket = socket.map_err(disconnected)?;
            socket.set_nodelay(true).map_err(disconnected)?;
            let response_timeout = endpoint.response_timeout;
            let mut link = Link { socket, decoder: Decoder::new(), response_timeout, broken: false };
            let setup = setup(endpoint);
            if setup.replies() > 0 {
                link.query(&setup).await?;
            }
            Ok(link)
        };
        timeout(endpoint.connect_timeout, connect).await.unwrap_or(Err(RequestError::Timeout))
    }

    pub(super) async fn query(&mut self, request: &Request) -> Result<Replies, RequestError> {
        // A query that is dropped half-way leaves replies in the socket.
        self.broken = true;
        let exchange = async {
            self.socket.write_all(request.bytes()).await.map_err(disconnected)?;
            let mut values: Vec<Value> = Vec::with_capacity(request.replies());
            for _ in 0..request.replies() {
                values.push(redis::parse_redis_value_async(&mut self.decoder, &mut self.socket).await?);
            }
            Replies::new(values)
        };
        let result = timeout(self.response_timeout, exchange).await.unwrap_or(Err(RequestError::Timeout));
        self.broken = matches!(&result, Err(error) if error.breaks_connection());
        result
    }
}

fn disconnected(error: io::Error) -> RequestError {
    RequestError::Disconnected(error.to_string())
}

fn setup(endpoint: &Endpoint) -> Request {
    let redis = endpoint.info.redis_settings();
    let mut request = Request::new();
    if let Some(password) = redis.password() {
        request = match redis.username() {
            Some(user) => request.command("AUTH", [user.as_bytes(), password.as_bytes()]),
            None => request.command("AUTH", [password.as_bytes()]),
        };
    }
    if redis.db() != 0 {
        request = request.command("SELECT", [redis.db().to_string().as_bytes()]);
    }
    request
}
