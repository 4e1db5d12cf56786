//! Tasks that wait at a worker: the order in which it takes them, and the rule that ends a run.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use crate::plan::Order;

/// A worker and how many tasks wait at it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerBacklog {
    /// From 0.
    pub worker: u32,
    /// Tasks; 0: this is nobody.
    pub waiting: u32,
}

/// The workers at which most tasks wait, most first; fewer of them when at fewer any do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorstBacklogs(pub [WorkerBacklog; WorstBacklogs::COUNT]);

impl WorstBacklogs {
    /// How many are named at most.
    pub const COUNT: usize = 5;

    /// Takes in one more worker, if it is among the worst.
    pub fn add(&mut self, backlog: WorkerBacklog) {
        let place = self.0.iter().position(|other| other.waiting < backlog.waiting);
        if let Some(place) = place {
            self.0[place..].rotate_right(1);
            self.0[place] = backlog;
        }
    }

    /// Those at which any task waits.
    pub fn iter(&self) -> impl Iterator<Item = WorkerBacklog> {
        self.0.iter().copied().filter(|backlog| backlog.waiting > 0)
    }
}

/// The tasks that one worker holds and has not begun.
#[derive(Debug)]
pub struct Backlog<T> {
    order: Order,
    waiting: VecDeque<T>,
}

impl<T> Backlog<T> {
    /// Empty, with room for one task: most workers never have more waiting.
    #[must_use]
    pub fn new(order: Order) -> Backlog<T> {
        Backlog { order, waiting: VecDeque::with_capacity(1) }
    }

    /// Adds the newest. True: nothing was there, so that the worker may be asleep.
    pub fn push(&mut self, task: T) -> bool {
        let first = self.waiting.is_empty();
        self.waiting.push_back(task);
        first
    }

    /// Takes the next: the oldest (fifo) or the newest (lifo).
    pub fn take(&mut self) -> Option<T> {
        match self.order {
            Order::Fifo => self.waiting.pop_front(),
            Order::Lifo => self.waiting.pop_back(),
        }
    }
}

/// How many tasks wait at each worker of a dyno: raised by the intake, lowered by the worker.
#[derive(Debug)]
pub struct Waiting {
    limit: u32,
    now: Vec<AtomicU32>,
    /// Written by the intake alone.
    max: Vec<AtomicU32>,
}

impl Waiting {
    /// Nobody waits; `limit` is the plan's `backlog_max`.
    #[must_use]
    pub fn new(workers: u32, limit: u32) -> Waiting {
        let zeros = || (0..workers).map(|_| AtomicU32::new(0)).collect();
        Waiting { limit, now: zeros(), max: zeros() }
    }

    /// A task arrives at `worker`. It is taken in in any case.
    ///
    /// # Errors
    /// The number already waiting, when that has reached the limit: the worker is overloaded.
    pub fn arrive(&self, worker: u32) -> Result<(), u32> {
        let worker = worker as usize;
        let before = self.now[worker].fetch_add(1, Ordering::Relaxed);
        if before >= self.max[worker].load(Ordering::Relaxed) {
            self.max[worker].store(before + 1, Ordering::Relaxed);
        }
        if before >= self.limit { Err(before) } else { Ok(()) }
    }

    /// `worker` begins a task.
    pub fn begin(&self, worker: u32) {
        self.now[worker as usize].fetch_sub(1, Ordering::Relaxed);
    }

    /// Where most tasks wait now.
    #[must_use]
    pub fn worst(&self) -> WorstBacklogs {
        let mut worst = WorstBacklogs::default();
        for (worker, now) in (0..).zip(&self.now) {
            worst.add(WorkerBacklog { worker, waiting: now.load(Ordering::Relaxed) });
        }
        worst
    }

    /// The most that ever waited at each worker.
    #[must_use]
    pub fn max(&self) -> Vec<u32> {
        self.max.iter().map(|max| max.load(Ordering::Relaxed)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Backlog, Waiting};
    use crate::plan::Order;

    #[test]
    fn the_worst_are_sorted_and_those_without_backlog_are_not_among_them() {
        let waiting = Waiting::new(9, 100);
        for (worker, count) in [(0, 2), (1, 7), (3, 1), (4, 2), (6, 9), (8, 3)] {
            (0..count).for_each(|_| assert_eq!(waiting.arrive(worker), Ok(())));
        }
        let worst = |waiting: &Waiting| waiting.worst().iter().map(|b| (b.worker, b.waiting)).collect::<Vec<_>>();
        assert_eq!(worst(&waiting), [(6, 9), (1, 7), (8, 3), (0, 2), (4, 2)]);
        waiting.begin(0);
        waiting.begin(0);
        assert_eq!(worst(&waiting), [(6, 9), (1, 7), (8, 3), (4, 2), (3, 1)]);
        assert_eq!(worst(&Waiting::new(9, 100)), []);
    }

    #[test]
    fn fifo_takes_the_oldest_and_lifo_the_newest() {
        for (order, expected) in [(Order::Fifo, [1, 2, 3]), (Order::Lifo, [3, 2, 1])] {
            let mut backlog = Backlog::new(order);
            assert_eq!([1, 2, 3].map(|task| backlog.push(task)), [true, false, false]);
            let taken: Vec<u64> = std::iter::from_fn(|| backlog.take()).collect();
            assert_eq!(taken, expected);
        }
    }

    /// The original's rule: a worker that has `limit` waiting when another arrives.
    #[test]
    fn the_limit_trips_on_the_arrival_after_it_is_reached() {
        let waiting = Waiting::new(2, 3);
        assert_eq!([1, 2, 3].map(|_| waiting.arrive(1)), [Ok(()), Ok(()), Ok(())]);
        assert_eq!(waiting.arrive(1), Err(3));
        waiting.begin(1);
        waiting.begin(1);
        assert_eq!(waiting.arrive(1), Ok(()));
        assert_eq!(waiting.max(), [0, 4]);
    }
}
