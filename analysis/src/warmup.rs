//! From when on a variant is steady, by the quarters of a second of a probe: the recipe of `docs/method.md`.

use common::report::warmup::{Segment, Warmup};

use crate::format::significant;
use crate::stats::pelt;
use crate::steady::STEADY;
use crate::tables::grid;

/// Length of what a probe is looked at by, seconds.
pub const QUARTER_S: f64 = 0.25;
/// A segment that is shorter, and is not the first, is a disturbance of the machine and no phase of the program.
const PHASE_S_MIN: f64 = 1.0;

/// What the mean service times of a probe's quarters fall into, and from when on it is steady: everything after that is within
/// 5 % of the last segment, but for disturbances. `None` when that is not so by the middle of the probe.
#[must_use]
pub fn steady_from(service_us: &[f64]) -> (Vec<Segment>, Option<f64>) {
    let segment = |range: std::ops::Range<usize>| Segment {
        from_s: range.start as f64 * QUARTER_S,
        to_s: range.end as f64 * QUARTER_S,
        mean_us: service_us[range.clone()].iter().sum::<f64>() / range.len() as f64,
    };
    let segments: Vec<Segment> = pelt::segments(service_us).into_iter().map(segment).collect();
    let Some(last) = segments.last() else { return (segments, None) };
    let steady = |segment: &Segment| {
        let ratio = segment.mean_us / last.mean_us;
        let alike = ratio < STEADY && ratio > 1.0 / STEADY;
        alike || (segment.from_s > 0.0 && segment.to_s - segment.from_s < PHASE_S_MIN)
    };
    let from_s = segments.iter().rev().find(|segment| !steady(segment)).map_or(0.0, |segment| segment.to_s);
    let in_time = from_s <= last.to_s / 2.0;
    (segments, in_time.then_some(from_s))
}

/// What was found, for a terminal: a table, and what to make of it.
#[must_use]
pub fn text(warmup: &Warmup) -> String {
    let rows = warmup.variants.iter().map(|probe| {
        let last = probe.segments.last().map_or(f64::NAN, |segment| segment.mean_us);
        vec![
            probe.variant.name.clone(),
            probe.result.to_string(),
            probe.steady_from_s.map_or_else(|| "not".to_owned(), |from_s| format!("{from_s} s")),
            format!("{} µs", significant(last, 3)),
            probe.segments.len().to_string(),
        ]
    });
    let table = grid(&["variant", "run", "steady from", "service, mean", "levels"], rows.collect());
    let planned_s = warmup.planned_s;
    let advice = match warmup.needed_s {
        None => format!(
            "not steady within half of {} s: a longer probe (--probe-s), a lower rate, or prefilled documents would do",
            warmup.probe_s
        ),
        Some(needed_s) if needed_s <= planned_s => {
            format!("load.warmup_s = {planned_s} is enough: the longest warm-up took {needed_s} s")
        }
        Some(needed_s) => {
            format!("load.warmup_s = {planned_s} is too short: write load.warmup_s = {needed_s} into the plan")
        }
    };
    format!("{table}\n{advice}\n")
}

#[cfg(test)]
mod tests {
    use super::steady_from;

    fn level(mean: f64, seconds: f64) -> Vec<f64> {
        (0..(seconds * 4.0) as usize).map(|i| mean * (1.0 + 0.01 * (i as f64 * 2.399_963).sin())).collect()
    }

    #[test]
    fn a_warm_up_ends_where_the_last_level_begins() {
        for (levels, expected) in [
            (vec![(300.0, 60.0)], Some(0.0)),
            (vec![(900.0, 2.0), (300.0, 58.0)], Some(2.0)),
            // Even a short first one is a warm-up.
            (vec![(900.0, 0.5), (300.0, 59.5)], Some(0.5)),
            // Another scatter, or a level that is nearly the same, is none.
            (vec![(900.0, 2.0), (305.0, 20.0), (300.0, 38.0)], Some(2.0)),
            // A neighbour that took the CPU for three quarters of a second.
            (vec![(900.0, 2.0), (300.0, 20.0), (800.0, 0.75), (300.0, 37.25)], Some(2.0)),
            (vec![(300.0, 20.0), (400.0, 40.0)], Some(20.0)),
            (vec![(300.0, 40.0), (400.0, 20.0)], None),
        ] {
            let series: Vec<f64> = levels.iter().flat_map(|&(mean, seconds)| level(mean, seconds)).collect();
            assert_eq!(steady_from(&series).1, expected, "{levels:?}");
        }
        assert_eq!(steady_from(&[]), (Vec::new(), None));
    }
}
