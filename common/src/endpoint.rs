//! Where the server is and how long to wait for it: the same for both engines.

use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

use crate::plan::RedisSettings;
use crate::request::{Request, RequestError};

/// A server and the timeouts of a plan.
#[derive(Clone)]
pub struct Endpoint {
    /// Address, database and credentials; nodelay on, no `CLIENT SETINFO`.
    pub info: ConnectionInfo,
    /// To open a connection.
    pub connect_timeout: Duration,
    /// For all replies of a request.
    pub response_timeout: Duration,
    /// For a connection out of a pool, or a broken one to be replaced.
    pub checkout_timeout: Duration,
}

impl Endpoint {
    /// From a `redis://` URL and a plan's `[redis]`.
    ///
    /// # Errors
    /// A URL that redis-rs does not understand; the message does not repeat it, for it may hold a password.
    pub fn new(url: &str, settings: &RedisSettings) -> Result<Endpoint, RequestError> {
        let info = connection_info(url).ok_or_else(|| {
            RequestError::Disconnected("the Redis URL is not one: redis://[[user]:password@]host:port[/db]".into())
        })?;
        Ok(Endpoint {
            info,
            connect_timeout: Duration::from_secs_f64(settings.connect_timeout_s),
            response_timeout: Duration::from_secs_f64(settings.response_timeout_s),
            checkout_timeout: Duration::from_secs_f64(settings.checkout_timeout_s),
        })
    }
}

impl Endpoint {
    /// Host and port.
    ///
    /// # Errors
    /// The URL asks for something else than TCP.
    pub fn address(&self) -> std::io::Result<(&str, u16)> {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => Ok((host, *port)),
            _ => Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "only redis:// over TCP")),
        }
    }

    /// What must be said before the first command; without commands when there is nothing to say.
    #[must_use]
    pub fn setup(&self) -> Request {
        let redis = self.info.redis_settings();
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
}

/// How every part of Headroom connects: nodelay on, no `CLIENT SETINFO`. `None` when the URL is not one; redis-rs's own
/// error is dropped, for it may quote a password.
#[must_use]
pub fn connection_info(url: &str) -> Option<ConnectionInfo> {
    let info = url.into_connection_info().ok()?;
    let redis = info.redis_settings().clone().set_skip_set_lib_name();
    Some(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)).set_redis_settings(redis))
}
