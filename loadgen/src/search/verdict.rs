//! What a whole search came to, for the exit code. Pure.

use common::report::RunResult;
use common::report::search::{Search, SearchTrial, SearchVariant};

use super::confirm::Votes;

/// `Invalid` where a trial stayed invalid, and its search came to no end; `Inconclusive` where a variant has no rate, or fails most of the
/// longer runs at the one it has; else `Ok`.
#[must_use]
pub fn verdict(search: &Search) -> RunResult {
    let variants = || search.cells.iter().flat_map(|cell| &cell.variants);
    let invalid = |trial: &SearchTrial| trial.result == RunResult::Invalid;
    if variants().any(|variant| variant.trials.iter().chain(&variant.confirmation).any(invalid)) {
        return RunResult::Invalid;
    }
    let holds = |variant: &SearchVariant| {
        variant.rate_per_s.value.is_some_and(|found| !Votes::of(found, &variant.confirmation).refuted())
    };
    if variants().all(holds) { RunResult::Ok } else { RunResult::Inconclusive }
}

#[cfg(test)]
mod tests {
    use common::report::RunResult;
    use common::report::search::{Search, SearchTrial};
    use serde_json::json;

    use super::verdict;
    use crate::search::enough::tests::cell;

    fn search(per_s: Option<f64>, trials: &[SearchTrial], confirmation: &[SearchTrial]) -> Search {
        let mut found = cell(json!(1), per_s);
        found.variants[0].trials = trials.to_vec();
        found.variants[0].confirmation = confirmation.to_vec();
        Search {
            kind: common::report::search::SearchKind::Search,
            schema_version: 1,
            plan: String::new(),
            plan_hash: String::new(),
            host: crate::host::read(1),
            trial_s: 2.0,
            step: 1.03,
            searches: 1,
            cells: vec![cell(json!(2), Some(5.0)), found],
            enough: Vec::new(),
        }
    }

    fn trial(rate_per_s: f64, result: RunResult, passed: Option<bool>) -> SearchTrial {
        SearchTrial { search: 0, rate_per_s, duration_s: 2.0, result, passed, reason: String::new() }
    }

    #[test]
    fn the_worst_that_happened_decides() {
        let passed = trial(99.0, RunResult::Ok, Some(true));
        let failed = trial(99.0, RunResult::Overloaded, Some(false));
        let above = trial(101.0, RunResult::Overloaded, Some(false));
        let invalid = trial(99.0, RunResult::Invalid, None);
        let unseen = trial(99.0, RunResult::Inconclusive, None);
        let check = |per_s, trials: &[&SearchTrial], longer: &[&SearchTrial], expected| {
            let own = |all: &[&SearchTrial]| all.iter().map(|&trial| trial.clone()).collect::<Vec<_>>();
            assert_eq!(verdict(&search(per_s, &own(trials), &own(longer))), expected, "{trials:?} {longer:?}");
        };
        let rate = Some(100.0);
        check(rate, &[&passed, &failed], &[&passed, &passed, &failed, &above], RunResult::Ok);
        check(rate, &[&passed], &[&passed, &failed, &failed, &above], RunResult::Inconclusive);
        // What the next higher rate does is said, and no error.
        let higher = trial(101.0, RunResult::Ok, Some(true));
        check(rate, &[&passed], &[&passed, &passed, &higher, &higher, &higher], RunResult::Ok);
        check(None, &[&passed], &[], RunResult::Inconclusive);
        check(rate, &[&passed, &invalid], &[&passed, &passed, &passed], RunResult::Invalid);
        check(rate, &[&passed], &[&invalid, &passed, &passed], RunResult::Invalid);
        check(None, &[&passed, &unseen], &[], RunResult::Inconclusive);
    }
}
