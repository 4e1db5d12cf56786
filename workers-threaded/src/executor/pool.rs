//! Workers as resumable state on a rayon pool: many workers, few threads.
//!
//! A worker is either waiting in its slot, queued on the pool (once), at work on one of its threads, asleep with the
//! timer, or in the queue for a permit. Redis and Compute steps block the thread they are on: that is the model. Sleep
//! and Acquire never do, so that a pool whose workers all wait for a permit still has threads for whoever gives one
//! back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use common::backlog::Backlog;
use common::plan::Order;
use common::queue::Settled;
use common::worker::{Action, Handed, Worker};
use crossbeam_channel::{RecvTimeoutError, Sender, unbounded};
use crossbeam_utils::sync::WaitGroup;
use dyno::clock::now_ns;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::connections::Connections;
use crate::driver::Site;
use crate::intake::Source;

/// The pool, for whoever waits for its end.
pub struct Pool {
    /// One clone lives in every worker's state.
    alive: WaitGroup,
}

/// What the workers of a pool share.
struct Shop {
    threads: ThreadPool,
    timer: Sender<(u64, Box<State>)>,
    site: Arc<Site>,
}

/// A worker's place: its tasks, and its state while it has nothing to do.
pub struct Slot {
    inner: Mutex<Inner>,
    shop: Arc<Shop>,
}

struct Inner {
    backlog: Backlog<Handed>,
    idle: Option<Box<State>>,
    closed: bool,
}

/// A worker between two steps.
struct State {
    number: u32,
    worker: Worker,
    connections: Connections,
    slot: Arc<Slot>,
    /// Who wants to know what it is done with.
    fetcher: Option<Sender<Settled>>,
    _alive: WaitGroup,
}

impl Pool {
    /// Starts the pool's threads and the timer's; every worker waits in its slot. `threads`: as many as there are CPUs
    /// unless the variant says otherwise, with a stack of `stack_bytes` each.
    ///
    /// # Errors
    /// No threads left.
    pub fn start(
        threads: Option<u32>,
        stack_bytes: usize,
        order: Order,
        source: &Source,
        workers: Vec<(Worker, Connections)>,
        site: &Arc<Site>,
    ) -> anyhow::Result<(Pool, Vec<Arc<Slot>>)> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads.map_or(0, |threads| threads as usize))
            .thread_name(|number| format!("rayon-{number}"))
            .stack_size(stack_bytes)
            .build()?;
        let (timer, sleepers) = unbounded();
        let shop = Arc::new(Shop { threads: pool, timer, site: Arc::clone(site) });
        thread::Builder::new().name("timer".into()).spawn(move || keep_time(&sleepers))?;
        let fetcher = match source {
            Source::Claimed(fetcher) => Some(fetcher),
            // A plan in which they claim by themselves is refused: each would block a thread of the pool while it waits.
            Source::Pushed | Source::Claims => None,
        };
        let alive = WaitGroup::new();
        let slots = (0..).zip(workers).map(|(number, (worker, connections))| {
            let inner = Inner { backlog: Backlog::new(order), idle: None, closed: false };
            let slot = Arc::new(Slot { inner: Mutex::new(inner), shop: Arc::clone(&shop) });
            let (of_slot, fetcher) = (Arc::clone(&slot), fetcher.cloned());
            let mut state = State { number, worker, connections, slot: of_slot, fetcher, _alive: alive.clone() };
            // The first action of a worker is to wait for a task.
            let _ = state.worker.start();
            slot.lock().idle = Some(Box::new(state));
            slot
        });
        let slots = slots.collect();
        Ok((Pool { alive }, slots))
    }

    /// Waits until every worker has left.
    pub fn join(self) {
        self.alive.wait();
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What a panicking thread left behind is a process that is about to end.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A task for this worker. True: it is to be woken, for nobody was told to before.
    #[must_use]
    pub fn put(&self, task: Handed) -> bool {
        self.lock().backlog.push(task)
    }

    /// If it is idle it is queued on the pool.
    pub fn wake(&self) {
        let idle = self.lock().idle.take();
        if let Some(state) = idle {
            self.shop.threads.spawn(move || state.go_on(Action::Receive));
        }
    }

    /// There will be no more tasks: an idle worker leaves now, a busy one when it is done.
    pub fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let idle = inner.idle.take();
        drop(inner);
        drop(idle);
    }
}

impl State {
    /// The next task, with the state that it was asked for; without one the state waits in its slot, or leaves.
    fn receive(self: Box<State>) -> Option<(Box<State>, Handed)> {
        let slot = Arc::clone(&self.slot);
        let shared = &slot.shop.site.shared;
        let mut inner = slot.lock();
        if shared.stopping() {
            return None;
        }
        if let Some(task) = inner.backlog.take() {
            drop(inner);
            shared.waiting.begin(self.number);
            return Some((self, task));
        }
        if !inner.closed {
            inner.idle = Some(self);
        }
        None
    }

    /// Carries out what the machine asks for, as the drivers do, until the worker has to wait.
    fn go_on(mut self: Box<State>, mut action: Action) {
        let shop = Arc::clone(&self.slot.shop);
        let site = &shop.site;
        loop {
            action = match action {
                Action::Receive => {
                    let Some((state, task)) = self.receive() else { return };
                    self = state;
                    self.worker.received(Some(task), now_ns())
                }
                Action::Redis(span, request) => {
                    let exchange = self.connections.exchange(request);
                    self.worker.replied(span, exchange)
                }
                Action::Compute(work) => self.worker.computed(work.run(), now_ns()),
                Action::Sleep(until_ns) => {
                    // Its thread lives as long as anybody can sleep.
                    let _ = shop.timer.send((until_ns, self));
                    return;
                }
                Action::Acquire(_) => {
                    if !site.permits.try_acquire() {
                        let threads = Arc::clone(&shop);
                        let woken = move || {
                            threads.threads.spawn(move || {
                                let mut state = self;
                                let action = state.worker.acquired(now_ns());
                                state.go_on(action);
                            })
                        };
                        return site.permits.acquire_then(woken);
                    }
                    self.worker.acquired(now_ns())
                }
                Action::Release => {
                    site.permits.release();
                    self.worker.released(now_ns())
                }
                Action::Settle => {
                    self.connections.release();
                    let (settled, next) = self.worker.settle(|record| site.shared.recorder.settle(self.number, record));
                    if let (Some(fetcher), Some(settled)) = (&self.fetcher, settled) {
                        let _ = fetcher.send(settled);
                    }
                    next
                }
                Action::Leave => return,
            };
        }
    }
}

/// Wakes sleepers at their instants, until nobody can sleep any more.
fn keep_time(sleepers: &crossbeam_channel::Receiver<(u64, Box<State>)>) {
    let mut asleep: BinaryHeap<Reverse<Sleeper>> = BinaryHeap::new();
    let mut number = 0;
    loop {
        let next_ns = asleep.peek().map(|Reverse(sleeper)| sleeper.until_ns);
        let news = match next_ns {
            None => sleepers.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(until_ns) => sleepers.recv_timeout(Duration::from_nanos(until_ns.saturating_sub(now_ns()))),
        };
        match news {
            Ok((until_ns, state)) => {
                number += 1;
                asleep.push(Reverse(Sleeper { until_ns, number, state }));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if asleep.is_empty() => return,
            Err(RecvTimeoutError::Disconnected) => dyno::clock::sleep_until(next_ns.unwrap_or(0)),
        }
        while asleep.peek().is_some_and(|Reverse(sleeper)| sleeper.until_ns <= now_ns()) {
            if let Some(Reverse(Sleeper { mut state, .. })) = asleep.pop() {
                let shop = Arc::clone(&state.slot.shop);
                shop.threads.spawn(move || {
                    let action = state.worker.slept(now_ns());
                    state.go_on(action);
                });
            }
        }
    }
}

/// By instant; of the same instant, who came first.
struct Sleeper {
    until_ns: u64,
    number: u64,
    state: Box<State>,
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Sleeper) -> bool {
        (self.until_ns, self.number) == (other.until_ns, other.number)
    }
}

impl Eq for Sleeper {}

impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Sleeper) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sleeper {
    fn cmp(&self, other: &Sleeper) -> std::cmp::Ordering {
        (self.until_ns, self.number).cmp(&(other.until_ns, other.number))
    }
}
