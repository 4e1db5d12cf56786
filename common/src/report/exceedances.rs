//! When the slowest tasks of a run ended: together, or spread over the window.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bins of 50 ms of the window that hold a task at or beyond a percentile, by the instant at which it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exceedances {
    /// Bins that the window has. What ends after it counts in one bin more.
    pub window_bins: u32,
    /// As in `latency_us`, here and below.
    pub queue_wait: Tails,
    /// See there.
    pub pool_wait: Tails,
    /// See there.
    pub service: Tails,
    /// See there.
    pub response: Tails,
    /// See there; with values of its own, not response's.
    pub response_from_send: Tails,
}

/// One latency, by percentile; `null` where the percentile is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tails {
    /// At or beyond the 50th percentile.
    pub p50: Option<Spread>,
    /// At or beyond the 90th.
    pub p90: Option<Spread>,
    /// At or beyond the 99th.
    pub p99: Option<Spread>,
    /// At or beyond the 99.9th.
    pub p99_9: Option<Spread>,
}

/// How the tasks at or beyond a percentile lie in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Bins that hold any of them.
    pub bins: u32,
    /// Rows of such bins with at least one bin without any between them.
    pub clusters: u32,
}
