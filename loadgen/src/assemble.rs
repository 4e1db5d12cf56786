//! From what was measured to a report. Pure but for the order of its inputs: no I/O, no clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::arrivals::Schedule;
use common::latency::{Latency, microseconds};
use common::plan::Settings;
use common::report::{
    Backlog, CellId, Counts, Ended, Host, Latencies, Overload, Phase, Rates, RedisServer, RedisWork, Resources, Run,
    RunKind, RunPlan, SCHEMA_VERSION, Second, Startup, Usage, Versions, Workers,
};
use common::request::RequestErrorKind;
use common::step::Span;
use common::verdict::{Evidence, judge, on_time_limit_us};
use common::wire::TaskPhase;

use crate::collect::{Collected, SecondReports};
use crate::monitor::ServerWork;
use crate::pacer::Progress;
use crate::redis_server::ServerFacts;
use crate::resources::{WindowUsage, difference};
use crate::run::Spec;
use crate::server::Server;

/// Tasks sent and not finished at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BacklogSample {
    /// Seconds since the window began.
    pub at_s: f64,
    /// In all dynos.
    pub total: u64,
}

/// Everything that a run has left behind.
pub struct Measured {
    /// Wall clock.
    pub started_at: jiff::Timestamp,
    /// The machine.
    pub host: Host,
    /// The server.
    pub server: RedisServer,
    /// What the dynos said of themselves.
    pub builds: Vec<String>,
    /// Why it ended.
    pub ended: Ended,
    /// What the dynos reported.
    pub collected: Collected,
    /// Ten a second and dyno.
    pub samples: Vec<BacklogSample>,
    /// What the pacer sent.
    pub pacing: Arc<Progress>,
    /// Server and loadgen over the window.
    pub usage: WindowUsage,
    /// The server's counters over all timed tasks; `None` when it no longer answered.
    pub work: Option<ServerWork>,
    /// What came before.
    pub startup: Startup,
    /// Of the warm-up, on `CLOCK_MONOTONIC`.
    pub start_ns: u64,
}

/// The server as a report describes it; sizes are keys and bytes after the prefill and after the drain.
#[must_use]
pub fn server(facts: &ServerFacts, server: &Server, start: (u64, u64), end: (u64, u64)) -> RedisServer {
    RedisServer {
        product: facts.product.to_string(),
        version: facts.version.clone().unwrap_or_default(),
        allocator: facts.allocator.clone().unwrap_or_default(),
        io_threads: facts.io_threads,
        private: server.is_private(),
        origin: server.origin.clone(),
        keys_start: start.0,
        keys_end: end.0,
        used_memory_start_bytes: start.1,
        used_memory_end_bytes: end.1,
    }
}

/// The report of a run.
#[must_use]
pub fn run(spec: &Spec<'_>, schedule: &Schedule, measured: Measured) -> Run {
    let settings = &spec.cell.settings;
    let collected = &measured.collected;
    let counts = counts(schedule, &measured);
    let unbounded = counts.failed.total() + counts.unfinished;
    let latency_us = latencies(collected, unbounded, counts.unfinished);
    let tasks_in_window: u64 = collected.dynos.iter().map(|dyno| ended_in_window(dyno).unwrap_or(0)).sum();
    let resources = resources(&measured, tasks_in_window);
    let redis_work = redis_work(&measured, tasks_of_server(&measured));
    let backlog = backlog(settings, schedule, &measured, &counts);
    let on_time = |lateness: &Latency| {
        let limit_us = on_time_limit_us(latency_us.response.p50);
        lateness.share_within((limit_us * 1e3) as u64)
    };
    let (validity, verdict) = judge(&Evidence {
        settings,
        ended: &measured.ended,
        counts: &counts,
        latency_us: &latency_us,
        backlog: &backlog,
        redis_work: &redis_work,
        on_time: on_time(&collected.histograms.lateness),
        on_time_before_overload: on_time(&collected.lateness_before_overload),
        recorded: collected.histograms.response.n() + collected.histograms.response.beyond(),
    });
    Run {
        kind: RunKind::Run,
        schema_version: SCHEMA_VERSION,
        plan: RunPlan {
            name: spec.plan.name.clone(),
            question: spec.plan.question.clone(),
            settings: settings.clone(),
        },
        plan_hash: spec.plan.hash.clone(),
        arrivals_hash: schedule.hash(),
        cell: CellId { index: spec.cell.index, parameters: spec.cell.parameters.clone() },
        block: spec.block,
        position: spec.position,
        attempt: spec.attempt,
        variant: spec.variant.clone(),
        started_at: measured.started_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        versions: Versions {
            headroom: env!("CARGO_PKG_VERSION").to_owned(),
            workers: measured.builds.first().cloned().unwrap_or_default(),
            loadgen: format!("loadgen {}", env!("CARGO_PKG_VERSION")),
        },
        rate_per_s: rates(settings, schedule, &measured, tasks_in_window),
        workers: workers(settings, collected),
        timeline: timeline(schedule, &measured),
        host: Host { scheduling: "unpinned, one session".to_owned(), ..measured.host },
        redis_server: measured.server,
        ended: measured.ended,
        counts,
        latency_us,
        backlog,
        startup: measured.startup,
        resources,
        redis_work,
        validity,
        verdict,
    }
}

fn counts(schedule: &Schedule, measured: &Measured) -> Counts {
    let pacing = &measured.pacing;
    let warmup = pacing.sent_warmup.load(Ordering::Relaxed);
    let sent = pacing.sent.load(Ordering::Relaxed) - warmup;
    let planned = (schedule.arrivals.len() - schedule.warmup) as u64;
    let window = measured.collected.counts(TaskPhase::Window);
    Counts {
        planned,
        sent,
        missed: planned - sent,
        completed: window.completed,
        rejected: window.rejected,
        failed: window.failed,
        unfinished: sent.saturating_sub(window.ended()),
        warmup,
    }
}

fn latencies(collected: &Collected, unbounded: u64, unfinished: u64) -> Latencies {
    let all = &collected.histograms;
    let spans = Span::ALL.map(|span| (span.name().to_owned(), all.spans[span as usize].distribution(unbounded)));
    Latencies {
        // Of every task that ended, failed ones included.
        lateness: all.lateness.distribution(0),
        batch_wait: None,
        // Those that never ended waited longest, or may have.
        queue_wait: all.queue_wait.distribution(unfinished),
        pool_wait: all.pool_wait.distribution(unbounded),
        service: all.service.distribution(unbounded),
        response: all.response.distribution(unbounded),
        response_from_send: all.response_from_send.distribution(unbounded),
        spans: spans.into_iter().collect(),
    }
}

fn ended_in_window(dyno: &crate::collect::DynoReports) -> Option<u64> {
    Some(dyno.usage_end?.ended.saturating_sub(dyno.usage_start?.ended))
}

fn resources(measured: &Measured, tasks: u64) -> Resources {
    let per_task = |mut usage: Usage| {
        if let (Some(user_s), Some(sys_s)) = (usage.cpu_user_s, usage.cpu_sys_s) {
            usage.cpu_us_per_task = (tasks > 0).then(|| (user_s + sys_s) * 1e6 / tasks as f64);
        }
        usage
    };
    let of_dynos: Option<Vec<Usage>> =
        measured.collected.dynos.iter().map(|dyno| Some(difference(&dyno.usage_start?, &dyno.usage_end?))).collect();
    let workers = of_dynos.map(|all| all.into_iter().reduce(add).unwrap_or_default()).unwrap_or_default();
    Resources {
        window_s: measured.usage.seconds,
        tasks,
        workers: per_task(workers),
        redis: per_task(measured.usage.redis),
        loadgen: per_task(measured.usage.loadgen),
        proxy: None,
    }
}

/// Two processes together.
fn add(a: Usage, b: Usage) -> Usage {
    let float = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
    let whole = |a: Option<u64>, b: Option<u64>| Some(a? + b?);
    Usage {
        cpu_user_s: float(a.cpu_user_s, b.cpu_user_s),
        cpu_sys_s: float(a.cpu_sys_s, b.cpu_sys_s),
        cpu_us_per_task: None,
        rss_max_bytes: whole(a.rss_max_bytes, b.rss_max_bytes),
        threads: whole(a.threads, b.threads),
        voluntary_switches: whole(a.voluntary_switches, b.voluntary_switches),
        involuntary_switches: whole(a.involuntary_switches, b.involuntary_switches),
        sockets: whole(a.sockets, b.sockets),
    }
}

/// Timed tasks that ended: those that the server's counters cover.
fn tasks_of_server(measured: &Measured) -> u64 {
    let phases = [TaskPhase::WarmUp, TaskPhase::Window];
    phases.map(|phase| measured.collected.counts(phase).ended()).iter().sum()
}

fn redis_work(measured: &Measured, tasks: u64) -> RedisWork {
    let mut request_errors = BTreeMap::new();
    for kind in RequestErrorKind::ALL {
        let count: u64 = measured.collected.dynos.iter().map(|dyno| dyno.request_errors[kind as usize]).sum();
        if count > 0 {
            request_errors.insert(kind.name().to_owned(), count);
        }
    }
    let reconnects = measured.collected.dynos.iter().filter_map(|dyno| Some(dyno.last.as_ref()?.reconnects)).sum();
    let nothing = RedisWork { tasks, request_errors, reconnects, ..RedisWork::default() };
    let Some(work) = measured.work.as_ref().filter(|_| tasks > 0) else { return nothing };
    let per_task = |amount: u64| amount as f64 / tasks as f64;
    RedisWork {
        commands_per_task: work.commands.iter().map(|(name, stat)| (name.clone(), per_task(stat.calls))).collect(),
        command_us_per_task: work.commands.iter().map(|(name, stat)| (name.clone(), per_task(stat.usec))).collect(),
        bytes_in_per_task: Some(per_task(work.bytes_in)),
        bytes_out_per_task: Some(per_task(work.bytes_out)),
        ..nothing
    }
}

fn backlog(settings: &Settings, schedule: &Schedule, measured: &Measured, counts: &Counts) -> Backlog {
    let collected = &measured.collected;
    let last_ended_ns = collected.dynos.iter().map(|dyno| dyno.totals.last_ended_ns).max().unwrap_or(0);
    let last_sent_ns = measured.pacing.last_sent_ns.load(Ordering::Relaxed);
    let warmup = collected.counts(TaskPhase::WarmUp);
    let all_ended = counts.unfinished == 0 && counts.warmup == warmup.ended();
    let drained = all_ended && matches!(measured.ended, Ended::Complete);
    let window_s = settings.load.duration_s;
    let in_window: Vec<BacklogSample> =
        measured.samples.iter().copied().filter(|sample| (0.0..=window_s).contains(&sample.at_s)).collect();
    let window_start_ns = measured.start_ns + schedule.window_start_ns;
    Backlog {
        max: collected
            .dynos
            .iter()
            .filter_map(|dyno| dyno.last.as_ref()?.backlog_max.iter().max().copied())
            .max()
            .unwrap_or(0),
        limit: settings.workers.backlog_max,
        total_max: measured.samples.iter().map(|sample| sample.total).max().unwrap_or(0),
        slope_per_s: slope(&in_window),
        drain_ms: drained.then(|| last_ended_ns.saturating_sub(last_sent_ns) as f64 / 1e6),
        overload: collected.overload.map(|overload| Overload {
            at_s: (overload.at_ns as f64 - window_start_ns as f64) / 1e9,
            dyno: overload.dyno,
            worker: overload.worker.map(|worker| settings.workers.first_of(overload.dyno) + worker),
            backlog: overload.backlog,
        }),
    }
}

/// Least squares; `None` with fewer than ten samples.
fn slope(samples: &[BacklogSample]) -> Option<f64> {
    if samples.len() < 10 {
        return None;
    }
    let n = samples.len() as f64;
    let mean_at = samples.iter().map(|sample| sample.at_s).sum::<f64>() / n;
    let mean_total = samples.iter().map(|sample| sample.total as f64).sum::<f64>() / n;
    let along = samples.iter().map(|sample| (sample.at_s - mean_at).powi(2)).sum::<f64>();
    let both = samples.iter().map(|sample| (sample.at_s - mean_at) * (sample.total as f64 - mean_total)).sum::<f64>();
    (along > 0.0).then(|| both / along)
}

fn rates(settings: &Settings, schedule: &Schedule, measured: &Measured, tasks_in_window: u64) -> Rates {
    let pacing = &measured.pacing;
    let sent = pacing.sent.load(Ordering::Relaxed) - pacing.sent_warmup.load(Ordering::Relaxed);
    let planned_s = (schedule.window_end_ns - schedule.window_start_ns) as f64 / 1e9;
    let last_s = (pacing.last_sent_ns.load(Ordering::Relaxed) as f64
        - (measured.start_ns + schedule.window_start_ns) as f64)
        / 1e9;
    // All sent: over the window they were planned for. Stopped early: over the time there was.
    let all = sent == (schedule.arrivals.len() - schedule.warmup) as u64;
    let sent_s = if all { planned_s.max(last_s) } else { last_s };
    let window_s = measured.usage.seconds;
    Rates {
        asked: settings.load.rate_per_s,
        sent: if sent_s > 0.0 { sent as f64 / sent_s } else { 0.0 },
        completed: if window_s > 0.0 { tasks_in_window as f64 / window_s } else { 0.0 },
    }
}

fn workers(settings: &Settings, collected: &Collected) -> Workers {
    let mut all = Workers { count: settings.workers.total(), dynos: settings.workers.dynos, ..Workers::default() };
    for (dyno, reports) in (0..).zip(&collected.dynos) {
        let count = settings.workers.count_of(dyno) as usize;
        // A lost dyno leaves zeros, so that positions stay workers.
        let last = reports.last.clone().unwrap_or_default();
        let padded = |mut values: Vec<u64>| {
            values.resize(count, 0);
            values
        };
        all.cycles.extend(padded(last.cycles));
        all.busy_ns.extend(padded(last.busy_ns));
        let mut backlog_max = last.backlog_max;
        backlog_max.resize(count, 0);
        all.backlog_max.extend(backlog_max);
    }
    all
}

fn timeline(schedule: &Schedule, measured: &Measured) -> Vec<Second> {
    let seconds = &measured.collected.seconds;
    let sent_by_second: Vec<u64> =
        measured.pacing.sent_by_second.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    let last_sent = sent_by_second.iter().rposition(|&count| count > 0);
    let last = last_sent.map(|second| second as u32).max(seconds.keys().next_back().copied());
    let nothing = SecondReports::default();
    let (mut all_sent, mut all_ended) = (0u64, 0u64);
    (0..last.map_or(0, |last| last + 1))
        .map(|second| {
            let reports = seconds.get(&second).unwrap_or(&nothing);
            let sent = sent_by_second.get(second as usize).copied().unwrap_or(0);
            // A delta is taken a little after the end of its second: it may hold a few tasks sent in the next one.
            all_sent += sent;
            all_ended += reports.completed + reports.failed;
            let backlog = all_sent.saturating_sub(all_ended);
            let end_ns = (u64::from(second) + 1) * 1_000_000_000;
            let phase = if end_ns <= schedule.window_start_ns {
                Phase::WarmUp
            } else if end_ns < schedule.window_end_ns + 1_000_000_000 {
                Phase::Window
            } else {
                Phase::Drain
            };
            let percentile = |p| reports.response.percentile_ns(p, 0).map(microseconds);
            Second {
                t_s: (end_ns as f64 - schedule.window_start_ns as f64) / 1e9,
                phase,
                sent,
                completed: reports.completed,
                failed: reports.failed,
                backlog,
                response_p50_us: percentile(0.5),
                response_p90_us: percentile(0.9),
                response_p99_us: percentile(0.99),
                response_max_us: reports.response.max_ns().map(microseconds),
                service_p50_us: reports.service.percentile_ns(0.5, 0).map(microseconds),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{BacklogSample, slope};

    #[test]
    fn the_slope_of_a_straight_line_is_its_slope() {
        let line = |slope: f64| -> Vec<BacklogSample> {
            (0..20).map(|i| BacklogSample { at_s: f64::from(i), total: (10.0 + slope * f64::from(i)) as u64 }).collect()
        };
        assert_eq!(slope(&line(3.0)), Some(3.0));
        assert_eq!(slope(&line(0.0)), Some(0.0));
        assert_eq!(slope(&line(1.0)[..9]), None);
    }
}
