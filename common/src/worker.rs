//! The outer loop of a worker as a pure machine: receive, run, settle, again.
//!
//! A driver carries out [`Action`]s and hands back what came of them; it decides nothing. Where tasks are pushed,
//! settling is recording; where they wait in a queue, the server is told as well.

use std::sync::Arc;

use crate::compute::{Digest, Work};
use crate::plan::Claim;
use crate::queue::{Entry, Fate, Held, Protocol, Settled, WAIT_MS_MAX};
use crate::recorder::Record;
use crate::request::{Replies, Request, RequestError};
use crate::step::{Limit, Outcome, Reply, Span, Step};
use crate::task::{Task, Tasks};
use crate::wire::Dispatch;

/// What a driver must do next.
#[must_use]
#[derive(Debug)]
pub enum Action {
    /// Wait for the next task: [`Worker::received`].
    Receive,
    /// Send, and collect every reply: [`Worker::replied`].
    Redis(Span, Request),
    /// Burn CPU: [`Worker::computed`].
    Compute(Work),
    /// Sleep until this instant, in nanoseconds: [`Worker::slept`].
    Sleep(u64),
    /// Wait for a permit: [`Worker::acquired`].
    Acquire(Limit),
    /// Give it back: [`Worker::released`].
    Release,
    /// Record the task: [`Worker::settle`].
    Settle,
    /// There will be no more tasks: leave.
    Leave,
}

/// A request carried out, with the instants of its parts.
#[derive(Debug)]
pub struct Exchange {
    /// When a connection was asked for.
    pub asked_ns: u64,
    /// When there was one, or none in time.
    pub granted_ns: u64,
    /// When the last reply was there.
    pub ended_ns: u64,
    /// The replies.
    pub result: Result<Replies, RequestError>,
}

/// What a worker is handed.
#[derive(Debug)]
pub enum Handed {
    /// A task that was pushed to it.
    Task(Dispatch),
    /// A task that was claimed for it.
    Entry(Box<Entry>),
    /// Leave to claim one by itself.
    Turn,
}

/// One sequential executor with at most one task in flight.
#[derive(Debug)]
pub struct Worker {
    /// Number over all dynos: decides the document.
    number: u32,
    tasks: Tasks,
    current: Option<Running>,
    desk: Option<Box<Desk>>,
}

#[derive(Debug)]
struct Running {
    task: Task,
    record: Record,
    /// When the step that is under way began; of a sleep, when it should end.
    since_ns: u64,
    /// Where it was claimed.
    entry: Option<Box<Entry>>,
}

/// What a worker has besides where tasks wait in a queue.
#[derive(Debug)]
struct Desk {
    protocol: Arc<Protocol>,
    /// Its number in the dyno.
    worker: u32,
    /// Of a task that has ended for good, until it is shown.
    record: Option<Record>,
    /// What the server is to be told of it, or was.
    settled: Option<Settled>,
    /// How often it was told in vain.
    tries: u32,
    /// Whether the request under way also claims.
    claims: bool,
    /// A claim or a settlement was not answered: it may hold what it does not know of.
    unsure: bool,
    /// Claimed together with what was settled.
    next: Option<Result<Box<Entry>, Held>>,
    /// It brought nothing, and the next one is not before this.
    not_before_ns: Option<u64>,
}

/// How often the server is told at most what became of a task: by then it will be claimed again.
pub(crate) const TRIES_MAX: u32 = 10;
/// Pause after a claim that was refused.
const REFUSED_NS: u64 = 100_000_000;

impl Worker {
    /// Worker `number`, counted over all dynos.
    #[must_use]
    pub fn new(number: u32, tasks: Tasks) -> Worker {
        Worker { number, tasks, current: None, desk: None }
    }

    /// The same, whose tasks wait in a queue; `worker`: its number in the dyno.
    #[must_use]
    pub fn at_queue(self, protocol: Arc<Protocol>, worker: u32) -> Worker {
        let desk = Desk {
            protocol,
            worker,
            record: None,
            settled: None,
            tries: 0,
            claims: false,
            unsure: false,
            next: None,
            not_before_ns: None,
        };
        Worker { desk: Some(Box::new(desk)), ..self }
    }

    /// The first action.
    pub fn start(&mut self) -> Action {
        Action::Receive
    }

    /// A task, leave to claim one, or the end of all tasks, at `now_ns`.
    pub fn received(&mut self, handed: Option<Handed>, now_ns: u64) -> Action {
        match handed {
            None => Action::Leave,
            Some(Handed::Task(dispatch)) => {
                let task = self.tasks.task(self.number, dispatch.index);
                self.begin(task, &dispatch, None, now_ns)
            }
            Some(Handed::Entry(entry)) => self.begin_entry(entry, now_ns),
            Some(Handed::Turn) => {
                let desk = self.desk.as_mut();
                let (next, pause) = desk.map(|desk| (desk.next.take(), desk.not_before_ns.take())).unwrap_or_default();
                match (next, pause) {
                    (Some(brought), _) => self.begin_brought(brought, now_ns),
                    (None, Some(until_ns)) => Action::Sleep(until_ns),
                    (None, None) => self.claim(),
                }
            }
        }
    }

    fn begin(&mut self, task: Task, dispatch: &Dispatch, entry: Option<Box<Entry>>, now_ns: u64) -> Action {
        self.current = Some(Running { task, record: record(dispatch, now_ns), since_ns: now_ns, entry });
        self.resume(Reply::Start, now_ns)
    }

    fn begin_entry(&mut self, entry: Box<Entry>, now_ns: u64) -> Action {
        let dispatch = entry.task;
        match self.tasks.claimed(self.number, dispatch.index, entry.payload()) {
            Ok(task) => self.begin(task, &dispatch, Some(entry), now_ns),
            Err(why) => {
                let rejected = Record { outcome: Outcome::Rejected, ..record(&dispatch, now_ns) };
                self.end(rejected, *entry, Fate::Dead(why))
            }
        }
    }

    /// What a claim brought: a task, or what is none.
    fn begin_brought(&mut self, brought: Result<Box<Entry>, Held>, now_ns: u64) -> Action {
        let held = match brought {
            Ok(entry) => return self.begin_entry(entry, now_ns),
            Err(held) => held,
        };
        let Some(desk) = &mut self.desk else { return Action::Receive };
        desk.settled = Some(desk.protocol.foreign(desk.worker, held));
        self.tell()
    }

    fn claim(&mut self) -> Action {
        let Some(desk) = &mut self.desk else { return Action::Receive };
        let look = if desk.unsure { desk.protocol.look_at_held(desk.worker) } else { None };
        let request = look.unwrap_or_else(|| {
            desk.unsure = false;
            let wait_ms = desk.protocol.settings().poll_ms.is_none().then_some(WAIT_MS_MAX);
            desk.protocol.claim(Request::new(), 1, &[desk.worker], wait_ms)
        });
        Action::Redis(Span::Claim, request)
    }

    /// The replies to [`Action::Redis`].
    pub fn replied(&mut self, span: Span, exchange: Exchange) -> Action {
        match span {
            Span::Claim => return self.claimed(&exchange),
            Span::Settle => return self.told(&exchange),
            _ => {}
        }
        if let Some(running) = &mut self.current {
            running.record.pool_wait_ns += exchange.granted_ns.saturating_sub(exchange.asked_ns);
            running.record.spans_ns[span as usize] += exchange.ended_ns.saturating_sub(exchange.granted_ns);
        }
        self.resume(Reply::Redis(exchange.result), exchange.ended_ns)
    }

    fn claimed(&mut self, exchange: &Exchange) -> Action {
        let Some(desk) = &mut self.desk else { return Action::Receive };
        let Ok(replies) = &exchange.result else {
            desk.unsure = true;
            return Action::Sleep(exchange.ended_ns + REFUSED_NS);
        };
        let mut values = replies.values();
        let brought = if desk.unsure {
            let found = desk.protocol.found(&mut values);
            // There may be more.
            desk.unsure = found.is_some();
            found
        } else {
            desk.protocol.brought(&mut values, 1).pop().map(|(_, brought)| brought)
        };
        match brought {
            Some(brought) => self.begin_brought(brought, exchange.ended_ns),
            // A claim that waited has waited.
            None => match desk.protocol.settings().poll_ms {
                Some(poll_ms) => Action::Sleep(exchange.ended_ns + (poll_ms * 1e6) as u64),
                None => Action::Receive,
            },
        }
    }

    /// What came of [`Action::Compute`].
    pub fn computed(&mut self, digest: Digest, now_ns: u64) -> Action {
        self.took(Span::Compute, now_ns);
        self.resume(Reply::Computed(digest), now_ns)
    }

    /// After [`Action::Sleep`].
    pub fn slept(&mut self, now_ns: u64) -> Action {
        self.took(Span::SleepOvershoot, now_ns);
        self.resume(Reply::Slept, now_ns)
    }

    /// After [`Action::Acquire`].
    pub fn acquired(&mut self, now_ns: u64) -> Action {
        self.took(Span::PermitWait, now_ns);
        self.resume(Reply::Acquired, now_ns)
    }

    /// After [`Action::Release`].
    pub fn released(&mut self, now_ns: u64) -> Action {
        self.resume(Reply::Released, now_ns)
    }

    fn took(&mut self, span: Span, now_ns: u64) {
        if let Some(running) = &mut self.current {
            running.record.spans_ns[span as usize] += now_ns.saturating_sub(running.since_ns);
        }
    }

    fn resume(&mut self, reply: Reply, now_ns: u64) -> Action {
        // Between two tasks: the pause between two claims is over.
        let Some(running) = &mut self.current else { return Action::Receive };
        running.since_ns = now_ns;
        match running.task.resume(reply) {
            Step::Redis(span, request) => Action::Redis(span, request),
            Step::Compute(work) => Action::Compute(work),
            Step::Sleep(deadline) => {
                running.since_ns = now_ns + deadline.after_ns;
                Action::Sleep(running.since_ns)
            }
            Step::Acquire(limit) => Action::Acquire(limit),
            Step::Release => Action::Release,
            Step::Done(outcome) => {
                running.record.outcome = outcome;
                (running.record.ended_ns, running.record.settled_ns) = (now_ns, now_ns);
                match running.entry.take() {
                    None => Action::Settle,
                    Some(entry) => self.done(*entry),
                }
            }
        }
    }

    /// The task that was claimed as `entry` has ended, for now.
    fn done(&mut self, entry: Entry) -> Action {
        let (Some(running), Some(desk)) = (self.current.take(), &self.desk) else { return Action::Settle };
        let fate = match running.record.outcome {
            Outcome::Completed => Fate::Done(running.task.result()),
            Outcome::Rejected => desk.protocol.after_failure(entry.attempts, "the handler said no"),
            Outcome::Failed(_) => desk.protocol.after_failure(entry.attempts, "a request failed"),
        };
        self.end(running.record, entry, fate)
    }

    fn end(&mut self, record: Record, entry: Entry, fate: Fate) -> Action {
        let Some(desk) = &mut self.desk else { return Action::Settle };
        // An attempt that is followed by another is not the task's end.
        desk.record = (!matches!(fate, Fate::Retry(_))).then_some(record);
        desk.settled = Some(entry.settled(desk.worker, record.outcome, fate));
        if desk.protocol.settings().is_settled_by_workers() { self.tell() } else { Action::Settle }
    }

    /// Tells the server what became of the task; claims the next in the same round trip, where that is asked for.
    fn tell(&mut self) -> Action {
        let Some(desk) = &mut self.desk else { return Action::Settle };
        let mut request = desk.protocol.settle(Request::new(), desk.settled.as_slice());
        let settings = desk.protocol.settings();
        let alone = desk.tries > 0 || desk.unsure;
        desk.claims = settings.claim == Claim::Worker && settings.settle_with_claim && !alone;
        if desk.claims {
            request = desk.protocol.claim(request, 1, &[desk.worker], None);
        }
        Action::Redis(Span::Settle, request)
    }

    fn told(&mut self, exchange: &Exchange) -> Action {
        let Some(desk) = &mut self.desk else { return Action::Settle };
        if let Some(record) = &mut desk.record {
            // With the wait for a connection, which is in no other figure.
            record.spans_ns[Span::Settle as usize] += exchange.ended_ns.saturating_sub(exchange.asked_ns);
            record.settled_ns = exchange.ended_ns;
        }
        let claims = std::mem::take(&mut desk.claims);
        match &exchange.result {
            Ok(replies) => {
                let mut values = replies.values();
                desk.protocol.settled(&mut values, desk.settled.as_slice());
                if claims {
                    desk.next = desk.protocol.brought(&mut values, 1).pop().map(|(_, brought)| brought);
                    let poll_ms = desk.protocol.settings().poll_ms.filter(|_| desk.next.is_none());
                    desk.not_before_ns = poll_ms.map(|poll_ms| exchange.ended_ns + (poll_ms * 1e6) as u64);
                }
            }
            Err(error) => {
                desk.unsure |= claims;
                desk.tries += 1;
                // Without a connection nothing was told.
                if *error != RequestError::PoolTimeout {
                    desk.settled.iter_mut().for_each(|settled| settled.told = true);
                }
                if desk.tries < TRIES_MAX {
                    return self.tell();
                }
                desk.tries = 0;
                // Whoever claimed it for this worker tells the server.
                if desk.protocol.settings().claim == Claim::Fetcher {
                    return Action::Settle;
                }
                // It will be claimed again, by somebody, and end then.
                desk.record = None;
                desk.unsure = true;
            }
        }
        desk.tries = 0;
        if let Some(settled) = &mut desk.settled {
            settled.fate = Fate::Let;
        }
        Action::Settle
    }

    /// On [`Action::Settle`]: shows the record of the task, if it has ended for good; not part of the action: every async worker would
    /// have room for it twice. Returns what whoever claimed the task for it must know, and what comes next.
    pub fn settle(&mut self, show: impl FnOnce(&Record)) -> (Option<Settled>, Action) {
        let pushed = self.current.take().map(|running| running.record);
        let claimed = self.desk.as_mut().map(|desk| (desk.record.take(), desk.settled.take()));
        let (record, settled) = claimed.unwrap_or_default();
        if let Some(record) = pushed.or(record) {
            show(&record);
        }
        (settled, Action::Receive)
    }
}

/// Of a task that begins at `now_ns`.
fn record(dispatch: &Dispatch, now_ns: u64) -> Record {
    Record {
        intended_ns: dispatch.intended_ns,
        sent_ns: dispatch.sent_ns,
        started_ns: now_ns,
        ended_ns: now_ns,
        settled_ns: now_ns,
        pool_wait_ns: 0,
        spans_ns: [0; Span::COUNT],
        phase: dispatch.phase,
        outcome: Outcome::Completed,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Action, Exchange, Handed, TRIES_MAX, Worker};
    use crate::plan::{Plan, Queue, QueueKind};
    use crate::queue::{self, Entry, Fate, Protocol, QueueTotals};
    use crate::recorder::Record;
    use crate::request::{Replies, RequestError};
    use crate::step::{Failure, Outcome, Span};
    use crate::task::Tasks;
    use crate::wire::{Dispatch, TaskPhase};

    fn worker(kind: &str) -> Worker {
        let text = format!(
            "name = \"t\"\n[task]\nkind = \"{kind}\"\n[load]\nrate_per_s = 1\nduration_s = 1\n[workers]\ncount = 1\n[[variant]]\nname = \"a\"\nengine = \"async\"\n"
        );
        let settings = Plan::parse(&text, &[]).unwrap().cells.remove(0).settings;
        Worker::new(0, Tasks::new(&settings, 1, 100.0))
    }

    fn settled(action: Action, worker: &mut Worker) -> Record {
        assert!(matches!(action, Action::Settle), "{action:?}");
        let mut shown = None;
        assert!(matches!(worker.settle(|record| shown = Some(*record)), (None, Action::Receive)));
        shown.unwrap()
    }

    const TASK: Dispatch = Dispatch { intended_ns: 10, sent_ns: 20, index: 0, worker: 0, phase: TaskPhase::Window };

    /// A worker at a list, and what it sees there.
    fn at_queue(settle_with_claim: bool) -> (Worker, Arc<Protocol>) {
        let settings = Queue { kind: QueueKind::List, settle_with_claim, ..Queue::default() };
        let protocol = Arc::new(Protocol::new(settings, "0-a".to_owned()));
        (worker("job").at_queue(Arc::clone(&protocol), 0), protocol)
    }

    /// As it comes out of the list.
    fn entry(protocol: &Protocol, payload: &[u8]) -> Box<Entry> {
        let mut bytes = Vec::new();
        queue::encode(&TASK, 0, |entry| entry.extend_from_slice(payload), &mut bytes);
        let replies = Replies::of_tree(vec![redis::Value::BulkString(bytes)]).unwrap();
        protocol.brought(&mut replies.values(), 1).pop().unwrap().1.unwrap()
    }

    const JOB: &[u8] = br#"{"type":"Add","args":{"a":1,"b":2}}"#;

    /// No second attempt can help it.
    #[test]
    fn a_job_that_is_none_is_dead_at_once() {
        let (mut worker, protocol) = at_queue(true);
        for (payload, why) in
            [(b"{".as_slice(), "malformed job"), (br#"{"type":"Power","args":{"a":1,"b":2}}"#, "unknown type of job")]
        {
            let action = worker.received(Some(Handed::Entry(entry(&protocol, payload))), 30);
            assert!(matches!(action, Action::Settle), "{action:?}");
            let mut shown = None;
            let (settled, _) = worker.settle(|record| shown = Some(*record));
            assert_eq!((settled.unwrap().fate, shown.unwrap().outcome), (Fate::Dead(why), Outcome::Rejected));
        }
    }

    /// A worker that tells the server by itself does so until it is answered; then nobody else has to. The time that it takes is part of no
    /// response. In the end it leaves that to whoever claimed the task for it.
    #[test]
    fn a_settlement_without_an_answer_is_told_again() {
        let exchange = |ended_ns: u64, result: Result<Replies, RequestError>| Exchange {
            asked_ns: ended_ns - 10,
            granted_ns: ended_ns - 10,
            ended_ns,
            result,
        };
        for lost in [0, 2, TRIES_MAX] {
            let (mut worker, protocol) = at_queue(false);
            let mut action = worker.received(Some(Handed::Entry(entry(&protocol, JOB))), 30);
            for again in 0..lost {
                assert!(matches!(action, Action::Redis(Span::Settle, _)), "{action:?}");
                let error = RequestError::Disconnected("cut".to_owned());
                action = worker.replied(Span::Settle, exchange(100 * (u64::from(again) + 1), Err(error)));
            }
            if lost < TRIES_MAX {
                assert!(matches!(action, Action::Redis(Span::Settle, _)), "{action:?}");
                let done = Replies::of_tree(vec![redis::Value::Int(1)]);
                action = worker.replied(Span::Settle, exchange(1000, done));
            }
            assert!(matches!(action, Action::Settle), "{action:?}");
            let mut shown = None;
            let (settled, _) = worker.settle(|record| shown = Some(*record));
            let (record, fate) = (shown.unwrap(), settled.unwrap().fate);
            let (told, let_go) = if lost < TRIES_MAX { (lost + 1, 1) } else { (lost, 0) };
            assert_eq!(fate == Fate::Let, lost < TRIES_MAX, "{fate:?}");
            assert_eq!((record.ended_ns, record.outcome), (30, Outcome::Completed));
            assert_eq!(record.spans_ns[Span::Settle as usize], u64::from(told) * 10);
            let seen = QueueTotals { claims: 1, claimed: 1, let_go, ..QueueTotals::default() };
            assert_eq!(protocol.counters.totals(), seen);
        }
    }

    #[test]
    fn a_null_task_is_received_and_settled() {
        let mut worker = worker("null");
        assert!(matches!(worker.start(), Action::Receive));
        let record = settled(worker.received(Some(Handed::Task(TASK)), 30), &mut worker);
        assert_eq!((record.intended_ns, record.sent_ns, record.started_ns), (10, 20, 30));
        assert_eq!(record.outcome, Outcome::Completed);
        assert!(matches!(worker.received(None, 40), Action::Leave));
    }

    #[test]
    fn pool_wait_and_spans_are_kept_apart() {
        let mut worker = worker("document");
        let Action::Redis(span, _) = worker.received(Some(Handed::Task(TASK)), 30) else { panic!("no request") };
        assert_eq!(span, Span::Fetch);
        let exchange = Exchange { asked_ns: 31, granted_ns: 35, ended_ns: 50, result: Err(RequestError::Timeout) };
        let record = settled(worker.replied(span, exchange), &mut worker);
        assert_eq!(record.outcome, Outcome::Failed(Failure::Timeout));
        assert_eq!((record.pool_wait_ns, record.spans_ns[Span::Fetch as usize], record.ended_ns), (4, 15, 50));
    }

    /// Every kind of step, with the instants that become spans: a sleep is until an absolute instant.
    #[test]
    fn a_synthetic_task_goes_through_every_action() {
        let text = "name = \"t\"\n[task]\nkind = \"synthetic\"\ncpu_us = 2\nsleep_ms = 0.001\npermits = 3\n[load]\nrate_per_s = 1\n\
                    duration_s = 1\n[workers]\ncount = 1\n[[variant]]\nname = \"a\"\nengine = \"async\"\n";
        let settings = Plan::parse(text, &[]).unwrap().cells.remove(0).settings;
        let mut worker = Worker::new(0, Tasks::new(&settings, 1, 100.0));
        assert!(matches!(worker.received(Some(Handed::Task(TASK)), 30), Action::Acquire(_)));
        assert!(matches!(worker.acquired(37), Action::Redis(Span::Exchange, _)));
        let result = crate::request::Replies::of_tree(vec![redis::Value::Okay]);
        let exchange = Exchange { asked_ns: 38, granted_ns: 40, ended_ns: 50, result };
        let Action::Compute(work) = worker.replied(Span::Exchange, exchange) else { panic!("no work") };
        assert_eq!(work.rounds, 200);
        let Action::Sleep(until_ns) = worker.computed(work.run(), 60) else { panic!("no sleep") };
        assert_eq!(until_ns, 60 + 1000);
        assert!(matches!(worker.slept(until_ns + 5), Action::Release));
        let record = settled(worker.released(1070), &mut worker);
        let span = |span: Span| record.spans_ns[span as usize];
        assert_eq!((span(Span::PermitWait), span(Span::Exchange), record.pool_wait_ns), (7, 10, 2));
        assert_eq!((span(Span::Compute), span(Span::SleepOvershoot), record.ended_ns), (10, 5, 1070));
    }
}
