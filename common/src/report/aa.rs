//! What A/A benches of a host have found, kept for the verdicts to come.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comparison::Ratio;
use crate::plan::{Engine, TaskKind};

/// Says that a file holds an [`AaStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AaKind {
    /// The only value of its `kind`.
    #[serde(rename = "aa")]
    Aa,
}

/// A/A benches of one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AaStore {
    /// Always `"aa"`.
    pub kind: AaKind,
    /// [`SCHEMA_VERSION`](super::SCHEMA_VERSION) of the writer.
    pub schema_version: u32,
    /// Fingerprint of the host.
    pub host: String,
    /// In the order in which they came in.
    pub benches: Vec<AaBench>,
}

/// One cell of a bench of a variant against itself, with every block that it was to have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AaBench {
    /// Name of its plan.
    pub plan: String,
    /// As in its runs.
    pub plan_hash: String,
    /// Number of the cell in the plan, from 0.
    pub cell: u32,
    /// Of the cell's first run.
    pub started_at: String,
    /// Version of Headroom.
    pub headroom: String,
    /// `host.scheduling` of its runs.
    pub scheduling: String,
    /// Name of its baseline: one of the two names of the variant.
    pub variant: String,
    /// The variant's engine.
    pub engine: Engine,
    /// Kind of task.
    pub task: TaskKind,
    /// Window of a run.
    pub duration_s: f64,
    /// Warm-up of a run.
    pub warmup_s: f64,
    /// Blocks.
    pub blocks: u32,
    /// By name. Metrics with an unbounded or missing value in any block are left out.
    pub metrics: BTreeMap<String, AaMetric>,
}

/// What an A/A bench found of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AaMetric {
    /// Whether it is the plan's primary one.
    pub primary: bool,
    /// A difference was found, and there is none: the word of the primary metric was better or worse; p of another was at
    /// most 0.05.
    pub alarm: bool,
    /// Second name / first name, Hodges-Lehmann, with its 95 % interval.
    pub ratio: Ratio,
    /// Two-sided exact signed-rank p of "no difference".
    pub p_value: f64,
    /// Standard deviation of one block's log ratio, robust.
    pub noise_floor: Option<f64>,
    /// ln(second name / first name) of every block.
    pub log_ratios: Vec<f64>,
}
