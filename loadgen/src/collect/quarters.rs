//! The mean service time by quarters of a second, from counters that come every tenth.

use common::wire::Counters;

use super::Collected;

/// Tasks ended, and nanoseconds in them, by an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Done {
    ended: f64,
    busy_ns: f64,
}

impl Collected {
    /// Mean service time, microseconds, of the tasks that ended in each `quarter_ns` of the `length_ns` after the start: that
    /// of the one before where none ended. Ends with the last quarter for which all dynos have counters.
    ///
    /// Between two counters of a dyno, a tenth of a second apart, tasks are taken to end evenly.
    #[must_use]
    pub fn service_us(&self, quarter_ns: u64, length_ns: u64) -> Vec<f64> {
        let by = |at_ns: u64| {
            self.dynos.iter().try_fold(Done::default(), |sum, dyno| {
                let done = done_by(&dyno.counters, at_ns)?;
                Some(Done { ended: sum.ended + done.ended, busy_ns: sum.busy_ns + done.busy_ns })
            })
        };
        let Some(mut before) = by(self.start_ns) else { return Vec::new() };
        let mut means: Vec<f64> = Vec::new();
        for quarter in 1..=length_ns / quarter_ns {
            let Some(now) = by(self.start_ns + quarter * quarter_ns) else { break };
            let ended = now.ended - before.ended;
            let mean =
                if ended > 0.0 { Some((now.busy_ns - before.busy_ns) / ended / 1e3) } else { means.last().copied() };
            means.extend(mean);
            before = now;
        }
        means
    }
}

/// What a dyno had done at an instant, by the counters around it; `None` after the last. Before the first it had done what that
/// says: the untimed tasks.
fn done_by(counters: &[Counters], at_ns: u64) -> Option<Done> {
    let done =
        |counters: &Counters| Done { ended: counters.totals.ended as f64, busy_ns: counters.totals.busy_ns as f64 };
    let next = counters.partition_point(|counters| counters.taken_ns < at_ns);
    let after = counters.get(next)?;
    let Some(before) = next.checked_sub(1).map(|at| &counters[at]) else { return Some(done(after)) };
    let share = (at_ns - before.taken_ns) as f64 / (after.taken_ns - before.taken_ns) as f64;
    let (from, to) = (done(before), done(after));
    let between = |from: f64, to: f64| from + share * (to - from);
    Some(Done { ended: between(from.ended, to.ended), busy_ns: between(from.busy_ns, to.busy_ns) })
}

#[cfg(test)]
mod tests {
    use common::backlog::WorstBacklogs;
    use common::recorder::Totals;
    use common::wire::{Counters, FromDyno};

    use super::Collected;
    use crate::clocks::Clock;

    const TENTH_NS: u64 = 100_000_000;

    fn counters(tenth: u64, late_ns: u64, ended: u64, busy_ns: u64) -> FromDyno {
        let due_ns = 1_000_000_000 + tenth * TENTH_NS;
        let totals = Totals { ended, busy_ns, ..Totals::default() };
        let taken_ns = due_ns + late_ns;
        let worst = WorstBacklogs::default();
        FromDyno::Counters(Counters { due_ns, taken_ns, totals, worst, looks: Vec::new(), queue: None })
    }

    /// Two dynos that look at other instants: 100 us a task in the first quarter, 50 us from then on.
    #[test]
    fn means_are_of_what_ended_in_each_quarter() {
        let mut collected = Collected::new(&[Clock::Shared; 2], 1_000_000_000);
        for dyno in 0..2 {
            for tenth in 0..=11u64 {
                let late_ns = u64::from(dyno) * 10_000_000;
                let at_ns = tenth * TENTH_NS + late_ns;
                // One task a millisecond, after five untimed ones.
                let ended = at_ns / 1_000_000;
                let slow = ended.min(250);
                let busy_ns = slow * 100_000 + (ended - slow) * 50_000;
                collected.take(dyno, counters(tenth, late_ns, 5 + ended, busy_ns));
            }
        }
        let found = collected.service_us(250_000_000, 1_000_000_000);
        assert_eq!(found.len(), 4);
        // The change falls between two counters.
        assert!((found[0] - 90.0).abs() < 11.0 && (found[1] - 55.0).abs() < 6.0, "{found:?}");
        assert!((found[2] - 50.0).abs() < 1e-9 && (found[3] - 50.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn a_quarter_without_tasks_is_like_the_one_before_and_the_end_is_where_counters_end() {
        let mut collected = Collected::new(&[Clock::Shared], 1_000_000_000);
        assert!(collected.service_us(250_000_000, 1_000_000_000).is_empty());
        for (tenth, ended) in [(0, 5), (1, 25), (2, 25), (3, 25), (4, 25), (5, 25), (6, 25)] {
            collected.take(0, counters(tenth, 0, ended, (ended - 5) * 70_000));
        }
        let found = collected.service_us(250_000_000, 1_000_000_000);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|mean| (mean - 70.0).abs() < 1e-9), "{found:?}");
    }
}
