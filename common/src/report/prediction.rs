//! What theory and a simulation say of a variant, beside what was measured.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Resource;
use super::comparison::Estimate;

/// One variant in one cell: predicted, measured, and how far apart they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Prediction {
    /// Block of the run that all of this is about: of the valid runs that kept up (of all valid ones, where none did) the one
    /// with the median of their response p50, the lower of two; `null` without a valid run.
    pub block: Option<u32>,
    /// Share of its time that a worker would be at a task: rate x mean service / workers, of the dyno with the fewest; `null`
    /// where the service is not known.
    pub utilisation: Option<f64>,
    /// Every model, whether it applies or not.
    pub models: Vec<ModelPrediction>,
    /// The most that the variant could complete; `null` where nothing is known of what a task takes.
    pub bounds: Option<ThroughputBounds>,
    /// What does not go together, in words; empty when nothing stands out.
    pub finding: String,
}

/// By which model something was predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PredictionModel {
    /// A formula: every worker has a queue of its own.
    QueuePerWorker,
    /// A formula: what the same workers would do with one queue in common.
    CommonQueue,
    /// The run's own arrivals, each with a service drawn from the measured ones, event by event.
    Simulation,
}

impl std::fmt::Display for PredictionModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PredictionModel::QueuePerWorker => "queue per worker",
            PredictionModel::CommonQueue => "common queue",
            PredictionModel::Simulation => "simulation",
        })
    }
}

/// What one model says of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelPrediction {
    /// Which.
    pub model: PredictionModel,
    /// What it takes for granted, in one sentence.
    pub assumes: String,
    /// By the name of what is predicted, with its unit; `null` where the model does not apply.
    pub figures: Option<BTreeMap<String, Predicted>>,
    /// Why it does not apply; else empty.
    pub reason: String,
}

/// One figure, predicted and measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Predicted {
    /// By the model; `null` where it has too few tasks for a percentile.
    pub predicted: Option<f64>,
    /// In the run; `null` where it was not measured, or is another system's.
    pub measured: Option<f64>,
    /// predicted / measured - 1.
    pub residual: Option<f64>,
}

/// Asymptotic bounds of throughput: no resource can do more than all of its time allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThroughputBounds {
    /// The lowest of `resources`, tasks a second.
    pub at_most_per_s: f64,
    /// Whose it is.
    pub bound_by: Resource,
    /// What was completed, and what share of `at_most_per_s` that is: its headroom is the rest.
    pub completed_per_s: Option<f64>,
    /// `completed_per_s` / `at_most_per_s`.
    pub used: Option<f64>,
    /// What it takes for granted, in one sentence.
    pub assumes: String,
    /// Every resource of which a task is known to need some, lowest bound first.
    pub resources: Vec<ResourceBound>,
}

/// The bound of one resource.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceBound {
    /// Which.
    pub resource: Resource,
    /// How many of them there are: workers, connections, CPUs, threads.
    pub units: f64,
    /// For how long a task needs one, microseconds.
    pub demand_us: f64,
    /// `units` / `demand_us`, tasks a second.
    pub at_most_per_s: f64,
}

/// How the throughput of a variant goes with its workers, by the Universal Scalability Law:
/// X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scalability {
    /// The swept keys besides `workers.count`, and their values.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Name of the variant.
    pub variant: String,
    /// By number of workers.
    pub points: Vec<ScalabilityPoint>,
    /// `null` where there is nothing to fit.
    pub law: Option<ScalabilityLaw>,
    /// Why not; else empty.
    pub reason: String,
}

/// Runs with one number of workers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScalabilityPoint {
    /// N: the workers of all dynos.
    pub workers: u32,
    /// Valid runs.
    pub runs: u32,
    /// Those of them that were limited by the system: overloaded, with some resource at its limit. The others completed what they were
    /// asked for, which is no capacity.
    pub limited: u32,
    /// Throughput of the limited runs: their median, tasks a second.
    pub completed_per_s: Option<f64>,
    /// By the law, tasks a second; `null` without one.
    pub predicted_per_s: Option<f64>,
    /// `predicted_per_s` / `completed_per_s` - 1.
    pub residual: Option<f64>,
}

/// The law's coefficients, by least squares over the limited runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScalabilityLaw {
    /// Tasks a second of one worker.
    pub lambda_per_s: Coefficient,
    /// Contention: the share of work that only one can do at a time. Never negative.
    pub sigma: Coefficient,
    /// Coherency: what every worker costs every other. Never negative.
    pub kappa: Coefficient,
    /// Where throughput is highest; `null`: nowhere for sure, for kappa may be 0.
    pub peak_workers: Option<f64>,
    /// Throughput there, tasks a second.
    pub peak_per_s: Option<f64>,
    /// Runs that it was fitted to.
    pub runs: u32,
}

/// What a second costs a variant by the rate, as idle + slope x rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostLine {
    /// The swept keys besides `load.rate_per_s`, and their values.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Name of the variant.
    pub variant: String,
    /// Whose CPU it is.
    pub process: CostOf,
    /// By rate, ascending.
    pub points: Vec<CostPoint>,
    /// `null` where there is nothing to fit.
    pub line: Option<CostCoefficients>,
    /// Why not; else empty.
    pub reason: String,
    /// Where the line is far from what was measured, in words; empty where it is not, or chance may have done it.
    pub finding: String,
}

/// Whose CPU a cost is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CostOf {
    /// The dynos.
    Workers,
    /// The server.
    Redis,
}

impl std::fmt::Display for CostOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CostOf::Workers => "workers",
            CostOf::Redis => "redis",
        })
    }
}

/// The runs of one rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostPoint {
    /// Asked, the mean over the window; 0 where nothing was.
    pub rate_per_s: f64,
    /// Valid runs, one a block.
    pub runs: u32,
    /// Those of them that were overloaded: with any, the line leaves the rate out.
    pub overloaded: u32,
    /// Median of the runs, microseconds of CPU per second of the window.
    pub cpu_us_per_s: Estimate,
    /// By the line; `null` without one, or where it leaves the rate out.
    pub predicted_cpu_us_per_s: Option<f64>,
    /// predicted / measured - 1 in every block, by the block's own line: Hodges-Lehmann estimate with its interval, at the
    /// comparison's level.
    pub residual: Option<Estimate>,
}

/// The coefficients of a cost line: Hodges-Lehmann estimates over the lines of all blocks, with their intervals at the
/// comparison's level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CostCoefficients {
    /// At rate 0, microseconds of CPU per second.
    pub idle_cpu_us_per_s: Estimate,
    /// The slope: what each task adds, microseconds of CPU.
    pub cpu_us_per_task: Estimate,
}

/// A coefficient with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Coefficient {
    /// Least squares.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end; `null`: the runs give none.
    pub high: Option<f64>,
}
