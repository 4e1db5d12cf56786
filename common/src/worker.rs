//! The outer loop of a worker as a pure machine: receive, run, settle, again.
//!
//! A driver carries out [`Action`]s and hands back what came of them; it decides nothing. Where tasks are pushed,
//! settling is recording.

use crate::compute::{Digest, Work};
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

/// One sequential executor with at most one task in flight.
#[derive(Debug)]
pub struct Worker {
    /// Number over all dynos: decides the document.
    number: u32,
    tasks: Tasks,
    current: Option<Running>,
}

#[derive(Debug)]
struct Running {
    task: Task,
    record: Record,
    /// When the step that is under way began; of a sleep, when it should end.
    since_ns: u64,
}

impl Worker {
    /// Worker `number`, counted over all dynos.
    #[must_use]
    pub fn new(number: u32, tasks: Tasks) -> Worker {
        Worker { number, tasks, current: None }
    }

    /// The first action.
    pub fn start(&mut self) -> Action {
        Action::Receive
    }

    /// A task, or the end of all tasks, at `now_ns`.
    pub fn received(&mut self, dispatch: Option<Dispatch>, now_ns: u64) -> Action {
        let Some(dispatch) = dispatch else { return Action::Leave };
        let record = Record {
            intended_ns: dispatch.intended_ns,
            sent_ns: dispatch.sent_ns,
            started_ns: now_ns,
            ended_ns: now_ns,
            pool_wait_ns: 0,
            spans_ns: [0; Span::COUNT],
            phase: dispatch.phase,
            outcome: Outcome::Completed,
        };
        let task = self.tasks.task(self.number, dispatch.index);
        self.current = Some(Running { task, record, since_ns: now_ns });
        self.resume(Reply::Start, now_ns)
    }

    /// The replies to [`Action::Redis`].
    pub fn replied(&mut self, span: Span, exchange: Exchange) -> Action {
        if let Some(running) = &mut self.current {
            running.record.pool_wait_ns += exchange.granted_ns.saturating_sub(exchange.asked_ns);
            running.record.spans_ns[span as usize] += exchange.ended_ns.saturating_sub(exchange.granted_ns);
        }
        self.resume(Reply::Redis(exchange.result), exchange.ended_ns)
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
                running.record.ended_ns = now_ns;
                Action::Settle
            }
        }
    }

    /// On [`Action::Settle`]: shows the record of the task, which is over. Not part of the action: every async worker would
    /// have room for it twice.
    pub fn settle(&mut self, show: impl FnOnce(&Record)) -> Action {
        if let Some(running) = self.current.take() {
            show(&running.record);
        }
        Action::Receive
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Exchange, Worker};
    use crate::plan::Plan;
    use crate::recorder::Record;
    use crate::request::RequestError;
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
        assert!(matches!(worker.settle(|record| shown = Some(*record)), Action::Receive));
        shown.unwrap()
    }

    const TASK: Dispatch = Dispatch { intended_ns: 10, sent_ns: 20, index: 0, worker: 0, phase: TaskPhase::Window };

    #[test]
    fn a_null_task_is_received_and_settled() {
        let mut worker = worker("null");
        assert!(matches!(worker.start(), Action::Receive));
        let record = settled(worker.received(Some(TASK), 30), &mut worker);
        assert_eq!((record.intended_ns, record.sent_ns, record.started_ns), (10, 20, 30));
        assert_eq!(record.outcome, Outcome::Completed);
        assert!(matches!(worker.received(None, 40), Action::Leave));
    }

    #[test]
    fn pool_wait_and_spans_are_kept_apart() {
        let mut worker = worker("document");
        let Action::Redis(span, _) = worker.received(Some(TASK), 30) else { panic!("no request") };
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
        assert!(matches!(worker.received(Some(TASK), 30), Action::Acquire(_)));
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
