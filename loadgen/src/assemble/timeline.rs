//! A run by seconds.

use common::arrivals::Schedule;
use common::latency::{Latency, microseconds};
use common::report::{Phase, Second, Steady};

use super::Measured;
use crate::collect::{Collected, SecondReports};

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

/// The median of response in the first and in the last third of the window, of the seconds that lie whole in them.
pub(super) fn steady(schedule: &Schedule, collected: &Collected) -> Option<Steady> {
    let (start_ns, end_ns) = (schedule.window_start_ns, schedule.window_end_ns);
    let third_ns = (end_ns - start_ns) / 3;
    let p50_us = |from_ns: u64, to_ns: u64| {
        let mut response = Latency::new();
        let whole = |second: u32| {
            u64::from(second) * 1_000_000_000 >= from_ns && (u64::from(second) + 1) * 1_000_000_000 <= to_ns
        };
        let seconds = collected.seconds.iter().filter(|(second, _)| whole(**second));
        seconds.for_each(|(_, reports)| response.merge(&reports.response));
        response.percentile_ns(0.5, 0).map(microseconds)
    };
    Some(Steady {
        first_third_p50_us: p50_us(start_ns, start_ns + third_ns)?,
        last_third_p50_us: p50_us(end_ns - third_ns, end_ns)?,
    })
}
