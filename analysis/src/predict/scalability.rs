//! The Universal Scalability Law over sweeps of `workers.count`.

use std::collections::BTreeMap;

use common::plan::Plan;
use common::report::prediction::{Scalability, ScalabilityPoint};
use common::report::{Run, RunResult};
use serde_json::Value;

use super::{sweeps, usl};
use crate::blocks::Blocks;
use crate::stats::middle_of;

const WORKERS: &str = "workers.count";
/// A resource of which so much is used is at its limit, as in a run's verdict.
const LIMIT: f64 = 0.9;
/// A window that an overload cut shorter says too little.
const WINDOW_MIN_S: f64 = 1.0;

/// One entry for each variant and each combination of the other swept keys; none where `workers.count` is not swept.
/// `cells` are those of the plan, in its order.
pub(crate) fn scalability(plan: &Plan, cells: &[Blocks<'_>]) -> Vec<Scalability> {
    let mut all = Vec::new();
    for (parameters, cells) in &sweeps::along(WORKERS, plan, cells) {
        for (i, variant) in plan.variants.iter().enumerate() {
            let runs: Vec<&[&Run]> = cells.iter().map(|(_, blocks)| blocks.variants[i].valid.as_slice()).collect();
            all.push(of_variant(parameters.clone(), variant.name.clone(), &runs));
        }
    }
    all
}

/// `cells`: the valid runs of one variant, those with the same number of workers together.
fn of_variant(parameters: BTreeMap<String, Value>, variant: String, cells: &[&[&Run]]) -> Scalability {
    let mut limited = Vec::new();
    let mut points = Vec::new();
    for runs in cells.iter().filter(|runs| !runs.is_empty()) {
        let workers = runs[0].workers.count;
        let throughputs: Vec<f64> = runs.iter().filter_map(|run| capacity(run)).collect();
        limited.extend(throughputs.iter().map(|&throughput| (f64::from(workers), throughput)));
        points.push(ScalabilityPoint {
            workers,
            runs: count(runs.len()),
            limited: count(throughputs.len()),
            completed_per_s: middle_of(throughputs),
            predicted_per_s: None,
            residual: None,
        });
    }
    points.sort_by_key(|point| point.workers);
    let law = usl::law(&limited);
    if let Some(law) = &law {
        for point in &mut points {
            let predicted = usl::throughput(law, f64::from(point.workers));
            point.predicted_per_s = Some(predicted);
            point.residual = point.completed_per_s.map(|completed| predicted / completed - 1.0);
        }
    }
    let numbers = points.iter().filter(|point| point.limited > 0).count();
    let reason = match (&law, numbers) {
        (Some(_), _) => String::new(),
        (None, 0) => {
            "no run was limited by the system: each completed what it was asked for, which is the plan's rate and no \
                      capacity; a rate beyond what all of them hold gives one (workers.on_overload = \"continue\")"
                .to_owned()
        }
        (None, numbers) if numbers < usl::WORKERS_MIN => format!(
            "the system limited throughput at {numbers} of {} numbers of workers; three coefficients need {} at least",
            points.len(),
            usl::WORKERS_MIN
        ),
        (None, _) => "least squares found no curve".to_owned(),
    };
    Scalability { parameters, variant, points, law, reason }
}

/// Throughput of a run that the system limited: overloaded, with something at its limit. One worker's bad luck is none.
fn capacity(run: &Run) -> Option<f64> {
    let at_limit = run.verdict.bottleneck.is_some_and(|found| found.share >= LIMIT);
    let limited = run.verdict.result == RunResult::Overloaded && at_limit && run.resources.window_s >= WINDOW_MIN_S;
    run.rate_per_s.completed.filter(|&completed| limited && completed > 0.0)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
