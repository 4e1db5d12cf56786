//! Carry-over: does it matter which of the two ran first?

use super::normal;
use super::signed_rank::{Interval, Walsh};

/// Up to this many pairs of blocks the null distribution is counted out; beyond, the normal approximation is as good.
const EXACT_PAIRS_MAX: usize = 10_000;

/// Half of the shift between blocks that ran the baseline first and those that ran the contender first, log ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderEffect {
    /// (centre of baseline-first blocks - centre of contender-first blocks) / 2.
    pub value: f64,
    /// Exact rank-sum interval of the same half shift; `None` with too few blocks (fewer than four of each order
    /// for 95 %).
    pub interval: Option<Interval>,
}

/// The order effect of differences from blocks that ran the baseline first and of those that ran it second.
/// `None` when an order is missing or the effect is unbounded.
#[must_use]
pub fn order_effect(baseline_first: &[f64], contender_first: &[f64], alpha: f64) -> Option<OrderEffect> {
    let first = Walsh::new(baseline_first).estimate()?;
    let second = Walsh::new(contender_first).estimate()?;
    let value = (first - second) / 2.0;
    let mut shifts: Vec<f64> =
        baseline_first.iter().flat_map(|a| contender_first.iter().map(move |b| (a - b) / 2.0)).collect();
    if !value.is_finite() || shifts.iter().any(|shift| shift.is_nan()) {
        return None;
    }
    shifts.sort_by(f64::total_cmp);
    let interval = rank_sum_index(baseline_first.len(), contender_first.len(), alpha)
        .map(|k| Interval { low: shifts[k - 1], high: shifts[shifts.len() - k] });
    Some(OrderEffect { value, interval })
}

/// Largest k with 2 P(U <= k - 1) <= `alpha` under the null distribution of the Mann-Whitney statistic of samples
/// of `m` and `n`; `None` where there is none.
#[must_use]
pub fn rank_sum_index(m: usize, n: usize, alpha: f64) -> Option<usize> {
    let pairs = m * n;
    let k = if pairs <= EXACT_PAIRS_MAX {
        let mut sum = 0.0;
        let rare = |p: &f64| {
            sum += p;
            2.0 * sum <= alpha
        };
        count_out(m, n).into_iter().take_while(rare).count()
    } else {
        let mean = pairs as f64 / 2.0;
        let deviation = (pairs as f64 * (m + n + 1) as f64 / 12.0).sqrt();
        let rare = |u: &usize| 2.0 * normal::upper_tail((mean - *u as f64 - 0.5) / deviation) <= alpha;
        (0..pairs).take_while(rare).count()
    };
    (k > 0).then_some(k)
}

/// P(U = u) for all u.
fn count_out(m: usize, n: usize) -> Vec<f64> {
    // U counts the pairs in which the first sample's value is larger. The distribution of U is the product of
    // (1 - x^(n+i)) / (1 - x^i), i = 1..m, scaled to sum to 1 [Mann, Whitney 1947]: one multiplication and one
    // division of the series per step; the factor i / (n+i) keeps it a distribution.
    let mut probability = vec![0.0; m * n + 1];
    probability[0] = 1.0;
    for i in 1..=m {
        for u in (n + i..probability.len()).rev() {
            probability[u] -= probability[u - n - i];
        }
        for u in i..probability.len() {
            probability[u] += probability[u - i];
        }
        let scale = i as f64 / (n + i) as f64;
        probability.iter_mut().for_each(|p| *p *= scale);
    }
    probability
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};
    use proptest::prop_assert;

    use super::{order_effect, rank_sum_index};

    /// Counts, by going through all arrangements of the two samples' ranks.
    fn by_enumeration(m: usize, n: usize, alpha: f64) -> Option<usize> {
        let arrangements: Vec<usize> = (0..1u32 << (m + n))
            .filter(|bits| bits.count_ones() as usize == m)
            .map(|bits| {
                (0..m + n).filter(|i| bits >> i & 1 == 1).map(|i| (0..i).filter(|j| bits >> j & 1 == 0).count()).sum()
            })
            .collect();
        let rare = |u: usize| {
            2.0 * arrangements.iter().filter(|&&x| x <= u).count() as f64 / arrangements.len() as f64 <= alpha
        };
        let k = (0..=m * n).take_while(|&u| rare(u)).count();
        (k > 0).then_some(k)
    }

    #[test]
    fn index_agrees_with_enumeration() {
        for m in 0..=7 {
            for n in 0..=7 {
                assert_eq!(rank_sum_index(m, n, 0.05), by_enumeration(m, n, 0.05), "m = {m}, n = {n}");
            }
        }
    }

    #[test]
    fn index_of_larger_samples() {
        // Critical values of the two-sided 5 % Mann-Whitney test, plus 1.
        for (m, n, k) in [(5, 5, 3), (10, 10, 24), (15, 15, 65), (20, 20, 128)] {
            assert_eq!(rank_sum_index(m, n, 0.05), Some(k), "m = {m}, n = {n}");
        }
    }

    #[test]
    fn table() {
        assert_eq!(order_effect(&[], &[1.0], 0.05), None);
        let effect = order_effect(&[0.1, 0.2], &[0.0, 0.1], 0.05).unwrap();
        assert!((effect.value - 0.05).abs() < 1e-12);
        assert_eq!(effect.interval, None);
        assert_eq!(order_effect(&[f64::INFINITY], &[0.0], 0.05), None);
    }

    proptest! {
        #[test]
        fn swapping_the_variants_leaves_it(
            first in prop::collection::vec(-1.0..1.0f64, 4..9),
            second in prop::collection::vec(-1.0..1.0f64, 4..9),
        ) {
            let negated = |d: &[f64]| d.iter().map(|x| -x).collect::<Vec<_>>();
            let effect = order_effect(&first, &second, 0.05).unwrap();
            let swapped = order_effect(&negated(&second), &negated(&first), 0.05).unwrap();
            prop_assert!((effect.value - swapped.value).abs() < 1e-12);
            let (a, b) = (effect.interval.unwrap(), swapped.interval.unwrap());
            prop_assert!((a.low - b.low).abs() < 1e-12 && (a.high - b.high).abs() < 1e-12);
        }

        #[test]
        fn adding_a_constant_leaves_it(
            first in prop::collection::vec(-1.0..1.0f64, 1..9),
            second in prop::collection::vec(-1.0..1.0f64, 1..9),
            constant in -1.0..1.0f64,
        ) {
            let shifted = |d: &[f64]| d.iter().map(|x| x + constant).collect::<Vec<_>>();
            let effect = order_effect(&first, &second, 0.05).unwrap();
            let moved = order_effect(&shifted(&first), &shifted(&second), 0.05).unwrap();
            prop_assert!((effect.value - moved.value).abs() < 1e-9);
        }
    }
}
