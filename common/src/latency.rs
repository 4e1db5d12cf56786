//! Histograms of nanoseconds: 3 significant digits up to an hour; what lies beyond is counted as unbounded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};

use crate::report::Distribution;

/// Largest value that is recorded, nanoseconds: one hour.
pub const LARGEST_NS: u64 = 3_600_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

/// A histogram that grows with its values, and counts those beyond [`LARGEST_NS`].
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    histogram: Histogram<u64>,
    beyond: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Latency::new()
    }
}

impl Latency {
    /// Empty.
    #[must_use]
    #[expect(clippy::expect_used, reason = "3 significant digits are within the library's 0 to 5")]
    pub fn new() -> Latency {
        Latency { histogram: Histogram::new(SIGNIFICANT_DIGITS).expect("valid precision"), beyond: 0 }
    }

    /// Records a value in nanoseconds.
    pub fn record(&mut self, nanoseconds: u64) {
        if nanoseconds > LARGEST_NS || self.histogram.record(nanoseconds).is_err() {
            self.beyond += 1;
        }
    }

    /// Adds everything that `other` holds.
    pub fn merge(&mut self, other: &Latency) {
        // A histogram that resizes itself can always take another.
        let added = self.histogram.add(&other.histogram);
        debug_assert!(added.is_ok());
        self.beyond += other.beyond;
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        if self.beyond > 0 || !self.histogram.is_empty() {
            self.histogram.reset();
            self.beyond = 0;
        }
    }

    /// Recorded values, those beyond the largest excluded.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.histogram.len()
    }

    /// The value in nanoseconds at percentile `p` (0 to 1) when `unbounded` more values are larger than all recorded
    /// ones: rank `ceil(p (n + unbounded))`, at least 1. `None` beyond the recorded ones.
    #[must_use]
    pub fn percentile_ns(&self, p: f64, unbounded: u64) -> Option<u64> {
        let all = self.n() + self.beyond + unbounded;
        // Products such as 0.99 x 100 come out a hair above the integer: the hair is no rank.
        let rank = ((p * all as f64 - 1e-9).ceil() as u64).max(1);
        let mut seen = 0;
        self.histogram.iter_recorded().find_map(|step| {
            seen += step.count_since_last_iteration();
            (seen >= rank).then(|| step.value_iterated_to())
        })
    }

    /// What a value must be at least to lie at or beyond that percentile: within the precision of the histogram equal values
    /// are equal.
    #[must_use]
    pub fn at_or_beyond_ns(&self, p: f64, unbounded: u64) -> Option<u64> {
        self.percentile_ns(p, unbounded).map(|ns| self.histogram.lowest_equivalent(ns))
    }

    /// As a report shows it; `unbounded` more values are larger than all recorded ones.
    #[must_use]
    pub fn distribution(&self, unbounded: u64) -> Distribution {
        let percentile = |p| self.percentile_ns(p, unbounded).map(microseconds);
        let all_bounded = unbounded == 0 && self.beyond == 0 && self.n() > 0;
        Distribution {
            n: self.n(),
            unbounded: unbounded + self.beyond,
            mean: (self.n() > 0).then(|| self.mean_ns() / 1e3),
            p50: percentile(0.5),
            p90: percentile(0.9),
            p99: percentile(0.99),
            p99_9: percentile(0.999),
            max: all_bounded.then(|| microseconds(self.histogram.max())),
            hdr_v2: self.encode(),
        }
    }

    /// What was recorded, for formats of others; values beyond [`LARGEST_NS`] are not in it.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// Mean of the recorded values in nanoseconds, within the precision; 0 when there are none.
    #[must_use]
    pub fn mean_ns(&self) -> f64 {
        self.histogram.mean()
    }

    /// Largest recorded value, nanoseconds, within the precision.
    #[must_use]
    pub fn max_ns(&self) -> Option<u64> {
        (self.n() > 0).then(|| self.histogram.max())
    }

    /// HdrHistogram V2 in base64. Equal histograms have equal texts: the header's range is always the full one, not
    /// what this histogram happened to grow to.
    #[must_use]
    #[expect(clippy::expect_used, reason = "constant bounds and precision are valid")]
    pub fn encode(&self) -> String {
        let mut full =
            Histogram::<u64>::new_with_bounds(1, LARGEST_NS, SIGNIFICANT_DIGITS).expect("valid bounds and precision");
        // Nothing beyond the full range was ever recorded.
        let added = full.add(&self.histogram);
        debug_assert!(added.is_ok());
        pack(&full)
    }

    /// As [`Latency::encode`], but with the range that this histogram happens to have: a tenth of the work, for what is
    /// merged again and compared with nobody's.
    #[must_use]
    pub fn pack(&self) -> String {
        pack(&self.histogram)
    }

    /// From HdrHistogram V2 in base64, `beyond` apart.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn decode(text: &str, beyond: u64) -> Result<Latency, String> {
        let bytes = BASE64.decode(text).map_err(|error| format!("histogram: {error}"))?;
        let mut histogram: Histogram<u64> =
            Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|error| format!("histogram: {error}"))?;
        histogram.auto(true);
        Ok(Latency { histogram, beyond })
    }

    /// Values beyond [`LARGEST_NS`].
    #[must_use]
    pub fn beyond(&self) -> u64 {
        self.beyond
    }
}

fn pack(histogram: &Histogram<u64>) -> String {
    let mut bytes = Vec::new();
    // Writing to a Vec cannot fail.
    let written = V2Serializer::new().serialize(histogram, &mut bytes);
    debug_assert!(written.is_ok());
    BASE64.encode(bytes)
}

/// Nanoseconds to microseconds.
#[must_use]
pub fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{LARGEST_NS, Latency};

    fn of(values: &[u64]) -> Latency {
        let mut latency = Latency::new();
        values.iter().for_each(|&value| latency.record(value));
        latency
    }

    #[test]
    fn unbounded_values_stand_behind_all_recorded_ones() {
        let latency = of(&(1..=90).map(|n| n * 1000).collect::<Vec<_>>());
        assert_eq!(latency.percentile_ns(0.9, 10).map(|ns| ns / 1000), Some(90));
        assert_eq!(latency.percentile_ns(0.91, 10), None);
        let shown = latency.distribution(10);
        assert_eq!((shown.n, shown.unbounded, shown.p99, shown.max), (90, 10, None, None));
        assert!(shown.p50.is_some_and(|p50| (p50 - 50.0).abs() < 0.1));
    }

    #[test]
    fn nothing_recorded_is_null_not_zero() {
        let shown = Latency::new().distribution(0);
        assert_eq!((shown.mean, shown.p50, shown.max), (None, None, None));
    }

    #[test]
    fn an_outlier_of_ten_seconds_is_the_max_and_two_hours_are_unbounded() {
        let mut latency = of(&[1000; 100]);
        latency.record(10_000_000_000);
        let max = latency.distribution(0).max.unwrap();
        assert!((max / 10_000_000.0 - 1.0).abs() < 0.001, "{max}");
        latency.record(2 * LARGEST_NS);
        assert_eq!(latency.distribution(0).unbounded, 1);
        assert_eq!(latency.distribution(0).max, None);
    }

    proptest! {
        /// Merging shards equals the histogram of the union, and nothing is lost on the wire.
        #[test]
        fn merging_is_the_union(a in proptest::collection::vec(0..LARGEST_NS, 0..50), b in proptest::collection::vec(0..LARGEST_NS, 0..50)) {
            let union = of(&a.iter().chain(&b).copied().collect::<Vec<_>>());
            let mut merged = of(&a);
            merged.merge(&Latency::decode(&of(&b).pack(), 0).unwrap());
            prop_assert_eq!(merged.distribution(3), union.distribution(3));
            prop_assert_eq!(Latency::decode(&union.encode(), 0).unwrap().distribution(3), union.distribution(3));
        }

        /// A percentile is a recorded value within the precision.
        #[test]
        fn percentiles_are_values(values in proptest::collection::vec(1000..LARGEST_NS, 1..50), p in 0.0..1.0) {
            let value = of(&values).percentile_ns(p, 0).unwrap() as f64;
            prop_assert!(values.iter().any(|&v| (v as f64 / value - 1.0).abs() < 0.001));
        }

        /// Text from outside never panics.
        #[test]
        fn decoding_nonsense_is_an_error(text in any::<String>()) {
            prop_assert!(Latency::decode(&text, 0).is_err() || text.is_empty());
        }
    }
}
