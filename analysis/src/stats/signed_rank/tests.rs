//! The signed-rank test against enumeration, tables and its own symmetries.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assume, prop_oneof, proptest};
use proptest::{prop_assert, prop_assert_eq};

use super::{EXACT_MAX, Null, Walsh};
use crate::stats::inversion::NullLaw;

/// P(W <= w) by going through all 2^n signs.
fn cdf_by_enumeration(n: usize, w: usize) -> f64 {
    let sum = |signs: u32| (1..=n).filter(|rank| signs >> (rank - 1) & 1 == 1).sum::<usize>();
    let all = 1u32 << n;
    f64::from((0..all).filter(|&signs| sum(signs) <= w).count() as u32) / f64::from(all)
}

#[test]
fn null_distribution_equals_enumeration() {
    for n in 0..=12 {
        let null = Null::new(n);
        for w in 0..=n * (n + 1) / 2 {
            let exact = cdf_by_enumeration(n, w);
            assert!((null.cdf(w) - exact).abs() < 1e-12, "n = {n}, w = {w}: {} and {exact}", null.cdf(w));
        }
    }
}

#[test]
fn interval_index_table() {
    let check = |alpha: f64, expected: &[(usize, usize)]| {
        for &(n, k) in expected {
            assert_eq!(Null::new(n).interval_index(alpha), Some(k), "n = {n}, alpha = {alpha}");
        }
    };
    check(
        0.05,
        &[(6, 1), (8, 4), (10, 9), (12, 14), (14, 22), (16, 30), (18, 41), (20, 53), (24, 82), (30, 138), (40, 265)],
    );
    check(
        0.10,
        &[(6, 3), (8, 6), (10, 11), (12, 18), (14, 26), (16, 36), (18, 48), (20, 61), (24, 92), (30, 152), (40, 287)],
    );
    check(0.03, &[(10, 7), (20, 48), (30, 128)]);
    for n in 0..=5 {
        assert_eq!(Null::new(n).interval_index(0.05), None, "n = {n}");
    }
}

#[test]
fn the_normal_approximation_takes_over_smoothly() {
    let exact = Null::new(EXACT_MAX);
    for w in [30_000, 35_000, 38_000, 40_000] {
        assert!((exact.cdf(w) - exact.normal_cdf(w)).abs() < 3e-4, "w = {w}");
    }
    let below = exact.interval_index(0.05).unwrap() as f64 / exact.walsh_count() as f64;
    let above = Null::new(EXACT_MAX + 1);
    let above = above.interval_index(0.05).unwrap() as f64 / above.walsh_count() as f64;
    assert!((below - above).abs() < 1e-3, "{below} and {above}");
}

#[test]
fn few_differences() {
    assert_eq!(Walsh::new(&[]).estimate(), None);
    assert_eq!(Walsh::new(&[0.3]).estimate(), Some(0.3));
    assert_eq!(Walsh::new(&[0.3, 0.1]).estimate(), Some(0.2));
    assert_eq!(Walsh::new(&[]).interval(0.05), None);
    assert!((Walsh::new(&[]).p_two_sided() - 1.0).abs() < f64::EPSILON);
    assert_eq!(Walsh::new(&[0.1, 0.2, 0.3, 0.4, 0.5]).interval(0.05), None);
    let six = Walsh::new(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
    assert!((six.p_two_sided() - 2.0 / 64.0).abs() < 1e-12);
    let interval = six.interval(0.05).unwrap();
    assert_eq!((interval.low, interval.high), (0.1, 0.6));
}

#[test]
fn unbounded_differences() {
    let infinity = f64::INFINITY;
    let mostly_up = Walsh::new(&[infinity, infinity, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
    assert!(mostly_up.estimate().unwrap().is_finite());
    assert!((mostly_up.p_two_sided() - 2.0 / 256.0).abs() < 1e-12);
    assert_eq!(mostly_up.interval(0.05).unwrap().high, infinity);
    let balanced = Walsh::new(&[infinity, -infinity]);
    assert_eq!(balanced.estimate(), Some(0.0));
    assert!((balanced.p_two_sided() - 1.0).abs() < f64::EPSILON);
}

/// Log ratios, now and then unbounded or exactly equal.
fn difference() -> impl Strategy<Value = f64> {
    prop_oneof![
        12 => -0.5..0.5f64,
        1 => Just(0.0),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
    ]
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() < 1e-9
}

proptest! {
    #[test]
    fn p_is_at_most_alpha_exactly_where_the_interval_excludes_zero(d in vec(-0.2..0.5f64, 6..31)) {
        let walsh = Walsh::new(&d);
        prop_assume!(walsh.sorted.iter().all(|&w| w != 0.0));
        for alpha in [0.03, 0.05, 0.10] {
            if let Some(interval) = walsh.interval(alpha) {
                let excludes = interval.low > 0.0 || interval.high < 0.0;
                prop_assert_eq!(walsh.p_two_sided() <= alpha, excludes, "p = {}, {:?}", walsh.p_two_sided(), interval);
            }
        }
    }

    #[test]
    fn with_ties_and_unbounded_values_zero_is_never_inside_a_significant_interval(d in vec(difference(), 6..25)) {
        let walsh = Walsh::new(&d);
        let interval = walsh.interval(0.05).unwrap();
        if walsh.p_two_sided() <= 0.05 {
            prop_assert!(interval.low >= 0.0 || interval.high <= 0.0);
        }
        if interval.low > 0.0 || interval.high < 0.0 {
            prop_assert!(walsh.p_two_sided() <= 0.05);
        }
    }

    #[test]
    fn swapping_the_variants_mirrors_everything(d in vec(difference(), 6..25)) {
        let walsh = Walsh::new(&d);
        let mirrored = Walsh::new(&d.iter().map(|x| -x).collect::<Vec<_>>());
        prop_assert!(close(walsh.estimate().unwrap(), -mirrored.estimate().unwrap()));
        let (a, b) = (walsh.interval(0.05).unwrap(), mirrored.interval(0.05).unwrap());
        prop_assert!(close(a.low, -b.high) && close(a.high, -b.low));
        prop_assert!(close(walsh.p_two_sided(), mirrored.p_two_sided()));
        prop_assert!(close(walsh.p_above(0.03), mirrored.p_below(-0.03)));
    }

    #[test]
    fn adding_a_constant_shifts_estimate_and_interval(d in vec(-0.5..0.5f64, 6..25), constant in -1.0..1.0f64) {
        let walsh = Walsh::new(&d);
        let shifted = Walsh::new(&d.iter().map(|x| x + constant).collect::<Vec<_>>());
        prop_assert!(close(walsh.estimate().unwrap() + constant, shifted.estimate().unwrap()));
        let (a, b) = (walsh.interval(0.05).unwrap(), shifted.interval(0.05).unwrap());
        prop_assert!(close(a.low + constant, b.low) && close(a.high + constant, b.high));
    }

    #[test]
    fn the_order_of_blocks_does_not_matter(d in vec(difference(), 6..25)) {
        let reversed: Vec<f64> = d.iter().rev().copied().collect();
        prop_assert_eq!(Walsh::new(&d).sorted, Walsh::new(&reversed).sorted);
    }

    #[test]
    fn the_interval_holds_the_estimate_and_narrows_with_alpha(d in vec(difference(), 6..25)) {
        let walsh = Walsh::new(&d);
        let (wide, narrow) = (walsh.interval(0.05).unwrap(), walsh.interval(0.10).unwrap());
        let estimate = walsh.estimate().unwrap();
        prop_assert!(wide.low <= narrow.low && narrow.low <= estimate);
        prop_assert!(estimate <= narrow.high && narrow.high <= wide.high);
    }
}
