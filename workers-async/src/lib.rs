//! The async engine: one tokio task per worker, fed through a letterbox.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use common::endpoint::Endpoint;
use common::plan::{self, Claim};
use common::queue::Fetcher;
use common::task::Tasks;
use common::worker::Worker;
use crossbeam_channel::bounded;
use dyno::clock::now_ns;
use dyno::{Engine, Job};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

pub mod connections;
mod driver;
mod fetcher;
pub mod intake;
pub mod limits;
mod placement;
pub mod runtime;

use driver::Site;
use intake::Source;
use limits::Permits;
use placement::Placement;

/// All workers of a dyno: a thread for each runtime, which ends with its workers.
pub struct Async {
    runtimes: Vec<JoinHandle<()>>,
}

impl Engine for Async {
    const ENGINE: plan::Engine = plan::Engine::Async;

    fn build() -> String {
        format!("workers-async {}, tokio, redis-rs, bb8, rayon", env!("CARGO_PKG_VERSION"))
    }

    fn start(job: Job) -> anyhow::Result<Async> {
        let Job { assign, dispatch, shared } = job;
        let variant = Arc::new(assign.variant);
        let endpoint = Endpoint::new(&assign.redis_url, &assign.settings.redis)?;
        let tasks = Tasks::new(&assign.settings, assign.seed, assign.rounds_per_us);
        let site = Arc::new(Site {
            placement: Placement::new(variant.cpu_placement.unwrap_or(plan::CpuPlacement::Inline))?,
            permits: Permits::new(assign.settings.task.permits.unwrap_or(0)),
            shared: Arc::clone(&shared),
        });
        let (done, settled) = unbounded_channel();
        let source = match shared.queue.as_ref().map(|queue| queue.settings().claim) {
            None => Source::Pushed,
            Some(Claim::Fetcher) => Source::Claimed(done),
            Some(Claim::Worker) => Source::Claims,
        };
        let order = assign.settings.workers.order;
        let (letterboxes, inboxes) = intake::inboxes(assign.workers, order, &source, &shared);
        let mut inboxes = VecDeque::from(inboxes);
        let cpus = thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32);
        let total = variant.connections_per_dyno(assign.workers);
        let executor = variant.executor;
        let parts = runtime::parts(executor, cpus, assign.workers, total)?;
        let (say, ready) = bounded(parts.len());
        let mut runtimes = Vec::with_capacity(parts.len());
        // The first runtime has the intake, or the fetcher.
        let (announce, announced) = watch::channel(shared.queue.is_none());
        let mut feed = Some((dispatch, settled, letterboxes, announce));
        for (number, part) in parts.into_iter().enumerate() {
            let inboxes: Vec<_> = inboxes.drain(..part.workers as usize).collect();
            let (site, tasks, variant) = (Arc::clone(&site), tasks.clone(), Arc::clone(&variant));
            let (endpoint, feed, say, mut announced) = (endpoint.clone(), feed.take(), say.clone(), announced.clone());
            let (first_worker, workers_of_dyno) = (assign.first_worker, assign.workers);
            let main = async move {
                tokio::spawn(runtime::keep_a_timer(endpoint.response_timeout));
                let shared = &site.shared;
                let open = connections::open(&variant, part.workers, part.connections, endpoint.clone(), shared);
                let connections = match open.await {
                    Ok(connections) => connections,
                    Err(error) => {
                        // Nobody listens any more only after another runtime has failed.
                        let _ = say.send(Err(error));
                        return;
                    }
                };
                let fetcher = match site.shared.queue.clone().filter(|_| feed.is_some()) {
                    Some(queue) => {
                        let fetcher = Fetcher::new(queue, workers_of_dyno, now_ns());
                        match fetcher::announce(fetcher, endpoint, shared).await {
                            Ok(announced) => Some(announced),
                            Err(error) => {
                                let _ = say.send(Err(error));
                                return;
                            }
                        }
                    }
                    None => None,
                };
                if let Some((.., announce)) = feed.as_ref().filter(|_| fetcher.is_some()) {
                    announce.send_replace(true);
                }
                // No worker claims before the server knows whose it is; if it never does, the first runtime has said why.
                if announced.wait_for(|&announced| announced).await.is_err() {
                    return;
                }
                let mut workers = Vec::with_capacity(inboxes.len());
                for (mut inbox, mut connections) in inboxes.into_iter().zip(connections) {
                    let worker = Worker::new(first_worker + inbox.worker, tasks.clone());
                    let mut worker = match &site.shared.queue {
                        Some(queue) => worker.at_queue(Arc::clone(queue), inbox.worker),
                        None => worker,
                    };
                    let site = Arc::clone(&site);
                    // Lent, not given: an async function keeps room for its arguments twice.
                    let drive = async move { driver::drive(&mut worker, &mut inbox, &mut connections, &site).await };
                    workers.push(tokio::spawn(drive));
                }
                let started = match (feed, fetcher) {
                    (None, _) => Ok(()),
                    (Some((socket, _, letterboxes, _)), None) => {
                        intake::start(socket, letterboxes, Arc::clone(shared)).map_err(anyhow::Error::from)
                    }
                    (Some((_, settled, letterboxes, _)), Some((fetcher, own))) => {
                        // The last to be waited for: it tells the server what the workers were last done with.
                        workers.push(fetcher::start(fetcher, own, letterboxes, settled, Arc::clone(shared)));
                        Ok(())
                    }
                };
                let _ = say.send(started);
                for worker in workers {
                    // It does not panic: that ends the process.
                    drop(worker.await);
                }
            };
            runtimes.push(runtime::run(number, runtime::build(executor)?, main)?);
        }
        for _ in 0..runtimes.len() {
            ready.recv()??;
        }
        Ok(Async { runtimes })
    }

    fn join(self) {
        for runtime in self.runtimes {
            drop(runtime.join());
        }
    }
}
