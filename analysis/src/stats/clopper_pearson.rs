//! The exact interval of a share, from k of n independent trials.
//!
//! Source: Clopper, Pearson, *The use of confidence or fiducial limits illustrated in the case of the binomial*,
//! Biometrika 26 (1934).

use super::signed_rank::Interval;

/// Halvings of [0, 1]: more than a double can tell apart.
const HALVINGS: u32 = 60;

/// The interval of the share behind `hits` of `trials`, between 0 and 1, with confidence 1 - `alpha` at least.
/// `None` where that is no share: without trials, or with more hits than trials. Takes time with `trials`.
///
/// The lower bound is the share p with P(X >= hits) = `alpha` / 2, the upper the one with P(X <= hits) = `alpha` / 2,
/// X from Bin(trials, p); 0 and 1 where there is none.
#[must_use]
pub fn interval(hits: u32, trials: u32, alpha: f64) -> Option<Interval> {
    if trials == 0 || hits > trials {
        return None;
    }
    let misses = trials - hits;
    let low = if hits == 0 { 0.0 } else { bound(misses, trials, alpha / 2.0) };
    // Seen from the misses the upper bound is a lower one: one search serves both.
    let high = if misses == 0 { 1.0 } else { 1.0 - bound(hits, trials, alpha / 2.0) };
    Some(Interval { low, high })
}

/// The share p of hits with P(at most `misses` of `trials` are misses) = `tail`.
fn bound(misses: u32, trials: u32, tail: f64) -> f64 {
    let ln_choose = ln_binomials(misses, trials);
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let share: f64 = f64::midpoint(low, high);
        // The more likely hits are, the fewer are the misses.
        if at_most(&ln_choose, trials, share) < tail {
            low = share;
        } else {
            high = share;
        }
    }
    f64::midpoint(low, high)
}

/// ln of `trials` over 0 .. `misses`.
fn ln_binomials(misses: u32, trials: u32) -> Vec<f64> {
    let mut ln = 0.0;
    let mut all = vec![ln];
    for k in 0..misses {
        ln += (f64::from(trials - k) / f64::from(k + 1)).ln();
        all.push(ln);
    }
    all
}

/// P(misses < `ln_choose.len()`) where each of `trials` hits with probability `share`, above 0 and below 1.
fn at_most(ln_choose: &[f64], trials: u32, share: f64) -> f64 {
    let (ln_hit, ln_miss) = (share.ln(), (-share).ln_1p());
    let term = |(k, ln): (u32, &f64)| (ln + f64::from(k) * ln_miss + f64::from(trials - k) * ln_hit).exp();
    (0..).zip(ln_choose).map(term).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::proptest;
    use proptest::prop_assert;

    use super::interval;

    #[test]
    fn table() {
        let check = |hits, trials, low: f64, high: f64| {
            let found = interval(hits, trials, 0.05).unwrap();
            assert!(
                (found.low - low).abs() < 1e-9 && (found.high - high).abs() < 1e-9,
                "{hits} of {trials}: {found:?}"
            );
        };
        // None and all: 1 - (alpha / 2)^(1 / n), in closed form.
        for trials in [1, 10, 20, 100, 1_000] {
            let edge = 0.025f64.powf(1.0 / f64::from(trials));
            check(0, trials, 0.0, 1.0 - edge);
            check(trials, trials, edge, 1.0);
        }
        assert_eq!(interval(0, 0, 0.05), None);
        assert_eq!(interval(2, 1, 0.05), None);
    }

    proptest! {
        #[test]
        fn hits_and_misses_mirror_each_other(trials in 1..300u32, share in 0.0..1.0f64) {
            let hits = (share * f64::from(trials)) as u32;
            let (of_hits, of_misses) = (interval(hits, trials, 0.05).unwrap(), interval(trials - hits, trials, 0.05).unwrap());
            prop_assert!((of_hits.low - (1.0 - of_misses.high)).abs() < 1e-12);
            prop_assert!((of_hits.high - (1.0 - of_misses.low)).abs() < 1e-12);
        }

        #[test]
        fn it_holds_the_share_seen_and_narrows_with_alpha_and_with_trials(trials in 1..100u32, share in 0.0..1.0f64) {
            let hits = (share * f64::from(trials)) as u32;
            let (wide, narrow) = (interval(hits, trials, 0.05).unwrap(), interval(hits, trials, 0.10).unwrap());
            let seen = f64::from(hits) / f64::from(trials);
            prop_assert!(wide.low <= narrow.low && narrow.low <= seen && seen <= narrow.high && narrow.high <= wide.high);
            let more = interval(4 * hits, 4 * trials, 0.05).unwrap();
            prop_assert!(more.high - more.low < wide.high - wide.low);
        }

        #[test]
        fn its_bounds_leave_half_of_alpha_beyond_them(trials in 2..40u32, share in 0.0..1.0f64) {
            let hits = 1 + (share * f64::from(trials - 1)) as u32;
            let low = interval(hits, trials, 0.05).unwrap().low;
            // P(X >= hits), added up the other way round.
            let mut probability = (1.0 - low).powi(trials as i32);
            let mut below = 0.0;
            for k in 0..hits {
                below += probability;
                probability *= f64::from(trials - k) / f64::from(k + 1) * low / (1.0 - low);
            }
            prop_assert!((1.0 - below - 0.025).abs() < 1e-9);
        }
    }
}
