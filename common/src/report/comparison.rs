//! `comparison.json`: what the runs of a bench say together.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drawing::{ResponseCurve, Timeline};
use super::prediction::{CostLine, Prediction, Scalability};
use super::{Ceiling, Counts, DynoLimits, Host, RedisServer, Severity, Versions};
use crate::plan::{Metric, Published, Variant};

mod answer;
mod queue;

pub use answer::{Answer, AnswerKind, Certainty, Change, Headroom, HeadroomEstimate, Held, Level, Lever, Limit};
pub use queue::QueueSummary;

/// Says that a file holds a [`Comparison`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ComparisonKind {
    /// The only value of a comparison's `kind`.
    #[serde(rename = "comparison")]
    Comparison,
}

/// All blocks of a plan, compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Always `"comparison"`.
    pub kind: ComparisonKind,
    /// [`super::SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Name of the plan.
    pub plan: String,
    /// What the plan asks.
    pub question: String,
    /// As in every run.
    pub plan_hash: String,
    /// The metric that the verdict is about, chosen before the first run.
    pub primary: Metric,
    /// The margin inside which two variants are the same, as a share (0.03 = 3 %).
    pub margin: f64,
    /// Error rate of every test and interval, of the primary contrasts together: 0.05; 0.03 at each of two declared looks,
    /// which is 0.05 in all.
    pub alpha: f64,
    /// Confidence of every interval: 1 - alpha.
    pub level: f64,
    /// How often the plan lets the bench be looked at: 2 when it has declared an extension.
    pub looks: u32,
    /// Primary contrasts of the bench, cells in which the primary metric can be had times contenders: their p is adjusted for all of them.
    pub family: u32,
    /// Fewest blocks of a cell with which any of these can be `better` or `worse`: with fewer the adjusted p is above `alpha`
    /// however large the difference is.
    pub blocks_min: u32,
    /// Blocks that the plan asked for, per cell.
    pub blocks_planned: u32,
    /// Blocks that the plan asked for where those leave it open; `null` without a declared extension.
    pub extend_to: Option<u32>,
    /// Whether any cell was extended.
    pub extended: bool,
    /// Whether every block that the plan asks for is there and valid.
    pub complete: bool,
    /// What `--force` let through, in any of the runs or when they were compared: each a sentence.
    pub forced: Vec<String>,
    /// Whether it is an A/A bench: both variants are the same, and nothing is recommended.
    pub aa: bool,
    /// The machine, as the first run saw it.
    pub host: Host,
    /// What loadgen itself can send here, of each engine as the newest of its runs knew it; empty: never calibrated.
    pub ceilings: Vec<Ceiling>,
    /// The server, as the first run saw it.
    pub redis_server: RedisServer,
    /// The software, as the first run saw it.
    pub versions: Versions,
    /// The answer to the question, over all cells.
    pub answer: Answer,
    /// In the plan's order.
    pub cells: Vec<Cell>,
    /// How throughput goes with the number of workers, by sweep and variant; empty where the plan does not sweep it.
    pub scalability: Vec<Scalability>,
    /// What a second costs by the rate, of workers and of the server, by sweep and variant; empty where the plan does not sweep
    /// `load.rate_per_s`.
    pub cost_lines: Vec<CostLine>,
    /// What others measured, where the plan quotes it.
    pub published: Vec<Published>,
    /// Of these, what names its workers: whether it can be, and whether it was so here.
    pub claims: Vec<Claim>,
    /// Every check of validity that was asked of any run, in the order of the runs.
    pub checks: Vec<CheckTally>,
    /// The plan as it was run, with the text of its traces: TOML that parses to the same plan.
    pub plan_toml: String,
}

/// One check of validity, over all runs of the bench.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckTally {
    /// As in the runs.
    pub name: String,
    /// What a failure does to a run.
    pub severity: Severity,
    /// Runs of which it was asked, invalid ones included.
    pub runs: u32,
    /// How many of them failed it.
    pub failed: u32,
    /// What to do about a failure: of the first one, where there was any.
    pub remedy: String,
}

/// One combination of swept parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// Number of the cell in the plan, from 0.
    pub index: u32,
    /// The swept keys and their values.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// What the plan's `[dyno]` came to, as the cell's first run saw it; `null` without one.
    pub dyno: Option<DynoLimits>,
    /// How far away the server was; `null` without a distance.
    pub distance: Option<Distance>,
    /// The look that this is of: 2 once the declared extension has begun in this cell.
    pub look: u32,
    /// Blocks that the plan asks for until this look.
    pub blocks_planned: u32,
    /// Blocks in which every variant's run is valid.
    pub blocks: u32,
    /// Blocks thrown away because a run in them was invalid.
    pub blocks_void: u32,
    /// In the plan's order.
    pub variants: Vec<VariantSummary>,
    /// Primary metric first, then the secondary ones.
    pub contrasts: Vec<Contrast>,
    /// Negative controls of every contender: what should be the same whatever the variants are.
    pub controls: Vec<Contrast>,
    /// Who keeps up more often.
    pub keeps_up: Vec<KeepsUp>,
    /// What to take from this cell.
    pub recommendation: Answer,
}

/// How far away the server was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distance {
    /// `redis.rtt_us`.
    pub asked_rtt_us: u32,
    /// `redis.jitter_us`.
    pub jitter_us: u32,
    /// What round trips took longer before the runs: the median of all runs of the cell.
    pub added_us: Option<f64>,
}

/// One variant in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VariantSummary {
    /// The engine and its settings.
    pub variant: Variant,
    /// Its runs by verdict.
    pub runs: RunVerdicts,
    /// Sums over its valid runs, one a block.
    pub counts: Counts,
    /// Whether its runs were the same late in the window as early; `null` when arrivals change by plan, and when too few runs say:
    /// in windows of less than about 6 s a third may hold no whole second. The answer notes it.
    pub steady: Option<Steadiness>,
    /// Failed checks by name: in how many of its runs, invalid ones included.
    pub checks_failed: BTreeMap<String, u32>,
    /// Every metric and a few figures that are described only: median over the valid runs, one a block, with a
    /// distribution-free interval.
    pub metrics: BTreeMap<String, Estimate>,
    /// To be drawn: percentiles of response over all valid runs; `null` without tasks.
    pub response_curve: Option<ResponseCurve>,
    /// To be drawn: the valid runs by seconds; `null` without any.
    pub timeline: Option<Timeline>,
    /// What theory and a simulation say, beside what was measured.
    pub prediction: Prediction,
    /// The queue in which tasks waited; `null` where they were pushed, and without valid runs.
    pub queue: Option<QueueSummary>,
}

/// Median of response in the last third of the window over that in the first, over the valid runs of a variant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Steadiness {
    /// Runs.
    pub n: u32,
    /// Hodges-Lehmann estimate with its interval, at the comparison's level.
    pub ratio: Ratio,
    /// What that means.
    pub state: SteadyState,
}

/// Whether a variant was steady.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SteadyState {
    /// The interval with twice the comparison's alpha (90 % where that is 0.05) lies within 5 % of 1.
    Steady,
    /// The interval at the comparison's level lies beyond: nothing is said of the cell.
    Unsteady,
    /// Neither.
    Unknown,
}

/// Runs by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunVerdicts {
    /// Kept up.
    pub ok: u32,
    /// Did not.
    pub overloaded: u32,
    /// Could not be believed.
    pub invalid: u32,
    /// Neither could be shown.
    pub inconclusive: u32,
}

/// A median over runs. `null` bounds: too few runs for an interval, or it falls among unbounded values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// Median of the runs' values.
    pub value: Option<f64>,
    /// Lower end of the interval of the median, at the comparison's level.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Runs that have a value, unbounded ones included.
    pub n: u32,
}

/// A published figure of so many workers, of one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// As in `published`.
    pub source: String,
    /// Workers of a dyno.
    pub workers: u32,
    /// Which of its figures.
    pub figure: ClaimFigure,
    /// What is claimed, in the original's time.
    pub claimed: f64,
    /// What permits and workers allow at best, so many at once over the time that each takes: the highest rate, the
    /// shortest drain, the lowest peak; `null` without permits, of a drain where nobody says how many tasks waited, of a peak where
    /// nothing had to wait.
    pub allowed: Option<f64>,
    /// The cell with so many workers; `null`: the plan has none.
    pub cell: Option<u32>,
    /// In the plan's order.
    pub measured: Vec<MeasuredClaim>,
    /// The word.
    pub word: ClaimWord,
    /// Why.
    pub reason: String,
}

/// A published figure that is judged, named as in `published`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimFigure {
    /// Tasks a second.
    RealPerS,
    /// Minutes until nothing waited any more.
    DrainMin,
    /// Most tasks that waited.
    Peak,
}

/// What a variant did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MeasuredClaim {
    /// Its name.
    pub variant: String,
    /// The same figure of one dyno, in the original's time: by the median of its runs; `null` where there is none.
    pub value: Option<f64>,
}

/// What is to be thought of a published figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimWord {
    /// Better than can be.
    Impossible,
    /// All variants did the same, within 5 %.
    Confirmed,
    /// They did not.
    Refuted,
    /// Nothing was measured, or on another machine, or something else was asked for.
    Unknown,
}

impl std::fmt::Display for ClaimWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ClaimWord::Impossible => "impossible",
            ClaimWord::Confirmed => "confirmed",
            ClaimWord::Refuted => "refuted",
            ClaimWord::Unknown => "unknown",
        })
    }
}

/// A ratio contender / baseline. `null`: unbounded or not computable.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ratio {
    /// Hodges-Lehmann estimate.
    pub value: Option<f64>,
    /// Lower end of the unadjusted interval, at the comparison's level.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// The verdict of a contrast, from the contender's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ContrastVerdict {
    /// The contender needs less (or does more) than the baseline.
    Better,
    /// The contender needs more.
    Worse,
    /// The difference is inside the margin.
    Same,
    /// Cannot be told from these runs.
    Unknown,
}

/// One metric of two variants, compared over blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contrast {
    /// What is compared.
    pub metric: Metric,
    /// Whether it is the plan's primary metric; the words of others are secondary, unadjusted.
    pub primary: bool,
    /// Name of the variant below the line.
    pub baseline: String,
    /// Name of the variant above the line.
    pub contender: String,
    /// contender / baseline.
    pub ratio: Ratio,
    /// Two-sided exact signed-rank p of "no difference".
    pub p_value: Option<f64>,
    /// After Holm over the primary contrasts of all cells; the plain one for secondary metrics. `null` where nothing may be
    /// concluded from it, which counts in the family as 1.
    pub p_adjusted: Option<f64>,
    /// TOST p of "beyond the margin".
    pub p_same: Option<f64>,
    /// After Holm, as above.
    pub p_same_adjusted: Option<f64>,
    /// Standard deviation of one block's log ratio, robust: of these blocks, or of this host's A/A blocks if that is larger.
    pub noise_floor: Option<f64>,
    /// Smallest log ratio that these blocks find with 80 % power by a test of its own; `null` also with too few blocks for the
    /// family, and where half of them have the same ratio.
    pub detectable: Option<f64>,
    /// Blocks needed to show the observed ratio.
    pub blocks_needed_better: Option<u64>,
    /// Blocks needed to show "same" within the margin.
    pub blocks_needed_same: Option<u64>,
    /// Whether it mattered which ran first.
    pub order_effect: Option<OrderEffect>,
    /// Blocks compared.
    pub n: u32,
    /// Whether A/A benches of this host are known that fit.
    pub calibrated: bool,
    /// What they say together; `null` when there are none.
    pub aa: Option<AaPool>,
    /// The word.
    pub verdict: ContrastVerdict,
    /// What kind of reason there is for `unknown`; `null` with the other words.
    pub cause: Option<Cause>,
    /// Why, where the word is `unknown`; notes otherwise.
    pub reason: String,
}

/// What A/A benches say of a metric: the same variant under two names.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AaPool {
    /// A/A benches.
    pub benches: u32,
    /// Their blocks.
    pub blocks: u32,
    /// Hodges-Lehmann estimate over all these blocks with its 95 % interval: it should hold 1.
    pub ratio: Ratio,
    /// Standard deviation of the log ratio of one such block, robust; `null` when none has the length of this bench's.
    pub noise_floor: Option<f64>,
}

/// Why a contrast is `unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Too many blocks were void, or one variant voided far more than the other.
    Validity,
    /// More than a tenth of a variant's runs were overloaded: only who keeps up can be told.
    Overload,
    /// Response moved within the window: the warm-up is too short, or something grows.
    Unsteady,
    /// Too few blocks for any interval, or, after adjustment for the family, for any difference however large.
    FewBlocks,
    /// The bench was stopped before its blocks were run, or is under way.
    Incomplete,
    /// The metric was not measured in every run.
    NotMeasured,
    /// Too few tasks lie beyond the percentile in some run.
    FewTasks,
    /// These tasks lie in too few clusters in some run: a few stalls made the percentile.
    FewClusters,
    /// In too many blocks the value of both is unbounded.
    Unbounded,
    /// Response and response from send disagree on the sign: the generator made the difference.
    Generator,
    /// A/A benches of this host find a difference where there is none.
    BiasedInstrument,
    /// The blocks scatter too much to tell.
    Noise,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Cause::Validity => "validity",
            Cause::Overload => "overload",
            Cause::Unsteady => "unsteady",
            Cause::FewBlocks => "few blocks",
            Cause::Incomplete => "incomplete",
            Cause::NotMeasured => "not measured",
            Cause::FewTasks => "few tasks",
            Cause::FewClusters => "few clusters",
            Cause::Unbounded => "unbounded",
            Cause::Generator => "generator",
            Cause::BiasedInstrument => "biased instrument",
            Cause::Noise => "noise",
        })
    }
}

/// Half of the shift between blocks that ran the baseline first and those that ran it second, log ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderEffect {
    /// Half the difference of the two Hodges-Lehmann estimates.
    pub value: f64,
    /// Lower end of its exact interval, at the comparison's level; `null` with too few blocks.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// Who keeps up, by an exact sign test over the blocks where only one did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KeepsUp {
    /// Name of the first variant.
    pub baseline: String,
    /// Name of the second.
    pub contender: String,
    /// Blocks in which only the first kept up.
    pub only_baseline: u32,
    /// Blocks in which only the second did.
    pub only_contender: u32,
    /// Two-sided p.
    pub p_value: f64,
}
