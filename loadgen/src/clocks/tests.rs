use common::backlog::{WorkerBacklog, WorstBacklogs};
use common::recorder::{Delta, Totals};
use common::wire::{Counters, Dispatch, FromDyno, Look, TaskPhase, ToDyno};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{Answer, Clock, Estimate, Offset};

/// A century in nanoseconds: no machine has been up for longer.
const LONG_NS: u64 = 100 * 365 * 86_400 * 1_000_000_000;

/// The answer of a dyno whose clock is ahead by `offset_ns`, after such delays on both ways.
fn answer(asked_ns: u64, offset_ns: i64, there_ns: u64, back_ns: u64) -> Answer {
    let read_ns = asked_ns + there_ns;
    Answer { asked_ns, at_ns: read_ns.wrapping_add_signed(offset_ns), received_ns: read_ns + back_ns }
}

fn apart(before: Answer) -> Clock {
    Clock::Apart { before: Estimate::of(before), during: None }
}

proptest! {
    /// However unequal the two ways are, the truth is within the uncertainty.
    #[test]
    fn the_truth_is_within_the_uncertainty(
        asked_ns in 0..LONG_NS, offset_ns in -(LONG_NS as i64)..LONG_NS as i64, there_ns in 0..10_000_000_000u64, back_ns in 0..10_000_000_000u64,
    ) {
        let estimate = Estimate::of(answer(asked_ns, offset_ns, there_ns, back_ns));
        prop_assert_eq!(estimate.uncertainty_ns, (there_ns + back_ns).div_ceil(2));
        prop_assert!(estimate.offset.ns.abs_diff(offset_ns) <= estimate.uncertainty_ns);
    }

    /// Of many answers the one that took least is believed.
    #[test]
    fn the_quickest_answer_is_the_best(ways in proptest::collection::vec((0..1_000_000u64, 0..1_000_000u64), 1..30)) {
        let estimates = ways.iter().map(|&(there_ns, back_ns)| Estimate::of(answer(7, -5, there_ns, back_ns)));
        let best = estimates.reduce(Estimate::or).unwrap();
        let quickest = ways.iter().map(|(there_ns, back_ns)| (there_ns + back_ns).div_ceil(2)).min();
        prop_assert_eq!(Some(best.uncertainty_ns), quickest);
    }

    /// A clock that runs evenly has no drift, however slow and unequal the ways are: it takes more than noise to void a run.
    #[test]
    fn noise_is_no_drift_beyond_the_uncertainty(
        offset_ns in -(LONG_NS as i64)..LONG_NS as i64, before in (0..1_000_000u64, 0..1_000_000u64),
        later in proptest::collection::vec((0..1_000_000_000u64, 0..1_000_000_000u64), 1..30),
    ) {
        let before = answer(1, offset_ns, before.0, before.1);
        let mut clock = apart(before);
        for (there_ns, back_ns) in later {
            clock.answered(answer(2, offset_ns, there_ns, back_ns));
        }
        let report = clock.report(0).unwrap();
        prop_assert!(report.drift_us.unwrap().abs() <= Estimate::of(before).uncertainty_ns as f64 / 1e3);
    }

    /// What is told and said again is what it was, whatever the offset; nothing stops at an end of the range.
    #[test]
    fn instants_go_there_and_back(ns: i64, at_ns: u64) {
        let offset = Offset { ns };
        prop_assert_eq!(offset.to_loadgen(offset.to_dyno(at_ns)), at_ns);
        prop_assert_eq!(offset.to_dyno(offset.to_loadgen(at_ns)), at_ns);
    }

    /// Whatever a dyno answers.
    #[test]
    fn any_answer_is_taken(asked_ns in 0..LONG_NS, at_ns in any::<u64>(), received_ns in 0..LONG_NS, then_ns in any::<u64>()) {
        let mut clock = apart(Answer { asked_ns, at_ns, received_ns });
        clock.answered(Answer { asked_ns, at_ns: then_ns, received_ns });
        prop_assert!(clock.report(0).unwrap().drift_us.is_some());
    }
}

#[test]
fn drift_is_what_is_beyond_doubt() {
    // Known within 50 ns before the run.
    let mut clock = apart(answer(1_000, 5_000_000, 50, 50));
    assert_eq!(clock.report(3).map(|report| (report.dyno, report.drift_us)), Some((3, None)));
    for (offset_ns, way_ns, drift_us, uncertainty_us) in [
        // Nothing can be seen through so slow an answer, which is all that there is so far.
        (5_002_000, 4_000, 0.0, 4.0),
        (5_002_000, 500, 1.5, 0.5),
        // The farthest counts, the other way too.
        (4_997_000, 40, -2.96, 0.05),
        (5_002_000, 500, -2.96, 0.05),
    ] {
        clock.answered(answer(2_000, offset_ns, way_ns, way_ns));
        let report = clock.report(3).unwrap();
        assert_eq!(
            (report.offset_us, report.uncertainty_us, report.drift_us),
            (5_000.0, uncertainty_us, Some(drift_us)),
            "{clock:?}"
        );
    }
}

#[test]
fn a_shared_clock_converts_nothing_and_is_not_reported() {
    let mut clock = Clock::Shared;
    clock.answered(answer(1, 5, 1, 1));
    assert_eq!((clock.offset(), clock.report(0)), (Offset::default(), None));
    assert_eq!((Offset::default().to_dyno(7), Offset::default().to_loadgen(7)), (7, 7));
}

/// Every instant of a frame, and nothing else, in both directions.
#[test]
fn messages_are_converted() {
    for ns in [-1_000, 1_000] {
        let offset = Offset { ns };
        let there = |at_ns: u64| at_ns.wrapping_add_signed(ns);
        let start = |by: &dyn Fn(u64) -> u64| ToDyno::Start {
            start_ns: by(2_000),
            window_start_ns: by(3_000),
            window_end_ns: by(4_000),
        };
        assert_eq!(offset.told(&start(&|at_ns| at_ns)), start(&there));
        assert_eq!(offset.told(&ToDyno::Clock { asked_ns: 5 }), ToDyno::Clock { asked_ns: 5 });
        let task = Dispatch { intended_ns: 2_000, sent_ns: 3_000, index: 4, worker: 5, phase: TaskPhase::Window };
        assert_eq!(offset.task(task), Dispatch { intended_ns: there(2_000), sent_ns: there(3_000), ..task });

        let counters = |by: &dyn Fn(u64) -> u64, last_ended_ns| {
            let totals = Totals { ended: 6, failed: 7, last_ended_ns, busy_ns: 8 };
            let looks = [2_100, 2_200].map(|at_ns| Look { taken_ns: by(at_ns), ended: 5 }).to_vec();
            let worst = WorstBacklogs([WorkerBacklog { worker: 3, waiting: 8 }; _]);
            FromDyno::Counters(Counters { due_ns: by(2_000), taken_ns: by(3_000), totals, worst, looks, queue: None })
        };
        let same = |at_ns| at_ns;
        assert_eq!(offset.said(counters(&there, there(4_000))), counters(&same, 4_000));
        assert_eq!(offset.said(counters(&there, 0)), counters(&same, 0), "nothing has ended yet");
        let overload = |at_ns| FromDyno::Overload { at_ns, worker: 1, backlog: 2 };
        assert_eq!(offset.said(overload(there(2_000))), overload(2_000));
        let delta = |at_ns| {
            FromDyno::Delta(Box::new(Delta {
                at_ns,
                counts: Default::default(),
                request_errors: Default::default(),
                histograms: Default::default(),
                response_from_send_sum_ns: 8,
            }))
        };
        assert_eq!(offset.said(delta(there(2_000))), delta(2_000));
    }
}
