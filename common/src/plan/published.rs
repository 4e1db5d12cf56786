//! What others published for the load of a plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlanError;
use super::validate::positive;

/// A year is longer than anybody waits.
const DRAIN_MIN_MAX: f64 = 525_600.0;

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
    /// CPUs of the machine that it was measured on.
    pub cpus: Option<u32>,
    /// As the write-up calls it.
    pub result: String,
    /// Tasks sent.
    pub sent: Option<u64>,
    /// Tasks completed.
    pub completed: Option<u64>,
    /// Seconds until success or failure.
    pub uptime_s: Option<f64>,
    /// Tasks a second that were really sent after the warm-up; a lower bound in failed runs. With `workers`: those that one
    /// process completed.
    pub real_per_s: Option<f64>,
    /// Minutes until nothing waited any more. Only with `workers`, as `peak`.
    pub drain_min: Option<f64>,
    /// Most tasks that waited at once.
    pub peak: Option<u64>,
    /// Mean of a task (service), milliseconds.
    pub task_ms: Option<f64>,
    /// Mean of its fetch.
    pub fetch_ms: Option<f64>,
    /// Mean of its save.
    pub save_ms: Option<f64>,
    /// Mean of its ping.
    pub ping_ms: Option<f64>,
}

impl Published {
    /// What is judged, and so must be a number that can be.
    pub(super) fn validate(&self) -> Result<(), PlanError> {
        let workers = self.workers.map(u64::from);
        for (key, count) in [("workers", workers), ("cpus", self.cpus.map(u64::from)), ("peak", self.peak)] {
            if count == Some(0) {
                return Err(PlanError::value(&format!("published.{key}"), 0, "at least 1, or nothing"));
            }
        }
        let drain_min = self.drain_min.map(|minutes| ("drain_min", minutes.to_string()));
        let judged = [drain_min, self.peak.map(|peak| ("peak", peak.to_string()))];
        if let Some((key, value)) = judged.into_iter().flatten().next().filter(|_| workers.is_none()) {
            let expected = "only beside published.workers: it is judged as that of so many";
            return Err(PlanError::value(&format!("published.{key}"), value, expected));
        }
        self.drain_min.map_or(Ok(()), |minutes| positive("published.drain_min", minutes, DRAIN_MIN_MAX, "minutes"))
    }
}
