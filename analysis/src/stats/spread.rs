//! How far blocks scatter, what they could have detected, and how many would be needed.

use super::level::Level;
use super::middle_of;

/// Standard deviation of a normal variable per median absolute deviation: 1 / z(0.75).
const MAD_TO_SIGMA: f64 = 1.4826;
/// A scatter up to this is that of rounding: at least half of the blocks have the same ratio, and how the others scatter is not
/// known. What could have been detected, and how many blocks would, does not follow from it.
pub const NOTHING: f64 = 1e-12;
/// Fewer values than this say nothing of their own scatter.
pub(super) const VALUES_MIN: usize = 3;

/// Robust standard deviation of one block's log ratio: 1.4826 x median absolute deviation.
/// `None` with fewer than three differences, or when half of them are unbounded.
#[must_use]
pub fn sigma(differences: &[f64]) -> Option<f64> {
    if differences.len() < VALUES_MIN {
        return None;
    }
    let centre = middle_of(differences.to_vec()).filter(|centre| centre.is_finite())?;
    of_distances(differences.iter().map(|d| (d - centre).abs()).collect())
}

/// Robust standard deviation, from the distances of values from their median; `None` when half of them are unbounded.
pub(super) fn of_distances(distances: Vec<f64>) -> Option<f64> {
    middle_of(distances).map(|distance| MAD_TO_SIGMA * distance).filter(|sigma| sigma.is_finite())
}

/// The scatter to reckon with: `own` of these blocks, or that of the host's A/A benches where it is larger, for few
/// blocks can lie close together by chance. `None` when neither is known.
#[must_use]
pub fn sigma_to_reckon_with(own: Option<f64>, of_host: Option<f64>) -> Option<f64> {
    own.map_or(of_host, |own| Some(own.max(of_host.unwrap_or(0.0))))
}

/// Smallest log ratio that `blocks` blocks of standard deviation `sigma` would find with 80 % power at one look.
/// `None` with so few that they can find nothing.
#[must_use]
pub fn detectable(blocks: u32, sigma: f64, level: &Level) -> Option<f64> {
    if blocks < level.blocks_min {
        return None;
    }
    Some(interpolated(level.detectable, level.detectable_asymptote, blocks.into()) * sigma)
}

/// A factor by a number of blocks or runs, from a table of both, ascending: between its rows in proportion, before them the
/// first, and beyond them `asymptote` over the square root of the number.
pub(super) fn interpolated(table: &[(f64, f64)], asymptote: f64, size: f64) -> f64 {
    match table.iter().position(|&(known, _)| size <= known) {
        Some(0) => table[0].1,
        Some(next) => {
            let ((n0, c0), (n1, c1)) = (table[next - 1], table[next]);
            c0 + (c1 - c0) * (size - n0) / (n1 - n0)
        }
        None => asymptote / size.sqrt(),
    }
}

/// Blocks that would show a centre of `log_ratio` as better or worse; `None` when there is nothing to show.
#[must_use]
pub fn blocks_needed_better(sigma: f64, log_ratio: f64, level: &Level) -> Option<u64> {
    blocks_needed(level.needed_better, sigma, log_ratio, level)
}

/// Blocks that would show two equal variants as the same within `margin` (log ratio).
#[must_use]
pub fn blocks_needed_same(sigma: f64, margin: f64, level: &Level) -> Option<u64> {
    blocks_needed(level.needed_same, sigma, margin, level)
}

fn blocks_needed(factor: f64, sigma: f64, distance: f64, level: &Level) -> Option<u64> {
    let needed = (factor * (sigma / distance).powi(2)).ceil() + 2.0;
    // A distance of 0 needs endlessly many; so, for all purposes, does one of a billionth of sigma.
    (needed.is_finite() && needed < 1e15).then_some((needed as u64).max(level.blocks_min.into()))
}

#[cfg(test)]
mod tests {
    use super::{blocks_needed_better, blocks_needed_same, detectable, sigma, sigma_to_reckon_with};
    use crate::stats::level::Level;

    #[test]
    fn sigma_is_scaled_mad() {
        let check = |d: &[f64], expected: Option<f64>| match (sigma(d), expected) {
            (Some(a), Some(e)) => assert!((a - e).abs() < 1e-12, "{d:?}: {a}"),
            (a, e) => assert_eq!(a, e, "{d:?}"),
        };
        let inf = f64::INFINITY;
        check(&[], None);
        check(&[1.0, 2.0], None);
        check(&[1.0, 2.0, 4.0], Some(1.4826));
        check(&[0.5, 0.5, 0.5], Some(0.0));
        check(&[1.0, 2.0, 3.0, 4.0, 100.0], Some(1.4826));
        check(&[1.0, 2.0, 3.0, 4.0, inf], Some(1.4826));
        check(&[1.0, -inf, inf, inf], None);
        check(&[1.0, inf, -inf], None);
    }

    #[test]
    fn the_larger_scatter_counts() {
        for (own, of_host, expected) in [
            (None, None, None),
            (Some(0.07), None, Some(0.07)),
            (None, Some(0.05), Some(0.05)),
            (Some(0.07), Some(0.05), Some(0.07)),
            (Some(0.03), Some(0.05), Some(0.05)),
        ] {
            assert_eq!(sigma_to_reckon_with(own, of_host), expected);
        }
    }

    #[test]
    fn detectable_follows_the_table_and_its_asymptote() {
        let check = |level: &Level, n: u32, expected: Option<f64>| match (detectable(n, 1.0, level), expected) {
            (Some(a), Some(e)) => assert!((a - e).abs() < 1e-9, "{n}: {a}"),
            (a, e) => assert_eq!(a, e, "{n}"),
        };
        let once = &Level::ONE_LOOK;
        for n in 0..6 {
            check(once, n, None);
        }
        for (n, c) in [(6, 1.76), (8, 1.25), (10, 1.03), (12, 0.93), (16, 0.79), (20, 0.67), (30, 0.54), (40, 0.47)] {
            check(once, n, Some(c));
        }
        check(once, 7, Some(1.505));
        check(once, 25, Some(0.605));
        check(once, 100, Some(0.295));
        check(&Level::TWO_LOOKS, 6, None);
        check(&Level::TWO_LOOKS, 100, Some(0.317));
    }

    /// Two looks need more of everything; the tables fall, and meet their asymptotes.
    #[test]
    fn levels_are_in_order() {
        for n in 8..200 {
            let [once, twice] = [Level::ONE_LOOK, Level::TWO_LOOKS].map(|level| detectable(n, 1.0, &level).unwrap());
            assert!(once < twice, "{n}");
            for level in [Level::ONE_LOOK, Level::TWO_LOOKS] {
                assert!(detectable(n + 1, 1.0, &level) <= detectable(n, 1.0, &level), "{n}");
            }
        }
    }

    #[test]
    fn needed_blocks() {
        let once = &Level::ONE_LOOK;
        assert_eq!(blocks_needed_better(0.07, 0.05, once), Some(20));
        assert_eq!(blocks_needed_better(0.07, -0.05, once), Some(20));
        assert_eq!(blocks_needed_better(0.07, 0.0, once), None);
        assert_eq!(blocks_needed_better(0.0, 0.0, once), None);
        assert_eq!(blocks_needed_better(0.0, 0.1, once), Some(6));
        assert_eq!(blocks_needed_better(0.07, f64::INFINITY, once), Some(6));
        assert_eq!(blocks_needed_same(0.07, 1.03f64.ln(), once), Some(56));
        assert_eq!(blocks_needed_better(0.0, 0.1, &Level::TWO_LOOKS), Some(7));
        assert_eq!(blocks_needed_better(0.07, 0.05, &Level::TWO_LOOKS), Some(22));
    }
}
