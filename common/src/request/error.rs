//! Why a request has no replies.

use crate::resp::Malformed;
use crate::step::Failure;

/// Why a request has no replies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No connection came free in time.
    #[error("no connection within the checkout timeout")]
    PoolTimeout,
    /// No reply in time; the connection is dropped, for a late reply would answer the next request.
    #[error("no reply within the response timeout")]
    Timeout,
    /// The connection broke, or could not be opened.
    #[error("disconnected: {0}")]
    Disconnected(String),
    /// The server's answer is an error, or not what was asked for.
    #[error("{code} {message}")]
    Server {
        /// First word of the server's message, such as `WRONGTYPE`.
        code: String,
        /// The rest.
        message: String,
    },
}

impl RequestError {
    /// A reply that no server should send.
    #[must_use]
    pub fn unexpected(message: impl Into<String>) -> RequestError {
        RequestError::Server { code: "UNEXPECTED".to_owned(), message: message.into() }
    }

    /// From the line of an error reply, without its `-`: the first word is the code.
    #[must_use]
    pub fn of_line(line: &[u8]) -> RequestError {
        let line = String::from_utf8_lossy(line);
        let (code, message) = line.split_once(' ').unwrap_or((&line, ""));
        RequestError::Server { code: code.to_owned(), message: message.to_owned() }
    }

    /// The server has forgotten a script.
    #[must_use]
    pub fn is_noscript(&self) -> bool {
        matches!(self, RequestError::Server { code, .. } if code == "NOSCRIPT")
    }

    /// The server has no memory left for a write. Redis 6 says it in the message of a script that was refused.
    #[must_use]
    pub fn is_out_of_memory(&self) -> bool {
        const WORDS: &str = "OOM command not allowed";
        matches!(self, RequestError::Server { code, message } if code == "OOM" || message.contains(WORDS))
    }

    /// Whether the connection must not be used again.
    #[must_use]
    pub fn breaks_connection(&self) -> bool {
        matches!(self, RequestError::Timeout | RequestError::Disconnected(_))
    }

    /// How a task that gives up because of it has failed.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            RequestError::PoolTimeout => Failure::PoolTimeout,
            RequestError::Timeout => Failure::Timeout,
            RequestError::Disconnected(_) => Failure::Disconnected,
            RequestError::Server { .. } => Failure::ServerError,
        }
    }

    /// The name under which the report counts it.
    #[must_use]
    pub fn kind(&self) -> RequestErrorKind {
        match self {
            RequestError::PoolTimeout => RequestErrorKind::PoolTimeout,
            RequestError::Timeout => RequestErrorKind::Timeout,
            RequestError::Disconnected(_) => RequestErrorKind::Disconnected,
            error if error.is_noscript() => RequestErrorKind::Noscript,
            error if error.is_out_of_memory() => RequestErrorKind::OutOfMemory,
            RequestError::Server { .. } => RequestErrorKind::ServerError,
        }
    }
}

impl From<Malformed> for RequestError {
    fn from(error: Malformed) -> RequestError {
        RequestError::Disconnected(error.to_string())
    }
}

impl From<redis::RedisError> for RequestError {
    fn from(error: redis::RedisError) -> RequestError {
        if error.is_timeout() {
            RequestError::Timeout
        } else if error.is_io_error() || error.is_connection_dropped() || error.kind() == redis::ErrorKind::Parse {
            RequestError::Disconnected(error.to_string())
        } else {
            let code = error.code().unwrap_or("ERR").to_owned();
            RequestError::Server { code, message: error.detail().unwrap_or_default().to_owned() }
        }
    }
}

/// Failed requests are counted by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestErrorKind {
    /// See [`RequestError::PoolTimeout`].
    PoolTimeout,
    /// See [`RequestError::Timeout`].
    Timeout,
    /// See [`RequestError::Disconnected`].
    Disconnected,
    /// A script that had to be loaded again.
    Noscript,
    /// See [`RequestError::is_out_of_memory`].
    OutOfMemory,
    /// Any other error of the server.
    ServerError,
}

impl RequestErrorKind {
    /// Number of kinds.
    pub const COUNT: usize = 6;
    /// Every kind; position = `kind as usize`.
    pub const ALL: [RequestErrorKind; RequestErrorKind::COUNT] = [
        RequestErrorKind::PoolTimeout,
        RequestErrorKind::Timeout,
        RequestErrorKind::Disconnected,
        RequestErrorKind::Noscript,
        RequestErrorKind::OutOfMemory,
        RequestErrorKind::ServerError,
    ];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RequestErrorKind::PoolTimeout => "pool_timeout",
            RequestErrorKind::Timeout => "timeout",
            RequestErrorKind::Disconnected => "disconnected",
            RequestErrorKind::Noscript => "noscript",
            RequestErrorKind::OutOfMemory => "out_of_memory",
            RequestErrorKind::ServerError => "server_error",
        }
    }
}
