//! Tasks that wait in Redis: every way of claiming and settling, in both engines, does every task once and accounts for it.

use common::report::{Resource, Run, RunResult};
use testkit::TestServer;

use crate::support::runs::{assert_conserved, assert_run, failures};
use crate::support::{Finished, Invocation, loadgen};

/// How workers claim, and with what connections.
const WAYS: [&str; 6] = [
    "",
    "--set queue.prefetch=5 --set queue.claim_max=7",
    "--set queue.settle_with_claim=false --connections pool --pool-size 2",
    "--set queue.claim=worker --connections own",
    "--set queue.claim=worker --connections own --set queue.settle_with_claim=false",
    "--set queue.claim=worker --set queue.poll_ms=2 --connections pool --pool-size 2",
];

const SHORT: &str = "--workers 4 --dynos 2 --rate 200 --duration 0.6 --warmup 0.2 --seed 7 --set load.drain_s=60 \
                     --set slo.drain_within_s=60 --set queue.batch_delay_ms=10";

fn run(line: &str) -> Finished {
    loadgen(&format!("run {SHORT} {line}"))
}

/// All of them completed, each once, and both sides say so.
#[track_caller]
fn assert_done(finished: &Finished) -> &Run {
    let run = assert_run(finished, RunResult::Ok);
    let queue = run.queue.as_ref().unwrap();
    let left = queue.left.unwrap();
    assert_eq!((run.counts.planned, run.counts.completed), (120, 120), "{finished}");
    assert_eq!((left.visible.unwrap_or(0), left.in_flight, left.delayed), (0, 0, 0), "{left:?}");
    assert_eq!((queue.duplicates, queue.redeliveries, queue.foreign), (0, 0, 0), "{queue:?}");
    // Untimed ones, warm-up and window.
    assert_eq!(queue.enqueue_us.n, 120);
    assert!(queue.peak.is_some() && !queue.depth.is_empty());
    assert!(run.latency_us.batch_wait.as_ref().is_some_and(|wait| wait.max <= Some(10_010.0)), "{:?}", run.latency_us);
    run
}

/// Each way with each engine and with each kind of queue, in half as many runs as there are combinations.
#[test]
fn every_job_is_done_once_however_it_is_claimed() {
    let pairs = [[("threaded", "stream"), ("async", "list")], [("threaded", "list"), ("async", "stream")]];
    for (way, pairs) in WAYS.into_iter().zip(pairs.into_iter().cycle()) {
        for (engine, kind) in pairs {
            let finished = run(&format!(
                "--engine {engine} --task job --set queue.kind={kind} --set queue.record_results=true {way}"
            ));
            let queue = assert_done(&finished).queue.clone().unwrap();
            let results = queue.results.unwrap();
            assert_eq!((results.expected, results.right), (8 + 40 + 120, 168), "{engine} {kind} {way}");
            assert_eq!((results.wrong, results.missing, results.sum), (0, 0, results.sum_expected));
            assert_eq!((queue.claimed, queue.retries, queue.dead), (168, 0, 0), "{engine} {kind} {way}");
        }
    }
}

#[test]
fn executors_of_both_engines_claim() {
    for line in [
        "--engine threaded --set variant.threaded.executor=rayon",
        "--engine async --set variant.async.executor=thread-per-core --connections own",
        "--engine async --connections shared --pool-size 2 --set queue.settle_with_claim=false",
    ] {
        assert_done(&run(&format!("{line} --task null --payload-kb 0.2")));
    }
}

#[test]
fn handlers_that_say_no_are_tried_again_and_end_among_the_dead() {
    for engine in ["threaded", "async"] {
        for kind in ["stream", "list"] {
            let finished = run(&format!(
                "--engine {engine} --task job --set task.fail_share=0.2 --set queue.kind={kind} --set queue.attempts_max=2 \
                 --set queue.backoff_ms=5 --set queue.record_results=true"
            ));
            let run = assert_done(&finished);
            let queue = run.queue.as_ref().unwrap();
            assert!(run.counts.rejected > 0, "{:?}", run.counts);
            assert_eq!((queue.dead, queue.retries), (queue.left.unwrap().dead, queue.dead), "{queue:?}");
            let results = queue.results.unwrap();
            assert_eq!((results.right, results.expected), (168 - queue.dead, 168 - queue.dead));
        }
    }
}

/// Five payments at once: sixty of 30 ms in 600 ms are more than the permits allow, and none is paid twice.
#[test]
fn orders_are_paid_under_their_permits() {
    for engine in ["threaded", "async"] {
        let finished = loadgen(&format!(
            "run --engine {engine} --task order --set task.time_scale=0.01 --set task.permits=2 --workers 8 --rate 100 \
             --duration 0.6 --warmup 0.1 --seed 7 --set load.drain_s=60 --set slo.drain_within_s=60 \
             --set queue.record_results=true --set queue.batch_delay_ms=5 --set queue.claim_max=10"
        ));
        let run = finished.run();
        assert_conserved(run);
        let queue = run.queue.as_ref().unwrap();
        assert_eq!((run.counts.completed, queue.results.unwrap().right), (60, 8 + 10 + 60), "{finished}");
        let permits = run.pressure.iter().find(|one| one.resource == Resource::Permits);
        assert!(permits.is_some_and(|permits| permits.share > 0.0 && permits.share <= 1.0), "{:?}", run.pressure);
        // Two at a time, 30 ms each: sixty take 900 ms at least, and of eight workers the last waits for three others, 90 ms.
        let last_s = run.timeline.last().unwrap().t_s;
        assert!(
            last_s >= 0.7 && run.latency_us.spans["permit_wait"].max > Some(60_000.0),
            "{last_s} {:?}",
            run.latency_us.spans
        );
    }
}

/// With results and few attempts: who is late keeps its result, and whatever is left of the task is in vain. Nothing is missing, and
/// nothing lies among the dead that was done.
#[test]
fn results_that_came_late_are_kept_and_count_once() {
    for engine in ["threaded", "async"] {
        let finished = run(&format!(
            "--engine {engine} --task order --set task.time_scale=0.1 --set workers.count=20 --set queue.visibility_timeout_s=0.15 \
             --set queue.record_results=true --set load.drain_s=60 --set slo.drain_within_s=60"
        ));
        let run = finished.run();
        assert!(
            failures(run)
                .iter()
                .all(|name| ["on time", "lateness share", "ticks", "redeliveries", "duplicates"].contains(name)),
            "{finished}"
        );
        let queue = run.queue.as_ref().unwrap();
        assert!(queue.redeliveries > 0, "{finished}");
        assert_eq!((run.counts.completed, run.counts.unfinished), (run.counts.planned, 0), "{finished}");
        let (results, left) = (queue.results.unwrap(), queue.left.unwrap());
        assert_eq!((results.missing, results.wrong), (0, 0), "{finished}");
        assert_eq!((left.visible.unwrap_or(0), left.in_flight, left.dead), (0, 0, 0), "{finished}");
    }
}

/// What is held longer than the visibility timeout is run twice out of a stream: said before, and counted.
#[test]
fn a_timeout_that_is_too_short_is_said_and_its_duplicates_are_counted() {
    for engine in ["threaded", "async"] {
        let finished = run(&format!(
            "--engine {engine} --task synthetic --set task.redis_round_trips=0 --set task.sleep_ms=400 --set workers.count=60 \
             --set queue.visibility_timeout_s=0.15 --set queue.attempts_max=100 --set load.drain_s=3"
        ));
        let run = finished.run();
        let queue = run.queue.as_ref().unwrap();
        assert!(finished.stderr.contains("queue.visibility_timeout_s = 0.15"), "{finished}");
        assert!(queue.redeliveries > 0 && queue.duplicates > 0, "{queue:?}");
        assert!(
            failures(run).iter().all(|name| ["on time", "lateness share", "ticks", "little"].contains(name)),
            "{finished}"
        );
    }
}

/// Somebody else's queue by the same name is left alone; with leave to flush it is gone, its consumer group and all.
#[test]
fn a_queue_that_is_not_empty_is_refused_or_flushed() {
    let server = TestServer::start();
    let mut connection = server.connection();
    let mut ask = |line: &str| {
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        command.query::<redis::Value>(&mut connection).unwrap()
    };
    for (engine, kind, foreign) in
        [("threaded", "list", "LPUSH test:queue 17"), ("async", "stream", "XADD test:queue * order 17")]
    {
        ask("FLUSHALL");
        ask(foreign);
        if kind == "stream" {
            ask("XGROUP CREATE test:queue workers 0");
        }
        let line = format!("--engine {engine} --task job --set queue.kind={kind} --redis-url {}", server.url());
        let refused = run(&line);
        assert_eq!(refused.code, Some(2), "{refused}");
        assert!(refused.stderr.contains("not empty (1 key;") && refused.stderr.contains("--flush"), "{refused}");
        assert_eq!(ask("DBSIZE"), redis::Value::Int(1), "it is as it was");
        assert_done(&run(&format!("{line} --flush")));
    }
}

#[test]
fn entries_of_others_are_laid_aside() {
    let server = TestServer::start();
    for engine in ["threaded", "async"] {
        let mut watch = crate::support::redis::Watch::on(server.addr());
        let line = format!("run {SHORT} --engine {engine} --task job --redis-url {} --flush", server.url());
        let running = Invocation::new(&line).start();
        watch.calls("XACK", 1);
        drop(watch);
        let mut connection = server.connection();
        redis::cmd("XADD").arg("test:queue").arg("*").arg("what").arg("ever").exec(&mut connection).unwrap();
        let finished = running.finish();
        let queue = finished.run().queue.as_ref().unwrap();
        assert_eq!((queue.foreign, queue.left.unwrap().dead), (1, 1), "{queue:?}");
        assert!(failures(finished.run()).is_empty(), "{finished}");
    }
}

/// The connections of all clients are cut twice, loadgen's own into the queue among them: nothing is lost, and nothing is done twice unless
/// the server says so.
#[test]
fn connections_that_are_cut_lose_nothing() {
    let server = TestServer::start();
    for (engine, kind) in [("threaded", "stream"), ("async", "list")] {
        let mut watch = crate::support::redis::Watch::on(server.addr());
        let line = format!(
            "run --engine {engine} --task job --workers 4 --rate 500 --duration 3 --warmup 0.2 --seed 7 --redis-url {} --flush \
             --set queue.kind={kind} --set queue.record_results=true --set queue.visibility_timeout_s=0.5 \
             --set queue.batch_delay_ms=5 --set queue.attempts_max=100 --set load.drain_s=60 --set slo.drain_within_s=60",
            server.url()
        );
        let running = Invocation::new(&line).start();
        watch.calls("EVAL", 20);
        drop(watch);
        for _ in 0..2 {
            redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec(&mut server.connection()).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
        let finished = running.finish();
        let run = finished.run();
        assert_conserved(run);
        let (queue, results) = (run.queue.as_ref().unwrap(), run.queue.as_ref().unwrap().results.unwrap());
        assert_eq!((results.right, results.wrong, results.missing), (4 + 100 + 1500, 0, 0), "{finished}");
        assert_eq!(run.counts.completed, 1500, "{finished}");
        let left = queue.left.unwrap();
        assert_eq!((left.visible.unwrap_or(0), left.in_flight, left.delayed, left.dead), (0, 0, 0, 0), "{left:?}");
        assert_eq!((queue.duplicates, queue.reconnects), (left.duplicates, 2), "{queue:?}");
        assert!(run.redis_work.reconnects >= 2, "{finished}");
    }
}
