//! What watched the machine while a run was measured.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The CPUs over the window, as a thread on each of them saw them, and the kernel's account of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// Scheduling class of the watching threads: `fifo-1`, `nice -10` or `normal`. Unless it is the first, lateness of
    /// ticks contains the run's own load.
    pub priority: String,
    /// By CPU; empty when the window never began.
    pub cpus: Vec<WatchedCpu>,
    /// CPU seconds that these CPUs worked, for whomever, stolen ones not counted; `null` where the kernel does not say.
    pub busy_s: Option<f64>,
    /// Share of these CPUs that went to nobody of this run: other programs, and what the kernel charges to none; `null` where a
    /// part of the run is elsewhere or the kernel does not say.
    pub others_share: Option<f64>,
    /// CPU seconds that the hypervisor gave to others while somebody here wanted them.
    pub steal_s: Option<f64>,
}

/// One CPU over the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WatchedCpu {
    /// Its number.
    pub cpu: u32,
    /// Ticks of one millisecond that were kept.
    pub ticks: u64,
    /// How much later than one millisecond ticks came, all together, milliseconds.
    pub late_ms: f64,
    /// The latest tick.
    pub worst_ms: f64,
    /// Median time of a fixed piece of work, microseconds; `null` when there was no time for any.
    pub yardstick_us: Option<f64>,
    /// Its median in the second half of the window over that in the first.
    pub yardstick_shift: Option<f64>,
}
