//! What a run cost: before it, on each side, and on the server.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Throttling;

/// What it cost to get ready, milliseconds and bytes.
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
    /// Memory of all dynos before any worker and after every worker's first task; `null` when a dyno did not say.
    pub memory: Option<IdleMemory>,
}

/// Anonymous memory of all dynos: heaps and stacks, what is mapped from files left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IdleMemory {
    /// Before workers and connections.
    pub base_bytes: u64,
    /// With all of them, after every worker has run one task, while all wait.
    pub idle_bytes: u64,
    /// The difference over the workers: it contains connections and executor, which many workers share.
    pub bytes_per_worker: f64,
}

/// What each part used between the window's two instants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// Length of the window as it was: shorter than the plan's when the run ended early, 0 when it never began.
    pub window_s: f64,
    /// Tasks that ended between the two instants, in any way and whatever their intended instant; `null` when a dyno did
    /// not say so.
    pub tasks: Option<u64>,
    /// All dynos together.
    pub workers: Usage,
    /// The server; `null` fields where it is not on this machine.
    pub redis: Usage,
    /// The generator.
    pub loadgen: Usage,
    /// The delay proxy; `null` when there was none.
    pub proxy: Option<Usage>,
    /// What quotas held back from the dynos: their control groups and those above; `null` where the kernel does not say.
    pub throttling: Option<Throttling>,
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

impl Usage {
    /// CPU seconds, user and system together; `None` where one of them is not known.
    #[must_use]
    pub fn cpu_s(&self) -> Option<f64> {
        Some(self.cpu_user_s? + self.cpu_sys_s?)
    }
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
