//! The async engine: one tokio task per worker, fed through a channel.

use std::sync::Arc;

use common::endpoint::Endpoint;
use common::plan;
use common::task::Tasks;
use common::worker::Worker;
use dyno::{Engine, Job};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

mod connections;
mod driver;
mod intake;

/// All workers of a dyno.
pub struct Async {
    runtime: Runtime,
    workers: Vec<JoinHandle<()>>,
}

impl Engine for Async {
    const ENGINE: plan::Engine = plan::Engine::Async;

    fn build() -> String {
        let allocator = if cfg!(feature = "mimalloc") { "mimalloc" } else { "system" };
        format!("workers-async {}, allocator {allocator}, tokio multi-thread, redis-rs, bb8", env!("CARGO_PKG_VERSION"))
    }

    fn start(job: Job) -> anyhow::Result<Async> {
        let Job { assign, dispatch, shared } = job;
        let endpoint = Endpoint::new(&assign.redis_url, &assign.settings.redis)?;
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let workers = runtime.block_on(async {
            let variant = &assign.variant;
            let connections = connections::open(variant, assign.workers, endpoint, &shared).await?;
            let tasks = Tasks::new(&assign.settings, assign.seed);
            let (senders, inboxes) = intake::inboxes(assign.workers, assign.settings.workers.order, &shared);
            let mut workers = Vec::with_capacity(assign.workers as usize);
            for (inbox, connections) in inboxes.into_iter().zip(connections) {
                let worker = Worker::new(assign.first_worker + inbox.worker, tasks.clone());
                let shared = Arc::clone(&shared);
                let task = async move { driver::drive(worker, inbox, connections, &shared).await };
                workers.push(tokio::spawn(task));
            }
            intake::start(dispatch, senders, shared)?;
            anyhow::Ok(workers)
        })?;
        Ok(Async { runtime, workers })
    }

    fn join(self) {
        self.runtime.block_on(async {
            for worker in self.workers {
                // It does not panic: that ends the process.
                drop(worker.await);
            }
        });
    }
}
