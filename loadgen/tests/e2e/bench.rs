//! A bench from the plan to the comparison: what it writes, in which order, and how it ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use common::plan::Plan;
use common::report::comparison::Comparison;
use common::report::{Run, RunResult};
use nix::sys::signal::Signal;
use testkit::TestServer;

use crate::calibrate::in_cache;
use crate::support::redis::{Watch, hold_writes};
use crate::support::runs::{assert_conserved, assert_verdict};
use crate::support::{Finished, Invocation, loadgen};

/// Two engines, two blocks, half a second each.
const PLAN: &str = r#"name = "tiny"
question = "does a bench work?"
[task]
kind = "document"
list_max = 3
[load]
rate_per_s = 40
duration_s = 0.5
warmup_s = 0.1
drain_s = 60
seed = 5
[workers]
count = 2
dynos = 2
backlog_max = 1000
[slo]
drain_within_s = 60
[repeat]
blocks = 2
[[variant]]
name = "threads"
engine = "threaded"
connections = "own"
[[variant]]
name = "async"
engine = "async"
connections = "pool"
pool_size = 2
"#;

fn bench(flags: &str) -> Invocation {
    Invocation::new(&format!("bench p.toml {flags}")).file("p.toml", PLAN)
}

/// Runs by block: the last attempt at each, which is the one that counts.
fn last_attempts(runs: &[Run]) -> BTreeMap<u32, BTreeMap<&str, &Run>> {
    let mut blocks: BTreeMap<u32, BTreeMap<&str, &Run>> = BTreeMap::new();
    for run in runs {
        let block = blocks.entry(run.block).or_default();
        let last = block.entry(&run.variant.name).or_insert(run);
        if run.attempt > last.attempt {
            *last = run;
        }
    }
    blocks
}

/// The code that a bench owes to its runs: blocks that stayed void are an error, no other verdict is.
fn code(runs: &[Run]) -> i32 {
    let mut runs = last_attempts(runs).into_values().flat_map(BTreeMap::into_values);
    if runs.any(|run| run.verdict.result == RunResult::Invalid) { 4 } else { 0 }
}

/// The same with `--require ok`: a crowded machine may keep nobody up.
fn code_if_ok_is_required(runs: &[Run]) -> i32 {
    let is = |result| last_attempts(runs).values().flat_map(BTreeMap::values).any(|run| run.verdict.result == result);
    match code(runs) {
        0 if is(RunResult::Overloaded) => 3,
        0 if is(RunResult::Inconclusive) => 5,
        code => code,
    }
}

fn comparison(finished: &Finished) -> Comparison {
    serde_json::from_slice(&fs::read(finished.out().join("comparison.json")).unwrap()).unwrap()
}

#[test]
fn a_bench_writes_every_run_and_compares_them() {
    let finished = bench("--set load.duration_s=0.4").start().finish();
    assert_eq!(finished.code, Some(code(&finished.runs)), "{finished}");
    let plan = Plan::parse(&fs::read_to_string(finished.out().join("plan.toml")).unwrap(), &[]).unwrap();
    assert_eq!(plan.cells[0].settings.load.duration_s, 0.4, "the stored plan is the one after --set");

    let blocks = last_attempts(&finished.runs);
    assert_eq!(blocks.keys().copied().collect::<Vec<_>>(), [0, 1]);
    let mut hashes = BTreeSet::new();
    let mut first = BTreeSet::new();
    for block in blocks.values() {
        assert_eq!(block.keys().copied().collect::<Vec<_>>(), ["async", "threads"]);
        let of_block: BTreeSet<&str> = block.values().map(|run| run.arrivals_hash.as_str()).collect();
        assert_eq!(of_block.len(), 1, "the same arrivals for both");
        hashes.extend(of_block);
        let positions: BTreeSet<u32> = block.values().map(|run| run.position).collect();
        assert_eq!(positions, [0, 1].into());
        first.extend(block.values().filter(|run| run.position == 0).map(|run| run.variant.name.as_str()));
        for run in block.values() {
            assert_conserved(run);
            assert_verdict(run, RunResult::Ok);
            assert_eq!((run.counts.planned, run.counts.warmup), (16, 4));
            assert_eq!((run.plan_hash.as_str(), run.cell.index), (plan.hash.as_str(), 0));
        }
    }
    assert_eq!(hashes.len(), 2, "other arrivals in every block");
    assert_eq!(first.len(), 2, "each comes first once");

    let comparison = comparison(&finished);
    assert_eq!((comparison.plan.as_str(), comparison.blocks_planned), ("tiny", 2));
    assert_eq!(comparison.complete, finished.code == Some(0));
    let names: Vec<_> = comparison.cells[0].variants.iter().map(|summary| summary.variant.name.as_str()).collect();
    assert_eq!(names, ["threads", "async"]);
    assert!(finished.stdout.contains("CPU per task"), "{finished}");
    assert!(finished.stderr.contains("repeat.blocks = 2: no difference can be shown"), "{finished}");
    let path = finished.out().join("report.html").display().to_string();
    assert_eq!(finished.stdout.lines().last(), Some(path.as_str()), "{finished}");
    assert!(!finished.files().iter().any(|(path, _)| path.extension().is_some_and(|part| part == "part")));
}

#[test]
fn an_interrupted_bench_keeps_what_it_has() {
    let mut bench = bench("--set repeat.blocks=100").start();
    // Two runs that are thrown away, one that is kept: its file is there when the next one is announced.
    bench.await_stderr("run 4/202");
    bench.signal(Signal::SIGINT);
    let finished = bench.finish();
    assert_eq!(finished.code, Some(130), "{finished}");
    assert!(matches!(finished.runs.len(), 1 | 2), "the finished one, and at most the interrupted one:\n{finished}");
    finished.runs.iter().for_each(assert_conserved);
    assert!(finished.out().join("plan.toml").is_file());
    // No block is whole, and a comparison of parts would be none.
    if let Ok(bytes) = fs::read(finished.out().join("comparison.json")) {
        let comparison: Comparison = serde_json::from_slice(&bytes).unwrap();
        assert!(!comparison.complete, "{finished}");
        assert_eq!(comparison.cells[0].blocks, 0, "a run that was cut short is no measurement:\n{finished}");
        assert!(finished.stdout.contains("answer, INCOMPLETE"), "{finished}");
    }
}

/// The interrupted run stays, does not count, and its block is measured again; what was whole is not touched.
#[test]
fn an_interrupted_bench_is_resumed() {
    let server = TestServer::start();
    let mut watch = Watch::on(server.addr());
    let line = format!("bench p.toml --redis-url {} --flush", server.url());
    let bench = Invocation::new(&line).file("p.toml", PLAN).start();
    // Two that are thrown away, the two of the first block, and some tasks of a fifth.
    watch.calls("FLUSHDB", 5);
    watch.tasks(4 + 4);
    drop(watch);
    bench.signal(Signal::SIGINT);
    let interrupted = bench.finish();
    assert_eq!(interrupted.code, Some(130), "{interrupted}");
    let written = interrupted.files();
    let before = last_attempts(&interrupted.runs).len();
    assert!(before >= 1, "{interrupted}");

    // Its runs say that their processes were somewhere else: they and new ones do not belong together.
    let elsewhere = |text: &str| text.replace(&interrupted.runs[0].host.scheduling, "of another time");
    let runs = written.iter().filter(|(path, _)| path.parent().is_some_and(|parent| parent.ends_with("runs")));
    runs.clone().for_each(|(path, text)| fs::write(path, elsewhere(text)).unwrap());
    let refused = Invocation::after(interrupted, &format!("{line} --resume")).start().finish();
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("measured with scheduling \"of another time\""), "{refused}");
    assert!(refused.stderr.contains("repeat --pin and --scheduling of that bench"), "{refused}");
    runs.clone().for_each(|(path, text)| fs::write(path, text).unwrap());

    let resumed = Invocation::after(refused, &format!("{line} --resume --require ok")).start().finish();
    assert_eq!(resumed.code, Some(code_if_ok_is_required(&resumed.runs)), "{resumed}");
    let blocks = last_attempts(&resumed.runs);
    assert!(blocks.len() == 2 && blocks.values().all(|block| block.len() == 2), "{resumed}");
    resumed.runs.iter().for_each(assert_conserved);
    for (path, text) in runs {
        assert_eq!(*text, fs::read_to_string(path).unwrap(), "{}", path.display());
    }
    assert_eq!(comparison(&resumed).complete, code(&resumed.runs) == 0);

    let other = Invocation::after(resumed, &format!("{line} --resume --seed 6")).start().finish();
    assert_eq!((other.code, other.stdout.as_str()), (Some(2), ""), "{other}");
    assert!(other.stderr.contains("measured under another plan"), "{other}");
}

/// The same variant twice, and a margin that nothing fits in: the first blocks leave it open, but for chance. What they say
/// decides, and a bench that is resumed adds nothing.
#[test]
fn a_declared_extension_is_run_where_the_first_blocks_leave_it_open() {
    let line = "bench p.toml --set repeat.blocks=8 --set repeat.extend_to=10 --set repeat.margin=0.0001 --set load.duration_s=0.2";
    let twice = PLAN.replace("engine = \"threaded\"", "engine = \"async\"");
    let finished = Invocation::new(line).file("p.toml", &twice).start().finish();
    assert_eq!(finished.code, Some(code(&finished.runs)), "{finished}");
    let undecided =
        analysis::undecided(&analysis::load::directory(&finished.out(), analysis::load::Mixed::Refused).unwrap());
    let (blocks, word) = match undecided.as_slice() {
        [] => (8, "the first 8 blocks have decided: no extension"),
        _ => (10, "undecided after 8 blocks: 1 of 1 cells, extended to 10 as declared"),
    };
    assert!(finished.stderr.contains(word), "{finished}");
    assert_eq!(last_attempts(&finished.runs).len(), blocks, "{finished}");
    let comparison = comparison(&finished);
    assert_eq!((comparison.looks, comparison.extended), (2, blocks == 10));
    assert_eq!(comparison.cells[0].blocks_planned as usize, blocks);
    assert_eq!(comparison.complete, finished.code == Some(0), "{finished}");
    if finished.code == Some(0) {
        let runs = finished.runs.len();
        let resumed = Invocation::after(finished, &format!("{line} --resume")).start().finish();
        assert_eq!((resumed.code, resumed.runs.len()), (Some(0), runs), "{resumed}");
    }
}

/// Neither a run nor a bench writes over what somebody has measured.
#[test]
fn results_are_not_written_over() {
    let run = "run --engine async --task null --workers 1 --rate 20 --duration 0.1 --warmup 0";
    let first = loadgen(run);
    let written = first.files();
    let second = Invocation::after(first, run).start().finish();
    assert_eq!((second.code, second.stdout.as_str()), (Some(2), ""), "{second}");
    for word in ["--out", "holds results", "--resume"] {
        assert!(second.stderr.contains(word), "{second}");
    }
    assert_eq!(second.files(), written);
}

#[test]
fn results_go_to_a_directory_of_their_own_with_a_link_to_the_latest() {
    let line = "run --engine async --task null --workers 1 --rate 20 --duration 0.1 --warmup 0";
    let finished = Invocation::new(line).without_out().start().finish();
    let results = finished.work().join("results");
    let target = fs::read_link(results.join("latest")).unwrap();
    assert!(target.to_str().unwrap().ends_with("-run"), "{target:?}");
    assert_eq!(finished.runs.len(), 1, "{finished}");
    let mut names: Vec<_> = fs::read_dir(&results).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [target.clone().into_os_string(), "latest".into()]);

    // A calibration is nothing that could be compared.
    let cache = tempfile::tempdir().unwrap();
    let line = "calibrate --engine async --max-rate 100 --trial-s 0.2 --rates 100 --pin none";
    let later = in_cache(Invocation::after(finished, line).without_out(), cache.path()).start().finish();
    assert!(later.stdout.contains("-calibration/calibration.json"), "{later}");
    assert_eq!(fs::read_link(results.join("latest")).unwrap(), target);
}

/// A variant that does not keep up is a result; only who asks for more gets an exit code.
#[test]
fn overloads_are_an_error_only_where_ok_is_required() {
    for (flags, expected) in [("", 0), ("--require ok", 3)] {
        let server = TestServer::start();
        let mut watch = Watch::on(server.addr());
        let bench = Invocation::new(&format!(
            "bench p.toml --redis-url {} {flags} --set repeat.blocks=1 --set workers.backlog_max=2 --set load.warmup_s=1",
            server.url()
        ));
        let one_variant = PLAN.split("[[variant]]").take(2).collect::<Vec<_>>().join("[[variant]]");
        let bench = bench.file("p.toml", &one_variant).start();
        // The run that is thrown away; then the one that counts: four untimed tasks and one of the warm-up.
        watch.calls("FLUSHDB", 2);
        watch.tasks(5);
        hold_writes(&server);
        let finished = bench.finish();
        let run = finished.run();
        assert_conserved(run);
        assert_eq!(run.verdict.result, RunResult::Overloaded, "{finished}");
        assert_eq!(finished.code, Some(expected), "{finished}");
        assert!(comparison(&finished).complete, "{finished}");
    }
}
