//! `warmup.json`: what `loadgen warmup` measured.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Host, RunResult};
use crate::plan::Variant;

/// Says that a file holds a [`Warmup`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WarmupKind {
    /// The only value of its `kind`.
    #[serde(rename = "warmup")]
    Warmup,
}

/// How long the variants of a plan take to become steady.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Warmup {
    /// Always `"warmup"`.
    pub kind: WarmupKind,
    /// [`SCHEMA_VERSION`](super::SCHEMA_VERSION) of the writer.
    pub schema_version: u32,
    /// Name of the plan.
    pub plan: String,
    /// SHA-256 of the plan as it was given, in hex, 16 digits.
    pub plan_hash: String,
    /// Number of the cell, from 0.
    pub cell: u32,
    /// The swept keys and their values.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// As the last probe saw it.
    pub host: Host,
    /// What the plan says, `load.warmup_s`.
    pub planned_s: f64,
    /// Length of a probe, which has no warm-up.
    pub probe_s: f64,
    /// In the plan's order.
    pub variants: Vec<Probe>,
    /// The longest of the variants' warm-ups; `null` when one of them did not become steady.
    pub needed_s: Option<f64>,
}

/// One variant, from its first task on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Probe {
    /// The engine and its settings.
    pub variant: Variant,
    /// Of its run.
    pub result: RunResult,
    /// Mean service time of the tasks that ended in each quarter of a second, microseconds; of the one before where none ended.
    pub service_us: Vec<f64>,
    /// What these fall into.
    pub segments: Vec<Segment>,
    /// From when on it is steady, seconds; `null`: not by the middle of the probe.
    pub steady_from_s: Option<f64>,
}

/// A time of one level and one scatter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Segment {
    /// Begin, seconds since the first task was planned.
    pub from_s: f64,
    /// End.
    pub to_s: f64,
    /// Mean of its quarters, microseconds.
    pub mean_us: f64,
}
