//! Do the counts add up? Two ways to the same number, wherever there are two.

use std::collections::BTreeMap;

use super::{Evidence, invalid};
use crate::report::Check;
use crate::task;

/// Histograms of 3 significant digits are within 0.05 % of the mean.
const SUM_ERROR_MAX: f64 = 0.002;
/// Looks that the audit by Little's law needs.
const LOOKS_MIN: u64 = 500;
/// What chance may not explain: a share of tasks in the system, and so many standard errors.
const LITTLE_SHARE: f64 = 0.02;
const LITTLE_ERRORS: f64 = 4.0;
/// Whoever looks needs a CPU: what arrives meanwhile may wait for it, or it may itself wait for a CPU that is free. Differences
/// of 30 to 80 microseconds were seen, in both directions.
const LOOKING_US: f64 = 100.0;

pub(super) fn checks(evidence: &Evidence<'_>) -> Vec<Check> {
    let counts = evidence.counts;
    let sums = counts.planned.abs_diff(counts.sent + counts.missed)
        + counts.sent.abs_diff(counts.completed + counts.failed.total() + counts.unfinished);
    // Run, and recorded, and of no task that was not run before.
    let duplicates = evidence.queue.map_or(0, |queue| queue.duplicates_in_window);
    let mut checks = vec![
        invalid(
            "conservation",
            sums == 0,
            Some(sums as f64),
            Some(0.0),
            "planned = sent + missed and sent = completed + failed + unfinished do not hold: a defect of Headroom, please report it",
        ),
        invalid(
            "recorded",
            evidence.recorded == counts.completed + duplicates,
            Some(evidence.recorded as f64),
            Some((counts.completed + duplicates) as f64),
            "histograms and counters disagree: a defect of Headroom, please report it",
        ),
        invalid(
            "sum",
            evidence.sum_error.is_none_or(|error| error <= SUM_ERROR_MAX),
            evidence.sum_error,
            Some(SUM_ERROR_MAX),
            "a histogram and the exact sum of its values disagree: a defect of Headroom, please report it",
        ),
    ];
    checks.extend(little(evidence));
    checks.extend(commands(evidence));
    checks
}

/// Little's law (Little 1961), asked when everything of the window completed, and of tasks that take long enough to be looked
/// at.
fn little(evidence: &Evidence<'_>) -> Option<Check> {
    let little = evidence.little.filter(|little| little.looks >= LOOKS_MIN && little.rate_times_time > 0.0)?;
    let expected = little.rate_times_time;
    let time_us = evidence.latency_us.response_from_send.mean.filter(|&mean_us| mean_us > 2.0 * LOOKING_US)?;
    let shifts = little.ends / expected + LOOKING_US / time_us;
    let error = (little.in_system - expected).abs() / expected;
    let limit = LITTLE_SHARE.max(LITTLE_ERRORS * little.standard_error / expected) + shifts;
    Some(invalid(
        "little",
        error <= limit,
        Some(error),
        Some(limit),
        "tasks in the system are not rate x time: counters and histograms disagree, a defect of Headroom, please report it",
    ))
}

/// The server must have been asked for exactly what the tasks consist of.
fn commands(evidence: &Evidence<'_>) -> Option<Check> {
    let Evidence { settings, counts, redis_work, .. } = evidence;
    // How many claims a task takes depends on the moment.
    let pushed = settings.queue.is_none();
    let expected = task::commands_per_task(&settings.task).filter(|_| pushed)?;
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
    Some(invalid(
        "commands",
        worst < 1e-9,
        Some(worst),
        Some(0.0),
        "the server counted other commands than the tasks consist of: is somebody else using it?",
    ))
}
