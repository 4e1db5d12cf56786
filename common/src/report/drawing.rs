//! What `comparison.json` holds to be drawn and for nothing else: no verdict is made from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Phase;

/// Response of all tasks of a variant's valid runs, merged only to draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResponseCurve {
    /// Recorded values of all runs.
    pub n: u64,
    /// Tasks that never got a value (failed, unfinished, beyond an hour): larger than every recorded one.
    pub unbounded: u64,
    /// By rising percentile; it ends where fewer than 30 tasks lie beyond, or where the unbounded ones begin.
    pub points: Vec<CurvePoint>,
}

/// One percentile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CurvePoint {
    /// Percent of the tasks that took no longer, unbounded ones among all: 99.9.
    pub percentile: f64,
    /// Response, microseconds.
    pub us: f64,
    /// Tasks beyond.
    pub beyond: u64,
}

/// The valid runs of a variant by seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// Seconds that a moment stands for: 1, more in long runs.
    pub step_s: u32,
    /// By time, from the warm-up to the drain.
    pub moments: Vec<Moment>,
}

/// What the runs did at the same time of the plan. `null`: none of them has a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// Its end, seconds since the window began; negative in the warm-up.
    pub t_s: f64,
    /// Where it lies.
    pub phase: Phase,
    /// Tasks sent a second.
    pub sent_per_s: Option<Spread>,
    /// Tasks completed a second.
    pub completed_per_s: Option<Spread>,
    /// Sent and not finished at the end of a second.
    pub backlog: Option<Spread>,
    /// Of a queue: tasks to be claimed, ten times a second.
    pub visible: Option<Spread>,
    /// Of a queue: tasks claimed and not settled, ten times a second.
    pub in_flight: Option<Spread>,
    /// Median of response of the tasks that completed in a second, microseconds.
    pub response_p50_us: Option<Spread>,
    /// 99th percentile, as above.
    pub response_p99_us: Option<Spread>,
}

/// Median, smallest and largest over runs (and over the seconds of a moment that stands for several).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub low: f64,
    /// The largest.
    pub high: f64,
    /// Values that it is made of.
    pub n: u32,
}
