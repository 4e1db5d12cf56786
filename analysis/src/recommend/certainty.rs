//! How sure an answer is, and what must be known beside it.

use common::plan::Variant;
use common::report::Run;
use common::report::comparison::{Certainty, Contrast, ContrastVerdict, Level, SteadyState};

use super::finding::Finding;
use super::{Bench, Seen};
use crate::format::counted;
use crate::steady::steadiness;

/// p at most this, adjusted, is more than what a word needs.
const HIGH: f64 = 0.01;
/// A warning that more than this part of a variant's runs give is a doubt.
const WARNED: f64 = 0.2;

/// Of the findings that an answer rests on: of the least certain one that shows something, else of that nearest to it.
pub(super) fn certainty(bench: &Bench<'_>, findings: &[Finding<'_>], has_doubts: bool) -> Option<Certainty> {
    let shown = || findings.iter().filter(|finding| finding.is_shown());
    let p = |finding: &&Finding<'_>| finding.p().unwrap_or(1.0);
    let least = shown().max_by(|a, b| p(a).total_cmp(&p(b)));
    let chosen = least.or_else(|| findings.iter().min_by(|a, b| p(a).total_cmp(&p(b))))?;
    let Finding { cell, contrast, .. } = chosen;
    let calibrated = match least {
        Some(_) => shown().all(|finding| finding.contrast.calibrated),
        None => contrast.calibrated,
    };
    let p = chosen.p();
    let level = match p {
        _ if least.is_none() => Level::None,
        _ if has_doubts => Level::Low,
        Some(p) if p <= HIGH && calibrated => Level::High,
        _ => Level::Moderate,
    };
    Some(Certainty {
        level,
        cell: bench.cells[*cell].cell.index,
        metric: contrast.metric,
        baseline: contrast.baseline.clone(),
        contender: contrast.contender.clone(),
        p,
        interval: contrast.ratio,
        blocks: contrast.n,
        calibrated,
    })
}

/// What lowers the certainty of an answer from `cells`.
pub(super) fn doubts(bench: &Bench<'_>, cells: &[&Seen<'_>]) -> Vec<String> {
    let planned = bench.plan.repeat.blocks;
    let blocks: u32 = cells.iter().map(|seen| seen.blocks.len()).sum();
    let asked = planned.saturating_mul(u32::try_from(cells.len()).unwrap_or(u32::MAX));
    let mut doubts = Vec::new();
    if blocks < asked {
        doubts.push(format!("incomplete: {blocks} of {} are there and valid", counted(asked.into(), "planned block")));
    }
    doubts.extend(bench.forced.iter().map(|sentence| format!("forced: {sentence}")));
    for (i, variant) in bench.plan.variants.iter().enumerate() {
        doubts.extend(warnings(variant, cells.iter().flat_map(|seen| &seen.blocks.variants[i].valid).copied()));
    }
    let words = |contrast: &&Contrast| contrast.primary && contrast.verdict != ContrastVerdict::Unknown;
    for contrast in cells.iter().flat_map(|seen| seen.contrasts).filter(words) {
        // What stands beside a word is a caveat.
        push_once(&mut doubts, (!contrast.reason.is_empty()).then(|| contrast.reason.clone()));
    }
    doubts
}

/// Checks that more than [`WARNED`] of a variant's valid runs failed.
fn warnings<'a>(variant: &Variant, runs: impl Iterator<Item = &'a Run>) -> Vec<String> {
    let mut failed: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    let mut of = 0;
    for run in runs {
        of += 1;
        for check in run.validity.checks.iter().filter(|check| !check.ok) {
            *failed.entry(&check.name).or_default() += 1;
        }
    }
    let often = failed.into_iter().filter(|&(_, runs)| runs as f64 > WARNED * of as f64);
    often
        .map(|(name, runs)| format!("{}: the check `{name}` warns in {runs} of {}", variant.name, counted(of, "run")))
        .collect()
}

/// What must be known and lowers nothing.
pub(super) fn notes(bench: &Bench<'_>, cells: &[&Seen<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    let contrasts = || cells.iter().flat_map(|seen| seen.contrasts).filter(|contrast| contrast.primary);
    if contrasts().any(|contrast| !contrast.calibrated) {
        notes.push("uncalibrated: no A/A bench of this host is known".to_owned());
    }
    let void: u32 = cells.iter().map(|seen| seen.blocks.void).sum();
    if void > 0 {
        notes.push(format!("{} void: a run in it was invalid", counted(void.into(), "attempt at a block")));
    }
    for (i, variant) in bench.plan.variants.iter().enumerate() {
        let unknown = cells.iter().filter(|seen| {
            steadiness(&seen.blocks.variants[i].valid).is_some_and(|steady| steady.state == SteadyState::Unknown)
        });
        let unknown = unknown.count();
        if unknown > 0 {
            let place = if cells.len() > 1 { format!(" in {unknown} of {} cells", cells.len()) } else { String::new() };
            notes.push(format!(
                "whether {} was steady from start to end of the window cannot be told{place}",
                variant.name
            ));
        }
    }
    notes
}

/// Each sentence once.
fn push_once(sentences: &mut Vec<String>, sentence: Option<String>) {
    sentences.extend(sentence.filter(|sentence| !sentences.contains(sentence)).into_iter().collect::<Vec<_>>());
}
