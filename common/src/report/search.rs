//! `search.json`: the highest rates that the variants of a plan sustain.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comparison::{Estimate, Ratio};
use super::{Host, Resource, RunResult};
use crate::plan::Variant;

/// Says that a file holds a [`Search`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SearchKind {
    /// The only value of its `kind`.
    #[serde(rename = "search")]
    Search,
}

/// The highest rate of every variant in every cell of a plan, searched for several times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Search {
    /// Always `"search"`.
    pub kind: SearchKind,
    /// [`SCHEMA_VERSION`](super::SCHEMA_VERSION) of the writer.
    pub schema_version: u32,
    /// Name of the plan.
    pub plan: String,
    /// SHA-256 of the plan as it was given, in hex, 16 digits.
    pub plan_hash: String,
    /// As the last trial saw it.
    pub host: Host,
    /// Length of a trial's window, seconds, where none had to be longer.
    pub trial_s: f64,
    /// Ratio of neighbouring rates.
    pub step: f64,
    /// Searches asked for, of all variants side by side.
    pub searches: u32,
    /// In the plan's order.
    pub cells: Vec<SearchCell>,
    /// For every swept key and every variant, the smallest value that is enough. None where a value without a rate may be
    /// better, or enough, and none of keys that are swept together.
    pub enough: Vec<Enough>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchCell {
    /// Number of the cell, from 0.
    pub index: u32,
    /// The swept keys and their values.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// In the plan's order.
    pub variants: Vec<SearchVariant>,
    /// Of every variant but the baseline: its highest rate over the baseline's, over the searches.
    pub contrasts: Vec<SearchContrast>,
}

/// A variant in a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchVariant {
    /// The engine and its settings.
    pub variant: Variant,
    /// The rate that half of the trials pass, tasks a second: the median of the searches that came to an end, with its 95 % interval,
    /// the width of the grid included. A bound is `null` where too few searches were made for one, or where it falls among those that
    /// found none.
    pub rate_per_s: Estimate,
    /// Where the median falls among searches that nothing failed: what it is at least, tasks a second.
    pub at_least_per_s: Option<f64>,
    /// One for each search.
    pub found: Vec<FoundRate>,
    /// Every trial, in order.
    pub trials: Vec<SearchTrial>,
    /// Longer runs at the rate found (half a step below it) and at the next higher one (half a step above), when all searches were done.
    pub confirmation: Vec<SearchTrial>,
    /// Whether most of these runs pass at the lower rate and most fail at the higher one; `false`: most fail at the lower, or pass at the
    /// higher one; `null`: none were made, or too many of them say nothing.
    pub confirmed: Option<bool>,
    /// What most trials that failed were nearest to the limit of; `null` when none failed, or none had a limit that was seen.
    pub bottleneck: Option<Resource>,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SearchEnd {
    /// Between a rate that passes and the next higher one, which fails.
    Bracketed,
    /// The highest rate that could be tried passes.
    AtLeast,
    /// The lowest rate that could be tried fails.
    AtMost,
    /// A trial said nothing, or there was no end of trials: it counts in no figure.
    Unknown,
}

/// What one search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FoundRate {
    /// How it ended.
    pub end: SearchEnd,
    /// The highest rate that passes, below all that fail; `null`: none did.
    pub lower_per_s: Option<f64>,
    /// The lowest rate that fails: the next higher one, where the search was `bracketed`; `null`: none did.
    pub upper_per_s: Option<f64>,
    /// Rates that passed above one that failed.
    pub inversions: u32,
    /// Why it is not `bracketed`; empty when it is.
    pub reason: String,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchTrial {
    /// Of which search, from 0; of a longer run, in which round.
    pub search: u32,
    /// What was asked.
    pub rate_per_s: f64,
    /// Length of its window, seconds: longer than others where an objective for the 99th percentile needs more tasks.
    pub duration_s: f64,
    /// Verdict of the run, the last of its repeats.
    pub result: RunResult,
    /// Whether the variant kept up; `null`: the trial said nothing, nor did its repeats, so that its search came to no end.
    pub passed: Option<bool>,
    /// Why not, why nobody knows, or, of one that passed, what its window was too short to tell; empty when there is nothing to say.
    pub reason: String,
}

/// Two variants side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SearchContrast {
    /// The plan's.
    pub baseline: String,
    /// The other.
    pub contender: String,
    /// contender / baseline (Hodges-Lehmann), with the exact 95 % signed-rank interval, the width of the grid included: the lower bound is
    /// of the least, the upper of the largest ratios that the searches allow. `null`: unbounded, or unknown.
    pub ratio: Ratio,
    /// Of no difference; at most 0.05 where the interval excludes 1.
    pub p_value: Option<f64>,
    /// Searches that both came to an end with, be it the end of what could be tried.
    pub n: u32,
}

/// How much of a swept key is enough for a variant, in the cells that differ from the first in this key alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Enough {
    /// Name of the variant.
    pub variant: String,
    /// The swept key.
    pub key: String,
    /// Its smallest value with at least 95 % of the best rate; of values that are words, the first in the plan's order.
    pub value: serde_json::Value,
    /// The rate there, tasks a second.
    pub rate_per_s: f64,
    /// Whether `value` is the largest number that was tried: more may help.
    pub most_tried: bool,
    /// The best value.
    pub best_value: serde_json::Value,
    /// The rate there.
    pub best_per_s: f64,
    /// What most trials that failed at the best value were nearest to the limit of; `null`: no limit was seen.
    pub because: Option<Resource>,
}
