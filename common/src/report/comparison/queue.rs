//! The queue of a variant in a cell, over its runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Estimate;

/// What a variant's valid runs say of their queue: medians over runs, sums where nothing else is said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueSummary {
    /// From sent to the server's answer, microseconds.
    pub enqueue_p50_us: Estimate,
    /// As above.
    pub enqueue_p99_us: Estimate,
    /// From sent to the begin of the attempt that was the last, microseconds.
    pub pick_up_p50_us: Estimate,
    /// As above.
    pub pick_up_p99_us: Estimate,
    /// Tasks in a claim that brought any.
    pub tasks_per_claim: Estimate,
    /// Share of the claims that brought nothing.
    pub empty_claims_share: Estimate,
    /// Commands of the server for a task, without putting it into the queue.
    pub commands_per_task: Estimate,
    /// Most tasks that waited to be claimed.
    pub peak_visible: Estimate,
    /// Most tasks that were claimed and not settled.
    pub peak_in_flight: Estimate,
    /// From the last send to the last end, milliseconds.
    pub drain_ms: Estimate,
    /// Failed attempts after which there was another.
    pub retries: u64,
    /// Tasks that were held too long, or by a dyno that was lost, and put back.
    pub redeliveries: u64,
    /// Tasks that were run although somebody else had settled them, or did before them.
    pub duplicates: u64,
    /// Tasks that nobody will try again.
    pub dead: u64,
    /// Entries that are no task; among the dead.
    pub foreign: u64,
    /// With `queue.record_results`: tasks that must have a result, over the runs whose results are known; `null` without any.
    pub results_expected: Option<u64>,
    /// Of these, kept and right.
    pub results_right: Option<u64>,
}
