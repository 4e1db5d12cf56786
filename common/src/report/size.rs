//! What `analysis size` prints as JSON: how many dynos a load takes. Rates and times are those of the original, where the plan scaled
//! them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comparison::Estimate;

/// Says that a file holds a [`Size`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SizeKind {
    /// The only value of its `kind`.
    #[serde(rename = "size")]
    Size,
}

/// Dynos for a load, by what a bench measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Size {
    /// Always `"size"`.
    pub kind: SizeKind,
    /// [`SCHEMA_VERSION`](super::SCHEMA_VERSION) of the writer.
    pub schema_version: u32,
    /// Name of the bench's plan.
    pub plan: String,
    /// Of the host that measured.
    pub host_fingerprint: String,
    /// What is asked.
    pub demand: SizeDemand,
    /// One for every variant in every cell, cheapest first within a variant.
    pub options: Vec<SizeOption>,
}

/// What the dynos must be able to do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SizeDemand {
    /// Tasks a second, all the time; and the burst's, if there is one.
    pub rate_per_s: f64,
    /// How long the burst lasts, seconds; `null`: the rate goes on for ever, and nothing has to be drained.
    pub burst_s: Option<f64>,
    /// How long after its end the last of it may be done, seconds.
    pub drain_within_s: Option<f64>,
    /// For one dyno.
    pub price_per_month: Option<f64>,
    /// Share of what dynos can do that is planned with to sustain the rate; to drain a burst, all of it is.
    pub utilisation_max: f64,
}

/// A variant with so many workers in a dyno.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SizeOption {
    /// Name in the plan.
    pub variant: String,
    /// The swept keys and their values.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Workers of a dyno.
    pub workers: u32,
    /// Tasks a second of one dyno with always something to do: the median of its runs, with its 95 % interval. What was done in vain,
    /// because another claim of the same task had settled it, does not count.
    pub capacity_per_s: Estimate,
    /// Whether tasks were waiting when it was measured. Otherwise it is reckoned from what a task took, and no run has shown it.
    pub measured: bool,
    /// What allows a dyno no more.
    pub limited_by: String,
    /// Dynos that sustain the rate.
    pub sustain: Dynos,
    /// Dynos that drain the burst in time; `null` without one, and where its last task alone takes longer: `assumptions` says so.
    pub drain: Option<Dynos>,
    /// Time at a task, without the wait for a permit, seconds: the median of the means of its runs.
    pub task_s: f64,
    /// Mean wait for a worker, or a permit, with `sustain` dynos at the rate, milliseconds (Allen and Cunneen, Poisson arrivals); `null`
    /// where that says nothing.
    pub wait_ms: Option<f64>,
    /// Squared coefficient of variation of `task_s` that `wait_ms` comes from: the median of its runs, and 0 where tasks wait for
    /// permits; `null` without `wait_ms`.
    pub cs2: Option<f64>,
    /// The highest rate that the server allows, at what a task costs it, tasks a second; `null` where that is not known.
    pub server_per_s: Option<f64>,
    /// What has to be true for this, in a sentence each.
    pub assumptions: Vec<String>,
}

/// A number of dynos.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dynos {
    /// By the median capacity.
    pub value: u64,
    /// If a dyno can do as much as the upper bound says; `null` where there is no interval.
    pub low: Option<u64>,
    /// If it can do no more than the lower bound: who wants to be sure takes so many.
    pub high: Option<u64>,
    /// `value` dynos for a month.
    pub cost_per_month: Option<f64>,
}
