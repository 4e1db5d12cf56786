//! The highest rate that passes: a rising geometric grid, then halves, then the found rate once more. Pure.
//!
//! Trials are noisy and latency need not rise with load, so nothing is concluded from one failure: it is repeated, the grid
//! goes on behind a rate that fails, and it ends at two of them in succession above one that passes.

use common::report::calibration::TrialPurpose;

/// Ratio of neighbours in the grid.
const STEP: f64 = 2.0;
/// How often what lies between the highest rate that passes and the next that fails is halved: to a ninth.
const HALVINGS: u32 = 3;

/// The rates that are looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The lowest, where the search begins.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Range {
    fn grid(self) -> impl Iterator<Item = f64> {
        let rates = std::iter::successors(Some(self.min), |rate| Some(rate * STEP));
        rates.take_while(move |&rate| rate < self.max).chain([self.max])
    }
}

/// The highest rate found to pass twice; `None`: no rate did. `trial` says whether a rate passes.
///
/// # Errors
/// Those of `trial`.
pub fn ceiling<E>(range: Range, mut trial: impl FnMut(TrialPurpose, f64) -> Result<bool, E>) -> Result<Option<f64>, E> {
    let mut passed: Vec<f64> = Vec::new();
    let mut failed: Vec<f64> = Vec::new();
    let mut failures = 0;
    for rate in range.grid() {
        if trial(TrialPurpose::Search, rate)? || trial(TrialPurpose::Search, rate)? {
            passed.push(rate);
            failures = 0;
        } else {
            failed.push(rate);
            failures += 1;
        }
        if failures == 2 && !passed.is_empty() {
            break;
        }
    }
    let Some(mut lower) = passed.last().copied() else { return Ok(None) };
    if let Some(mut upper) = failed.into_iter().find(|&rate| rate > lower) {
        for _ in 0..HALVINGS {
            let middle = (lower * upper).sqrt().round();
            if trial(TrialPurpose::Search, middle)? {
                passed.push(middle);
                lower = middle;
            } else {
                upper = middle;
            }
        }
    }
    for rate in passed.into_iter().rev() {
        if trial(TrialPurpose::Confirm, rate)? {
            return Ok(Some(rate));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use common::random::{below, mix};

    use super::{Range, ceiling};

    const RANGE: Range = Range { min: 5_000.0, max: 1_000_000.0 };

    /// What is found, and in how many trials; `passes` gets the rate and the number of the trial.
    fn search(range: Range, mut passes: impl FnMut(f64, u64) -> bool) -> (Option<f64>, u64) {
        let mut trials = 0;
        let found = ceiling(range, |_, rate| {
            trials += 1;
            Ok::<bool, Infallible>(passes(rate, trials))
        });
        (found.unwrap(), trials)
    }

    #[test]
    fn a_sharp_ceiling_is_found_to_a_tenth() {
        for truth in [5_000.0, 5_001.0, 9_999.0, 77_000.0, 123_456.0, 350_000.0, 999_999.0] {
            let (found, trials) = search(RANGE, |rate, _| rate <= truth);
            let found = found.unwrap();
            assert!(found <= truth && found > truth / 1.1, "{found} of {truth}");
            assert!(trials <= 17, "{trials}");
        }
    }

    #[test]
    fn nothing_above_the_range_is_tried_and_nothing_is_found_where_nothing_passes() {
        let mut highest = 0.0f64;
        let (found, _) = search(RANGE, |rate, _| {
            highest = highest.max(rate);
            true
        });
        assert_eq!((found, highest), (Some(1e6), 1e6));
        assert_eq!(search(RANGE, |_, _| false).0, None);
        assert_eq!(search(Range { min: 500.0, max: 500.0 }, |_, _| true), (Some(500.0), 2));
    }

    /// A trial passes with a chance that falls from 95 % to nothing between nine tenths of the truth and eleven.
    #[test]
    fn noise_moves_the_ceiling_a_little() {
        let truth = 120_000.0;
        let good = (0..1000).filter(|&seed| {
            let (found, trials) = search(RANGE, |rate, trial| {
                let chance = (0.95 * (11.0 - 10.0 * rate / truth) / 2.0).clamp(0.0, 0.95);
                (below(mix(seed, trial), 1000) as f64) < chance * 1000.0
            });
            assert!(trials <= 30, "{trials}");
            found.is_some_and(|found| (0.6 * truth..1.1 * truth).contains(&found))
        });
        let good = good.count();
        assert!(good >= 950, "{good} of 1000");
    }

    /// At low load CPUs go to sleep between tasks, so that a low rate can be late where a higher one is not.
    #[test]
    fn failures_at_low_load_hide_no_ceiling() {
        let (found, _) = search(RANGE, |rate, _| (30_000.0..=200_000.0).contains(&rate));
        assert!(found.is_some_and(|found| found > 180_000.0), "{found:?}");
        let (found, _) = search(RANGE, |rate, _| rate <= 200_000.0 && rate != 20_000.0);
        assert!(found.is_some_and(|found| found > 180_000.0), "{found:?}");
    }

    /// What passes once by luck is not the ceiling.
    #[test]
    fn a_rate_that_does_not_pass_again_gives_way_to_a_lower_one() {
        let mut lucky = true;
        let (found, _) = search(RANGE, |rate, _| rate <= 40_000.0 || (rate == 80_000.0 && std::mem::take(&mut lucky)));
        assert_eq!(found, Some(40_000.0));
    }
}
