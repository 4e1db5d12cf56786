//! A rate of 0: dynos are connected and idle, and the window measures what that costs.

use std::fs;

use common::plan::Metric;
use common::report::comparison::Comparison;
use common::report::{Ended, Run, RunResult};
use nix::sys::signal::Signal;

use crate::support::runs::{assert_conserved, assert_verdict};
use crate::support::{Finished, Invocation, loadgen};

/// Idle, and two rates; two engines, through a pool and with connections of their own.
const PLAN: &str = r#"name = "idle"
question = "what does nothing cost?"
[task]
kind = "document"
list_max = 3
[load]
rate_per_s = [0, 40, 80]
duration_s = 0.5
warmup_s = 0.1
drain_s = 60
[workers]
count = 3
dynos = 2
backlog_max = 1000
[slo]
drain_within_s = 60
response_p99_ms = 60000
[repeat]
blocks = 2
[[variant]]
name = "threads"
engine = "threaded"
connections = "pool"
pool_size = 2
[[variant]]
name = "async"
engine = "async"
connections = "own"
"#;

fn bench(flags: &str) -> Finished {
    Invocation::new(&format!("bench p.toml {flags}")).file("p.toml", PLAN).start().finish()
}

fn comparison(finished: &Finished) -> Comparison {
    serde_json::from_slice(&fs::read(finished.out().join("comparison.json")).unwrap()).unwrap()
}

/// Nothing was sent, everything was there, and its cost was measured.
fn assert_idle(run: &Run) {
    assert_conserved(run);
    assert_verdict(run, RunResult::Ok);
    assert_eq!((run.counts.planned, run.counts.sent, run.counts.warmup), (0, 0, 0));
    assert_eq!((run.rate_per_s.asked, run.rate_per_s.sent, run.rate_per_s.completed), (0.0, 0.0, Some(0.0)));
    assert_eq!((run.ended.clone(), run.backlog.drain_ms, run.resources.tasks), (Ended::Complete, Some(0.0), Some(0)));
    let used = &run.resources;
    assert!(used.window_s > 0.4 && used.workers.cpu_s().is_some() && used.redis.cpu_s().is_some(), "{used:?}");
    assert!(used.workers.voluntary_switches.is_some() && used.workers.rss_max_bytes.is_some(), "{used:?}");
    assert!(used.workers.cpu_us_per_task.is_none() && run.redis_work.commands_per_task.is_empty());
    let names: Vec<&str> = run.validity.checks.iter().map(|check| check.name.as_str()).collect();
    for of_tasks in ["on time", "lateness", "lateness share", "little", "commands", "samples"] {
        assert!(!names.contains(&of_tasks), "{names:?}");
    }
    assert!(run.verdict.reason.starts_with("nothing was asked"), "{:?}", run.verdict);
}

#[test]
fn both_engines_are_measured_while_they_are_idle() {
    let finished = bench("");
    let idle: Vec<&Run> = finished.runs.iter().filter(|run| run.cell.index == 0).collect();
    assert!(["threads", "async"].iter().all(|name| idle.iter().any(|run| run.variant.name == *name)), "{finished}");
    idle.into_iter().for_each(assert_idle);
    let comparison = comparison(&finished);
    let cell = &comparison.cells[0];
    assert!(cell.contrasts.iter().all(|contrast| !contrast.primary), "{:?}", cell.contrasts);
    for summary in &cell.variants {
        assert!(summary.metrics[Metric::WorkersCpuUsPerS.name()].value.is_some(), "{summary:?}");
        assert_eq!(summary.metrics[Metric::CpuUsPerTask.name()].n, 0);
    }
    assert!(cell.recommendation.sentence.starts_with("nothing was asked: idle workers of threads use"), "{finished}");
    // Workers and server of both; on a busy machine runs may be no measurement, and then there is a reason in place of a line.
    assert_eq!(comparison.cost_lines.len(), 4);
    for line in &comparison.cost_lines {
        assert_eq!(line.points.iter().map(|point| point.rate_per_s).collect::<Vec<_>>(), [0.0, 40.0, 80.0]);
        assert_eq!(line.line.is_some(), line.reason.is_empty(), "{line:?}");
    }
    assert!(finished.stdout.contains("load.rate_per_s = 0"), "{finished}");
}

#[test]
fn what_idle_dynos_do_not_have_is_no_primary_metric_without_a_rate() {
    let refused = bench("--set load.rate_per_s=0");
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused}");
    for words in ["load.rate_per_s = 0: nothing is ever asked", "workers_cpu_us_per_s"] {
        assert!(refused.stderr.contains(words), "{refused}");
    }
    let run = "run --engine async --workers 2 --rate 0 --duration 0.5 --warmup 0";
    let finished = loadgen(&format!("{run} --set primary=workers_cpu_us_per_s"));
    assert_idle(finished.run());
    assert!(finished.stdout.contains("nothing was asked"), "{finished}");
}

/// Nothing is waited for: an interrupt ends it at once, and it is no measurement.
#[test]
fn an_idle_run_can_be_interrupted() {
    let line = "run --engine threaded --workers 2 --rate 0 --duration 600 --warmup 0 --set primary=threads";
    let mut loadgen = Invocation::new(line).start();
    loadgen.await_stderr("0/s asked");
    loadgen.signal(Signal::SIGINT);
    let finished = loadgen.finish();
    assert_eq!(finished.code, Some(130), "{finished}");
    let run = finished.run();
    assert_eq!((run.ended.clone(), run.verdict.result), (Ended::Interrupted, RunResult::Inconclusive), "{finished}");
}
