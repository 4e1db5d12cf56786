//! Was nothing lost in the queue, and nothing done twice? What dynos say against what the server says.

use super::{Evidence, Rule, invalid, rate_per_s, warning};
use crate::report::{Check, Ended, Left};

pub(super) fn checks(evidence: &Evidence<'_>) -> Vec<Check> {
    let Some(queue) = evidence.queue else { return Vec::new() };
    let mut checks = vec![
        invalid(
            "queue alive",
            !matches!(evidence.ended, Ended::QueueLost { .. }),
            None,
            None,
            "the server took no more tasks into the queue: it needs EVAL, XADD or LPUSH, INCRBY for this user, and must not be read-only",
        ),
        warning(
            "redeliveries",
            queue.redeliveries == 0,
            Some(queue.redeliveries as f64),
            Some(0.0),
            "tasks were claimed again while somebody was at them, or a dyno was lost: raise queue.visibility_timeout_s",
        ),
        warning(
            "duplicates",
            queue.duplicates == 0,
            Some(queue.duplicates as f64),
            Some(0.0),
            "tasks were run more often than once: whatever they do must bear that, or must not be held so long",
        ),
        warning(
            "foreign entries",
            queue.foreign == 0,
            Some(queue.foreign as f64),
            Some(0.0),
            "entries that are no task lay in the queue, and lie among the dead now: who else writes there?",
        ),
    ];
    if let Some(results) = &queue.results {
        // What never ended has no result.
        let ended = evidence.counts.completed + evidence.counts.failed.total() == evidence.counts.planned;
        let off = results.wrong + if ended { results.missing } else { 0 };
        checks.push(invalid(
            "results",
            off == 0,
            Some(off as f64),
            Some(0.0),
            "results are missing or wrong: a defect of Headroom, please report it",
        ));
    }
    checks.extend(left(evidence));
    checks
}

/// What it is that a variant did not keep up by `rule`, where it is the queue's own settings and no resource (`short`: one was at its limit), and
/// what would do. Its tasks lie among the dead, because they were held too long too often; or they fail, and are tried again for longer than
/// the plan gives them.
pub(super) fn overloaded(evidence: &Evidence<'_>, rule: Rule, short: bool) -> Option<(String, &'static str)> {
    let Evidence { settings, counts, backlog, .. } = evidence;
    let (queue, plan) = (evidence.queue?, settings.queue.as_ref()?);
    let retried_s = settings.retried_s().filter(|_| queue.retries > 0 && !short);
    let tried = |retried_s: f64| {
        let because = format!("tasks that fail are tried again for {retried_s:.3} s");
        (because, "a shorter queue.backoff_ms, or slo.drain_within_s and load.warmup_s that are longer than that")
    };
    match rule {
        Rule::Completed => {
            let nothing = |left: Left| left.visible == Some(0) && left.in_flight + left.delayed == 0;
            let dead = queue.dead >= queue.foreign + counts.rejected + counts.unfinished;
            (counts.unfinished > 0 && dead && queue.left.is_some_and(nothing)).then(|| {
                let (times, timeout_s) = (plan.attempts_max, plan.visibility_timeout_s);
                let because = format!(
                    "these lie among the dead, claimed {times} times (queue.attempts_max) and not settled in time \
                     (queue.visibility_timeout_s = {timeout_s})"
                );
                (because, "a queue.visibility_timeout_s that is longer than tasks are held, or more queue.attempts_max")
            })
        }
        Rule::Drain => {
            let enough_s = settings.slo.drain_within_s + retried_s?;
            retried_s.filter(|_| backlog.drain_ms.is_some_and(|ms| ms <= 1e3 * enough_s)).map(tried)
        }
        Rule::Trend => {
            // So many more wait for another attempt every second, until the first of them come back.
            let waiting_per_s = settings.task.fail_share * rate_per_s(evidence);
            let by_them = |slope: f64| slope <= 2.0 * waiting_per_s;
            let begun = |retried_s: &f64| *retried_s > settings.load.warmup_s;
            retried_s.filter(begun).filter(|_| backlog.slope_per_s.is_some_and(by_them)).map(tried)
        }
        Rule::Backlog | Rule::Slo => None,
    }
}

/// When everything has ended the queue must be empty, as many lie among the dead as were put there, and as many were run in vain as was seen,
/// where the server knows.
fn left(evidence: &Evidence<'_>) -> Option<Check> {
    let (queue, counts) = (evidence.queue?, evidence.counts);
    let left = queue.left.filter(|_| counts.completed + counts.failed.total() == counts.planned)?;
    let duplicates = queue.results.map_or(0, |_| left.duplicates.abs_diff(queue.duplicates));
    let off = left.visible.unwrap_or(0) + left.in_flight + left.delayed + left.dead.abs_diff(queue.dead) + duplicates;
    Some(invalid(
        "queue left",
        off == 0,
        Some(off as f64),
        Some(0.0),
        "the server holds other tasks than the dynos say: a defect of Headroom, or somebody else is using it",
    ))
}
