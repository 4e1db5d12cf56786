use common::random::mix;
use common::report::search::SearchEnd;

use super::{pairs, rate};
use crate::search::ladder::{Found, Ladder};
use crate::search::range::{Range, STEP, base_per_s};

/// Evenly from 0 to 1.
fn uniform(seed: u64, index: u64) -> f64 {
    (mix(seed, index) >> 11) as f64 / (1u64 << 53) as f64
}

/// Nearly normal, by the sum of twelve.
fn normal(seed: u64, index: u64) -> f64 {
    (0..12).map(|part| uniform(mix(seed, index), part)).sum::<f64>() - 6.0
}

fn unlimited(_: f64) -> Option<String> {
    None
}

/// Ten searches of two systems side by side. Their limits drift together from trial to trial, and each trial has a scatter of its own.
fn bench(seed: u64, limits: [f64; 2], noise: f64, too_much: impl Fn(f64) -> Option<String> + Copy) -> [Vec<Found>; 2] {
    let mut found = [Vec::new(), Vec::new()];
    let (mut clock, mut drift) = (0, 0.0);
    for number in 0..10 {
        let range = Range::new(base_per_s(1000.0, seed, number), 15.0, too_much);
        let mut ladders = [Ladder::new(range.clone()), Ladder::new(range)];
        // Trial by trial in turn, as long as both search.
        while let Some(turn) =
            (0..2).map(|turn| (turn + clock as usize) % 2).find(|&turn| ladders[turn].next().is_some())
        {
            let Some(rung) = ladders[turn].next() else { break };
            clock += 1;
            drift = 0.98 * drift + 0.4 * noise * normal(seed, 2 * clock);
            let now = limits[turn] * (drift + noise * normal(seed, 2 * clock + 1)).exp();
            let passed = ladders[turn].rate_per_s(rung) <= now;
            ladders[turn].take(rung, passed);
        }
        for (found, ladder) in found.iter_mut().zip(&ladders) {
            found.push(ladder.found(""));
        }
    }
    found
}

const LIMIT: f64 = 1300.0;

#[test]
fn the_ratio_of_two_limits_that_drift_is_covered() {
    for noise in [0.0, 0.01, 0.05] {
        for truth in [1.0, 1.002, 1.2] {
            let (mut covered, mut told) = (0, 0);
            for number in 0..1000u64 {
                let [one, other] = bench(mix(77, number), [LIMIT, LIMIT * truth], noise, unlimited);
                let pairs = pairs(&one, &other);
                let (low, high) = (pairs.ratio.low.unwrap(), pairs.ratio.high.unwrap());
                covered += u32::from(low <= truth && truth <= high);
                // Told apart by p and by the interval alike.
                let apart = pairs.p_value.unwrap() <= 0.05;
                assert_eq!(apart, low > 1.0 + 1e-9 || high < 1.0 - 1e-9, "{pairs:?}");
                told += u32::from(apart);
                let value = pairs.ratio.value.unwrap();
                assert!(low <= value && value <= high, "{pairs:?}");
            }
            assert!(covered >= 938, "{covered} of 1000 at a noise of {noise} and a truth of {truth}");
            // What covers is not what is merely wide.
            let expected = if truth > 1.1 { 950..=1000 } else { 0..=62 };
            assert!(expected.contains(&told), "{told} of 1000 told apart at a noise of {noise} and a truth of {truth}");
        }
    }
}

/// Two sharp limits a fifth of a percent apart are told apart by no grid, wherever they lie on it; and what is said of both is as
/// narrow as the grid allows.
#[test]
fn the_grid_makes_no_difference() {
    for seed in 0..200 {
        let limit = LIMIT * STEP.powf(uniform(5, seed));
        let [one, other] = bench(seed, [limit, limit * 1.002], 0.0, unlimited);
        let pairs = pairs(&one, &other);
        assert!(pairs.p_value.unwrap() > 0.05, "{pairs:?}");
        let (low, high) = (pairs.ratio.low.unwrap(), pairs.ratio.high.unwrap());
        assert!(low <= 1.0 && high >= 1.002 && high / low <= STEP.powi(3) + 1e-9, "{pairs:?}");
        for (found, limit) in [(one, limit), (other, limit * 1.002)] {
            let (rate, at_least) = rate(&found);
            assert!(rate.low.unwrap() <= limit && limit <= rate.high.unwrap(), "{rate:?}");
            let value = rate.value.unwrap();
            assert!((value / limit).ln().abs() <= STEP.ln(), "{rate:?} of {limit}");
            assert_eq!((rate.n, at_least), (10, None));
        }
    }
}

/// Searches share their rungs, and begin on others each time.
#[test]
fn the_middle_of_ten_searches_is_finer_than_a_step() {
    let mut errors: Vec<f64> = (0..200)
        .map(|seed| {
            let [one, _] = bench(seed, [LIMIT, LIMIT], 0.0, unlimited);
            (rate(&one).0.value.unwrap() / LIMIT).ln().abs()
        })
        .collect();
    errors.sort_by(f64::total_cmp);
    assert!(errors[100] < STEP.ln() / 4.0, "{}", errors[100]);
}

#[test]
fn a_limit_beyond_what_may_be_tried_is_at_least_so_much() {
    let too_much = |rate: f64| (rate > 1500.0).then(|| "too much".to_owned());
    let [one, other] = bench(3, [LIMIT, 1600.0], 0.0, too_much);
    assert!(other.iter().all(|found| found.end == SearchEnd::AtLeast && found.reason == "too much"));
    let (estimate, at_least) = rate(&other);
    let at_least = at_least.unwrap();
    assert_eq!((estimate.value, estimate.high, estimate.n), (None, None, 10));
    assert!(at_least > 1500.0 / STEP && at_least <= 1500.0 && estimate.low.unwrap() <= at_least, "{estimate:?}");
    // One that ends there is above one that ends below, by nobody knows how much.
    let apart = pairs(&one, &other);
    assert_eq!((apart.ratio.value, apart.ratio.high, apart.n), (None, None, 10));
    assert!(apart.ratio.low.unwrap() > 1.08 && apart.p_value.unwrap() < 0.05, "{apart:?}");
    // Of two that do nothing is known.
    let unknown = pairs(&other, &other);
    assert_eq!((unknown.ratio.value, unknown.ratio.low, unknown.ratio.high), (None, None, None));
    assert_eq!((unknown.p_value, unknown.n), (Some(1.0), 10));
}

#[test]
fn what_nothing_passes_and_what_has_no_end_has_no_rate() {
    let [none, other] = bench(3, [1.0, LIMIT], 0.0, unlimited);
    assert!(none.iter().all(|found| found.end == SearchEnd::AtMost));
    assert_eq!(rate(&none).1, None);
    assert_eq!((rate(&none).0.value, rate(&none).0.low), (None, None));
    // Half-way between a limit and one that is too low to be found there is no rate.
    let half = [&none[..5], &other[..5]].concat();
    assert_eq!((rate(&half).0.value, rate(&half).0.low, rate(&half).1), (None, None, None));
    let apart = pairs(&other, &none);
    assert_eq!((apart.ratio.value, apart.ratio.low), (None, None));
    assert!(apart.ratio.high.unwrap() < 0.02, "{apart:?}");

    let mut given_up = Ladder::new(Range::new(1000.0, 1.0, unlimited));
    given_up.give_up("because".to_owned());
    let given_up = [given_up.found("")];
    assert_eq!(rate(&given_up).0.n, 0);
    let nothing = pairs(&given_up, &given_up);
    assert_eq!((nothing.p_value, nothing.n), (None, 0));
}
