//! From what searches found to rates, and to the ratio of two: with the width of the grid in every interval. Pure.
//!
//! A search brackets a limit between two rungs and says nothing of where between them it is: of a ratio it gives the least that its
//! brackets allow, contender's lower over baseline's upper, and the largest. Whatever the limits are within the brackets, the signed-rank
//! interval of the true ratios begins no lower than that of the least ones and ends no higher than that of the largest: Walsh averages
//! grow with each of the ratios they are made of. So its lower end is taken from the least, its upper end from the largest.

use analysis::stats::median::median;
use analysis::stats::signed_rank::Walsh;
use common::report::comparison::{Estimate, Ratio};

use super::ladder::Found;
use super::range::STEP;

/// Of a ratio's logarithm: less is the rounding of floating-point numbers.
const HAIR: f64 = 1e-9;
/// Of the pairs: as long as no more of them have both limits beyond what could be tried, there is a middle.
const BEYOND_MAX: f64 = 0.2;

/// The median of the searches that came to an end, and what it is at least, where it falls among those that nothing failed.
pub(super) fn rate(found: &[Found]) -> (Estimate, Option<f64>) {
    // A limit below everything that could be tried is as far away as one above it: half-way to it there is no rate.
    let far = |rate: f64| if rate > 0.0 { rate } else { f64::NEG_INFINITY };
    let part = |part: usize| -> Vec<f64> {
        found.iter().filter(|found| found.ended()).map(|found| far(found.rate_per_s(found.rungs()[part]))).collect()
    };
    let known = |rate: f64| Some(rate).filter(|rate| rate.is_finite() && *rate > 0.0);
    let [lower, middle, upper] = [0, 1, 2].map(|place| median(&part(place), 0.05));
    let value = middle.and_then(|middle| known(middle.value));
    let at_least = lower.and_then(|lower| known(lower.value)).filter(|_| value.is_none());
    let estimate = Estimate {
        value,
        low: lower.and_then(|lower| known(lower.interval?.low)),
        high: upper.and_then(|upper| known(upper.interval?.high)),
        n: part(0).len() as u32,
    };
    (estimate, at_least)
}

/// Two variants side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pairs {
    /// contender / baseline.
    pub ratio: Ratio,
    /// Of no difference; at most 0.05 where the interval excludes 1.
    pub p_value: Option<f64>,
    /// Searches that count.
    pub n: u32,
}

/// Pairs of one search each: both have the same rungs.
pub(super) fn pairs(baseline: &[Found], contender: &[Found]) -> Pairs {
    let both = baseline.iter().zip(contender).filter(|(baseline, contender)| baseline.ended() && contender.ended());
    let differences: Vec<[f64; 3]> = both.map(|(baseline, contender)| difference(baseline, contender)).collect();
    let n = differences.len();
    let beyond = differences.iter().filter(|[low, _, high]| low.is_infinite() && high.is_infinite()).count();
    let [least, middle, largest] =
        [0, 1, 2].map(|part| Walsh::new(&differences.iter().map(|of| of[part]).collect::<Vec<f64>>()));
    let known = |log: f64| Some(log.exp()).filter(|ratio| ratio.is_finite() && *ratio > 0.0);
    let in_middle = middle.estimate().filter(|_| beyond as f64 <= BEYOND_MAX * n as f64);
    Pairs {
        ratio: Ratio {
            value: in_middle.and_then(known),
            low: least.interval(0.05).and_then(|interval| known(interval.low)),
            high: largest.interval(0.05).and_then(|interval| known(interval.high)),
        },
        // Of what is most in favour of no difference.
        p_value: (n > 0).then(|| (2.0 * least.p_above(HAIR).min(largest.p_below(-HAIR))).min(1.0)),
        n: n as u32,
    }
}

/// The least, the middle and the largest logarithm of a ratio: opposite infinities leave nothing known between them.
fn difference(baseline: &Found, contender: &Found) -> [f64; 3] {
    let ([lower, middle, upper], [of_lower, of_middle, of_upper]) = (contender.rungs(), baseline.rungs());
    let both_beyond = middle.is_infinite() && middle.to_bits() == of_middle.to_bits();
    let middle = if both_beyond { 0.0 } else { middle - of_middle };
    [lower - of_upper, middle, upper - of_lower].map(|rungs| rungs * STEP.ln())
}

#[cfg(test)]
mod tests;
