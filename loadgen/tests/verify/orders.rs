//! The flash sale and many job slots: what permits allow is done, and no more; and so many workers that each costs next to nothing.

use common::report::RunResult;

use crate::support::loadgen;
use crate::support::runs::{assert_conserved, failures};

/// A payment: three seconds, a tenth of the time.
const PAYMENT_S: f64 = 0.3;
/// Of the window.
const SECONDS: f64 = 60.0;
/// Besides sleeping, a worker claims and settles.
const WITHIN: f64 = 0.02;

/// One worker pays one order at a time, five pay five: over a minute in which there is always another.
#[test]
fn as_many_orders_are_paid_as_permits_allow() {
    for engine in ["threaded", "async"] {
        for workers in [1, 5] {
            let finished = loadgen(&format!(
                "run --engine {engine} --task order --workers {workers} --connections own --rate 40 --duration {SECONDS} --warmup 2 \
                 --set task.time_scale=0.1 --set load.drain_s=1 --set queue.prefetch=10 --set queue.batch_delay_ms=10"
            ));
            let run = finished.run();
            assert_conserved(run);
            assert_eq!(run.verdict.result, RunResult::Overloaded, "{finished}");
            assert!(failures(run).is_empty(), "{finished}");
            let per_s = run.resources.tasks.unwrap() as f64 / run.resources.window_s;
            let overshoot_s = run.latency_us.spans["sleep_overshoot"].mean.unwrap() / 1e6;
            let expected = f64::from(workers) / (PAYMENT_S + overshoot_s);
            let permits = run.validity.checks.iter().find(|check| check.name == "permits").unwrap();
            println!(
                "{engine}, {workers} workers: {per_s:.3}/s, {expected:.3} expected with {:.2} ms overshoot; permits {:?}",
                overshoot_s * 1e3,
                permits.value
            );
            assert!((per_s / expected - 1.0).abs() < WITHIN, "{per_s} {expected}");
            assert!(permits.ok, "{permits:?}");
        }
    }
}

/// The tuning guide's largest setting.
#[test]
fn twenty_four_thousand_slots_work() {
    let finished = loadgen(
        "run --engine async --task job --workers 24000 --connections pool --pool-size 28 --rate 2000 --duration 5 --warmup 1 \
         --set queue.batch_delay_ms=10 --set queue.record_results=true --set load.drain_s=60 --set slo.drain_within_s=60",
    );
    let run = finished.run();
    assert_conserved(run);
    let queue = run.queue.as_ref().unwrap();
    let results = queue.results.unwrap();
    println!("24 000 slots: {}, {results:?}, {:?}", run.verdict.reason, run.startup);
    assert_eq!(run.counts.completed, 10_000, "{finished}");
    assert_eq!((results.right, results.expected), (36_000, 36_000));
}
