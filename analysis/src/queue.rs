//! What the runs of a variant say of their queue. Pure.

use common::report::comparison::QueueSummary;
use common::report::{Distribution, QueueReport, Results, Run};

use crate::compare::estimate;
use crate::stats::level::Level;

/// `None` where tasks were pushed.
pub(crate) fn summary(runs: &[&Run], level: Level) -> Option<QueueSummary> {
    let all: Vec<(&Run, &QueueReport)> = runs.iter().filter_map(|run| Some((*run, run.queue.as_ref()?))).collect();
    if all.is_empty() {
        return None;
    }
    let of = |value: &dyn Fn(&Run, &QueueReport) -> Option<f64>| {
        estimate(all.iter().filter_map(|(run, queue)| value(run, queue)).filter(|value| value.is_finite()), level)
    };
    // A percentile among unbounded ones is larger than any.
    let percentile = |of: &Distribution, value: Option<f64>| value.or((of.unbounded > 0).then_some(f64::INFINITY));
    let unbounded = |value: &dyn Fn(&Run, &QueueReport) -> Option<f64>| {
        estimate(all.iter().filter_map(|(run, queue)| value(run, queue)), level)
    };
    let sum = |of: fn(&QueueReport) -> u64| all.iter().map(|(_, queue)| of(queue)).fold(0, u64::saturating_add);
    let results = |of: fn(&Results) -> u64| {
        let known = all.iter().filter_map(|(_, queue)| queue.results.as_ref());
        known.map(of).reduce(u64::saturating_add)
    };
    Some(QueueSummary {
        enqueue_p50_us: unbounded(&|_, queue| percentile(&queue.enqueue_us, queue.enqueue_us.p50)),
        enqueue_p99_us: unbounded(&|_, queue| percentile(&queue.enqueue_us, queue.enqueue_us.p99)),
        pick_up_p50_us: unbounded(&|run, _| percentile(&run.latency_us.queue_wait, run.latency_us.queue_wait.p50)),
        pick_up_p99_us: unbounded(&|run, _| percentile(&run.latency_us.queue_wait, run.latency_us.queue_wait.p99)),
        tasks_per_claim: of(&|_, queue| {
            let full = queue.claims.saturating_sub(queue.empty_claims);
            (full > 0).then(|| queue.claimed as f64 / full as f64)
        }),
        empty_claims_share: of(&|_, queue| (queue.claims > 0).then(|| queue.empty_claims as f64 / queue.claims as f64)),
        commands_per_task: of(&|run, _| {
            (!run.redis_work.commands_per_task.is_empty()).then(|| run.redis_work.commands_per_task.values().sum())
        }),
        peak_visible: of(&|_, queue| Some(queue.peak?.visible as f64)),
        peak_in_flight: of(&|_, queue| Some(queue.peak?.in_flight as f64)),
        drain_ms: of(&|run, _| run.backlog.drain_ms),
        retries: sum(|queue| queue.retries),
        redeliveries: sum(|queue| queue.redeliveries),
        duplicates: sum(|queue| queue.duplicates),
        dead: sum(|queue| queue.dead),
        foreign: sum(|queue| queue.foreign),
        results_expected: results(|results| results.expected),
        results_right: results(|results| results.right),
    })
}
