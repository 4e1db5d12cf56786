//! What a dyno says to its queue, and how it reads the replies.

use super::{Entry, FIELD, Fate, GROUP, Held, QueueCounters, QueueTotals, SETTLE, Settled, UPKEEP, args, name, number};
use crate::keys::{self, Inline, Key};
use crate::plan::{self, QueueKind};
use crate::request::Request;
use crate::resp::{Value, Values};
use crate::step::Outcome;

mod settle;

/// What a dyno says to its queue, and how it reads the replies.
#[derive(Debug)]
pub struct Protocol {
    settings: plan::Queue,
    /// Its name among those who claim.
    consumer: String,
    settle_sha: String,
    upkeep_sha: String,
    /// What was seen.
    pub counters: QueueCounters,
}

/// What a dyno has put back because it was due or held too long, given up, found to be no task, and found to be needless: all of it, so that
/// nothing is missing when an answer is lost.
pub type Upkept = [u64; 5];

/// One claimed thing, and for whom: the place among the workers that were asked for.
pub type Brought = (usize, Result<Box<Entry>, Held>);

impl Protocol {
    /// For the dyno that claims as `consumer`.
    #[must_use]
    pub fn new(settings: plan::Queue, consumer: String) -> Protocol {
        let sha = |script| redis::Script::new(script).get_hash().to_owned();
        let counters = QueueCounters::default();
        Protocol { settings, consumer, settle_sha: sha(SETTLE), upkeep_sha: sha(UPKEEP), counters }
    }

    /// The plan's.
    #[must_use]
    pub fn settings(&self) -> &plan::Queue {
        &self.settings
    }

    fn held_by(&self, worker: u32) -> Key {
        keys::queue_held(&self.consumer, worker)
    }

    /// Claims `count` tasks; out of a list for `workers`, each one (numbers in the dyno). With `wait_ms` the server answers when there
    /// is one, or after that time.
    #[must_use]
    pub fn claim(&self, request: Request, count: usize, workers: &[u32], wait_ms: Option<u64>) -> Request {
        match self.settings.kind {
            QueueKind::Stream => self.read_group(request, count, wait_ms),
            QueueKind::List => self.move_each(request, workers, wait_ms),
        }
    }

    fn read_group(&self, mut request: Request, count: usize, wait_ms: Option<u64>) -> Request {
        request.open("XREADGROUP", if wait_ms.is_some() { 10 } else { 8 });
        args(&mut request, &[b"GROUP", GROUP.as_bytes(), self.consumer.as_bytes(), b"COUNT"]);
        number(&mut request, count as u64);
        if let Some(wait_ms) = wait_ms {
            request.arg(b"BLOCK");
            // 0 would be for ever.
            number(&mut request, wait_ms.max(1));
        }
        args(&mut request, &[b"STREAMS", keys::QUEUE, b">"]);
        request
    }

    fn move_each(&self, mut request: Request, workers: &[u32], wait_ms: Option<u64>) -> Request {
        for (place, &worker) in workers.iter().enumerate() {
            let wait_ms = wait_ms.filter(|_| place == 0);
            request.open(if wait_ms.is_some() { "BLMOVE" } else { "LMOVE" }, if wait_ms.is_some() { 5 } else { 4 });
            args(&mut request, &[keys::QUEUE, &self.held_by(worker), b"RIGHT", b"LEFT"]);
            if let Some(wait_ms) = wait_ms {
                request.arg(format!("{:.3}", wait_ms.max(1) as f64 / 1e3).as_bytes());
            }
        }
        request
    }

    /// Reads the replies to a claim for so many workers off `values`, and counts what they brought.
    pub fn brought(&self, values: &mut Values<'_>, workers: usize) -> Vec<Brought> {
        let mut brought = Vec::new();
        match self.settings.kind {
            QueueKind::Stream => {
                // [[key, [[id, [field, value, ...]], ...]]], or nil.
                let Some(Value::Array(mut streams)) = values.next() else { return self.count(brought) };
                let Some(Value::Array(mut stream)) = streams.next() else { return self.count(brought) };
                let Some(Value::Array(entries)) = stream.nth(1) else { return self.count(brought) };
                brought.extend(entries.filter_map(|entry| stream_entry(&entry)).enumerate());
            }
            QueueKind::List => {
                for place in 0..workers {
                    if let Some(Value::Bulk(bytes)) = values.next() {
                        brought.push((place, of_held(Held { id: None, bytes: bytes.into() })));
                    }
                }
            }
        }
        self.count(brought)
    }

    fn count(&self, brought: Vec<Brought>) -> Vec<Brought> {
        let claimed = brought.len() as u64;
        let empty_claims = u64::from(claimed == 0);
        self.counters.add(&QueueTotals { claims: 1, empty_claims, claimed, ..QueueTotals::default() });
        brought
    }

    /// What `worker` holds already: a list's worker whose claim was not answered cannot know.
    #[must_use]
    pub fn look_at_held(&self, worker: u32) -> Option<Request> {
        let list = self.settings.kind == QueueKind::List;
        list.then(|| Request::new().command("LRANGE", [&*self.held_by(worker), b"0", b"0"]))
    }

    /// The reply to [`Protocol::look_at_held`].
    #[must_use]
    pub fn found(&self, values: &mut Values<'_>) -> Option<Result<Box<Entry>, Held>> {
        let Some(Value::Array(mut elements)) = values.next() else { return None };
        let Some(Value::Bulk(bytes)) = elements.next() else { return None };
        // It was claimed, too, unseen.
        self.counters.add(&QueueTotals { claimed: 1, ..QueueTotals::default() });
        Some(of_held(Held { id: None, bytes: bytes.into() }))
    }

    /// Appends what puts back whatever stands with `workers`: once for each time that one of them is named.
    #[must_use]
    pub fn give_back(&self, mut request: Request, workers: &[u32]) -> Request {
        for &worker in workers {
            request = request.command("LMOVE", [&*self.held_by(worker), keys::QUEUE, b"RIGHT", b"RIGHT"]);
        }
        request
    }

    /// Reads the replies to [`Protocol::give_back`] for so many workers off `values`, and counts what came back.
    pub fn given_back(&self, values: &mut Values<'_>, workers: usize) {
        let back = (0..workers).filter(|_| matches!(values.next(), Some(Value::Bulk(_)))).count() as u64;
        // They were claimed, too, unseen.
        self.counters.add(&QueueTotals {
            claimed: back,
            redeliveries: back,
            given_back: back,
            ..QueueTotals::default()
        });
    }

    /// An entry that is no task ends like this at `worker`.
    #[must_use]
    pub fn foreign(&self, worker: u32, held: Held) -> Settled {
        self.counters.add(&QueueTotals { foreign: 1, ..QueueTotals::default() });
        let (outcome, fate) = (Outcome::Rejected, Fate::Dead("no task"));
        Settled { worker, index: None, attempts: 0, in_window: false, outcome, told: false, held, fate }
    }

    /// Appends what is due now and then, for a dyno of so many workers; `all`: also what takes longer.
    #[must_use]
    pub fn upkeep_into(&self, mut request: Request, workers: u32, all: bool) -> Request {
        let keys = [
            keys::QUEUE,
            keys::QUEUE_DELAYED,
            keys::QUEUE_DEAD,
            keys::QUEUE_UPKEEP,
            keys::QUEUE_CONSUMERS,
            keys::QUEUE_RESULTS,
        ];
        request.open("EVALSHA", 2 + keys.len() + 6);
        request.arg(self.upkeep_sha.as_bytes());
        number(&mut request, keys.len() as u64);
        args(&mut request, &keys);
        request.arg(name(self.settings.kind));
        request.arg(self.consumer.as_bytes());
        number(&mut request, self.visibility_ms());
        number(&mut request, u64::from(self.settings.attempts_max));
        request.arg(if all { b"all" } else { b"due" });
        number(&mut request, u64::from(workers));
        request
    }

    /// Reads the reply to [`Protocol::upkeep_into`] off `values`, and counts what was done since `before`, the last such reply. Returns
    /// whether there is more to do.
    pub fn upkept(&self, values: &mut Values<'_>, before: &mut Upkept) -> bool {
        let Some(Value::Array(mut done)) = values.next() else { return false };
        let mut integer = || match done.next() {
            Some(Value::Int(integer)) => u64::try_from(integer).unwrap_or(0),
            _ => 0,
        };
        let now: Upkept = std::array::from_fn(|_| integer());
        let more = integer() > 0;
        let since: Upkept = std::array::from_fn(|at| now[at].saturating_sub(before[at]));
        *before = now;
        let [due_again, redeliveries, given_up, foreign_given_up, needless] = since;
        self.counters.add(&QueueTotals {
            due_again,
            redeliveries,
            given_up,
            foreign_given_up,
            needless,
            ..QueueTotals::default()
        });
        more
    }

    /// Milliseconds, at least one.
    #[must_use]
    pub fn visibility_ms(&self) -> u64 {
        ((self.settings.visibility_timeout_s * 1e3).round() as u64).max(1)
    }
}

fn of_held(held: Held) -> Result<Box<Entry>, Held> {
    Entry::new(held).map(Box::new)
}

/// `[id, [field, value, ...]]`. An entry of other fields is no task, and keeps its first value. One whose fields are nil was cut off
/// meanwhile.
fn stream_entry(entry: &Value<'_>) -> Option<Result<Box<Entry>, Held>> {
    let Value::Array(entry) = entry else { return None };
    let mut entry = entry.clone();
    let Some(Value::Bulk(id)) = entry.next() else { return None };
    let Some(Value::Array(mut fields)) = entry.next() else { return None };
    let (name, value) = (fields.next(), fields.next());
    let (Some(Value::Bulk(name)), Some(Value::Bulk(value))) = (name, value) else { return None };
    let held = Held { id: Some(Inline::of(&[id])), bytes: value.into() };
    Some(if name == FIELD && fields.left() == 0 { of_held(held) } else { Err(held) })
}
