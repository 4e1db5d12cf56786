//! Did more tasks end than their permits allow? A task that holds one of `permits` for `hold_s` seconds: in any window of `w` seconds
//! no more than permits x (floor(w / hold_s) + 1) of a dyno can end.

use super::{Evidence, invalid};
use crate::report::Check;

/// Between giving back its permit and being counted a task may lose its CPU for so long, seconds: what ended before a window may be
/// counted in it. Where its worker tells the queue in between, that comes on top.
const LATE_S: f64 = 0.05;
/// Looks that are compared each with each.
const LOOKS_MAX: usize = 2000;

pub(super) fn check(evidence: &Evidence<'_>) -> Option<Check> {
    let task = &evidence.settings.task;
    let (permits, hold_s) = (f64::from(task.permits?), task.pause_s());
    // A task that fails may have held its permit for less.
    if hold_s <= 0.0 || evidence.counts.failed.total() > 0 {
        return None;
    }
    let told_s = evidence.latency_us.spans.get("settle").and_then(|span| span.max).unwrap_or(0.0) / 1e6;
    let late_s = LATE_S + told_s;
    let worst =
        evidence.ended_by_dyno.iter().filter_map(|looks| worst(looks, permits, hold_s, late_s)).reduce(f64::max)?;
    Some(invalid(
        "permits",
        worst <= 1.0,
        Some(worst),
        Some(1.0),
        "more tasks ended than their permits allow: a defect of Headroom, please report it",
    ))
}

/// Over all windows between two looks (when, seconds, and what had ended), what ended in it over what could.
fn worst(looks: &[(f64, u64)], permits: f64, hold_s: f64, late_s: f64) -> Option<f64> {
    let some: Vec<(f64, u64)> = looks.iter().step_by(looks.len().div_ceil(LOOKS_MAX).max(1)).copied().collect();
    let windows = some.iter().enumerate().flat_map(|(at, from)| some[at + 1..].iter().map(move |to| (from, to)));
    let share = |(from, to): (&(f64, u64), &(f64, u64))| {
        let bound = permits * (((to.0 - from.0 + late_s) / hold_s).floor() + 1.0);
        to.1.saturating_sub(from.1) as f64 / bound
    };
    windows.map(share).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::{LATE_S, worst};

    /// So many in every second.
    fn looks(of_second: &[u64]) -> Vec<(f64, u64)> {
        let sums = of_second.iter().scan(0, |sum, ended| {
            *sum += ended;
            Some(*sum)
        });
        std::iter::once(0).chain(sums).enumerate().map(|(second, sum)| (second as f64, sum)).collect()
    }

    #[test]
    fn five_permits_of_three_seconds() {
        // Five at once every three seconds: all that there can be.
        assert_eq!(worst(&looks(&[5, 0, 0, 5, 0, 0, 5, 0, 0]), 5.0, 3.0, LATE_S), Some(1.0));
        // The published 2.48 a second of one process, for ten seconds.
        assert!(worst(&looks(&[2, 3, 2, 3, 2, 3, 2, 3, 2, 3]), 5.0, 3.0, LATE_S).unwrap() > 1.2);
        assert_eq!(worst(&looks(&[6]), 5.0, 3.0, LATE_S), Some(1.2));
        assert_eq!(worst(&looks(&[]), 5.0, 3.0, LATE_S), None);
        // Of many looks some do.
        let many: Vec<(f64, u64)> = (0..10_000u32).map(|look| (f64::from(look) / 10.0, look.into())).collect();
        assert!(worst(&many, 5.0, 3.0, LATE_S).unwrap() > 1.0);
    }
}
