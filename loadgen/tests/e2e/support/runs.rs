//! What must be true of every run, however it ended and whatever the machine did meanwhile.

use std::fs;
use std::path::Path;

use common::report::{Ended, Run, RunResult, Severity};

use super::Finished;

/// Checks that judge the machine: on a busy one the generator or the delay proxy may be late, and a run that is otherwise right
/// is then `invalid`, and rightly so. Every other failure is a defect of Headroom, or of the server.
const THE_MACHINES_FAULT: [&str; 6] = ["on time", "lateness share", "ticks", "distance", "distance p99", "proxy cpu"];

/// The runs below a results directory, by file name.
pub fn read(directory: &Path) -> Vec<Run> {
    let Ok(entries) = fs::read_dir(directory.join("runs")) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
}

/// planned = sent + missed; sent = completed + failed + unfinished; histograms, workers and timeline say the same.
pub fn assert_conserved(run: &Run) {
    let (counts, latency) = (&run.counts, &run.latency_us);
    let failed = counts.failed.total();
    assert_eq!(counts.planned, counts.sent + counts.missed, "{counts:?}");
    assert_eq!(counts.sent, counts.completed + failed + counts.unfinished, "{counts:?}");
    let of_completed = [&latency.pool_wait, &latency.service, &latency.response, &latency.response_from_send];
    for distribution in of_completed.into_iter().chain(latency.spans.values()) {
        assert_eq!(distribution.n, counts.completed, "{counts:?}");
        assert_eq!(distribution.unbounded, failed + counts.unfinished, "{counts:?}");
        assert_eq!(distribution.max.is_some(), counts.completed > 0 && distribution.unbounded == 0);
    }
    assert_eq!((latency.lateness.n, latency.lateness.unbounded), (counts.sent, 0), "{counts:?}");
    let queue_wait = &latency.queue_wait;
    assert_eq!((queue_wait.n, queue_wait.unbounded), (counts.completed + failed, counts.unfinished), "{counts:?}");
    let sum = |of: fn(&common::report::Second) -> u64| run.timeline.iter().map(of).sum::<u64>();
    assert_eq!(sum(|second| second.sent), counts.warmup + counts.sent);
    let ended = sum(|second| second.completed) + sum(|second| second.failed);
    assert!(ended >= counts.completed + failed && ended <= counts.warmup + counts.completed + failed);
    let count = run.workers.count as usize;
    assert_eq!([run.workers.cycles.len(), run.workers.backlog_max.len(), run.workers.busy_ns.len()], [count; 3]);
    if !matches!(run.ended, Ended::DynoLost { .. }) {
        assert_eq!(run.workers.cycles.iter().copied().sum::<Option<u64>>(), Some(ended));
    }
    let names: Vec<_> = run.validity.checks.iter().map(|check| check.name.as_str()).collect();
    assert!(names.contains(&"conservation") && names.contains(&"recorded"), "{names:?}");
    let sum = run.validity.checks.iter().find(|check| check.name == "sum").unwrap();
    assert_eq!(sum.value.is_some(), counts.completed > 0, "{sum:?}");
    assert!(run.pressure.iter().all(|one| (0.0..=1.0).contains(&one.share)), "{:?}", run.pressure);
    assert_eq!(run.verdict.bottleneck.is_some(), !run.pressure.is_empty());
}

/// The names of the checks that make a run invalid.
pub fn failures(run: &Run) -> Vec<&str> {
    let failed = run.validity.checks.iter().filter(|check| !check.ok && check.severity == Severity::Invalid);
    failed.map(|check| check.name.as_str()).collect()
}

/// The verdict is `expected`, or `invalid` for reasons that lie in the machine alone.
pub fn assert_verdict(run: &Run, expected: RunResult) {
    let verdict = &run.verdict;
    let defects: Vec<_> = failures(run).into_iter().filter(|name| !THE_MACHINES_FAULT.contains(name)).collect();
    assert!(defects.is_empty(), "{defects:?}: {:?}", run.validity);
    // A busy machine does not finish at one pace what it is sent at one, which a short window cannot tell from a trend.
    let trend = expected == RunResult::Ok && verdict.reason.starts_with("the backlog");
    let noise = verdict.result == RunResult::Invalid && !failures(run).is_empty();
    assert!(verdict.result == expected || noise || trend, "{verdict:?} {:?} {:?}", run.counts, run.validity);
}

/// The exit code that `loadgen run` owes to this run.
pub fn code(run: &Run) -> i32 {
    match (&run.ended, run.verdict.result) {
        (Ended::Interrupted, _) => 130,
        (_, RunResult::Ok) => 0,
        (_, RunResult::Overloaded) => 3,
        (_, RunResult::Invalid) => 4,
        (_, RunResult::Inconclusive) => 5,
    }
}

/// One run was written, its counts add up, its verdict is as expected, and so is the exit code.
pub fn assert_run(finished: &Finished, expected: RunResult) -> &Run {
    let run = finished.run();
    assert_conserved(run);
    assert_verdict(run, expected);
    assert_eq!(finished.code, Some(code(run)), "{finished}");
    assert!(finished.stdout.contains(&run.verdict.result.to_string()), "{finished}");
    run
}
