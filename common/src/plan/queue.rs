//! `[queue]`: tasks wait in Redis, and workers claim them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::validate::positive;
use super::{Checkout, Connections, Executor, PlanError, Settings, TaskKind, Variant};
use crate::queue::WAIT_MS_MAX;

/// What holds the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QueueKind {
    /// A stream with a consumer group: the server knows who holds an entry, and for how long.
    Stream,
    /// A list, and one more for every worker: what a worker holds stands there.
    List,
}

/// Who claims tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// One connection of the dyno, never out of the pool, as many tasks at once as there is room for at its workers.
    Fetcher,
    /// Every worker for itself, on the connection that it has for its tasks.
    Worker,
}

/// `[queue]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// What holds the tasks.
    pub kind: QueueKind,
    /// Who claims them.
    pub claim: Claim,
    /// Fetcher: tasks that wait in the dyno besides those that its workers are at.
    pub prefetch: u32,
    /// Fetcher: most tasks in one claim.
    pub claim_max: u32,
    /// What is done goes back to the server with the next claim, in one round trip. Otherwise every worker says so itself, on the
    /// connection that it has for its tasks, before it takes the next.
    pub settle_with_claim: bool,
    /// Worker: pause after a claim that brought nothing; none: the claim itself waits, on a connection of the worker's own.
    pub poll_ms: Option<f64>,
    /// Tasks that go to the server together at most.
    pub batch_max: u32,
    /// How long the first of them waits for the others at most.
    pub batch_delay_ms: f64,
    /// A task that is claimed and not settled for so long is claimed once more.
    pub visibility_timeout_s: f64,
    /// How often a task is tried before it is kept among the dead.
    pub attempts_max: u32,
    /// From the first failed attempt to the second; it doubles with each further one.
    pub backoff_ms: f64,
    /// Whether every result is kept in the server, exactly once, and looked through after the run.
    pub record_results: bool,
}

impl Default for Queue {
    fn default() -> Self {
        Queue {
            kind: QueueKind::Stream,
            claim: Claim::Fetcher,
            prefetch: 0,
            claim_max: 1000,
            settle_with_claim: true,
            poll_ms: None,
            batch_max: 100,
            batch_delay_ms: 50.0,
            visibility_timeout_s: 30.0,
            attempts_max: 3,
            backoff_ms: 1000.0,
            record_results: false,
        }
    }
}

/// More than a server takes in one command without a pause that others feel.
const CLAIM_MAX: u32 = 10_000;
const BATCH_MAX: u32 = 100_000;
const PREFETCH_MAX: u32 = 100_000;
/// The upkeep counts attempts in one byte.
const ATTEMPTS_MAX: u32 = 255;

impl Queue {
    /// Tasks that a dyno of so many workers has room for, claimed and not settled: one for each, and what its fetcher claims ahead.
    #[must_use]
    pub fn room(&self, workers: u32) -> u32 {
        workers + self.prefetch
    }

    /// The pause after a failed attempt, milliseconds: twice as long each time. `attempts`: that failed before it.
    #[must_use]
    pub fn pause_ms(&self, attempts: u32) -> f64 {
        // Beyond a million times the first pause nobody waits.
        self.backoff_ms * f64::from(1 << attempts.min(20))
    }

    fn validate(&self) -> Result<(), PlanError> {
        let within = |key: &str, value: u32, least: u32, most: u32, of: &str| match value {
            _ if (least..=most).contains(&value) => Ok(()),
            _ => Err(PlanError::value(key, value, format!("{least} to {most} {of}"))),
        };
        within("queue.prefetch", self.prefetch, 0, PREFETCH_MAX, "tasks")?;
        within("queue.claim_max", self.claim_max, 1, CLAIM_MAX, "tasks")?;
        within("queue.batch_max", self.batch_max, 1, BATCH_MAX, "tasks")?;
        within("queue.attempts_max", self.attempts_max, 1, ATTEMPTS_MAX, "attempts")?;
        positive("queue.visibility_timeout_s", self.visibility_timeout_s, 86_400.0, "seconds")?;
        positive("queue.backoff_ms", self.backoff_ms, 3_600_000.0, "milliseconds")?;
        if !(0.0..=60_000.0).contains(&self.batch_delay_ms) {
            return Err(PlanError::value("queue.batch_delay_ms", self.batch_delay_ms, "milliseconds from 0 to 60000"));
        }
        if let Some(poll_ms) = self.poll_ms {
            positive("queue.poll_ms", poll_ms, 60_000.0, "milliseconds")?;
        }
        let of_fetcher = "queue.claim = \"fetcher\" alone has it: leave it out";
        match self.claim {
            Claim::Worker if self.prefetch > 0 => Err(PlanError::value("queue.prefetch", self.prefetch, of_fetcher)),
            Claim::Fetcher if self.poll_ms.is_some() => {
                let expected =
                    "a fetcher waits at the server, and needs no pause: leave it out, or take queue.claim = \"worker\"";
                Err(PlanError::value("queue.poll_ms", self.poll_ms.unwrap_or_default(), expected))
            }
            _ => Ok(()),
        }
    }

    /// Whether every worker tells the server by itself what became of its task, instead of whoever claims for all of them.
    #[must_use]
    pub fn is_settled_by_workers(&self) -> bool {
        self.claim == Claim::Worker || !self.settle_with_claim
    }

    /// Whether workers of `variant` may claim like this.
    pub(super) fn admit(&self, variant: &Variant) -> Result<(), PlanError> {
        let refuse =
            |message: &str| Err(PlanError::Variant { name: variant.name.clone(), message: message.to_owned() });
        match (self.claim, variant.connections, self.poll_ms) {
            (Claim::Fetcher, ..) => Ok(()),
            (Claim::Worker, ..) if variant.executor == Executor::Rayon => refuse(
                "executor = \"rayon\" with queue.claim = \"worker\" would block every thread of the pool with workers that wait \
                 for a task; \"fetcher\" would do",
            ),
            (Claim::Worker, ..) if variant.checkout == Some(Checkout::Task) => refuse(
                "checkout = \"task\" with queue.claim = \"worker\": a worker that waits for a task would keep a connection from the \
                 others; \"step\" would do",
            ),
            (Claim::Worker, Connections::Own, None)
            | (Claim::Worker, Connections::Pool | Connections::Shared, Some(_)) => Ok(()),
            (Claim::Worker, Connections::Own, Some(_)) => refuse(
                "connections = \"own\" with queue.poll_ms: such a connection may wait at the server: leave queue.poll_ms out",
            ),
            (Claim::Worker, connections, None) => refuse(&format!(
                "connections = \"{}\" with queue.claim = \"worker\": a claim that waits at the server would keep a connection \
                 from the others; \"own\", or a pause in queue.poll_ms, or queue.claim = \"fetcher\" would do",
                if connections == Connections::Shared { "shared" } else { "pool" }
            )),
        }
    }
}

impl Settings {
    /// How long a task may be held, by the plan, before it is settled, seconds: its own time and that of those before it, which wait in
    /// the dyno for a worker or a permit. `None` where that is within the visibility timeout, or tasks are pushed.
    #[must_use]
    pub fn held_too_long_s(&self) -> Option<f64> {
        // What stands in a list is its dyno's for as long as that lives.
        let queue = self.queue.as_ref().filter(|queue| queue.kind == QueueKind::Stream)?;
        let ahead = queue.room(self.workers.count);
        // What is done waits in the fetcher for the end of its claim, and is then on its way.
        let told_s = if queue.is_settled_by_workers() { 0.0 } else { WAIT_MS_MAX as f64 / 1e3 };
        let held_s = self.task.least_s() * f64::from(ahead.div_ceil(self.at_once().max(1))) + told_s;
        (held_s >= queue.visibility_timeout_s).then_some(held_s)
    }

    /// From the first attempt of a task that always fails to its last, by the plan, seconds. `None` where nothing is tried again.
    #[must_use]
    pub fn retried_s(&self) -> Option<f64> {
        let queue = self.queue.as_ref().filter(|queue| self.task.fail_share > 0.0 && queue.attempts_max > 1)?;
        Some((0..queue.attempts_max - 1).map(|attempts| queue.pause_ms(attempts)).sum::<f64>() / 1e3)
    }
}

impl TaskKind {
    /// Whether its tasks make sense in a queue alone.
    pub(super) fn is_always_queued(self) -> bool {
        matches!(self, TaskKind::Job | TaskKind::Order)
    }

    /// Whether its tasks belong to a worker, each to its own.
    fn is_always_pushed(self) -> bool {
        matches!(self, TaskKind::Document | TaskKind::Replay)
    }
}

/// So many words of a list's dyno may be late before it is taken for dead.
const LEASE_WORDS: f64 = 5.0;

impl Settings {
    /// The shortest time after which a list's dyno may be taken for dead, seconds. Between two words that it lives are a claim that
    /// waits and the way to the server and back.
    fn lease_s_min(&self) -> f64 {
        LEASE_WORDS * (WAIT_MS_MAX as f64 / 1e3 + self.redis.distance_s_max())
    }

    /// `[queue]` beside the others.
    pub(super) fn validate_queue(&self) -> Result<(), PlanError> {
        let kind = self.task.kind;
        match &self.queue {
            Some(_) if kind.is_always_pushed() => Err(PlanError::Key {
                key: "queue".to_owned(),
                message: format!("a {} belongs to its worker and is pushed to it: leave [queue] out", kind.name()),
            }),
            Some(_) if self.redis.response_timeout_s * 1e3 < 2.0 * WAIT_MS_MAX as f64 => {
                let expected =
                    format!("a claim waits at the server for up to {WAIT_MS_MAX} ms: at least twice as long");
                Err(PlanError::value("redis.response_timeout_s", self.redis.response_timeout_s, expected))
            }
            Some(queue) if queue.batch_delay_ms > self.load.drain_s * 1e3 => Err(PlanError::value(
                "queue.batch_delay_ms",
                queue.batch_delay_ms,
                format!(
                    "the last batch would be due when nobody waits for it any more: at most load.drain_s, {} s",
                    self.load.drain_s
                ),
            )),
            Some(queue) if queue.kind == QueueKind::List && queue.visibility_timeout_s < self.lease_s_min() => {
                let expected = format!(
                    "a list's dyno says ten times a second that it lives, and must not seem dead for a pause of its own: at least \
                     {:.3} seconds, or queue.kind = \"stream\"",
                    self.lease_s_min()
                );
                Err(PlanError::value("queue.visibility_timeout_s", queue.visibility_timeout_s, expected))
            }
            Some(queue) => queue.validate(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Queue, QueueKind};
    use crate::plan::{Plan, PlanError, Settings};

    fn parse(task: &str, queue: &str, variant: &str) -> Result<Settings, PlanError> {
        let text = format!(
            "name = \"t\"\n[task]\n{task}\n[load]\nrate_per_s = 10\nduration_s = 1\n[workers]\ncount = 2\n{queue}\n\
             [[variant]]\nname = \"a\"\nengine = \"threaded\"\n{variant}\n"
        );
        Plan::parse(&text, &[]).map(|mut plan| plan.cells.remove(0).settings)
    }

    #[test]
    fn jobs_and_orders_wait_in_a_queue_others_may_and_documents_never() {
        assert_eq!(parse("kind = \"job\"", "", "").unwrap().queue, Some(Queue::default()));
        let order = parse("kind = \"order\"", "", "").unwrap();
        assert_eq!((order.queue, order.task.permits), (Some(Queue::default()), Some(5)));
        assert_eq!(parse("kind = \"null\"", "", "").unwrap().queue, None);
        let queue = parse("kind = \"synthetic\"", "[queue]\nkind = \"list\"\nclaim = \"worker\"\npoll_ms = 2", "");
        let queue = queue.unwrap().queue.unwrap();
        assert_eq!((queue.kind, queue.claim, queue.poll_ms), (QueueKind::List, Claim::Worker, Some(2.0)));
        let refused = parse("kind = \"document\"", "[queue]", "").unwrap_err().to_string();
        assert_eq!(refused, "queue: a document belongs to its worker and is pushed to it: leave [queue] out");
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_key() {
        let refused = |task: &str, queue: &str, variant: &str| parse(task, queue, variant).unwrap_err().to_string();
        for (queue, key) in [
            ("prefetch = 1000001", "queue.prefetch = 1000001: "),
            ("claim_max = 0", "queue.claim_max = 0: "),
            ("batch_max = 0", "queue.batch_max = 0: "),
            ("batch_delay_ms = -1", "queue.batch_delay_ms = -1: "),
            ("attempts_max = 0", "queue.attempts_max = 0: "),
            ("visibility_timeout_s = 0", "queue.visibility_timeout_s = 0: "),
            ("backoff_ms = 0", "queue.backoff_ms = 0: "),
            ("poll_ms = 1", "queue.poll_ms = 1: a fetcher waits"),
            ("claim = \"worker\"\nprefetch = 1", "queue.prefetch = 1: "),
            ("claim = \"nobody\"", "queue.claim = \"nobody\": "),
            ("colour = 1", "queue.colour: unknown key"),
        ] {
            let refusal = refused("kind = \"job\"", &format!("[queue]\n{queue}"), "");
            assert!(refusal.starts_with(key), "{refusal}");
        }
        let worker = "[queue]\nclaim = \"worker\"";
        let refusal = refused("kind = \"job\"", worker, "connections = \"pool\"");
        assert!(refusal.contains("would keep a connection from the others"), "{refusal}");
        let refusal = refused("kind = \"job\"", &format!("{worker}\npoll_ms = 1"), "connections = \"own\"");
        assert!(refusal.contains("leave queue.poll_ms out"), "{refusal}");
        let refusal = refused("kind = \"job\"", worker, "connections = \"own\"\nexecutor = \"rayon\"");
        assert!(refusal.contains("would block every thread of the pool"), "{refusal}");
        let refusal = refused("kind = \"job\"", &format!("{worker}\npoll_ms = 1"), "checkout = \"task\"");
        assert!(refusal.contains("\"step\" would do"), "{refusal}");
        let refusal = refused("kind = \"job\"", "[redis]\nresponse_timeout_s = 0.1", "");
        assert!(refusal.starts_with("redis.response_timeout_s = 0.1: a claim waits"), "{refusal}");
        let list = "[queue]\nkind = \"list\"\nvisibility_timeout_s = 0.4\n";
        let refusal = refused("kind = \"job\"", list, "");
        assert!(
            refusal.starts_with("queue.visibility_timeout_s = 0.4: ") && refusal.contains("at least 0.500"),
            "{refusal}"
        );
        let refusal = refused("kind = \"job\"", &format!("{list}[redis]\nrtt_us = 100000"), "");
        assert!(refusal.contains("at least 1.000"), "{refusal}");
        let refusal = refused("kind = \"job\"", "[queue]\nbatch_delay_ms = 30000", "");
        assert!(refusal.starts_with("queue.batch_delay_ms = 30000: ") && refusal.contains("load.drain_s"), "{refusal}");
        let refusal = refused("kind = \"order\"\npermits = 0", "", "");
        assert!(refusal.starts_with("task.permits = 0: at least 1"), "{refusal}");
        let refusal = refused("kind = \"null\"\nfail_share = 0.1", "", "");
        assert_eq!(refusal, "task.fail_share = 0.1: only task.kind = \"job\" has it: leave it out");
    }

    #[test]
    fn a_task_that_outlives_its_claim_is_known_beforehand() {
        let held = |task: &str, queue: &str| parse(task, &format!("[queue]\n{queue}"), "").unwrap().held_too_long_s();
        let order = "kind = \"order\"\ntime_scale = 1.0";
        assert_eq!(held(order, "visibility_timeout_s = 30"), None);
        assert_eq!(held(order, "visibility_timeout_s = 2"), Some(3.1));
        // A dyno holds what stands in its lists for as long as it lives.
        assert_eq!(held(order, "visibility_timeout_s = 2\nkind = \"list\""), None);
        // Two workers and ten more that wait for them: six rounds.
        assert_eq!(held(order, "visibility_timeout_s = 18\nprefetch = 10"), Some(18.1));
        // One permit.
        assert_eq!(held(&format!("{order}\npermits = 1"), "visibility_timeout_s = 6"), Some(6.1));
        assert_eq!(
            held(
                "kind = \"synthetic\"\nsleep_ms = 500\ncpu_us = 1000",
                "visibility_timeout_s = 0.5\nsettle_with_claim = false"
            ),
            Some(0.501)
        );
        // What is done is told when the claim under way is answered.
        assert_eq!(held("kind = \"job\"", "visibility_timeout_s = 0.001"), Some(0.1));
        assert_eq!(held("kind = \"job\"", "visibility_timeout_s = 0.2"), None);
    }

    #[test]
    fn how_long_a_job_that_fails_is_tried_again_is_known_beforehand() {
        let retried =
            |task: &str, tables: &str| parse(&format!("kind = \"job\"\n{task}"), tables, "").unwrap().retried_s();
        assert_eq!(retried("fail_share = 0.01", ""), Some(3.0));
        assert_eq!(retried("fail_share = 0.01", "[queue]\nbackoff_ms = 500\nattempts_max = 4"), Some(3.5));
        assert_eq!(retried("fail_share = 0.01", "[queue]\nattempts_max = 1"), None);
        assert_eq!(retried("", ""), None);
    }
}
