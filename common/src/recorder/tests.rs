use std::time::Duration;

use proptest::prelude::{prop_assert_eq, proptest};

use super::{Histograms, Record, Recorder, Totals};
use crate::peaks::Of;
use crate::plan::TaskKind;
use crate::report::Spread;
use crate::step::{Failure, Outcome, Span};
use crate::wire::TaskPhase;

fn recorder(shards: usize, workers: u32) -> Recorder {
    Recorder::new(shards, workers, Span::of(TaskKind::Document), Duration::from_secs(1))
}

fn record(phase: TaskPhase, outcome: Outcome, response_ns: u64) -> Record {
    Record {
        intended_ns: 1_000,
        sent_ns: 1_010,
        started_ns: 1_030,
        ended_ns: 1_000 + response_ns,
        settled_ns: 1_000 + response_ns,
        pool_wait_ns: 5,
        spans_ns: [10, 20, 30, 0, 0, 0, 0, 0, 0],
        phase,
        outcome,
    }
}

#[test]
fn only_the_windows_completed_tasks_are_in_the_histograms() {
    let recorder = recorder(2, 3);
    recorder.settle(0, &record(TaskPhase::Untimed, Outcome::Completed, 500));
    recorder.settle(0, &record(TaskPhase::WarmUp, Outcome::Completed, 500));
    recorder.settle(1, &record(TaskPhase::Window, Outcome::Completed, 700));
    recorder.settle(2, &record(TaskPhase::Window, Outcome::Rejected, 700));
    recorder.settle(2, &record(TaskPhase::Window, Outcome::Failed(Failure::Timeout), 900));
    let delta = recorder.collect(9, &mut Histograms::default());
    let histograms = delta.decode().unwrap();
    assert_eq!(delta.counts[TaskPhase::Untimed as usize].completed, 1);
    assert_eq!(delta.counts[TaskPhase::WarmUp as usize].completed, 1);
    let window = delta.counts[TaskPhase::Window as usize];
    assert_eq!((window.completed, window.rejected, window.failed.timeout, window.ended()), (2, 1, 1, 3));
    assert_eq!((histograms.response.n(), histograms.service.n(), histograms.spans[2].n()), (2, 2, 2));
    // A failed task was sent and waited like any other.
    assert_eq!(histograms.queue_wait.n(), 3);
    assert_eq!(histograms.response_from_send_sum_ns, 2 * 690);
    assert_eq!(recorder.per_worker().0, [1, 1, 2]);
    assert_eq!(recorder.totals(), Totals { ended: 5, failed: 1, last_ended_ns: 1_900, busy_ns: 2_680 });
}

#[test]
fn a_second_collection_holds_only_what_is_new_but_all_totals() {
    let recorder = recorder(1, 1);
    let mut spare = Histograms::default();
    recorder.settle(0, &record(TaskPhase::Window, Outcome::Completed, 700));
    recorder.collect(1, &mut spare);
    recorder.settle(0, &record(TaskPhase::Window, Outcome::Completed, 900));
    let delta = recorder.collect(2, &mut spare);
    assert_eq!(delta.decode().unwrap().response.n(), 1);
    assert_eq!(delta.counts[TaskPhase::Window as usize].completed, 2);
    let nothing = recorder.collect(3, &mut spare);
    assert!(nothing.histograms.is_empty());
    assert_eq!(nothing.counts, delta.counts);
}

#[test]
fn a_delta_from_elsewhere_is_refused() {
    let recorder = recorder(1, 1);
    recorder.settle(0, &record(TaskPhase::Window, Outcome::Completed, 700));
    let mut delta = recorder.collect(1, &mut Histograms::default());
    delta.histograms.insert("latency".into(), ("".into(), 0));
    assert!(delta.decode().is_err());
}

#[test]
fn peaks_are_of_the_windows_tasks_by_the_instant_of_its_begin() {
    let recorder = recorder(2, 3);
    recorder.window_begins(2_000_000_000);
    for (phase, worker, ended_ns) in [
        (TaskPhase::WarmUp, 0, 2_500_000_000),
        (TaskPhase::Window, 1, 2_010_000_000),
        (TaskPhase::Window, 2, 2_130_000_000),
        (TaskPhase::Window, 0, 2_149_000_000),
    ] {
        recorder.settle(worker, &Record { ended_ns, ..record(phase, Outcome::Completed, 0) });
    }
    let spread = |threshold_ns| recorder.peaks().spread(Of::Response, threshold_ns);
    assert_eq!(spread(0), Spread { bins: 2, clusters: 2 });
    assert_eq!(spread(2_149_000_000 - 1_000), Spread { bins: 1, clusters: 1 });
}

proptest! {
    /// The number of shards and of collections changes nothing: merged totals equal the sum of the parts.
    #[test]
    fn sharding_is_invisible(responses in proptest::collection::vec((0u32..5, 100u64..1_000_000), 1..100), shards in 1usize..5, cut in 0usize..100) {
        let one = recorder(1, 5);
        let many = recorder(shards, 5);
        let mut spare = Histograms::default();
        let mut merged = Histograms::default();
        for (index, &(worker, response)) in responses.iter().enumerate() {
            let record = record(TaskPhase::Window, Outcome::Completed, response);
            one.settle(worker, &record);
            many.settle(worker, &record);
            if index == cut {
                merged.merge(&many.collect(0, &mut spare).decode().unwrap());
            }
        }
        merged.merge(&many.collect(0, &mut spare).decode().unwrap());
        let union = one.collect(0, &mut spare).decode().unwrap();
        prop_assert_eq!(merged.response.distribution(0), union.response.distribution(0));
        prop_assert_eq!(merged.response_from_send_sum_ns, union.response_from_send_sum_ns);
        prop_assert_eq!(one.per_worker(), many.per_worker());
        prop_assert_eq!(one.peaks(), many.peaks());
    }
}
