//! The statistics against SciPy, statsmodels and exact counting: `tests/fixtures/make.py` made what is read here.

use std::collections::BTreeMap;

use analysis::stats::inversion::NullLaw;
use analysis::stats::order_effect::order_effect;
use analysis::stats::rank_sum::rank_sum_index;
use analysis::stats::signed_rank::{Null, Walsh};
use analysis::stats::{clopper_pearson, holm, sign, tost};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixtures {
    cases: Vec<Case>,
    recipes: Vec<Recipe>,
    /// n, alpha, k; 0 where there is none.
    index: Vec<(usize, String, usize)>,
    /// m, n, alpha, k.
    rank_sum_index: Vec<(usize, usize, f64, usize)>,
    order_effects: Vec<Order>,
    /// u, v, p.
    sign: Vec<(u32, u32, f64)>,
    holm: Vec<Family>,
    /// Hits, trials, alpha, low, high.
    shares: Vec<(u32, u32, f64, f64, f64)>,
}

/// Ties, zeros and infinities; numbers are text, because JSON has no infinity.
#[derive(Deserialize)]
struct Recipe {
    d: Vec<String>,
    estimate: String,
    /// By level in percent.
    intervals: BTreeMap<String, Option<(String, String)>>,
    p_two_sided: f64,
    p_same: f64,
}

#[derive(Deserialize)]
struct Order {
    first: Vec<f64>,
    second: Vec<f64>,
    value: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Family {
    p: Vec<Option<f64>>,
    adjusted: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Case {
    d: Vec<f64>,
    estimate: f64,
    low: Option<f64>,
    high: Option<f64>,
    p_two_sided: f64,
    p_same: f64,
}

fn fixtures() -> Fixtures {
    serde_json::from_str(include_str!("../fixtures/statistics.json")).unwrap()
}

fn check(name: &str, case: &Case, found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{name} of {:?}: {found}, expected {expected}", case.d);
}

#[test]
fn signed_rank_agrees_with_scipy() {
    for case in fixtures().cases {
        let walsh = Walsh::new(&case.d);
        check("estimate", &case, walsh.estimate().unwrap(), case.estimate);
        check("p", &case, walsh.p_two_sided(), case.p_two_sided);
        check("p of same", &case, tost::p_same(&walsh, 1.03f64.ln()), case.p_same);
        let interval = walsh.interval(0.05);
        assert_eq!(interval.is_some(), case.low.is_some());
        if let (Some(interval), Some(low), Some(high)) = (interval, case.low, case.high) {
            check("low", &case, interval.low, low);
            check("high", &case, interval.high, high);
        }
    }
}

#[test]
fn indices_agree_with_exact_counting() {
    let fixtures = fixtures();
    for (n, alpha, k) in fixtures.index {
        let found = Null::new(n).interval_index(alpha.parse().unwrap()).unwrap_or(0);
        assert_eq!(found, k, "n = {n}, alpha = {alpha}");
    }
    for (m, n, alpha, k) in fixtures.rank_sum_index {
        assert_eq!(rank_sum_index(m, n, alpha).unwrap_or(0), k, "m = {m}, n = {n}, alpha = {alpha}");
    }
}

/// Equal, infinite ones too, or within 1e-9.
#[track_caller]
fn assert_close(found: f64, expected: f64, what: &str) {
    assert!(found == expected || (found - expected).abs() < 1e-9, "{what}: {found}, expected {expected}");
}

#[test]
fn ties_zeros_and_infinities_agree_with_the_recipe_word_by_word() {
    for Recipe { d, estimate, intervals, p_two_sided, p_same } in fixtures().recipes {
        let number = |text: &String| text.parse::<f64>().unwrap();
        let walsh = Walsh::new(&d.iter().map(number).collect::<Vec<_>>());
        let what = format!("{d:?}");
        assert_close(walsh.estimate().unwrap(), number(&estimate), &what);
        assert_close(walsh.p_two_sided(), p_two_sided, &what);
        assert_close(tost::p_same(&walsh, 1.03f64.ln()), p_same, &what);
        for (level, expected) in intervals {
            let interval = walsh.interval(1.0 - number(&level) / 100.0);
            assert_eq!(interval.is_some(), expected.is_some(), "{level} % of {what}");
            if let (Some(interval), Some((low, high))) = (interval, expected) {
                assert_close(interval.low, number(&low), &what);
                assert_close(interval.high, number(&high), &what);
            }
        }
    }
}

#[test]
fn order_effects_agree_with_scipy() {
    for Order { first, second, value, low, high } in fixtures().order_effects {
        let what = format!("{first:?} and {second:?}");
        let effect = order_effect(&first, &second, 0.05).unwrap();
        assert_close(effect.value, value, &what);
        let interval = effect.interval.unwrap();
        assert_close(interval.low, low, &what);
        assert_close(interval.high, high, &what);
    }
}

#[test]
fn adjusted_p_values_agree_with_statsmodels() {
    for Family { p, adjusted } in fixtures().holm {
        for (found, expected) in holm::adjust(&p).into_iter().zip(&adjusted) {
            assert_eq!(found.is_some(), expected.is_some(), "{p:?}");
            assert_close(found.unwrap_or(0.0), expected.unwrap_or(0.0), &format!("{p:?}"));
        }
    }
}

#[test]
fn intervals_of_shares_agree_with_scipy() {
    for (hits, trials, alpha, low, high) in fixtures().shares {
        let interval = clopper_pearson::interval(hits, trials, alpha).unwrap();
        assert_close(interval.low, low, &format!("{hits} of {trials}"));
        assert_close(interval.high, high, &format!("{hits} of {trials}"));
    }
}

#[test]
fn the_sign_test_agrees_with_scipy() {
    for (u, v, p) in fixtures().sign {
        assert!((sign::p_value(u, v) - p).abs() < 1e-9, "{u} and {v}");
    }
}
