//! The async engine: one tokio task per worker, fed through a letterbox.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use common::endpoint::Endpoint;
use common::plan;
use common::task::Tasks;
use common::worker::Worker;
use crossbeam_channel::bounded;
use dyno::{Engine, Job};

pub mod connections;
mod driver;
pub mod intake;
pub mod limits;
mod placement;
pub mod runtime;

use driver::Site;
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
        let (senders, inboxes) = intake::inboxes(assign.workers, assign.settings.workers.order, &shared);
        let mut inboxes = VecDeque::from(inboxes);
        let cpus = thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32);
        let total = variant.connections_per_dyno(assign.workers);
        let executor = variant.executor;
        let parts = runtime::parts(executor, cpus, assign.workers, total)?;
        let (say, ready) = bounded(parts.len());
        let mut runtimes = Vec::with_capacity(parts.len());
        // The first runtime has the intake.
        let mut intake = Some((dispatch, senders));
        for (number, part) in parts.into_iter().enumerate() {
            let inboxes: Vec<_> = inboxes.drain(..part.workers as usize).collect();
            let (site, tasks, variant) = (Arc::clone(&site), tasks.clone(), Arc::clone(&variant));
            let (endpoint, intake, say) = (endpoint.clone(), intake.take(), say.clone());
            let first_worker = assign.first_worker;
            let main = async move {
                tokio::spawn(runtime::keep_a_timer(endpoint.response_timeout));
                let open = connections::open(&variant, part.workers, part.connections, endpoint, &site.shared);
                let connections = match open.await {
                    Ok(connections) => connections,
                    Err(error) => {
                        // Nobody listens any more only after another runtime has failed.
                        let _ = say.send(Err(error));
                        return;
                    }
                };
                let mut workers = Vec::with_capacity(inboxes.len());
                for (mut inbox, mut connections) in inboxes.into_iter().zip(connections) {
                    let mut worker = Worker::new(first_worker + inbox.worker, tasks.clone());
                    let site = Arc::clone(&site);
                    // Lent, not given: an async function keeps room for its arguments twice.
                    let drive = async move { driver::drive(&mut worker, &mut inbox, &mut connections, &site).await };
                    workers.push(tokio::spawn(drive));
                }
                let started =
                    intake.map_or(Ok(()), |(socket, senders)| intake::start(socket, senders, Arc::clone(&site.shared)));
                let _ = say.send(started.map_err(anyhow::Error::from));
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
