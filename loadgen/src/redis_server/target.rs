//! `--redis-url` and `REDIS_URL`: a parsed address that shows its credentials to nobody but the connections themselves.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use common::endpoint;
use redis::{ConnectionAddr, ConnectionInfo};

/// The address of a Redis server and the database to use there.
///
/// `Display` and `Debug` show neither user nor password, and there is no `Serialize` on purpose: what goes into a report is the
/// `Display` text.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl {
    raw: String,
    host: String,
    port: u16,
    db: u32,
    has_credentials: bool,
}

/// Why a URL is refused. No text holds any part of it, because any part of a malformed one may be the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Nothing, or only white space.
    #[error("the Redis URL is empty; give one such as redis://localhost:6379/0")]
    Empty,
    /// It does not begin with `redis://`.
    #[error("the Redis URL does not begin with redis://; give one such as redis://localhost:6379/0")]
    Scheme,
    /// `rediss://`.
    #[error(
        "the Redis URL asks for TLS (rediss://), which is not supported yet; use a redis:// address, for instance of a local tunnel"
    )]
    Tls,
    /// `unix:`.
    #[error("the Redis URL names a Unix socket, which is not supported yet; use a redis:// address")]
    Unix,
    /// An `@` after the host part: the password was cut in two.
    #[error("the Redis URL has an @ after its host; write / ? # and @ in a user name or password as %2F %3F %23 %40")]
    Encoding,
    /// What follows the host is not a number.
    #[error("the Redis URL does not end with a database number; give one such as redis://localhost:6379/0")]
    Database,
    /// The rest.
    #[error(
        "the Redis URL is not of the form redis://[user:password@]host[:port][/database]; the host must be one that can be connected \
         to (not 0.0.0.0), and special characters in a password must be written as %XX"
    )]
    Malformed,
}

impl ServerUrl {
    /// The URL of database 0 on a server without a password.
    #[must_use]
    pub fn of_address(address: SocketAddr) -> Self {
        Self {
            raw: format!("redis://{address}/0"),
            host: address.ip().to_string(),
            port: address.port(),
            db: 0,
            has_credentials: false,
        }
    }

    /// Host name or address, an IPv6 one without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port; 6379 if none was given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Database number; 0 if none was given.
    #[must_use]
    pub fn db(&self) -> u32 {
        self.db
    }

    /// The URL with its credentials: only to open connections with it, or to hand it to a dyno.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.raw
    }

    /// The same database, user and password at another address: that of a proxy before the server.
    ///
    /// # Errors
    /// None for a value that was parsed; [`UrlError::Malformed`] stands in for what cannot happen.
    pub fn at(&self, address: SocketAddr) -> Result<Self, UrlError> {
        let (scheme, rest) = self.raw.split_once("://").ok_or(UrlError::Malformed)?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let credentials =
            authority.rsplit_once('@').map_or(String::new(), |(credentials, _)| format!("{credentials}@"));
        format!("{scheme}://{credentials}{address}{tail}").parse()
    }

    /// What redis-rs connects with, credentials included and `TCP_NODELAY` on.
    ///
    /// # Errors
    /// None for a value that was parsed; [`UrlError::Malformed`] stands in for what cannot happen.
    pub fn connection_info(&self) -> Result<ConnectionInfo, UrlError> {
        endpoint::connection_info(&self.raw).ok_or(UrlError::Malformed)
    }
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let raw = text.trim();
        let authority = checked_authority(raw)?;
        let info = endpoint::connection_info(raw).ok_or(UrlError::Malformed)?;
        let ConnectionAddr::Tcp(host, port) = info.addr() else {
            return Err(UrlError::Malformed);
        };
        Ok(Self {
            raw: raw.to_owned(),
            host: host.clone(),
            port: *port,
            db: info.redis_settings().db().try_into().map_err(|_| UrlError::Database)?,
            has_credentials: authority.contains('@'),
        })
    }
}

/// The part between `redis://` and the database, after the checks for which a sentence of their own is worth it.
fn checked_authority(raw: &str) -> Result<&str, UrlError> {
    if raw.is_empty() {
        return Err(UrlError::Empty);
    }
    let (scheme, rest) = raw.split_once(':').ok_or(UrlError::Scheme)?;
    match scheme.to_ascii_lowercase().as_str() {
        "redis" | "valkey" => {}
        "rediss" | "valkeys" => return Err(UrlError::Tls),
        "unix" | "redis+unix" | "valkey+unix" => return Err(UrlError::Unix),
        _ => return Err(UrlError::Scheme),
    }
    let rest = rest.strip_prefix("//").ok_or(UrlError::Malformed)?;
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // redis://s3cret#@host would otherwise be the host "s3cret", for everybody to read.
    if tail.contains('@') {
        return Err(UrlError::Encoding);
    }
    let path = tail.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    if path.chars().any(|c| !c.is_ascii_digit()) {
        return Err(UrlError::Database);
    }
    Ok(authority)
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let credentials = if self.has_credentials { "***@" } else { "" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "redis://{credentials}{open}{}{close}:{}/{}", self.host, self.port, self.db)
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_without_credentials() {
        for (url, shown) in [
            ("redis://localhost", "redis://localhost:6379/0"),
            (" redis://localhost:7000/ ", "redis://localhost:7000/0"),
            ("redis://127.0.0.1:7000/2", "redis://127.0.0.1:7000/2"),
            ("valkey://cache/3", "redis://cache:6379/3"),
            ("REDIS://cache/3", "redis://cache:6379/3"),
            ("redis://:s3cret@cache:1/2", "redis://***@cache:1/2"),
            ("redis://bob:s3cret@cache", "redis://***@cache:6379/0"),
            ("redis://s3cret@cache", "redis://***@cache:6379/0"),
            ("redis://bob:s3cret@s3cret@cache", "redis://***@cache:6379/0"),
            ("redis://:s3cret%2F%40%23@cache", "redis://***@cache:6379/0"),
            ("redis://:s3cret@[::1]:7000/15", "redis://***@[::1]:7000/15"),
            ("redis://cache/1?protocol=resp3", "redis://cache:6379/1"),
            ("redis://cache/1?password=s3cret", "redis://cache:6379/1"),
        ] {
            let parsed: ServerUrl = url.parse().unwrap();
            assert_eq!(parsed.to_string(), shown, "{url}");
            assert_eq!(format!("{parsed:?}"), shown, "{url}");
            assert_eq!(parsed.expose(), url.trim());
        }
    }

    #[test]
    fn refusals_quote_nothing() {
        for (url, expected) in [
            ("", UrlError::Empty),
            ("  ", UrlError::Empty),
            ("localhost", UrlError::Scheme),
            ("localhost:6379", UrlError::Scheme),
            ("bob:s3cret@cache:6379", UrlError::Scheme),
            ("http://:s3cret@cache", UrlError::Scheme),
            ("rediss://:s3cret@cache", UrlError::Tls),
            ("valkeys://cache", UrlError::Tls),
            ("unix:///tmp/s3cret?pass=s3cret", UrlError::Unix),
            ("redis+unix:///tmp/sock", UrlError::Unix),
            ("redis:cache", UrlError::Malformed),
            ("redis://", UrlError::Malformed),
            ("redis://:s3cret@", UrlError::Malformed),
            ("redis://cache:port", UrlError::Malformed),
            ("redis://cache:70000", UrlError::Malformed),
            ("redis://0.0.0.0", UrlError::Malformed),
            ("redis://cache/?protocol=s3cret", UrlError::Malformed),
            ("redis://:s3%FFcret@cache", UrlError::Malformed),
            ("redis://:s3/cret@cache:6379/0", UrlError::Encoding),
            ("redis://s3cret#@cache", UrlError::Encoding),
            ("redis://s3cret?x@cache", UrlError::Encoding),
            ("redis://cache/s3cret", UrlError::Database),
            ("redis://cache/-1", UrlError::Database),
            ("redis://cache/4294967296", UrlError::Database),
        ] {
            let error = url.parse::<ServerUrl>().unwrap_err();
            assert_eq!(error, expected, "{url}");
            let text = format!("{error} {error:?}");
            assert!(!text.contains("s3cret") && !text.contains("bob"), "{text}");
        }
    }

    #[test]
    fn another_address_changes_nothing_else() {
        for (url, moved) in [
            ("redis://localhost", "redis://127.0.0.1:9"),
            ("valkey://cache:7000/2?protocol=resp3", "valkey://127.0.0.1:9/2?protocol=resp3"),
            ("redis://bob:s3%2Fcret@[::1]:7000/15", "redis://bob:s3%2Fcret@127.0.0.1:9/15"),
        ] {
            let url: ServerUrl = url.parse().unwrap();
            assert_eq!(url.at("127.0.0.1:9".parse().unwrap()).unwrap().expose(), moved);
        }
    }

    #[test]
    fn a_url_knows_its_parts() {
        let url: ServerUrl = "redis://bob:s3%2Fcret@[::1]:7000/2".parse().unwrap();
        assert_eq!((url.host(), url.port(), url.db()), ("::1", 7000, 2));
        let info = url.connection_info().unwrap();
        assert_eq!(info.redis_settings().password(), Some("s3/cret"));
        assert!(info.tcp_settings().nodelay());

        let url = ServerUrl::of_address("127.0.0.1:7000".parse().unwrap());
        assert_eq!(url, url.expose().parse().unwrap());
    }
}
