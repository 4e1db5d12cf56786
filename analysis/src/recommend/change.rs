//! What would change an answer, from what was measured.

use common::plan::{Connections, Variant};
use common::report::comparison::{Cause, Change, Lever};
use common::report::{Distribution, Resource, Run, RunResult};
use common::verdict;

use super::clause::{of_several, signed};
use super::finding::{Finding, Word};
use super::limits::{limits, others};
use super::{Bench, Seen, place};
use crate::contrast::noise;
use crate::format::{counted, percent};
use crate::stats::middle_of;

/// A wait that takes this part of a time is worth having less of.
const WAIT: f64 = 0.05;

/// A margin below this says nothing.
const SMALL: f64 = 0.000_5;

/// For one cell, given the findings of all.
pub(super) fn of_cell(bench: &Bench<'_>, cell: usize, findings: &[Vec<Finding<'_>>]) -> Vec<Change> {
    let seen = &bench.cells[cell];
    let mut changes = Vec::new();
    for finding in &findings[cell] {
        changes.extend(of_blocks(finding));
        changes.extend(of_margin(finding));
        changes.extend(of_measurement(finding));
        changes.extend(of_other_cells(bench, cell, finding, findings));
    }
    for (variant, runs) in bench.plan.variants.iter().zip(&seen.blocks.variants) {
        changes.extend(of_connections(variant, &runs.valid));
        changes.extend(of_resources(variant, &runs.valid, seen));
    }
    changes
}

/// For all cells together: of every lever and variant the largest figure, of blocks the smallest, and where. What other cells say is in the answer,
/// and a margin that is right for one is not for another.
pub(super) fn overall(bench: &Bench<'_>, findings: &[Vec<Finding<'_>>]) -> Vec<Change> {
    let mut largest: Vec<(Change, usize)> = Vec::new();
    for cell in 0..bench.cells.len() {
        for change in of_cell(bench, cell, findings) {
            if matches!(change.lever, Lever::Cell | Lever::Margin) {
                continue;
            }
            let like = |(other, _): &&mut (Change, usize)| {
                (other.lever, &other.variant, other.figure.is_none())
                    == (change.lever, &change.variant, change.figure.is_none())
            };
            match largest.iter_mut().find(like) {
                Some(known) if (change.figure > known.0.figure) != (change.lever == Lever::Blocks) => {
                    *known = (change, cell);
                }
                Some(_) => {}
                None => largest.push((change, cell)),
            }
        }
    }
    let placed = |(change, cell): (Change, usize)| {
        let place = place::of_cell(bench.cells[cell].cell);
        Change { sentence: format!("{place}: {}", change.sentence), ..change }
    };
    largest.into_iter().map(placed).collect()
}

fn change(lever: Lever, variant: &str, figure: Option<f64>, sentence: String) -> Change {
    Change { lever, variant: variant.to_owned(), sentence, figure }
}

/// How many would show something.
fn of_blocks(finding: &Finding<'_>) -> Option<Change> {
    let contrast = finding.contrast;
    let run = contrast.n;
    match contrast.cause? {
        Cause::FewBlocks => {
            let blocks_min = finding.level.blocks_min_of(finding.family as usize);
            let sentence = format!("at least {blocks_min} blocks are needed to show a difference; compared: {run}");
            Some(change(Lever::Blocks, &contrast.contender, Some(blocks_min.into()), sentence))
        }
        Cause::Noise => {
            let needed = finding.blocks_needed()?;
            let what = if contrast.blocks_needed_better == Some(needed) {
                contrast.ratio.value.map(|ratio| format!("the observed {}", signed(ratio)))?
            } else {
                "that no difference matters".to_owned()
            };
            let sentence = format!(
                "about {} would show {what} of {} against {} {}{}; compared: {run}",
                counted(needed, "block"),
                contrast.contender,
                contrast.baseline,
                noise::MOSTLY,
                noise::unadjusted(finding.family)
            );
            Some(change(Lever::Blocks, &contrast.contender, Some(needed as f64), sentence))
        }
        _ => None,
    }
}

/// The margin that holds the whole interval: sameness is shown with it, for the test asks a little less, but, in a family, for
/// the adjustment. With a smaller one it may be shown or not.
fn of_margin(finding: &Finding<'_>) -> Option<Change> {
    let contrast = finding.contrast;
    let (low, high) = contrast.ratio.low.zip(contrast.ratio.high)?;
    let reach = low.ln().abs().max(high.ln().abs()).exp_m1();
    let (name, level) = (&contrast.contender, percent(finding.level.confidence));
    let adjustment = if finding.family > 1 { ", before adjustment for the other contrasts" } else { "" };
    let sentence = match (finding.word, contrast.cause) {
        (Word::Same, _) => format!(
            "sameness would be shown down to a margin of {}, within which the {level} interval of {name} lies{adjustment}; \
             below it may not be",
            percent(reach)
        ),
        (Word::Better | Word::Worse | Word::SlightlyLess | Word::SlightlyMore, _)
        | (Word::Unknown, Some(Cause::Noise)) => {
            format!(
                "with a margin of {} or more no difference would matter: the {level} interval of {name} lies within \
                 it{adjustment}",
                percent(reach)
            )
        }
        _ => return None,
    };
    (reach.is_finite() && reach >= SMALL).then(|| change(Lever::Margin, name, Some(reach), sentence))
}

/// What kept the runs from any word.
fn of_measurement(finding: &Finding<'_>) -> Option<Change> {
    let contrast = finding.contrast;
    match contrast.cause? {
        Cause::Noise | Cause::FewBlocks | Cause::Overload => None,
        _ => Some(change(Lever::Measurement, &contrast.contender, None, contrast.reason.clone())),
    }
}

/// The nearest cells that differ in one key and say something else.
fn of_other_cells(bench: &Bench<'_>, cell: usize, finding: &Finding<'_>, findings: &[Vec<Finding<'_>>]) -> Vec<Change> {
    let here = bench.cells[cell].cell;
    let mut changes = Vec::new();
    for (key, value) in &here.parameters {
        let number = |value: &serde_json::Value| value.as_f64().unwrap_or(0.0);
        let mut nearest: [Option<(f64, Change)>; 2] = [None, None];
        for (there, others) in bench.cells.iter().zip(findings) {
            let there = there.cell;
            let differs = |(other, value): &(&String, &serde_json::Value)| here.parameters.get(*other) != Some(value);
            let mut different = there.parameters.iter().filter(differs);
            let (Some((only, other)), None) = (different.next(), different.next()) else { continue };
            let said = others.iter().find(|one| one.contrast.contender == finding.contrast.contender);
            let Some(said) = said.filter(|said| only == key && said.is_shown() && said.word != finding.word) else {
                continue;
            };
            let gap = number(other) - number(value);
            let nearer = nearest[usize::from(gap > 0.0)].as_ref().is_none_or(|(known, _)| gap.abs() < *known);
            if nearer {
                let what = of_several(said.word, &[said], bench.plan.repeat.margin, false);
                let place = place::of_parameters(std::iter::once((key, other)));
                let figure = said.contrast.ratio.value.filter(|_| said.contrast.cause.is_none());
                let sentence = format!("at {place}: {what}");
                nearest[usize::from(gap > 0.0)] =
                    Some((gap.abs(), change(Lever::Cell, &finding.contrast.contender, figure, sentence)));
            }
        }
        changes.extend(nearest.into_iter().flatten().map(|(_, change)| change));
    }
    changes
}

/// The median over `runs` of one mean as a share of another.
fn share(runs: &[&Run], part: fn(&Run) -> &Distribution, whole: fn(&Run) -> &Distribution) -> Option<f64> {
    let of = |run: &&Run| Some(part(run).mean? / whole(run).mean?).filter(|share| share.is_finite());
    middle_of(runs.iter().filter_map(of).collect())
}

fn of_connections(variant: &Variant, runs: &[&Run]) -> Option<Change> {
    let pool_size = variant.pool_size.filter(|_| variant.connections == Connections::Pool)?;
    let share = share(runs, |run| &run.latency_us.pool_wait, |run| &run.latency_us.service)?;
    let sentence = format!(
        "{} waits {} of its service for a connection (pool_size = {pool_size}): more of them would shorten that",
        variant.name,
        percent(share)
    );
    (share >= WAIT).then(|| change(Lever::Connections, &variant.name, Some(share), sentence))
}

/// What was exhausted; and workers, where they are what is short and tasks queue for them.
fn of_resources(variant: &Variant, runs: &[&Run], seen: &Seen<'_>) -> Vec<Change> {
    let name = &variant.name;
    let overloaded = runs.iter().any(|run| run.verdict.result == RunResult::Overloaded);
    let limits = limits(std::slice::from_ref(variant), &[seen]);
    let Some(limit) = limits.first() else { return Vec::new() };
    let mut changes = Vec::new();
    let disturbed = others(runs).filter(|&share| share > verdict::OTHERS_MAX);
    if let Some(share) = disturbed {
        let sentence =
            format!("other programs used {} of the CPUs in the runs of {name}: end them, and repeat", percent(share));
        changes.push(change(Lever::Measurement, name, Some(share), sentence));
    } else if overloaded || limit.share >= verdict::EXHAUSTED {
        let remedy = verdict::remedy(limit.resource);
        let sentence = format!("{name} used {} of {}; what would do: {remedy}", percent(limit.share), limit.resource);
        changes.push(change(Lever::Bottleneck, name, Some(limit.share), sentence));
    }
    let waited = share(runs, |run| &run.latency_us.queue_wait, |run| &run.latency_us.response);
    if let Some(waited) = waited.filter(|&waited| waited >= WAIT)
        && matches!(limit.resource, Resource::Workers | Resource::NetworkDistance)
    {
        let sentence = format!(
            "tasks of {name} wait {} of their response for a worker, who are at a task {} of the time: more workers would shorten that",
            percent(waited),
            percent(limit.share)
        );
        changes.push(change(Lever::Workers, name, Some(waited), sentence));
    }
    changes
}
