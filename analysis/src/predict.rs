//! What theory and a simulation say of a variant, beside what was measured: `docs/method.md`, *Predicted beside measured*.
//! Pure.

use common::plan::Settings;
use common::report::prediction::{ModelPrediction, Predicted, Prediction, PredictionModel};
use common::report::{Run, RunResult};

use crate::format::{percent, quantity, significant};
use crate::metric::Unit;

mod bounds;
pub mod cost_line;
mod least_squares;
mod models;
pub mod queue;
mod scalability;
pub mod simulate;
pub(crate) mod sweeps;
pub mod usl;

pub(crate) use cost_line::cost_lines;
pub(crate) use scalability::scalability;

/// Name of a figure: the mean wait of a task.
pub(crate) const WAIT_MEAN: &str = "queue_wait_mean_us";

/// A wait that is so many times as long as predicted, or as short, is a finding ...
const FINDING_RATIO: f64 = 1.5;
/// ... when the difference is also such a share of the mean response: microseconds beside milliseconds are none.
const FINDING_SHARE: f64 = 0.05;
/// A wait of which a model explains less than this share has other reasons.
const EXPLAINED: f64 = 0.01;

/// What can be said of the valid `runs` of a variant in a cell with `settings`, which are the plan's: a report names a trace
/// and does not hold it.
pub(crate) fn prediction(settings: &Settings, runs: &[&Run], alpha: f64) -> Prediction {
    let run = typical(runs);
    let models = models::all(settings, &models::Subject::of(settings, run, runs, alpha));
    let bounds = run.and_then(bounds::bounds);
    let beyond = bounds.as_ref().and_then(|bounds| bounds.used).filter(|&used| used > 1.0).map(|used| {
        let more = percent(used - 1.0);
        format!("{more} more was completed than the bounds allow: tasks needed less of something than was measured")
    });
    let findings = run.and_then(|run| finding_of_waits(run, &models)).into_iter().chain(beyond);
    Prediction {
        block: run.map(|run| run.block),
        utilisation: run.and_then(|run| models::utilisation(settings, run)),
        finding: findings.collect::<Vec<_>>().join("; "),
        models,
        bounds,
    }
}

/// Of the runs that kept up, else of all, the one with the median of their response p50.
fn typical<'a>(runs: &[&'a Run]) -> Option<&'a Run> {
    let kept_up = |run: &&&Run| run.verdict.result == RunResult::Ok;
    let mut candidates: Vec<&Run> = runs.iter().filter(kept_up).copied().collect();
    if candidates.is_empty() {
        candidates = runs.to_vec();
    }
    let p50 = |run: &Run| run.latency_us.response.p50.unwrap_or(f64::INFINITY);
    candidates.sort_by(|a, b| p50(a).total_cmp(&p50(b)));
    candidates.get(candidates.len().saturating_sub(1) / 2).copied()
}

/// The figure of that name by `model`, where it applies.
pub(crate) fn figure(models: &[ModelPrediction], model: PredictionModel, name: &str) -> Option<Predicted> {
    models.iter().find(|one| one.model == model)?.figures.as_ref()?.get(name).copied()
}

/// The mean wait by the formula for how tasks came to their workers: out of queues of their own, or a common one.
pub(crate) fn formula(models: &[ModelPrediction]) -> Option<Predicted> {
    let common = || figure(models, PredictionModel::CommonQueue, WAIT_MEAN).filter(|wait| wait.measured.is_some());
    figure(models, PredictionModel::QueuePerWorker, WAIT_MEAN).or_else(common)
}

/// In words, when the measured mean wait is far from the simulated one (from the formula's, where nothing was simulated).
fn finding_of_waits(run: &Run, models: &[ModelPrediction]) -> Option<String> {
    let simulated = figure(models, PredictionModel::Simulation, WAIT_MEAN).map(|wait| (wait, "simulated"));
    let wait = simulated.or_else(|| formula(models).map(|wait| (wait, "by the formula")));
    let (Predicted { predicted, measured, .. }, how) = wait?;
    let (predicted, measured, response) = (predicted?, measured?, run.latency_us.response.mean?);
    let apart = (measured / predicted).max(predicted / measured);
    if apart < FINDING_RATIO || (measured - predicted).abs() < FINDING_SHARE * response {
        return None;
    }
    let us = |value| quantity(Unit::Micros, value);
    let figures = format!("({} measured, {} {how})", us(measured), us(predicted));
    Some(if predicted < EXPLAINED * measured {
        format!(
            "tasks wait, and the queue explains hardly any of it {figures}: handing over, waking up and waiting for a CPU take time, too"
        )
    } else if predicted < measured {
        format!("tasks wait {} times as long as the queue alone explains {figures}", significant(apart, 2))
    } else {
        format!("tasks wait only {} times as long as the queue explains {figures}", significant(apart.recip(), 2))
    })
}
