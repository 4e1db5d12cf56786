//! Tasks that wait in Redis: what stands in the queue, how it is claimed, how it is settled. Pure: requests, and what their
//! replies mean.
//!
//! A task is run at least once. Whoever has claimed it holds it until it settles it; what is held too long goes back into the
//! queue, with one more attempt to its name. A claim that no longer stands settles nothing: whoever did the work for it did it in
//! vain, and is a *duplicate*.

use crate::keys::{self, Inline};
use crate::plan::QueueKind;
use crate::request::Request;
use crate::step::Outcome;
use crate::wire::{Dispatch, TaskPhase};

mod fetcher;
mod protocol;
mod totals;

pub use fetcher::{Fetcher, Turn};
pub use protocol::{Brought, Protocol};
pub use totals::{QueueCounters, QueueTotals};

/// Settles one task in one step of the server.
pub const SETTLE: &str = include_str!("queue/settle.lua");
/// What it remembers of claims whose work was in vain.
pub const IN_VAIN: [&str; 2] = ["vain", "spent"];
/// What must be done now and then.
pub const UPKEEP: &str = include_str!("queue/upkeep.lua");
/// Puts tasks into the queue, each once: an answer may be lost, and the tasks are sent again; those that are there are left out. KEYS:
/// the queue, and how many were ever put there. ARGV: kind, how many were sent before these, entries. Returns how many there are now. It
/// goes by `EVAL`, which nobody else uses: so the server's statistics tell it from what dynos do.
pub const ENQUEUE: &str = include_str!("queue/enqueue.lua");
/// Tasks in one `EVAL`: while one is carried out nobody else is served.
pub const ENQUEUE_MAX: usize = 100;
/// The one consumer group.
pub const GROUP: &str = "workers";
/// The one field of a stream's entry.
const FIELD: &[u8] = b"t";
/// How long a claim waits at the server at most: how soon a stop is noticed, and what else is due.
pub const WAIT_MS_MAX: u64 = 100;

/// A task as it stands in the queue: the frame of a push, with the number of earlier attempts for the worker, and its payload.
pub fn encode(task: &Dispatch, attempts: u32, payload: impl FnOnce(&mut Vec<u8>), entry: &mut Vec<u8>) {
    entry.extend_from_slice(&Dispatch { worker: attempts, ..*task }.encode());
    payload(entry);
}

/// What stands in the queue, and by what it is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Of a stream's entry; in a list its bytes are all there is.
    id: Option<StreamId>,
    bytes: Box<[u8]>,
}

/// Two numbers of up to 20 digits.
type StreamId = Inline<41>;

/// A claimed task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its instants, number and phase; [`Dispatch::worker`] is nobody's.
    pub task: Dispatch,
    /// How often it was tried before.
    pub attempts: u32,
    held: Held,
}

impl Entry {
    /// What is no task is handed back.
    fn new(held: Held) -> Result<Entry, Held> {
        let frame = held.bytes.first_chunk::<{ Dispatch::LEN }>();
        match frame.and_then(|frame| Dispatch::decode(frame, u32::MAX).ok()) {
            Some(task) => Ok(Entry { attempts: task.worker, task: Dispatch { worker: 0, ..task }, held }),
            None => Err(held),
        }
    }

    /// What the task is made from.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.held.bytes[Dispatch::LEN..]
    }

    /// This attempt at `worker` of the dyno came to `outcome`, and leads to `fate`.
    #[must_use]
    pub fn settled(self, worker: u32, outcome: Outcome, fate: Fate) -> Settled {
        let in_window = self.task.phase == TaskPhase::Window;
        Settled {
            worker,
            index: Some(self.task.index),
            attempts: self.attempts,
            in_window,
            outcome,
            told: false,
            held: self.held,
            fate,
        }
    }
}

/// What becomes of a claimed task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fate {
    /// Its work is done, with this result if it has any.
    Done(Option<f64>),
    /// It is due again after so many milliseconds.
    Retry(u64),
    /// It is kept among the dead, for this reason.
    Dead(&'static str),
    /// The server is not told: somebody else will claim it, or it was told before.
    Let,
}

/// A task whose worker is done with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// Of the dyno, from 0.
    pub worker: u32,
    /// `None`: it is no task.
    index: Option<u64>,
    attempts: u32,
    outcome: Outcome,
    /// Whether its phase is [`TaskPhase::Window`].
    in_window: bool,
    /// Whether the server was told before, and its answer was lost: what no longer stands may have been settled then.
    pub(crate) told: bool,
    held: Held,
    /// What becomes of it.
    pub fate: Fate,
}

/// Before the first task: the scripts, and the consumer group of an empty stream.
#[must_use]
pub fn prepare(kind: QueueKind) -> Request {
    let request = scripts(Request::new());
    match kind {
        QueueKind::Stream => {
            request.command("XGROUP", [b"CREATE".as_slice(), keys::QUEUE, GROUP.as_bytes(), b"0", b"MKSTREAM"])
        }
        QueueKind::List => request,
    }
}

/// Replies to [`scripts`].
const SCRIPTS: usize = 2;

/// Appends what makes the server know the scripts.
fn scripts(request: Request) -> Request {
    [SETTLE, UPKEEP]
        .into_iter()
        .fold(request, |request, script| request.command("SCRIPT", [b"LOAD".as_slice(), script.as_bytes()]))
}

/// Appends what puts `entries` into the queue, [`ENQUEUE_MAX`] of them at most; `before` were sent there before them. The reply is how many
/// were ever put there.
#[must_use]
pub fn enqueue<'a>(
    mut request: Request,
    kind: QueueKind,
    before: u64,
    entries: impl ExactSizeIterator<Item = &'a [u8]>,
) -> Request {
    request.open("EVAL", 6 + entries.len());
    args(&mut request, &[ENQUEUE.as_bytes(), b"2", keys::QUEUE, keys::QUEUE_SENT, name(kind)]);
    number(&mut request, before);
    entries.for_each(|entry| request.arg(entry));
    request
}

/// As scripts know it.
fn name(kind: QueueKind) -> &'static [u8] {
    match kind {
        QueueKind::Stream => b"stream",
        QueueKind::List => b"list",
    }
}

fn args(request: &mut Request, args: &[&[u8]]) {
    args.iter().for_each(|arg| request.arg(arg));
}

fn number(request: &mut Request, number: u64) {
    request.arg(itoa::Buffer::new().format(number).as_bytes());
}
