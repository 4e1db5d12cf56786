//! The median of a sample with its distribution-free interval from order statistics.

use super::binomial::FairBinomial;
use super::middle;
use super::signed_rank::Interval;

/// A median and, from six values on, its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Median {
    /// The median; infinite when it falls among infinite values.
    pub value: f64,
    /// `None` when there are too few values for the confidence.
    pub interval: Option<Interval>,
}

/// The median of `values` (none NaN; infinite ones allowed) with an interval of confidence 1 - `alpha` at least,
/// whatever the distribution. `None` without values.
#[must_use]
pub fn median(values: &[f64], alpha: f64) -> Option<Median> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let interval = FairBinomial::new(sorted.len())
        .interval_index(alpha)
        .map(|k| Interval { low: sorted[k - 1], high: sorted[sorted.len() - k] });
    middle(&sorted).map(|value| Median { value, interval })
}

#[cfg(test)]
mod tests {
    use super::{Interval, Median, median};

    #[test]
    fn table() {
        let check = |values: &[f64], expected: Option<Median>| assert_eq!(median(values, 0.05), expected, "{values:?}");
        let bounds = |low, high| Some(Interval { low, high });
        check(&[], None);
        check(&[3.0], Some(Median { value: 3.0, interval: None }));
        check(&[5.0, 1.0, 4.0, 2.0, 3.0], Some(Median { value: 3.0, interval: None }));
        check(&[6.0, 5.0, 1.0, 4.0, 2.0, 3.0], Some(Median { value: 3.5, interval: bounds(1.0, 6.0) }));
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        check(&ten, Some(Median { value: 5.5, interval: bounds(2.0, 9.0) }));
        let mut unbounded = ten;
        unbounded[8] = f64::INFINITY;
        unbounded[9] = f64::INFINITY;
        check(&unbounded, Some(Median { value: 5.5, interval: bounds(2.0, f64::INFINITY) }));
        check(&[1.0, f64::INFINITY], Some(Median { value: f64::INFINITY, interval: None }));
    }
}
