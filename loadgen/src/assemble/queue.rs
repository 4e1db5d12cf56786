//! What a queue held, from what was sent and what its dynos had seen. Pure.

use std::collections::BTreeMap;

use common::arrivals::Schedule;
use common::plan::Settings;
use common::queue::QueueTotals;
use common::report::{Depth, DepthAt, QueueReport};

use super::Measured;
use crate::collect::Collected;

/// Of a run whose tasks waited in one. `unanswered`: sent, and the server never said that it has them.
pub(super) fn of(
    settings: &Settings,
    schedule: &Schedule,
    measured: &Measured,
    unanswered: u64,
) -> Option<QueueReport> {
    let queue = measured.queue.as_ref()?;
    let untimed = u64::from(settings.workers.total());
    let totals = measured.collected.queue();
    let window_start_ns = measured.start_ns + schedule.window_start_ns;
    let depth: Vec<DepthAt> = depths(&measured.collected, measured.sends.instants(), untimed)
        .into_iter()
        .map(|(at_ns, depth)| DepthAt { t_s: (at_ns as f64 - window_start_ns as f64) / 1e9, depth })
        .collect();
    let most = |of: fn(&Depth) -> u64| depth.iter().map(|at| of(&at.depth)).max();
    let peak = most(|depth| depth.visible).map(|visible| Depth {
        visible,
        in_flight: most(|depth| depth.in_flight).unwrap_or(0),
        delayed: most(|depth| depth.delayed).unwrap_or(0),
        dead: most(|depth| depth.dead).unwrap_or(0),
    });
    Some(QueueReport {
        enqueue_us: queue.answers.latency(&measured.sends, schedule.warmup).distribution(unanswered),
        reconnects: queue.answers.reconnects,
        sent_again: measured.sends.sent_again,
        claims: totals.claims,
        empty_claims: totals.empty_claims,
        claimed: totals.claimed,
        retries: totals.retries,
        redeliveries: totals.redeliveries,
        duplicates: totals.duplicates,
        duplicates_in_window: totals.duplicates_in_window,
        dead: totals.dead + totals.given_up + totals.foreign_given_up,
        foreign: totals.foreign + totals.foreign_given_up,
        peak,
        depth,
        left: queue.left,
        results: queue.results,
    })
}

/// What was in the queue at every tenth of a second in which all dynos said what they had seen.
fn depths(collected: &Collected, sent_ns: impl Iterator<Item = u64>, untimed: u64) -> Vec<(u64, Depth)> {
    let mut sent_ns: Vec<u64> = sent_ns.filter(|&at_ns| at_ns > 0).collect();
    sent_ns.sort_unstable();
    let mut ticks: BTreeMap<u64, (usize, u64, QueueTotals)> = BTreeMap::new();
    for counters in collected.dynos.iter().flat_map(|dyno| &dyno.counters) {
        if let Some(queue) = &counters.queue {
            let (dynos, taken_ns, totals) = ticks.entry(counters.due_ns).or_default();
            *dynos += 1;
            *taken_ns = counters.taken_ns.max(*taken_ns);
            totals.merge(queue);
        }
    }
    let of_all = ticks.into_values().filter(|(dynos, ..)| *dynos == collected.dynos.len());
    let depth = of_all.map(|(_, at_ns, totals)| {
        let sent = sent_ns.partition_point(|&sent_ns| sent_ns <= at_ns) as u64 + untimed;
        (at_ns, depth(sent, &totals))
    });
    depth.collect()
}

/// `sent` tasks have been put into the queue, and its dynos have seen this. What is between two of these never shows as less than
/// nothing: they are not seen at the same instant. A claim of which nobody knows, because its answer was lost or its dyno was, is
/// missing until its tasks have ended: what has ended and what was sent are known all the same.
fn depth(sent: u64, seen: &QueueTotals) -> Depth {
    let in_flight = seen.in_flight();
    let delayed = seen.retries.saturating_sub(seen.due_again);
    Depth {
        visible: seen.left(sent).saturating_sub(in_flight + delayed),
        in_flight,
        delayed,
        dead: seen.dead + seen.given_up + seen.foreign_given_up,
    }
}

#[cfg(test)]
mod tests {
    use common::queue::QueueTotals;
    use common::report::Depth;

    use super::depth;

    #[test]
    fn everything_that_was_sent_is_somewhere() {
        // Ten were sent: six claimed, of which two are done, one is tried again later, one was held too long and is back.
        let seen = QueueTotals { claimed: 6, let_go: 3, retries: 1, redeliveries: 1, ..QueueTotals::default() };
        assert_eq!(depth(10, &seen), Depth { visible: 5, in_flight: 2, delayed: 1, dead: 0 });
        // The one is due again, and claimed; another was no task.
        let seen = QueueTotals { claimed: 8, let_go: 4, due_again: 1, foreign: 1, dead: 1, ..seen };
        assert_eq!(depth(10, &seen), Depth { visible: 5, in_flight: 3, delayed: 0, dead: 1 });
        // Another whose claim nobody knows of was put back, claimed again, and is done.
        let seen = QueueTotals { claimed: 1, let_go: 1, redeliveries: 1, ..QueueTotals::default() };
        assert_eq!(depth(1, &seen), Depth::default());
        // Held too long, and back, when its result was kept: it is to be done again, unless that is noticed.
        let seen = QueueTotals { claimed: 1, let_go: 1, redeliveries: 1, stale: 1, ..QueueTotals::default() };
        assert_eq!(depth(1, &seen), Depth { visible: 1, ..Depth::default() });
        let seen = QueueTotals { claimed: 2, ..seen };
        assert_eq!(depth(1, &seen), Depth { in_flight: 1, ..Depth::default() });
        assert_eq!(depth(1, &QueueTotals { let_go: 2, ..seen }), Depth::default());
        assert_eq!(depth(1, &QueueTotals { needless: 1, ..seen }), Depth::default());
        // Claimed before anybody knew that it was sent.
        assert_eq!(depth(1, &QueueTotals { claimed: 2, ..QueueTotals::default() }).visible, 0);
    }
}
