//! Where CPU work runs: on the runtime's own threads, or somewhere else. Part of the concurrency model.

use std::sync::Arc;

use common::compute::{Digest, Work};
use common::plan::CpuPlacement;
use tokio::sync::oneshot;
use tokio::task;

/// Where.
#[derive(Debug, Clone)]
pub enum Placement {
    /// On the thread that runs the worker: nothing else runs there meanwhile.
    Inline,
    /// On tokio's pool for what blocks.
    SpawnBlocking,
    /// On a pool with one thread per CPU.
    Rayon(Arc<rayon::ThreadPool>),
}

impl Placement {
    /// As the variant says.
    ///
    /// # Errors
    /// No threads left.
    pub fn new(placement: CpuPlacement) -> anyhow::Result<Placement> {
        Ok(match placement {
            CpuPlacement::Inline => Placement::Inline,
            CpuPlacement::SpawnBlocking => Placement::SpawnBlocking,
            CpuPlacement::Rayon => {
                let name = |number| format!("rayon-{number}");
                Placement::Rayon(Arc::new(rayon::ThreadPoolBuilder::new().thread_name(name).build()?))
            }
        })
    }

    /// Burns the CPU there.
    pub async fn compute(&self, work: Work) -> Digest {
        let elsewhere = match self {
            Placement::Inline => return work.run(),
            Placement::SpawnBlocking => task::spawn_blocking(move || work.run()).await.ok(),
            Placement::Rayon(pool) => {
                let (say, done) = oneshot::channel();
                pool.spawn(move || {
                    // A worker that has left no longer listens.
                    let _ = say.send(work.run());
                });
                done.await.ok()
            }
        };
        // Both end without an answer only when the process does.
        elsewhere.unwrap_or(Digest(0))
    }
}

#[cfg(test)]
mod tests {
    use common::compute::Work;
    use common::plan::CpuPlacement;

    use super::Placement;

    #[test]
    fn the_same_work_is_done_everywhere() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let work = Work { seed: 7, rounds: 1000 };
        for placement in [CpuPlacement::Inline, CpuPlacement::SpawnBlocking, CpuPlacement::Rayon] {
            let digest = runtime.block_on(Placement::new(placement).unwrap().compute(work));
            assert_eq!(digest, work.run(), "{placement:?}");
        }
    }
}
