//! Clocks of dynos that do not read loadgen's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The clock of a dyno on another machine, or in a time namespace of its own, against loadgen's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClockOffset {
    /// Number of the dyno, from 0.
    pub dyno: u32,
    /// Its `CLOCK_MONOTONIC` less loadgen's, as found before the run: all its instants were converted by this.
    pub offset_us: f64,
    /// How far from the truth that may be, at most; or, where they knew it less well, the best of the answers during the run.
    pub uncertainty_us: f64,
    /// How far the offset was certainly off the one in use, at the worst of the instants at which the dyno was asked during the
    /// run; 0 when the one in use was possible by every answer; `null` when it never answered.
    pub drift_us: Option<f64>,
}
