//! The two engines, with every kind of connections, do exactly the same work: the commands that the server counts, the
//! bytes, and every key and value that is there afterwards.

use std::collections::BTreeMap;

use common::report::{Run, RunResult};
use testkit::TestServer;

use crate::support::loadgen;
use crate::support::redis::{Value, contents};
use crate::support::runs::assert_run;

/// Engine and how its workers reach the server; sizes that make them share.
const VARIANTS: [(&str, &str); 15] = [
    ("threaded", "--connections own"),
    ("threaded", "--connections own --set variant.threaded.client=blocking"),
    ("threaded", "--connections pool --pool-size 3"),
    ("threaded", "--connections pool --pool-size 3 --set variant.threaded.checkout=task"),
    ("threaded", "--connections own --set variant.threaded.allocator=system --set variant.threaded.stack_kib=64"),
    ("threaded", "--connections own --set variant.threaded.executor=rayon"),
    (
        "threaded",
        "--connections pool --pool-size 3 --set variant.threaded.executor=rayon --set variant.threaded.pool_threads=3",
    ),
    ("async", "--connections own"),
    ("async", "--connections own --set variant.async.allocator=system"),
    ("async", "--connections own --set variant.async.client=multiplexed"),
    ("async", "--connections pool --pool-size 3"),
    ("async", "--connections pool --pool-size 3 --set variant.async.checkout=task"),
    ("async", "--connections shared --pool-size 2"),
    ("async", "--connections own --set variant.async.executor=thread-per-core"),
    ("async", "--connections pool --pool-size 3 --set variant.async.executor=thread-per-core"),
];

/// What one task of the original sends once its list is not empty: each of them once.
const COMMANDS: [&str; 9] = ["evalsha", "exec", "get", "hgetall", "hset", "multi", "ping", "rpush", "set"];

type Contents = BTreeMap<String, Value>;

/// The same plan and seed once per variant, each on an empty server.
fn runs(plan: &str) -> Vec<(Run, Contents)> {
    let server = TestServer::start();
    let url = server.url();
    let one = |(engine, connections)| {
        // Nothing depends on the machine keeping up: limits are far away.
        let finished = loadgen(&format!(
            "run --engine {engine} {connections} --workers 4 --dynos 2 --rate 200 --duration 0.3 --warmup 0.1 --seed 7 {plan} \
             --backlog-max 1000 --set load.drain_s=60 --set slo.drain_within_s=60 --redis-url {url} --flush"
        ));
        (assert_run(&finished, RunResult::Ok).clone(), contents(&mut server.connection()))
    };
    VARIANTS.into_iter().map(one).collect()
}

/// Both counts and contents are the same in all; returns them.
fn assert_same(runs: Vec<(Run, Contents)>) -> (Run, Contents) {
    let mut runs = runs.into_iter();
    let (first, contents) = runs.next().unwrap();
    assert_eq!((first.counts.planned, first.counts.completed, first.counts.warmup), (60, 60, 20));
    for (run, others) in runs.chain([(first.clone(), contents.clone())]) {
        let name = format!("{:?}", run.variant);
        assert_eq!(run.arrivals_hash, first.arrivals_hash, "{name}");
        assert_eq!(run.counts, first.counts, "{name}");
        assert_eq!(run.workers.cycles, first.workers.cycles, "{name}");
        let allocator = format!("allocator {}", run.variant.allocator);
        assert!(run.versions.workers.ends_with(&allocator), "{name}: {}", run.versions.workers);
        let memory = run.startup.memory.unwrap();
        assert!(memory.idle_bytes > memory.base_bytes, "{name}: {memory:?}");
        assert_eq!(run.redis_work.tasks, 80, "{name}");
        let once: BTreeMap<_, _> = COMMANDS.map(|command| (command.to_owned(), 1.0)).into();
        assert_eq!(run.redis_work.commands_per_task, once, "{name}");
        assert_eq!(run.redis_work.bytes_in_per_task, first.redis_work.bytes_in_per_task, "{name}");
        assert_eq!(run.redis_work.bytes_out_per_task, first.redis_work.bytes_out_per_task, "{name}");
        assert_eq!((run.redis_work.reconnects, run.redis_work.request_errors.len()), (0, 0), "{name}");
        let keys = |contents: &Contents| contents.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&others), keys(&contents), "{name}");
        // Not assert_eq: the contents are megabytes.
        let differing = others.iter().find(|(key, value)| contents[*key] != **value);
        assert!(differing.is_none(), "{name}: {:?}", differing.map(|(key, _)| key));
    }
    (first, contents)
}

fn mails(contents: &Contents) -> usize {
    contents.values().map(|value| if let Value::List(mails) = value { mails.len() } else { 0 }).sum()
}

fn flats(contents: &Contents) -> Vec<usize> {
    contents
        .values()
        .filter_map(|value| if let Value::Hash(flats) = value { Some(flats.len()) } else { None })
        .collect()
}

/// 32 210 bytes in and 26 779 out, as on the original's wire with a text of 5 KiB.
#[test]
fn prefilled_documents_of_100_flats() {
    let (run, contents) = assert_same(runs("--list-max 100 --arrivals poisson"));
    assert_eq!(run.redis_work.bytes_in_per_task.map(f64::round), Some(32_210.0), "{:?}", run.redis_work);
    assert_eq!(run.redis_work.bytes_out_per_task.map(f64::round), Some(26_779.0), "{:?}", run.redis_work);
    assert_eq!(flats(&contents), [100; 8]);
    // Of the prefill, of the untimed tasks, of the timed ones.
    assert_eq!(mails(&contents), 800 + 8 + 80);
    assert_eq!(contents.len(), 8 + 8 + 800);
}

/// The published fit of what goes in, 5 705 + 265 F, misses by 4 bytes. Out comes the root, 287 bytes with all small replies,
/// and 264 per flat; that the published 2 664 are 264 less is the flat which the original's document got in that very task.
#[test]
fn prefilled_documents_of_10_flats() {
    let (run, contents) = assert_same(runs("--list-max 10 --arrivals constant --choice random"));
    assert_eq!(run.redis_work.bytes_in_per_task.map(f64::round), Some(5_705.0 + 265.0 * 10.0 + 4.0));
    assert_eq!(run.redis_work.bytes_out_per_task.map(f64::round), Some(287.0 + 264.0 * 10.0 + 1.0));
    assert_eq!((flats(&contents), mails(&contents)), (vec![10; 8], 80 + 8 + 80));
}

/// A replay asks the same of the server as the documents it was encoded from, byte for byte in number.
#[test]
fn replays_are_documents_to_the_server() {
    let documents = assert_same(runs("--list-max 20 --payload-kb 1"));
    let replays = assert_same(runs("--list-max 20 --payload-kb 1 --task replay"));
    let (work, replayed) = (&documents.0.redis_work, &replays.0.redis_work);
    assert_eq!(replayed.commands_per_task, work.commands_per_task);
    assert_eq!(replayed.bytes_in_per_task, work.bytes_in_per_task);
    // Lists grow elsewhere, and their lengths are answered in digits.
    let out = |work: &common::report::RedisWork| work.bytes_out_per_task.unwrap();
    assert!((out(replayed) - out(work)).abs() < 1.0, "{} {}", out(replayed), out(work));
    assert_eq!((flats(&replays.1), mails(&replays.1)), (flats(&documents.1), mails(&documents.1)));
}

/// From nothing, as the original does: the untimed task makes the root, every other one adds a flat.
#[test]
fn documents_that_grow_from_nothing() {
    let (run, contents) = assert_same(runs("--grow --list-max 5 --arrivals poisson"));
    assert_eq!((flats(&contents), mails(&contents)), (vec![5; 8], 8 + 80));
    assert_eq!(run.redis_server.keys_start, 0);
    let (_, longer) = assert_same(runs("--grow --list-max 100 --arrivals poisson"));
    // One flat per task: the untimed one, and ten or so on each of eight workers.
    assert_eq!(flats(&longer).iter().sum::<usize>(), 88);
    assert_eq!(mails(&longer), 88);
}

/// A synthetic task does its round trips, burns its CPU wherever it is placed, sleeps, and holds a permit meanwhile.
#[test]
fn synthetic_tasks_take_the_time_they_are_told_to() {
    let server = TestServer::start();
    let placed = ["inline", "spawn-blocking", "rayon"]
        .map(|placement| ("async", format!("--set variant.async.cpu_placement={placement}")));
    // One thread, and eight workers of which two hold the permits: nobody blocks it.
    let rayon = "--set variant.threaded.executor=rayon --set variant.threaded.pool_threads=1".to_owned();
    let per_core = "--set variant.async.executor=thread-per-core".to_owned();
    let variants = [("threaded", String::new()), ("threaded", rayon), ("async", per_core)];
    for (engine, set) in variants.into_iter().chain(placed) {
        let finished = loadgen(&format!(
            "run --engine {engine} {set} --task synthetic --workers 8 --connections pool --pool-size 2 --rate 400 --duration 0.1 \
             --warmup 0 --payload-kb 0.5 --set task.redis_round_trips=3 --set task.cpu_us=200 --set task.sleep_ms=20 \
             --set task.permits=2 --backlog-max 1000 --set slo.drain_within_s=60 --redis-url {} --flush",
            server.url()
        ));
        let run = assert_run(&finished, RunResult::Ok);
        assert_eq!((run.counts.completed, run.redis_work.commands_per_task["set"]), (40, 3.0), "{finished}");
        assert_eq!(run.redis_server.keys_end, Some(8));
        assert!(run.host.compute_rounds_per_us.is_some_and(|rounds| rounds > 1.0));
        // Two permits of 20 ms: forty tasks take 400 ms at least, and the last one waits for nearly all of them.
        let longest_ms = run.latency_us.response.max.unwrap() / 1e3;
        assert!(longest_ms >= 20.0 * 19.0 - 100.0, "{longest_ms} ms");
        let spans = &run.latency_us.spans;
        assert_eq!(
            spans.keys().map(String::as_str).collect::<Vec<_>>(),
            ["compute", "exchange", "permit_wait", "sleep_overshoot"]
        );
        assert!(spans["permit_wait"].max.unwrap() >= 19_000.0, "{engine} {set}");
        assert!(run.latency_us.service.p50.unwrap() >= 20_000.0);
    }
}

/// A null task asks nothing of the server.
#[test]
fn null_tasks_leave_the_server_alone() {
    let server = TestServer::start();
    for (engine, connections) in VARIANTS {
        let finished = loadgen(&format!(
            "run --engine {engine} {connections} --task null --workers 3 --dynos 2 --rate 200 --duration 0.5 --warmup 0 \
             --backlog-max 1000 --set slo.drain_within_s=60 --redis-url {}",
            server.url()
        ));
        let run = assert_run(&finished, RunResult::Ok);
        assert!(run.redis_work.commands_per_task.is_empty(), "{:?}", run.redis_work);
        assert_eq!((run.counts.completed, run.redis_server.keys_end), (100, Some(0)));
    }
}
