//! The binomial distribution with probability 1/2, which the sign test and intervals of medians rest on.

/// Cumulative distribution of Bin(n, 1/2).
#[derive(Debug, Clone)]
pub struct FairBinomial {
    cumulative: Vec<f64>,
}

impl FairBinomial {
    /// The distribution for `n` fair coins. Takes n steps; exact to rounding, also where 2^-n underflows.
    #[must_use]
    pub fn new(n: usize) -> FairBinomial {
        let mut ln_probability = -(n as f64) * std::f64::consts::LN_2;
        let mut sum = 0.0;
        let cumulative = (0..=n)
            .map(|k| {
                sum += ln_probability.exp();
                ln_probability += ((n - k) as f64 / (k + 1) as f64).ln();
                sum
            })
            .collect();
        FairBinomial { cumulative }
    }

    /// P(X <= k).
    #[must_use]
    pub fn cdf(&self, k: usize) -> f64 {
        self.cumulative.get(k).copied().unwrap_or(1.0).min(1.0)
    }

    /// Largest k with 2 P(X <= k - 1) <= `alpha`: between the k-th smallest and the k-th largest of n values lies
    /// their median with confidence 1 - `alpha` at least. `None` where even the extremes do not suffice.
    #[must_use]
    pub fn interval_index(&self, alpha: f64) -> Option<usize> {
        let k = self.cumulative.iter().take_while(|&&p| 2.0 * p <= alpha).count();
        (k > 0).then_some(k)
    }
}

#[cfg(test)]
mod tests {
    use super::FairBinomial;

    #[test]
    fn agrees_with_counting_subsets() {
        for n in 0..=12usize {
            let binomial = FairBinomial::new(n);
            for k in 0..=n {
                let subsets = (0..1u32 << n).filter(|bits| bits.count_ones() as usize <= k).count();
                let exact = subsets as f64 / f64::from(1u32 << n);
                assert!((binomial.cdf(k) - exact).abs() < 1e-12, "n = {n}, k = {k}");
            }
        }
    }

    #[test]
    fn index_of_the_interval_of_a_median() {
        // Conover, Practical Nonparametric Statistics: order statistics that bound a median with 95 %.
        for (n, k) in
            [(5, None), (6, Some(1)), (8, Some(1)), (9, Some(2)), (10, Some(2)), (20, Some(6)), (30, Some(10))]
        {
            assert_eq!(FairBinomial::new(n).interval_index(0.05), k, "n = {n}");
        }
    }

    #[test]
    fn survives_thousands_of_coins() {
        let binomial = FairBinomial::new(5_000);
        assert!((binomial.cdf(2_500) - 0.505_642).abs() < 1e-5);
        assert!((binomial.cdf(5_000) - 1.0).abs() < 1e-9);
    }
}
