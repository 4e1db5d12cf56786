//! Tasks sent and not finished, over time.

use std::collections::BTreeMap;

use common::arrivals::Schedule;
use common::plan::Settings;
use common::report::{Backlog, Counts, Ended, Overload};

use super::Measured;
use crate::collect::{Collected, DynoReports};

/// Tasks sent and not finished at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sample {
    /// Seconds since the window began.
    at_s: f64,
    /// In all dynos.
    total: u64,
}

/// What one dyno had done when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Done {
    /// The tenth of a second: the same for all dynos.
    due_ns: u64,
    taken_ns: u64,
    /// Timed tasks that had ended.
    ended: u64,
}

/// Of a run.
pub(super) fn of(settings: &Settings, schedule: &Schedule, measured: &Measured, _counts: &Counts) -> Backlog {
    let collected = &measured.collected;
    let last_ended_ns = collected.dynos.iter().map(|dyno| dyno.totals().last_ended_ns).max().unwrap_or(0);
    let last_sent_ns = measured.sends.last_ns().unwrap_or(0);
    let window_s = settings.load.duration_s;
    let window_start_ns = measured.start_ns + schedule.window_start_ns;
    let sent_ns = measured.sends.by_dyno(schedule, collected.dynos.len());
    let samples: Vec<Sample> = totals(&sent_ns, &counters(settings, collected))
        .into_iter()
        .map(|(at_ns, total)| Sample { at_s: (at_ns as f64 - window_start_ns as f64) / 1e9, total })
        .collect();
    let in_window: Vec<Sample> =
        samples.iter().copied().filter(|sample| (0.0..=window_s).contains(&sample.at_s)).collect();
    let of_dynos: Option<Vec<u32>> =
        collected.dynos.iter().map(|dyno| dyno.last.as_ref()?.backlog_max.iter().max().copied()).collect();
    Backlog {
        max: of_dynos.and_then(|all| all.into_iter().max()),
        limit: settings.workers.backlog_max,
        total_max: samples.iter().map(|sample| sample.total).max(),
        slope_per_s: slope(&in_window),
        drain_ms: (measured.drained && matches!(measured.ended, Ended::Complete))
            .then(|| last_ended_ns.saturating_sub(last_sent_ns) as f64 / 1e6),
        overload: collected.overload.map(|overload| Overload {
            at_s: (overload.at_ns as f64 - window_start_ns as f64) / 1e9,
            dyno: overload.dyno,
            worker: overload.worker.map(|worker| settings.workers.first_of(overload.dyno) + worker),
            backlog: overload.backlog,
        }),
    }
}

/// What every dyno said, without its untimed tasks.
fn counters(settings: &Settings, collected: &Collected) -> Vec<Vec<Done>> {
    let of_dyno = |(number, dyno): (u32, &DynoReports)| {
        let untimed = u64::from(settings.workers.count_of(number));
        let done = dyno.counters.iter().map(|counters| Done {
            due_ns: counters.due_ns,
            taken_ns: counters.taken_ns,
            ended: counters.totals.ended.saturating_sub(untimed),
        });
        done.collect()
    };
    (0..).zip(&collected.dynos).map(of_dyno).collect()
}

/// The backlog of all dynos together for every tenth of a second in which all of them said what they had done, at the
/// mean of the instants at which they looked. What was sent to a dyno is counted up to the instant at which that dyno
/// really looked, so that one that looks late is not taken for one that is quick. `sent_ns` and `counters`: by dyno,
/// ascending.
fn totals(sent_ns: &[Vec<u64>], counters: &[Vec<Done>]) -> Vec<(u64, u64)> {
    #[derive(Default)]
    struct Sum {
        dynos: u64,
        taken_ns: u64,
        total: u64,
    }
    let mut sums: BTreeMap<u64, Sum> = BTreeMap::new();
    for (sent_ns, counters) in sent_ns.iter().zip(counters) {
        for done in counters {
            let sent = sent_ns.partition_point(|&at_ns| at_ns <= done.taken_ns) as u64;
            let sum = sums.entry(done.due_ns).or_default();
            sum.dynos += 1;
            sum.taken_ns += done.taken_ns;
            sum.total += sent.saturating_sub(done.ended);
        }
    }
    let of_all = sums.into_values().filter(|sum| sum.dynos == counters.len() as u64);
    of_all.map(|sum| (sum.taken_ns / sum.dynos, sum.total)).collect()
}

/// Least squares; `None` with fewer than ten samples.
fn slope(samples: &[Sample]) -> Option<f64> {
    if samples.len() < 10 {
        return None;
    }
    let n = samples.len() as f64;
    let mean_at = samples.iter().map(|sample| sample.at_s).sum::<f64>() / n;
    let mean_total = samples.iter().map(|sample| sample.total as f64).sum::<f64>() / n;
    let along = samples.iter().map(|sample| (sample.at_s - mean_at).powi(2)).sum::<f64>();
    let both = samples.iter().map(|sample| (sample.at_s - mean_at) * (sample.total as f64 - mean_total)).sum::<f64>();
    (along > 0.0).then(|| both / along)
}

#[cfg(test)]
mod tests {
    use super::{Done, Sample, slope, totals};

    #[test]
    fn the_slope_of_a_straight_line_is_its_slope() {
        let line = |slope: f64| -> Vec<Sample> {
            (0..20).map(|i| Sample { at_s: f64::from(i), total: (10.0 + slope * f64::from(i)) as u64 }).collect()
        };
        assert_eq!(slope(&line(3.0)), Some(3.0));
        assert_eq!(slope(&line(0.0)), Some(0.0));
        assert_eq!(slope(&line(1.0)[..9]), None);
    }

    /// The second dyno looks late and is sent to meanwhile; the last look of the first has no counterpart.
    #[test]
    fn the_backlog_is_of_all_dynos_at_the_instant_of_each_one() {
        let sent_ns = [vec![10, 20, 30, 110], vec![15, 25, 104]];
        let done = |due_ns, taken_ns, ended| Done { due_ns, taken_ns, ended };
        let counters = [vec![done(100, 100, 1), done(200, 200, 4)], vec![done(100, 105, 1)]];
        assert_eq!(totals(&sent_ns, &counters), [(102, 2 + 2)]);
    }
}
