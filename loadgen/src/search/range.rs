//! Which rungs of a ladder may be tried. Pure.

use common::random::mix;

/// Ratio of neighbouring rungs: what a few trials can tell apart.
pub(super) const STEP: f64 = 1.03;
/// Rungs above the first, and below it: a rate nearly 13 000 times as high, or as low.
const RUNGS_MAX: i32 = 320;

/// The rungs of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    /// Rate of rung 0, tasks a second.
    pub(super) base_per_s: f64,
    /// The lowest; at most 0.
    pub(super) bottom: i32,
    /// The highest; at least 0.
    pub(super) top: i32,
    /// Why none above it is tried.
    pub(super) above: String,
}

impl Range {
    /// From `least_per_s` to the last rate that is not `too_much`, which says why it is.
    pub(super) fn new(base_per_s: f64, least_per_s: f64, too_much: impl Fn(f64) -> Option<String>) -> Range {
        let mut range = Range { base_per_s, bottom: -RUNGS_MAX, top: 0, above: String::new() };
        let end = (1..=RUNGS_MAX).find_map(|rung| Some((rung - 1, too_much(range.rate_per_s(rung))?)));
        (range.top, range.above) = end.unwrap_or_else(|| {
            let times = range.rate_per_s(RUNGS_MAX) / base_per_s;
            (RUNGS_MAX, format!("{times:.0} times where the search began: begin with a higher load.rate_per_s"))
        });
        range.bottom = (-RUNGS_MAX..0).find(|&rung| range.rate_per_s(rung) >= least_per_s).unwrap_or(0);
        range
    }

    /// The rate of a rung, tasks a second.
    #[must_use]
    pub fn rate_per_s(&self, rung: i32) -> f64 {
        self.base_per_s * STEP.powi(rung)
    }
}

/// Where search `number` of a plan that begins at `rate_per_s` has its first rung: within a step below, another place in each search, the
/// same for all variants. On one grid for all searches two limits a hair apart could be a whole step apart in every one of them.
pub(super) fn base_per_s(rate_per_s: f64, seed: u64, number: u32) -> f64 {
    // 53 bits: evenly from 0 up to 1.
    let part = (mix(seed, u64::from(number)) >> 11) as f64 / (1u64 << 53) as f64;
    rate_per_s * STEP.powf(-part)
}

#[cfg(test)]
mod tests {
    use super::{RUNGS_MAX, Range, STEP, base_per_s};

    fn nothing(_: f64) -> Option<String> {
        None
    }

    #[test]
    fn no_rung_is_below_the_least_or_too_much() {
        let too_much = |rate: f64| (rate > 250.0).then(|| "because".to_owned());
        let range = Range::new(100.0, 20.0, too_much);
        assert!(range.rate_per_s(range.top) <= 250.0 && range.rate_per_s(range.top + 1) > 250.0, "{range:?}");
        assert!(range.rate_per_s(range.bottom) >= 20.0 && range.rate_per_s(range.bottom - 1) < 20.0, "{range:?}");
        assert_eq!(range.above, "because");
        // Nothing to be tried but the first.
        let range = Range::new(100.0, 99.0, |rate| (rate > 101.0).then(String::new));
        assert_eq!((range.bottom, range.top), (0, 0));
    }

    #[test]
    fn there_is_an_end_where_nothing_ends_it() {
        let range = Range::new(100.0, 0.0, nothing);
        assert_eq!((range.bottom, range.top), (-RUNGS_MAX, RUNGS_MAX));
        assert!(range.above.starts_with("12821 times") && range.above.contains("load.rate_per_s"), "{}", range.above);
    }

    #[test]
    fn bases_are_spread_evenly_over_one_step() {
        let places: Vec<f64> =
            (0..1000).map(|number| (1000.0 / base_per_s(1000.0, 7, number)).ln() / STEP.ln()).collect();
        assert!(places.iter().all(|place| (0.0..1.0).contains(place)));
        for tenth in 0..10 {
            let within = places.iter().filter(|place| (*place * 10.0) as i32 == tenth).count();
            assert!((70..130).contains(&within), "{within} in tenth {tenth}");
        }
        assert_ne!(base_per_s(1000.0, 7, 0).to_bits(), base_per_s(1000.0, 8, 0).to_bits());
    }
}
