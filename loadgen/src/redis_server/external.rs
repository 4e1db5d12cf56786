//! A server that the user named: looked at before it is used, flushed only where and when that is allowed.

use std::time::Duration;

use redis::{Client, Cmd, Connection, ErrorKind, FromRedisValue, RedisConnectionInfo, RedisError};

use super::facts::ServerFacts;
use super::target::{ServerUrl, UrlError};
use super::version::Version;

/// Emptying a database of many millions of keys takes seconds.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(120);

/// What is allowed and how long to wait.
#[derive(Debug, Clone, Copy)]
pub struct ExternalOptions {
    /// `--flush`: whether keys that are already in the database may be deleted.
    pub flush: bool,
    /// For the TCP connection.
    pub connect_timeout: Duration,
    /// For each answer.
    pub response_timeout: Duration,
}

impl Default for ExternalOptions {
    /// Nothing may be deleted; 1 s to connect, 5 s to answer, as the engines have by default.
    fn default() -> Self {
        Self { flush: false, connect_timeout: Duration::from_secs(1), response_timeout: Duration::from_secs(5) }
    }
}

/// Why an external server is not used. `url` is always the redacted one, and no text of the server is passed on, because some
/// quote the user name or the arguments.
#[derive(Debug, thiserror::Error)]
pub enum ExternalError {
    /// The URL cannot be used.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// No connection, or no answer that is Redis's.
    #[error("{url} cannot be used: {reason}. Is the address right, and does a Redis server answer there without TLS?")]
    Unreachable {
        /// Redacted.
        url: String,
        /// What the system or the client said.
        reason: String,
    },
    /// NOAUTH.
    #[error(
        "{url} asks for a password; give it in the URL, as in redis://:PASSWORD@host:port/0 or redis://USER:PASSWORD@host:port/0"
    )]
    PasswordNeeded {
        /// Redacted.
        url: String,
    },
    /// WRONGPASS.
    #[error("{url} refuses the user name or the password; special characters in them must be written as %XX")]
    PasswordRefused {
        /// Redacted.
        url: String,
    },
    /// A password for a server that has none.
    #[error("{url} has no password set, but the URL gives one; leave it out, or check that this is the right server")]
    PasswordUnexpected {
        /// Redacted.
        url: String,
    },
    /// SELECT was refused.
    #[error("{url} has no database {db}; choose one that it has, such as 0")]
    NoSuchDatabase {
        /// Redacted.
        url: String,
        /// Asked for.
        db: u32,
    },
    /// A command that the checks need was refused.
    #[error(
        "{url} answers {command} with {reason}; the user needs the permission to run it, and the server must be ready"
    )]
    Refused {
        /// Redacted.
        url: String,
        /// Without arguments.
        command: &'static str,
        /// The server's error code, such as NOPERM or LOADING.
        reason: String,
    },
    /// Older than [`Version::OLDEST`], or it does not say.
    #[error("{url} is version {found}; {oldest} or newer is needed", oldest = Version::OLDEST)]
    TooOld {
        /// Redacted.
        url: String,
        /// As the server gave it, or `unknown`.
        found: String,
    },
    /// There is something in the database, and nobody allowed to delete it.
    #[error(
        "database {db} of {url} is not empty ({keys} {}; every run leaves its own there) and is left as it is; name an empty one in the \
         URL, or allow this one to be emptied with --flush", if *keys == 1 { "key" } else { "keys" }
    )]
    NotEmpty {
        /// Redacted.
        url: String,
        /// The selected database.
        db: u32,
        /// `DBSIZE`.
        keys: u64,
    },
}

/// An external server that has passed the checks. Having one is the permission to flush its database: it was empty, or the user
/// allowed it.
#[derive(Debug)]
pub struct ExternalServer {
    url: ServerUrl,
    facts: ServerFacts,
    options: ExternalOptions,
}

impl ExternalServer {
    /// Checks that the server answers, lets us in, is new enough, and that the selected database is empty or may be emptied:
    /// [`ExternalServer::flush`] does that, before every run.
    ///
    /// # Errors
    /// See [`ExternalError`]; nothing has been changed on the server.
    pub fn admit(url: ServerUrl, options: ExternalOptions) -> Result<Self, ExternalError> {
        let mut session = Session::open(&url, options)?;
        let facts = ServerFacts::read(&mut session.connection).map_err(|error| session.refusal("INFO", &error))?;
        check_version(&url, &facts)?;
        let keys: u64 = session.ask("DBSIZE", &redis::cmd("DBSIZE"))?;
        if keys > 0 && !options.flush {
            let (url, db) = (url.to_string(), url.db());
            return Err(ExternalError::NotEmpty { url, db, keys });
        }
        Ok(Self { url, facts, options })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// What it said about itself when it was admitted.
    #[must_use]
    pub fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    /// Empties the selected database, and no other: what earlier runs have left there.
    ///
    /// # Errors
    /// See [`ExternalError`].
    pub fn flush(&self) -> Result<(), ExternalError> {
        Session::open(&self.url, self.options)?.flush()
    }
}

/// A version that cannot be read is refused too: nothing is known to work there.
fn check_version(url: &ServerUrl, facts: &ServerFacts) -> Result<(), ExternalError> {
    if facts.parsed_version().is_some_and(Version::is_supported) {
        return Ok(());
    }
    Err(ExternalError::TooOld {
        url: url.to_string(),
        found: facts.version.clone().unwrap_or_else(|| "unknown".to_owned()),
    })
}

/// A connection with AUTH and SELECT done by hand, because redis-rs's handshake drops the error codes that the sentences need.
struct Session<'a> {
    url: &'a ServerUrl,
    connection: Connection,
}

impl<'a> Session<'a> {
    fn open(url: &'a ServerUrl, options: ExternalOptions) -> Result<Self, ExternalError> {
        let with_credentials = url.connection_info()?;
        // No CLIENT SETINFO either: the checks leave as few traces in the command statistics as they can.
        let plain = RedisConnectionInfo::default().set_skip_set_lib_name();
        let info = with_credentials.clone().set_redis_settings(plain);
        let unreachable = |error: RedisError| unreachable(url, &error);
        let client = Client::open(info).map_err(unreachable)?;
        let connection = client.get_connection_with_timeout(options.connect_timeout).map_err(unreachable)?;
        connection.set_read_timeout(Some(options.response_timeout)).map_err(unreachable)?;
        connection.set_write_timeout(Some(options.response_timeout)).map_err(unreachable)?;
        let mut session = Self { url, connection };
        session.authenticate(with_credentials.redis_settings())?;
        session.ask::<redis::Value>("PING", &redis::cmd("PING"))?;
        session.select()?;
        Ok(session)
    }

    fn authenticate(&mut self, credentials: &RedisConnectionInfo) -> Result<(), ExternalError> {
        let Some(password) = credentials.password() else {
            return Ok(());
        };
        let mut auth = redis::cmd("AUTH");
        auth.arg(credentials.username()).arg(password);
        let Err(error) = auth.exec(&mut self.connection) else {
            return Ok(());
        };
        let url = self.url.to_string();
        Err(match error.detail() {
            _ if is_of_connection(&error) => unreachable(self.url, &error),
            Some(detail) if detail.contains("without any password configured") => {
                ExternalError::PasswordUnexpected { url }
            }
            _ => ExternalError::PasswordRefused { url },
        })
    }

    fn select(&mut self) -> Result<(), ExternalError> {
        let db = self.url.db();
        // Proxies and clusters know only database 0 and some refuse even to select that.
        if db == 0 {
            return Ok(());
        }
        redis::cmd("SELECT").arg(db).exec(&mut self.connection).map_err(|error| match error.code() {
            Some("ERR") => ExternalError::NoSuchDatabase { url: self.url.to_string(), db },
            _ => self.refusal("SELECT", &error),
        })
    }

    fn flush(&mut self) -> Result<(), ExternalError> {
        let timeout = self.connection.set_read_timeout(Some(FLUSH_TIMEOUT));
        timeout.map_err(|error| unreachable(self.url, &error))?;
        self.ask("FLUSHDB", &redis::cmd("FLUSHDB"))
    }

    fn ask<T: FromRedisValue>(&mut self, name: &'static str, command: &Cmd) -> Result<T, ExternalError> {
        command.query(&mut self.connection).map_err(|error| self.refusal(name, &error))
    }

    fn refusal(&self, command: &'static str, error: &RedisError) -> ExternalError {
        let url = self.url.to_string();
        match error.code() {
            _ if is_of_connection(error) => unreachable(self.url, error),
            Some("NOAUTH") => ExternalError::PasswordNeeded { url },
            code => ExternalError::Refused { url, command, reason: code.unwrap_or("an unexpected answer").to_owned() },
        }
    }
}

fn is_of_connection(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse)
}

fn unreachable(url: &ServerUrl, error: &RedisError) -> ExternalError {
    let reason = match error.kind() {
        ErrorKind::Io if error.is_timeout() => "no answer in time".to_owned(),
        ErrorKind::Io => error.to_string(),
        _ => "what answers there does not speak Redis's protocol".to_owned(),
    };
    let url = url.to_string();
    ExternalError::Unreachable { url, reason }
}

#[cfg(test)]
mod tests {
    use super::super::facts::parse_info;
    use super::*;

    #[test]
    fn old_servers_are_refused_by_version() {
        let url: ServerUrl = "redis://:s3cret@cache/2".parse().unwrap();
        for (info, expected) in [
            ("redis_version:6.2.0", None),
            ("redis_version:7.2.4\nvalkey_version:9.1.2", None),
            ("redis_version:6.0.16", Some("redis://***@cache:6379/2 is version 6.0.16; 6.2.0 or newer is needed")),
            ("redis_version:strange", Some("redis://***@cache:6379/2 is version strange; 6.2.0 or newer is needed")),
            ("", Some("redis://***@cache:6379/2 is version unknown; 6.2.0 or newer is needed")),
        ] {
            let facts = ServerFacts::from_info(&parse_info(info));
            let refusal = check_version(&url, &facts).err().map(|error| error.to_string());
            assert_eq!(refusal.as_deref(), expected, "{info}");
        }
    }
}
