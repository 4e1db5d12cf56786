//! How sure an answer is, and what must be known beside it.

use std::collections::BTreeMap;

use common::plan::Variant;
use common::report::comparison::{Certainty, Contrast, ContrastVerdict, Level, SteadyState};

use super::finding::Finding;
use super::{Bench, Seen};
use crate::format::counted;
use crate::stats;
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
    let blocks: u32 = cells.iter().map(|seen| seen.blocks.len()).sum();
    let asked: u32 = cells.iter().map(|seen| seen.blocks.planned).sum();
    let mut doubts = Vec::new();
    if blocks < asked {
        doubts.push(format!("incomplete: {blocks} of {} are there and valid", counted(asked.into(), "planned block")));
    }
    doubts.extend(bench.forced.iter().map(|sentence| format!("forced: {sentence}")));
    doubts.extend(warnings(&bench.plan.variants, cells));
    let words = |contrast: &&Contrast| contrast.primary && contrast.verdict != ContrastVerdict::Unknown;
    for contrast in cells.iter().flat_map(|seen| seen.contrasts).filter(words) {
        // What stands beside a word is a caveat.
        push_once(&mut doubts, (!contrast.reason.is_empty()).then(|| contrast.reason.clone()));
    }
    doubts
}

/// The checks that more than [`WARNED`] of a variant's valid runs failed: "`ticks` in 3 of 10 runs of async".
fn warnings(variants: &[Variant], cells: &[&Seen<'_>]) -> Option<String> {
    let mut often: Vec<String> = Vec::new();
    for (i, variant) in variants.iter().enumerate() {
        let runs = || cells.iter().flat_map(|seen| &seen.blocks.variants[i].valid);
        let mut failed: BTreeMap<&str, u64> = BTreeMap::new();
        for check in runs().flat_map(|run| &run.validity.checks).filter(|check| !check.ok) {
            *failed.entry(&check.name).or_default() += 1;
        }
        let of = runs().count() as u64;
        let warned = failed.into_iter().filter(|&(_, runs)| runs as f64 > WARNED * of as f64);
        often.extend(
            warned.map(|(name, runs)| format!("`{name}` in {runs} of {} of {}", counted(of, "run"), variant.name)),
        );
    }
    (!often.is_empty()).then(|| format!("checks that warn: {}", often.join(", ")))
}

/// What must be known and lowers nothing.
pub(super) fn notes(bench: &Bench<'_>, cells: &[&Seen<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    let contrasts = || cells.iter().flat_map(|seen| seen.contrasts).filter(|contrast| contrast.primary);
    let is_aa = bench.plan.is_against_itself() && bench.forced.is_empty();
    if !is_aa && contrasts().any(|contrast| !contrast.calibrated) {
        notes.push("uncalibrated: no A/A bench of this host is known".to_owned());
    }
    let void: u32 = cells.iter().map(|seen| seen.blocks.void).sum();
    if void > 0 {
        notes.push(format!("{} at a block void: a run in it was invalid", counted(void.into(), "attempt")));
    }
    let alpha = stats::level::Level::of(bench.plan.repeat.extend_to.is_some()).alpha;
    let cannot_tell = |(i, variant): (usize, &Variant)| {
        let unknown = cells.iter().filter(|seen| {
            steadiness(&seen.blocks.variants[i].valid, alpha).is_some_and(|steady| steady.state == SteadyState::Unknown)
        });
        let place = |unknown| match cells.len() {
            1 => String::new(),
            of => format!(" in {unknown} of {of} cells"),
        };
        Some(unknown.count())
            .filter(|&unknown| unknown > 0)
            .map(|unknown| format!("{}{}", variant.name, place(unknown)))
    };
    let unknown: Vec<String> = bench.plan.variants.iter().enumerate().filter_map(cannot_tell).collect();
    if !unknown.is_empty() {
        notes.push(format!("cannot be told whether steady over the window: {}", unknown.join(", ")));
    }
    notes
}

/// Each sentence once.
fn push_once(sentences: &mut Vec<String>, sentence: Option<String>) {
    sentences.extend(sentence.filter(|sentence| !sentences.contains(sentence)).into_iter().collect::<Vec<_>>());
}
