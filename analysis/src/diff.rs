//! Two benches of the same plan at different times, such as before and after a change of the workers: every variant's runs of
//! the one against its runs of the other.
//!
//! Runs of two benches were not made back to back, so nothing pairs them: the rank-sum test takes the place of the signed-rank
//! test, and whatever changed between the benches is in the ratio.

use common::plan::Metric;
use common::report::comparison::ContrastVerdict;
use common::report::diff::{Diff, DiffCell, DiffKind, DiffVariant, KeptUp, Side};
use common::report::{Run, RunResult, SCHEMA_VERSION};

use crate::blocks::{Blocks, VariantRuns};
use crate::compare::verdicts;
use crate::load::{Mixed, Results};
use crate::stats::level::Level;
use crate::stats::{fisher, holm};

mod caveats;
mod change;
mod comparable;
mod page;

use change::{Measured, Samples};
pub use comparable::Incomparable;
pub use page::terminal;

/// Two benches are looked at once, whatever either was.
const LEVEL: Level = Level::ONE_LOOK;

/// Compares the runs of `new` with those of `old`. Pure.
///
/// # Errors
/// What keeps the two from being compared, all of it; with [`Mixed::Forced`] it is let through and said.
pub fn diff(old: &Results, new: &Results, mixed: Mixed) -> Result<Diff, Incomparable> {
    let reasons = comparable::reasons(old, new);
    let mut forced = comparable::forced(old, new);
    match mixed {
        Mixed::Refused if !reasons.is_empty() => return Err(Incomparable(reasons)),
        Mixed::Refused => {}
        Mixed::Forced => forced.extend(reasons.into_iter().map(|reason| format!("compared although {reason}"))),
    }
    let cells = cells(old, new);
    let regression = cells.iter().flat_map(|cell| &cell.variants).any(|variant| {
        let worse = |verdict| verdict == ContrastVerdict::Worse;
        worse(variant.kept_up.verdict) || variant.changes.iter().any(|change| change.primary && worse(change.verdict))
    });
    let yardstick = caveats::yardstick(old, new);
    let plan = old.plan();
    let (before, after) = (side(old), side(new));
    Ok(Diff {
        kind: DiffKind::Diff,
        schema_version: SCHEMA_VERSION,
        plan: plan.name.clone(),
        question: plan.question.clone(),
        primary: plan.primary,
        margin: plan.repeat.margin,
        alpha: LEVEL.alpha,
        forced,
        caveats: caveats::caveats(&before, &after, yardstick.as_ref()),
        old: before,
        new: after,
        yardstick,
        cells,
        regression,
    })
}

fn side(results: &Results) -> Side {
    let runs = results.runs();
    let first = &runs[0];
    let started = || runs.iter().map(|run| run.started_at.as_str());
    Side {
        plan_hash: results.plan().hash.clone(),
        started_first: started().min().unwrap_or_default().to_owned(),
        started_last: started().max().unwrap_or_default().to_owned(),
        versions: first.versions.clone(),
        host: first.host.clone(),
        redis_server: first.redis_server.clone(),
    }
}

/// A variant in a cell that both benches have.
struct Matched<'a> {
    cell: usize,
    name: &'a str,
    old: VariantRuns<'a>,
    new: VariantRuns<'a>,
}

/// What both have, in the old plan's order: cells by their parameters, variants by their names.
fn matched<'a>(old: &'a Results, new: &'a Results) -> Vec<Matched<'a>> {
    let mut all = Vec::new();
    for (position, cell) in old.plan().cells.iter().enumerate() {
        let Some(other) = new.plan().cells.iter().find(|other| other.parameters == cell.parameters) else { continue };
        let mut before = of_cell(old, cell.index).variants.into_iter();
        let mut after: Vec<Option<VariantRuns<'a>>> =
            of_cell(new, other.index).variants.into_iter().map(Some).collect();
        for variant in &old.plan().variants {
            let Some(runs) = before.next() else { break };
            let place = new.plan().variants.iter().position(|one| one.name == variant.name);
            if let Some(new) = place.and_then(|place| after[place].take()) {
                all.push(Matched { cell: position, name: &variant.name, old: runs, new });
            }
        }
    }
    all
}

fn of_cell(results: &Results, index: u32) -> Blocks<'_> {
    let runs: Vec<&Run> = results.runs().iter().filter(|run| run.cell.index == index).collect();
    Blocks::new(results.plan(), &runs)
}

/// Every cell and variant; the primary metric of all of them is one family, and so is who keeps up.
fn cells(old: &Results, new: &Results) -> Vec<DiffCell> {
    let plan = old.plan();
    let matched = matched(old, new);
    let samples: Vec<Samples<'_>> =
        matched.iter().map(|one| Samples::new(&one.old.valid, &one.new.valid, plan.repeat.margin)).collect();
    let primary: Vec<Measured> = samples.iter().map(|one| one.measure(plan.primary, true)).collect();
    let family = |p: fn(&Measured) -> Option<f64>| holm::adjust(&primary.iter().map(p).collect::<Vec<_>>());
    let (p_adjusted, p_same_adjusted) = (family(Measured::p_value), family(Measured::p_same));
    let kept_up: Vec<KeptUp> = matched.iter().map(|one| of_kept_up(&one.old.valid, &one.new.valid)).collect();
    let kept_up_adjusted = holm::adjust(&kept_up.iter().map(|one| Some(one.p_value)).collect::<Vec<_>>());
    let adjusted = p_adjusted.into_iter().zip(p_same_adjusted).zip(kept_up_adjusted);
    let mut variants = Vec::new();
    for ((((one, samples), measured), kept_up), ((p, p_same), p_kept_up)) in
        matched.iter().zip(samples).zip(primary).zip(kept_up).zip(adjusted)
    {
        let mut changes = vec![measured.judge(p, p_same)];
        let secondary = Metric::ALL.into_iter().filter(|&metric| metric.is_contrasted() && metric != plan.primary);
        changes.extend(secondary.filter_map(|metric| {
            let measured = samples.measure(metric, false);
            let (p, p_same) = (measured.p_value(), measured.p_same());
            measured.has_values().then(|| measured.judge(p, p_same))
        }));
        let variant = DiffVariant {
            variant: one.name.to_owned(),
            runs_old: verdicts(&one.old.all),
            runs_new: verdicts(&one.new.all),
            kept_up: judged(kept_up, p_kept_up.unwrap_or(1.0)),
            changes,
        };
        variants.push((one.cell, variant));
    }
    let of = |position: usize| variants.iter().filter(move |(cell, _)| *cell == position);
    let cells = plan.cells.iter().enumerate().map(|(position, cell)| DiffCell {
        index: cell.index,
        parameters: cell.parameters.clone(),
        variants: of(position).map(|(_, variant)| variant.clone()).collect(),
    });
    cells.filter(|cell| !cell.variants.is_empty()).collect()
}

fn of_kept_up(old: &[&Run], new: &[&Run]) -> KeptUp {
    let ok = |runs: &[&Run]| runs.iter().filter(|run| run.verdict.result == RunResult::Ok).count() as u32;
    let (ok_old, n_old, ok_new, n_new) = (ok(old), old.len() as u32, ok(new), new.len() as u32);
    let p_value = fisher::p_value(ok_old, n_old, ok_new, n_new);
    KeptUp { ok_old, n_old, ok_new, n_new, p_value, p_adjusted: p_value, verdict: ContrastVerdict::Unknown }
}

/// With its word, given p after adjustment for its family.
fn judged(kept_up: KeptUp, p_adjusted: f64) -> KeptUp {
    let KeptUp { ok_old, n_old, ok_new, n_new, .. } = kept_up;
    let less_often = u64::from(ok_new) * u64::from(n_old) < u64::from(ok_old) * u64::from(n_new);
    let verdict = match (p_adjusted <= LEVEL.alpha, less_often) {
        (true, true) => ContrastVerdict::Worse,
        (true, false) => ContrastVerdict::Better,
        (false, _) => ContrastVerdict::Unknown,
    };
    KeptUp { p_adjusted, verdict, ..kept_up }
}
