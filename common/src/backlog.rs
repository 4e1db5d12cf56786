//! Tasks that wait at a worker: the order in which it takes them, and the rule that ends a run.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::plan::Order;
use crate::wire::Dispatch;

/// The tasks that one worker holds and has not begun.
#[derive(Debug)]
pub struct Backlog {
    order: Order,
    waiting: VecDeque<Dispatch>,
}

impl Backlog {
    /// Empty, with room for one task: most workers never have more waiting.
    #[must_use]
    pub fn new(order: Order) -> Backlog {
        Backlog { order, waiting: VecDeque::with_capacity(1) }
    }

    /// Adds the newest.
    pub fn push(&mut self, task: Dispatch) {
        self.waiting.push_back(task);
    }

    /// Takes the next: the oldest (fifo) or the newest (lifo).
    pub fn take(&mut self) -> Option<Dispatch> {
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
    use crate::wire::{Dispatch, TaskPhase};

    fn task(index: u64) -> Dispatch {
        Dispatch { intended_ns: 0, sent_ns: 0, index, worker: 0, phase: TaskPhase::Window }
    }

    #[test]
    fn fifo_takes_the_oldest_and_lifo_the_newest() {
        for (order, expected) in [(Order::Fifo, [1, 2, 3]), (Order::Lifo, [3, 2, 1])] {
            let mut backlog = Backlog::new(order);
            (1..=3).for_each(|index| backlog.push(task(index)));
            let taken: Vec<u64> = std::iter::from_fn(|| backlog.take()).map(|task| task.index).collect();
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
