//! Self-tests of the rules: for each that the other self-tests do not break, a run that breaks it. Each has its table in
//! `common::verdict`.

use std::time::Duration;

use common::report::{Resource, Run, RunResult, Severity};
use nix::sys::signal::Signal;
use testkit::TestServer;

use crate::generator::hog::{Hog, REAL_TIME};
use crate::support::process::{await_children, signal};
use crate::support::redis::Watch;
use crate::support::runs::assert_conserved;
use crate::support::{Finished, Invocation, loadgen, start};

/// Small documents, and fast ones: whatever goes wrong is not the load.
const QUIET: &str = "--workers 8 --rate 200 --warmup 1 --list-max 3 --payload-kb 0.1";
/// Untimed tasks, the warm-up, and a second of the window.
const INTO_THE_WINDOW: usize = 8 + 2 * 200;

/// The names of all checks that failed, warnings too.
pub fn failed(run: &Run) -> Vec<&str> {
    run.validity.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect()
}

#[track_caller]
fn assert_tripped(finished: &Finished, names: &[&str], result: RunResult) {
    let run = finished.run();
    assert_conserved(run);
    let failed = failed(run);
    println!("{names:?}: {failed:?}, {}", run.verdict.reason);
    assert!(names.iter().all(|name| failed.contains(name)), "{names:?}: {failed:?} {finished}");
    assert_eq!(run.verdict.result, result, "{:?} {failed:?}", run.verdict);
    for check in run.validity.checks.iter().filter(|check| !check.ok) {
        assert!(!check.remedy.is_empty() && check.limit.is_some(), "{check:?}");
    }
}

#[test]
fn a_stranger_at_the_server_is_noticed() {
    let server = TestServer::start();
    let mut watch = Watch::on(server.addr());
    let run = start(&format!("run --engine async {QUIET} --duration 3 --redis-url {}", server.url()));
    watch.tasks(INTO_THE_WINDOW);
    drop(watch);
    redis::cmd("INCR").arg("stranger").exec(&mut server.connection()).unwrap();
    assert_tripped(&run.finish(), &["commands"], RunResult::Invalid);
}

#[test]
fn broken_connections_are_errors_and_are_replaced() {
    for engine in ["threaded", "async"] {
        let server = TestServer::start();
        let mut watch = Watch::on(server.addr());
        // Not a moment without a request under way.
        let busy = QUIET.replace("--rate 200", "--rate 2000");
        let run = start(&format!("run --engine {engine} {busy} --duration 3 --redis-url {}", server.url()));
        watch.tasks(8 + 2 * 2000);
        drop(watch);
        let mut connection = server.connection();
        redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec(&mut connection).unwrap();
        assert_tripped(&run.finish(), &["errors", "reconnects"], RunResult::Invalid);
    }
}

#[test]
fn a_cpu_that_stands_still_and_other_programs_are_noticed() {
    let run = start(&format!("run --engine async {QUIET} --duration 3"));
    await_children(run.pid(), "workers-", 1);
    let hog = Hog::on(0);
    let finished = run.finish();
    let class = hog.end();
    let run = finished.run();
    assert_conserved(run);
    println!("busy loop {class}: {:?}, {:?}, {}", failed(run), run.machine, run.host.scheduling);
    // At real-time priority nothing else ran there; in a crowd the watching thread came first.
    let expected = if class == REAL_TIME { "ticks" } else { "others" };
    assert!(failed(run).contains(&expected), "{:?} {:?}", failed(run), run.machine);
    assert!(failed(run).contains(&"others"), "{:?} {:?}", failed(run), run.machine);
}

/// Who asks for a percentile asks for no more of a CPU that was away than lies beyond it: 30 ms of 3 s.
#[test]
fn a_percentile_of_a_cpu_that_stands_still_is_void() {
    let plan = r#"
        name = "ticks"
        primary = "response_p99_us"
        [task]
        kind = "document"
        list_max = 3
        [load]
        rate_per_s = 200
        duration_s = 3
        warmup_s = 0.5
        [workers]
        count = 8
        [repeat]
        blocks = 1
        [[variant]]
        name = "async"
        engine = "async"
        connections = "pool"
        pool_size = 8
    "#;
    let run = Invocation::new("bench ticks.toml").file("ticks.toml", plan).start();
    let hog = Hog::on(0);
    let finished = run.finish();
    let class = hog.end();
    let checks = || finished.runs.iter().flat_map(|run| &run.validity.checks).filter(|check| check.name == "ticks");
    println!("busy loop {class}: {:?}", checks().collect::<Vec<_>>());
    // Without real-time priority it does not come before the thread that watches.
    if class == REAL_TIME {
        assert!(checks().count() > 0 && checks().all(|check| !check.ok && check.severity == Severity::Invalid));
    }
    assert!(finished.runs.iter().all(|run| run.verdict.result == RunResult::Invalid), "{finished}");
    assert_eq!(finished.code, Some(4), "{finished}");
}

#[test]
fn a_delay_proxy_that_is_held_up_is_noticed() {
    let server = TestServer::start();
    let mut watch = Watch::on(server.addr());
    // A worker waits for its reply, so that each can have one piece held up; one in a hundred must be.
    let many = QUIET.replace("--workers 8", "--workers 200 --connections own");
    let run =
        start(&format!("run --engine async {many} --duration 4 --set redis.rtt_us=1000 --redis-url {}", server.url()));
    watch.tasks(INTO_THE_WINDOW - 8 + 200);
    drop(watch);
    // It is a loadgen too.
    let proxy = await_children(run.pid(), "loadgen", 1)[0].pid;
    signal(proxy, Signal::SIGSTOP);
    std::thread::sleep(Duration::from_millis(800));
    signal(proxy, Signal::SIGCONT);
    assert_tripped(&run.finish(), &["distance p99"], RunResult::Invalid);
}

#[test]
fn a_backlog_that_only_grows_is_overloaded() {
    for engine in ["threaded", "async"] {
        // One worker ends less than a hundred tasks of ten milliseconds in a second.
        let finished = loadgen(&format!(
            "run --engine {engine} --connections own --task synthetic --set task.redis_round_trips=0 --set task.sleep_ms=10 \
             --workers 1 --rate 120 --duration 5 --backlog-max 100000 --set slo.drain_within_s=60 --set load.drain_s=60"
        ));
        assert_tripped(&finished, &[], RunResult::Overloaded);
        assert!(finished.run().verdict.reason.starts_with("the backlog grew by "), "{:?}", finished.run().verdict);
        let bottleneck = finished.run().verdict.bottleneck.unwrap();
        assert_eq!(bottleneck.resource.to_string(), "workers", "{bottleneck:?}");
    }
}

#[test]
fn an_objective_of_few_tasks_settles_nothing() {
    let finished = loadgen(&format!("run --engine async {QUIET} --duration 2 --set slo.response_p99_ms=1000"));
    assert_tripped(&finished, &["samples"], RunResult::Inconclusive);
    assert_eq!(finished.code, Some(5));
}

/// A dyno that no longer reads is overloaded, however late everything is that it does not take.
#[test]
fn an_intake_that_stands_still_is_overloaded() {
    let run = start(
        "run --engine async --task null --workers 4 --rate 40000 --duration 20 --warmup 1 --backlog-max 1000000 --force",
    );
    let dyno = await_children(run.pid(), "workers-", 1)[0].pid;
    // Nobody else says when the window has begun.
    std::thread::sleep(Duration::from_secs(4));
    signal(dyno, Signal::SIGSTOP);
    let finished = run.finish();
    // It has no last word, so that its workers' vitals are not known.
    let run = finished.run();
    assert_eq!((run.verdict.result, finished.code), (RunResult::Overloaded, Some(3)), "{finished}");
    assert!(run.backlog.overload.as_ref().is_some_and(|overload| overload.worker.is_none()), "{:?}", run.backlog);
    assert!(run.verdict.reason.contains("tasks in loadgen's hands"), "{:?}", run.verdict);
}

/// Whoever has no CPU to spare is named: it is its own limit that was measured then.
#[test]
fn a_server_without_cpu_to_spare_is_named() {
    // A hundred flats a document: the server works longer on one than workers and generator do together.
    let finished = loadgen(
        "run --engine async --task document --workers 100 --connections own --rate 20000 --duration 4 --warmup 0.5 \
         --backlog-max 1000000 --set load.drain_s=60 --set slo.drain_within_s=60 --force --pin redis=0/loadgen=1/dynos=1",
    );
    let run = finished.run();
    assert!(failed(run).contains(&"server cpu"), "{:?} {:?}", failed(run), run.pressure);
    assert_eq!(run.verdict.result, RunResult::Overloaded, "{:?}", run.verdict);
    assert_eq!(run.verdict.bottleneck.unwrap().resource.to_string(), "server CPU", "{:?}", run.pressure);
}

/// One thread passes everything on, and shares its CPU besides: it is late long before it is out of CPU.
#[test]
fn a_delay_proxy_that_cannot_keep_up_is_noticed() {
    let finished = loadgen(
        "run --engine async --task synthetic --set task.redis_round_trips=20 --workers 200 --connections own --rate 8000 \
         --duration 4 --warmup 0.5 --backlog-max 1000000 --set load.drain_s=60 --set redis.rtt_us=200 --force",
    );
    assert_tripped(&finished, &["distance"], RunResult::Invalid);
    assert_eq!(finished.code, Some(4));
}

/// Alone on a CPU, it is out of CPU before it is late.
#[test]
fn a_delay_proxy_without_cpu_to_spare_is_noticed() {
    let finished = loadgen(
        "run --engine async --task synthetic --set task.redis_round_trips=20 --workers 100 --connections own --rate 6000 \
         --duration 3 --warmup 0.5 --backlog-max 1000000 --set load.drain_s=60 --set slo.drain_within_s=60 \
         --set redis.rtt_us=1000 --force --pin redis=0/loadgen=0/dynos=0/proxy=1",
    );
    assert_tripped(&finished, &["proxy cpu"], RunResult::Invalid);
}

/// What costs it CPU is the number of writes: one for every dyno at every wake-up.
#[test]
fn a_generator_without_cpu_to_spare_is_named() {
    let finished = loadgen(
        "run --engine async --task null --workers 100 --dynos 100 --rate 1000000 --duration 2 --warmup 0.5 --force \
         --backlog-max 10000000 --set load.drain_s=60 --set slo.drain_within_s=60 --set redis.connect_timeout_s=30 \
         --pin redis=1/loadgen=0/dynos=0-1",
    );
    let run = finished.run();
    assert_conserved(run);
    println!("generator cpu: {:?}, {}", failed(run), run.verdict.reason);
    assert!(failed(run).contains(&"generator cpu"), "{:?} {:?}", failed(run), run.pressure);
    assert_eq!(run.verdict.bottleneck.unwrap().resource, Resource::Generator, "{:?}", run.pressure);
}

/// Tasks that are over as soon as they are there: what a wake-up takes is a large part of their response.
#[test]
fn lateness_that_is_most_of_response_is_noticed() {
    let finished = loadgen(
        "run --engine async --task synthetic --set task.redis_round_trips=0 --workers 8 --rate 2000 --duration 3 --warmup 0.5",
    );
    assert_tripped(&finished, &["lateness share"], RunResult::Invalid);
}

/// Half of the window the CPU is half as fast, in pieces so short that nothing is late for it.
#[test]
fn a_cpu_that_changes_its_speed_is_noticed() {
    let server = TestServer::start();
    let mut watch = Watch::on(server.addr());
    let run = start(&format!("run --engine async {QUIET} --duration 4 --redis-url {}", server.url()));
    // Half of the window.
    watch.tasks(INTO_THE_WINDOW + 200);
    drop(watch);
    let hog = Hog::in_bursts(0, Duration::from_micros(15));
    let finished = run.finish();
    let class = hog.end();
    let run = finished.run();
    assert_conserved(run);
    println!("bursts {class}: {:?}, {:?}", failed(run), run.machine);
    // Without real-time priority it does not come before the thread that watches.
    assert_eq!(failed(run).contains(&"yardstick"), class == REAL_TIME, "{:?} {:?}", failed(run), run.machine);
}
