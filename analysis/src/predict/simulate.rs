//! Tasks, event by event. Pushed ones: every worker has a backlog of its own and takes from it whenever it is free. Those of a queue:
//! whoever is free takes the oldest. Pure.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use common::arrivals::Schedule;
use common::latency::Latency;
use common::plan::{Order, Workers};
use common::random;

/// The wait of every task of `schedule`, nanoseconds, in its order; task i takes `service_ns(i)`.
#[must_use]
pub fn waits(schedule: &Schedule, workers: &Workers, service_ns: impl Fn(usize) -> u64) -> Vec<u64> {
    let mut first = Vec::new();
    let mut all = 0;
    for dyno in 0..workers.dynos {
        first.push(all);
        all += workers.count_of(dyno) as usize;
    }
    let mut queues: Vec<Worker> = (0..all).map(|_| Worker::default()).collect();
    let mut waits = vec![0; schedule.arrivals.len()];
    for (task, arrival) in schedule.arrivals.iter().enumerate() {
        let worker = &mut queues[first[arrival.dyno as usize] + arrival.worker as usize];
        worker.work_until(arrival.intended_ns, workers.order, &service_ns, &mut waits);
        worker.waiting.push_back((task, arrival.intended_ns));
    }
    queues.iter_mut().for_each(|worker| worker.work_until(u64::MAX, workers.order, &service_ns, &mut waits));
    waits
}

/// The wait of every task that comes into a common queue at `instants_ns`, ascending, for one of `servers`; task i takes
/// `service_ns(i)`. First come, first served [Kiefer and Wolfowitz 1955].
#[must_use]
pub fn common_waits(
    instants_ns: impl Iterator<Item = u64>,
    servers: u32,
    service_ns: impl Fn(usize) -> u64,
) -> Vec<u64> {
    // When each is free.
    let mut free_ns: BinaryHeap<Reverse<u64>> = (0..servers.max(1)).map(|_| Reverse(0)).collect();
    let wait = |(task, instant_ns): (usize, u64)| {
        let Reverse(first_ns) = free_ns.pop().unwrap_or(Reverse(0));
        let begin_ns = first_ns.max(instant_ns);
        free_ns.push(Reverse(begin_ns.saturating_add(service_ns(task))));
        begin_ns - instant_ns
    };
    instants_ns.enumerate().map(wait).collect()
}

/// A worker and the tasks that wait at it, with their instants.
#[derive(Default)]
struct Worker {
    free_ns: u64,
    waiting: VecDeque<(usize, u64)>,
}

impl Worker {
    /// Begins all that it can begin before something else arrives at `until_ns`; a task that ends at that very instant ends
    /// first.
    fn work_until(&mut self, until_ns: u64, order: Order, service_ns: impl Fn(usize) -> u64, waits: &mut [u64]) {
        // Free before the oldest came, it has begun that one: nobody else was there.
        while let Some(&(_, oldest_ns)) = self.waiting.front() {
            let begin_ns = self.free_ns.max(oldest_ns);
            if begin_ns > until_ns {
                return;
            }
            let next = match order {
                Order::Fifo => self.waiting.pop_front(),
                Order::Lifo => self.waiting.pop_back(),
            };
            let Some((task, arrived_ns)) = next else { return };
            waits[task] = begin_ns - arrived_ns;
            self.free_ns = begin_ns.saturating_add(service_ns(task));
        }
    }
}

/// Services as they were measured, to be drawn from.
#[derive(Debug, Clone)]
pub struct Services {
    /// Nanoseconds, ascending, each with how many there are up to it.
    steps: Vec<(u64, u64)>,
    n: u64,
    mean_ns: f64,
    cv2: f64,
}

impl Services {
    /// What `recorded` holds; `None` when it is empty, or all of nothing.
    #[must_use]
    pub fn of(recorded: &Latency) -> Option<Services> {
        let histogram = recorded.histogram();
        let mut n = 0;
        let steps = histogram.iter_recorded().map(|step| {
            n += step.count_at_value();
            (histogram.median_equivalent(step.value_iterated_to()), n)
        });
        let steps: Vec<(u64, u64)> = steps.collect();
        let (mean_ns, cv2) = (histogram.mean(), (histogram.stdev() / histogram.mean()).powi(2));
        (mean_ns > 0.0).then_some(Services { steps, n, mean_ns, cv2 })
    }

    /// Mean, nanoseconds.
    #[must_use]
    pub fn mean_ns(&self) -> f64 {
        self.mean_ns
    }

    /// Squared coefficient of variation.
    #[must_use]
    pub fn cv2(&self) -> f64 {
        self.cv2
    }

    /// The service of `task` in the sequence of `seed`, nanoseconds: any recorded one is as likely as any other.
    #[must_use]
    pub fn draw(&self, seed: u64, task: usize) -> u64 {
        let rank = random::below(random::mix(seed, task as u64), self.n);
        let step = self.steps.partition_point(|&(_, up_to)| up_to <= rank);
        self.steps.get(step).map_or(0, |&(value, _)| value)
    }
}

#[cfg(test)]
mod tests {
    use common::arrivals::{Arrival, Schedule};
    use common::latency::Latency;
    use common::plan::{Order, Plan, Workers};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::{Services, common_waits, waits};
    use crate::predict::queue::own_queue_wait;

    fn workers(count: u32, dynos: u32, order: &str) -> Workers {
        let text = format!(
            "name = \"t\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 1\nduration_s = 1\n[workers]\ncount = {count}\n\
             dynos = {dynos}\norder = \"{order}\"\n[[variant]]\nname = \"a\"\nengine = \"async\"\n"
        );
        Plan::parse(&text, &[]).unwrap().cells[0].settings.workers.clone()
    }

    fn schedule(arrivals: Vec<Arrival>) -> Schedule {
        Schedule { arrivals, batch_due_ns: Vec::new(), warmup: 0, window_start_ns: 0, window_end_ns: u64::MAX }
    }

    /// Arrivals with these gaps between them, each at one of `workers`.
    fn with_gaps(tasks: &[(u64, u64)], workers: u32) -> Schedule {
        let mut at_ns = 0;
        let arrivals = tasks.iter().enumerate().map(|(i, &(gap_ns, _))| {
            at_ns += gap_ns;
            Arrival { intended_ns: at_ns, dyno: 0, worker: i as u32 * 7 % workers }
        });
        schedule(arrivals.collect())
    }

    #[test]
    fn two_workers_by_hand() {
        let at = |intended_ns, dyno| Arrival { intended_ns, dyno, worker: 0 };
        // The first worker is at tasks until 10, 15, 20 and 25; the second has one of its own.
        let arrivals = vec![at(0, 0), at(1, 0), at(2, 1), at(3, 0), at(4, 0), at(100, 0)];
        let service = |task| if task == 0 { 10 } else { 5 };
        assert_eq!(waits(&schedule(arrivals.clone()), &workers(1, 2, "fifo"), service), [0, 9, 0, 12, 16, 0]);
        assert_eq!(waits(&schedule(arrivals), &workers(1, 2, "lifo"), service), [0, 19, 0, 12, 6, 0]);
    }

    #[test]
    fn a_task_that_ends_when_another_comes_ends_first() {
        let arrivals = [0, 1, 10].map(|intended_ns| Arrival { intended_ns, dyno: 0, worker: 0 });
        for order in ["fifo", "lifo"] {
            assert_eq!(waits(&schedule(arrivals.to_vec()), &workers(1, 1, order), |_| 10), [0, 9, 10]);
        }
    }

    proptest! {
        /// With one worker that takes the oldest task, waits follow Lindley's recursion (1952): the next wait is this wait
        /// plus this service less the gap, and never negative.
        #[test]
        fn one_fifo_worker_is_lindley(tasks in proptest::collection::vec((0u64..100, 0u64..100), 1..200)) {
            let simulated = waits(&with_gaps(&tasks, 1), &workers(1, 1, "fifo"), |task| tasks[task].1);
            let mut wait = 0;
            for (task, &(gap, _)) in tasks.iter().enumerate() {
                if task > 0 {
                    wait = (wait + tasks[task - 1].1).saturating_sub(gap);
                }
                prop_assert_eq!(simulated[task], wait);
            }
        }

        /// Whoever goes first, a worker is idle at the same instants: with equal services the waits of all together are
        /// the same.
        #[test]
        fn the_order_moves_no_work(tasks in proptest::collection::vec((0u64..100, 0u64..1), 1..200), service in 0u64..300) {
            let schedule = with_gaps(&tasks, 3);
            let sum = |order| waits(&schedule, &workers(3, 1, order), |_| service).iter().sum::<u64>();
            prop_assert_eq!(sum("fifo"), sum("lifo"));
        }

        /// What is drawn was recorded, to three digits.
        #[test]
        fn services_are_recorded_ones(values in proptest::collection::vec(1000u64..1_000_000_000, 1..30), seed: u64) {
            let mut recorded = Latency::new();
            values.iter().for_each(|&value| recorded.record(value));
            let services = Services::of(&recorded).unwrap();
            for task in 0..50 {
                let drawn = services.draw(seed, task) as f64;
                prop_assert!(values.iter().any(|&value| (drawn / value as f64 - 1.0).abs() < 0.001));
            }
        }
    }

    #[test]
    fn nothing_recorded_gives_no_services() {
        assert!(Services::of(&Latency::new()).is_none());
        let mut nothing = Latency::new();
        nothing.record(0);
        assert!(Services::of(&nothing).is_none());
    }

    /// A long simulation is M/G/1: Pollaczek and Khinchine, within what chance allows (fixed seed).
    #[test]
    fn long_simulations_agree_with_the_formula() {
        let text = "name = \"t\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 1000\nduration_s = 200\nwarmup_s = 1\n[workers]\n\
                    count = 4\nchoice = \"random\"\n[[variant]]\nname = \"a\"\nengine = \"async\"\n";
        let settings = &Plan::parse(text, &[]).unwrap().cells[0].settings;
        let schedule = common::arrivals::schedule(settings, 1);
        let mut recorded = Latency::new();
        // Two kinds of tasks: mean 2.8 ms, so that each worker is busy for 0.7 of its time.
        (0..10).for_each(|kind| recorded.record(if kind < 8 { 1_000_000 } else { 10_000_000 }));
        let services = Services::of(&recorded).unwrap();
        let (mean_ns, cv2) = (services.mean_ns(), services.cv2());
        assert!((mean_ns / 2.8e6 - 1.0).abs() < 0.001 && (cv2 / (12.96 / 7.84) - 1.0).abs() < 0.005, "{mean_ns} {cv2}");
        for order in [Order::Fifo, Order::Lifo] {
            let workers = Workers { order, ..settings.workers.clone() };
            let waits = waits(&schedule, &workers, |task| services.draw(7, task));
            let window = &waits[schedule.warmup..];
            let mean = window.iter().sum::<u64>() as f64 / window.len() as f64;
            let theory = own_queue_wait(0.7, mean_ns, 1.0, cv2).unwrap();
            assert!((mean / theory - 1.0).abs() < 0.05, "{order:?}: {mean}, theory {theory}");
        }
    }

    #[test]
    fn whoever_is_free_takes_the_oldest() {
        // Two servers, services of 10: the third waits for the first of them.
        assert_eq!(common_waits([0, 1, 2, 3, 30].into_iter(), 2, |_| 10), [0, 0, 8, 8, 0]);
        assert_eq!(common_waits([0, 0, 0].into_iter(), 1, |task| [5, 7, 1][task]), [0, 5, 12]);
        assert_eq!(common_waits([].into_iter(), 3, |_| 1), [0; 0]);
    }
}
