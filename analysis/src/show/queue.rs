//! The queue of a run.

use common::plan::{Claim, QueueKind};
use common::report::{Depth, Run};

use super::aligned;
use crate::format::{NOTHING, grouped, quantity, significant};
use crate::metric::Unit;

/// Behind the kind of task: where it waits, and who claims it.
pub(super) fn how(run: &Run) -> String {
    let Some(queue) = &run.plan.settings.queue else { return String::new() };
    let kind = match queue.kind {
        QueueKind::Stream => "a stream",
        QueueKind::List => "a list",
    };
    let claim = match (queue.claim, queue.prefetch) {
        (Claim::Worker, _) => "every worker claims".to_owned(),
        (Claim::Fetcher, 0) => "a fetcher claims".to_owned(),
        (Claim::Fetcher, prefetch) => format!("a fetcher claims, {prefetch} ahead"),
    };
    let settle = if queue.settle_with_claim { "settled with the next claim" } else { "settled by itself" };
    format!(", out of {kind}; {claim}; {settle}")
}

/// Nothing where tasks were pushed.
pub(super) fn lines(run: &Run) -> Vec<String> {
    let Some(queue) = &run.queue else { return Vec::new() };
    let us = |us: Option<f64>| us.map_or_else(|| NOTHING.to_owned(), |us| quantity(Unit::Micros, us));
    let depth = |depth: &Depth| {
        format!(
            "{} visible, {} in flight, {} delayed, {} dead",
            grouped(depth.visible),
            grouped(depth.in_flight),
            grouped(depth.delayed),
            grouped(depth.dead)
        )
    };
    let per_claim = queue.claimed as f64 / queue.claims.saturating_sub(queue.empty_claims).max(1) as f64;
    let mut pairs = vec![
        ("enqueue", format!("p50 {}, p99 {}", us(queue.enqueue_us.p50), us(queue.enqueue_us.p99))),
        ("pick-up", format!("p50 {}, p99 {}", us(run.latency_us.queue_wait.p50), us(run.latency_us.queue_wait.p99))),
        (
            "claims",
            format!(
                "{}, {} of them empty, {} tasks in each of the others",
                grouped(queue.claims),
                grouped(queue.empty_claims),
                significant(per_claim, 3)
            ),
        ),
        (
            "at least once",
            format!(
                "retries {}, redeliveries {}, duplicates {}, dead {} ({} of them no task)",
                grouped(queue.retries),
                grouped(queue.redeliveries),
                grouped(queue.duplicates),
                grouped(queue.dead),
                grouped(queue.foreign)
            ),
        ),
        ("peak", queue.peak.as_ref().map_or_else(|| NOTHING.to_owned(), depth)),
    ];
    if let Some(left) = &queue.left {
        let visible = left.visible.map_or_else(|| NOTHING.to_owned(), grouped);
        let left = format!(
            "{visible} visible, {} in flight, {} delayed, {} dead, by the server",
            grouped(left.in_flight),
            grouped(left.delayed),
            grouped(left.dead)
        );
        pairs.push(("left", left));
    }
    if let Some(results) = &queue.results {
        let sum = if results.sum == results.sum_expected { "as it must be" } else { "NOT what it must be" };
        pairs.push((
            "results",
            format!(
                "{} of {} right, {} wrong, {} missing; their sum is {sum} ({})",
                grouped(results.right),
                grouped(results.expected),
                grouped(results.wrong),
                grouped(results.missing),
                significant(results.sum, 6)
            ),
        ));
    }
    aligned(&pairs)
}
