//! Tasks are sent as they are planned, not only as many: clusters and gaps keep their shape.

use common::report::{Dispersion, Pacing};

use crate::support::loadgen;

/// How far the index of dispersion may be from the plan's.
const DISPERSION_WITHIN: f64 = 0.05;

/// What is asked of the instrument, not of the machine: a host that stops a virtual CPU for half a millisecond at the border of
/// two windows has moved tasks from one into the other, whoever paces. Such runs say so in `pacing`; of three the best counts.
const RUNS: usize = 3;

#[test]
fn the_load_has_the_shape_that_was_planned() {
    for (arrivals, rate) in [("poisson", 2000), ("poisson", 10_000), ("constant", 10_000)] {
        let mut runs = (0..RUNS).map(|_| {
            let finished = loadgen(&format!(
                "run --engine async --task null --workers 4 --connections own --arrivals {arrivals} --rate {rate} --duration 10"
            ));
            finished.run().pacing
        });
        let mut seen = Vec::new();
        let holds = runs.any(|pacing| {
            seen.push(pacing);
            has_the_shape(&seen[seen.len() - 1])
        });
        println!("{arrivals} {rate}/s, run {} of at most {RUNS}: {:?}", seen.len(), seen[seen.len() - 1]);
        assert!(holds, "{arrivals} {rate}/s: {seen:?}");
    }
}

fn has_the_shape(pacing: &Pacing) -> bool {
    let near = |dispersion: Dispersion| {
        let (planned, sent) = dispersion.planned.zip(dispersion.sent).unwrap();
        // Constant arrivals hardly vary: there it is a matter of tasks, not of shares.
        (sent - planned).abs() <= DISPERSION_WITHIN * planned.max(1.0)
    };
    pacing.windows_within.is_some_and(|share| share >= 0.99)
        && near(pacing.dispersion_10ms)
        && near(pacing.dispersion_100ms)
}
