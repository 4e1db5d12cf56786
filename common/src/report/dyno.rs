//! What a plan's `[dyno]` came to on the machine of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{CpuLimit, DynoClass};

/// What was asked for each dyno, and what each had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DynoLimits {
    /// Class and scale in words, such as `performance-l scaled 1:4`: what the run may be called. Never the class alone where
    /// dynos had less than it, or were not limited to it as asked.
    pub label: String,
    /// Class of the plan.
    pub class: DynoClass,
    /// How CPUs were to be limited.
    pub limit: CpuLimit,
    /// CPUs asked for each dyno.
    pub vcpus_asked: u32,
    /// CPUs that the dyno with the fewest had: those that it could use, shared with other dynos by their number, and within its
    /// quota; `null` where the kernel did not say.
    pub vcpus: Option<f64>,
    /// CPUs asked over CPUs had; 1: as the class, 4: a fourth of it.
    pub scale: Option<f64>,
    /// Whether server or generator could use the dynos' CPUs too.
    pub cpus_shared: Option<bool>,
    /// Memory asked for each dyno.
    pub memory_asked_bytes: u64,
    /// The largest limit that was in force for a dyno; `null`: some dyno's memory was not limited.
    pub memory_limit_bytes: Option<u64>,
}

/// What the kernel held back of CPU time over the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Throttling {
    /// Periods in which a quota was used up.
    pub periods: u64,
    /// Time that threads waited for the next period, microseconds, summed over CPUs.
    pub throttled_us: u64,
}
