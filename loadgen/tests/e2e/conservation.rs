//! planned = sent + missed and sent = completed + failed + unfinished, whatever happens to a run.

use common::report::{Backlog, Ended, Failures, RunResult};
use nix::sys::signal::Signal;
use testkit::TestServer;

use crate::support::process::{await_children, private_server, signal};
use crate::support::redis::{Watch, hold_writes};
use crate::support::runs::{assert_conserved, assert_run, failures};
use crate::support::{Finished, loadgen, start};

/// Small documents, so that a watcher has little to read; a drain that waits as long as it takes.
const SMALL: &str = "--list-max 3 --payload-kb 0.1 --set slo.drain_within_s=60 --set load.drain_s=60";

#[test]
fn a_run_that_keeps_up() {
    for (engine, order, choice) in
        [("threaded", "fifo", "random"), ("async", "lifo", "random"), ("threaded", "lifo", "round-robin")]
    {
        let finished = loadgen(&format!(
            "run --engine {engine} --workers 3 --dynos 2 --rate 150 --duration 0.6 --warmup 0.2 --backlog-max 1000 \
             --order {order} --choice {choice} {SMALL}"
        ));
        let run = assert_run(&finished, RunResult::Ok);
        assert_eq!(run.ended, Ended::Complete);
        let counts = &run.counts;
        assert_eq!((counts.planned, counts.completed, counts.missed, counts.warmup), (90, 90, 0, 30));
        assert!(run.redis_server.private);
    }
}

/// One worker is asked for far more than any machine can do.
#[test]
fn an_overload_stops_the_run() {
    let finished = loadgen(
        "run --engine threaded --connections own --workers 1 --rate 20000 --arrivals constant --duration 10 --warmup 0 \
         --list-max 100 --payload-kb 1 --backlog-max 3",
    );
    let run = assert_run(&finished, RunResult::Overloaded);
    assert_eq!(run.ended, Ended::Overloaded);
    assert!(run.counts.missed > run.counts.planned / 2, "{:?}", run.counts);
    let &Backlog { limit, overload: Some(ref overload), .. } = &run.backlog else { panic!("{:?}", run.backlog) };
    assert_eq!((limit, overload.dyno, overload.worker, overload.backlog), (3, Some(0), Some(0), 3));
    assert!(overload.at_s > 0.0 && overload.at_s < 10.0, "{overload:?}");
    assert!(run.resources.window_s < 10.0, "{:?}", run.resources);
    if run.verdict.result == RunResult::Overloaded {
        let said = format!("worker 0 had 3 tasks waiting {:.2} s into the window", overload.at_s);
        assert!(run.verdict.reason.starts_with(&said), "{}", run.verdict.reason);
        assert_eq!(finished.code, Some(3));
    }
}

/// Workers are counted over all dynos, limits are each dyno's own; nothing that could be late ends in the window, so
/// that the verdict is certain.
#[test]
fn an_overload_is_laid_at_the_right_worker() {
    let server = TestServer::start();
    let mut watch = Watch::on(server.addr());
    let run = start(&format!(
        "run --engine async --workers 2 --dynos 2 --rate 40 --arrivals constant --duration 600 --warmup 1 {SMALL} \
         --backlog-max 100000 --set workers.override=[{{dyno=1,backlog_max=2}}] --redis-url {}",
        server.url()
    ));
    // Four untimed tasks, and one of the warm-up.
    watch.tasks(5);
    hold_writes(&server);
    let finished = run.finish();
    let run = assert_run(&finished, RunResult::Overloaded);
    assert_eq!((run.ended.clone(), run.verdict.result), (Ended::Overloaded, RunResult::Overloaded));
    let overload = run.backlog.overload.as_ref().unwrap();
    assert_eq!((overload.dyno, overload.backlog), (Some(1), 2));
    assert!(matches!(overload.worker, Some(2 | 3)), "{overload:?}");
    assert_eq!(finished.code, Some(3));
}

#[test]
fn an_overload_may_be_sat_out() {
    let finished = loadgen(&format!(
        "run --engine async --connections own --workers 1 --rate 4000 --duration 0.3 --warmup 0 --backlog-max 1 \
         --on-overload continue {SMALL}"
    ));
    let run = assert_run(&finished, RunResult::Overloaded);
    assert_eq!(run.ended, Ended::Complete);
    assert_eq!((run.counts.planned, run.counts.sent, run.counts.completed), (1200, 1200, 1200));
    assert!(run.backlog.overload.is_some() && run.backlog.max > Some(run.backlog.limit), "{:?}", run.backlog);
}

/// The drain has a bound; what has not ended by then is unfinished, and the percentiles say that they do not know.
#[test]
fn what_the_drain_does_not_wait_for_is_unfinished() {
    let server = TestServer::start();
    let mut watch = Watch::on(server.addr());
    let run = start(&format!(
        "run --engine threaded --workers 2 --rate 40 --arrivals constant --duration 0.5 --warmup 1 --list-max 3 \
         --backlog-max 1000 --set load.drain_s=0.1 --redis-url {}",
        server.url()
    ));
    watch.tasks(3);
    hold_writes(&server);
    let finished = run.finish();
    let run = assert_run(&finished, RunResult::Overloaded);
    assert_eq!((run.ended.clone(), run.counts.sent, run.counts.unfinished), (Ended::Complete, 20, 20));
    assert_eq!((run.latency_us.response.p50, run.latency_us.response.unbounded), (None, 20));
    assert_eq!((run.backlog.drain_ms, finished.code), (None, Some(3)));
    assert!(run.verdict.reason.contains("20 were unfinished"), "{}", run.verdict.reason);
}

/// A request that gets no answer in time fails, and its connection is replaced.
#[test]
fn what_gets_no_answer_in_time_has_failed() {
    for (engine, connections) in [("threaded", "pool"), ("async", "own"), ("async", "shared")] {
        let server = TestServer::start();
        let mut watch = Watch::on(server.addr());
        let run = start(&format!(
            "run --engine {engine} --connections {connections} --workers 2 --rate 40 --arrivals constant --duration 0.2 \
             --warmup 1 {SMALL} --backlog-max 1000 --set redis.response_timeout_s=0.2 --redis-url {}",
            server.url()
        ));
        watch.tasks(3);
        hold_writes(&server);
        let finished = run.finish();
        let run = assert_run(&finished, RunResult::Overloaded);
        let Failures { timeout, disconnected, server_error, .. } = run.counts.failed;
        assert_eq!((run.counts.sent, timeout, disconnected, server_error), (8, 8, 0, 0), "{:?}", run.counts);
        assert!(run.redis_work.request_errors["timeout"] >= 8, "{:?}", run.redis_work);
        assert!(run.redis_work.reconnects > 0, "{:?}", run.redis_work);
        assert_eq!((run.latency_us.response.n, run.latency_us.response.unbounded), (0, 8));
        assert_eq!(run.latency_us.response.p50, None);
    }
}

/// A run that goes on for far too long, until something happens to it.
fn endless(server: &TestServer, engine: &str, connections: &str, dynos: u32) -> String {
    format!(
        "run --engine {engine} --connections {connections} --workers 2 --dynos {dynos} --rate 100 --duration 600 --warmup 0 \
         --backlog-max 100000 {SMALL} --redis-url {}",
        server.url()
    )
}

/// At least half the plan never came to be.
fn assert_cut_short(finished: &Finished, expected: RunResult) {
    let run = assert_run(finished, expected);
    assert_eq!(run.counts.planned, 60_000);
    assert!(run.counts.missed > 30_000 && run.counts.completed > 0, "{:?}", run.counts);
    assert!(run.resources.window_s > 0.0 && run.resources.window_s < 300.0, "{:?}", run.resources);
}

#[test]
fn an_interrupted_run_is_written() {
    for interruption in [Signal::SIGINT, Signal::SIGTERM] {
        let server = TestServer::start();
        let mut watch = Watch::on(server.addr());
        let run = start(&endless(&server, "threaded", "pool", 2));
        watch.tasks(4 + 20);
        run.signal(interruption);
        let finished = run.finish();
        assert_cut_short(&finished, RunResult::Inconclusive);
        let run = finished.run();
        assert_eq!((run.ended.clone(), finished.code), (Ended::Interrupted, Some(130)));
        assert_eq!((run.counts.unfinished, run.counts.failed.total()), (0, 0), "what was sent may end");
    }
}

#[test]
fn a_dyno_that_is_killed_takes_only_its_own_tasks_with_it() {
    for engine in ["threaded", "async"] {
        let server = TestServer::start();
        let mut watch = Watch::on(server.addr());
        let run = start(&endless(&server, engine, "own", 2));
        // Two seconds: every dyno has sent its first delta.
        watch.tasks(4 + 200);
        signal(await_children(run.pid(), "workers-", 2)[0].pid, Signal::SIGKILL);
        let finished = run.finish();
        let run = finished.run();
        assert_conserved(run);
        assert_eq!(finished.code, Some(4), "{finished}");
        assert!(matches!(run.ended, Ended::DynoLost { dyno: 0 | 1, .. }), "{:?}", run.ended);
        assert!(failures(run).contains(&"dynos alive"), "{:?}", run.validity);
        assert!(run.counts.missed > 30_000 && run.counts.completed >= 100, "{:?}", run.counts);
        let Ended::DynoLost { dyno, ref status, .. } = run.ended else { unreachable!() };
        assert!(status.as_ref().is_some_and(|status| status.contains("SIGKILL")), "{status:?}");
        assert!(run.verdict.reason.contains("SIGKILL"), "{}", run.verdict.reason);
        // Its last word is missing: what it would have said is null, not zero.
        let of_lost = &run.workers.cycles[2 * dyno as usize..][..2];
        assert_eq!(of_lost, [None, None], "{:?}", run.workers);
        assert_eq!((run.resources.tasks, run.rate_per_s.completed, run.backlog.max), (None, None, None));
    }
}

#[test]
fn a_server_that_is_killed_fails_tasks_and_not_the_run() {
    for (engine, connections) in [("threaded", "own"), ("threaded", "pool"), ("async", "own"), ("async", "shared")] {
        let server = TestServer::start();
        let mut watch = Watch::on(server.addr());
        let run = start(&format!(
            "run --engine {engine} --connections {connections} --workers 2 --rate 100 --duration 1.5 --warmup 0 \
             --list-max 3 --backlog-max 1000 --set load.drain_s=0.5 --set redis.checkout_timeout_s=0.2 --redis-url {}",
            server.url()
        ));
        watch.tasks(2 + 20);
        signal(server.pid(), Signal::SIGKILL);
        let finished = run.finish();
        let run = finished.run();
        assert_conserved(run);
        assert_eq!((run.ended.clone(), run.counts.sent), (Ended::Complete, 150), "{finished}");
        // Each worker may have been about to ping.
        assert!(run.counts.completed >= 18, "{:?}", run.counts);
        assert!(run.counts.failed.total() + run.counts.unfinished > 0, "{:?}", run.counts);
        assert!(run.counts.failed.disconnected > 0, "{:?}", run.counts);
        assert_eq!(finished.code, Some(4), "{finished}");
        assert!(failures(run).contains(&"errors"), "{:?}", run.validity);
        // What the server would have said is absent, not zero.
        assert!(run.redis_work.commands_per_task.is_empty() && run.redis_work.bytes_in_per_task.is_none());
        let server = &run.redis_server;
        assert_eq!((server.keys_end, server.used_memory_end_bytes), (None, None));
    }
}

/// A private server that ends is seen to end: the run stops, and says how.
#[test]
fn a_private_server_that_is_killed_is_named() {
    let run = start(&format!("run --engine async --workers 2 --rate 50 --duration 600 --warmup 0 {SMALL}"));
    let (server, address) = private_server(&run);
    Watch::on(address).tasks(2 + 10);
    signal(server.pid, Signal::SIGKILL);
    let finished = run.finish();
    let run = finished.run();
    assert_conserved(run);
    assert!(matches!(run.ended, Ended::ServerLost { .. }), "{:?}", run.ended);
    assert!(failures(run).contains(&"server alive"), "{:?}", run.validity);
    assert!(run.verdict.reason.contains("SIGKILL"), "{}", run.verdict.reason);
    assert_eq!(finished.code, Some(4), "{finished}");
}

/// What ends after the drain's bound was not drained, even when all of it ended soon after.
#[test]
fn a_drain_that_comes_to_its_bound_is_no_drain() {
    let server = TestServer::start();
    let mut watch = Watch::on(server.addr());
    let run = start(&format!(
        "run --engine threaded --workers 4 --rate 40 --arrivals constant --duration 0.5 --warmup 1 --list-max 3 \
         --backlog-max 1000 --set load.drain_s=0.2 --redis-url {}",
        server.url()
    ));
    watch.tasks(5);
    // Longer than what is left until the bound (1.7 s at most), and about as long as a dyno then gives its workers to
    // leave: most tasks end, too late.
    redis::cmd("CLIENT").arg(("PAUSE", 2_500, "WRITE")).exec(&mut server.connection()).unwrap();
    let finished = run.finish();
    let run = finished.run();
    assert_conserved(run);
    assert_eq!((run.ended.clone(), run.backlog.drain_ms), (Ended::Complete, None), "{finished}");
    assert_ne!(run.verdict.result, RunResult::Ok);
}

/// It holds up its tasks, and neither the end of the run nor its window.
#[test]
fn a_server_that_stands_still_does_not_stretch_the_window() {
    let server = TestServer::start();
    let mut watch = Watch::on(server.addr());
    let run = start(&format!(
        "run --engine async --workers 2 --rate 100 --duration 1 --warmup 0 --list-max 3 --backlog-max 1000 \
         --set load.drain_s=0.5 --redis-url {}",
        server.url()
    ));
    watch.tasks(2 + 20);
    signal(server.pid(), Signal::SIGSTOP);
    let finished = run.finish();
    let run = assert_run(&finished, RunResult::Overloaded);
    assert_eq!((run.ended.clone(), run.counts.sent), (Ended::Complete, 100));
    assert!(run.counts.unfinished > 0, "{:?}", run.counts);
    assert!(run.resources.window_s < 5.0, "one second was asked for: {:?}", run.resources);
    assert_eq!((run.redis_server.keys_end, run.resources.redis.cpu_user_s), (None, None));
}
