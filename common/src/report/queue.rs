//! What a queue held and what became of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Distribution;

/// The queue of a run. Counts are of all phases, the untimed tasks included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueReport {
    /// From sent to the server's answer, of the window's tasks, microseconds.
    pub enqueue_us: Distribution,
    /// Connections of loadgen's into the queue that broke and were replaced.
    pub reconnects: u64,
    /// Tasks that were sent once more over the next one, because nobody had said that they were there: the server left out those that
    /// were.
    pub sent_again: u64,
    /// Claims that were answered.
    pub claims: u64,
    /// Of these, claims that brought nothing.
    pub empty_claims: u64,
    /// Entries that they brought.
    pub claimed: u64,
    /// Failed attempts after which there was another.
    pub retries: u64,
    /// Tasks that were held longer than `queue.visibility_timeout_s`, or by a dyno that was lost, and put back.
    pub redeliveries: u64,
    /// Tasks that were run although somebody else had settled them, or did before them.
    pub duplicates: u64,
    /// Of these, tasks of the window: the histograms hold them, the counts do not.
    pub duplicates_in_window: u64,
    /// Tasks put among the dead: by their last attempt, or because they were claimed too often. Entries that are no task are among them.
    pub dead: u64,
    /// Entries that are no task.
    pub foreign: u64,
    /// The most that there was of each, as seen ten times a second; `null` when nobody looked.
    pub peak: Option<Depth>,
    /// Over time.
    pub depth: Vec<DepthAt>,
    /// What the server says when the run is over; `null` when it no longer answered.
    pub left: Option<Left>,
    /// With `queue.record_results`: what the server kept; `null` without, and when it no longer answered.
    pub results: Option<Results>,
}

/// What is in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Depth {
    /// To be claimed.
    pub visible: u64,
    /// Claimed and not settled.
    pub in_flight: u64,
    /// Waiting for the next attempt.
    pub delayed: u64,
    /// Nobody will try them again.
    pub dead: u64,
}

/// At one instant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DepthAt {
    /// Seconds since the window began; negative in the warm-up.
    pub t_s: f64,
    /// By what was sent until then, and what the dynos had seen.
    #[serde(flatten)]
    pub depth: Depth,
}

/// What the server holds when a run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    /// To be claimed; `null` of a stream of a server before 7.0, which does not say.
    pub visible: Option<u64>,
    /// Claimed and not settled.
    pub in_flight: u64,
    /// Waiting for the next attempt.
    pub delayed: u64,
    /// Nobody will try them again.
    pub dead: u64,
    /// With `queue.record_results`: claims whose work was in vain, another having settled the task.
    pub duplicates: u64,
}

/// What the server kept of the results, against what the tasks must come to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Results {
    /// Tasks sent that must have one.
    pub expected: u64,
    /// Of these, kept and right.
    pub right: u64,
    /// Kept and wrong, or of no task that was sent.
    pub wrong: u64,
    /// Not kept.
    pub missing: u64,
    /// All that was kept together.
    pub sum: f64,
    /// What it must be.
    pub sum_expected: f64,
}
