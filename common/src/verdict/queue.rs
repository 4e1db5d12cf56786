//! Was nothing lost in the queue, and nothing done twice? What dynos say against what the server says.

use super::{Evidence, invalid, warning};
use crate::report::{Check, Ended};

pub(super) fn checks(evidence: &Evidence<'_>) -> Vec<Check> {
    let Some(queue) = evidence.queue else { return Vec::new() };
    let mut checks = vec![
        invalid(
            "queue alive",
            !matches!(evidence.ended, Ended::QueueLost { .. }),
            None,
            None,
            "the server took no more tasks into the queue: it needs EVAL, XADD or LPUSH, INCRBY for this user, and must not be read-only",
        ),
        warning(
            "redeliveries",
            queue.redeliveries == 0,
            Some(queue.redeliveries as f64),
            Some(0.0),
            "tasks were claimed again while somebody was at them, or a dyno was lost: raise queue.visibility_timeout_s",
        ),
        warning(
            "duplicates",
            queue.duplicates == 0,
            Some(queue.duplicates as f64),
            Some(0.0),
            "tasks were run more often than once: whatever they do must bear that, or must not be held so long",
        ),
        warning(
            "foreign entries",
            queue.foreign == 0,
            Some(queue.foreign as f64),
            Some(0.0),
            "entries that are no task lay in the queue, and lie among the dead now: who else writes there?",
        ),
    ];
    if let Some(results) = &queue.results {
        // What never ended has no result.
        let ended = evidence.counts.completed + evidence.counts.failed.total() == evidence.counts.planned;
        let off = results.wrong + if ended { results.missing } else { 0 };
        checks.push(invalid(
            "results",
            off == 0,
            Some(off as f64),
            Some(0.0),
            "results are missing or wrong: a defect of Headroom, please report it",
        ));
    }
    checks.extend(left(evidence));
    checks
}

/// When everything has ended the queue must be empty, as many lie among the dead as were put there, and as many were run in vain as was seen,
/// where the server knows.
fn left(evidence: &Evidence<'_>) -> Option<Check> {
    let (queue, counts) = (evidence.queue?, evidence.counts);
    let left = queue.left.filter(|_| counts.completed + counts.failed.total() == counts.planned)?;
    let duplicates = queue.results.map_or(0, |_| left.duplicates.abs_diff(queue.duplicates));
    let off = left.visible.unwrap_or(0) + left.in_flight + left.delayed + left.dead.abs_diff(queue.dead) + duplicates;
    Some(invalid(
        "queue left",
        off == 0,
        Some(off as f64),
        Some(0.0),
        "the server holds other tasks than the dynos say: a defect of Headroom, or somebody else is using it",
    ))
}
