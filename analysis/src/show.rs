//! One run as text: first in the form of the original benchmark (constants, messaging, the five worst workers,
//! mean times, success or failure), then what the original could not say.

use common::plan::Connections;
use common::report::{Check, Ended, Run, RunResult, Severity};

use crate::escape;
use crate::format::{NOTHING, counted, grouped, quantity, significant};
use crate::metric::{Unit, uptime_s};
use crate::tables::{grid_text, layout::Grid};

mod measured;
mod queue;

/// Workers that are shown one by one.
const WORST_WORKERS: usize = 5;

/// `run` for a terminal. Pure; ends with a newline.
#[must_use]
pub fn text(run: &Run) -> String {
    let mut text: String = heading(run).iter().map(|line| format!("{}\n", escape::line(line))).collect();
    for (title, lines) in [
        ("constants", constants(run)),
        ("messaging", messaging(run)),
        ("workers, the five with the largest backlog", workers(run)),
        ("mean times", mean_times(run)),
        ("result", vec![result(run)]),
        ("latency over the window", measured::latencies(run)),
        ("resources over the window", measured::resources(run)),
        ("redis", redis(run)),
        ("queue", queue::lines(run)),
        ("validity", validity(run)),
        ("verdict", verdict(run)),
    ] {
        // Not every run has one.
        if lines.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{title}\n"));
        for line in lines {
            text.push_str(&format!("  {}\n", escape::line(&line)));
        }
    }
    text
}

fn heading(run: &Run) -> Vec<String> {
    let plan = &run.plan;
    let question = if plan.question.is_empty() { String::new() } else { format!(": {}", plan.question) };
    let parameters: Vec<String> = run.cell.parameters.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let parameters = if parameters.is_empty() { String::new() } else { format!(" ({})", parameters.join(", ")) };
    let mut lines = vec![
        format!("{}{question}", plan.name),
        format!(
            "variant {}, cell {}{parameters}, block {}, attempt {}, started {}",
            run.variant.name, run.cell.index, run.block, run.attempt, run.started_at
        ),
    ];
    lines.extend(run.forced.iter().map(|sentence| format!("FORCED: {sentence}")));
    lines
}

fn constants(run: &Run) -> Vec<String> {
    let settings = &run.plan.settings;
    let (task, load, workers, variant) = (&settings.task, &settings.load, &settings.workers, &run.variant);
    let connections = match (variant.connections, variant.pool_size) {
        (Connections::Own, _) | (_, None) => "one per worker".to_owned(),
        (Connections::Pool, Some(size)) => {
            format!("pool of {size}, one for each {}", variant.checkout.as_ref().map_or_else(String::new, name))
        }
        (Connections::Shared, Some(size)) => format!("{size} shared"),
    };
    let stack = variant.stack_kib.map_or_else(String::new, |kib| format!(", stacks of {kib} KiB"));
    let pairs = [
        ("rate_per_s", format!("{} ({})", run.rate_per_s.asked, name(&load.arrivals))),
        ("duration_s", load.duration_s.to_string()),
        ("warmup_s", load.warmup_s.to_string()),
        ("task", format!("{}{}", name(&task.kind), queue::how(run))),
        ("list_max", task.list_max.to_string()),
        ("payload_kb", task.payload_kb.to_string()),
        ("backlog_max", workers.backlog_max.to_string()),
        ("workers", format!("{} in {}", run.workers.count, counted(run.workers.dynos.into(), "dyno"))),
        ("engine", format!("{}, executor {}{stack}", variant.engine, name(&variant.executor))),
        ("allocator", variant.allocator.to_string()),
        ("connections", format!("{connections}, client {}", name(&variant.client))),
        ("server", format!("{} {}", run.redis_server.product, run.redis_server.version)),
        ("scheduling", run.host.scheduling.clone()),
        ("calibration", calibration(run)),
    ];
    let mut pairs = pairs.to_vec();
    pairs.extend(measured::distance(run).map(|distance| ("distance", distance)));
    pairs.extend(run.dyno.as_ref().map(|dyno| ("dyno", dyno.label.clone())));
    aligned(&pairs)
}

/// How far below the generator's ceiling the run was.
fn calibration(run: &Run) -> String {
    match &run.host.calibration {
        Some(ceiling) => format!(
            "{} /s can be paced with this engine ({})",
            significant(ceiling.ceiling_per_s, 3),
            ceiling.measured_at
        ),
        None => "none: make calibrate".to_owned(),
    }
}

/// The name that plans and reports use.
fn name(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => format!("{other:?}"),
    }
}

fn aligned(pairs: &[(&str, String)]) -> Vec<String> {
    let width = pairs.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    pairs.iter().map(|(key, value)| format!("{key:width$}  {value}")).collect()
}

fn messaging(run: &Run) -> Vec<String> {
    let (counts, rates) = (&run.counts, &run.rate_per_s);
    let failed = counts.failed;
    let completed = rates.completed.map_or_else(|| NOTHING.to_owned(), |rate| significant(rate, 5));
    let failures = format!(
        "{} (timeout {}, disconnected {}, server error {}, pool timeout {})",
        grouped(failed.total()),
        failed.timeout,
        failed.disconnected,
        failed.server_error,
        failed.pool_timeout
    );
    aligned(&[
        ("planned", format!("{} at {} /s", grouped(counts.planned), significant(rates.asked, 5))),
        ("sent", format!("{} at {} /s", grouped(counts.sent), significant(rates.sent, 5))),
        ("completed", format!("{} at {} /s", grouped(counts.completed), completed)),
        ("rejected", grouped(counts.rejected)),
        ("failed", failures),
        ("unfinished", grouped(counts.unfinished)),
        ("missed", grouped(counts.missed)),
        ("warm-up", format!("{} sent, in no other count", grouped(counts.warmup))),
        ("uptime", uptime(run)),
        ("backlog", backlog(run)),
    ])
}

fn backlog(run: &Run) -> String {
    let backlog = &run.backlog;
    let mut parts = vec![
        format!("at one worker {} of {}{}", or_nothing(backlog.max), backlog.limit, work(backlog.max_work_s)),
        format!("in all {}", backlog.total_max.map_or_else(|| NOTHING.to_owned(), grouped)),
    ];
    parts.extend(backlog.slope_per_s.map(|slope| format!("slope {} /s", significant(slope, 2))));
    parts.push(backlog.drain_ms.map_or_else(
        || "not drained".to_owned(),
        |drain| format!("drained in {}", quantity(Unit::Micros, drain * 1e3)),
    ));
    parts.join(", ")
}

/// A limit in tasks gets softer with every worker that is added: how long that one would work at it.
fn work(seconds: Option<f64>) -> String {
    seconds.map_or_else(String::new, |seconds| format!(" ({} of its work)", quantity(Unit::Micros, seconds * 1e6)))
}

fn or_nothing(number: Option<u32>) -> String {
    number.map_or_else(|| NOTHING.to_owned(), |number| number.to_string())
}

fn uptime(run: &Run) -> String {
    uptime_s(run).map_or_else(|| NOTHING.to_owned(), |seconds| format!("{} s", significant(seconds, 3)))
}

fn workers(run: &Run) -> Vec<String> {
    let workers = &run.workers;
    let mut worst: Vec<usize> = (0..workers.cycles.len()).collect();
    let backlog = |worker: usize| workers.backlog_max.get(worker).copied().flatten();
    let busy = |worker: usize| workers.busy_ns.get(worker).copied().flatten();
    worst.sort_by_key(|&worker| std::cmp::Reverse((backlog(worker), busy(worker))));
    let rows = worst.into_iter().take(WORST_WORKERS).map(|worker| {
        let share = uptime_s(run).filter(|uptime| *uptime > 0.0);
        let share = share.zip(busy(worker)).map(|(uptime, busy)| busy as f64 / 1e9 / uptime);
        vec![
            worker.to_string(),
            workers.cycles[worker].map_or_else(|| NOTHING.to_owned(), grouped),
            or_nothing(backlog(worker)),
            busy(worker).map_or_else(|| NOTHING.to_owned(), |busy| quantity(Unit::Micros, busy as f64 / 1e3)),
            share.map_or_else(|| NOTHING.to_owned(), |share| format!("{:.0} %", share * 100.0)),
        ]
    });
    grid(&["worker", "cycles", "max backlog", "busy", "of uptime"], rows.collect(), &[])
}

fn mean_times(run: &Run) -> Vec<String> {
    let mut pairs = vec![("task", run.latency_us.service.mean)];
    pairs.extend(measured::spans(run).into_iter().map(|(span, distribution)| (span, distribution.mean)));
    let ms =
        |mean: Option<f64>| mean.map_or_else(|| NOTHING.to_owned(), |us| format!("{} ms", significant(us / 1e3, 3)));
    aligned(&pairs.into_iter().map(|(span, mean)| (span, ms(mean))).collect::<Vec<_>>())
}

/// The original knows success and failure only.
fn result(run: &Run) -> String {
    let how = match &run.ended {
        Ended::Complete => String::new(),
        Ended::Overloaded => ", stopped by the backlog rule".to_owned(),
        Ended::Interrupted => ", interrupted".to_owned(),
        Ended::DynoLost { dyno, status, .. } => format!(", dyno {dyno} lost{}", in_brackets(status.as_deref())),
        Ended::ServerLost { status, .. } => format!(", server lost{}", in_brackets(Some(status))),
        Ended::ProxyLost { status, .. } => format!(", delay proxy lost{}", in_brackets(Some(status))),
        Ended::ServerFull { .. } => ", server out of memory".to_owned(),
        Ended::QueueLost { .. } => ", the queue took no more tasks".to_owned(),
    };
    let word = match run.verdict.result {
        RunResult::Ok => "success",
        RunResult::Overloaded => "failure",
        RunResult::Invalid | RunResult::Inconclusive => "neither success nor failure",
    };
    format!("{word} after {}{how}", uptime(run))
}

fn in_brackets(status: Option<&str>) -> String {
    status.map_or_else(String::new, |status| format!(" ({status})"))
}

fn redis(run: &Run) -> Vec<String> {
    let work = &run.redis_work;
    let rows = work.commands_per_task.iter().map(|(command, per_task)| {
        let time = work.command_us_per_task.get(command);
        let time = time.map_or_else(|| NOTHING.to_owned(), |us| quantity(Unit::Micros, *us));
        vec![command.clone(), significant(*per_task, 4), time]
    });
    let mut lines = grid(&["command", "per task", "server time per task"], rows.collect(), &[0]);
    let bytes = |bytes: Option<f64>| bytes.map_or_else(|| NOTHING.to_owned(), |bytes| grouped(bytes.round() as u64));
    lines.push(format!(
        "over {}: {} bytes in and {} out per task, {}",
        counted(work.tasks, "task"),
        bytes(work.bytes_in_per_task),
        bytes(work.bytes_out_per_task),
        counted(work.reconnects, "reconnect")
    ));
    lines.extend(work.request_errors.iter().map(|(error, count)| format!("request errors: {error} {count}")));
    lines
}

/// Failed checks first.
fn validity(run: &Run) -> Vec<String> {
    let mut checks: Vec<&Check> = run.validity.checks.iter().collect();
    checks.sort_by_key(|check| (check.ok, check.severity == Severity::Warning));
    let number = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |value| significant(value, 4));
    let rows = checks.into_iter().map(|check| {
        let state = match (check.ok, check.severity) {
            (true, _) => "ok",
            (false, Severity::Warning) => "WARNING",
            (false, Severity::Invalid) => "INVALID",
        };
        let remedy = if check.ok { String::new() } else { check.remedy.clone() };
        vec![check.name.clone(), state.to_owned(), number(check.value), number(check.limit), remedy]
    });
    let mut lines = grid(&["check", "state", "value", "limit", "remedy"], rows.collect(), &[0, 1, 4]);
    lines.insert(0, if run.validity.valid { "valid" } else { "NOT VALID" }.to_owned());
    lines
}

fn verdict(run: &Run) -> Vec<String> {
    let verdict = &run.verdict;
    let mut lines = vec![format!("{}: {}", verdict.result, verdict.reason)];
    if !verdict.remedy.is_empty() {
        lines.push(verdict.remedy.clone());
    }
    if let Some(found) = verdict.bottleneck.filter(|_| verdict.result != RunResult::Overloaded) {
        lines.push(format!("nearest to a limit: {} ({:.0} %)", found.resource, found.share * 100.0));
    }
    lines
}

fn grid(header: &[&str], rows: Vec<Vec<String>>, left: &[usize]) -> Vec<String> {
    let grid = Grid { header: header.iter().map(|&cell| cell.to_owned()).collect(), rows, left: left.to_vec() };
    grid_text(&grid).lines().map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()).collect()
}
