//! What `analysis diff` says of two benches of the same plan: before a change, and after it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comparison::{Cause, ContrastVerdict, Estimate, Ratio, RunVerdicts};
use super::{Host, RedisServer, Versions};
use crate::plan::Metric;

/// Says that a report holds a [`Diff`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DiffKind {
    /// The only value of a diff's `kind`.
    #[serde(rename = "diff")]
    Diff,
}

/// Two benches of a plan, variant by variant. Their runs were not made side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// Always `"diff"`.
    pub kind: DiffKind,
    /// [`super::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Name of the plan of the old bench.
    pub plan: String,
    /// What it asks.
    pub question: String,
    /// Its primary metric.
    pub primary: Metric,
    /// Its margin, as a share.
    pub margin: f64,
    /// Family-wise error rate of the primary metric over all cells and variants.
    pub alpha: f64,
    /// What `--force` let through, in the benches or now: each a sentence.
    pub forced: Vec<String>,
    /// The bench before.
    pub old: Side,
    /// The bench after.
    pub new: Side,
    /// How long the watching threads took for a fixed piece of work; `null` when a bench has fewer than four runs that say.
    pub yardstick: Option<Yardstick>,
    /// What the ratios contain besides the change: one sentence each.
    pub caveats: Vec<String>,
    /// Cells that both benches have, in the old plan's order.
    pub cells: Vec<DiffCell>,
    /// Whether any primary metric is `worse`, or a variant keeps up less often.
    pub regression: bool,
}

/// One of the two benches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    /// As in its runs.
    pub plan_hash: String,
    /// When its first run started: UTC, RFC 3339.
    pub started_first: String,
    /// When its last run did.
    pub started_last: String,
    /// The software, as the first run saw it.
    pub versions: Versions,
    /// The machine, as the first run saw it.
    pub host: Host,
    /// The server, as the first run saw it.
    pub redis_server: RedisServer,
}

/// A fixed piece of work on the CPUs during the runs of both benches: its median time on the slowest CPU of each run,
/// microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Yardstick {
    /// Median over the old runs.
    pub old: Estimate,
    /// Median over the new runs.
    pub new: Estimate,
    /// new / old.
    pub ratio: Ratio,
    /// Two-sided p of "no shift".
    pub p_value: f64,
}

/// One combination of swept parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DiffCell {
    /// Number of the cell in the old plan, from 0.
    pub index: u32,
    /// The swept keys and their values.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Those that both benches have, in the old plan's order.
    pub variants: Vec<DiffVariant>,
    /// How every contender stands to the baseline in the primary metric, before and after.
    pub relative: Vec<Relative>,
}

/// The ratio of a contender to the baseline in both benches, over blocks, and its change. What slows both variants of a block
/// alike is not in it: where only one of them was meant to change, the other is the control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Relative {
    /// The primary metric.
    pub metric: Metric,
    /// Name of the variant below the line.
    pub baseline: String,
    /// Name of the variant above the line.
    pub contender: String,
    /// contender / baseline in the old bench.
    pub old: Ratio,
    /// contender / baseline in the new bench.
    pub new: Ratio,
    /// The new ratio over the old one.
    pub change: Ratio,
    /// Two-sided exact rank-sum p of "no change", unadjusted.
    pub p_value: f64,
}

/// One variant in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DiffVariant {
    /// Name of the variant.
    pub variant: String,
    /// Its old runs by verdict, those of void blocks included.
    pub runs_old: RunVerdicts,
    /// Its new runs.
    pub runs_new: RunVerdicts,
    /// Whether it keeps up as often.
    pub kept_up: KeptUp,
    /// Primary metric first, then the others.
    pub changes: Vec<Change>,
}

/// How often a variant was `ok`, by Fisher's exact test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeptUp {
    /// Old runs that were `ok`, of one a block.
    pub ok_old: u32,
    /// Old runs, one a block.
    pub n_old: u32,
    /// New runs that were `ok`.
    pub ok_new: u32,
    /// New runs.
    pub n_new: u32,
    /// Two-sided p of "as often".
    pub p_value: f64,
    /// After Holm over all cells and variants.
    pub p_adjusted: f64,
    /// `worse`: less often; `better`: more often; else `unknown`.
    pub verdict: ContrastVerdict,
}

/// One metric of a variant, new against old.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What is compared.
    pub metric: Metric,
    /// Whether it is the plan's primary metric; the words of others are secondary, unadjusted.
    pub primary: bool,
    /// Median of the old runs.
    pub old: Estimate,
    /// Median of the new runs.
    pub new: Estimate,
    /// new / old.
    pub ratio: Ratio,
    /// Two-sided exact rank-sum p of "no shift".
    pub p_value: Option<f64>,
    /// After Holm over the primary metric of all cells and variants; the plain one for secondary metrics.
    pub p_adjusted: Option<f64>,
    /// p of "beyond the margin", by two one-sided tests.
    pub p_same: Option<f64>,
    /// After Holm, as above.
    pub p_same_adjusted: Option<f64>,
    /// Standard deviation of one run's logarithm within its bench, robust.
    pub noise_floor: Option<f64>,
    /// Smallest log ratio that these runs would find with 80 % power.
    pub detectable: Option<f64>,
    /// The word, from the new bench's side.
    pub verdict: ContrastVerdict,
    /// What kind of reason there is for `unknown`; `null` with the other words.
    pub cause: Option<Cause>,
    /// Why, where the word is `unknown`; notes otherwise.
    pub reason: String,
}
