//! Wilcoxon's signed-rank test and its inversion: Walsh averages, the Hodges-Lehmann estimate and its exact interval.
//!
//! Source: Hollander, Wolfe, Chicken, *Nonparametric Statistical Methods*, 3.1-3.3.

use super::inversion::{Inversion, NullLaw};
use super::{mean_of_two, normal};

pub use super::inversion::Interval;

/// Up to this many pairs the null distribution is counted out; beyond it the normal approximation is off by less
/// than 0.0003, and counting would take time with the cube of the number.
const EXACT_MAX: usize = 400;

/// The distribution of W, the sum of the ranks of positive differences, when the signs of `n` differences are fair
/// coins.
#[derive(Debug, Clone)]
pub struct Null {
    n: usize,
    /// P(W <= w) at position w; empty beyond [`EXACT_MAX`].
    cumulative: Vec<f64>,
}

impl Null {
    /// The null distribution for `n` differences.
    #[must_use]
    pub fn new(n: usize) -> Null {
        let cumulative = if n <= EXACT_MAX { count_out(n) } else { Vec::new() };
        Null { n, cumulative }
    }

    /// Number of Walsh averages, n (n + 1) / 2: the largest W.
    #[must_use]
    pub fn walsh_count(&self) -> usize {
        self.n * (self.n + 1) / 2
    }

    /// With a correction for continuity.
    fn normal_cdf(&self, w: usize) -> f64 {
        let n = self.n as f64;
        let mean = n * (n + 1.0) / 4.0;
        let deviation = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
        normal::upper_tail((mean - w as f64 - 0.5) / deviation)
    }
}

impl NullLaw for Null {
    /// P(W <= w).
    fn cdf(&self, w: usize) -> f64 {
        if w >= self.walsh_count() {
            return 1.0;
        }
        match self.cumulative.get(w) {
            Some(&p) => p.min(1.0),
            None => self.normal_cdf(w),
        }
    }

    /// Largest k with 2 P(W <= k - 1) <= `alpha`: the k-th smallest and the k-th largest Walsh average bound the
    /// centre with confidence 1 - `alpha`. `None` where there are too few differences for any bound.
    fn interval_index(&self, alpha: f64) -> Option<usize> {
        // The smallest w that is not rare enough is k: W <= 0, ..., W <= k - 1 all are.
        let (mut low, mut high) = (0, self.walsh_count());
        while low < high {
            let w = usize::midpoint(low, high);
            if 2.0 * self.cdf(w) <= alpha {
                low = w + 1;
            } else {
                high = w;
            }
        }
        (low > 0).then_some(low)
    }
}

/// P(W <= w) for all w: each rank is added to W or not, with equal probability.
fn count_out(n: usize) -> Vec<f64> {
    let total = n * (n + 1) / 2;
    let mut probability = vec![0.0; total + 1];
    probability[0] = 1.0;
    let mut reached = 0;
    for rank in 1..=n {
        reached += rank;
        for w in (0..=reached).rev() {
            let with_rank = if w >= rank { probability[w - rank] } else { 0.0 };
            probability[w] = f64::midpoint(probability[w], with_rank);
        }
    }
    let mut sum = 0.0;
    for p in &mut probability {
        sum += *p;
        *p = sum;
    }
    probability
}

/// The Walsh averages (d_i + d_j) / 2, i <= j, of paired differences, with the null distribution that belongs to
/// them: an interval takes at least 6 differences for 95 %. A difference may be infinite; opposite infinities average to 0.
pub type Walsh = Inversion<Null>;

impl Walsh {
    /// All averages of `differences`, none of which may be NaN. Takes time and memory with the square of their number.
    #[must_use]
    pub fn new(differences: &[f64]) -> Walsh {
        let averages =
            differences.iter().enumerate().flat_map(|(i, &a)| differences[i..].iter().map(move |&b| mean_of_two(a, b)));
        Inversion::of(averages.collect(), Null::new(differences.len()))
    }
}

#[cfg(test)]
mod tests;
