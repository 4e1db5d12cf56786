//! The network between dynos and server: what was asked for, and what was measured of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Distribution;

/// What the delay proxy did, in a run whose plan asks for a distance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Network {
    /// `redis.rtt_us`.
    pub asked_rtt_us: u32,
    /// `redis.jitter_us`.
    pub jitter_us: u32,
    /// Scheduling class that the proxy really had: `fifo-1`, `nice -10` or `normal`.
    pub priority: String,
    /// `PING`s straight to the server, before the first task.
    pub direct_us: Distribution,
    /// `PING`s through the proxy, right after them.
    pub through_us: Distribution,
    /// Median of the latter less median of the former.
    pub added_us: Option<f64>,
    /// Over the window; `null` when the proxy did not answer at both of its ends.
    pub passed_on: Option<PassedOn>,
}

/// What the proxy passed on over the window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PassedOn {
    /// Pieces: what one read took. A round trip with a small request and reply is two. Ends of connections are none.
    pub pieces: u64,
    /// Bytes, both directions together.
    pub bytes: u64,
    /// Connections at the end of the window.
    pub connections: u64,
    /// Most pieces that waited at once.
    pub queue_max: u64,
    /// When pieces were passed on, less when they were due; 0 for those that went early, by 100 us at most. Pieces whose
    /// receiver had no room are not in it.
    pub lateness_us: Distribution,
}
