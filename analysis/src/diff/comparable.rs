//! Whether two benches may be compared.

use std::fmt::{self, Formatter};

use common::report::Run;

use crate::blocks::Blocks;
use crate::format::counted;
use crate::load::Results;
use crate::load::alike;

/// Why two benches are not compared: each reason a clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomparable(pub Vec<String>);

impl std::error::Error for Incomparable {}

impl fmt::Display for Incomparable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let reasons = self.0.iter().zip(1..).map(|(reason, number)| format!("({number}) {reason}")).collect::<Vec<_>>();
        write!(
            f,
            "OLD and NEW are not compared: {}. --force does it nevertheless, and marks what comes of it",
            reasons.join(" ")
        )
    }
}

/// All that speaks against comparing the two.
pub(super) fn reasons(old: &Results, new: &Results) -> Vec<String> {
    if old.runs() == new.runs() {
        return vec!["both hold the same runs".to_owned()];
    }
    let mut reasons = Vec::new();
    if old.plan().hash != new.plan().hash {
        reasons.push(format!(
            "the plan is {} (hash {}) in OLD and {} (hash {}) in NEW, and the same load is what makes runs comparable",
            old.plan().name,
            old.plan().hash,
            new.plan().name,
            new.plan().hash
        ));
    }
    let first = &old.runs()[0];
    for run in new.runs() {
        let like = old.runs().iter().find(|old| old.plan.settings.dyno == run.plan.settings.dyno).unwrap_or(first);
        for difference in alike::differences(run, first, like) {
            let reason = difference.refusal("OLD");
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
    }
    reasons.extend(incomplete("OLD", old));
    reasons.extend(incomplete("NEW", new));
    reasons
}

/// Blocks that are not there, or in which a run stayed invalid.
fn incomplete(side: &'static str, results: &Results) -> Vec<String> {
    let plan = results.plan();
    let of_cell = |index: u32| -> Vec<&Run> { results.runs().iter().filter(|run| run.cell.index == index).collect() };
    let cells = plan.cells.iter().filter_map(|cell| {
        let blocks = Blocks::new(plan, &of_cell(cell.index));
        let (valid, planned) = (blocks.len(), blocks.planned);
        (valid < planned).then(|| {
            let void = if blocks.void > 0 {
                format!(", {} void for invalid runs", counted(blocks.void.into(), "attempt"))
            } else {
                " (loadgen bench --resume completes it)".to_owned()
            };
            format!("cell {} of {side} has {valid} valid of {}{void}", cell.index, counted(planned.into(), "block"))
        })
    });
    cells.collect()
}

/// What was let through in either bench, each sentence once.
pub(super) fn forced(old: &Results, new: &Results) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (side, results) in [("OLD", old), ("NEW", new)] {
        for sentence in results.forced().iter().chain(results.runs().iter().flat_map(|run| &run.forced)) {
            let sentence = format!("{side}: {sentence}");
            if !all.contains(&sentence) {
                all.push(sentence);
            }
        }
    }
    all
}
