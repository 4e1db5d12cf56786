//! A rank test turned round: the values that its statistic counts, sorted, with the law of that count, give an estimate, an exact
//! interval and p values of any bound.

use super::middle;

/// The distribution of how many of the values are positive when there is no effect.
pub trait NullLaw {
    /// P(count <= k).
    fn cdf(&self, k: usize) -> f64;

    /// Largest k with 2 P(count <= k - 1) <= `alpha`: the k-th smallest and the k-th largest value bound the effect with
    /// confidence 1 - `alpha`. `None` where there are too few values for any bound.
    fn interval_index(&self, alpha: f64) -> Option<usize>;
}

/// A lower and an upper bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower bound; may be infinite.
    pub low: f64,
    /// Upper bound; may be infinite.
    pub high: f64,
}

/// The values with the law that belongs to them.
#[derive(Debug, Clone)]
pub struct Inversion<N> {
    pub(super) sorted: Vec<f64>,
    null: N,
}

impl<N: NullLaw> Inversion<N> {
    /// Of values in any order, which may be infinite, none NaN.
    pub(super) fn of(mut values: Vec<f64>, null: N) -> Inversion<N> {
        values.sort_by(f64::total_cmp);
        Inversion { sorted: values, null }
    }

    /// The Hodges-Lehmann estimate of the effect: the median of the values. `None` without any.
    #[must_use]
    pub fn estimate(&self) -> Option<f64> {
        middle(&self.sorted)
    }

    /// The exact interval of the effect with confidence 1 - `alpha`; `None` where there are too few values.
    #[must_use]
    pub fn interval(&self, alpha: f64) -> Option<Interval> {
        let k = self.null.interval_index(alpha)?;
        Some(Interval { low: *self.sorted.get(k - 1)?, high: *self.sorted.get(self.sorted.len() - k)? })
    }

    /// Two-sided p of "no effect": at most `alpha` where the interval of confidence 1 - `alpha` excludes 0. (Where values are
    /// exactly 0, p may be at most `alpha` while the interval ends at 0.)
    #[must_use]
    pub fn p_two_sided(&self) -> f64 {
        let rarer = self.half_counts_above(0.0).min(self.half_counts_below(0.0));
        (2.0 * self.null.cdf(rarer / 2)).min(1.0)
    }

    /// The smallest that [`Inversion::p_two_sided`] can be with so many values: when all of them point the same way.
    #[must_use]
    pub fn p_least(&self) -> f64 {
        (2.0 * self.null.cdf(0)).min(1.0)
    }

    /// One-sided p of "the effect is at most `bound`": small where it lies above.
    #[must_use]
    pub fn p_above(&self, bound: f64) -> f64 {
        self.null.cdf(self.half_counts_below(bound) / 2)
    }

    /// One-sided p of "the effect is at least `bound`": small where it lies below.
    #[must_use]
    pub fn p_below(&self, bound: f64) -> f64 {
        self.null.cdf(self.half_counts_above(bound) / 2)
    }

    /// Twice the number of values above `x`, plus the number of those equal to it.
    fn half_counts_above(&self, x: f64) -> usize {
        let below = self.sorted.partition_point(|&value| value < x);
        let not_above = self.sorted.partition_point(|&value| value <= x);
        2 * (self.sorted.len() - not_above) + (not_above - below)
    }

    /// Twice the number of values below `x`, plus the number of those equal to it.
    fn half_counts_below(&self, x: f64) -> usize {
        2 * self.sorted.len() - self.half_counts_above(x)
    }
}
