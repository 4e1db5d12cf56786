use std::collections::BTreeSet;

use common::report::search::SearchEnd;

use super::{Found, Ladder, TRIALS_MAX};
use crate::search::range::Range;

fn nothing(_: f64) -> Option<String> {
    None
}

fn ladder(base_per_s: f64) -> Ladder {
    Ladder::new(Range::new(base_per_s, 0.0, nothing))
}

fn run(mut ladder: Ladder, mut passes: impl FnMut(f64) -> bool) -> (Found, u32) {
    while let Some(rung) = ladder.next() {
        let rate = ladder.rate_per_s(rung);
        ladder.take(rung, passes(rate));
    }
    (ladder.found("too few"), ladder.trials)
}

fn bounds(found: &Found) -> (f64, f64) {
    (found.lower_per_s().unwrap(), found.upper_per_s().unwrap())
}

#[test]
fn a_sharp_limit_is_bracketed_from_anywhere() {
    for base in [10.0, 900.0, 1000.0, 5000.0, 100_000.0] {
        let (found, trials) = run(ladder(base), |rate| rate <= 1234.0);
        let (lower, upper) = bounds(&found);
        assert!(lower <= 1234.0 && upper > 1234.0, "{found:?}");
        assert!((upper / lower - 1.03).abs() < 1e-9 && found.inversions == 0);
        assert_eq!((found.end, found.reason.as_str()), (SearchEnd::Bracketed, ""));
        assert!(trials <= 24, "{trials} from {base}");
    }
}

#[test]
fn a_search_ends_at_the_highest_and_at_the_lowest_rate_that_may_be_tried() {
    let ladder = || Ladder::new(Range::new(1000.0, 30.0, |rate| (rate > 5000.0).then(|| "too much".to_owned())));
    let mut highest: f64 = 0.0;
    let (found, trials) = run(ladder(), |rate| {
        highest = highest.max(rate);
        true
    });
    assert_eq!((found.end, found.reason.as_str(), found.upper_per_s()), (SearchEnd::AtLeast, "too much", None));
    let lower = found.lower_per_s().unwrap();
    assert!(lower <= 5000.0 && lower * 1.03 > 5000.0 && (highest - lower).abs() < 1e-6, "{lower} {highest}");
    assert!(trials < 10 && found.ended(), "{trials}");

    let mut lowest = f64::INFINITY;
    let (found, trials) = run(ladder(), |rate| {
        lowest = lowest.min(rate);
        false
    });
    assert_eq!((found.end, found.reason.as_str(), found.lower_per_s()), (SearchEnd::AtMost, "too few", None));
    let upper = found.upper_per_s().unwrap();
    assert!(upper >= 30.0 && upper / 1.03 < 30.0 && (lowest - upper).abs() < 1e-6, "{upper} {lowest}");
    assert!(trials < 10 && found.ended(), "{trials}");

    // Just within, there is a bracket.
    assert_eq!(run(ladder(), |rate| rate <= 4700.0).0.end, SearchEnd::Bracketed);
    assert_eq!(run(ladder(), |rate| rate <= 32.0).0.end, SearchEnd::Bracketed);
    // One trial settles no end.
    let mut first = true;
    let (found, _) = run(ladder(), |rate| rate <= 4700.0 || std::mem::take(&mut first));
    assert_eq!(found.end, SearchEnd::Bracketed, "{found:?}");
}

#[test]
fn what_keeps_moving_comes_to_no_end() {
    // Whatever has passed once fails from then on.
    let mut seen = BTreeSet::new();
    let (found, trials) = run(ladder(1000.0), |rate| rate <= 1234.0 && seen.insert(rate.to_bits()));
    assert_eq!((found.end, trials), (SearchEnd::Unknown, TRIALS_MAX));
    assert!(found.reason.contains("80 trials, and no end") && !found.ended(), "{found:?}");
}

#[test]
fn a_search_that_was_given_up_has_found_nothing_and_keeps_what_passed() {
    let mut ladder = ladder(1000.0);
    for rung in [0, 8] {
        assert_eq!(ladder.next(), Some(rung));
        ladder.take(rung, true);
        if rung == 0 {
            ladder.stride = 8;
        }
    }
    ladder.give_up("because".to_owned());
    let found = ladder.found("too few");
    assert_eq!((ladder.next(), found.end, found.reason.as_str()), (None, SearchEnd::Unknown, "because"));
    assert!((found.lower_per_s().unwrap() - 1000.0 * 1.03f64.powi(8)).abs() < 1e-6, "{found:?}");
    assert_eq!(found.upper_per_s(), None);
}

#[test]
fn one_trial_that_fails_below_and_one_that_passes_above_are_outvoted() {
    let mut first = true;
    let (found, _) = run(ladder(1000.0), |rate| {
        let spurious = rate > 990.0 && rate < 1010.0 && std::mem::take(&mut first);
        rate <= 1500.0 && !spurious
    });
    let (lower, upper) = bounds(&found);
    assert!(lower <= 1500.0 && upper > 1500.0, "{found:?}");
}

#[test]
fn trials_are_counted_by_rung() {
    let mut ladder = ladder(1000.0);
    for (rung, passed) in [(0, true), (8, false), (0, false), (-3, true), (0, true)] {
        ladder.take(rung, passed);
    }
    assert_eq!([0, 8, -3, 1].map(|rung| ladder.trials_on(rung)), [3, 1, 1, 0]);
}
