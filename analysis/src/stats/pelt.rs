//! Where a series changes its level or its scatter: PELT [Killick, Fearnhead, Eckley 2012], for normal values of unknown mean
//! and variance, with the penalty of Krun's `warmup_stats` [Barrett et al. 2017].

use std::ops::Range;

/// Per change, times the logarithm of the number of values.
const PENALTY: f64 = 15.0;
/// A variance needs two.
const LENGTH_MIN: usize = 2;
/// A segment scatters by this share of the overall mean at least: values that are equal by rounding are no certainty.
const SCATTER_MIN: f64 = 1e-3;

/// The segments of `values`, in order: each of at least two values, unless there are fewer in all. The cheapest way to cut them
/// up, where a segment of n values with variance v costs n (ln(2 pi v) + 1), and each cut 15 ln(number of values).
#[must_use]
pub fn segments(values: &[f64]) -> Vec<Range<usize>> {
    let n = values.len();
    if n < 2 * LENGTH_MIN {
        return std::iter::once(0..n).filter(|whole| !whole.is_empty()).collect();
    }
    let cost = Cost::new(values);
    let penalty = PENALTY * (n as f64).ln();
    // The least cost of the first `end` values, and where their last segment begins.
    let mut best = vec![f64::INFINITY; n + 1];
    let mut begins = vec![0; n + 1];
    best[0] = -penalty;
    let mut candidates = vec![0];
    for end in LENGTH_MIN..=n {
        // Where a cut just far enough away is cheaper now, it stays so whatever comes.
        let cut = end - LENGTH_MIN;
        candidates.retain(|&begin| cut < begin + LENGTH_MIN || best[begin] + cost.of(begin..cut) <= best[cut]);
        for &begin in candidates.iter().filter(|&&begin| end - begin >= LENGTH_MIN) {
            let whole = best[begin] + cost.of(begin..end) + penalty;
            if whole < best[end] {
                (best[end], begins[end]) = (whole, begin);
            }
        }
        candidates.push(end);
    }
    let mut cuts = Vec::new();
    let mut end = n;
    while end > 0 {
        cuts.push(begins[end]..end);
        end = begins[end];
    }
    cuts.reverse();
    cuts
}

/// Sums up to every value, so that a segment's variance takes no loop.
struct Cost {
    sums: Vec<(f64, f64)>,
    variance_min: f64,
}

impl Cost {
    fn new(values: &[f64]) -> Cost {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let mut sums = vec![(0.0, 0.0)];
        let mut sum = (0.0, 0.0);
        for value in values {
            // From the mean: squares of large numbers cancel.
            let value = value - mean;
            sum = (sum.0 + value, sum.1 + value * value);
            sums.push(sum);
        }
        let variance_min = (SCATTER_MIN * mean).powi(2).max(f64::MIN_POSITIVE);
        Cost { sums, variance_min }
    }

    fn of(&self, range: Range<usize>) -> f64 {
        let n = range.len() as f64;
        let ((s0, q0), (s1, q1)) = (self.sums[range.start], self.sums[range.end]);
        let variance = ((q1 - q0) / n - ((s1 - s0) / n).powi(2)).max(self.variance_min);
        n * ((std::f64::consts::TAU * variance).ln() + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};
    use proptest::{prop_assert, prop_assert_eq};

    use super::{Cost, LENGTH_MIN, PENALTY, segments};

    /// A level with a small scatter that repeats nothing.
    fn level(mean: f64, n: usize) -> impl Iterator<Item = f64> {
        (0..n).map(move |i| mean * (1.0 + 0.02 * (i as f64 * 2.399_963).sin()))
    }

    fn bounds(values: &[f64]) -> Vec<(usize, usize)> {
        segments(values).into_iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn levels_are_told_apart_and_one_level_is_left_whole() {
        assert_eq!(bounds(&[]), []);
        assert_eq!(bounds(&[1.0, 9.0, 1.0]), [(0, 3)]);
        assert_eq!(bounds(&level(300.0, 240).collect::<Vec<_>>()), [(0, 240)]);
        assert_eq!(bounds(&[5.0; 100]), [(0, 100)]);
        let values: Vec<f64> = level(900.0, 8).chain(level(300.0, 232)).collect();
        assert_eq!(bounds(&values), [(0, 8), (8, 240)]);
        let values: Vec<f64> = level(300.0, 100).chain(level(330.0, 60)).chain(level(300.0, 80)).collect();
        assert_eq!(bounds(&values), [(0, 100), (100, 160), (160, 240)]);
    }

    /// Every way to cut a short series up.
    fn cheapest(values: &[f64]) -> f64 {
        let (n, cost) = (values.len(), Cost::new(values));
        let penalty = PENALTY * (n as f64).ln();
        let mut best = vec![f64::INFINITY; n + 1];
        best[0] = -penalty;
        for end in LENGTH_MIN..=n {
            for begin in 0..=end - LENGTH_MIN {
                best[end] = best[end].min(best[begin] + cost.of(begin..end) + penalty);
            }
        }
        best[n]
    }

    proptest! {
        #[test]
        fn leaving_candidates_out_loses_nothing(values in prop::collection::vec(1.0..1000.0f64, 4..60), step in 0..60usize) {
            let values: Vec<f64> =
                values.iter().enumerate().map(|(i, v)| if i < step { v + 5_000.0 } else { *v }).collect();
            let found = segments(&values);
            let cost = Cost::new(&values);
            let penalty = PENALTY * (values.len() as f64).ln();
            let total: f64 = found.iter().map(|range| cost.of(range.clone())).sum::<f64>() + penalty * (found.len() - 1) as f64;
            prop_assert!((total - cheapest(&values)).abs() < 1e-6 * total.abs().max(1.0));
            prop_assert_eq!(found[0].start, 0);
            prop_assert_eq!(found[found.len() - 1].end, values.len());
            prop_assert!(found.windows(2).all(|pair| pair[0].end == pair[1].start));
            prop_assert!(found.iter().all(|range| range.len() >= LENGTH_MIN));
        }
    }
}
