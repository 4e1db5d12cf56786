//! A/A results for a terminal. Everything shown stands in the [`Summary`].

use super::summary::{Group, MetricSummary, Summary};
use crate::format::{NOTHING, percent, percent_of_log, ratio_or_unbounded};
use crate::metric::wording;
use crate::tables::grid;

/// One table per kind of bench, and what to make of it.
#[must_use]
pub fn text(summary: &Summary) -> String {
    let mut text = format!(
        "A/A, host {}: one variant against itself, so that every difference is the instrument's\n",
        summary.host
    );
    for group in &summary.groups {
        text.push_str(&group_text(group));
    }
    text
}

fn group_text(group: &Group) -> String {
    let benches = |n: u32| if n == 1 { "1 bench".to_owned() } else { format!("{n} benches") };
    let task =
        serde_json::to_value(group.task).ok().and_then(|task| task.as_str().map(str::to_owned)).unwrap_or_default();
    let mut text = format!(
        "\n{task}, {} s after {} s of warm-up: {} of the threaded engine, {} of the async one\nHeadroom {}, scheduling {}\n\n",
        group.duration_s,
        group.warmup_s,
        benches(group.threaded),
        benches(group.asynchronous),
        group.headroom,
        group.scheduling
    );
    let header =
        ["metric", "alarms", "rate, 95 %", "bias", "a block scatters by", "10 blocks detect", "30 blocks detect"];
    text.push_str(&grid(&header, group.metrics.iter().map(row).collect()));
    text.push_str("\n\n");
    for note in notes(group) {
        text.push_str(&format!("{note}\n"));
    }
    text
}

fn row(metric: &MetricSummary) -> Vec<String> {
    let of_log = |log_ratio: Option<f64>| log_ratio.map_or_else(|| NOTHING.to_owned(), percent_of_log);
    let [value, low, high] = [metric.ratio.value, metric.ratio.low, metric.ratio.high].map(ratio_or_unbounded);
    vec![
        format!("{}{}", wording(metric.metric).label, if metric.primary { " *" } else { "" }),
        format!("{} of {}{}", metric.alarms, metric.benches, if metric.defect == Some(true) { " !" } else { "" }),
        format!("{} to {}", percent(metric.alarm_rate_low), percent(metric.alarm_rate_high)),
        format!("{value} [{low}, {high}]{}", if metric.biased { " !" } else { "" }),
        of_log(metric.noise_floor),
        of_log(metric.detectable_10),
        of_log(metric.detectable_30),
    ]
}

fn notes(group: &Group) -> Vec<String> {
    let labels = |picked: fn(&MetricSummary) -> bool| {
        let picked = group.metrics.iter().filter(|metric| picked(metric)).map(|metric| wording(metric.metric).label);
        picked.collect::<Vec<_>>().join(", ")
    };
    let mut notes = vec![
        "* primary: an alarm is the word better or worse; of the others, p of at most 0.05, which one in twenty has"
            .to_owned(),
        "detect: find in four cases of five, by a test of its own, in blocks of this task and length; others scatter otherwise".to_owned(),
    ];
    let defects = labels(|metric| metric.primary && metric.defect == Some(true));
    let benches = group.metrics.iter().filter(|metric| metric.primary).map(|metric| metric.benches).max().unwrap_or(0);
    if !defects.is_empty() {
        notes.push(format!(
            "DEFECT: {defects} gave more alarms than a sound instrument does; no verdict of this host is to be believed until it is \
             known why"
        ));
    } else if group.metrics.iter().any(|metric| metric.primary && metric.defect.is_none()) {
        notes.push(format!("of defects nothing is said below 20 benches, and these are {benches}: make aa"));
    } else {
        notes.push("no defect: the primary metric gave no more alarms than a sound instrument does".to_owned());
    }
    let biased = labels(|metric| metric.biased);
    if !biased.is_empty() {
        notes.push(format!(
            "BIASED (1 is not in the interval), so that verdicts of this host are unknown: {biased}; of twenty metrics one is by \
             chance, and more A/A benches will tell"
        ));
    }
    notes
}
