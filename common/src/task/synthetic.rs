//! The `synthetic` task: round trips, CPU and sleep, each as much as the plan says, and perhaps under a permit.
//!
//! In this order: a permit of the dyno, if there are any; `redis_round_trips` times `SET` of `payload_kb` on the
//! worker's own key; `cpu_us` of CPU; `sleep_ms` of sleep; the permit back. What is 0 is left out. So the ratio of
//! waiting to computing can be anything.

use std::sync::Arc;

use crate::compute::Work;
use crate::keys;
use crate::plan;
use crate::random::{self, Stream};
use crate::request::Request;
use crate::step::{Deadline, Limit, Outcome, Reply, Span, Step};

/// How long a payment takes the original.
pub const PAYMENT_S: f64 = 3.0;

/// What all synthetic tasks of a run share.
#[derive(Debug)]
pub struct SyntheticWork {
    round_trips: u32,
    payload: String,
    rounds: u64,
    sleep_ns: u64,
    limited: bool,
    seed: u64,
}

impl SyntheticWork {
    /// `rounds_per_us`: rounds of [`Work`] that this host does in a microsecond.
    #[must_use]
    pub fn new(task: &plan::Task, seed: u64, rounds_per_us: f64) -> SyntheticWork {
        SyntheticWork {
            round_trips: task.redis_round_trips,
            payload: "x".repeat(task.text_chars()),
            rounds: (task.cpu_us * rounds_per_us).round() as u64,
            sleep_ns: (task.sleep_ms * 1e6).round() as u64,
            limited: task.permits.is_some(),
            seed: random::stream(seed, Stream::Contents),
        }
    }

    /// The `order` task of the flash sale: under one of the dyno's payment permits it waits for the payment, three seconds by the
    /// original's clock, and is over.
    #[must_use]
    pub fn order(task: &plan::Task) -> SyntheticWork {
        let sleep_ms = PAYMENT_S * 1e3 * task.time_scale;
        let order = plan::Task { redis_round_trips: 0, cpu_us: 0.0, sleep_ms, ..task.clone() };
        SyntheticWork::new(&order, 0, 0.0)
    }
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Acquire,
    Exchange(u32),
    Compute,
    Sleep,
    Release,
    Done,
}

/// One synthetic task.
#[derive(Debug)]
pub struct Synthetic {
    work: Arc<SyntheticWork>,
    worker: u32,
    index: u64,
    next: Next,
    /// Holds a permit.
    holding: bool,
    outcome: Outcome,
}

impl Synthetic {
    /// Task `index` at `worker`.
    #[must_use]
    pub fn new(work: Arc<SyntheticWork>, worker: u32, index: u64) -> Synthetic {
        Synthetic { work, worker, index, next: Next::Acquire, holding: false, outcome: Outcome::Completed }
    }

    /// See [`Task::resume`](super::Task::resume).
    pub fn resume(&mut self, reply: Reply) -> Step {
        match reply {
            Reply::Acquired => self.holding = true,
            Reply::Released => self.holding = false,
            // A permit goes back whatever happens.
            Reply::Redis(Err(error)) => (self.outcome, self.next) = (Outcome::Failed(error.failure()), Next::Release),
            Reply::Start | Reply::Redis(Ok(_)) | Reply::Computed(_) | Reply::Slept => {}
        }
        loop {
            if let Some(step) = self.step() {
                return step;
            }
        }
    }

    /// The next step, if there is one of its kind; goes on to the next kind.
    fn step(&mut self) -> Option<Step> {
        let work = &self.work;
        let (next, step) = match self.next {
            Next::Acquire => (Next::Exchange(0), work.limited.then_some(Step::Acquire(Limit::Dyno))),
            Next::Exchange(done) if done < work.round_trips => {
                (Next::Exchange(done + 1), Some(Step::Redis(Span::Exchange, self.set())))
            }
            Next::Exchange(_) => (Next::Compute, None),
            Next::Compute => {
                let burn = Work { seed: random::mix(work.seed, self.index), rounds: work.rounds };
                (Next::Sleep, (work.rounds > 0).then_some(Step::Compute(burn)))
            }
            Next::Sleep => {
                let deadline = Deadline { after_ns: work.sleep_ns };
                (Next::Release, (work.sleep_ns > 0).then_some(Step::Sleep(deadline)))
            }
            Next::Release => (Next::Done, self.holding.then_some(Step::Release)),
            Next::Done => (Next::Done, Some(Step::Done(self.outcome))),
        };
        self.next = next;
        step
    }

    fn set(&self) -> Request {
        Request::new().command("SET", [&*keys::synthetic(self.worker), self.work.payload.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Synthetic, SyntheticWork};
    use crate::compute::Digest;
    use crate::plan::{Task, TaskKind};
    use crate::request::{Replies, RequestError};
    use crate::step::{Failure, Outcome, Reply, Step};

    /// The steps of a task; `fails` says which request gets no answer.
    fn steps(settings: Task, fails: Option<usize>) -> (Vec<String>, Outcome) {
        let work = Arc::new(SyntheticWork::new(&settings, 1, 100.0));
        let mut task = Synthetic::new(work, 3, 5);
        let (mut reply, mut seen, mut requests) = (Reply::Start, Vec::new(), 0);
        loop {
            reply = match task.resume(reply) {
                Step::Redis(span, request) => {
                    seen.push(format!("{} {}", span.name(), request.bytes().len()));
                    requests += 1;
                    Reply::Redis(match fails {
                        Some(number) if number == requests => Err(RequestError::Timeout),
                        _ => Replies::of_tree(vec![redis::Value::Okay]),
                    })
                }
                Step::Compute(work) => {
                    seen.push(format!("compute {}", work.rounds));
                    Reply::Computed(Digest(1))
                }
                Step::Sleep(deadline) => {
                    seen.push(format!("sleep {}", deadline.after_ns));
                    Reply::Slept
                }
                Step::Acquire(_) => {
                    seen.push("acquire".to_owned());
                    Reply::Acquired
                }
                Step::Release => {
                    seen.push("release".to_owned());
                    Reply::Released
                }
                Step::Done(outcome) => return (seen, outcome),
            };
        }
    }

    fn settings() -> Task {
        Task {
            redis_round_trips: 2,
            payload_kb: 0.125,
            cpu_us: 3.0,
            sleep_ms: 0.5,
            permits: Some(4),
            ..Task::of(TaskKind::Synthetic)
        }
    }

    #[test]
    fn everything_in_order_and_nothing_that_is_zero() {
        let all = ["acquire", "exchange 172", "exchange 172", "compute 300", "sleep 500000", "release"];
        assert_eq!(steps(settings(), None), (all.map(str::to_owned).to_vec(), Outcome::Completed));
        let nothing = Task { redis_round_trips: 0, cpu_us: 0.0, sleep_ms: 0.0, permits: None, ..settings() };
        assert_eq!(steps(nothing, None), (vec![], Outcome::Completed));
    }

    #[test]
    fn a_failed_task_gives_its_permit_back() {
        let (seen, outcome) = steps(settings(), Some(1));
        assert_eq!(seen, ["acquire", "exchange 172", "release"]);
        assert_eq!(outcome, Outcome::Failed(Failure::Timeout));
    }
}
