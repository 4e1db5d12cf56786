//! `runs.csv`: one line a run, for spreadsheets and data frames. Everything in it stands in the runs.

use std::collections::BTreeSet;

use common::plan::Metric;
use common::report::{Counts, Ended, Run};

use crate::escape;
use crate::metric::{uptime_s, value};

/// The runs as CSV with a header: which run it is (swept keys under their own names), what came of it, counts, rates, every
/// metric, whether it may be believed, and what was short. What was not measured, has too few tasks or no bound is empty.
///
/// # Errors
/// Never for runs that were read by this crate.
pub fn bytes(runs: &[Run]) -> Result<Vec<u8>, csv::Error> {
    let swept: BTreeSet<&str> = runs.iter().flat_map(|run| run.cell.parameters.keys().map(String::as_str)).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    if let Some(first) = runs.first() {
        writer.write_record(row(first, &swept).into_iter().map(|(name, _)| name))?;
    }
    for run in runs {
        writer.write_record(row(run, &swept).into_iter().map(|(_, cell)| cell))?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// Every column of a run: its name and what stands in it.
fn row(run: &Run, swept: &BTreeSet<&str>) -> Vec<(String, String)> {
    let mut cells: Vec<(String, String)> = Vec::new();
    let mut push = |name: &str, cell: String| cells.push((name.to_owned(), cell));
    push("cell", run.cell.index.to_string());
    for &key in swept {
        let parameter = match run.cell.parameters.get(key) {
            Some(serde_json::Value::String(name)) => text(name),
            Some(serde_json::Value::Number(number)) => number.to_string(),
            Some(other) => text(&other.to_string()),
            None => String::new(),
        };
        push(&text(key), parameter);
    }
    push("block", run.block.to_string());
    push("attempt", run.attempt.to_string());
    push("position", run.position.to_string());
    push("variant", text(&run.variant.name));
    push("engine", run.variant.engine.to_string());
    push("started_at", text(&run.started_at));
    push("verdict", run.verdict.result.to_string());
    push("valid", run.validity.valid.to_string());
    push("ended", how(&run.ended).to_owned());
    let Counts { planned, sent, missed, completed, rejected, failed, unfinished, warmup } = &run.counts;
    for (name, tasks) in [
        ("planned", planned),
        ("sent", sent),
        ("missed", missed),
        ("completed", completed),
        ("rejected", rejected),
        ("failed", &failed.total()),
        ("failed_timeout", &failed.timeout),
        ("failed_disconnected", &failed.disconnected),
        ("failed_server_error", &failed.server_error),
        ("failed_pool_timeout", &failed.pool_timeout),
        ("unfinished", unfinished),
        ("warmup", warmup),
    ] {
        push(&format!("{name}_tasks"), tasks.to_string());
    }
    push("asked_per_s", run.rate_per_s.asked.to_string());
    push("sent_per_s", run.rate_per_s.sent.to_string());
    for metric in Metric::ALL {
        // The unit stands in the name of the metric.
        push(metric.name(), number(value(run, metric).number()));
    }
    push("service_mean_us", number(run.latency_us.service.mean));
    push("lateness_p99_us", number(run.latency_us.lateness.p99));
    push("uptime_s", number(uptime_s(run)));
    push("drain_ms", number(run.backlog.drain_ms));
    let queue = run.queue.as_ref();
    for (name, count) in [
        ("queue_peak_visible_tasks", queue.and_then(|queue| Some(queue.peak?.visible))),
        ("queue_redeliveries_tasks", queue.map(|queue| queue.redeliveries)),
        ("queue_duplicates_tasks", queue.map(|queue| queue.duplicates)),
        ("queue_dead_tasks", queue.map(|queue| queue.dead)),
        ("queue_empty_claims", queue.map(|queue| queue.empty_claims)),
    ] {
        push(name, count.map_or_else(String::new, |count| count.to_string()));
    }
    push("enqueue_p99_us", number(queue.and_then(|queue| queue.enqueue_us.p99)));
    let bottleneck = run.verdict.bottleneck;
    push("bottleneck", bottleneck.map_or_else(String::new, |found| found.resource.to_string()));
    push("bottleneck_share", number(bottleneck.map(|found| found.share)));
    push("reason", text(&run.verdict.reason));
    cells
}

/// Nothing where there is no number.
fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| value.to_string())
}

/// Text that a spreadsheet takes for text: what begins as a formula does is led by an apostrophe [OWASP, *CSV Injection*].
fn text(text: &str) -> String {
    let text = escape::line(text);
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

fn how(ended: &Ended) -> &'static str {
    match ended {
        Ended::Complete => "complete",
        Ended::Overloaded => "overloaded",
        Ended::Interrupted => "interrupted",
        Ended::DynoLost { .. } => "dyno-lost",
        Ended::ServerLost { .. } => "server-lost",
        Ended::ProxyLost { .. } => "proxy-lost",
        Ended::ServerFull { .. } => "server-full",
        Ended::QueueLost { .. } => "queue-lost",
    }
}
