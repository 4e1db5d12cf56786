//! A diff as tables. Everything shown stands in the diff; nothing is computed here.

use common::report::comparison::{Cause, ContrastVerdict, Ratio};
use common::report::diff::{Change, Diff, DiffCell, DiffVariant, KeptUp, Relative, Side};

use crate::format::{NOTHING, counted, estimate, p_equals, p_value, percent, percent_of_log, ratio_or_unbounded};
use crate::metric::wording;
use crate::tables;
use crate::tables::layout::{Grid, Page, Section};

/// The tables of `diff` for a terminal: no colour, no dependence on its width.
#[must_use]
pub fn terminal(diff: &Diff) -> String {
    tables::text(&page(diff))
}

fn page(diff: &Diff) -> Page {
    let Diff { plan, question, .. } = diff;
    let question = if question.is_empty() { String::new() } else { format!(" ({question})") };
    let mut facts = vec![side("OLD", &diff.old), side("NEW", &diff.new)];
    facts.push(format!("primary metric: {}, margin {}", wording(diff.primary).label, percent(diff.margin)));
    facts.extend(diff.forced.iter().map(|sentence| format!("FORCED: {sentence}")));
    let notes = [
        "values: medians over runs; all intervals are unadjusted 95 % intervals",
        "ratio: NEW / OLD over unpaired runs (Hodges-Lehmann, rank-sum); detectable: found in four cases of five; p of the primary \
         metric is adjusted for all cells and variants, words about others stand in brackets",
    ];
    let forced = !diff.forced.is_empty();
    Page {
        title: format!("{plan}{question}: NEW against OLD"),
        facts,
        sections: diff.cells.iter().map(|cell| section(cell, forced)).collect(),
        notes: notes.map(str::to_owned).to_vec(),
        answer: answer(diff),
    }
}

/// Whether anything got worse, and what that rests on: said last, where it is seen first.
fn answer(diff: &Diff) -> Section {
    let worse = diff.cells.iter().flat_map(|cell| {
        cell.variants.iter().filter_map(move |variant| {
            let worse = |verdict| verdict == ContrastVerdict::Worse;
            let primary = variant.changes.iter().find(|change| change.primary && worse(change.verdict));
            let metric = primary.map(|change| format!("{} {}", wording(change.metric).label, ratio(change)));
            let kept_up = worse(variant.kept_up.verdict).then(|| "keeps up less often".to_owned());
            let what: Vec<String> = metric.into_iter().chain(kept_up).collect();
            (!what.is_empty()).then(|| format!("{} in cell {}: {}", variant.variant, cell.index, what.join(", ")))
        })
    });
    let lines = if diff.regression {
        std::iter::once("REGRESSION".to_owned()).chain(worse).collect()
    } else {
        vec!["no regression was shown, which is not to say that there is none: see detectable".to_owned()]
    };
    let forced = if diff.forced.is_empty() { "" } else { " (FORCED)" };
    Section { title: format!("answer{forced}"), lines, grids: Vec::new(), notes: diff.caveats.clone() }
}

fn side(name: &str, side: &Side) -> String {
    format!(
        "{name}: from {} to {}, {}, {} {}, workers {}",
        side.started_first,
        side.started_last,
        side.host.cpu_model,
        side.redis_server.product,
        side.redis_server.version,
        side.versions.workers
    )
}

fn section(cell: &DiffCell, forced: bool) -> Section {
    let parameters: Vec<String> = cell.parameters.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let parameters = if parameters.is_empty() { String::new() } else { format!(": {}", parameters.join(", ")) };
    let forced = if forced { " (FORCED)" } else { "" };
    let title = format!("cell {}{parameters}{forced}", cell.index);
    let grids = cell.variants.iter().map(grid).chain([runs(cell)]).collect();
    let primary = |variant: &DiffVariant| {
        let change = variant.changes.iter().find(|change| change.primary)?;
        let reason = if change.reason.is_empty() { String::new() } else { format!("; {}", change.reason) };
        let same = change
            .p_same_adjusted
            .map_or_else(String::new, |p| format!(", {}", p_equals("adjusted p of a difference beyond the margin", p)));
        let p = change.p_adjusted.map_or_else(String::new, |p| format!(" ({}{same})", p_equals("adjusted p", p)));
        let label = wording(change.metric).label;
        Some(format!("{}, {label}: {}{p}{reason}", variant.variant, word(change)))
    };
    let lines = cell.variants.iter().filter_map(primary).collect();
    let notes = cell.relative.iter().map(relative).chain(cell.variants.iter().filter_map(kept_up)).collect();
    Section { title, lines, grids, notes }
}

fn grid(variant: &DiffVariant) -> Grid {
    let header = [&variant.variant, "OLD", "NEW", "NEW / OLD", "detectable", "p", "verdict"].map(str::to_owned);
    let rows = variant.changes.iter().map(|change| {
        let unit = wording(change.metric).unit;
        vec![
            wording(change.metric).label.to_owned(),
            estimate(unit, &change.old),
            estimate(unit, &change.new),
            ratio(change),
            change.detectable.map_or_else(|| NOTHING.to_owned(), percent_of_log),
            change.p_adjusted.map_or_else(|| NOTHING.to_owned(), p_value),
            word(change),
        ]
    });
    Grid { rows: rows.collect(), header: header.to_vec(), left: vec![0, 6] }
}

fn ratio(change: &Change) -> String {
    if change.p_value.is_none() { NOTHING.to_owned() } else { bounded(change.ratio) }
}

/// What drift of the host does to both alike is not in it.
fn relative(one: &Relative) -> String {
    format!(
        "{}, {} / {} over blocks: {} in OLD, {} in NEW, changed by {} ({}); what slows both alike is not in it",
        wording(one.metric).label,
        one.contender,
        one.baseline,
        ratio_or_unbounded(one.old.value),
        ratio_or_unbounded(one.new.value),
        bounded(one.change),
        p_equals("p", one.p_value)
    )
}

fn bounded(ratio: Ratio) -> String {
    let Ratio { value, low, high } = ratio;
    let value = ratio_or_unbounded(value);
    if low.is_none() && high.is_none() {
        return value;
    }
    format!("{value} [{}, {}]", ratio_or_unbounded(low), ratio_or_unbounded(high))
}

fn word(change: &Change) -> String {
    let word = match (change.verdict, change.cause) {
        (ContrastVerdict::Unknown, Some(cause)) => format!("unknown: {}", named(cause)),
        (verdict, _) => spoken(verdict).to_owned(),
    };
    if change.primary { word } else { format!("({word})") }
}

/// Runs are counted here, which a comparison counts in blocks.
fn named(cause: Cause) -> String {
    if cause == Cause::FewBlocks { "few runs".to_owned() } else { cause.to_string() }
}

fn spoken(verdict: ContrastVerdict) -> &'static str {
    match verdict {
        ContrastVerdict::Better => "better",
        ContrastVerdict::Worse => "worse",
        ContrastVerdict::Same => "same",
        ContrastVerdict::Unknown => "unknown",
    }
}

/// Runs by verdict, so that no figure stands without its validity.
fn runs(cell: &DiffCell) -> Grid {
    let header = ["runs", "", "ok", "overloaded", "invalid", "inconclusive"].map(str::to_owned);
    let rows = cell.variants.iter().flat_map(|variant| {
        [("OLD", variant.runs_old), ("NEW", variant.runs_new)].map(|(side, runs)| {
            let mut row = vec![variant.variant.clone(), side.to_owned()];
            row.extend([runs.ok, runs.overloaded, runs.invalid, runs.inconclusive].map(|n| n.to_string()));
            row
        })
    });
    Grid { rows: rows.collect(), header: header.to_vec(), left: vec![0, 1] }
}

/// Said where any run did not keep up.
fn kept_up(variant: &DiffVariant) -> Option<String> {
    let KeptUp { ok_old, n_old, ok_new, n_new, p_adjusted, verdict, .. } = variant.kept_up;
    (ok_old < n_old || ok_new < n_new).then(|| {
        format!(
            "{} kept up in {ok_old} of {} of OLD and in {ok_new} of {} of NEW: {} ({})",
            variant.variant,
            counted(n_old.into(), "run"),
            counted(n_new.into(), "run"),
            spoken(verdict),
            p_equals("adjusted p", p_adjusted)
        )
    })
}
