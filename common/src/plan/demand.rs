//! What a run will need of the machine, from its settings alone. Comparing it with what there is needs I/O and is
//! loadgen's.

use super::{Allocator, Executor, Settings, TaskKind, Variant};

mod fit;

pub use fit::what_fits;

/// Upper estimates for one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Memory of the server at the end of the run.
    pub redis_bytes: u64,
    /// Memory of all dynos.
    pub dynos_bytes: u64,
    /// Memory of the largest dyno.
    pub dyno_bytes: u64,
    /// Memory of loadgen: what it knows of every task.
    pub loadgen_bytes: u64,
    /// Threads of the largest dyno.
    pub dyno_threads: u64,
    /// Threads of all dynos.
    pub threads: u64,
    /// File descriptors of the largest dyno.
    pub dyno_files: u64,
    /// File descriptors of loadgen.
    pub loadgen_files: u64,
    /// Connections to the server.
    pub redis_connections: u64,
    /// Memory of the delay proxy; 0 without one.
    pub proxy_bytes: u64,
    /// File descriptors of the delay proxy; 0 without one.
    pub proxy_files: u64,
}

impl Demand {
    /// Memory that is needed on this machine; `private`: the server is here too.
    #[must_use]
    pub fn memory_bytes(&self, private: bool) -> u64 {
        self.loadgen_bytes + self.dynos_bytes + self.proxy_bytes + if private { self.redis_bytes } else { 0 }
    }
}

/// Threads of a dyno besides its workers, generously.
const DYNO_THREADS: u64 = 32;
/// Files of a dyno besides its connections to Redis.
const DYNO_FILES: u64 = 32;
/// Its arrival, when it was sent, and that once more by dyno when the backlog is computed.
const LOADGEN_TASK_BYTES: u64 = 16 + 8 + 16;
/// Files of loadgen for each dyno: two connections, one of them twice, and its process.
const FILES_PER_DYNO: u64 = 4;
/// Files of loadgen without dynos, generously.
const LOADGEN_FILES: u64 = 64;
/// Connections of loadgen itself to the server.
const MONITOR_CONNECTIONS: u64 = 8;
/// Of a connection through the delay proxy: both ends.
const PROXY_FILES_PER_CONNECTION: u64 = 2;
/// Files of the delay proxy without connections, generously.
const PROXY_FILES: u64 = 32;
/// A connection through the delay proxy when nothing waits in it.
const PROXY_CONNECTION_BYTES: u64 = 2 * 1024;
/// A flat in a hash of the server: field, value, entries, and the key of its list of mails.
const FLAT_BYTES: u64 = 750;
/// A mail's overhead: an element of a list.
const ELEMENT_BYTES: u64 = 256;
/// A small task in a queue, and its result in a hash.
const QUEUED_BYTES: u64 = 512;
/// A worker thread with the stack and the heap it has touched, while at work: mimalloc gives each a heap of its own.
const THREAD_BYTES: u64 = 512 * 1024;
const THREAD_BYTES_SYSTEM: u64 = 128 * 1024;
/// A worker that is a task, or state on a pool, while at work.
const TASK_BYTES: u64 = 64 * 1024;

/// The demand of a run of `variant` under `settings`.
#[must_use]
pub fn demand(settings: &Settings, variant: &Variant) -> Demand {
    let Settings { task, load, workers, redis, .. } = settings;
    let total = u64::from(workers.total());
    let largest = (0..workers.dynos).map(|dyno| u64::from(workers.count_of(dyno))).max().unwrap_or(0);
    // The fetcher's, whoever claims.
    let besides = u64::from(settings.queue.is_some());
    let of_dyno = |workers: u32| u64::from(variant.connections_per_dyno(workers)) + besides;
    let connections: u64 = (0..workers.dynos).map(|dyno| of_dyno(workers.count_of(dyno))).sum();
    let tasks = load.planned() + load.warmup_planned() + total;
    let redis_bytes = match task.kind {
        TaskKind::Null | TaskKind::Job | TaskKind::Order => 0,
        TaskKind::Synthetic => total * (task.text_chars() as u64 + ELEMENT_BYTES) * 5 / 4,
        TaskKind::Document | TaskKind::Replay => {
            // Allocators round sizes up, by a fourth at worst: a mail of 5 KiB was seen to take 7 400 bytes with its flat.
            let mail = task.text_chars() as u64 * 5 / 4 + ELEMENT_BYTES;
            let flats = u64::from(task.list_max);
            let mails = tasks + if task.prefill { total * flats } else { 0 };
            total * flats * FLAT_BYTES + mails * mail
        }
    };
    // All of them may wait at once, and every result may be kept.
    let queued_bytes = match (&settings.queue, task.kind) {
        (None, _) => 0,
        (Some(_), TaskKind::Null) => tasks * (task.text_chars() as u64 * 5 / 4 + ELEMENT_BYTES),
        (Some(_), _) => tasks * QUEUED_BYTES,
    };
    // At work, a document is there as it came, typed, and as it goes; all workers may be at work.
    let document_bytes = match task.kind {
        TaskKind::Synthetic | TaskKind::Job | TaskKind::Order | TaskKind::Null => 0,
        TaskKind::Document | TaskKind::Replay => u64::from(task.list_max) * 1024,
    };
    let (dyno_threads, threads, worker_bytes) = match variant.executor {
        Executor::Dedicated => match variant.allocator {
            Allocator::Mimalloc => (largest, total, THREAD_BYTES),
            Allocator::System => (largest, total, THREAD_BYTES_SYSTEM),
        },
        Executor::Rayon => {
            (u64::from(variant.pool_threads.unwrap_or(0)), u64::from(variant.pool_threads.unwrap_or(0)), TASK_BYTES)
        }
        Executor::MultiThread | Executor::ThreadPerCore => (0, 0, TASK_BYTES),
    };
    // What waits in the proxy: of every connection one request or its replies.
    let message_bytes = task.text_chars() as u64 + document_bytes;
    let (proxy_bytes, proxy_files) = match redis.rtt_us {
        0 => (0, 0),
        _ => (
            connections * (message_bytes + PROXY_CONNECTION_BYTES),
            connections * PROXY_FILES_PER_CONNECTION + PROXY_FILES,
        ),
    };
    Demand {
        redis_bytes: redis_bytes + queued_bytes,
        dynos_bytes: total * (worker_bytes + document_bytes),
        dyno_bytes: largest * (worker_bytes + document_bytes),
        loadgen_bytes: tasks * LOADGEN_TASK_BYTES,
        dyno_threads: dyno_threads + DYNO_THREADS,
        threads: threads + u64::from(workers.dynos) * DYNO_THREADS,
        dyno_files: of_dyno(u32::try_from(largest).unwrap_or(u32::MAX)) + DYNO_FILES,
        loadgen_files: u64::from(workers.dynos) * FILES_PER_DYNO + LOADGEN_FILES,
        redis_connections: connections + MONITOR_CONNECTIONS,
        proxy_bytes,
        proxy_files,
    }
}

#[cfg(test)]
mod tests {
    use super::demand;
    use crate::plan::Plan;

    /// That of the fetcher, or of whoever looks after the queue while the workers claim.
    #[test]
    fn a_queue_takes_one_connection_more_of_every_dyno() {
        let of = |queue: &str| {
            let text = format!(
                "name = \"t\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 10\nduration_s = 1\n[workers]\ncount = 8\ndynos = 2\n\
                 [redis]\nrtt_us = 100\n{queue}[[variant]]\nname = \"a\"\nengine = \"async\"\nconnections = \"own\"\n"
            );
            let plan = Plan::parse(&text, &[]).unwrap();
            demand(&plan.cells[0].settings, &plan.variants[0])
        };
        let pushed = of("");
        for queue in ["[queue]\n", "[queue]\nclaim = \"worker\"\n"] {
            let queued = of(queue);
            assert_eq!(queued.redis_connections, pushed.redis_connections + 2);
            assert_eq!(queued.dyno_files, pushed.dyno_files + 1);
            assert_eq!(queued.proxy_files, pushed.proxy_files + 4);
        }
    }
}
