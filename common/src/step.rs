//! The contract between what a task does (here, once) and what runs it (the two engines).
//!
//! A task is a machine without I/O: [`Task::resume`](crate::task::Task::resume) takes the reply to its last step and
//! returns the next one. Everything in which the engines may differ is how they carry out a [`Step`].

use crate::compute::{Digest, Work};
use crate::plan::{Queue, Settings, TaskKind};
use crate::request::{Replies, Request, RequestError};

/// What a task wants done next.
#[must_use]
#[derive(Debug)]
pub enum Step {
    /// Send the request, collect every reply; the time counts for the span.
    Redis(Span, Request),
    /// Burn CPU.
    Compute(Work),
    /// Sleep until the deadline; what is slept beyond it is a span.
    Sleep(Deadline),
    /// Wait for a permit; a task holds at most one.
    Acquire(Limit),
    /// Give it back.
    Release,
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
    /// To [`Step::Compute`].
    Computed(Digest),
    /// To [`Step::Sleep`].
    Slept,
    /// To [`Step::Acquire`].
    Acquired,
    /// To [`Step::Release`].
    Released,
}

/// When a sleep ends: so long after the end of the step before it. The worker's loop makes an absolute instant of it,
/// which is what an engine sleeps until.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// Nanoseconds.
    pub after_ns: u64,
}

/// Which permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The dyno's: `task.permits` of them.
    Dyno,
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
    /// A round trip of a synthetic task.
    Exchange,
    /// Burning CPU, waiting for a place to burn it included.
    Compute,
    /// Sleep beyond the deadline.
    SleepOvershoot,
    /// Waiting for a permit.
    PermitWait,
    /// Telling the queue what became of the task, where its worker does that by itself. After the task's end, and no part of its
    /// service.
    Settle,
    /// Claiming a task, where workers do that themselves. Part of no task.
    Claim,
}

impl Span {
    /// Number of spans.
    pub const COUNT: usize = 9;
    /// Every span; position = `span as usize`.
    pub const ALL: [Span; Span::COUNT] = [
        Span::Fetch,
        Span::Save,
        Span::Ping,
        Span::Exchange,
        Span::Compute,
        Span::SleepOvershoot,
        Span::PermitWait,
        Span::Settle,
        Span::Claim,
    ];

    /// The spans that tasks of a kind have.
    #[must_use]
    pub fn of(kind: TaskKind) -> &'static [Span] {
        match kind {
            TaskKind::Document | TaskKind::Replay => &[Span::Fetch, Span::Save, Span::Ping],
            TaskKind::Synthetic => &[Span::Exchange, Span::Compute, Span::SleepOvershoot, Span::PermitWait],
            TaskKind::Order => &[Span::SleepOvershoot, Span::PermitWait],
            TaskKind::Job | TaskKind::Null => &[],
        }
    }

    /// The spans that tasks have under such settings.
    #[must_use]
    pub fn under(settings: &Settings) -> Box<[Span]> {
        let settles = settings.queue.as_ref().is_some_and(Queue::is_settled_by_workers);
        Span::of(settings.task.kind).iter().copied().chain(settles.then_some(Span::Settle)).collect()
    }

    /// The name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Span::Fetch => "fetch",
            Span::Save => "save",
            Span::Ping => "ping",
            Span::Exchange => "exchange",
            Span::Compute => "compute",
            Span::SleepOvershoot => "sleep_overshoot",
            Span::PermitWait => "permit_wait",
            Span::Settle => "settle",
            Span::Claim => "claim",
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
