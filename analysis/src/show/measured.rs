//! Distributions and resources of a run as tables.

use common::report::{Distribution, Run, Usage};

use super::grid;
use crate::format::{NOTHING, grouped, quantity, significant};
use crate::metric::{TAIL_TASKS_PRINTED, Unit};

pub(super) fn latencies(run: &Run) -> Vec<String> {
    let latency = &run.latency_us;
    let mut rows =
        vec![row_of("response", &latency.response), row_of("response from send", &latency.response_from_send)];
    rows.push(row_of("lateness", &latency.lateness));
    rows.extend(latency.batch_wait.as_ref().map(|distribution| row_of("batch wait", distribution)));
    let passed_on = run.network.as_ref().and_then(|network| network.passed_on.as_ref());
    rows.extend(passed_on.map(|passed_on| row_of("proxy lateness", &passed_on.lateness_us)));
    rows.push(row_of("queue wait", &latency.queue_wait));
    rows.push(row_of("pool wait", &latency.pool_wait));
    rows.push(row_of("service", &latency.service));
    rows.extend(spans(run).into_iter().map(|(span, distribution)| row_of(&format!("  {span}"), distribution)));
    let mut lines = grid(&["", "n", "unbounded", "mean", "p50", "p90", "p99", "p99.9", "max"], rows, &[0]);
    lines.push(format!("means are of tasks with a value; a percentile needs {TAIL_TASKS_PRINTED} tasks beyond it"));
    lines
}

/// The spans of a task: the original's in its order, then the others by name.
pub(super) fn spans(run: &Run) -> Vec<(&str, &Distribution)> {
    const ORIGINAL: [&str; 3] = ["fetch", "save", "ping"];
    let mut spans: Vec<(&str, &Distribution)> =
        run.latency_us.spans.iter().map(|(span, distribution)| (span.as_str(), distribution)).collect();
    spans.sort_by_key(|(span, _)| ORIGINAL.iter().position(|name| name == span).unwrap_or(ORIGINAL.len()));
    spans
}

fn row_of(name: &str, distribution: &Distribution) -> Vec<String> {
    let Distribution { n, unbounded, .. } = *distribution;
    let text = |value: Option<f64>| match value {
        Some(value) => quantity(Unit::Micros, value),
        None if unbounded > 0 => "unbounded".to_owned(),
        None => NOTHING.to_owned(),
    };
    let percentile = |value: Option<f64>, tail_permille: u64| {
        if tail_permille * (n + unbounded) < TAIL_TASKS_PRINTED * 1_000 { NOTHING.to_owned() } else { text(value) }
    };
    vec![
        name.to_owned(),
        grouped(n),
        grouped(unbounded),
        distribution.mean.map_or_else(|| NOTHING.to_owned(), |mean| quantity(Unit::Micros, mean)),
        percentile(distribution.p50, 500),
        percentile(distribution.p90, 100),
        percentile(distribution.p99, 10),
        percentile(distribution.p99_9, 1),
        text(distribution.max),
    ]
}

/// How far away the server was; `None` when nothing was between.
pub(super) fn distance(run: &Run) -> Option<String> {
    let network = run.network.as_ref()?;
    let us = |us: Option<f64>| us.map_or_else(|| NOTHING.to_owned(), |us| quantity(Unit::Micros, us));
    let jitter = match network.jitter_us {
        0 => String::new(),
        jitter_us => format!(" and up to {} of jitter", us(Some(jitter_us.into()))),
    };
    Some(format!(
        "{}{jitter} a round trip; measured before the run: {} more than the direct {}",
        us(Some(network.asked_rtt_us.into())),
        us(network.added_us),
        us(network.direct_us.p50)
    ))
}

pub(super) fn resources(run: &Run) -> Vec<String> {
    let resources = &run.resources;
    let mut rows = vec![
        usage("workers", &resources.workers),
        usage("redis", &resources.redis),
        usage("loadgen", &resources.loadgen),
    ];
    rows.extend(resources.proxy.as_ref().map(|proxy| usage("proxy", proxy)));
    let header = [
        "",
        "CPU user s",
        "CPU system s",
        "CPU per task",
        "peak memory",
        "threads",
        "voluntary",
        "involuntary",
        "sockets",
    ];
    let mut lines = grid(&header, rows, &[0]);
    lines.push("voluntary, involuntary: context switches".to_owned());
    if !run.pressure.is_empty() {
        let shares = run.pressure.iter().map(|one| format!("{} {:.0} %", one.resource, one.share * 100.0));
        lines.push(format!("used of what there was: {}", shares.collect::<Vec<_>>().join(", ")));
    }
    if let Some(memory) = run.startup.memory {
        let idle = quantity(Unit::Bytes, memory.bytes_per_worker);
        lines.push(format!(
            "before it: {idle} for an idle worker; dynos started in {}",
            quantity(Unit::Millis, run.startup.dynos_ms)
        ));
    }
    lines
}

fn usage(name: &str, usage: &Usage) -> Vec<String> {
    let count = |count: Option<u64>| count.map_or_else(|| NOTHING.to_owned(), grouped);
    let seconds = |seconds: Option<f64>| seconds.map_or_else(|| NOTHING.to_owned(), |s| significant(s, 3));
    let of = |unit: Unit, value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |value| quantity(unit, value));
    vec![
        name.to_owned(),
        seconds(usage.cpu_user_s),
        seconds(usage.cpu_sys_s),
        of(Unit::Micros, usage.cpu_us_per_task),
        of(Unit::Bytes, usage.rss_max_bytes.map(|bytes| bytes as f64)),
        count(usage.threads),
        count(usage.voluntary_switches),
        count(usage.involuntary_switches),
        count(usage.sockets),
    ]
}
