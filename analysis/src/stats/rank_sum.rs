//! The rank-sum test of Wilcoxon, Mann and Whitney and its inversion: two samples whose values do not belong together in
//! pairs.
//!
//! Source: Hollander, Wolfe, Chicken, *Nonparametric Statistical Methods*, 4.1-4.3.

use super::inversion::{Inversion, NullLaw};
use super::{middle_of, normal, spread};

/// Up to this many pairs of values the null distribution is counted out; beyond, the normal approximation is as good.
const EXACT_PAIRS_MAX: usize = 10_000;

/// Smallest shift found with 80 % power, in units of [`sigma`], by the harmonic mean of the two sizes (simulated for the exact
/// two-sided rank-sum test at 5 %).
const DETECTABLE: [(f64, f64); 9] = [
    (4.0, 2.93),
    (5.0, 2.33),
    (6.0, 1.92),
    (8.0, 1.54),
    (10.0, 1.35),
    (12.0, 1.24),
    (16.0, 1.05),
    (20.0, 0.92),
    (30.0, 0.75),
];
/// Beyond the table: this over the square root of the size.
const DETECTABLE_ASYMPTOTE: f64 = 4.1;

/// The distribution of U, the number of pairs in which the value of the second sample is larger, when both samples are of one
/// population.
#[derive(Debug, Clone)]
pub struct Null {
    m: usize,
    n: usize,
    /// P(U <= u) at position u; empty beyond [`EXACT_PAIRS_MAX`].
    cumulative: Vec<f64>,
}

impl Null {
    /// The null distribution for samples of `m` and `n`.
    #[must_use]
    pub fn new(m: usize, n: usize) -> Null {
        let cumulative = if m * n <= EXACT_PAIRS_MAX { count_out(m, n) } else { Vec::new() };
        Null { m, n, cumulative }
    }
}

impl NullLaw for Null {
    /// P(U <= u).
    fn cdf(&self, u: usize) -> f64 {
        let pairs = self.m * self.n;
        if u >= pairs {
            return 1.0;
        }
        match self.cumulative.get(u) {
            Some(&p) => p.clamp(0.0, 1.0),
            None => {
                let deviation = (pairs as f64 * (self.m + self.n + 1) as f64 / 12.0).sqrt();
                normal::upper_tail((pairs as f64 / 2.0 - u as f64 - 0.5) / deviation)
            }
        }
    }

    /// Largest k with 2 P(U <= k - 1) <= `alpha`: the k-th smallest and the k-th largest difference bound the shift with
    /// confidence 1 - `alpha`. `None` where there are too few values for any bound (fewer than 4 in each for 95 %).
    fn interval_index(&self, alpha: f64) -> Option<usize> {
        let k = (0..self.m * self.n).take_while(|&u| 2.0 * self.cdf(u) <= alpha).count();
        (k > 0).then_some(k)
    }
}

/// P(U <= u) for all u.
fn count_out(m: usize, n: usize) -> Vec<f64> {
    // The distribution of U is the product of (1 - x^(n+i)) / (1 - x^i), i = 1..m, scaled to sum to 1 [Mann, Whitney 1947]:
    // one multiplication and one division of the series per step; the factor i / (n+i) keeps it a distribution.
    let mut probability = vec![0.0; m * n + 1];
    probability[0] = 1.0;
    for i in 1..=m {
        for u in (n + i..probability.len()).rev() {
            probability[u] -= probability[u - n - i];
        }
        for u in i..probability.len() {
            probability[u] += probability[u - i];
        }
        let scale = i as f64 / (n + i) as f64;
        probability.iter_mut().for_each(|p| *p *= scale);
    }
    let mut sum = 0.0;
    for p in &mut probability {
        sum += *p;
        *p = sum;
    }
    probability
}

/// Largest k with 2 P(U <= k - 1) <= `alpha` for samples of `m` and `n`; `None` where there is none.
#[must_use]
pub fn rank_sum_index(m: usize, n: usize, alpha: f64) -> Option<usize> {
    Null::new(m, n).interval_index(alpha)
}

/// The differences of every value of one sample from every value of another, with the null distribution that belongs to them:
/// what they estimate is the shift.
pub type Differences = Inversion<Null>;

impl Differences {
    /// All differences `after` - `before`. Values may be infinite, none NaN; equal ones differ by 0. Takes time and memory
    /// with the product of their numbers.
    #[must_use]
    pub fn new(before: &[f64], after: &[f64]) -> Differences {
        let difference = |x: f64, y: f64| if x == y { 0.0 } else { y - x };
        let differences = before.iter().flat_map(|&x| after.iter().map(move |&y| difference(x, y)));
        Inversion::of(differences.collect(), Null::new(before.len(), after.len()))
    }
}

/// Robust standard deviation of a value within its sample: 1.4826 x the median of the distances from its sample's median.
/// `None` with fewer than three values in a sample, or when half of them are unbounded.
#[must_use]
pub fn sigma(before: &[f64], after: &[f64]) -> Option<f64> {
    let mut distances = Vec::new();
    for sample in [before, after] {
        let centre =
            middle_of(sample.to_vec()).filter(|centre| centre.is_finite() && sample.len() >= spread::VALUES_MIN)?;
        distances.extend(sample.iter().map(|value| (value - centre).abs()));
    }
    spread::of_distances(distances)
}

/// Smallest shift that samples of `m` and `n` values of standard deviation `sigma` would show with 80 % power. `None` where
/// nothing can be shown.
#[must_use]
pub fn detectable(m: usize, n: usize, sigma: f64) -> Option<f64> {
    rank_sum_index(m, n, 0.05)?;
    let size = 2.0 * (m * n) as f64 / (m + n) as f64;
    Some(spread::interpolated(&DETECTABLE, DETECTABLE_ASYMPTOTE, size) * sigma)
}

#[cfg(test)]
mod tests;
