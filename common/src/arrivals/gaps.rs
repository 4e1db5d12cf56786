//! How arrivals follow each other: even, by chance, or in lumps.

use std::ops::Range;

/// What can be said of the instants in an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gaps {
    /// Mean time between neighbours, seconds; `None` with fewer than two arrivals, as the next one.
    pub mean_s: Option<f64>,
    /// Their standard deviation over their mean: 0 when even, 1 when exponential.
    pub cv: Option<f64>,
    /// Index of dispersion of counts in bins of 10 ms.
    pub dispersion_10ms: Option<f64>,
    /// In bins of 100 ms.
    pub dispersion_100ms: Option<f64>,
}

impl Gaps {
    /// Of ascending `instants_ns` in `within_ns`.
    #[must_use]
    pub fn of(instants_ns: &[u64], within_ns: Range<u64>) -> Gaps {
        let gaps = || instants_ns.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e9);
        let n = instants_ns.len().saturating_sub(1) as f64;
        let mean_s = (n > 0.0).then(|| gaps().sum::<f64>() / n);
        let cv = mean_s
            .filter(|&mean_s| mean_s > 0.0)
            .map(|mean_s| (gaps().map(|gap_s| (gap_s - mean_s).powi(2)).sum::<f64>() / n).sqrt() / mean_s);
        let dispersion = |bin_ns| dispersion(&counts(instants_ns, &within_ns, bin_ns));
        Gaps { mean_s, cv, dispersion_10ms: dispersion(10_000_000), dispersion_100ms: dispersion(100_000_000) }
    }
}

/// How many of `instants_ns` lie in each whole bin of `bin_ns` from the begin of `within_ns` on.
fn counts(instants_ns: &[u64], within_ns: &Range<u64>, bin_ns: u64) -> Vec<u64> {
    let mut counts = vec![0; ((within_ns.end - within_ns.start) / bin_ns) as usize];
    for &at_ns in instants_ns.iter().filter(|at_ns| within_ns.contains(at_ns)) {
        if let Some(count) = counts.get_mut(((at_ns - within_ns.start) / bin_ns) as usize) {
            *count += 1;
        }
    }
    counts
}

/// Index of dispersion (Cox and Lewis 1966): variance over mean of the `counts` in bins of the same length. 0 when even, 1
/// for Poisson, more when arrivals come in lumps or their rate changes. `None` with fewer than two bins, or nothing in
/// them.
#[must_use]
pub fn dispersion(counts: &[u64]) -> Option<f64> {
    let mean = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    let squares: f64 = counts.iter().map(|&count| (count as f64 - mean).powi(2)).sum();
    (counts.len() >= 2 && mean > 0.0).then(|| squares / (counts.len() - 1) as f64 / mean)
}

#[cfg(test)]
mod tests {
    use super::{Gaps, counts, dispersion};

    #[test]
    fn two_bins_of_three_and_one() {
        let instants = [100, 101, 104, 115, 120];
        assert_eq!(counts(&instants, &(100..125), 10), [3, 1]);
        assert_eq!(
            [dispersion(&[3, 1]), dispersion(&[3]), dispersion(&[]), dispersion(&[0, 0])],
            [Some(1.0), None, None, None]
        );
    }

    #[test]
    fn even_gaps_do_not_vary() {
        let instants: Vec<u64> = (0..1000).map(|i| i * 1_000_000).collect();
        let gaps = Gaps::of(&instants, 0..1_000_000_000);
        assert!((gaps.mean_s.unwrap() - 0.001).abs() < 1e-12 && gaps.cv.unwrap() < 1e-12, "{gaps:?}");
        assert_eq!((gaps.dispersion_10ms, gaps.dispersion_100ms), (Some(0.0), Some(0.0)));
        assert_eq!(Gaps::of(&[5], 0..10).mean_s, None);
    }
}
