//! What others measured, beside what was measured here.

use common::plan::Published;
use common::report::comparison::{Cell, Claim, ClaimWord, Comparison, Estimate, VariantSummary};

use super::{Grid, Section};
use crate::format::{NOTHING, counted, grouped, significant};

/// Figures of others, and beneath them the same figures of every cell and variant.
pub(super) fn section(comparison: &Comparison) -> Section {
    let header = [
        "published, measured",
        "result",
        "uptime s",
        "sent",
        "completed",
        "sent /s",
        "task ms",
        "fetch",
        "save",
        "ping",
    ];
    let mut rows: Vec<Vec<String>> = comparison.published.iter().map(row_of).collect();
    for cell in &comparison.cells {
        rows.extend(cell.variants.iter().map(|summary| measured_row(cell, summary)));
    }
    Section {
        title: "beside published figures".to_owned(),
        lines: comparison.claims.iter().map(claim).collect(),
        grids: vec![Grid { header: header.map(str::to_owned).to_vec(), rows, left: vec![0, 1] }],
        notes: vec![
            "published counts include the warm-up where their source does; measured ones are medians of the window's"
                .to_owned(),
        ],
    }
}

fn claim(claim: &Claim) -> String {
    format!(
        "{}, {}: {} a second {}: {}",
        claim.source,
        counted(claim.workers.into(), "worker"),
        significant(claim.claimed_per_s, 4),
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

fn row_of(published: &Published) -> Vec<String> {
    let dyno = published.dyno.as_ref().map_or_else(String::new, |dyno| format!(", dyno {dyno}"));
    let workers = published.workers.map_or_else(String::new, |count| format!(", {}", counted(count.into(), "worker")));
    let source = format!("{}{dyno}{workers}", published.source);
    let whole = |count: Option<u64>| count.map_or_else(|| NOTHING.to_owned(), grouped);
    let number = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |value| significant(value, 4));
    vec![
        source,
        published.result.clone(),
        number(published.uptime_s),
        whole(published.sent),
        whole(published.completed),
        number(published.real_per_s),
        number(published.task_ms),
        number(published.fetch_ms),
        number(published.save_ms),
        number(published.ping_ms),
    ]
}

fn measured_row(cell: &Cell, summary: &VariantSummary) -> Vec<String> {
    let median = |name: &str| summary.metrics.get(name).and_then(|estimate: &Estimate| estimate.value);
    let text = |value: Option<f64>, text: fn(f64) -> String| value.map_or_else(|| NOTHING.to_owned(), text);
    let whole = |name: &str| text(median(name), |count| grouped(count.round() as u64));
    let ms = |name: &str| text(median(name), |micros| significant(micros / 1e3, 3));
    let runs = &summary.runs;
    let all = runs.ok + runs.overloaded + runs.invalid + runs.inconclusive;
    vec![
        format!("measured, cell {}, {}", cell.index, summary.variant.name),
        format!("{} of {} ok", runs.ok, counted(all.into(), "run")),
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
