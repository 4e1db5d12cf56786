//! Tasks sent and not finished, over time.

use std::collections::BTreeMap;

use common::arrivals::Schedule;
use common::plan::Settings;
use common::report::{Backlog, Counts, Ended, Little, Overload};
use common::wire::Mark;

use super::Measured;
use super::looks::{self, Seen};
use crate::collect::{Collected, DynoReports};

/// What one dyno had done when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Done {
    /// The tenth of a second: the same for all dynos.
    due_ns: u64,
    taken_ns: u64,
    /// Timed tasks that had ended.
    ended: u64,
}

/// Of a run, and the audit of it by Little's law. `service_mean_us`: mean time of a completed task at its worker.
pub(super) fn of(
    settings: &Settings,
    schedule: &Schedule,
    measured: &Measured,
    counts: &Counts,
    service_mean_us: Option<f64>,
) -> (Backlog, Option<Little>) {
    let collected = &measured.collected;
    let last_ended_ns = collected.dynos.iter().map(|dyno| dyno.totals().last_ended_ns).max().unwrap_or(0);
    let last_sent_ns = measured.sends.last_ns();
    let window_s = settings.load.duration_s;
    let window_start_ns = measured.start_ns + schedule.window_start_ns;
    let sent_ns = match &settings.queue {
        None => measured.sends.by_dyno(schedule, collected.dynos.len()),
        // Whoever claims a task: all dynos are one.
        Some(_) => vec![measured.sends.instants().filter(|&at_ns| at_ns > 0).collect()],
    };
    let counters = counters(settings, collected);
    let ticks = totals(&sent_ns, &counters);
    let seen = match (&settings.queue, collected.dynos.len()) {
        (None, _) | (_, 1) => seen(settings, collected, &sent_ns, window_start_ns),
        // They look at instants of their own, and none knows what the others have done by then.
        (Some(_), _) => vec![
            ticks
                .iter()
                .map(|&(at_ns, tasks)| Seen { at_s: (at_ns as f64 - window_start_ns as f64) / 1e9, tasks })
                .collect(),
        ],
    };
    let trend = looks::trend(&seen, window_s);
    let of_dynos: Option<Vec<u32>> =
        collected.dynos.iter().map(|dyno| dyno.last.as_ref()?.backlog_max.iter().max().copied()).collect();
    let max = of_dynos.and_then(|all| all.into_iter().max());
    let backlog = Backlog {
        max,
        limit: settings.workers.backlog_max,
        max_work_s: max.zip(service_mean_us).map(|(max, mean_us)| f64::from(max) * mean_us / 1e6),
        total_max: ticks.iter().map(|&(_, total)| total).max(),
        slope_per_s: trend.map(|trend| trend.slope),
        slope_low_per_s: trend.map(|trend| trend.low),
        slope_high_per_s: trend.map(|trend| trend.high),
        drain_ms: (measured.drained && matches!(measured.ended, Ended::Complete))
            .then(|| last_sent_ns.map_or(0, |sent_ns| last_ended_ns.saturating_sub(sent_ns)) as f64 / 1e6),
        overload: collected.overload.map(|overload| Overload {
            at_s: (overload.at_ns as f64 - window_start_ns as f64) / 1e9,
            // What goes into a queue goes to no dyno.
            dyno: (overload.worker.is_some() || settings.queue.is_none()).then_some(overload.dyno),
            worker: overload.worker.map(|worker| settings.workers.first_of(overload.dyno) + worker),
            backlog: overload.backlog,
        }),
    };
    // What never ended has no time in the system, and what was run twice has too much.
    let once = collected.queue().duplicates == 0;
    let whole = once && counts.completed == counts.planned && measured.ended == Ended::Complete;
    let ends = ends(settings, schedule, measured, &sent_ns, last_ended_ns);
    (backlog, whole.then(|| little(collected, &seen, window_s, ends)).flatten())
}

fn little(collected: &Collected, seen: &[Vec<Seen>], window_s: f64, ends: f64) -> Option<Little> {
    let (in_system, standard_error) = looks::mean(seen, window_s)?;
    let time_sum_ns: u128 = collected.dynos.iter().map(|dyno| dyno.response_from_send_sum_ns).sum();
    let looks = seen.iter().map(|of_dyno| of_dyno.len() as u64).sum();
    Some(Little { looks, in_system, standard_error, rate_times_time: time_sum_ns as f64 / 1e9 / window_s, ends })
}

/// Tasks under way when the window began stay at most as long as the longest of the window, and those under way at its end
/// until the last has ended; both over the window's length.
fn ends(
    settings: &Settings,
    schedule: &Schedule,
    measured: &Measured,
    sent_ns: &[Vec<u64>],
    last_ended_ns: u64,
) -> f64 {
    let collected = &measured.collected;
    let under_way = |at_ns: u64, mark: Mark| -> u64 {
        if let ([all], Some(_)) = (sent_ns, &settings.queue) {
            let ended: u64 =
                collected.dynos.iter().filter_map(|dyno| dyno.usage[mark as usize]).map(|usage| usage.ended).sum();
            return before_it(all, at_ns, ended.saturating_sub(u64::from(settings.workers.total())));
        }
        let of_dyno = |((number, dyno), sent_ns): ((u32, &DynoReports), &Vec<u64>)| {
            let ended = dyno.usage[mark as usize].map_or(0, |usage| usage.ended);
            before_it(sent_ns, at_ns, ended.saturating_sub(u64::from(settings.workers.count_of(number))))
        };
        (0..).zip(&collected.dynos).zip(sent_ns).map(of_dyno).sum()
    };
    let [start_ns, end_ns] = [schedule.window_start_ns, schedule.window_end_ns].map(|at_ns| measured.start_ns + at_ns);
    let longest_ns = collected.histograms.response_from_send.max_ns().unwrap_or(0);
    let before = under_way(start_ns, Mark::Window) as f64 * longest_ns as f64;
    let after = under_way(end_ns, Mark::End) as f64 * last_ended_ns.saturating_sub(end_ns) as f64;
    (before + after) / (end_ns - start_ns) as f64
}

/// By dyno, what it had before it whenever it looked: at random instants of the window.
fn seen(settings: &Settings, collected: &Collected, sent_ns: &[Vec<u64>], window_start_ns: u64) -> Vec<Vec<Seen>> {
    let of_dyno = |((number, dyno), sent_ns): ((u32, &DynoReports), &Vec<u64>)| {
        let untimed = u64::from(settings.workers.count_of(number));
        let seen = dyno.looks().map(|look| Seen {
            at_s: (look.taken_ns as f64 - window_start_ns as f64) / 1e9,
            tasks: before_it(sent_ns, look.taken_ns, look.ended.saturating_sub(untimed)),
        });
        seen.collect()
    };
    (0..).zip(&collected.dynos).zip(sent_ns).map(of_dyno).collect()
}

/// Sent by then and not ended.
fn before_it(sent_ns: &[u64], at_ns: u64, ended: u64) -> u64 {
    let sent = sent_ns.partition_point(|&sent_ns| sent_ns <= at_ns) as u64;
    sent.saturating_sub(ended)
}

/// What every dyno said, without its untimed tasks; what all said together, where tasks wait in a queue.
fn counters(settings: &Settings, collected: &Collected) -> Vec<Vec<Done>> {
    if settings.queue.is_some() {
        return vec![together(settings, collected)];
    }
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

/// For every tenth of a second in which all dynos said what they had done, at the mean of the instants at which they looked: at
/// the last of them some would seem slower than they are.
fn together(settings: &Settings, collected: &Collected) -> Vec<Done> {
    let mut sums: BTreeMap<u64, (usize, u64, u64)> = BTreeMap::new();
    for counters in collected.dynos.iter().flat_map(|dyno| &dyno.counters) {
        let (dynos, taken_ns, ended) = sums.entry(counters.due_ns).or_default();
        *dynos += 1;
        *taken_ns += counters.taken_ns;
        // What was run in vain was another's.
        *ended += counters.totals.ended.saturating_sub(counters.queue.map_or(0, |queue| queue.duplicates));
    }
    let untimed = u64::from(settings.workers.total());
    let of_all = sums.into_iter().filter(|(_, (dynos, ..))| *dynos == collected.dynos.len());
    let done = of_all.map(|(due_ns, (dynos, taken_ns, ended))| Done {
        due_ns,
        taken_ns: taken_ns / dynos as u64,
        ended: ended.saturating_sub(untimed),
    });
    done.collect()
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
            let sum = sums.entry(done.due_ns).or_default();
            sum.dynos += 1;
            sum.taken_ns += done.taken_ns;
            sum.total += before_it(sent_ns, done.taken_ns, done.ended);
        }
    }
    let of_all = sums.into_values().filter(|sum| sum.dynos == counters.len() as u64);
    of_all.map(|sum| (sum.taken_ns / sum.dynos, sum.total)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Done, totals};

    /// The second dyno looks late and is sent to meanwhile; the last look of the first has no counterpart.
    #[test]
    fn the_backlog_is_of_all_dynos_at_the_instant_of_each_one() {
        let sent_ns = [vec![10, 20, 30, 110], vec![15, 25, 104]];
        let done = |due_ns, taken_ns, ended| Done { due_ns, taken_ns, ended };
        let counters = [vec![done(100, 100, 1), done(200, 200, 4)], vec![done(100, 105, 1)]];
        assert_eq!(totals(&sent_ns, &counters), [(102, 2 + 2)]);
    }
}
