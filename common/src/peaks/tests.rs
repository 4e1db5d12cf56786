use std::time::Duration;

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::{BIN_NS, Of, Peaks};
use crate::recorder::Record;
use crate::report::Spread;
use crate::step::{Failure, Outcome, Span};
use crate::wire::TaskPhase;

/// When the window began.
const START_NS: u64 = 7_000_000_000;

/// A task that ended so long after the window began; `queue_wait_ns` of the rest was waiting.
fn task(ended_ms: f64, response_ns: u64, outcome: Outcome) -> Record {
    let ended_ns = START_NS + (ended_ms * 1e6) as u64;
    Record {
        intended_ns: ended_ns - response_ns,
        sent_ns: ended_ns - response_ns + response_ns / 10,
        started_ns: ended_ns - response_ns / 2,
        ended_ns,
        settled_ns: ended_ns,
        pool_wait_ns: 3,
        spans_ns: [0; Span::COUNT],
        phase: TaskPhase::Window,
        outcome,
    }
}

fn peaks(window_ms: u64, tasks: &[Record]) -> Peaks {
    let mut peaks = Peaks::new(Duration::from_millis(window_ms));
    tasks.iter().for_each(|task| peaks.record(task.ended_ns - START_NS, &task.latencies_ns()));
    peaks
}

fn check(what: &str, ended_ms: &[f64], expected: (u32, u32)) {
    let slow: Vec<Record> = ended_ms.iter().map(|&ms| task(ms, 1000, Outcome::Completed)).collect();
    let quick = (0..40).map(|bin| task(f64::from(bin) * 50.0 + 1.0, 999, Outcome::Completed));
    let all: Vec<Record> = quick.chain(slow).collect();
    let Spread { bins, clusters } = peaks(2_000, &all).spread(Of::Response, 1000);
    assert_eq!((bins, clusters), expected, "{what}");
}

#[test]
fn clusters_are_rows_of_bins_with_an_empty_one_between_them() {
    check("nothing", &[], (0, 0));
    check("one", &[120.0], (1, 1));
    check("many in a bin", &[120.0, 120.5, 149.9], (1, 1));
    check("neighbouring bins, though 99 ms apart", &[50.5, 149.5], (2, 1));
    check("a whole empty bin between them, though only 51 ms apart", &[99.5, 150.5], (2, 2));
    check("a row of bins is one", &[10.0, 60.0, 110.0, 160.0, 300.0], (5, 2));
    check("every bin", &(0..40).map(|bin| f64::from(bin) * 50.0).collect::<Vec<_>>(), (40, 1));
    check("every second bin", &(0..20).map(|bin| f64::from(bin) * 100.0).collect::<Vec<_>>(), (20, 20));
    check("what ends after the window counts in one bin more", &[1_999.0, 2_001.0, 2_500.0, 9_000.0], (2, 1));
}

#[test]
fn each_latency_has_its_own_values_and_a_failed_task_is_beyond_all_but_its_wait() {
    let timeout = Outcome::Failed(Failure::Timeout);
    let tasks = [task(10.0, 1000, Outcome::Rejected), task(110.0, 100, timeout)];
    let peaks = peaks(1_000, &tasks);
    let bins = |of, threshold_ns| peaks.spread(of, threshold_ns).bins;
    for (of, completed_ns) in [(Of::PoolWait, 3), (Of::Service, 500), (Of::Response, 1000), (Of::ResponseFromSend, 900)]
    {
        assert_eq!((bins(of, completed_ns), bins(of, completed_ns + 1)), (2, 1), "{of:?}");
    }
    assert_eq!((bins(Of::QueueWait, 40), bins(Of::QueueWait, 41), bins(Of::QueueWait, 401)), (2, 1, 0));
}

#[test]
fn a_bin_whose_values_are_0_is_not_an_empty_one() {
    let idle = Record { pool_wait_ns: 0, ..task(10.0, 1, Outcome::Completed) };
    let peaks = peaks(1_000, &[idle]);
    assert_eq!(peaks.spread(Of::PoolWait, 0), Spread { bins: 1, clusters: 1 });
    assert_eq!(peaks.spread(Of::PoolWait, 1).bins, 0);
}

#[test]
fn peaks_survive_the_wire() {
    let peaks = peaks(200, &[task(10.0, 1000, Outcome::Failed(Failure::Disconnected))]);
    let text = serde_json::to_string(&peaks).unwrap();
    assert_eq!(serde_json::from_str::<Peaks>(&text).unwrap(), peaks);
}

/// The rule itself: a new cluster wherever an exceedance comes more than 50 ms after the one before.
fn exact_clusters(mut ended_ns: Vec<u64>) -> u32 {
    ended_ns.sort_unstable();
    let gaps = ended_ns.windows(2).filter(|pair| pair[1] - pair[0] > BIN_NS).count();
    u32::from(!ended_ns.is_empty()) + gaps as u32
}

proptest! {
    /// Bins never make more clusters than the instants do, and where there is one of the other there is one.
    #[test]
    fn never_more_clusters_than_by_the_instants(
        tasks in proptest::collection::vec((0.0..3_000.0, 900u64..1100), 0..60),
        threshold_ns in 900u64..1100,
    ) {
        let records: Vec<Record> = tasks.iter().map(|&(ms, ns)| task(ms, ns, Outcome::Completed)).collect();
        let exceeding = records.iter().zip(&tasks).filter(|(_, (_, ns))| *ns >= threshold_ns);
        let exact = exact_clusters(exceeding.map(|(record, _)| record.ended_ns).collect());
        let Spread { bins, clusters } = peaks(2_000, &records).spread(Of::Response, threshold_ns);
        prop_assert!(clusters <= exact, "{} > {}", clusters, exact);
        prop_assert_eq!(clusters == 0, exact == 0);
        prop_assert!(clusters <= bins);
    }

    /// Shards and dynos are invisible: merging is the union.
    #[test]
    fn merging_is_the_union(tasks in proptest::collection::vec((0.0..1_500.0, 1u64..1000), 0..40), cut in 0usize..40) {
        let records: Vec<Record> = tasks.iter().map(|&(ms, ns)| task(ms, ns, Outcome::Completed)).collect();
        let (one, other) = records.split_at(cut.min(records.len()));
        let mut merged = peaks(1_000, one);
        merged.merge(&peaks(1_000, other));
        prop_assert_eq!(merged, peaks(1_000, &records));
    }
}
