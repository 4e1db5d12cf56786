//! What the dynos report during a run, put together. Pure.

use std::collections::BTreeMap;

use common::latency::Latency;
use common::queue::QueueTotals;
use common::recorder::{Delta, Histograms, PhaseCounts, Totals};
use common::request::RequestErrorKind;
use common::wire::{Counters, DynoMemory, Final, FromDyno, Look, Mark, ProcessUsage, TaskPhase};

use crate::clocks::{Answer, Clock};

mod quarters;

/// Everything that dynos have said.
#[derive(Debug)]
pub struct Collected {
    start_ns: u64,
    /// By dyno.
    pub dynos: Vec<DynoReports>,
    /// Of the window's tasks, all dynos.
    pub histograms: Histograms,
    /// By second since the start, from 0.
    pub seconds: BTreeMap<u32, SecondReports>,
    /// The first overload.
    pub overload: Option<OverloadReport>,
    /// The first dyno that cannot go on, and why.
    pub broken: Option<(u32, String)>,
}

/// What one dyno has said.
#[derive(Debug, Default)]
pub struct DynoReports {
    /// Its clock; all instants here are on loadgen's.
    pub clock: Clock,
    /// All counters, in order.
    pub counters: Vec<Counters>,
    /// Of the latest delta: these agree with the histograms.
    pub counts: [PhaseCounts; TaskPhase::COUNT],
    /// ended - sent of the window's completed tasks.
    pub response_from_send: Latency,
    /// Its exact sum.
    pub response_from_send_sum_ns: u128,
    /// Of the latest delta.
    pub request_errors: [u64; RequestErrorKind::COUNT],
    /// Before any worker, and with all of them waiting.
    pub memory: Option<DynoMemory>,
    /// What it had used; position = `Mark as usize`.
    pub usage: [Option<ProcessUsage>; Mark::COUNT],
    /// Its last word.
    pub last: Option<Final>,
    /// When its connection ended before that.
    pub lost_at_ns: Option<u64>,
}

impl DynoReports {
    /// How far the histogram of `response_from_send` is from its exact sum, as a share of the larger: 0 when they agree,
    /// 1 when one of them is lost. `None` when nothing completed, and when values lie beyond the histogram's range: those
    /// are in the sum alone.
    #[must_use]
    pub fn sum_error(&self) -> Option<f64> {
        let by_histogram = self.response_from_send.mean_ns() * self.response_from_send.n() as f64;
        let exact = self.response_from_send_sum_ns as f64;
        let larger = by_histogram.max(exact);
        (larger > 0.0 && self.response_from_send.beyond() == 0).then(|| (by_histogram - exact).abs() / larger)
    }

    /// What it had used at a mark, and at the end; `None` when it did not say.
    #[must_use]
    pub fn usage_since(&self, mark: Mark) -> Option<(ProcessUsage, ProcessUsage)> {
        self.usage[mark as usize].zip(self.usage[Mark::End as usize])
    }

    /// What it had done at random instants.
    pub fn looks(&self) -> impl Iterator<Item = &Look> {
        self.counters.iter().flat_map(|counters| &counters.looks)
    }

    /// By the latest counters.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.counters.last().map(|counters| counters.totals).unwrap_or_default()
    }
}

/// One second, all dynos together.
#[derive(Debug, Clone, Default)]
pub struct SecondReports {
    /// Dynos that have reported it.
    pub dynos: usize,
    /// Completed, warm-up included.
    pub completed: u64,
    /// Failed, warm-up included.
    pub failed: u64,
    /// Of the window's tasks.
    pub response: Latency,
    /// Of the window's tasks.
    pub service: Latency,
    /// Of the window's tasks.
    pub queue_wait: Latency,
}

/// Who was overloaded first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverloadReport {
    /// When, on `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// Which dyno.
    pub dyno: u32,
    /// Which of its workers; `None`: its intake.
    pub worker: Option<u32>,
    /// How many tasks waited.
    pub backlog: u64,
}

const SECOND_NS: u64 = 1_000_000_000;

impl Collected {
    /// Nothing yet, from dynos with these clocks; the run starts at `start_ns`.
    #[must_use]
    pub fn new(clocks: &[Clock], start_ns: u64) -> Collected {
        Collected {
            start_ns,
            dynos: clocks.iter().map(|&clock| DynoReports { clock, ..DynoReports::default() }).collect(),
            histograms: Histograms::default(),
            seconds: BTreeMap::new(),
            overload: None,
            broken: None,
        }
    }

    /// Takes a message of `dyno`.
    pub fn take(&mut self, dyno: u32, message: FromDyno) {
        let reports = &mut self.dynos[dyno as usize];
        match reports.clock.offset().said(message) {
            FromDyno::Counters(counters) => reports.counters.push(counters),
            FromDyno::Delta(delta) => self.take_delta(dyno, &delta),
            FromDyno::Overload { at_ns, worker, backlog } => {
                let report = OverloadReport { at_ns, dyno, worker: Some(worker), backlog: u64::from(backlog) };
                self.overloaded(report);
            }
            FromDyno::Memory(memory) => reports.memory = Some(memory),
            FromDyno::Usage { at, usage } => reports.usage[at as usize] = Some(usage),
            FromDyno::Final(last) => reports.last = Some(last),
            FromDyno::Fatal(why) => self.broken = Some((dyno, why)),
            FromDyno::Hello(_) | FromDyno::Dispatch { .. } | FromDyno::Ready | FromDyno::Clock { .. } => {}
        }
    }

    /// Takes what `dyno` answers when it is asked what time it is.
    pub fn take_answer(&mut self, dyno: u32, answer: Answer) {
        self.dynos[dyno as usize].clock.answered(answer);
    }

    /// The first one counts.
    pub fn overloaded(&mut self, report: OverloadReport) {
        if self.overload.is_none_or(|first| report.at_ns < first.at_ns) {
            self.overload = Some(report);
        }
    }

    /// The control connection of `dyno` ended at `at_ns`.
    pub fn gone(&mut self, dyno: u32, at_ns: u64) {
        let reports = &mut self.dynos[dyno as usize];
        if reports.last.is_none() {
            reports.lost_at_ns.get_or_insert(at_ns);
        }
    }

    fn take_delta(&mut self, dyno: u32, delta: &Delta) {
        let histograms = match delta.decode() {
            Ok(histograms) => histograms,
            Err(why) => {
                self.broken = Some((dyno, format!("it sent what cannot be read: {why}")));
                return;
            }
        };
        let reports = &mut self.dynos[dyno as usize];
        let timed = |counts: &[PhaseCounts; TaskPhase::COUNT]| {
            let timed = [counts[TaskPhase::WarmUp as usize], counts[TaskPhase::Window as usize]];
            (timed.iter().map(|c| c.completed).sum::<u64>(), timed.iter().map(|c| c.failed.total()).sum::<u64>())
        };
        let (before, now) = (timed(&reports.counts), timed(&delta.counts));
        reports.counts = delta.counts;
        reports.request_errors = delta.request_errors;
        reports.response_from_send.merge(&histograms.response_from_send);
        reports.response_from_send_sum_ns += histograms.response_from_send_sum_ns;

        // A delta bears the end of its second, the last one its own instant.
        let since_start = delta.at_ns.saturating_sub(self.start_ns + 1);
        let second = self.seconds.entry((since_start / SECOND_NS) as u32).or_default();
        second.dynos += 1;
        second.completed += now.0.saturating_sub(before.0);
        second.failed += now.1.saturating_sub(before.1);
        second.response.merge(&histograms.response);
        second.service.merge(&histograms.service);
        second.queue_wait.merge(&histograms.queue_wait);
        self.histograms.merge(&histograms);
    }

    /// Tasks ended so far by the latest counters: all, and failed.
    #[must_use]
    pub fn ended(&self) -> (u64, u64) {
        self.dynos
            .iter()
            .map(DynoReports::totals)
            .fold((0, 0), |sum, totals| (sum.0 + totals.ended, sum.1 + totals.failed))
    }

    /// What all dynos have seen of their queue, by the latest counters.
    #[must_use]
    pub fn queue(&self) -> QueueTotals {
        let mut sum = QueueTotals::default();
        let latest = self.dynos.iter().filter_map(|dyno| dyno.counters.last()?.queue.as_ref());
        latest.for_each(|totals| sum.merge(totals));
        sum
    }

    /// Tasks of a phase by outcome, by the latest deltas.
    #[must_use]
    pub fn counts(&self, phase: TaskPhase) -> PhaseCounts {
        let mut sum = PhaseCounts::default();
        self.dynos.iter().for_each(|dyno| sum.add(&dyno.counts[phase as usize]));
        sum
    }

    /// Whether every dyno has said its last word or is lost.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.dynos.iter().all(|dyno| dyno.last.is_some() || dyno.lost_at_ns.is_some())
    }

    /// Whether a request was refused for want of memory in the server, by the latest deltas.
    #[must_use]
    pub fn server_is_full(&self) -> bool {
        self.dynos.iter().any(|dyno| dyno.request_errors[RequestErrorKind::OutOfMemory as usize] > 0)
    }

    /// The first dyno that was lost, and when.
    #[must_use]
    pub fn lost(&self) -> Option<(u32, u64)> {
        let lost = self.dynos.iter().zip(0..).filter_map(|(dyno, number)| Some((number, dyno.lost_at_ns?)));
        lost.min_by_key(|&(_, at_ns)| at_ns)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::backlog::WorstBacklogs;
    use common::latency::LARGEST_NS;
    use common::plan::TaskKind;
    use common::recorder::{Histograms, Record, Recorder};
    use common::step::{Outcome, Span};
    use common::wire::{Counters, FromDyno, TaskPhase};

    use super::{Collected, DynoReports};
    use crate::clocks::{Answer, Clock, Estimate};

    fn settle(recorder: &Recorder, phase: TaskPhase, count: u64) {
        for _ in 0..count {
            let record = Record {
                intended_ns: 1,
                sent_ns: 2,
                started_ns: 3,
                ended_ns: 1_000_000,
                settled_ns: 1_000_000,
                pool_wait_ns: 0,
                spans_ns: [0; Span::COUNT],
                phase,
                outcome: Outcome::Completed,
            };
            recorder.settle(0, &record);
        }
    }

    /// Counts and histograms of a dyno that dies come from the same, last delta.
    #[test]
    fn a_lost_dyno_keeps_what_its_last_delta_said() {
        let (recorder, mut spare) =
            (Recorder::new(1, 1, Span::of(TaskKind::Document), Duration::from_secs(2)), Histograms::default());
        let mut collected = Collected::new(&[Clock::Shared], 1_000_000_000);
        settle(&recorder, TaskPhase::Untimed, 1);
        settle(&recorder, TaskPhase::WarmUp, 10);
        collected.take(0, FromDyno::Delta(Box::new(recorder.collect(2_000_000_000, &mut spare))));
        settle(&recorder, TaskPhase::Window, 20);
        collected.take(0, FromDyno::Delta(Box::new(recorder.collect(3_000_000_000, &mut spare))));
        settle(&recorder, TaskPhase::Window, 5);
        let counters = Counters {
            due_ns: 3_400_000_000,
            taken_ns: 3_400_000_001,
            totals: recorder.totals(),
            worst: WorstBacklogs::default(),
            looks: Vec::new(),
            queue: None,
        };
        collected.take(0, FromDyno::Counters(counters));
        collected.gone(0, 3_500_000_000);

        assert_eq!(collected.counts(TaskPhase::Window).completed, 20);
        assert_eq!(collected.histograms.response.n(), 20);
        assert_eq!(collected.ended(), (36, 0));
        assert_eq!(collected.seconds.iter().map(|(k, v)| (*k, v.completed)).collect::<Vec<_>>(), [(0, 10), (1, 20)]);
        assert_eq!(collected.lost(), Some((0, 3_500_000_000)));
        assert!(collected.complete());
    }

    #[test]
    fn a_histogram_is_held_against_the_exact_sum() {
        let dyno = |values: &[u64], sum_ns: u128| {
            let mut dyno = DynoReports { response_from_send_sum_ns: sum_ns, ..DynoReports::default() };
            values.iter().for_each(|&value| dyno.response_from_send.record(value));
            dyno.sum_error()
        };
        assert_eq!(dyno(&[], 0), None);
        assert_eq!(dyno(&[1000, 500], 1500), Some(0.0));
        assert_eq!(dyno(&[1000, 500], 0), Some(1.0));
        assert_eq!(dyno(&[], 1500), Some(1.0));
        assert!(dyno(&[997_000; 9], 9_000_000).is_some_and(|error| (error - 0.003).abs() < 0.0006));
        assert_eq!(dyno(&[LARGEST_NS + 1, 500], u128::from(LARGEST_NS) + 501), None);
    }

    /// What two dynos say of the same instants comes to the same, although the clock of one is far behind.
    #[test]
    fn instants_of_another_clock_are_converted() {
        let before = Estimate::of(Answer { asked_ns: 9_000_000_000, at_ns: 4_000_000_000, received_ns: 9_000_000_000 });
        let mut collected = Collected::new(&[Clock::Shared, Clock::Apart { before, during: None }], 8_000_000_000);
        for (dyno, behind_ns) in [(0, 0), (1, 5_000_000_000)] {
            let (recorder, mut spare) =
                (Recorder::new(1, 1, Span::of(TaskKind::Document), Duration::from_secs(2)), Histograms::default());
            settle(&recorder, TaskPhase::WarmUp, 3);
            let delta = recorder.collect(9_000_000_000 - behind_ns, &mut spare);
            collected.take(dyno, FromDyno::Delta(Box::new(delta)));
            let at_ns = 9_000_000_000 - u64::from(dyno) - behind_ns;
            collected.take(dyno, FromDyno::Overload { at_ns, worker: 0, backlog: 100 });
        }
        assert_eq!(collected.seconds.iter().map(|(k, v)| (*k, v.completed)).collect::<Vec<_>>(), [(0, 6)]);
        assert_eq!(collected.overload.map(|overload| (overload.dyno, overload.at_ns)), Some((1, 8_999_999_999)));
    }

    #[test]
    fn the_first_overload_counts() {
        let mut collected = Collected::new(&[Clock::Shared; 2], 0);
        collected.take(1, FromDyno::Overload { at_ns: 20, worker: 5, backlog: 100 });
        collected.take(0, FromDyno::Overload { at_ns: 10, worker: 3, backlog: 100 });
        let first = collected.overload.unwrap();
        assert_eq!((first.at_ns, first.dyno, first.worker), (10, 0, Some(3)));
    }
}
