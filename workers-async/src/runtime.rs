//! What runs the tasks: tokio's scheduler over all CPUs, or one runtime per CPU, each with its own workers and
//! connections.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::plan::Executor;
use tokio::runtime::{Builder, Runtime};

/// The longest time between two ticks: too long to cost anything.
const TICK_MAX: Duration = Duration::from_millis(500);

/// One runtime and its share of the dyno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its first worker.
    pub first: u32,
    /// How many workers it has.
    pub workers: u32,
    /// How many connections, where the variant says a number.
    pub connections: u32,
}

/// The parts of a dyno of `workers` workers and `connections` connections on `cpus` CPUs, as equal as can be; no part is
/// empty.
///
/// # Errors
/// Fewer connections than parts, in a sentence.
pub fn parts(executor: Executor, cpus: u32, workers: u32, connections: u32) -> anyhow::Result<Vec<Part>> {
    let count = match executor {
        Executor::ThreadPerCore => cpus.min(workers).max(1),
        _ => 1,
    };
    anyhow::ensure!(
        connections >= count,
        "executor = \"thread-per-core\" has {count} runtimes here and pool_size is {connections}: each needs a connection of \
         its own, so at least {count}"
    );
    let share = |total: u32, number: u32| total / count + u32::from(number < total % count);
    let mut first = 0;
    let parts = (0..count).map(|number| {
        let part = Part { first, workers: share(workers, number), connections: share(connections, number) };
        first += part.workers;
        part
    });
    Ok(parts.collect())
}

/// A runtime for one part.
///
/// # Errors
/// The system refuses.
pub fn build(executor: Executor) -> std::io::Result<Runtime> {
    match executor {
        Executor::ThreadPerCore => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread().enable_all().build(),
    }
}

/// Keeps a timer in the runtime, for as long as that runs, that is due before any that a request sets (ADR 21).
///
/// A runtime that gets a timer before all others writes to its own wake-up descriptor, for it may be waiting for longer.
/// Every request has a timeout, so that a runtime with nothing else to wait for did so for every task.
pub async fn keep_a_timer(response_timeout: Duration) {
    let tick = TICK_MAX.min(response_timeout / 2);
    loop {
        tokio::time::sleep(tick).await;
    }
}

/// Runs `main` on the runtime, on a thread of its own: for a runtime without threads that is where its tasks run.
///
/// # Errors
/// No thread left.
pub fn run(
    number: usize,
    runtime: Runtime,
    main: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    thread::Builder::new().name(format!("runtime-{number}")).spawn(move || runtime.block_on(main))
}

#[cfg(test)]
mod tests {
    use common::plan::Executor;

    use super::{Part, parts};

    fn of(executor: Executor, cpus: u32, workers: u32, connections: u32) -> Result<Vec<(u32, u32, u32)>, String> {
        let parts = parts(executor, cpus, workers, connections).map_err(|error| error.to_string())?;
        Ok(parts.into_iter().map(|Part { first, workers, connections }| (first, workers, connections)).collect())
    }

    #[test]
    fn parts_are_as_equal_as_can_be_and_none_is_empty() {
        assert_eq!(of(Executor::MultiThread, 4, 10, 3), Ok(vec![(0, 10, 3)]));
        assert_eq!(of(Executor::ThreadPerCore, 4, 10, 6), Ok(vec![(0, 3, 2), (3, 3, 2), (6, 2, 1), (8, 2, 1)]));
        assert_eq!(of(Executor::ThreadPerCore, 4, 2, 2), Ok(vec![(0, 1, 1), (1, 1, 1)]));
        let refused = of(Executor::ThreadPerCore, 4, 10, 3).unwrap_err();
        assert!(refused.contains("4 runtimes") && refused.contains("pool_size is 3"), "{refused}");
    }
}
