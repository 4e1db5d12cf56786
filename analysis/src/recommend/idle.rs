//! What is said of a cell in which nothing is asked: no variant is better at it, and each costs something.

use common::plan::Metric;
use common::report::comparison::Answer;

use super::choice::Choice;
use super::{Bench, Seen};
use crate::format::{counted, listed, quantity};
use crate::metric::{value, wording};
use crate::stats::middle_of;

/// In place of an answer, for the bench's cell number `cell`.
pub(super) fn answer(bench: &Bench<'_>, cell: usize) -> Answer {
    let nobody = Choice::in_cell(&bench.plan.baseline, &[]);
    let sentence = sentence(bench, &bench.cells[cell]);
    Answer { limited_by: Vec::new(), ..bench.answer(sentence, &nobody, &[], &[cell]) }
}

/// "nothing was asked: idle workers of threads use 2.1 ms/s of CPU (10 runs), of async 1.4 ms/s (10 runs)"
fn sentence(bench: &Bench<'_>, seen: &Seen<'_>) -> String {
    const IDLE: Metric = Metric::WorkersCpuUsPerS;
    let of_variant = bench.plan.variants.iter().zip(&seen.blocks.variants).filter_map(|(variant, runs)| {
        let values: Vec<f64> = runs.valid.iter().filter_map(|run| value(run, IDLE).number()).collect();
        let runs = counted(values.len() as u64, "run");
        let cpu = quantity(wording(IDLE).unit, middle_of(values)?);
        Some((variant.name.as_str(), cpu, runs))
    });
    let each = of_variant.enumerate().map(|(i, (name, cpu, runs))| match i {
        0 => format!("idle workers of {name} use {cpu} of CPU ({runs})"),
        _ => format!("of {name} {cpu} ({runs})"),
    });
    match listed(&each.collect::<Vec<_>>(), "and").as_str() {
        "" => "nothing was asked, and what idle workers use was not measured".to_owned(),
        each => format!("nothing was asked: {each}"),
    }
}
