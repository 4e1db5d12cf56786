//! How well the tasks were paced, and what this host was found to be able to pace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Engine;

/// The window's sent tasks against the planned ones: the shape of the load, where `lateness` is its delay.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Pacing {
    /// Windows of 10 ms that were compared: those of the window, up to the last task that was sent.
    pub windows: u64,
    /// Share of them in which the number sent is within max(2, 2 %) of the number planned; `null` without any.
    pub windows_within: Option<f64>,
    /// Index of dispersion of the tasks in 10 ms.
    pub dispersion_10ms: Dispersion,
    /// Index of dispersion of the tasks in 100 ms.
    pub dispersion_100ms: Dispersion,
}

/// Variance / mean of the number of tasks in windows of one length: 1 for Poisson arrivals, near 0 for constant ones;
/// `null` with fewer than two windows.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Dispersion {
    /// By the plan.
    pub planned: Option<f64>,
    /// As sent.
    pub sent: Option<f64>,
}

/// What generator and transport can do on this host with null workers of one engine, as `loadgen calibrate` found it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ceiling {
    /// Whose workers took the tasks.
    pub engine: Engine,
    /// The highest rate that was on time and left no backlog, twice.
    pub ceiling_per_s: f64,
    /// No higher rate was tried: the ceiling may lie anywhere above, and refuses nothing.
    pub at_least: bool,
    /// What pacing cost, and how late it was, at rates below it.
    pub at: Vec<AtRate>,
    /// UTC, RFC 3339.
    pub measured_at: String,
    /// What was running: loadgen and dyno.
    pub build: String,
    /// As `host.scheduling` then.
    pub scheduling: String,
    /// As `host.pacer_priority` then.
    pub pacer_priority: String,
}

/// Pacing at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AtRate {
    /// Tasks a second.
    pub rate_per_s: f64,
    /// Half of the tasks were sent at most so late.
    pub lateness_p50_us: Option<f64>,
    /// 90 % of them.
    pub lateness_p90_us: Option<f64>,
    /// 99 % of them.
    pub lateness_p99_us: Option<f64>,
    /// The latest.
    pub lateness_max_us: Option<f64>,
    /// CPU time of the loadgen process over the window, per task.
    pub cpu_us_per_task: Option<f64>,
}
