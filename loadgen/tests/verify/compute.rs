//! A plan's microseconds of CPU are microseconds: what was calibrated once is held against the span `compute`.

use common::report::RunResult;

use crate::support::loadgen;
use crate::support::runs::assert_run;

const ASKED_US: f64 = 1000.0;

#[test]
fn work_takes_as_long_as_the_plan_asks() {
    for engine in ["threaded", "async"] {
        let finished = loadgen(&format!(
            "run --engine {engine} --task synthetic --workers 1 --rate 100 --duration 3 --warmup 0.5 --set task.cpu_us={ASKED_US}"
        ));
        let run = assert_run(&finished, RunResult::Ok);
        let compute = run.latency_us.spans["compute"].p50.unwrap();
        // The fastest of many is what was calibrated; a shared CPU is often slower, and hardly ever faster.
        assert!((0.85 * ASKED_US..2.0 * ASKED_US).contains(&compute), "{engine}: {compute} us");
    }
}
