//! The answer with what belongs to it: the last that a terminal shows, and the first of the Markdown.

use common::plan::Metric;
use common::report::comparison::{Answer, Cell, Certainty, Comparison, Contrast, Level, Limit};
use common::verdict::EXHAUSTED;

use super::{Grid, Section, metric_of, word};
use crate::format::{self, NOTHING, counted, p_equals, p_name, p_value, percent};
use crate::metric::wording;
use crate::recommend::place;

/// One sentence, a row per cell and contender, and how sure that is, why, and for how long.
pub(super) fn section(comparison: &Comparison) -> Section {
    let answer = &comparison.answer;
    let incomplete = if comparison.complete { "" } else { ", INCOMPLETE: not every planned block is there and valid" };
    let mut notes: Vec<String> = answer.certainty.iter().map(how_sure).collect();
    notes.extend(answer.doubts.iter().map(|doubt| format!("doubt: {doubt}")));
    notes.extend(answer.notes.iter().cloned());
    // Where everything held the answer has said so.
    let compared =
        comparison.cells.iter().filter(|cell| cell.contrasts.iter().any(|contrast| contrast.primary)).count();
    let everywhere = answer.held.iter().all(|held| held.cells.len() == compared);
    let held = answer.held.iter().filter(|_| !everywhere && comparison.cells.len() > 1);
    notes.extend(held.map(|held| held.sentence.clone()));
    notes.extend(answer.headroom.iter().map(|headroom| format!("headroom: {}", headroom.sentence)));
    notes.extend(limits(answer));
    notes.extend(answer.would_change.iter().map(|change| format!("would change it: {}", change.sentence)));
    Section {
        title: format!("answer{incomplete}"),
        lines: vec![answer.sentence.clone()],
        grids: grid(comparison).into_iter().collect(),
        notes,
    }
}

fn how_sure(certainty: &Certainty) -> String {
    let level = match certainty.level {
        Level::None => return "how sure: nothing was shown by which to choose".to_owned(),
        Level::Low => "low",
        Level::Moderate => "moderate",
        Level::High => "high",
    };
    let p = certainty.p.map(|p| format!("{}, ", p_equals(p_name(certainty.adjusted), p))).unwrap_or_default();
    format!("how sure: {level} ({p}{})", counted(certainty.blocks.into(), "block"))
}

/// "nearest to a limit: threads: server CPU (46 % used, in 10 of 10 runs)"
fn limits(answer: &Answer) -> Option<String> {
    let mut texts: Vec<String> = Vec::new();
    for limits in answer.limited_by.chunk_by(|one, next| one.variant == next.variant) {
        let of_variant = limits.iter().map(|Limit { resource, share, runs, of, .. }| {
            let instrument = if resource.is_instrument() { "an instrument, " } else { "" };
            let runs = format!("in {runs} of {}", counted((*of).into(), "run"));
            format!("{resource} ({instrument}{} used, {runs})", percent(*share))
        });
        texts.push(format!("{}: {}", limits[0].variant, of_variant.collect::<Vec<_>>().join(", ")));
    }
    let short = answer.limited_by.iter().any(|limit| limit.share >= EXHAUSTED);
    let title = if short { "limited by" } else { "nearest to a limit" };
    (!texts.is_empty()).then(|| format!("{title}: {}", texts.join("; ")))
}

/// What the primary contrasts of all cells say; none where nothing is compared.
fn grid(comparison: &Comparison) -> Option<Grid> {
    let metric = wording(comparison.primary).label;
    let p = p_name(comparison.family > 1);
    let header = ["cell", metric, "baseline", "contender", "ratio", p, "blocks", "runs not ok", "verdict"];
    let rows: Vec<Vec<String>> = comparison
        .cells
        .iter()
        .flat_map(|cell| {
            cell.contrasts
                .iter()
                .filter(|contrast| contrast.primary)
                .map(|contrast| row(cell, contrast, cell.blocks_planned))
        })
        .collect();
    let header = header.map(str::to_owned).to_vec();
    (!rows.is_empty()).then(|| Grid { header, rows, left: vec![0, 1, 8] })
}

fn row(cell: &Cell, contrast: &Contrast, planned: u32) -> Vec<String> {
    let Contrast { baseline, contender, metric, .. } = contrast;
    let place = place::of_parameters(cell.parameters.iter());
    let value = |variant: &str, metric: Metric| {
        let text = metric_of(cell, variant, metric);
        text.split(" [").next().unwrap_or(NOTHING).to_owned()
    };
    let not_ok = |name: &str| {
        let runs = cell.variants.iter().find(|summary| summary.variant.name == name).map(|summary| summary.runs);
        runs.map_or(0, |runs| runs.overloaded + runs.invalid + runs.inconclusive)
    };
    vec![
        if place.is_empty() { cell.index.to_string() } else { place },
        format!("{contender} / {baseline}"),
        value(baseline, *metric),
        value(contender, *metric),
        format::ratio_of(contrast),
        contrast.p_adjusted.map_or_else(|| NOTHING.to_owned(), p_value),
        if contrast.n == planned { contrast.n.to_string() } else { format!("{} of {planned}", contrast.n) },
        (not_ok(baseline) + not_ok(contender)).to_string(),
        word(contrast),
    ]
}
