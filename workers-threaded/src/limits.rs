//! Permits of a dyno, for threads: first come, first served, like tokio's.

use std::collections::VecDeque;

use crate::sync::{Arc, Condvar, Mutex, lock, wait};

/// A semaphore that hands a permit that comes back to whoever has waited longest. Nobody who comes later can be faster,
/// so that a thread waits as an async worker would.
pub struct Permits {
    state: Mutex<State>,
}

struct State {
    free: u32,
    /// What wakes those who wait, the first one first.
    waiting: VecDeque<Box<dyn FnOnce() + Send>>,
}

/// A thread that waits.
struct Ticket {
    granted: Mutex<bool>,
    bell: Condvar,
}

impl Permits {
    /// So many, all free.
    #[must_use]
    pub fn new(count: u32) -> Permits {
        Permits { state: Mutex::new(State { free: count, waiting: VecDeque::new() }) }
    }

    /// Takes a permit if one is free. Then nobody waits: one that comes back goes to them first.
    pub fn try_acquire(&self) -> bool {
        let mut state = lock(&self.state);
        let free = state.free > 0;
        state.free -= u32::from(free);
        free
    }

    /// Takes a permit, and calls `woken` once there is one: now, or from whoever gives one back.
    pub fn acquire_then(&self, woken: impl FnOnce() + Send + 'static) {
        let mut state = lock(&self.state);
        if state.free == 0 {
            state.waiting.push_back(Box::new(woken));
            return;
        }
        state.free -= 1;
        drop(state);
        woken();
    }

    /// Waits for a permit.
    pub fn acquire(&self) {
        if self.try_acquire() {
            return;
        }
        let ticket = Arc::new(Ticket { granted: Mutex::new(false), bell: Condvar::new() });
        let granted = Arc::clone(&ticket);
        self.acquire_then(move || {
            *lock(&granted.granted) = true;
            granted.bell.notify_one();
        });
        let mut granted = lock(&ticket.granted);
        while !*granted {
            granted = wait(&ticket.bell, granted);
        }
    }

    /// Gives one back.
    pub fn release(&self) {
        let mut state = lock(&self.state);
        let next = state.waiting.pop_front();
        state.free += u32::from(next.is_none());
        drop(state);
        if let Some(woken) = next {
            woken();
        }
    }
}

/// `make verify`: the interleavings of a few threads; of two all, of three those with at most three preemptions, for all
/// of them would take minutes.
#[cfg(all(test, loom))]
mod model {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicUsize, Ordering};
    use loom::thread;

    use super::Permits;

    /// Never more holders than permits, and everybody gets one in the end.
    fn check(permits: u32, threads: usize, rounds: usize) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = (threads > 2).then_some(3);
        model.check(move || {
            let shared = Arc::new((Permits::new(permits), AtomicUsize::new(0)));
            let work = move |shared: &(Permits, AtomicUsize)| {
                for _ in 0..rounds {
                    shared.0.acquire();
                    let holders = shared.1.fetch_add(1, Ordering::SeqCst) + 1;
                    assert!(holders <= permits as usize, "{holders} hold {permits} permits");
                    shared.1.fetch_sub(1, Ordering::SeqCst);
                    shared.0.release();
                }
            };
            let others: Vec<_> = (1..threads)
                .map(|_| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || work(&shared))
                })
                .collect();
            work(&shared);
            others.into_iter().for_each(|other| other.join().unwrap());
            // All are back.
            (0..permits).for_each(|_| shared.0.acquire());
        });
    }

    #[test]
    fn two_threads_and_one_permit() {
        check(1, 2, 2);
    }

    #[test]
    fn three_threads_and_one_permit() {
        check(1, 3, 1);
    }

    #[test]
    fn three_threads_and_two_permits() {
        check(2, 3, 1);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::Permits;

    /// Who waits longest is next.
    #[test]
    fn first_come_first_served() {
        let permits = Arc::new(Permits::new(1));
        permits.acquire();
        let (say, served) = channel();
        let mut threads = Vec::new();
        for number in 0..5 {
            let (permits, say) = (Arc::clone(&permits), say.clone());
            let waiting = || super::lock(&permits.state).waiting.len();
            let before = waiting();
            threads.push(thread::spawn({
                let permits = Arc::clone(&permits);
                move || {
                    permits.acquire();
                    say.send(number).unwrap();
                    permits.release();
                }
            }));
            while waiting() == before {
                thread::yield_now();
            }
        }
        permits.release();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(served.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_permit_that_nobody_waits_for_stays_free() {
        let permits = Permits::new(2);
        (0..10).for_each(|_| {
            permits.acquire();
            permits.acquire();
            permits.release();
            permits.release();
        });
        assert_eq!(super::lock(&permits.state).free, 2);
    }
}
