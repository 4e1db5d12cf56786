//! The threaded engine: one OS thread per worker, fed through a channel.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::Context;
use common::endpoint::Endpoint;
use common::plan;
use common::task::Tasks;
use common::worker::Worker;
use dyno::{Engine, Job};

mod connections;
mod driver;
mod intake;
mod limits;

use driver::Site;
use limits::Permits;

/// Stack of a worker thread. A document task uses under 32 KiB of it (measured); the kernel commits what is touched.
const STACK_BYTES: usize = 256 * 1024;

/// All workers of a dyno.
pub struct Threaded {
    workers: Vec<JoinHandle<()>>,
}

impl Engine for Threaded {
    const ENGINE: plan::Engine = plan::Engine::Threaded;

    fn build() -> String {
        let allocator = if cfg!(feature = "mimalloc") { "mimalloc" } else { "system" };
        format!(
            "workers-threaded {}, allocator {allocator}, r2d2, redis-rs, crossbeam-channel",
            env!("CARGO_PKG_VERSION")
        )
    }

    fn start(job: Job) -> anyhow::Result<Threaded> {
        let Job { assign, dispatch, shared } = job;
        let endpoint = Endpoint::new(&assign.redis_url, &assign.settings.redis)?;
        let size = assign.variant.connections_per_dyno(assign.workers);
        let connections = connections::open(&assign.variant, assign.workers, size, endpoint, &shared)?;
        let tasks = Tasks::new(&assign.settings, assign.seed, assign.rounds_per_us);
        let permits = Permits::new(assign.settings.task.permits.unwrap_or(0));
        let site = Arc::new(Site { permits, shared: Arc::clone(&shared) });
        let (senders, inboxes) = intake::inboxes(assign.workers, assign.settings.workers.order, &shared);
        let mut workers = Vec::with_capacity(assign.workers as usize);
        for (inbox, connections) in inboxes.into_iter().zip(connections) {
            let number = inbox.worker;
            let worker = Worker::new(assign.first_worker + number, tasks.clone());
            let site = Arc::clone(&site);
            let thread = thread::Builder::new()
                .name(format!("worker-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || driver::drive(worker, inbox, connections, site))
                .with_context(|| format!("no thread for worker {number} of {}", assign.workers))?;
            workers.push(thread);
        }
        intake::start(dispatch, senders, shared)?;
        Ok(Threaded { workers })
    }

    fn join(self) {
        for worker in self.workers {
            // It does not panic: that ends the process.
            drop(worker.join());
        }
    }
}
