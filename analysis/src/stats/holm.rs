//! Holm's step-down adjustment: the family-wise error rate holds whatever the dependence.

/// Adjusted p values, in the order given. `None` (a test that could not be made) stays `None` and counts in the
/// family as p = 1, so that leaving a test out buys the others nothing.
#[must_use]
pub fn adjust(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> =
        p_values.iter().enumerate().filter_map(|(position, p)| p.map(|p| (position, p))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut adjusted = vec![None; p_values.len()];
    let mut largest: f64 = 0.0;
    for (step, &(position, p)) in order.iter().enumerate() {
        largest = largest.max(p * (p_values.len() - step) as f64).min(1.0);
        adjusted[position] = Some(largest);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};
    use proptest::{prop_assert, prop_assert_eq};

    use super::adjust;

    #[test]
    fn table() {
        let check = |p: &[Option<f64>], expected: &[Option<f64>]| {
            let adjusted = adjust(p);
            assert_eq!(adjusted.len(), expected.len());
            for (a, e) in adjusted.iter().zip(expected) {
                assert_eq!(a.is_some(), e.is_some(), "{adjusted:?}");
                assert!((a.unwrap_or(0.0) - e.unwrap_or(0.0)).abs() < 1e-12, "{adjusted:?}, expected {expected:?}");
            }
        };
        check(&[], &[]);
        check(&[Some(0.03)], &[Some(0.03)]);
        check(&[Some(0.01), Some(0.04)], &[Some(0.02), Some(0.04)]);
        check(&[Some(0.04), Some(0.03), Some(0.01)], &[Some(0.06), Some(0.06), Some(0.03)]);
        check(&[Some(0.02), None], &[Some(0.04), None]);
        check(&[Some(0.7), Some(0.9)], &[Some(1.0), Some(1.0)]);
    }

    proptest! {
        #[test]
        fn never_smaller_and_in_the_same_order(p in prop::collection::vec(0.0..=1.0f64, 0..20)) {
            let adjusted: Vec<f64> = adjust(&p.iter().copied().map(Some).collect::<Vec<_>>()).into_iter().flatten().collect();
            prop_assert_eq!(adjusted.len(), p.len());
            for (i, a) in adjusted.iter().enumerate() {
                prop_assert!(*a >= p[i] && *a <= 1.0);
                for (j, b) in adjusted.iter().enumerate() {
                    prop_assert!(p[i] > p[j] || a <= b);
                }
            }
        }

        #[test]
        fn a_larger_family_never_helps(p in prop::collection::vec(0.0..=1.0f64, 1..20), more in any::<bool>()) {
            let family: Vec<Option<f64>> = p.iter().copied().map(Some).collect();
            let mut larger = family.clone();
            larger.push(more.then_some(0.5));
            for (before, after) in adjust(&family).into_iter().zip(adjust(&larger)) {
                prop_assert!(before <= after);
            }
        }
    }
}
