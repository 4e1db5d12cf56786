//! What others published for the load of a plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[published]`: what a write-up reported for this load; `[[published]]` once per dyno where there are several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Who, and on what.
    pub source: String,
    /// Name of the dyno, where there are several.
    pub dyno: Option<String>,
    /// Workers of a dyno, where the plan sweeps them.
    pub workers: Option<u32>,
    /// As the write-up calls it.
    pub result: String,
    /// Tasks sent.
    pub sent: Option<u64>,
    /// Tasks completed.
    pub completed: Option<u64>,
    /// Seconds until success or failure.
    pub uptime_s: Option<f64>,
    /// Tasks a second that were really sent after the warm-up; a lower bound in failed runs.
    pub real_per_s: Option<f64>,
    /// Mean of a task (service), milliseconds.
    pub task_ms: Option<f64>,
    /// Mean of its fetch.
    pub fetch_ms: Option<f64>,
    /// Mean of its save.
    pub save_ms: Option<f64>,
    /// Mean of its ping.
    pub ping_ms: Option<f64>,
}
