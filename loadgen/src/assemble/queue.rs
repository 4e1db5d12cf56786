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
        (at_ns, totals.depth(sent))
    });
    depth.collect()
}
