//! The threaded engine: one OS thread per worker, or workers as resumable state on a rayon pool.

use std::sync::Arc;

use common::endpoint::Endpoint;
use common::plan;
use common::task::Tasks;
use common::worker::Worker;
use dyno::{Engine, Job};

pub mod connections;
mod driver;
pub mod executor;
pub mod intake;
pub mod limits;
mod sync;

use driver::Site;
use executor::Workers;
use limits::Permits;

/// All workers of a dyno.
pub struct Threaded {
    workers: Workers,
}

impl Engine for Threaded {
    const ENGINE: plan::Engine = plan::Engine::Threaded;

    fn build() -> String {
        format!("workers-threaded {}, r2d2, redis-rs, crossbeam-channel, rayon", env!("CARGO_PKG_VERSION"))
    }

    fn start(job: Job) -> anyhow::Result<Threaded> {
        let Job { assign, dispatch, shared } = job;
        let endpoint = Endpoint::new(&assign.redis_url, &assign.settings.redis)?;
        let size = assign.variant.connections_per_dyno(assign.workers);
        let connections = connections::open(&assign.variant, assign.workers, size, endpoint, &shared)?;
        let tasks = Tasks::new(&assign.settings, assign.seed, assign.rounds_per_us);
        let permits = Permits::new(assign.settings.task.permits.unwrap_or(0));
        let site = Arc::new(Site { permits, shared: Arc::clone(&shared) });
        let workers =
            (assign.first_worker..).map(|number| Worker::new(number, tasks.clone())).zip(connections).collect();
        let (workers, inboxes) = executor::start(&assign.variant, assign.settings.workers.order, workers, &site)?;
        intake::start(dispatch, inboxes, shared)?;
        Ok(Threaded { workers })
    }

    fn join(self) {
        self.workers.join();
    }
}
