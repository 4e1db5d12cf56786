//! What a comparison says in words: the answer to the plan's question, how sure it is, what limits it, and what would
//! change it. Every figure in a sentence stands in a field beside it, or in the contrasts that it rests on.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Ratio;
use crate::plan::Metric;
use crate::report::Resource;

/// The answer to the plan's question, of one cell or of all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// In one sentence, with its certainty.
    pub sentence: String,
    /// What kind of answer it is.
    pub kind: AnswerKind,
    /// Name of the variant to take; `null` where it does not matter, cannot be told, or depends on the cell.
    pub variant: Option<String>,
    /// Where `variant` is `null` though something was shown: those of which none was shown to be better than another.
    pub tied: Vec<String>,
    /// How sure it is; `null` when there is nothing to compare.
    pub certainty: Option<Certainty>,
    /// In which cells each variant kept up in every block.
    pub held: Vec<Held>,
    /// What each variant held of what was asked; over all cells one entry per variant and setting but the rate.
    pub headroom: Vec<Headroom>,
    /// What was short, or nearest to it, most often first; variants in the plan's order.
    pub limited_by: Vec<Limit>,
    /// What would change the answer, from measurements alone.
    pub would_change: Vec<Change>,
    /// What lowers its certainty, each a sentence: what is missing, what was forced, what runs warn of.
    pub doubts: Vec<String>,
    /// What must be known beside it and lowers nothing, each a sentence.
    pub notes: Vec<String>,
}

/// Kinds of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerKind {
    /// A variant was shown to be better by the primary metric: `variant`, or one of `tied`.
    Wins,
    /// No difference that matters: sameness within the margin was shown.
    Same,
    /// Cannot be told from these runs; or a difference was shown that is too small to choose by between two binaries.
    Unknown,
    /// Only who keeps up can be told: `variant`, or nobody.
    KeepsUp,
    /// Not the same in all cells: the sentence says what holds where.
    ByCell,
}

/// How sure an answer is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Certainty {
    /// In a word.
    pub level: Level,
    /// Number of the cell with the least certain of the contrasts that the sentence rests on; of those that show nothing, the
    /// one that is nearest to a word. The rest is about this one.
    pub cell: u32,
    /// The primary metric.
    pub metric: Metric,
    /// Name of the variant below the line.
    pub baseline: String,
    /// Name of the variant above the line.
    pub contender: String,
    /// Adjusted for the family: of "no difference", or of "beyond the margin" where the word is `same`; of the sign test where
    /// only who keeps up can be told. `null`: there was nothing to test.
    pub p: Option<f64>,
    /// Whether `p` is adjusted for a family of more than one contrast.
    pub adjusted: bool,
    /// contender / baseline with its unadjusted interval, at the comparison's level.
    pub interval: Ratio,
    /// Blocks compared.
    pub blocks: u32,
    /// Whether an A/A bench of this host is known for all contrasts that the sentence rests on.
    pub calibrated: bool,
}

/// Certainty in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Nothing was shown by which to choose.
    None,
    /// Shown (p at most 0.05 after adjustment), but with doubts about how it was measured.
    Low,
    /// Shown, without doubts.
    Moderate,
    /// Shown with p at most 0.01 after adjustment, calibrated, without doubts.
    High,
}

/// Where a variant kept up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// Its name.
    pub variant: String,
    /// Numbers of the cells in which every valid run of it was `ok`, and there was one.
    pub cells: Vec<u32>,
    /// The same in words.
    pub sentence: String,
}

/// How much more than asked a variant held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Headroom {
    /// Its name.
    pub variant: String,
    /// The swept keys and their values, without the rate.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// The rate asked, tasks a second; where it is swept, that of the cell, or over all cells the lowest.
    pub asked_per_s: f64,
    /// The highest rate below `failed_per_s` that held: every valid run of the variant was `ok`. `null`: that asked did not.
    pub held_per_s: Option<f64>,
    /// `held_per_s / asked_per_s`.
    pub factor: Option<f64>,
    /// The lowest rate from that asked at which not every run was `ok`; `null`: all that were run held, and nothing is known
    /// beyond.
    pub failed_per_s: Option<f64>,
    /// Runs that were `ok` at `failed_per_s`.
    pub failed_runs_ok: Option<u32>,
    /// Valid runs at `failed_per_s`.
    pub failed_runs: Option<u32>,
    /// Overloaded ones among these: with none of them it cannot be told whether that rate held.
    pub failed_runs_overloaded: Option<u32>,
    /// Runs that were `ok` at the rate that held, or at that asked where it did not.
    pub runs_ok: u32,
    /// Valid runs at that rate.
    pub runs: u32,
    /// How much of the CPUs other programs used: the median of these runs; `null` where that is not known.
    pub others_share: Option<f64>,
    /// What there may be beyond `held_per_s`; `null` where a rate that did not hold is known, no share was measured, or other
    /// programs used more than a tenth of the CPUs.
    pub estimate: Option<HeadroomEstimate>,
    /// The same in a sentence.
    pub sentence: String,
}

/// An estimate from measured shares; not measured. It supposes that a task costs at a higher rate what it costs at the measured one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeadroomEstimate {
    /// Over the rate asked: where the first of the shares below would be 1. Tasks queue before that.
    pub factor: f64,
    /// The most used resource of workers and server; generator and delay proxy are instruments and left out.
    pub resource: Resource,
    /// How much of it was used: the median of the runs at the rate that held.
    pub share: f64,
    /// How much of all CPUs was used, by everything on the machine; `null` where server, generator and dynos do not share CPUs,
    /// or that is not known.
    pub machine_share: Option<f64>,
}

/// What was short in the runs of a variant, or nearest to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limit {
    /// Name of the variant.
    pub variant: String,
    /// The bottleneck that these runs name.
    pub resource: Resource,
    /// How much of it was used: the median of these runs.
    pub share: f64,
    /// How many of the runs name it.
    pub runs: u32,
    /// Valid runs of the variant.
    pub of: u32,
}

/// Something that would change the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What would have to be other.
    pub lever: Lever,
    /// The variant that it is about; of two that are compared, the contender.
    pub variant: String,
    /// How, and what was measured that says so.
    pub sentence: String,
    /// The figure that supports it, as the lever says.
    pub figure: Option<f64>,
}

/// What can be other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lever {
    /// More blocks: how many are needed.
    Blocks,
    /// Another margin: the largest at which the word is another, or the smallest, as a share.
    Margin,
    /// Another value of a swept key: the ratio there, `null` where only who keeps up is known.
    Cell,
    /// More connections: pool wait as a share of service.
    Connections,
    /// More workers: queue wait as a share of response.
    Workers,
    /// What was exhausted: the share of it that was used.
    Bottleneck,
    /// What kept the runs from a word (void blocks, too few tasks, an unsteady variant), or belongs to nobody in them: the share
    /// of the CPUs that other programs used, else no figure.
    Measurement,
}
