//! From what was measured to whether it may be believed, and whether the variant kept up. Pure.

use std::collections::BTreeMap;

use crate::plan::Settings;
use crate::report::{Backlog, Check, Counts, Ended, Latencies, RedisWork, RunResult, Severity, Validity, Verdict};
use crate::task;

/// What a verdict is made from.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What was asked.
    pub settings: &'a Settings,
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
    /// Share of the window's tasks that were sent on time; see [`on_time_limit_us`].
    pub on_time: f64,
    /// The same, of the tasks that were sent before the backlog rule tripped.
    pub on_time_before_overload: f64,
    /// Histogram entries of completed tasks, summed over all dynos.
    pub recorded: u64,
    /// Of the dyno in which they differ most: n x mean of the histogram of `response_from_send` against the exact sum;
    /// `None` when there is nothing to compare.
    pub sum_error: Option<f64>,
}

/// A task is on time when it is sent at most this late: 1 ms, or 5 % of the median response if that is more.
#[must_use]
pub fn on_time_limit_us(response_p50_us: Option<f64>) -> f64 {
    response_p50_us.map_or(1000.0, |p50| (0.05 * p50).max(1000.0))
}

const ON_TIME_MIN: f64 = 0.99;
/// Histograms of 3 significant digits are within 0.05 % of the mean.
const SUM_ERROR_MAX: f64 = 0.002;
/// Tasks that must lie beyond a percentile before it is looked at.
const TAIL_MIN: f64 = 30.0;

/// Validity and verdict of a run.
#[must_use]
pub fn judge(evidence: &Evidence<'_>) -> (Validity, Verdict) {
    let checks = checks(evidence);
    let valid = checks.iter().all(|check| check.ok || check.severity == Severity::Warning);
    let verdict = verdict(evidence, &checks, valid);
    (Validity { valid, checks }, verdict)
}

fn checks(evidence: &Evidence<'_>) -> Vec<Check> {
    let Evidence { counts, latency_us, .. } = evidence;
    let overloaded = evidence.backlog.overload.is_some();
    let on_time = if overloaded { evidence.on_time_before_overload } else { evidence.on_time };
    let late_p99 = latency_us.lateness.p99.unwrap_or(0.0);
    let response_p99 = latency_us.response.p99;
    // With fewer than 30 tasks beyond it, a 99th percentile is hardly more than the largest value.
    let measured = latency_us.response.n as f64 * 0.01 >= TAIL_MIN;
    let share = response_p99.filter(|_| measured).map(|response| late_p99 / response);
    let failed = counts.failed.server_error + counts.failed.disconnected;
    let sums = counts.planned.abs_diff(counts.sent + counts.missed)
        + counts.sent.abs_diff(counts.completed + counts.failed.total() + counts.unfinished);
    let mut checks = vec![
        check(
            "conservation",
            sums == 0,
            Severity::Invalid,
            Some(sums as f64),
            Some(0.0),
            "planned = sent + missed and sent = completed + failed + unfinished do not hold: a defect of Headroom, please report it",
        ),
        check(
            "recorded",
            evidence.recorded == counts.completed,
            Severity::Invalid,
            Some(evidence.recorded as f64),
            Some(counts.completed as f64),
            "histograms and counters disagree: a defect of Headroom, please report it",
        ),
        check(
            "sum",
            evidence.sum_error.is_none_or(|error| error <= SUM_ERROR_MAX),
            Severity::Invalid,
            evidence.sum_error,
            Some(SUM_ERROR_MAX),
            "a histogram and the exact sum of its values disagree: a defect of Headroom, please report it",
        ),
        check(
            "dynos alive",
            !matches!(evidence.ended, Ended::DynoLost { .. }),
            Severity::Invalid,
            None,
            None,
            "a worker process ended before the run did: what it had to say stands on stderr",
        ),
        check(
            "server alive",
            !matches!(evidence.ended, Ended::ServerLost { .. }),
            Severity::Invalid,
            None,
            None,
            "the Redis server ended before the run did: read its log in the directory `server` of the results",
        ),
        check(
            "on time",
            on_time >= ON_TIME_MIN,
            Severity::Invalid,
            Some(on_time),
            Some(ON_TIME_MIN),
            "the generator was late: lower the rate, or leave it more of the machine",
        ),
        // An overloaded model must not hide behind a generator that it starves.
        check(
            "lateness share",
            overloaded || share.is_none_or(|share| share <= 0.2),
            Severity::Invalid,
            share,
            Some(0.2),
            "lateness is too large a part of response: lower the rate, or leave the generator more of the machine",
        ),
        check(
            "lateness",
            late_p99 <= 1000.0 || share.is_none_or(|share| share <= 0.1),
            Severity::Warning,
            Some(late_p99),
            Some(1000.0),
            "the generator was sometimes late: read lateness beside response",
        ),
        check(
            "errors",
            failed == 0,
            Severity::Invalid,
            Some(failed as f64),
            Some(0.0),
            "requests failed for reasons other than load: read redis_work.request_errors and the server's log",
        ),
    ];
    checks.extend(command_check(evidence));
    checks
}

/// The server must have been asked for exactly what the tasks consist of.
fn command_check(evidence: &Evidence<'_>) -> Option<Check> {
    let Evidence { settings, counts, redis_work, .. } = evidence;
    let expected = task::commands_per_task(&settings.task)?;
    // Tasks that ended half-way have sent some of their commands.
    let all_ended = redis_work.tasks == counts.sent + counts.warmup;
    let whole = all_ended && counts.failed.total() == 0 && redis_work.request_errors.is_empty();
    if !whole || redis_work.commands_per_task.is_empty() {
        return None;
    }
    let expected: BTreeMap<&str, f64> = expected.into_iter().collect();
    let counted = &redis_work.commands_per_task;
    let missing = expected.iter().map(|(&name, calls)| (counted.get(name).copied().unwrap_or(0.0) - calls).abs());
    let foreign = counted.iter().filter(|(name, _)| !expected.contains_key(name.as_str())).map(|(_, &calls)| calls);
    let worst = missing.chain(foreign).fold(0.0, f64::max);
    Some(check(
        "commands",
        worst < 1e-9,
        Severity::Invalid,
        Some(worst),
        Some(0.0),
        "the server counted other commands than the tasks consist of: is somebody else using it?",
    ))
}

fn check(name: &str, ok: bool, severity: Severity, value: Option<f64>, limit: Option<f64>, remedy: &str) -> Check {
    Check { name: name.to_owned(), ok, severity, value, limit, remedy: remedy.to_owned() }
}

fn verdict(evidence: &Evidence<'_>, checks: &[Check], valid: bool) -> Verdict {
    let Evidence { settings, counts, backlog, latency_us, .. } = evidence;
    let say = |result, reason: String, remedy: &str| Verdict { result, reason, remedy: remedy.to_owned() };
    if !valid {
        let failed: Vec<&Check> =
            checks.iter().filter(|check| !check.ok && check.severity == Severity::Invalid).collect();
        let names: Vec<&str> = failed.iter().map(|check| check.name.as_str()).collect();
        let remedy = failed.first().map_or("", |check| check.remedy.as_str());
        let how = match evidence.ended {
            Ended::DynoLost { dyno, status: Some(status), .. } => format!("; dyno {dyno} ended: {status}"),
            Ended::ServerLost { status, .. } => format!("; the Redis server ended: {status}"),
            _ => String::new(),
        };
        return say(RunResult::Invalid, format!("failed checks: {}{how}", names.join(", ")), remedy);
    }
    const MORE: &str = "more workers, more connections or a lower rate";
    if let Some(overload) = &backlog.overload {
        let at = match overload.at_s {
            at_s if at_s < 0.0 => format!("{:.2} s into the warm-up", settings.load.warmup_s + at_s),
            at_s => format!("{at_s:.2} s into the window"),
        };
        let reason = match overload.worker {
            Some(worker) => {
                format!("worker {worker} had {} tasks waiting {at} when another arrived", overload.backlog)
            }
            None => format!("dyno {} left {} tasks in loadgen's hands {at}", overload.dyno, overload.backlog),
        };
        return say(RunResult::Overloaded, reason, MORE);
    }
    if *evidence.ended == Ended::Interrupted {
        return say(RunResult::Inconclusive, "interrupted".to_owned(), "let it run to its end");
    }
    if counts.failed.total() > 0 || counts.unfinished > 0 {
        let reason = format!("{} tasks failed and {} were unfinished", counts.failed.total(), counts.unfinished);
        return say(RunResult::Overloaded, reason, MORE);
    }
    let drain_limit_ms = settings.slo.drain_within_s * 1e3;
    match backlog.drain_ms {
        Some(drain_ms) if drain_ms <= drain_limit_ms => {}
        drain_ms => {
            let took = drain_ms.map_or("did not end".to_owned(), |ms| format!("took {ms:.0} ms"));
            let reason = format!("the drain {took}; slo.drain_within_s allows {drain_limit_ms:.0} ms");
            return say(RunResult::Overloaded, reason, MORE);
        }
    }
    if let Some(limit_ms) = settings.slo.response_p99_ms {
        let p99_ms = latency_us.response.p99.map(|us| us / 1e3);
        if p99_ms.is_none_or(|p99_ms| p99_ms > limit_ms) {
            let is = p99_ms.map_or("is unbounded".to_owned(), |ms| format!("is {ms:.2} ms"));
            return say(
                RunResult::Overloaded,
                format!("response p99 {is}; slo.response_p99_ms allows {limit_ms} ms"),
                MORE,
            );
        }
    }
    say(RunResult::Ok, format!("all {} tasks completed", counts.completed), "")
}

#[cfg(test)]
mod tests;
