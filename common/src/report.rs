//! The JSON that Headroom writes: `runs/*.json` ([`Run`]) and `comparison.json` ([`Comparison`](comparison::Comparison)).
//!
//! Data only. Units stand in the names; a value that was not measured is `null`, never 0.
//! `docs/report.md` explains every field; the JSON Schemas in `docs/schema/` are generated from these types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{Settings, Variant};

pub mod comparison;

/// Version of both report kinds. Raised whenever a field changes its meaning, disappears or becomes required.
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
    /// The server the workers talked to.
    pub redis_server: RedisServer,
    /// How the run came to its end.
    pub ended: Ended,
    /// Tasks whose intended instant lies in the window.
    pub counts: Counts,
    /// Tasks a second.
    pub rate_per_s: Rates,
    /// Distributions over the window's tasks, microseconds.
    pub latency_us: Latencies,
    /// Tasks sent and not finished.
    pub backlog: Backlog,
    /// Per-worker vitals over the whole run.
    pub workers: Workers,
    /// What it cost to get ready; part of no other figure.
    pub startup: Startup,
    /// Differences over exactly the window.
    pub resources: Resources,
    /// What the server was asked to do.
    pub redis_work: RedisWork,
    /// One entry a second, warm-up and drain included.
    pub timeline: Vec<Second>,
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
    /// How CPUs were shared between server, generator and dynos.
    pub scheduling: String,
    /// Scheduling class the pacing thread really had: `fifo-1`, `nice -10` or `normal`.
    pub pacer_priority: String,
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
    /// Whether Headroom started it for this run.
    pub private: bool,
    /// Where its binary was found (private), or its address without credentials.
    pub origin: String,
    /// Keys after the prefill.
    pub keys_start: u64,
    /// Keys after the drain.
    pub keys_end: u64,
    /// `used_memory` after the prefill.
    pub used_memory_start_bytes: u64,
    /// `used_memory` after the drain.
    pub used_memory_end_bytes: u64,
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
    },
}

/// Planned tasks of the window by outcome. `planned = sent + missed`, `sent = completed + failed + unfinished`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Arrivals of the plan.
    pub planned: u64,
    /// Handed over to the dispatch socket.
    pub sent: u64,
    /// Never sent, because the run ended early.
    pub missed: u64,
    /// Finished, rejected ones included.
    pub completed: u64,
    /// Finished with a handler that said no.
    pub rejected: u64,
    /// Ended by an error.
    pub failed: Failures,
    /// Sent and never reported: drain bound, overload or a lost dyno.
    pub unfinished: u64,
    /// Tasks sent in the warm-up; in no other count.
    pub warmup: u64,
}

/// Failed tasks by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failures {
    /// No reply within `redis.response_timeout_s`.
    pub timeout: u64,
    /// The connection broke.
    pub disconnected: u64,
    /// The server answered with an error, or with what the task cannot understand.
    pub server_error: u64,
    /// No connection within `redis.checkout_timeout_s`.
    pub pool_timeout: u64,
}

impl Failures {
    /// All causes together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.timeout + self.disconnected + self.server_error + self.pool_timeout
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Failures) {
        self.timeout += other.timeout;
        self.disconnected += other.disconnected;
        self.server_error += other.server_error;
        self.pool_timeout += other.pool_timeout;
    }
}

/// Rates over the window, tasks a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rates {
    /// The plan's.
    pub asked: f64,
    /// Tasks of the window that were sent, over the time in which they were sent.
    pub sent: f64,
    /// `resources.tasks` over `resources.window_s`.
    pub completed: f64,
}

/// One distribution of a latency. All values in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distribution {
    /// Recorded values.
    pub n: u64,
    /// Tasks that never got a value (failed, unfinished, beyond an hour): larger than every recorded one.
    pub unbounded: u64,
    /// Mean of the recorded values; `null` when there are none.
    pub mean: Option<f64>,
    /// 50th percentile over recorded and unbounded; `null` when it falls among the unbounded.
    pub p50: Option<f64>,
    /// 90th percentile, as above.
    pub p90: Option<f64>,
    /// 99th percentile, as above.
    pub p99: Option<f64>,
    /// 99.9th percentile, as above.
    pub p99_9: Option<f64>,
    /// Largest; `null` when anything is unbounded or nothing was recorded.
    pub max: Option<f64>,
    /// The whole histogram (nanoseconds, 3 significant digits): HdrHistogram V2, base64.
    pub hdr_v2: String,
}

/// Where the time of the window's tasks went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latencies {
    /// sent - intended: the generator's fault.
    pub lateness: Distribution,
    /// Batch due - intended; `null` where tasks are pushed.
    pub batch_wait: Option<Distribution>,
    /// Service start - sent.
    pub queue_wait: Distribution,
    /// Waiting for a connection, all checkouts of a task together; within service.
    pub pool_wait: Distribution,
    /// Service end - service start.
    pub service: Distribution,
    /// Service end - intended: the figure that counts.
    pub response: Distribution,
    /// Service end - sent: what a generator that forgives itself would report.
    pub response_from_send: Distribution,
    /// Parts of service by span name, pool wait excluded.
    pub spans: BTreeMap<String, Distribution>,
}

/// Tasks sent and not finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Backlog {
    /// Largest number waiting at one worker.
    pub max: u32,
    /// `workers.backlog_max`.
    pub limit: u32,
    /// Largest number sent and not finished in all, as seen ten times a second.
    pub total_max: u64,
    /// Least-squares slope of the total over the window, tasks a second; `null` with fewer than ten samples.
    pub slope_per_s: Option<f64>,
    /// From the last send to the last completion; `null` when the drain did not end by itself.
    pub drain_ms: Option<f64>,
    /// The first worker that had `limit` waiting when another task arrived.
    pub overload: Option<Overload>,
}

/// Where and when the backlog rule tripped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overload {
    /// Seconds since the window began; negative in the warm-up.
    pub at_s: f64,
    /// Dyno, from 0.
    pub dyno: u32,
    /// Worker, from 0, counted over all dynos; `null` when the intake itself fell behind.
    pub worker: Option<u32>,
    /// Tasks waiting there.
    pub backlog: u64,
}

/// Vitals of every worker; position = worker, counted over all dynos.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Workers {
    /// Workers in all dynos.
    pub count: u32,
    /// Worker processes.
    pub dynos: u32,
    /// Tasks finished, warm-up included, the untimed one not.
    pub cycles: Vec<u64>,
    /// Most tasks waiting at once.
    pub backlog_max: Vec<u32>,
    /// Nanoseconds spent in tasks.
    pub busy_ns: Vec<u64>,
}

/// Time spent before the first arrival, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Startup {
    /// From starting the server to its being ready.
    pub server_ms: f64,
    /// Writing the documents.
    pub prefill_ms: f64,
    /// From starting the dynos to the last `Ready`: processes, workers, connections.
    pub dynos_ms: f64,
    /// One untimed task per worker.
    pub untimed_ms: f64,
}

/// What each part used between the window's two instants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// Length of the window as it was: shorter than the plan's when the run ended early, 0 when it never began.
    pub window_s: f64,
    /// Tasks that ended between the two instants, in any way and whatever their intended instant.
    pub tasks: u64,
    /// All dynos together.
    pub workers: Usage,
    /// The server; `null` fields where it is not on this machine.
    pub redis: Usage,
    /// The generator.
    pub loadgen: Usage,
    /// The delay proxy; `null` when there was none.
    pub proxy: Option<Usage>,
}

/// Use of the machine over the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// CPU seconds in user mode.
    pub cpu_user_s: Option<f64>,
    /// CPU seconds in the kernel.
    pub cpu_sys_s: Option<f64>,
    /// CPU microseconds per task that ended in the window.
    pub cpu_us_per_task: Option<f64>,
    /// Peak resident memory since the process started.
    pub rss_max_bytes: Option<u64>,
    /// Threads at the end of the window.
    pub threads: Option<u64>,
    /// Voluntary context switches.
    pub voluntary_switches: Option<u64>,
    /// Involuntary context switches.
    pub involuntary_switches: Option<u64>,
    /// Open sockets at the end of the window.
    pub sockets: Option<u64>,
}

/// Server work per task, over warm-up, window and drain together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RedisWork {
    /// Tasks that the server's counters cover.
    pub tasks: u64,
    /// Calls per task by command, those inside scripts included, Headroom's own excluded.
    pub commands_per_task: BTreeMap<String, f64>,
    /// Server time per task by command, microseconds.
    pub command_us_per_task: BTreeMap<String, f64>,
    /// Bytes the server read, per task.
    pub bytes_in_per_task: Option<f64>,
    /// Bytes the server wrote, per task.
    pub bytes_out_per_task: Option<f64>,
    /// Failed requests by cause, all phases; a `NOSCRIPT` that was repaired counts as `noscript`.
    pub request_errors: BTreeMap<String, u64>,
    /// Connections that were replaced after an error.
    pub reconnects: u64,
}

/// The part of a run that a second belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before the window.
    WarmUp,
    /// Measured.
    Window,
    /// After the last arrival.
    Drain,
}

/// One second of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Second {
    /// End of the second, seconds since the window began; negative in the warm-up.
    pub t_s: f64,
    /// Where it lies.
    pub phase: Phase,
    /// Tasks sent in it.
    pub sent: u64,
    /// Tasks completed in it.
    pub completed: u64,
    /// Tasks failed in it.
    pub failed: u64,
    /// Sent and not finished at its end.
    pub backlog: u64,
    /// Percentiles of response of the window's tasks that completed in it, microseconds; `null` when there were none.
    pub response_p50_us: Option<f64>,
    /// As above.
    pub response_p90_us: Option<f64>,
    /// As above.
    pub response_p99_us: Option<f64>,
    /// As above.
    pub response_max_us: Option<f64>,
    /// Median service, microseconds.
    pub service_p50_us: Option<f64>,
}

/// Whether a run may be believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Validity {
    /// No check of severity `invalid` failed.
    pub valid: bool,
    /// Every check, passed ones included.
    pub checks: Vec<Check>,
}

/// What a failed check means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Said, and the run stays valid.
    Warning,
    /// The run is invalid.
    Invalid,
}

/// One validity check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Stable name.
    pub name: String,
    /// Whether it passed.
    pub ok: bool,
    /// What a failure means.
    pub severity: Severity,
    /// What was measured; `null` when there was nothing to measure.
    pub value: Option<f64>,
    /// What it was compared with.
    pub limit: Option<f64>,
    /// What to do about a failure, in one sentence.
    pub remedy: String,
}

/// The verdict of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// It kept up.
    Ok,
    /// It did not keep up.
    Overloaded,
    /// The measurement failed.
    Invalid,
    /// Neither could be shown.
    Inconclusive,
}

impl std::fmt::Display for RunResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RunResult::Ok => "ok",
            RunResult::Overloaded => "overloaded",
            RunResult::Invalid => "invalid",
            RunResult::Inconclusive => "inconclusive",
        })
    }
}

/// The verdict with its reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The word.
    pub result: RunResult,
    /// Why, in one sentence.
    pub reason: String,
    /// What would change it, in one sentence; empty when there is nothing to do.
    pub remedy: String,
}
