use proptest::prelude::{prop, proptest};
use proptest::prop_assert;

use super::{Differences, detectable, rank_sum_index, sigma};
use crate::stats::tost::p_same;

/// U of every arrangement of the ranks of two samples.
fn arrangements(m: usize, n: usize) -> Vec<usize> {
    (0..1u32 << (m + n))
        .filter(|bits| bits.count_ones() as usize == m)
        .map(|bits| {
            (0..m + n).filter(|i| bits >> i & 1 == 1).map(|i| (0..i).filter(|j| bits >> j & 1 == 0).count()).sum()
        })
        .collect()
}

/// Counts, by going through all of them.
fn by_enumeration(m: usize, n: usize, alpha: f64) -> Option<usize> {
    let arrangements = arrangements(m, n);
    let rare =
        |u: usize| 2.0 * arrangements.iter().filter(|&&x| x <= u).count() as f64 / arrangements.len() as f64 <= alpha;
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
fn p_agrees_with_enumeration() {
    // 5 against 4 without ties: U is 3.
    let (before, after) = ([1.0, 4.0, 6.0, 8.0, 9.0], [0.0, 2.0, 3.0, 5.0]);
    let u = after.iter().map(|y| before.iter().filter(|&x| y > x).count()).sum::<usize>();
    let all = arrangements(5, 4);
    let expected = 2.0 * all.iter().filter(|&&x| x <= u).count() as f64 / all.len() as f64;
    let p = Differences::new(&before, &after).p_two_sided();
    assert!(u < 10 && (p - expected).abs() < 1e-12, "{p}, expected {expected}");
}

#[test]
fn shift_and_interval_of_a_table() {
    let before = [1.0, 2.0, 3.0, 4.0];
    let after = [11.0, 12.0, 13.0, 14.0];
    let differences = Differences::new(&before, &after);
    assert_eq!(differences.estimate(), Some(10.0));
    let interval = differences.interval(0.05).unwrap();
    assert_eq!((interval.low, interval.high), (7.0, 13.0));
    // The smallest p of four against four: two of 70 arrangements.
    assert!((differences.p_two_sided() - 2.0 / 70.0).abs() < 1e-12);
    assert!((p_same(&Differences::new(&before, &before), 4.0) - 1.0 / 70.0).abs() < 1e-12);
    assert!(p_same(&differences, 4.0) > 0.98);
    assert_eq!(Differences::new(&[], &after).estimate(), None);
    assert_eq!(Differences::new(&before[..3], &after).interval(0.05), None);
}

#[test]
fn unbounded_values_are_larger_than_all_others() {
    let inf = f64::INFINITY;
    let differences = Differences::new(&[1.0, 2.0, 3.0, 4.0], &[inf, inf, inf, inf]);
    assert_eq!(differences.estimate(), Some(inf));
    assert!(differences.p_two_sided() < 0.03);
    assert_eq!(Differences::new(&[inf; 4], &[inf; 4]).p_two_sided(), 1.0);
    assert_eq!(sigma(&[inf; 4], &[1.0; 4]), None);
}

#[test]
fn scatter_is_within_samples_and_detectable_shrinks() {
    assert!((sigma(&[1.0, 2.0, 3.0], &[101.0, 102.0, 103.0]).unwrap() - 1.4826).abs() < 1e-12);
    assert_eq!(sigma(&[1.0, 2.0], &[1.0, 2.0, 3.0]), None);
    assert_eq!(detectable(3, 3, 1.0), None);
    for (m, n, c) in [(4, 4, 2.93), (10, 10, 1.35), (7, 7, 1.73), (5, 20, 1.54), (100, 100, 0.41)] {
        assert!((detectable(m, n, 1.0).unwrap() - c).abs() < 1e-9, "{m} {n}");
    }
}

proptest! {
    #[test]
    fn p_and_interval_are_the_same_test(
        before in prop::collection::vec(-1.0..1.0f64, 4..12),
        after in prop::collection::vec(-1.0..1.5f64, 4..12),
    ) {
        let differences = Differences::new(&before, &after);
        let interval = differences.interval(0.05).unwrap();
        prop_assert!((differences.p_two_sided() <= 0.05) == (interval.low > 0.0 || interval.high < 0.0));
    }

    #[test]
    fn exchanged_samples_turn_the_sign(
        before in prop::collection::vec(-1.0..1.0f64, 4..9),
        after in prop::collection::vec(-1.0..1.0f64, 4..9),
    ) {
        let (there, back) = (Differences::new(&before, &after), Differences::new(&after, &before));
        prop_assert!((there.estimate().unwrap() + back.estimate().unwrap()).abs() < 1e-12);
        prop_assert!((there.p_two_sided() - back.p_two_sided()).abs() < 1e-12);
        prop_assert!((p_same(&there, 0.1) - p_same(&back, 0.1)).abs() < 1e-12);
    }
}
