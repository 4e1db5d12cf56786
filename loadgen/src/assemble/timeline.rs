//! A run by seconds.

use common::arrivals::Schedule;
use common::latency::microseconds;
use common::report::{Phase, Second};

use super::Measured;
use crate::collect::SecondReports;

/// Of a run.
pub(super) fn of(schedule: &Schedule, measured: &Measured) -> Vec<Second> {
    let seconds = &measured.collected.seconds;
    let sent_by_second = measured.sends.by_second(measured.start_ns);
    let length = sent_by_second.len().max(seconds.keys().next_back().map_or(0, |&last| last as usize + 1));
    let nothing = SecondReports::default();
    let (mut all_sent, mut all_ended) = (0u64, 0u64);
    (0..length as u32)
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
