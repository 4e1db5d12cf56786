//! The search for the highest rate, and a sweep, as a user runs them: of tasks that sleep, whose limit is arithmetic and no matter of how
//! busy the machine is.

use std::fs;

use common::plan::Engine;
use common::report::RunResult;
use common::report::search::{Search, SearchEnd};
use loadgen::host;
use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::calibrate::in_cache;
use crate::support::{Finished, Invocation};

/// Tasks of 200 ms, so that some milliseconds of lateness are nothing: a worker does five a second, whatever the machine.
const PLAN: &str = "
name = \"limit\"
[task]
kind = \"synthetic\"
redis_round_trips = 0
sleep_ms = 200
[load]
rate_per_s = 60
duration_s = 1
warmup_s = 0.3
arrivals = \"constant\"
[slo]
drain_within_s = 0.25
[workers]
count = [1, 400]
backlog_max = 1000
[repeat]
blocks = 1
[[variant]]
name = \"threads\"
engine = \"threaded\"
connections = \"own\"
[[variant]]
name = \"async\"
engine = \"async\"
connections = \"own\"
";

fn found(finished: &Finished) -> Search {
    let text = fs::read_to_string(finished.out().join("search.json")).unwrap_or_else(|_| panic!("{finished}"));
    serde_json::from_str(&text).unwrap()
}

/// With twenty workers: a hundred a second.
#[test]
fn the_limit_of_threads_is_that_of_arithmetic() {
    // From there: every trial is a run.
    let line = "search limit.toml --searches 1 --trial-s 0.6 --set workers.count=20 --set load.rate_per_s=100 \
                --set variant=[{name=\"threads\",engine=\"threaded\",connections=\"own\"}] --pin none";
    let finished = Invocation::new(line).file("limit.toml", PLAN).start().finish();
    let search = found(&finished);
    let [variant] = search.cells[0].variants.as_slice() else { panic!("{finished}") };
    assert_eq!(variant.found.len(), 1, "{variant:?}");
    // No trial could look lower than fifty: what is found is a limit that was bracketed.
    let rate = variant.rate_per_s.value.unwrap_or_else(|| panic!("{variant:?}\n{finished}"));
    assert!((50.0..=120.0).contains(&rate), "{rate}: {finished}");
    assert!(variant.trials.iter().any(|trial| trial.passed == Some(true)), "{variant:?}");
    assert!(variant.trials.iter().any(|trial| trial.passed == Some(false) && !trial.reason.is_empty()), "{variant:?}");
    assert_eq!(variant.confirmation.len(), 6);
    assert!(variant.confirmation.iter().all(|run| (run.duration_s - 1.8).abs() < 1e-9), "{variant:?}");
    assert!(finished.stdout.contains("by longer runs: half a step lower"), "{finished}");
    let code = match loadgen::search::verdict(&search) {
        RunResult::Ok => 0,
        RunResult::Invalid => 4,
        RunResult::Inconclusive | RunResult::Overloaded => 5,
    };
    assert_eq!(finished.code, Some(code), "{finished}");
}

/// A cache in which this host is known to send `ceiling_per_s` tasks a second to async workers.
fn calibrated(ceiling_per_s: f64) -> TempDir {
    let cache = tempfile::tempdir().unwrap();
    let cpus = std::thread::available_parallelism().unwrap().get() as u32;
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let hosts = cache.path().join("headroom/hosts");
    fs::create_dir_all(&hosts).unwrap();
    let ceiling = json!({
        "engine": Engine::Async, "ceiling_per_s": ceiling_per_s, "at_least": false, "at": [],
        "measured_at": "2026-11-25T12:00:00Z", "build": "another", "scheduling": "another", "pacer_priority": "normal",
    });
    let file = hosts.join(format!("{}-{build}.json", host::read(cpus).fingerprint));
    fs::write(file, json!({ "ceilings": { "async": ceiling } }).to_string()).unwrap();
    cache
}

#[test]
fn no_trial_is_above_half_of_the_ceiling_and_what_passes_there_is_at_least_so_much() {
    let line = "search limit.toml --searches 2 --trial-s 1 --set workers.count=40 --set load.rate_per_s=100 \
                --set variant=[{name=\"async\",engine=\"async\",connections=\"own\"}] --pin none";
    let cache = calibrated(210.0);
    let finished = in_cache(Invocation::new(line), cache.path()).file("limit.toml", PLAN).start().finish();
    let search = found(&finished);
    let [variant] = search.cells[0].variants.as_slice() else { panic!("{finished}") };
    assert!(variant.trials.iter().all(|trial| trial.rate_per_s <= 105.0), "{finished}");
    let at_least = variant.at_least_per_s.unwrap_or_else(|| panic!("{variant:?}\n{finished}"));
    assert!(at_least > 105.0 / 1.03 && at_least <= 105.0, "{finished}");
    assert_eq!(variant.rate_per_s.value, None);
    assert!(variant.found.iter().any(|found| found.end == SearchEnd::AtLeast), "{variant:?}");
    assert!(finished.stdout.contains("above half of the ceiling of 210 tasks a second"), "{finished}");
    assert!([Some(4), Some(5)].contains(&finished.code), "{finished}");
}

#[test]
fn a_search_that_is_interrupted_says_what_it_has() {
    let line = "search limit.toml --trial-s 0.6 --set workers.count=20 --set load.rate_per_s=100 --pin none";
    let mut search = Invocation::new(line).file("limit.toml", PLAN).start();
    // Variants take turns: the other's first trial was made, however often it had to be repeated.
    search.await_stderr("search 1 async");
    search.await_stderr("search 1 threads");
    search.signal(Signal::SIGINT);
    let finished = search.finish();
    assert_eq!(finished.code, Some(130), "{finished}");
    let search = found(&finished);
    let [cell] = search.cells.as_slice() else { panic!("{finished}") };
    assert_eq!((cell.variants.len(), cell.contrasts.len()), (2, 1));
    assert!(finished.stdout.contains("search.json"), "{finished}");
    // Both on the same rates, which are not those of the plan.
    let first: Vec<f64> = cell.variants.iter().map(|variant| variant.trials[0].rate_per_s).collect();
    assert!(first[0].to_bits() == first[1].to_bits() && first[0] > 100.0 / 1.03 && first[0] < 100.0, "{first:?}");
}

#[test]
fn what_cannot_be_searched_for_is_refused() {
    let refused = |sets: &str, why: &str| {
        let line = format!("search limit.toml {sets}");
        let finished = Invocation::new(&line).file("limit.toml", PLAN).start().finish();
        assert_eq!(finished.code, Some(2), "{finished}");
        assert!(finished.stderr.contains(why), "{finished}");
    };
    refused("--set load.rate_per_s=[1,2]", "is what is searched for");
    refused("--set load.arrivals=ramp --set load.rate_end_per_s=5", "have no one rate");
    refused("--searches 0", "--searches");
    refused("--set workers.count=1 --trial-s 0.4", "fewer than 30 tasks below 75.0");
    refused("--set workers.count=1 --set slo.response_p99_ms=50", "slo.response_p99_ms is settled by");
}

/// A sweep over numbers of workers by the memory that they take, in which noise has no part: with one worker a runtime of tasks is larger
/// than a thread, with hundreds the threads' stacks are larger than all tasks.
fn sweep(counts: &str) -> Finished {
    let line = format!(
        "sweep limit.toml --set primary=rss_max_bytes --set workers.count={counts} --set load.duration_s=0.3 \
         --set slo.drain_within_s=5 --set load.rate_per_s=20 --pin none"
    );
    let finished = Invocation::new(&line).file("limit.toml", PLAN).start().finish();
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(finished.out().join("scouting/comparison.json").is_file(), "{finished}");
    finished
}

#[test]
fn a_sweep_looks_closer_where_the_winner_changes() {
    let changes = sweep("[1,400]");
    assert!(changes.stdout.contains("the winner changes beside the cells 0, 1: 1 blocks each"), "{changes}");
    assert!(changes.out().join("crossovers/comparison.json").is_file(), "{changes}");
}

#[test]
fn a_sweep_without_a_change_ends_with_the_scouting() {
    let nowhere = sweep("[1,2]");
    assert!(nowhere.stdout.contains("saw the winner change nowhere"), "{nowhere}");
    assert!(!nowhere.out().join("crossovers").exists(), "{nowhere}");
}
