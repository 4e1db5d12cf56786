//! What was predicted, beside what was measured: only where a model applies.

use common::report::comparison::{Cell, Comparison, VariantSummary};
use common::report::prediction::{Coefficient, Predicted, PredictionModel, Scalability, ScalabilityLaw};

use super::{Grid, Section};
use crate::format::{NOTHING, coefficient, counted, percent, quantity, significant};
use crate::metric::Unit;
use crate::predict::{WAIT_MEAN, figure, formula};

/// One row for each variant of which something is known about its waits; `None` where that is none.
pub(super) fn grid(cell: &Cell) -> Option<Grid> {
    let header = [
        "predicted, measured",
        "utilisation",
        "wait mean: formula",
        "simulated",
        "measured",
        "response p50: simulated",
        "measured",
        "response p99: simulated",
        "measured",
        "at most",
        "bound by",
    ];
    let rows: Vec<Vec<String>> = cell.variants.iter().filter(|summary| applies(summary)).map(row).collect();
    let header = header.map(str::to_owned).to_vec();
    (!rows.is_empty()).then_some(Grid { header, rows, left: vec![0, 10] })
}

fn applies(summary: &VariantSummary) -> bool {
    let models = &summary.prediction.models;
    formula(models).is_some() || figure(models, PredictionModel::Simulation, WAIT_MEAN).is_some()
}

fn row(summary: &VariantSummary) -> Vec<String> {
    let prediction = &summary.prediction;
    let of = |model, name| figure(&prediction.models, model, name);
    let pair = |figure: Option<Predicted>| {
        [us(figure.and_then(|figure| figure.predicted)), us(figure.and_then(|figure| figure.measured))]
    };
    let [formula, measured] = pair(formula(&prediction.models));
    let [simulated, also_measured] = pair(of(PredictionModel::Simulation, WAIT_MEAN));
    let measured = if measured == NOTHING { also_measured } else { measured };
    let bounds = prediction.bounds.as_ref();
    let mut row = vec![
        summary.variant.name.clone(),
        prediction.utilisation.map_or_else(|| NOTHING.to_owned(), percent),
        formula,
        simulated,
        measured,
    ];
    row.extend(pair(of(PredictionModel::Simulation, "response_p50_us")));
    row.extend(pair(of(PredictionModel::Simulation, "response_p99_us")));
    row.push(rate(bounds.map(|bounds| bounds.at_most_per_s)));
    row.push(bounds.map_or_else(|| NOTHING.to_owned(), |bounds| bounds.bound_by.to_string()));
    row
}

/// Formulas give waits that no clock could see.
fn us(value: Option<f64>) -> String {
    match value {
        None => NOTHING.to_owned(),
        Some(us) if us > 0.0 && us < 0.1 => "<0.1 µs".to_owned(),
        Some(us) => quantity(Unit::Micros, us),
    }
}

/// A bound is no sharper than what it rests on.
fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |per_s| format!("{} /s", significant(per_s, 3)))
}

/// Findings of the cell's variants.
pub(super) fn notes(cell: &Cell) -> impl Iterator<Item = String> {
    let said = cell.variants.iter().filter(|summary| !summary.prediction.finding.is_empty());
    said.map(|summary| format!("{}: {}", summary.variant.name, summary.prediction.finding))
}

/// What the columns of [`grid`] are, where there is one.
pub(super) fn general_note(comparison: &Comparison) -> Option<String> {
    let any = comparison.cells.iter().any(|cell| grid(cell).is_some());
    any.then(|| {
        "predicted, measured: of one run of each variant, that with the median response p50; what models take for granted stands \
         in comparison.json"
            .to_owned()
    })
}

/// How throughput goes with the number of workers; `None` where no law could be fitted.
pub(super) fn scalability(comparison: &Comparison) -> Option<Section> {
    let fitted: Vec<(&Scalability, &ScalabilityLaw)> =
        comparison.scalability.iter().filter_map(|sweep| Some((sweep, sweep.law.as_ref()?))).collect();
    let header = ["predicted, measured", "workers", "limited", "by the law", "completed"];
    let rows = fitted.iter().flat_map(|(sweep, _)| {
        sweep.points.iter().map(|point| {
            vec![
                name(sweep),
                point.workers.to_string(),
                format!("{} of {}", point.limited, counted(point.runs.into(), "run")),
                rate(point.predicted_per_s),
                rate(point.completed_per_s),
            ]
        })
    });
    let grid = Grid { header: header.map(str::to_owned).to_vec(), rows: rows.collect(), left: vec![0] };
    (!fitted.is_empty()).then(|| Section {
        title: "throughput by number of workers (Universal Scalability Law)".to_owned(),
        lines: Vec::new(),
        grids: vec![grid],
        notes: fitted.iter().map(|(sweep, law)| format!("{}: {}", name(sweep), coefficients(sweep, law))).collect(),
    })
}

/// "async, redis.rtt_us = 200"
fn name(sweep: &Scalability) -> String {
    let parameters = sweep.parameters.iter().map(|(key, value)| format!(", {key} = {value}"));
    format!("{}{}", sweep.variant, parameters.collect::<String>())
}

fn coefficients(sweep: &Scalability, law: &ScalabilityLaw) -> String {
    let of = |name: &str, one: Coefficient| format!("{name} {}", coefficient(&one));
    let most = sweep.points.iter().map(|point| f64::from(point.workers)).fold(0.0, f64::max);
    let peak = law.peak_workers.zip(law.peak_per_s).map_or_else(
        || "no peak for sure".to_owned(),
        |(workers, per_s)| {
            let beyond = if workers > most { ", more than were run" } else { "" };
            format!("peak {} at {} workers{beyond}", rate(Some(per_s)), significant(workers, 3))
        },
    );
    format!(
        "{} /s, {}, {}, {peak}, over {}",
        of("lambda", law.lambda_per_s),
        of("sigma", law.sigma),
        of("kappa", law.kappa),
        counted(law.runs.into(), "run")
    )
}
