//! The threaded engine: one OS thread per worker, or workers as resumable state on a rayon pool.

use std::sync::Arc;
use std::thread::JoinHandle;

use common::endpoint::Endpoint;
use common::plan::{self, Claim};
use common::queue::Fetcher;
use common::task::Tasks;
use common::worker::Worker;
use crossbeam_channel::unbounded;
use dyno::clock::now_ns;
use dyno::{Engine, Job};

pub mod connections;
mod driver;
pub mod executor;
mod fetcher;
pub mod intake;
pub mod limits;
mod sync;

use driver::Site;
use executor::Workers;
use intake::Source;
use limits::Permits;

/// All workers of a dyno.
pub struct Threaded {
    workers: Workers,
    /// Where tasks wait in a queue.
    fetcher: Option<JoinHandle<()>>,
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
        let connections = connections::open(&assign.variant, assign.workers, size, endpoint.clone(), &shared)?;
        let tasks = Tasks::new(&assign.settings, assign.seed, assign.rounds_per_us);
        let permits = Permits::new(assign.settings.task.permits.unwrap_or(0));
        let site = Arc::new(Site { permits, shared: Arc::clone(&shared) });
        let worker = |(number, of_dyno)| {
            let worker = Worker::new(number, tasks.clone());
            shared.queue.iter().fold(worker, |worker, queue| worker.at_queue(Arc::clone(queue), of_dyno))
        };
        let workers = (assign.first_worker..).zip(0..).map(worker).zip(connections).collect();
        let (done, settled) = unbounded();
        let source = match shared.queue.as_ref().map(|queue| queue.settings().claim) {
            None => Source::Pushed,
            Some(Claim::Fetcher) => Source::Claimed(done),
            Some(Claim::Worker) => Source::Claims,
        };
        let fetcher = match shared.queue.clone() {
            Some(queue) => Some(fetcher::announce(Fetcher::new(queue, assign.workers, now_ns()), endpoint, &shared)?),
            None => None,
        };
        let order = assign.settings.workers.order;
        let (workers, inboxes) = executor::start(&assign.variant, order, &source, workers, &site)?;
        let fetcher = match fetcher {
            Some((fetcher, own)) => Some(fetcher::start(fetcher, own, inboxes, settled, shared)?),
            None => {
                intake::start(dispatch, inboxes, shared)?;
                None
            }
        };
        Ok(Threaded { workers, fetcher })
    }

    fn join(self) {
        self.workers.join();
        // It tells the server what they were last done with.
        if let Some(fetcher) = self.fetcher {
            drop(fetcher.join());
        }
    }
}
