//! Carry-over: does it matter which of the two ran first?

use super::rank_sum::rank_sum_index;
use super::signed_rank::{Interval, Walsh};

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

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};
    use proptest::prop_assert;

    use super::order_effect;

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
