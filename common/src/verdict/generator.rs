//! Was the load the one that was planned? The generator has a budget.

use super::{Evidence, invalid, warning};
use crate::plan::TaskKind;
use crate::report::Check;

/// Share of the tasks that must be on time.
pub const ON_TIME_MIN: f64 = 0.99;
/// Of p99 of response: lateness may not be more, and is spoken of from half of it on.
const LATE_SHARE_MAX: f64 = 0.2;
const LATE_SHARE_SAID: f64 = 0.1;
const LATE_US_SAID: f64 = 1000.0;
/// Tasks that must lie beyond a percentile before it is looked at.
pub const TAIL_MIN: f64 = 30.0;

/// Tasks beyond percentile `p` of `tasks`.
#[must_use]
pub fn beyond(tasks: u64, p: f64) -> f64 {
    // Products such as 3000 x 0.01 come out a hair below the integer: the hair is no task.
    (tasks as f64 * (1.0 - p) + 1e-6).floor()
}

/// A task is on time when it is sent at most this late: 1 ms, or 5 % of the median response if that is more.
#[must_use]
pub fn on_time_limit_us(response_p50_us: Option<f64>) -> f64 {
    response_p50_us.map_or(1000.0, |p50| (0.05 * p50).max(1000.0))
}

/// None where it had nothing to send.
pub(super) fn checks(evidence: &Evidence<'_>) -> Vec<Check> {
    if evidence.settings.load.is_idle() {
        return Vec::new();
    }
    let latency_us = evidence.latency_us;
    let overloaded = evidence.backlog.overload.is_some();
    let on_time = evidence.on_time;
    let late_p99 = latency_us.lateness.p99.unwrap_or(0.0);
    // With fewer than 30 tasks beyond it, a 99th percentile is hardly more than the largest value.
    let measured = beyond(latency_us.response.n, 0.99) >= TAIL_MIN;
    // A null task is over at once: lateness is most of its response, and what is measured.
    let measured = measured && evidence.settings.task.kind != TaskKind::Null;
    let share = latency_us.response.p99.filter(|_| measured).map(|response| late_p99 / response);
    vec![
        invalid(
            "on time",
            on_time >= ON_TIME_MIN,
            Some(on_time),
            Some(ON_TIME_MIN),
            "the generator was late: lower the rate, or leave it more of the machine",
        ),
        // An overloaded model must not hide behind a generator that it starves.
        invalid(
            "lateness share",
            overloaded || share.is_none_or(|share| share <= LATE_SHARE_MAX),
            share,
            Some(LATE_SHARE_MAX),
            "lateness is too large a part of response: lower the rate, or leave the generator more of the machine",
        ),
        warning(
            "lateness",
            late_p99 <= LATE_US_SAID || share.is_none_or(|share| share <= LATE_SHARE_SAID),
            Some(late_p99),
            Some(LATE_US_SAID),
            "the generator was sometimes late: read lateness beside response",
        ),
    ]
}
