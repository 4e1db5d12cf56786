//! The contract between what a task does (here, once) and what runs it (the two engines).
//!
//! A task is a machine without I/O: [`Task::resume`](crate::task::Task::resume) takes the reply to its last step and
//! returns the next one. Everything in which the engines may differ is how they carry out a [`Step`].

use crate::request::{Replies, Request, RequestError};

/// What a task wants done next.
#[must_use]
#[derive(Debug)]
pub enum Step {
    /// Send the request, collect every reply; the time counts for the span.
    Redis(Span, Request),
    /// The task has ended.
    Done(Outcome),
}

/// The answer to a [`Step`].
#[derive(Debug)]
pub enum Reply {
    /// There was no step yet.
    Start,
    /// To [`Step::Redis`].
    Redis(Result<Replies, RequestError>),
}

/// A named part of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Reading the document.
    Fetch,
    /// Writing it back.
    Save,
    /// The closing PING: the distance to the server.
    Ping,
}

impl Span {
    /// Number of spans.
    pub const COUNT: usize = 3;
    /// Every span; position = `span as usize`.
    pub const ALL: [Span; Span::COUNT] = [Span::Fetch, Span::Save, Span::Ping];

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Span::Fetch => "fetch",
            Span::Save => "save",
            Span::Ping => "ping",
        }
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its work is done.
    Completed,
    /// Its handler said no; counts as completed.
    Rejected,
    /// Its work is not done, or nobody knows whether it is.
    Failed(Failure),
}

/// Why a task failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No reply in time.
    Timeout,
    /// The connection broke.
    Disconnected,
    /// The server answered with an error, or with what the task cannot understand.
    ServerError,
    /// No connection in time.
    PoolTimeout,
}
