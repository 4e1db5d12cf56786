//! What others measured, beside what was measured here.

use common::plan::Published;
use common::report::comparison::{Cell, Claim, ClaimFigure, ClaimWord, Comparison, Estimate, VariantSummary};

use super::{Grid, Section};
use crate::beside;
use crate::format::{NOTHING, counted, grouped, significant};

const COUNTS: &str =
    "published counts include the warm-up where their source does; measured ones are medians of the window's";

/// Figures of others, and beneath them the same figures of every cell and variant: of claims those of the cells that they
/// are held against, in the original's time.
pub(super) fn section(comparison: &Comparison) -> Section {
    let (only_claims, columns) = (beside::are_all(comparison), beside::columns(comparison));
    let mut header = vec!["published, measured", "result"];
    if !only_claims {
        header.extend(["uptime s", "sent", "completed", "sent /s", "task ms", "fetch", "save", "ping"]);
    }
    header.extend(columns.iter().map(|column| column.title));
    let mut rows: Vec<Vec<String>> = Vec::new();
    for published in &comparison.published {
        let mut row = vec![source_of(published), published.result.clone()];
        if !only_claims {
            row.extend(quoted(published));
        }
        row.extend(columns.iter().map(|column| number(beside::published(column.figure, published))));
        rows.push(row);
    }
    let is_shown = |cell: &&Cell| !only_claims || beside::is_held_against(comparison, cell);
    for cell in comparison.cells.iter().filter(is_shown) {
        for summary in &cell.variants {
            let mut row = vec![format!("measured, cell {}, {}", cell.index, summary.variant.name), runs_of(summary)];
            if !only_claims {
                row.extend(medians(summary));
            }
            let done = |figure| beside::measured(comparison, figure, cell, summary).and_then(|(value, _)| value);
            row.extend(columns.iter().map(|column| number(done(column.figure))));
            rows.push(row);
        }
    }
    let counts = (!only_claims).then_some(COUNTS);
    let claims = (!columns.is_empty()).then_some(beside::NOTE);
    Section {
        title: "beside published figures".to_owned(),
        lines: comparison.claims.iter().map(claim).collect(),
        grids: vec![Grid { header: header.into_iter().map(str::to_owned).collect(), rows, left: vec![0, 1] }],
        notes: counts.into_iter().chain(claims).map(str::to_owned).collect(),
    }
}

fn claim(claim: &Claim) -> String {
    let claimed = significant(claim.claimed, 4);
    let claimed = match claim.figure {
        ClaimFigure::RealPerS => format!("{claimed} a second"),
        ClaimFigure::DrainMin => format!("a drain of {claimed} min"),
        ClaimFigure::Peak => format!("a peak of {claimed}"),
    };
    format!(
        "{}, {}: {claimed} {}: {}",
        claim.source,
        counted(claim.workers.into(), "worker"),
        words(claim.word),
        claim.reason
    )
}

/// As part of a sentence.
fn words(word: ClaimWord) -> &'static str {
    match word {
        ClaimWord::Impossible => "is refuted, for it is impossible",
        ClaimWord::Confirmed => "is confirmed",
        ClaimWord::Refuted => "is refuted",
        ClaimWord::Unknown => "is neither confirmed nor refuted",
    }
}

fn source_of(published: &Published) -> String {
    let dyno = published.dyno.as_ref().map_or_else(String::new, |dyno| format!(", dyno {dyno}"));
    let workers = published.workers.map_or_else(String::new, |count| format!(", {}", counted(count.into(), "worker")));
    format!("{}{dyno}{workers}", published.source)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| significant(value, 4))
}

/// What is not judged.
fn quoted(published: &Published) -> [String; 8] {
    let whole = |count: Option<u64>| count.map_or_else(|| NOTHING.to_owned(), grouped);
    [
        number(published.uptime_s),
        whole(published.sent),
        whole(published.completed),
        number(beside::sent_per_s(published)),
        number(published.task_ms),
        number(published.fetch_ms),
        number(published.save_ms),
        number(published.ping_ms),
    ]
}

fn runs_of(summary: &VariantSummary) -> String {
    let runs = &summary.runs;
    let all = runs.ok + runs.overloaded + runs.invalid + runs.inconclusive;
    format!("{} of {} ok", runs.ok, counted(all.into(), "run"))
}

fn medians(summary: &VariantSummary) -> [String; 8] {
    let median = |name: &str| summary.metrics.get(name).and_then(|estimate: &Estimate| estimate.value);
    let text = |value: Option<f64>, text: fn(f64) -> String| value.map_or_else(|| NOTHING.to_owned(), text);
    let whole = |name: &str| text(median(name), |count| grouped(count.round() as u64));
    let ms = |name: &str| text(median(name), |micros| significant(micros / 1e3, 3));
    [
        text(median("uptime_s"), |seconds| significant(seconds, 3)),
        whole("sent"),
        whole("completed"),
        text(median("sent_per_s"), |rate| significant(rate, 4)),
        ms("service_mean_us"),
        ms("fetch_mean_us"),
        ms("save_mean_us"),
        ms("ping_mean_us"),
    ]
}
