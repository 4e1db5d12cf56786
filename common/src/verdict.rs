//! From what was measured to whether it may be believed, and whether the variant kept up. Pure.

use crate::plan::Settings;
use crate::report::{
    Backlog, Check, ClockOffset, Counts, DynoLimits, Ended, Latencies, Little, Machine, Network, Pressure, QueueReport,
    RedisServer, RedisWork, Resources, RunResult, Severity, Validity, Verdict,
};

mod audit;
mod bottleneck;
mod clock;
mod dyno;
mod generator;
mod machine;
mod network;
mod permits;
mod queue;
mod server;

pub use bottleneck::{EXHAUSTED, bottleneck, remedy};
pub use generator::{ON_TIME_MIN, TAIL_MIN, beyond, on_time_limit_us};
pub use machine::OTHERS_MAX;

/// What a verdict is made from.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What was asked.
    pub settings: &'a Settings,
    /// The percentile that the plan's verdict is about (0.99), if it is about one and tasks are asked for.
    pub percentile: Option<f64>,
    /// How the run came to its end.
    pub ended: &'a Ended,
    /// Tasks by outcome.
    pub counts: &'a Counts,
    /// Where their time went.
    pub latency_us: &'a Latencies,
    /// Who waited.
    pub backlog: &'a Backlog,
    /// What the server did.
    pub redis_work: &'a RedisWork,
    /// The queue, where tasks wait in one.
    pub queue: Option<&'a QueueReport>,
    /// Of every dyno, as often as it looked: when, in seconds, and how many tasks had ended.
    pub ended_by_dyno: &'a [Vec<(f64, u64)>],
    /// The distance to it, if there is one.
    pub network: Option<&'a Network>,
    /// What everybody used.
    pub resources: &'a Resources,
    /// Tasks in the system, counted twice.
    pub little: Option<&'a Little>,
    /// The CPUs meanwhile.
    pub machine: &'a Machine,
    /// How much of each resource was used.
    pub pressure: &'a [Pressure],
    /// The part of service that is the way to the server and back, where a distance was asked for.
    pub distance: Option<f64>,
    /// Share of the window's tasks that were sent on time, of those that should have been by the run's end, or before the
    /// backlog rule tripped; see [`on_time_limit_us`]. 1 where there are none.
    pub on_time: f64,
    /// Histogram entries of completed tasks, summed over all dynos.
    pub recorded: u64,
    /// Of the dyno in which they differ most: n x mean of the histogram of `response_from_send` against the exact sum;
    /// `None` when there is nothing to compare.
    pub sum_error: Option<f64>,
    /// The dynos that read another clock than loadgen.
    pub clocks: &'a [ClockOffset],
    /// The server, as it described itself.
    pub redis_server: &'a RedisServer,
    /// What dynos had of what was asked for them.
    pub dyno: Option<&'a DynoLimits>,
}

/// Validity and verdict of a run.
#[must_use]
pub fn judge(evidence: &Evidence<'_>) -> (Validity, Verdict) {
    let checks = checks(evidence);
    let valid = checks.iter().all(|check| check.ok || check.severity == Severity::Warning);
    let verdict = verdict(evidence, &checks, valid);
    (Validity { valid, checks }, verdict)
}

fn checks(evidence: &Evidence<'_>) -> Vec<Check> {
    let mut checks = audit::checks(evidence);
    checks.extend(alive(evidence));
    checks.extend(generator::checks(evidence));
    checks.extend(clock::check(evidence.clocks, evidence.ended, evidence.latency_us.response.p50));
    checks.extend(requests(evidence));
    checks.extend(machine::checks(evidence));
    checks.extend(samples(evidence));
    checks.extend(network::checks(evidence));
    checks.extend(server::checks(evidence.redis_server, evidence.redis_work, evidence.ended));
    checks.extend(queue::checks(evidence));
    checks.extend(permits::check(evidence));
    checks.extend(dyno::checks(evidence.settings.dyno.as_ref(), evidence.dyno, evidence.resources.throttling.as_ref()));
    checks
}

fn alive(evidence: &Evidence<'_>) -> [Check; 2] {
    [
        invalid(
            "dynos alive",
            !matches!(evidence.ended, Ended::DynoLost { .. }),
            None,
            None,
            "a worker process ended before the run did: what it had to say stands on stderr",
        ),
        invalid(
            "server alive",
            !matches!(evidence.ended, Ended::ServerLost { .. }),
            None,
            None,
            "the Redis server ended before the run did: read its log in the directory `server` of the results",
        ),
    ]
}

fn requests(evidence: &Evidence<'_>) -> [Check; 2] {
    let failed = evidence.counts.failed.server_error + evidence.counts.failed.disconnected;
    let reconnects = evidence.redis_work.reconnects + evidence.queue.map_or(0, |queue| queue.reconnects);
    [
        invalid(
            "errors",
            failed == 0,
            Some(failed as f64),
            Some(0.0),
            "requests failed for reasons other than load: read redis_work.request_errors and the server's log",
        ),
        warning(
            "reconnects",
            reconnects == 0,
            Some(reconnects as f64),
            Some(0.0),
            "connections broke and were replaced, and opening one takes longer than a task: read redis_work.request_errors",
        ),
    ]
}

/// Tasks beyond percentile `p` of response.
fn beyond_response(evidence: &Evidence<'_>, p: f64) -> f64 {
    let response = &evidence.latency_us.response;
    beyond(response.n + response.unbounded, p)
}

/// Whether an objective for the 99th percentile rests on enough tasks to be settled; `None` without one.
fn settles_slo(evidence: &Evidence<'_>) -> Option<bool> {
    evidence.settings.slo.response_p99_ms.map(|_| beyond_response(evidence, 0.99) >= generator::TAIL_MIN)
}

/// Whether the highest percentile that the plan asks about rests on enough tasks.
fn samples(evidence: &Evidence<'_>) -> Option<Check> {
    let slo = evidence.settings.slo.response_p99_ms.filter(|_| !evidence.settings.load.is_idle()).map(|_| 0.99);
    let p = evidence.percentile.into_iter().chain(slo).reduce(f64::max)?;
    let beyond = beyond_response(evidence, p);
    Some(warning(
        "samples",
        beyond >= generator::TAIL_MIN,
        Some(beyond),
        Some(generator::TAIL_MIN),
        "too few tasks lie beyond the percentile that is asked for: measure longer, or ask for a lower one",
    ))
}

type Make = fn(&str, bool, Option<f64>, Option<f64>, &str) -> Check;

/// A check whose failure makes the run invalid.
fn invalid(name: &str, ok: bool, value: Option<f64>, limit: Option<f64>, remedy: &str) -> Check {
    Check { name: name.to_owned(), ok, severity: Severity::Invalid, value, limit, remedy: remedy.to_owned() }
}

/// A check whose failure is said.
fn warning(name: &str, ok: bool, value: Option<f64>, limit: Option<f64>, remedy: &str) -> Check {
    Check { severity: Severity::Warning, ..invalid(name, ok, value, limit, remedy) }
}

fn verdict(evidence: &Evidence<'_>, checks: &[Check], valid: bool) -> Verdict {
    let bottleneck = bottleneck(evidence.pressure, evidence.distance);
    if !valid {
        let failed: Vec<&Check> =
            checks.iter().filter(|check| !check.ok && check.severity == Severity::Invalid).collect();
        let names: Vec<&str> = failed.iter().map(|check| check.name.as_str()).collect();
        let remedy = failed.first().map_or("", |check| check.remedy.as_str()).to_owned();
        let how = match evidence.ended {
            Ended::DynoLost { dyno, status: Some(status), .. } => format!("; dyno {dyno} ended: {status}"),
            Ended::ServerLost { status, .. } => format!("; the Redis server ended: {status}"),
            Ended::ProxyLost { status, .. } => format!("; the delay proxy ended: {status}"),
            Ended::QueueLost { why, .. } => format!("; the server: {why}"),
            _ => server::out_of_memory(evidence.redis_server, evidence.redis_work, evidence.ended)
                .map_or_else(String::new, |how| format!("; {how}")),
        };
        let reason = format!("failed checks: {}{how}", names.join(", "));
        return Verdict { result: RunResult::Invalid, reason, remedy, bottleneck };
    }
    // Whoever is asked for nothing keeps up with it.
    if evidence.settings.load.is_idle() && *evidence.ended != Ended::Interrupted {
        let reason = "nothing was asked: dynos were connected and idle".to_owned();
        return Verdict { result: RunResult::Ok, reason, remedy: String::new(), bottleneck };
    }
    if let Some((rule, reason)) = overloaded(evidence) {
        let short = bottleneck.is_some_and(|found| found.share >= EXHAUSTED);
        let nearest = bottleneck.map(|found| {
            let limit = format!("nearest to a limit: {} ({:.0} %)", found.resource, found.share * 100.0);
            (limit, remedy(found.resource))
        });
        let (reason, remedy) = match queue::overloaded(evidence, rule, short).or(nearest) {
            Some((because, remedy)) => (format!("{reason}; {because}"), remedy),
            None => (reason, "more workers, more connections or a lower rate"),
        };
        return Verdict { result: RunResult::Overloaded, reason, remedy: remedy.to_owned(), bottleneck };
    }
    if let Some((reason, remedy)) = inconclusive(evidence) {
        return Verdict { result: RunResult::Inconclusive, reason, remedy: remedy.to_owned(), bottleneck };
    }
    let reason = format!("all {} tasks completed", evidence.counts.completed);
    Verdict { result: RunResult::Ok, reason, remedy: String::new(), bottleneck }
}

/// Of the rate: a backlog that grows by more has a trend, and one that surely grows by less has none.
const SLOPE_MIN: f64 = 0.01;
const SLOPE_MAX: f64 = 0.02;

/// What shows that a variant did not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Too much waited at a worker, or in loadgen's hands.
    Backlog,
    /// Not every task completed.
    Completed,
    /// The drain took too long.
    Drain,
    /// The objective.
    Slo,
    /// The backlog grew.
    Trend,
}

/// Why the variant did not keep up, if it did not.
fn overloaded(evidence: &Evidence<'_>) -> Option<(Rule, String)> {
    let Evidence { settings, counts, backlog, latency_us, .. } = evidence;
    if let Some(overload) = &backlog.overload {
        let at = match overload.at_s {
            at_s if at_s < 0.0 => format!("{:.2} s into the warm-up", settings.load.warmup_s + at_s),
            at_s => format!("{at_s:.2} s into the window"),
        };
        let reason = match (overload.worker, overload.dyno) {
            (Some(worker), _) => {
                format!("worker {worker} had {} tasks waiting {at} when another arrived", overload.backlog)
            }
            (None, Some(dyno)) => format!("dyno {dyno} left {} tasks in loadgen's hands {at}", overload.backlog),
            (None, None) => {
                format!(
                    "the server left {} tasks in loadgen's hands {at}, on their way into the queue",
                    overload.backlog
                )
            }
        };
        return Some((Rule::Backlog, reason));
    }
    if *evidence.ended == Ended::Interrupted {
        return None;
    }
    if counts.failed.total() > 0 || counts.unfinished > 0 {
        let reason = format!("{} tasks failed and {} were unfinished", counts.failed.total(), counts.unfinished);
        return Some((Rule::Completed, reason));
    }
    let drain_limit_ms = settings.slo.drain_within_s * 1e3;
    if backlog.drain_ms.is_none_or(|drain_ms| drain_ms > drain_limit_ms) {
        let took = backlog.drain_ms.map_or("did not end".to_owned(), |ms| format!("took {ms:.0} ms"));
        return Some((Rule::Drain, format!("the drain {took}; slo.drain_within_s allows {drain_limit_ms:.0} ms")));
    }
    // An objective is settled by enough tasks beyond its percentile, or by nothing.
    if let Some(limit_ms) = settings.slo.response_p99_ms.filter(|_| settles_slo(evidence) == Some(true)) {
        let p99_ms = latency_us.response.p99.map(|us| us / 1e3);
        if p99_ms.is_none_or(|p99_ms| p99_ms > limit_ms) {
            let is = p99_ms.map_or("is unbounded".to_owned(), |ms| format!("is {ms:.2} ms"));
            return Some((Rule::Slo, format!("response p99 {is}; slo.response_p99_ms allows {limit_ms} ms")));
        }
    }
    let (slope, low, _) = trend(evidence)?;
    let reason = || format!("the backlog grew by {slope:.1} tasks a second (at least {low:.1}, with 95 %)");
    (low > 0.0 && slope > SLOPE_MIN * rate_per_s(evidence)).then(|| (Rule::Trend, reason()))
}

/// Why it cannot be told, if it cannot.
fn inconclusive(evidence: &Evidence<'_>) -> Option<(String, &'static str)> {
    if *evidence.ended == Ended::Interrupted {
        return Some(("interrupted".to_owned(), "let it run to its end"));
    }
    if settles_slo(evidence) == Some(false) {
        let beyond = beyond_response(evidence, 0.99);
        let reason = format!("{beyond} tasks lie beyond the 99th percentile that slo.response_p99_ms is about");
        return Some((reason, "a longer window, so that at least 30 do"));
    }
    if evidence.backlog.slope_low_per_s.is_none() && evidence.settings.load.arrivals.is_stationary() {
        return Some((
            "the backlog was not seen throughout the window".to_owned(),
            "a longer window, and CPU left for the dynos",
        ));
    }
    let (_, _, high) = trend(evidence)?;
    let limit = SLOPE_MAX * rate_per_s(evidence);
    (high >= limit).then(|| {
        let reason =
            format!("the backlog may grow by {high:.1} tasks a second, and {limit:.1} is too much to call it steady");
        (reason, "a longer window")
    })
}

/// Of the window.
fn rate_per_s(evidence: &Evidence<'_>) -> f64 {
    evidence.counts.planned as f64 / evidence.settings.load.duration_s
}

/// Slope of the backlog with its bounds; only of arrivals at one rate, where a backlog that keeps growing means that the
/// variant does not keep up.
fn trend(evidence: &Evidence<'_>) -> Option<(f64, f64, f64)> {
    let backlog = evidence.backlog;
    let stationary = evidence.settings.load.arrivals.is_stationary();
    let bounds = backlog.slope_low_per_s.zip(backlog.slope_high_per_s).filter(|_| stationary)?;
    Some((backlog.slope_per_s?, bounds.0, bounds.1))
}

#[cfg(test)]
mod tests;
