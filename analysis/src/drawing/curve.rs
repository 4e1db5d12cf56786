//! Percentiles of response over all runs of a variant, evenly spaced on an axis of log(1 / (1 - p)).

use common::latency::{Latency, microseconds};
use common::report::Distribution;
use common::report::drawing::{CurvePoint, ResponseCurve};

use crate::metric::TAIL_TASKS_PRINTED;

/// Shares beyond within a decade, in thousandths: twenty steps of about the same ratio (R20 of ISO 3, rounded so that the
/// percentiles that people name are among them).
const STEPS: [u64; 20] =
    [1000, 900, 800, 710, 630, 560, 500, 450, 400, 355, 315, 280, 250, 224, 200, 180, 160, 140, 125, 112];
/// Decades of the share beyond: 30 of so many tasks is more than anybody runs.
const DECADES: u32 = 9;

/// Merges `responses`, one a run. `None` without tasks, or when a histogram cannot be read or its
/// counts cannot be true.
pub(crate) fn curve(responses: &[&Distribution]) -> Option<ResponseCurve> {
    let mut merged = Latency::new();
    let mut unbounded = 0u64;
    for response in responses {
        merged.merge(&Latency::decode(&response.hdr_v2, 0).ok()?);
        unbounded = unbounded.checked_add(response.unbounded)?;
    }
    let n = merged.n();
    let all = n.checked_add(unbounded)?;
    if all == 0 {
        return None;
    }
    let point = |beyond: u64, percentile: f64| {
        let ns = merged.percentile_ns(percentile / 100.0, unbounded)?;
        (beyond >= TAIL_TASKS_PRINTED).then_some(CurvePoint { percentile, us: microseconds(ns), beyond })
    };
    let grid = (0..DECADES).flat_map(|decade| STEPS.map(|step| (step, 1000 * 10u64.pow(decade))));
    let mut points: Vec<CurvePoint> = grid
        .map_while(|(part, whole)| {
            // As decimal as it is meant: 100 - 100 x 0.1 comes out at 90.
            let percentile = 100.0 * (whole - part) as f64 / whole as f64;
            point((u128::from(all) * u128::from(part) / u128::from(whole)) as u64, percentile)
        })
        .collect();
    let last = 100.0 * all.saturating_sub(TAIL_TASKS_PRINTED) as f64 / all as f64;
    if points.last().is_some_and(|point| point.percentile < last) {
        points.extend(point(TAIL_TASKS_PRINTED, last));
    }
    Some(ResponseCurve { n, unbounded, points })
}

#[cfg(test)]
mod tests {
    use common::latency::Latency;
    use common::report::Distribution;

    use super::{CurvePoint, ResponseCurve};

    /// The curve of `runs` whose tasks took these microseconds, with so many unbounded ones each.
    fn of(runs: &[(Vec<u64>, u64)]) -> Option<ResponseCurve> {
        let responses: Vec<Distribution> = runs
            .iter()
            .map(|(values, unbounded)| {
                let mut latency = Latency::new();
                values.iter().for_each(|us| latency.record(us * 1000));
                Distribution { unbounded: *unbounded, ..latency.distribution(0) }
            })
            .collect();
        super::curve(&responses.iter().collect::<Vec<_>>())
    }

    fn at(curve: &ResponseCurve, percentile: f64) -> CurvePoint {
        *curve.points.iter().find(|point| (point.percentile - percentile).abs() < 1e-9).unwrap()
    }

    #[test]
    fn named_percentiles_of_the_union() {
        let curve = of(&[((1..=5_000).collect(), 0), ((5_001..=10_000).collect(), 0)]).unwrap();
        assert_eq!((curve.n, curve.unbounded), (10_000, 0));
        for (percentile, us, beyond) in [(50.0, 5_000.0, 5_000), (90.0, 9_000.0, 1_000), (99.0, 9_900.0, 100)] {
            let point = at(&curve, percentile);
            assert!((point.us / us - 1.0).abs() < 0.001, "{point:?}");
            assert_eq!(point.beyond, beyond);
        }
        let rising = |pair: &[CurvePoint]| pair[0].percentile < pair[1].percentile && pair[0].us <= pair[1].us;
        assert!(curve.points.windows(2).all(rising), "{:?}", curve.points);
    }

    #[test]
    fn it_ends_where_thirty_tasks_lie_beyond() {
        let last = |curve: ResponseCurve| curve.points.last().map(|point| (point.percentile, point.beyond));
        assert_eq!(last(of(&[((1..=10_000).collect(), 0)]).unwrap()), Some((99.7, 30)));
        assert_eq!(last(of(&[((1..=29).collect(), 0)]).unwrap()), None);
    }

    #[test]
    fn it_ends_before_the_unbounded_tasks() {
        let curve = of(&[((1..=9_000).collect(), 500), (Vec::new(), 500)]).unwrap();
        assert_eq!((curve.n, curve.unbounded), (9_000, 1_000));
        let last = curve.points.last().unwrap();
        assert!(last.percentile <= 90.0 && last.beyond >= 1_000, "{last:?}");
        assert_eq!(at(&curve, 50.0).beyond, 5_000);
    }

    #[test]
    fn nothing_to_draw() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(Vec::new(), 0)]), None);
        assert_eq!(of(&[(vec![1], u64::MAX), (vec![1], 1)]), None);
    }
}
