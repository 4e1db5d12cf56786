//! Tasks are sent as they are planned, not only as many: clusters and gaps keep their shape.

use crate::support::loadgen;

/// How far the index of dispersion may be from the plan's.
const DISPERSION_WITHIN: f64 = 0.05;

#[test]
fn the_load_has_the_shape_that_was_planned() {
    for (arrivals, rate) in [("poisson", 2000), ("poisson", 10_000), ("constant", 10_000)] {
        let what = format!("{arrivals} {rate}/s");
        let finished = loadgen(&format!(
            "run --engine async --task null --workers 4 --connections own --arrivals {arrivals} --rate {rate} --duration 10"
        ));
        let run = finished.run();
        let pacing = &run.pacing;
        assert!(pacing.windows_within.is_some_and(|share| share >= 0.99), "{what}: {pacing:?}");
        for dispersion in [pacing.dispersion_10ms, pacing.dispersion_100ms] {
            let (planned, sent) = dispersion.planned.zip(dispersion.sent).unwrap();
            // Constant arrivals hardly vary: there it is a matter of tasks, not of shares.
            let allowed = DISPERSION_WITHIN * planned.max(1.0);
            assert!((sent - planned).abs() <= allowed, "{what}: {dispersion:?}");
        }
    }
}
