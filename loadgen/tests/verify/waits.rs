//! The self-test of `docs/method.md`: mean waits in front of workers are those of queueing theory, and those of a replay of
//! the very arrivals.

use analysis::predict::queue::{after_random_choice, own_queue_wait};
use analysis::predict::simulate;
use common::arrivals;
use common::random::block_seed;
use common::report::{Run, RunResult};

use crate::support::loadgen;
use crate::support::runs::assert_run;

/// A task that only sleeps leaves the CPUs alone, so that nothing but the queue makes anybody wait.
const SLEEP_MS: f64 = 10.0;
/// A sleep takes 10 to 11.2 ms, by engine.
const RATE_OF_A_WORKER: f64 = 70.0;
/// Tasks of the window; their waits are far from independent.
const BATCHES: usize = 20;

/// The waits of the window's tasks, milliseconds, when every task takes `service_ms`: the run's own arrivals, simulated.
fn replay(run: &Run, service_ms: f64) -> Vec<f64> {
    let settings = &run.plan.settings;
    let schedule = arrivals::schedule(settings, block_seed(settings.load.seed, run.cell.index, run.block));
    let waits = simulate::waits(&schedule, &settings.workers, |_| (service_ms * 1e6) as u64);
    waits.into_iter().skip(schedule.warmup).map(|wait_ns| wait_ns as f64 / 1e6).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn standard_error(values: &[f64]) -> f64 {
    let batches: Vec<f64> = values.chunks(values.len().div_ceil(BATCHES)).map(mean).collect();
    let centre = mean(&batches);
    let variance = batches.iter().map(|batch| (batch - centre).powi(2)).sum::<f64>() / (batches.len() - 1) as f64;
    (variance / batches.len() as f64).sqrt()
}

#[test]
fn mean_waits_are_those_of_theory_and_of_a_replay() {
    for (engine, workers, seconds) in [("threaded", 1u32, 60), ("async", 1, 60), ("threaded", 8, 25), ("async", 8, 25)]
    {
        // Chosen at random, a worker's arrivals are as independent of each other as all of them.
        let finished = loadgen(&format!(
            "run --engine {engine} --connections own --task synthetic --set task.redis_round_trips=0 --set task.sleep_ms={SLEEP_MS} \
             --workers {workers} --rate {} --duration {seconds} --warmup 3 --choice random --backlog-max 100000 \
             --set slo.drain_within_s=10",
            RATE_OF_A_WORKER * f64::from(workers)
        ));
        let run = assert_run(&finished, RunResult::Ok);
        let (service, wait) = (&run.latency_us.service, &run.latency_us.queue_wait);
        let (service_ms, wait_ms) = (service.mean.unwrap() / 1e3, wait.mean.unwrap() / 1e3);

        let replayed = replay(run, service_ms);
        assert_eq!(replayed.len() as u64, wait.n);
        let (replayed_ms, error_ms) = (mean(&replayed), standard_error(&replayed));
        // Poisson arrivals, services that hardly vary.
        let rho = RATE_OF_A_WORKER * service_ms / 1e3;
        let theory_ms = own_queue_wait(rho, service_ms, after_random_choice(1.0, workers), 0.0).unwrap();
        println!(
            "{engine}, {workers} workers: service {service_ms:.3} ms, rho {rho:.3}, mean wait {wait_ms:.3} ms; replayed {replayed_ms:.3} \
             (standard error {error_ms:.3}), theory {theory_ms:.3}"
        );
        assert!((0.7..0.8).contains(&rho), "{engine}: rho {rho}");
        assert!((wait_ms / replayed_ms - 1.0).abs() < 0.03, "{engine}: {wait_ms} ms, replayed {replayed_ms}");
        let margin_ms = (0.1 * theory_ms).max(3.0 * error_ms);
        assert!((wait_ms - theory_ms).abs() < margin_ms, "{engine}: {wait_ms} ms, theory {theory_ms} +- {margin_ms}");
    }
}
