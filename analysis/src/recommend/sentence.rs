//! The one-sentence answer.

use common::plan::{self, Variant};
use common::report::comparison::Cause;

use super::clause::{kept_in, of_one, of_several};
use super::finding::{Finding, Kept, Word};
use super::held::held;
use super::place::{self, Stretch};
use super::{Bench, Seen};
use crate::contrast::noise;
use crate::format::{counted, grouped, listed, p_equals, p_name};

/// Of one cell.
pub(super) fn of_cell(bench: &Bench<'_>, cell: usize, findings: &[Finding<'_>]) -> String {
    let kept = kept(bench, &bench.cells[cell]);
    let planned = bench.cells[cell].blocks.planned;
    if findings.is_empty() {
        return format!("one variant only, nothing to compare: {}", kept_up(bench, &kept, planned));
    }
    let mut clauses: Vec<String> = findings.iter().map(|finding| of_one(finding, bench.plan.repeat.margin)).collect();
    // Where who keeps up is the answer it has been said.
    let said = findings.iter().any(|finding| finding.contrast.cause == Some(Cause::Overload));
    if !said && kept.iter().any(|kept| kept.of > 0) {
        clauses.push(kept_up(bench, &kept, planned));
    }
    clauses.join("; ")
}

/// Of all cells.
pub(super) fn overall(bench: &Bench<'_>, findings: &[Vec<Finding<'_>>]) -> String {
    let cells: Vec<plan::Cell> = bench.cells.iter().map(|seen| seen.cell.clone()).collect();
    let contenders = findings.first().map_or(0, Vec::len);
    if contenders == 0 {
        let all: Vec<&Seen<'_>> = bench.cells.iter().collect();
        let held: Vec<String> = held(bench, &all).into_iter().map(|held| held.sentence).collect();
        return format!("one variant only, nothing to compare: {}", held.join("; "));
    }
    let of_contender = |contender: usize| {
        let findings: Vec<&Finding<'_>> = findings.iter().map(|of_cell| &of_cell[contender]).collect();
        one_contender(bench, &cells, &findings)
    };
    let mut clauses: Vec<String> = (0..contenders).map(of_contender).collect();
    let every_run = bench.cells.iter().flat_map(|seen| kept(bench, seen)).all(Kept::always);
    if every_run && bench.cells.iter().all(|seen| seen.blocks.len() == seen.blocks.planned) {
        clauses.push(format!("{} kept up in every block", all_of(&bench.plan.variants)));
    }
    clauses.join("; ")
}

/// What all cells say of one contender.
fn one_contender(bench: &Bench<'_>, cells: &[plan::Cell], findings: &[&Finding<'_>]) -> String {
    let words: Vec<Word> = findings.iter().map(|finding| finding.word).collect();
    let stretches = place::stretches(cells, &words, |word| {
        matches!(word, Word::Same | Word::SlightlyLess | Word::SlightlyMore | Word::Unknown)
    });
    let alone = stretches.len() == 1;
    let clauses: Vec<String> = stretches
        .iter()
        .map(|Stretch { word, cells, place }| {
            let here: Vec<&Finding<'_>> = cells.iter().map(|&cell| findings[cell]).collect();
            let place = match word {
                Word::Unknown if alone && cells.len() == 2 => "in either cell".to_owned(),
                Word::Unknown if alone => format!("in any of the {} cells", cells.len()),
                Word::NeitherKeepsUp if place.starts_with("up to") => format!("with {place}"),
                _ => place.clone(),
            };
            format!("{} {place}", of_several(*word, &here, bench.plan.repeat.margin, alone))
        })
        .collect();
    format!("{}{}", clauses.join("; "), certainty(findings))
}

/// " (adjusted p at most 0.02, 6 blocks a cell, uncalibrated)"
fn certainty(findings: &[&Finding<'_>]) -> String {
    let shown: Vec<&&Finding<'_>> = findings.iter().filter(|finding| finding.is_shown()).collect();
    let range = |of: fn(&Finding<'_>) -> u32| {
        let all = || findings.iter().map(|finding| of(finding));
        let (least, most) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
        let most_in_words = counted(most.into(), "block");
        if least == most {
            (least.to_string(), most_in_words)
        } else {
            (format!("{least} to {most}"), format!("{least} to {most_in_words}"))
        }
    };
    let ((run, run_in_words), (_, planned)) =
        (range(|finding| finding.contrast.n), range(|finding| finding.blocks_planned));
    let whole = findings.iter().all(|finding| finding.contrast.n == finding.blocks_planned);
    let blocks = if whole { format!("{run_in_words} a cell") } else { format!("{run} of {planned} a cell") };
    let ps = |findings: &mut dyn Iterator<Item = &Finding<'_>>| {
        let all: Vec<(f64, &'static str)> =
            findings.filter_map(|finding| Some((finding.p()?, p_name(finding.is_adjusted())))).collect();
        let largest = all.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0));
        let smallest = all.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0));
        (largest, smallest)
    };
    if shown.is_empty() {
        let (_, smallest) = ps(&mut findings.iter().copied());
        let p = smallest.map(|(p, name)| format!("{}, ", p_equals(&format!("smallest {name}"), p))).unwrap_or_default();
        return format!(" ({p}{blocks}){}", why_unknown(findings));
    }
    let (largest, _) = ps(&mut shown.iter().map(|finding| **finding));
    let p = largest.map(|(p, name)| format!("{}, ", p_equals(&format!("largest {name}"), p))).unwrap_or_default();
    let uncalibrated = if shown.iter().all(|finding| finding.contrast.calibrated) { "" } else { ", uncalibrated" };
    format!(" ({p}{blocks}{uncalibrated})")
}

/// What it would take in cells that all tell nothing.
fn why_unknown(findings: &[&Finding<'_>]) -> String {
    let needed: Option<Vec<u64>> = findings.iter().map(|finding| finding.blocks_needed()).collect();
    let range = needed.and_then(|needed| Some((needed.iter().copied().min()?, needed.iter().copied().max()?)));
    if let Some((least, most)) = range {
        let blocks = if least == most { String::new() } else { format!("{} to ", grouped(least)) };
        let more = noise::unadjusted(findings.first().map_or(0, |finding| finding.family));
        return format!(": about {blocks}{} a cell would tell {}{more}", counted(most, "block"), noise::MOSTLY);
    }
    let mut causes: Vec<(Cause, u64)> = Vec::new();
    for cause in findings.iter().filter_map(|finding| finding.contrast.cause) {
        match causes.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, cells)) => *cells += 1,
            None => causes.push((cause, 1)),
        }
    }
    let of_cause = |cause: Cause| findings.iter().find(|finding| finding.contrast.cause == Some(cause));
    match causes.as_slice() {
        [] => String::new(),
        // The same reason everywhere, in the words of one of the cells.
        [(cause, _)] if *cause != Cause::Noise => {
            of_cause(*cause).map_or_else(String::new, |finding| format!(": {}", finding.contrast.reason))
        }
        several => {
            let each = several.iter().map(|(cause, cells)| format!("{cause} in {}", counted(*cells, "cell")));
            format!(": {}", listed(&each.collect::<Vec<_>>(), "and"))
        }
    }
}

/// In how many blocks of a cell every variant kept up, in the plan's order.
fn kept(bench: &Bench<'_>, seen: &Seen<'_>) -> Vec<Kept> {
    let runs = seen.blocks.variants.iter().take(bench.plan.variants.len());
    runs.map(Kept::of).collect()
}

/// "both kept up in every block", "threads kept up in 9 of 10 blocks, async in 10 of 10"
fn kept_up(bench: &Bench<'_>, kept: &[Kept], planned: u32) -> String {
    let variants = &bench.plan.variants;
    if variants.len() > 1 && kept.iter().all(|kept| kept.always() && kept.of == planned) {
        return format!("{} kept up in every block", all_of(variants));
    }
    let each = variants.iter().zip(kept).enumerate().map(|(i, (variant, kept))| {
        let verb = if i == 0 { "kept up in" } else { "in" };
        format!("{} {verb} {}", variant.name, kept_in(*kept))
    });
    listed(&each.collect::<Vec<_>>(), "and")
}

fn all_of(variants: &[Variant]) -> &'static str {
    if variants.len() == 2 { "both" } else { "all" }
}
