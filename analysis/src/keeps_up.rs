//! Who keeps up: the recipe of `docs/method.md`.

use common::report::comparison::KeepsUp;
use common::report::{Run, RunResult};

use crate::contrast::Pair;
use crate::stats::sign;

/// The sign test over the blocks in which only one of the two is `ok`.
pub(crate) fn keeps_up(pair: &Pair<'_>) -> KeepsUp {
    let ok = |run: &Run| run.verdict.result == RunResult::Ok;
    let only = |one: usize, other: usize| {
        let blocks = pair.blocks.kept.iter().filter(|block| ok(block[one]) && !ok(block[other]));
        u32::try_from(blocks.count()).unwrap_or(u32::MAX)
    };
    let only_baseline = only(pair.baseline, pair.contender);
    let only_contender = only(pair.contender, pair.baseline);
    KeepsUp {
        baseline: pair.variants[pair.baseline].name.clone(),
        contender: pair.variants[pair.contender].name.clone(),
        only_baseline,
        only_contender,
        p_value: sign::p_value(only_baseline, only_contender),
    }
}

/// Whether the run shows that its variant did not keep up.
pub(crate) fn is_overloaded(run: &Run) -> bool {
    run.verdict.result == RunResult::Overloaded
}
