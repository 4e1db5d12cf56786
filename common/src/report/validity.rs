//! Whether a run may be believed, and what it says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a run may be believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Validity {
    /// No check of severity `invalid` failed.
    pub valid: bool,
    /// Every check, passed ones included.
    pub checks: Vec<Check>,
}

/// What a failed check means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Said, and the run stays valid.
    Warning,
    /// The run is invalid.
    Invalid,
}

/// One validity check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Stable name.
    pub name: String,
    /// Whether it passed.
    pub ok: bool,
    /// What a failure means.
    pub severity: Severity,
    /// What was measured; `null` when there was nothing to measure.
    pub value: Option<f64>,
    /// What it was compared with.
    pub limit: Option<f64>,
    /// What to do about a failure, in one sentence.
    pub remedy: String,
}

/// The verdict of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// It kept up.
    Ok,
    /// It did not keep up.
    Overloaded,
    /// The measurement failed.
    Invalid,
    /// Neither could be shown.
    Inconclusive,
}

impl std::fmt::Display for RunResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RunResult::Ok => "ok",
            RunResult::Overloaded => "overloaded",
            RunResult::Invalid => "invalid",
            RunResult::Inconclusive => "inconclusive",
        })
    }
}

/// The verdict with its reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The word.
    pub result: RunResult,
    /// Why, in one sentence.
    pub reason: String,
    /// What would change it, in one sentence; empty when there is nothing to do.
    pub remedy: String,
    /// What limited the run, or was nearest to a limit; `null` when that was not measured.
    pub bottleneck: Option<Pressure>,
}

/// What can be short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// The thread that sends.
    Generator,
    /// The delay proxy's one thread.
    Proxy,
    /// The threads of the Redis server that can work.
    ServerCpu,
    /// The CPUs that the dynos can have beside the others.
    WorkerCpu,
    /// Connections of pools.
    Connections,
    /// Permits of the dynos, where there are no more of them than workers.
    Permits,
    /// Workers at a task; where tasks wait in Redis, the room for claimed ones too, until the server knows that they are done.
    Workers,
    /// Workers or connections whose time is mostly the way to the server and back.
    NetworkDistance,
}

impl Resource {
    /// Whether it belongs to what measures, and not to what is measured.
    #[must_use]
    pub fn is_instrument(self) -> bool {
        matches!(self, Resource::Generator | Resource::Proxy)
    }
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Resource::Generator => "generator",
            Resource::Proxy => "delay proxy",
            Resource::ServerCpu => "server CPU",
            Resource::WorkerCpu => "worker CPU",
            Resource::Connections => "connections",
            Resource::Permits => "permits",
            Resource::Workers => "workers",
            Resource::NetworkDistance => "network distance",
        })
    }
}

/// How much of a resource was used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pressure {
    /// Which.
    pub resource: Resource,
    /// Of what there was over the window: 1 is all of it.
    pub share: f64,
}
