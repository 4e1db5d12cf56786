//! How sure an answer is, and what must be known beside it.

use std::collections::BTreeMap;

use common::plan::Variant;
use common::report::Run;
use common::report::comparison::{Certainty, Contrast, ContrastVerdict, Level, SteadyState};

use super::finding::Finding;
use super::{Bench, Seen};
use crate::compare::{family, level, scouts};
use crate::format::counted;
use crate::steady::{self, Unjudged, steadiness};

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
        adjusted: chosen.is_adjusted(),
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
            warned.map(|(name, runs)| format!("{name} in {runs} of {} of {}", counted(of, "run"), variant.name)),
        );
    }
    (!often.is_empty()).then(|| format!("checks that warn: {}", often.join(", ")))
}

/// What must be known and lowers nothing.
pub(super) fn notes(bench: &Bench<'_>, cells: &[&Seen<'_>]) -> Vec<String> {
    let level = level(bench.plan);
    let mut notes = Vec::new();
    let contrasts = || cells.iter().flat_map(|seen| seen.contrasts).filter(|contrast| contrast.primary);
    let is_aa = bench.plan.is_against_itself() && bench.forced.is_empty();
    if !is_aa && contrasts().any(|contrast| !contrast.calibrated) {
        notes.push("uncalibrated: no A/A benches of this host are known that fit".to_owned());
    }
    let scouts = scouts(bench.plan).filter(|_| contrasts().next().is_some());
    // Such a bench keeps nothing of a metric that it cannot raise an alarm for.
    if scouts.is_none() && contrasts().filter_map(|contrast| contrast.aa.as_ref()).any(|aa| aa.noise_floor.is_none()) {
        notes.push(
            "how far blocks scatter is known from these alone: the A/A benches of this host have other tasks or windows, whose blocks \
             scatter otherwise (loadgen bench PLAN --aa makes one that fits)"
                .to_owned(),
        );
    }
    if let Some(blocks_min) = scouts {
        let (family, blocks) = (family(bench.plan), counted(bench.plan.repeat.blocks_max().into(), "block"));
        notes.push(format!(
            "scouting: with {blocks} a cell no difference can be shown, however large; {} {} {blocks_min}",
            counted(family.into(), "contrast"),
            if family == 1 { "takes" } else { "take" }
        ));
    }
    let void: u32 = cells.iter().map(|seen| seen.blocks.void).sum();
    if void > 0 {
        notes.push(format!("{} at a block void: a run in it was invalid", counted(void.into(), "attempt")));
    }
    notes.extend(of_steadiness(bench, cells, level.alpha));
    notes
}

/// Of whom it is not known whether response moved within the window, and why.
fn of_steadiness(bench: &Bench<'_>, cells: &[&Seen<'_>], alpha: f64) -> Vec<String> {
    let named = |is: &dyn Fn(&[&Run]) -> bool| {
        let of_variant = |(i, variant): (usize, &Variant)| {
            let count = cells.iter().filter(|seen| is(&seen.blocks.variants[i].valid)).count();
            let place = if cells.len() == 1 { String::new() } else { format!(" in {count} of {} cells", cells.len()) };
            (count > 0).then(|| format!("{}{place}", variant.name))
        };
        bench.plan.variants.iter().enumerate().filter_map(of_variant).collect::<Vec<String>>().join(", ")
    };
    let said = |text: &str, names: String, why: &str| (!names.is_empty()).then(|| format!("{text}: {names}{why}"));
    let not_judged = "not judged whether steady over the window";
    [
        said(
            "cannot be told whether steady over the window",
            named(&|runs| steadiness(runs, alpha).is_some_and(|steady| steady.state == SteadyState::Unknown)),
            "",
        ),
        said(
            not_judged,
            named(&|runs| steady::unjudged(runs, alpha) == Some(Unjudged::ShortWindow)),
            " (a third of it must hold a whole second, as it always does from load.duration_s = 6 on)",
        ),
        said(
            not_judged,
            named(&|runs| steady::unjudged(runs, alpha) == Some(Unjudged::FewRuns)),
            " (too few runs say)",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Each sentence once.
fn push_once(sentences: &mut Vec<String>, sentence: Option<String>) {
    sentences.extend(sentence.filter(|sentence| !sentences.contains(sentence)).into_iter().collect::<Vec<_>>());
}
