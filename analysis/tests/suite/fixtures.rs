//! The statistics against SciPy and exact counting: `tests/fixtures/make.py` made what is read here.

use analysis::stats::rank_sum::rank_sum_index;
use analysis::stats::signed_rank::{Null, Walsh};
use analysis::stats::{sign, tost};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixtures {
    cases: Vec<Case>,
    /// n, alpha, k; 0 where there is none.
    index: Vec<(usize, String, usize)>,
    /// m, n, k at 5 %.
    rank_sum_index: Vec<(usize, usize, usize)>,
    /// u, v, p.
    sign: Vec<(u32, u32, f64)>,
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
    serde_json::from_str(include_str!("../fixtures/signed_rank.json")).unwrap()
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
    for (m, n, k) in fixtures.rank_sum_index {
        assert_eq!(rank_sum_index(m, n, 0.05).unwrap_or(0), k, "m = {m}, n = {n}");
    }
}

#[test]
fn the_sign_test_agrees_with_scipy() {
    for (u, v, p) in fixtures().sign {
        assert!((sign::p_value(u, v) - p).abs() < 1e-9, "{u} and {v}");
    }
}
