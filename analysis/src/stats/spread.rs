//! How far blocks scatter, what they could have detected, and how many would be needed.

use super::middle_of;

/// Standard deviation of a normal variable per median absolute deviation.
const MAD_TO_SIGMA: f64 = 1.4826;
/// Below this many blocks no two-sided 95 % verdict exists: 2 / 2^5 > 0.05.
pub const BLOCKS_MIN: u64 = 6;
/// Fewer differences than this say nothing of their own scatter.
const DIFFERENCES_MIN: usize = 3;

/// Smallest log ratio found with 80 % power, in units of [`sigma`], by number of blocks (simulated for the exact
/// signed-rank test at 5 %).
const DETECTABLE: [(u32, f64); 8] =
    [(6, 1.76), (8, 1.25), (10, 1.03), (12, 0.93), (16, 0.79), (20, 0.67), (30, 0.54), (40, 0.47)];
/// Beyond the table: this over the square root of the number.
const DETECTABLE_ASYMPTOTE: f64 = 2.95;

/// Robust standard deviation of one block's log ratio: 1.4826 x median absolute deviation.
/// `None` with fewer than three differences, or when half of them are unbounded.
#[must_use]
pub fn sigma(differences: &[f64]) -> Option<f64> {
    if differences.len() < DIFFERENCES_MIN {
        return None;
    }
    let centre = middle_of(differences.to_vec()).filter(|centre| centre.is_finite())?;
    let spread = middle_of(differences.iter().map(|d| (d - centre).abs()).collect())?;
    spread.is_finite().then_some(MAD_TO_SIGMA * spread)
}

/// Smallest log ratio that `blocks` blocks of standard deviation `sigma` would find with 80 % power.
/// `None` with fewer than six, which can find nothing.
#[must_use]
pub fn detectable(blocks: u32, sigma: f64) -> Option<f64> {
    let next = DETECTABLE.iter().position(|&(n, _)| blocks <= n);
    let factor = match next {
        Some(0) if u64::from(blocks) < BLOCKS_MIN => return None,
        Some(0) => DETECTABLE[0].1,
        Some(next) => {
            let ((n0, c0), (n1, c1)) = (DETECTABLE[next - 1], DETECTABLE[next]);
            c0 + (c1 - c0) * f64::from(blocks - n0) / f64::from(n1 - n0)
        }
        None => DETECTABLE_ASYMPTOTE / f64::from(blocks).sqrt(),
    };
    Some(factor * sigma)
}

/// Blocks that would show a centre of `log_ratio` as better or worse; `None` when there is nothing to show.
#[must_use]
pub fn blocks_needed_better(sigma: f64, log_ratio: f64) -> Option<u64> {
    blocks_needed(8.7, sigma, log_ratio)
}

/// Blocks that would show two equal variants as the same within `margin` (log ratio).
#[must_use]
pub fn blocks_needed_same(sigma: f64, margin: f64) -> Option<u64> {
    blocks_needed(9.5, sigma, margin)
}

fn blocks_needed(factor: f64, sigma: f64, distance: f64) -> Option<u64> {
    let needed = (factor * (sigma / distance).powi(2)).ceil() + 2.0;
    // A distance of 0 needs endlessly many; so, for all purposes, does one of a billionth of sigma.
    (needed.is_finite() && needed < 1e15).then_some((needed as u64).max(BLOCKS_MIN))
}

#[cfg(test)]
mod tests {
    use super::{blocks_needed_better, blocks_needed_same, detectable, sigma};

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
    fn detectable_follows_the_table_and_its_asymptote() {
        let check = |n: u32, expected: Option<f64>| match (detectable(n, 1.0), expected) {
            (Some(a), Some(e)) => assert!((a - e).abs() < 1e-9, "{n}: {a}"),
            (a, e) => assert_eq!(a, e, "{n}"),
        };
        for n in 0..6 {
            check(n, None);
        }
        for (n, c) in [(6, 1.76), (8, 1.25), (10, 1.03), (12, 0.93), (16, 0.79), (20, 0.67), (30, 0.54), (40, 0.47)] {
            check(n, Some(c));
        }
        check(7, Some(1.505));
        check(25, Some(0.605));
        check(100, Some(0.295));
    }

    #[test]
    fn needed_blocks() {
        assert_eq!(blocks_needed_better(0.07, 0.05), Some(20));
        assert_eq!(blocks_needed_better(0.07, -0.05), Some(20));
        assert_eq!(blocks_needed_better(0.07, 0.0), None);
        assert_eq!(blocks_needed_better(0.0, 0.0), None);
        assert_eq!(blocks_needed_better(0.0, 0.1), Some(6));
        assert_eq!(blocks_needed_better(0.07, f64::INFINITY), Some(6));
        assert_eq!(blocks_needed_same(0.07, 1.03f64.ln()), Some(56));
    }
}
