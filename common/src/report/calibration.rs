//! `calibration.json`: what `loadgen calibrate` measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ceiling, Host};
use crate::plan::Engine;

/// Says that a file holds a [`Calibration`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CalibrationKind {
    /// The only value of a calibration's `kind`.
    #[serde(rename = "calibration")]
    Calibration,
}

/// What generator and transport can do on a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    /// Always `"calibration"`.
    pub kind: CalibrationKind,
    /// [`SCHEMA_VERSION`](super::SCHEMA_VERSION) of the writer.
    pub schema_version: u32,
    /// As the last trial saw it.
    pub host: Host,
    /// Null workers that took the tasks.
    pub workers: u32,
    /// Length of the window of a trial.
    pub trial_s: f64,
    /// One entry per engine that was asked for.
    pub engines: Vec<EngineCalibration>,
}

/// One engine of a calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EngineCalibration {
    /// Which.
    pub engine: Engine,
    /// What is kept for the plans to come; `null` when no rate was confirmed.
    pub ceiling: Option<Ceiling>,
    /// Every run that it rests on, in order.
    pub trials: Vec<Trial>,
}

/// What a trial was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrialPurpose {
    /// To find the ceiling.
    Search,
    /// To see a rate that passed pass again.
    Confirm,
    /// To see what pacing costs at a rate, and how late it is.
    Cost,
}

/// One short run of null tasks in fresh processes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// Why it was made.
    pub purpose: TrialPurpose,
    /// Tasks a second.
    pub rate_per_s: f64,
    /// Everything sent on time, completed, and no backlog left or growing.
    pub passed: bool,
    /// Why it did not pass; else empty.
    pub reason: String,
    /// 99 % of the tasks were sent at most so late.
    pub lateness_p99_us: Option<f64>,
    /// CPU time of the loadgen process over the window, per task.
    pub cpu_us_per_task: Option<f64>,
}
