//! What runs the workers: a thread for each of them, or a rayon pool on which they are resumable state.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::Context;
use common::plan::{Executor, Order, Variant};
use common::worker::{Handed, Worker};

use crate::connections::Connections;
use crate::driver::{self, Site};
use crate::intake::{self, Letterboxes, Source};

mod pool;

use pool::{Pool, Slot};

/// All workers of a dyno at work.
pub enum Workers {
    /// A thread each.
    Dedicated(Vec<JoinHandle<()>>),
    /// State on a pool.
    Pool(Pool),
}

/// Where the intake puts tasks. Dropping it tells the workers that there will be no more.
pub enum Inboxes {
    /// Of threads.
    Letterboxes(Letterboxes),
    /// Of workers as state.
    Slots(Vec<Arc<Slot>>),
}

impl Inboxes {
    /// How many workers there are.
    pub fn count(&self) -> usize {
        match self {
            Inboxes::Letterboxes(workers) => workers.count(),
            Inboxes::Slots(workers) => workers.len(),
        }
    }

    /// Hands a task to its worker. One that has left takes no more: its tasks stay unfinished.
    pub fn deliver(&self, worker: u32, task: Handed) {
        if self.put(worker, task) {
            self.wake(worker);
        }
    }

    /// As [`Inboxes::deliver`], but leaves the worker asleep if it is. True: it is to be woken, for nobody was told to before.
    #[must_use]
    pub fn put(&self, worker: u32, task: Handed) -> bool {
        match self {
            Inboxes::Letterboxes(workers) => workers.put(worker, task),
            Inboxes::Slots(workers) => workers[worker as usize].put(task),
        }
    }

    /// Wakes a worker that was left asleep.
    pub fn wake(&self, worker: u32) {
        match self {
            Inboxes::Letterboxes(workers) => workers.wake(worker),
            Inboxes::Slots(workers) => workers[worker as usize].wake(),
        }
    }
}

impl Drop for Inboxes {
    fn drop(&mut self) {
        if let Inboxes::Slots(workers) = self {
            workers.iter().for_each(|worker| worker.close());
        }
    }
}

/// Starts all workers, as the variant says.
///
/// # Errors
/// No threads left, in a sentence.
pub fn start(
    variant: &Variant,
    order: Order,
    source: &Source,
    workers: Vec<(Worker, Connections)>,
    site: &Arc<Site>,
) -> anyhow::Result<(Workers, Inboxes)> {
    let stack_bytes = variant.stack_kib.unwrap_or(0) as usize * 1024;
    if variant.executor == Executor::Rayon {
        let (pool, slots) = Pool::start(variant.pool_threads, stack_bytes, order, source, workers, site)?;
        return Ok((Workers::Pool(pool), Inboxes::Slots(slots)));
    }
    let count = workers.len();
    let (letterboxes, inboxes) = intake::inboxes(count as u32, order, source, &site.shared);
    let mut threads = Vec::with_capacity(count);
    for ((mut worker, mut connections), mut inbox) in workers.into_iter().zip(inboxes) {
        let (number, site) = (inbox.worker, Arc::clone(site));
        let thread = thread::Builder::new()
            .name(format!("worker-{number}"))
            .stack_size(stack_bytes)
            .spawn(move || driver::drive(&mut worker, &mut inbox, &mut connections, &site))
            .with_context(|| format!("no thread for worker {number} of {count}"))?;
        threads.push(thread);
    }
    Ok((Workers::Dedicated(threads), Inboxes::Letterboxes(letterboxes)))
}

impl Workers {
    /// Waits until all have left.
    pub fn join(self) {
        match self {
            Workers::Dedicated(threads) => {
                for thread in threads {
                    // It does not panic: that ends the process.
                    drop(thread.join());
                }
            }
            Workers::Pool(pool) => pool.join(),
        }
    }
}
