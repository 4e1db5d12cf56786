//! When each task was handed over: written by the pacer alone, read when it has ended. Pure.
//!
//! It is exact and per task, so that lateness covers every task that was sent, whatever became of it, and the backlog
//! at any instant can be computed afterwards.

use std::collections::BTreeMap;
use std::ops::Range;

use common::arrivals::{Schedule, dispersion};
use common::latency::Latency;
use common::report::{Dispersion, Pacing};

/// Windows in which sent tasks are compared with planned ones: 10 ms.
const SHORT_NS: u64 = 10_000_000;
/// The longer windows of the index of dispersion: 100 ms.
const LONG_NS: u64 = 100_000_000;
/// Tasks that a short window may have more or fewer than planned, as a share and at least.
const WITHIN_SHARE: f64 = 0.02;
const WITHIN_TASKS: f64 = 2.0;

/// The instants at which the tasks of a schedule were sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendLog {
    /// By task, on `CLOCK_MONOTONIC`; 0: never.
    sent_ns: Vec<u64>,
    /// What all of them took on their way.
    pub bytes: u64,
    /// Tasks that were sent once more, because the connection into the queue broke: their instant is the first.
    pub sent_again: u64,
}

impl SendLog {
    /// Nothing of `schedule` is sent yet.
    #[must_use]
    pub fn new(schedule: &Schedule) -> SendLog {
        SendLog { sent_ns: vec![0; schedule.arrivals.len()], bytes: 0, sent_again: 0 }
    }

    /// Task `index` was sent at `at_ns`.
    pub fn sent(&mut self, index: u32, at_ns: u64) {
        self.sent_ns[index as usize] = at_ns;
    }

    /// By task, when it was sent, on `CLOCK_MONOTONIC`; 0: never.
    pub fn instants(&self) -> impl Iterator<Item = u64> {
        self.sent_ns.iter().copied()
    }

    /// How many tasks of `range` were sent.
    #[must_use]
    pub fn count(&self, range: Range<usize>) -> u64 {
        self.sent_ns[range].iter().filter(|&&sent_ns| sent_ns > 0).count() as u64
    }

    /// When the last one was sent.
    #[must_use]
    pub fn last_ns(&self) -> Option<u64> {
        self.sent_ns.iter().copied().max().filter(|&last_ns| last_ns > 0)
    }

    /// The window's tasks: when each was due, since the start of the run, and when it was sent, on `CLOCK_MONOTONIC`.
    fn window(&self, schedule: &Schedule) -> impl Iterator<Item = (u64, u64)> {
        schedule.dues_ns().zip(self.sent_ns.iter().copied()).skip(schedule.warmup)
    }

    /// sent - due of the window's tasks that were sent; the run started at `start_ns`.
    #[must_use]
    pub fn lateness(&self, schedule: &Schedule, start_ns: u64) -> Latency {
        let mut lateness = Latency::new();
        self.window(schedule)
            .filter(|&(_, sent_ns)| sent_ns > 0)
            .for_each(|(due_ns, sent_ns)| lateness.record(sent_ns.saturating_sub(start_ns + due_ns)));
        lateness
    }

    /// batch due - intended of the window's tasks that were sent; nothing where tasks are pushed.
    #[must_use]
    pub fn batch_wait(&self, schedule: &Schedule) -> Option<Latency> {
        let batched = !schedule.batch_due_ns.is_empty();
        batched.then(|| {
            let mut batch_wait = Latency::new();
            let window = schedule.arrivals.iter().skip(schedule.warmup).zip(self.window(schedule));
            window
                .filter(|&(_, (_, sent_ns))| sent_ns > 0)
                .for_each(|(arrival, (due_ns, _))| batch_wait.record(due_ns - arrival.intended_ns));
            batch_wait
        })
    }

    /// Share of the window's tasks that were sent at most `limit_ns` late, of those that should have been by `until_ns`;
    /// a task that was never sent was not on time. 1 when there are none.
    #[must_use]
    pub fn on_time(&self, schedule: &Schedule, start_ns: u64, limit_ns: u64, until_ns: u64) -> f64 {
        let (mut due, mut on_time) = (0u64, 0u64);
        for (due_ns, sent_ns) in self.window(schedule) {
            let latest_ns = start_ns + due_ns + limit_ns;
            if latest_ns <= until_ns {
                due += 1;
                on_time += u64::from((1..=latest_ns).contains(&sent_ns));
            }
        }
        if due == 0 { 1.0 } else { on_time as f64 / due as f64 }
    }

    /// sent - due of the window's tasks, by the second since `start_ns` in which they were sent.
    #[must_use]
    pub fn lateness_by_second(&self, schedule: &Schedule, start_ns: u64) -> BTreeMap<u32, Latency> {
        let mut seconds: BTreeMap<u32, Latency> = BTreeMap::new();
        for (due_ns, sent_ns) in self.window(schedule).filter(|&(_, sent_ns)| sent_ns > 0) {
            let second = (sent_ns.saturating_sub(start_ns) / 1_000_000_000) as u32;
            let lateness_ns = sent_ns.saturating_sub(start_ns + due_ns);
            seconds.entry(second).or_default().record(lateness_ns);
        }
        seconds
    }

    /// The window's sent tasks against the planned ones, up to the last one that was sent; the run started at `start_ns`.
    #[must_use]
    pub fn pacing(&self, schedule: &Schedule, start_ns: u64) -> Pacing {
        let (planned, sent): (Vec<u64>, Vec<u64>) = self.window(schedule).filter(|&(_, sent_ns)| sent_ns > 0).unzip();
        let all = planned.len() == schedule.arrivals.len() - schedule.warmup;
        let last_ns = sent.iter().copied().max().unwrap_or(start_ns).saturating_sub(start_ns);
        let end_ns = if all { schedule.window_end_ns } else { last_ns.min(schedule.window_end_ns) };
        let length_ns = end_ns.saturating_sub(schedule.window_start_ns);
        let counts = |window_ns: u64, at_ns: &mut dyn Iterator<Item = u64>| {
            let mut counts = vec![0u64; (length_ns / window_ns) as usize];
            for at_ns in at_ns {
                let window = at_ns.saturating_sub(start_ns + schedule.window_start_ns) / window_ns;
                if let Some(count) = counts.get_mut(window as usize) {
                    *count += 1;
                }
            }
            counts
        };
        let both = |window_ns| {
            let planned = counts(window_ns, &mut planned.iter().map(|due_ns| start_ns + due_ns));
            (planned, counts(window_ns, &mut sent.iter().copied()))
        };
        let (planned, sent) = both(SHORT_NS);
        let within = planned.iter().zip(&sent).filter(|&(&planned, &sent)| {
            let allowed = (planned as f64 * WITHIN_SHARE).max(WITHIN_TASKS);
            planned.abs_diff(sent) as f64 <= allowed
        });
        let of = |(planned, sent): &(Vec<u64>, Vec<u64>)| Dispersion {
            planned: dispersion(planned),
            sent: dispersion(sent),
        };
        Pacing {
            windows: planned.len() as u64,
            windows_within: (!planned.is_empty()).then(|| within.count() as f64 / planned.len() as f64),
            dispersion_10ms: of(&(planned, sent)),
            dispersion_100ms: of(&both(LONG_NS)),
        }
    }

    /// Tasks sent by second since `start_ns`.
    #[must_use]
    pub fn by_second(&self, start_ns: u64) -> Vec<u64> {
        let mut seconds = Vec::new();
        for &sent_ns in self.sent_ns.iter().filter(|&&sent_ns| sent_ns > 0) {
            let second = (sent_ns.saturating_sub(start_ns) / 1_000_000_000) as usize;
            if second >= seconds.len() {
                seconds.resize(second + 1, 0);
            }
            seconds[second] += 1;
        }
        seconds
    }

    /// For each of `dynos` dynos when its tasks were sent, ascending: a lane hands over in order.
    #[must_use]
    pub fn by_dyno(&self, schedule: &Schedule, dynos: usize) -> Vec<Vec<u64>> {
        let mut all = vec![Vec::new(); dynos];
        for (arrival, &sent_ns) in schedule.arrivals.iter().zip(&self.sent_ns) {
            if sent_ns > 0 {
                all[arrival.dyno as usize].push(sent_ns);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use common::arrivals::{Arrival, Schedule};

    use common::report::{Dispersion, Pacing};

    use super::SendLog;

    /// Six tasks, one a second, in turn to two dynos; the first two are the warm-up; the last one is never sent.
    fn example() -> (Schedule, SendLog) {
        let arrivals: Vec<Arrival> =
            (0..6).map(|i| Arrival { intended_ns: i * 1_000_000_000, dyno: i as u32 % 2, worker: 0 }).collect();
        let schedule = Schedule {
            arrivals,
            batch_due_ns: Vec::new(),
            warmup: 2,
            window_start_ns: 2_000_000_000,
            window_end_ns: 6_000_000_000,
        };
        let mut log = SendLog::new(&schedule);
        (0..5).for_each(|i| log.sent(i, 100 + u64::from(i) * 1_000_000_010));
        (schedule, log)
    }

    #[test]
    fn what_was_never_sent_is_in_no_figure() {
        let (schedule, log) = example();
        assert_eq!((log.count(0..2), log.count(2..6)), (2, 3));
        assert_eq!(log.last_ns(), Some(100 + 4 * 1_000_000_010));
        assert_eq!(log.by_second(100), [1, 1, 1, 1, 1]);
        let first = |i: u64| 100 + i * 1_000_000_010;
        assert_eq!(log.by_dyno(&schedule, 2), [vec![first(0), first(2), first(4)], vec![first(1), first(3)]]);
        assert_eq!(SendLog::new(&schedule).last_ns(), None);
    }

    #[test]
    fn lateness_is_of_what_was_sent_in_the_window() {
        let (schedule, log) = example();
        let all = log.lateness(&schedule, 100);
        assert_eq!((all.n(), all.percentile_ns(0.0, 0), all.max_ns()), (3, Some(20), Some(40)));
    }

    /// Of the window's four tasks three were sent, 20, 30 and 40 ns late.
    #[test]
    fn on_time_is_of_what_should_have_been_sent() {
        let (schedule, log) = example();
        let share = |limit_ns, until_ns| log.on_time(&schedule, 100, limit_ns, until_ns);
        assert_eq!((share(40, u64::MAX), share(30, u64::MAX), share(10, u64::MAX)), (0.75, 0.5, 0.0));
        // The last two were not due before this instant.
        let until_ns = 100 + 3 * 1_000_000_000 + 30;
        assert_eq!((share(30, until_ns), share(20, until_ns), share(31, until_ns), share(0, 50)), (1.0, 0.5, 1.0, 1.0));
    }

    /// 100 tasks, one a millisecond from 50 ms on; what `shift` says later than planned; those from `missed` on are not sent.
    fn paced(shift: impl Fn(u32) -> u64, missed: u32) -> Pacing {
        let arrivals = (0..100u64).map(|i| Arrival { intended_ns: 50_000_000 + i * 1_000_000, dyno: 0, worker: 0 });
        let schedule = Schedule {
            arrivals: arrivals.collect(),
            batch_due_ns: Vec::new(),
            warmup: 0,
            window_start_ns: 50_000_000,
            window_end_ns: 150_000_000,
        };
        let mut log = SendLog::new(&schedule);
        (0..missed).for_each(|i| log.sent(i, 7 + schedule.arrivals[i as usize].intended_ns + shift(i)));
        log.pacing(&schedule, 7)
    }

    #[test]
    fn the_shape_of_the_load_is_compared_window_by_window() {
        let exact = paced(|_| 0, 100);
        assert_eq!((exact.windows, exact.windows_within), (10, Some(1.0)));
        assert_eq!(exact.dispersion_10ms, Dispersion { planned: Some(0.0), sent: Some(0.0) });
        assert_eq!(exact.dispersion_100ms, Dispersion::default());
        // A little late throughout: the same shape.
        assert_eq!(paced(|_| 60_000, 100), exact);
        // Ten tasks of the third window come with those of the fourth.
        let lumped = paced(|i| if (20..30).contains(&i) { 10_000_000 } else { 0 }, 100);
        assert_eq!(lumped.windows_within, Some(0.8));
        assert_eq!(lumped.dispersion_10ms.planned, Some(0.0));
        assert!(lumped.dispersion_10ms.sent.is_some_and(|sent| (sent - 200.0 / 9.0 / 10.0).abs() < 1e-9));
    }

    #[test]
    fn a_run_that_ended_early_is_compared_as_far_as_it_came() {
        let early = paced(|_| 0, 35);
        assert_eq!((early.windows, early.windows_within), (3, Some(1.0)));
        let nothing = paced(|_| 0, 0);
        assert_eq!((nothing.windows, nothing.windows_within), (0, None));
    }
}
