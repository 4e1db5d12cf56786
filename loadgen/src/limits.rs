//! Whether this machine can give what a run demands: asked before anything starts.

use std::fs;

use common::plan::Dyno;
use common::plan::demand::Demand;
use nix::sys::resource::{Resource, getrlimit};

use crate::error::Refused;
use crate::{cgroup, host};

/// What there is. `u64::MAX`: no limit is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Memory that can be had without swapping, and within the control groups.
    pub memory_bytes: u64,
    /// Threads that may still be started; of the user's limit (`ulimit -u`) what is running is not taken off.
    pub threads: u64,
    /// Memory mappings of one process (`vm.max_map_count`).
    pub mappings: u64,
    /// Files that one process may open (hard limit).
    pub files: u64,
}

/// std's threads need four mappings each: stack, its guard, the signal stack, its guard.
const MAPPINGS_PER_THREAD: u64 = 4;
/// Mappings of a process without workers, generously.
const MAPPINGS_BASE: u64 = 500;

impl Capacity {
    /// Of this machine, now.
    #[must_use]
    pub fn read() -> Capacity {
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        let limit = |resource| match getrlimit(resource) {
            Ok((_, hard)) if hard != nix::libc::RLIM_INFINITY => hard,
            _ => u64::MAX,
        };
        let room = cgroup::room();
        let running = host::threads_running().unwrap_or(0);
        let of_all = |path| number(path).map(|max| max.saturating_sub(running));
        let threads = [
            of_all("/proc/sys/kernel/threads-max"),
            of_all("/proc/sys/kernel/pid_max"),
            Some(limit(Resource::RLIMIT_NPROC)),
            Some(room.threads),
        ];
        Capacity {
            memory_bytes: host::memory("MemAvailable:").unwrap_or(u64::MAX).min(room.memory_bytes),
            threads: threads.into_iter().flatten().min().unwrap_or(u64::MAX),
            mappings: number("/proc/sys/vm/max_map_count").unwrap_or(u64::MAX),
            files: limit(Resource::RLIMIT_NOFILE),
        }
    }

    /// Compares with what the arrivals of a run, which are shown without running it, take.
    ///
    /// # Errors
    /// What is needed, what there is, which settings would do.
    pub fn admit_arrivals(&self, demand: &Demand) -> Result<(), Refused> {
        if demand.loadgen_bytes > self.memory_bytes {
            return Err(Refused(format!(
                "the arrivals need about {} of memory and {} are available: lower load.duration_s or the rates, or show a cell \
                 with fewer by --cell",
                gib(demand.loadgen_bytes),
                gib(self.memory_bytes)
            )));
        }
        Ok(())
    }

    /// Compares with what a run demands; `private` says whether the server's share has to be found here too, `what_fits` which
    /// values would let the run fit into so much memory.
    ///
    /// # Errors
    /// The first shortage: what is needed, what there is, which setting would do.
    pub fn admit(&self, demand: &Demand, private: bool, what_fits: &dyn Fn(u64) -> Vec<String>) -> Result<(), Refused> {
        let memory = demand.memory_bytes(private);
        if memory > self.memory_bytes {
            let fits = what_fits(self.memory_bytes);
            let what_would_do = match fits.as_slice() {
                [] => {
                    "lower load.rate_per_s, load.duration_s, task.payload_kb, task.list_max or workers.count".to_owned()
                }
                fits => format!("{} would fit", fits.join(" or ")),
            };
            return Err(Refused(format!(
                "the run needs about {} of memory ({} for Redis, {} for workers, {} for loadgen, {} for the delay proxy) and {} are \
                 available: {what_would_do}",
                gib(memory),
                gib(if private { demand.redis_bytes } else { 0 }),
                gib(demand.dynos_bytes),
                gib(demand.loadgen_bytes),
                gib(demand.proxy_bytes),
                gib(self.memory_bytes)
            )));
        }
        if demand.threads > self.threads {
            return Err(Refused(format!(
                "the run needs {} threads and this machine allows {}: lower workers.count or workers.dynos, or raise \
                 kernel.threads-max, kernel.pid_max, ulimit -u or the cgroup's pids.max",
                demand.threads, self.threads
            )));
        }
        let mappings = demand.dyno_threads * MAPPINGS_PER_THREAD + MAPPINGS_BASE;
        if mappings > self.mappings {
            return Err(Refused(format!(
                "a dyno of {} threads needs about {mappings} memory mappings and vm.max_map_count is {}: lower \
                 workers.count, spread them over more dynos, or run `sysctl -w vm.max_map_count={mappings}`",
                demand.dyno_threads, self.mappings
            )));
        }
        let files = demand.dyno_files.max(demand.loadgen_files).max(if private { demand.redis_connections } else { 0 });
        if files > self.files {
            return Err(Refused(format!(
                "the run needs {files} open files in one process and `ulimit -Hn` is {}: lower workers.count, \
                 workers.dynos or pool_size, or raise the limit",
                self.files
            )));
        }
        if demand.proxy_files > self.files {
            return Err(Refused(format!(
                "the delay proxy of redis.rtt_us needs {} open files, two for every connection, and `ulimit -Hn` is {}: lower \
                 workers.count, workers.dynos or pool_size, raise the limit, or leave redis.rtt_us out",
                demand.proxy_files, self.files
            )));
        }
        Ok(())
    }
}

/// What is said of dynos that may need more memory than `[dyno]` gives each. It is no reason to refuse: the estimate is an upper
/// one, and that a dyno runs out may be what the plan is about.
#[must_use]
pub fn crowded(demand: &Demand, dyno: &Dyno) -> Option<String> {
    (demand.dyno_bytes > dyno.memory_bytes()).then(|| {
        format!(
            "a dyno may need up to {} MiB of memory and dyno.memory_mb = {} is its limit: beyond it the kernel ends it; fewer \
             workers in each (workers.count) need less",
            demand.dyno_bytes.div_ceil(1 << 20),
            dyno.memory_mb
        )
    })
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use common::plan::demand::Demand;
    use common::plan::{CpuLimit, Dyno, DynoClass};

    use super::{Capacity, crowded};

    const ROOM: Capacity = Capacity { memory_bytes: 1 << 34, threads: 30_000, mappings: 65_530, files: 1024 };
    const DEMAND: Demand = Demand {
        redis_bytes: 1 << 30,
        dynos_bytes: 1 << 30,
        dyno_bytes: 1 << 29,
        loadgen_bytes: 1 << 20,
        dyno_threads: 100,
        threads: 100,
        dyno_files: 100,
        loadgen_files: 100,
        redis_connections: 100,
        proxy_bytes: 1 << 20,
        proxy_files: 200,
    };

    #[test]
    fn every_shortage_names_what_is_needed_and_what_there_is() {
        assert_eq!(ROOM.admit(&DEMAND, true, &|_| Vec::new()), Ok(()));
        let cases = [
            (Demand { redis_bytes: 1 << 35, ..DEMAND }, "33.0 GiB of memory", "16.0 GiB are available"),
            (Demand { loadgen_bytes: 1 << 35, ..DEMAND }, "34.0 GiB of memory", "16.0 GiB are available"),
            (Demand { threads: 40_000, ..DEMAND }, "40000 threads", "allows 30000"),
            (Demand { dyno_threads: 20_000, ..DEMAND }, "80500 memory mappings", "vm.max_map_count is 65530"),
            (Demand { dyno_files: 2000, ..DEMAND }, "2000 open files", "`ulimit -Hn` is 1024"),
            (Demand { loadgen_files: 2001, ..DEMAND }, "2001 open files", "`ulimit -Hn` is 1024"),
            (Demand { redis_connections: 3000, ..DEMAND }, "3000 open files", "`ulimit -Hn` is 1024"),
            (Demand { proxy_bytes: 1 << 35, ..DEMAND }, "34.0 GiB of memory", "32.0 GiB for the delay proxy"),
            (
                Demand { proxy_files: 2002, ..DEMAND },
                "delay proxy of redis.rtt_us needs 2002 open files",
                "`ulimit -Hn` is 1024",
            ),
        ];
        for (demand, needed, there_is) in cases {
            let message = ROOM.admit(&demand, true, &|_| Vec::new()).unwrap_err().to_string();
            assert!(message.contains(needed) && message.contains(there_is), "{message}");
        }
    }

    #[test]
    fn a_shortage_of_memory_says_what_would_fit() {
        let much = Demand { redis_bytes: 1 << 35, ..DEMAND };
        let refusal = |fits: &[&str]| {
            let fits: Vec<String> = fits.iter().map(|&fit| fit.to_owned()).collect();
            let what_fits = |memory_bytes| {
                assert_eq!(memory_bytes, ROOM.memory_bytes);
                fits.clone()
            };
            ROOM.admit(&much, true, &what_fits).unwrap_err().to_string()
        };
        let offer = refusal(&["load.duration_s = 61", "task.payload_kb = 1.2"]);
        assert!(offer.ends_with("available: load.duration_s = 61 or task.payload_kb = 1.2 would fit"), "{offer}");
        assert!(refusal(&[]).ends_with("task.list_max or workers.count"));
    }

    #[test]
    fn arrivals_alone_need_what_loadgen_needs() {
        assert_eq!(ROOM.admit_arrivals(&Demand { redis_bytes: 1 << 40, ..DEMAND }), Ok(()));
        let refusal = ROOM.admit_arrivals(&Demand { loadgen_bytes: 1 << 35, ..DEMAND }).unwrap_err().to_string();
        assert!(
            refusal.starts_with("the arrivals need about 32.0 GiB of memory and 16.0 GiB are available: "),
            "{refusal}"
        );
    }

    #[test]
    fn a_dyno_that_may_be_too_small_is_said() {
        let dyno = |memory_mb| Dyno { class: DynoClass::Custom, vcpus: 1, memory_mb, limit: CpuLimit::Cpuset };
        assert_eq!(crowded(&DEMAND, &dyno(512)), None);
        let said = crowded(&DEMAND, &dyno(511)).unwrap();
        assert!(
            said.starts_with("a dyno may need up to 512 MiB of memory and dyno.memory_mb = 511 is its limit"),
            "{said}"
        );
    }

    #[test]
    fn an_external_server_needs_nothing_here() {
        let demand = Demand { redis_bytes: 1 << 40, redis_connections: 3000, ..DEMAND };
        assert_eq!(ROOM.admit(&demand, false, &|_| Vec::new()), Ok(()));
    }
}
