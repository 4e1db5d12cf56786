//! What stands where in the tables of a comparison, whatever draws them.

use std::collections::BTreeMap;

use common::plan::Metric;
use common::report::comparison::{
    Cause, Cell, Comparison, Contrast, ContrastVerdict, Distance, KeepsUp, VariantSummary,
};

use crate::format::{self, NOTHING, counted, grouped, p_equals, p_value, percent, percent_of_log};
use crate::metric::{Percentile, wording};

mod answer;
mod cost_lines;
mod generator;
mod predicted;
mod published;
mod queue;

/// A whole comparison.
pub(crate) struct Page {
    pub(crate) title: String,
    /// What was measured, and where.
    pub(crate) facts: Vec<String>,
    pub(crate) sections: Vec<Section>,
    pub(crate) notes: Vec<String>,
    /// What all of it comes to.
    pub(crate) answer: Section,
}

/// A cell, or the figures of others.
pub(crate) struct Section {
    pub(crate) title: String,
    /// What to take from it.
    pub(crate) lines: Vec<String>,
    pub(crate) grids: Vec<Grid>,
    pub(crate) notes: Vec<String>,
}

/// A table of text.
pub(crate) struct Grid {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    /// Columns of words; the others are numbers.
    pub(crate) left: Vec<usize>,
}

pub(crate) fn page(comparison: &Comparison) -> Page {
    let Comparison { plan, question, host, redis_server, versions, .. } = comparison;
    let title = if question.is_empty() { plan.clone() } else { format!("{plan}: {question}") };
    let mut facts = vec![
        format!(
            "host: {}, {}, {} of memory, Linux {}, scheduling {}",
            host.cpu_model,
            counted(host.cpus.into(), "CPU"),
            format::quantity(crate::metric::Unit::Bytes, host.memory_bytes as f64),
            host.kernel,
            host.scheduling
        ),
        format!("server: {} {}; Headroom {}", redis_server.product, redis_server.version, versions.headroom),
        format!(
            "primary metric: {}, margin {}, {} planned per cell{}{}",
            wording(comparison.primary).label,
            percent(comparison.margin),
            counted(comparison.blocks_planned.into(), "block"),
            comparison
                .extend_to
                .map_or_else(String::new, |extend_to| format!(", {extend_to} where they leave it open")),
            if comparison.complete { "" } else { "; INCOMPLETE: not every planned block is there and valid" }
        ),
    ];
    facts.extend(generator::facts(&comparison.ceilings));
    facts.extend(comparison.forced.iter().map(|sentence| format!("FORCED: {sentence}")));
    let mut sections: Vec<Section> = comparison.cells.iter().map(|cell| cell_section(comparison, cell)).collect();
    sections.extend(predicted::scalability(comparison));
    sections.extend(cost_lines::section(comparison));
    if !comparison.published.is_empty() {
        sections.push(published::section(comparison));
    }
    Page { title, facts, sections, notes: general_notes(comparison), answer: answer::section(comparison) }
}

fn general_notes(comparison: &Comparison) -> Vec<String> {
    let contrasts = || comparison.cells.iter().flat_map(|cell| &cell.contrasts);
    let level = percent(comparison.level);
    let looks = match comparison.looks {
        1 => String::new(),
        looks => format!(" at each of {looks} declared looks, about 95 % together"),
    };
    let mut notes = vec![format!("values: medians over runs; all intervals are unadjusted {level} intervals{looks}")];
    if contrasts().next().is_some() {
        notes.push(
            "ratio: contender / baseline over blocks (Hodges-Lehmann); detectable: found in four cases of five by a test of its own"
                .to_owned(),
        );
        let all = if comparison.family > 1 {
            format!("all its {} contrasts", comparison.family)
        } else {
            "all its contrasts".to_owned()
        };
        notes.push(format!(
            "p: of the primary metric adjusted for {all}; of the others, whose words stand in brackets, as it is: the plan did not set \
             out to decide them"
        ));
    }
    notes.extend(predicted::general_note(comparison));
    if !comparison.aa && contrasts().any(|contrast| !contrast.calibrated) {
        let some = if contrasts().any(|contrast| contrast.calibrated) { "of some metrics" } else { "every word above" };
        notes.push(format!("uncalibrated ({some}): no A/A benches of this host are known that fit; make aa"));
    }
    if comparison.cells.iter().any(|cell| !cell.controls.is_empty()) {
        notes.push(
            "negative controls: what should be the same whatever the variants are; p adjusted for all of them"
                .to_owned(),
        );
    }
    notes
}

fn cell_section(comparison: &Comparison, cell: &Cell) -> Section {
    let parameters: Vec<String> = cell.parameters.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let parameters = if parameters.is_empty() { String::new() } else { format!(": {}", parameters.join(", ")) };
    let forced = if comparison.forced.is_empty() { "" } else { ", FORCED" };
    let look = if cell.look > 1 { ", extended as declared" } else { "" };
    let void = if cell.blocks_void > 0 { format!(", {} void", cell.blocks_void) } else { String::new() };
    let title = format!(
        "cell {}{parameters} ({} of {}{void}{look}{forced})",
        cell.index,
        cell.blocks,
        counted(cell.blocks_planned.into(), "block")
    );
    let mut grids: Vec<Grid> =
        contenders(&cell.contrasts).into_iter().map(|contender| contrast_grid(cell, contender)).collect();
    if grids.is_empty() {
        grids.extend(cell.variants.iter().map(variant_grid));
    }
    grids.extend(contenders(&cell.controls).into_iter().map(|contender| controls_grid(cell, contender)));
    grids.push(runs_grid(cell));
    grids.extend(queue::grid(cell));
    grids.extend(predicted::grid(cell));
    let mut notes: Vec<String> = cell.contrasts.iter().filter(|contrast| contrast.primary).map(primary_note).collect();
    notes.extend(cell.keeps_up.iter().filter(|one| one.only_baseline + one.only_contender > 0).map(keeps_up_note));
    notes.extend(secondary_notes(&cell.contrasts));
    notes.extend(cell.variants.iter().filter_map(checks_note));
    notes.extend(predicted::notes(cell));
    let dyno = cell.dyno.as_ref().map(|dyno| format!("each dyno: {}", dyno.label));
    let distance = cell.distance.as_ref().map(|distance| format!("distance: {}", distance_of(distance)));
    let lines = dyno.into_iter().chain(distance).chain([cell.recommendation.sentence.clone()]).collect();
    Section { title, lines, grids, notes }
}

fn distance_of(distance: &Distance) -> String {
    let us = |us: f64| format::quantity(crate::metric::Unit::Micros, us);
    let jitter = match distance.jitter_us {
        0 => String::new(),
        jitter_us => format!(" and up to {} of jitter", us(jitter_us.into())),
    };
    let added = distance.added_us.map_or_else(String::new, |added_us| format!(", {} measured", us(added_us)));
    format!("{}{jitter} a round trip asked{added}", us(distance.asked_rtt_us.into()))
}

/// Each once, in their order.
fn contenders(contrasts: &[Contrast]) -> Vec<&str> {
    let mut contenders: Vec<&str> = Vec::new();
    for contrast in contrasts {
        if !contenders.contains(&contrast.contender.as_str()) {
            contenders.push(&contrast.contender);
        }
    }
    contenders
}

/// One row per metric: both variants, their ratio, the word.
fn contrast_grid(cell: &Cell, contender: &str) -> Grid {
    let contrasts: Vec<&Contrast> = cell.contrasts.iter().filter(|contrast| contrast.contender == contender).collect();
    let baseline = contrasts.first().map(|contrast| contrast.baseline.as_str()).unwrap_or_default();
    let row = |metric: Metric| {
        let judged = match contrasts.iter().find(|contrast| contrast.metric == metric) {
            Some(contrast) => judged(contrast),
            None if !described(cell, metric) => return None,
            None => [NOTHING, NOTHING, NOTHING, "(described only)"].map(str::to_owned),
        };
        Some(metric_row(cell, metric, [baseline, contender], judged))
    };
    // The primary one first.
    let primary = contrasts.first().map(|contrast| contrast.metric);
    let others = Metric::ALL.into_iter().filter(|&metric| Some(metric) != primary);
    let rows = primary.into_iter().chain(others).filter_map(row);
    judged_grid("metric", [baseline, contender], rows.collect())
}

/// The same of the negative controls, whose words are their own family's.
fn controls_grid(cell: &Cell, contender: &str) -> Grid {
    let controls = || cell.controls.iter().filter(|control| control.contender == contender);
    let baseline = controls().next().map(|control| control.baseline.as_str()).unwrap_or_default();
    let rows = controls().map(|control| metric_row(cell, control.metric, [baseline, contender], judged(control)));
    judged_grid("negative control", [baseline, contender], rows.collect())
}

fn judged_grid(title: &str, [baseline, contender]: [&str; 2], rows: Vec<Vec<String>>) -> Grid {
    let header = [title, baseline, contender, &format!("{contender} / {baseline}"), "detectable", "p", "verdict"];
    Grid { rows, header: header.map(str::to_owned).to_vec(), left: vec![0, 6] }
}

fn metric_row(cell: &Cell, metric: Metric, variants: [&str; 2], judged: [String; 4]) -> Vec<String> {
    let values = variants.map(|variant| metric_of(cell, variant, metric));
    [&[wording(metric).label.to_owned()], values.as_slice(), &judged].concat()
}

fn judged(contrast: &Contrast) -> [String; 4] {
    [
        format::ratio_of(contrast),
        contrast.detectable.map_or_else(|| NOTHING.to_owned(), percent_of_log),
        contrast.p_adjusted.map_or_else(|| NOTHING.to_owned(), p_value),
        word(contrast),
    ]
}

/// Whether it is shown although it is not contrasted: where a run has it, the largest value, and an extreme percentile.
fn described(cell: &Cell, metric: Metric) -> bool {
    let has = || cell.variants.iter().filter_map(|one| one.metrics.get(metric.name())).any(|estimate| estimate.n > 0);
    (!metric.is_contrasted() || Percentile::of(metric).is_some_and(Percentile::is_extreme)) && has()
}

fn variant_grid(summary: &VariantSummary) -> Grid {
    let rows = Metric::ALL.into_iter().filter_map(|metric| {
        let estimate = summary.metrics.get(metric.name()).filter(|estimate| estimate.n > 0)?;
        Some(vec![wording(metric).label.to_owned(), format::estimate(wording(metric).unit, estimate)])
    });
    Grid { rows: rows.collect(), header: vec!["metric".to_owned(), summary.variant.name.clone()], left: vec![0] }
}

fn metric_of(cell: &Cell, variant: &str, metric: Metric) -> String {
    cell.variants
        .iter()
        .find(|summary| summary.variant.name == variant)
        .and_then(|summary| summary.metrics.get(metric.name()))
        .map_or_else(|| NOTHING.to_owned(), |estimate| format::estimate(wording(metric).unit, estimate))
}

/// The verdict of a contrast, as tables and charts say it.
pub(crate) fn word(contrast: &Contrast) -> String {
    let word = match (contrast.verdict, contrast.cause) {
        (ContrastVerdict::Better, _) => "better".to_owned(),
        (ContrastVerdict::Worse, _) => "worse".to_owned(),
        (ContrastVerdict::Same, _) => "same".to_owned(),
        (ContrastVerdict::Unknown, Some(cause)) => format!("unknown: {cause}"),
        (ContrastVerdict::Unknown, None) => "unknown".to_owned(),
    };
    // The words of controls are adjusted for their own family, and decide something.
    if contrast.metric.is_control() {
        return word;
    }
    match (contrast.primary, contrast.calibrated || contrast.verdict == ContrastVerdict::Unknown) {
        (true, true) => word,
        (true, false) => format!("{word}, uncalibrated"),
        (false, _) => format!("({word})"),
    }
}

/// Everything that belongs beside the word of the primary metric.
fn primary_note(contrast: &Contrast) -> String {
    let mut parts = vec![counted(contrast.n.into(), "block")];
    let mut push = |part: Option<String>| parts.extend(part);
    push(contrast.p_value.map(|p| p_equals("p", p)));
    push(contrast.p_adjusted.map(|p| p_equals("adjusted p", p)));
    push(contrast.p_same.map(|p| p_equals("p of a difference beyond the margin", p)));
    push(contrast.p_same_adjusted.map(|p| p_equals("adjusted", p)));
    // Too few blocks to detect anything lie close together by chance.
    let scatter = contrast.noise_floor.filter(|_| contrast.detectable.is_some());
    push(scatter.map(|sigma| format!("a block scatters by {}", percent_of_log(sigma))));
    push(contrast.detectable.map(|detectable| format!("detectable {}", percent_of_log(detectable))));
    push(contrast.order_effect.map(|effect| format!("order effect {}", format::order_effect(&effect))));
    push((!contrast.calibrated).then(|| "uncalibrated".to_owned()));
    let label = wording(contrast.metric).label;
    let reason = if contrast.reason.is_empty() { String::new() } else { format!("; {}", contrast.reason) };
    format!("{label}, {} / {}: {}{reason}", contrast.contender, contrast.baseline, parts.join(", "))
}

fn keeps_up_note(keeps_up: &KeepsUp) -> String {
    let KeepsUp { baseline, contender, only_baseline, only_contender, p_value } = keeps_up;
    format!(
        "keeps up: only {baseline} in {}, only {contender} in {} ({})",
        counted((*only_baseline).into(), "block"),
        counted((*only_contender).into(), "block"),
        p_equals("p", *p_value)
    )
}

/// Reasons of secondary words, each said once. What blocks could not tell for noise stands in the table.
fn secondary_notes(contrasts: &[Contrast]) -> Vec<String> {
    let mut by_reason: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let spoken: Vec<&str> = contrasts.iter().filter(|one| one.primary).map(|one| one.reason.as_str()).collect();
    for contrast in contrasts {
        let shown =
            contrast.primary || contrast.cause == Some(Cause::Noise) || spoken.contains(&contrast.reason.as_str());
        if !shown && !contrast.reason.is_empty() {
            let labels = by_reason.entry((&contrast.contender, &contrast.reason)).or_default();
            labels.push(wording(contrast.metric).label);
        }
    }
    by_reason
        .into_iter()
        .map(|((contender, reason), labels)| format!("{} ({contender}): {reason}", labels.join(", ")))
        .collect()
}

/// Runs by verdict and tasks by outcome.
fn runs_grid(cell: &Cell) -> Grid {
    let header = [
        "runs and tasks",
        "ok",
        "overloaded",
        "invalid",
        "inconclusive",
        "planned",
        "sent",
        "completed",
        "failed",
        "unfinished",
        "missed",
    ];
    let rows = cell.variants.iter().map(|summary| {
        let (runs, counts) = (&summary.runs, &summary.counts);
        let mut row = vec![summary.variant.name.clone()];
        row.extend([runs.ok, runs.overloaded, runs.invalid, runs.inconclusive].map(|n| n.to_string()));
        let outcomes =
            [counts.planned, counts.sent, counts.completed, counts.failed.total(), counts.unfinished, counts.missed];
        row.extend(outcomes.map(grouped));
        row
    });
    Grid { rows: rows.collect(), header: header.map(str::to_owned).to_vec(), left: vec![0] }
}

fn checks_note(summary: &VariantSummary) -> Option<String> {
    let failed: Vec<String> = summary
        .checks_failed
        .iter()
        .map(|(name, runs)| format!("{name} ({})", counted((*runs).into(), "run")))
        .collect();
    (!failed.is_empty()).then(|| format!("validity of {}: failed checks {}", summary.variant.name, failed.join(", ")))
}
