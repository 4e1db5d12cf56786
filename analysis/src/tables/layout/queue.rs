//! The queue of a cell: how soon tasks were there and picked up, and what came back.

use common::report::comparison::{Cell, Estimate, QueueSummary};

use super::Grid;
use crate::format::{self, NOTHING, grouped};
use crate::metric::Unit;

type Measured = (&'static str, Unit, fn(&QueueSummary) -> Estimate);
type Counted = (&'static str, fn(&QueueSummary) -> Option<u64>);

const MEASURED: [Measured; 10] = [
    ("enqueue p50", Unit::Micros, |queue| queue.enqueue_p50_us),
    ("enqueue p99", Unit::Micros, |queue| queue.enqueue_p99_us),
    ("pick-up p50", Unit::Micros, |queue| queue.pick_up_p50_us),
    ("pick-up p99", Unit::Micros, |queue| queue.pick_up_p99_us),
    ("tasks per claim", Unit::Number, |queue| queue.tasks_per_claim),
    ("empty claims, share", Unit::Number, |queue| queue.empty_claims_share),
    ("commands per task", Unit::Number, |queue| queue.commands_per_task),
    ("most visible", Unit::Number, |queue| queue.peak_visible),
    ("most in flight", Unit::Number, |queue| queue.peak_in_flight),
    ("drain", Unit::Millis, |queue| queue.drain_ms),
];
const COUNTED: [Counted; 7] = [
    ("retries", |queue| Some(queue.retries)),
    ("redeliveries", |queue| Some(queue.redeliveries)),
    ("duplicates", |queue| Some(queue.duplicates)),
    ("dead", |queue| Some(queue.dead)),
    ("of these no task", |queue| Some(queue.foreign)),
    ("results that must be", |queue| queue.results_expected),
    ("results that are right", |queue| queue.results_right),
];

/// One column for each variant; `None` where tasks were pushed.
pub(super) fn grid(cell: &Cell) -> Option<Grid> {
    let queues: Vec<Option<&QueueSummary>> = cell.variants.iter().map(|summary| summary.queue.as_ref()).collect();
    if queues.iter().all(Option::is_none) {
        return None;
    }
    let row = |label: &str, of: &dyn Fn(&QueueSummary) -> Option<String>| {
        let values = queues.iter().map(|queue| queue.and_then(of).unwrap_or_else(|| NOTHING.to_owned()));
        std::iter::once(label.to_owned()).chain(values).collect::<Vec<String>>()
    };
    let measured =
        MEASURED.iter().map(|&(label, unit, of)| row(label, &|queue| Some(format::estimate(unit, &of(queue)))));
    let counted = COUNTED.iter().map(|&(label, of)| row(label, &|queue| of(queue).map(grouped)));
    let header = std::iter::once("queue").chain(cell.variants.iter().map(|summary| summary.variant.name.as_str()));
    Some(Grid { header: header.map(str::to_owned).collect(), rows: measured.chain(counted).collect(), left: vec![0] })
}
