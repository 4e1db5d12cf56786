//! The JSON that Headroom writes: `runs/*.json` ([`Run`]) and `comparison.json` ([`Comparison`](comparison::Comparison)).
//!
//! Data only. Units stand in the names; a value that was not measured is `null`, never 0.
//! `docs/report.md` explains every field; the JSON Schemas in `docs/schema/` are generated from these types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{Settings, Variant};

pub mod aa;
pub mod calibration;
mod clock;
pub mod comparison;
mod cost;
pub mod diff;
pub mod drawing;
mod dyno;
mod exceedances;
mod machine;
mod network;
mod pacing;
pub mod prediction;
mod queue;
pub mod search;
pub mod size;
mod tasks;
mod validity;
pub mod warmup;

pub use clock::ClockOffset;
pub use cost::{IdleMemory, RedisWork, Resources, Startup, Usage};
pub use dyno::{DynoLimits, Throttling};
pub use exceedances::{Exceedances, Spread, Tails};
pub use machine::{Machine, WatchedCpu};
pub use network::{Network, PassedOn};
pub use pacing::{AtRate, Ceiling, Dispersion, Pacing};
pub use queue::{Depth, DepthAt, Left, QueueReport, Results};
pub use tasks::{
    Backlog, Counts, Distribution, Failures, Latencies, Little, Overload, Phase, Rates, Second, Steady, Workers,
};
pub use validity::{Check, Pressure, Resource, RunResult, Severity, Validity, Verdict};

/// Version of both report kinds. Raised whenever a field changes its meaning, disappears or becomes required; before the
/// first release of Headroom it stays 1, whatever changes.
pub const SCHEMA_VERSION: u32 = 1;

/// Says that a file holds a [`Run`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunKind {
    /// The only value of a run's `kind`.
    #[serde(rename = "run")]
    Run,
}

/// One variant on one cell, in freshly started worker processes, on a freshly started server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Always `"run"`.
    pub kind: RunKind,
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// The settings that produced this run.
    pub plan: RunPlan,
    /// What `--force` let through, and who was made slower on purpose: each a sentence.
    pub forced: Vec<String>,
    /// CPU that every task of this run burned more than the plan says, microseconds; `null`: none, as in every real run.
    pub handicap_us: Option<f64>,
    /// SHA-256 of the plan after `--set`, in hex, 16 digits.
    pub plan_hash: String,
    /// SHA-256 of every planned arrival (instant, dyno, worker), in hex, 16 digits: equal within a block.
    pub arrivals_hash: String,
    /// The cell of the plan.
    pub cell: CellId,
    /// Number of the block, from 0; the block that is thrown away to warm the machine up is not written.
    pub block: u32,
    /// Place of this run in its block's order, from 0.
    pub position: u32,
    /// Which repeat of the block this is: 0 unless an earlier attempt was void.
    pub attempt: u32,
    /// The engine and its settings.
    pub variant: Variant,
    /// UTC, RFC 3339.
    pub started_at: String,
    /// What was running.
    pub versions: Versions,
    /// Where it was running.
    pub host: Host,
    /// The dynos that read another clock than loadgen; empty where all read the same.
    pub clocks: Vec<ClockOffset>,
    /// The server the workers talked to.
    pub redis_server: RedisServer,
    /// What the plan's `[dyno]` came to on this machine; `null` without one.
    pub dyno: Option<DynoLimits>,
    /// How the run came to its end.
    pub ended: Ended,
    /// Tasks whose intended instant lies in the window.
    pub counts: Counts,
    /// Tasks a second.
    pub rate_per_s: Rates,
    /// Distributions over the window's tasks, microseconds.
    pub latency_us: Latencies,
    /// When the slowest of these tasks ended; `null` when a dyno was lost before it said so.
    pub exceedances: Option<Exceedances>,
    /// Whether the load had the shape that was planned.
    pub pacing: Pacing,
    /// Tasks sent and not finished.
    pub backlog: Backlog,
    /// The audit by Little's law; `null` when too few dynos looked too seldom, or not everything completed.
    pub little: Option<Little>,
    /// Response in the first and in the last third of the window; `null` when a third holds no whole second, or no task.
    pub steady: Option<Steady>,
    /// Per-worker vitals over the whole run.
    pub workers: Workers,
    /// What it cost to get ready; part of no other figure.
    pub startup: Startup,
    /// Differences over exactly the window.
    pub resources: Resources,
    /// The machine over the window, or until its end by a run that ended in its warm-up.
    pub machine: Machine,
    /// What the server was asked to do.
    pub redis_work: RedisWork,
    /// The queue in which tasks waited; `null` where they were pushed.
    pub queue: Option<QueueReport>,
    /// The network between dynos and server; `null` when they are not kept apart (`redis.rtt_us = 0`).
    pub network: Option<Network>,
    /// One entry a second, warm-up and drain included.
    pub timeline: Vec<Second>,
    /// How much of each resource was used over the window, or until its end by a run that ended in its warm-up, in the order
    /// in which one hides the next.
    pub pressure: Vec<Pressure>,
    /// Whether the figures above may be believed.
    pub validity: Validity,
    /// Whether the variant kept up.
    pub verdict: Verdict,
}

/// The part of a plan that a run was made from: scalars only, swept keys have their cell's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunPlan {
    /// Name of the plan.
    pub name: String,
    /// What the plan asks.
    pub question: String,
    /// Task, load, workers, SLO and Redis settings of the cell.
    #[serde(flatten)]
    pub settings: Settings,
}

/// Which combination of swept parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellId {
    /// Number of the cell in the plan, from 0.
    pub index: u32,
    /// The swept keys and their values in this cell; empty when the plan sweeps nothing.
    pub parameters: BTreeMap<String, serde_json::Value>,
}

/// Software versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Versions {
    /// Version of Headroom.
    pub headroom: String,
    /// What the dynos said of their build: engine, version, allocator, libraries.
    pub workers: String,
    /// What loadgen was built with.
    pub loadgen: String,
}

/// The machine that ran everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// SHA-256 over the stable fields (CPU model, CPUs, memory in GiB, kernel release, architecture), in hex, 16 digits.
    pub fingerprint: String,
    /// As in `/proc/cpuinfo`.
    pub cpu_model: String,
    /// CPUs this process may use.
    pub cpus: u32,
    /// `MemTotal`.
    pub memory_bytes: u64,
    /// `uname -r`.
    pub kernel: String,
    /// `x86_64`, `aarch64`.
    pub arch: String,
    /// One-minute load average before the run.
    pub load_average_start: f64,
    /// One-minute load average after the run.
    pub load_average_end: f64,
    /// What the kernel lets idle CPUs do, as `driver/governor`: waking up from it takes its time; `null` where it does not say.
    pub idle: Option<String>,
    /// What sets the frequency of CPUs, as `driver/governor`; `null` where it is not the kernel's to set, as on most virtual machines.
    pub frequency: Option<String>,
    /// Mean over the CPUs before the run, MHz; `null` where it is not to be seen.
    pub mhz_start: Option<f64>,
    /// The same after it.
    pub mhz_end: Option<f64>,
    /// How server, generator and dynos shared the CPUs, in words.
    pub scheduling: String,
    /// The same process by process, as the kernel says; those elsewhere are not in it.
    pub placement: Vec<Placed>,
    /// Scheduling class the pacing thread really had: `fifo-1`, `nice -10` or `normal`.
    pub pacer_priority: String,
    /// Rounds of synthetic CPU work in a microsecond, measured once per host; `null` when the plan's tasks do none.
    pub compute_rounds_per_us: Option<f64>,
    /// What `loadgen calibrate` has found here with this engine; `null`: nothing yet.
    pub calibration: Option<Ceiling>,
    /// Transparent huge pages of loadgen and of what it starts: `off`, or `as the kernel decides`.
    pub huge_pages: String,
}

/// Where a process was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Placed {
    /// `loadgen`, `redis`, `proxy`, or `dyno-` and its number.
    pub process: String,
    /// The CPUs that it could use, as in `0-3,6`.
    pub cpus: String,
    /// The group that the scheduler weighs it by: a control group, or the autogroup of its session; `null`: each of its
    /// threads was weighed alone.
    pub group: Option<String>,
    /// Weight of the control group (`cpu.weight`, or `cpu.shares` of version 1).
    pub weight: Option<u64>,
    /// CPUs' worth of time in every period, by the tightest of its control groups; `null`: no quota.
    pub cpu_quota: Option<f64>,
    /// Memory limit, by the tightest of its control groups; `null`: none.
    pub memory_limit_bytes: Option<u64>,
}

/// The Redis server, as it described itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RedisServer {
    /// `redis` or `valkey`.
    pub product: String,
    /// Its own version.
    pub version: String,
    /// `mem_allocator`.
    pub allocator: String,
    /// `io-threads`, where the server says so.
    pub io_threads: Option<u32>,
    /// `maxmemory`; 0: no bound; `null` where the server does not say.
    pub maxmemory_bytes: Option<u64>,
    /// `maxmemory-policy`, such as `noeviction`; `null` as above.
    pub maxmemory_policy: Option<String>,
    /// Whether Headroom started it for this run.
    pub private: bool,
    /// Where its binary was found (private), or its address without credentials.
    pub origin: String,
    /// Keys after the prefill.
    pub keys_start: u64,
    /// Keys after the drain.
    pub keys_end: Option<u64>,
    /// `used_memory` after the prefill.
    pub used_memory_start_bytes: u64,
    /// `used_memory` after the drain.
    pub used_memory_end_bytes: Option<u64>,
    /// Keys that the server threw away for want of memory, from before the prefill to after the drain; `null` where it does not
    /// say.
    pub evicted_keys: Option<u64>,
}

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Ended {
    /// The whole window was sent and the drain came to its end or its bound.
    Complete,
    /// A worker had `backlog_max` tasks waiting when another arrived, and the run was stopped there.
    Overloaded,
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// A dyno's control connection ended before the run did.
    DynoLost {
        /// Number of the dyno, from 0.
        dyno: u32,
        /// Seconds since the window began; negative in the warm-up.
        at_s: f64,
        /// How its process ended, where loadgen had started it, such as `signal: 9 (SIGKILL)`.
        status: Option<String>,
    },
    /// The private server's process ended before the run did.
    ServerLost {
        /// Seconds since the window began; negative in the warm-up.
        at_s: f64,
        /// How it ended.
        status: String,
    },
    /// The delay proxy's process ended before the run did.
    ProxyLost {
        /// Seconds since the window began; negative in the warm-up.
        at_s: f64,
        /// How it ended.
        status: String,
    },
    /// The server refused a write for want of memory, and the run was stopped there.
    ServerFull {
        /// Seconds since the window began; negative in the warm-up.
        at_s: f64,
    },
    /// The server no longer took tasks into the queue.
    QueueLost {
        /// Seconds since the window began; negative in the warm-up.
        at_s: f64,
        /// What it said instead.
        why: String,
    },
}
