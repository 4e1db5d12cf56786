//! Two one-sided tests: are the differences inside a margin?

use super::inversion::{Inversion, NullLaw};

/// p of "the effect lies at -`margin` or below, or at `margin` or above": small where the two are the same.
/// `margin` is a log ratio above 0.
#[must_use]
pub fn p_same<N: NullLaw>(effect: &Inversion<N>, margin: f64) -> f64 {
    effect.p_above(-margin).max(effect.p_below(margin))
}

#[cfg(test)]
mod tests {
    use super::p_same;
    use crate::stats::signed_rank::Walsh;

    /// ln 1.03
    const MARGIN: f64 = 0.029_558_802_241_544_4;

    #[test]
    fn table() {
        let around = |centre: f64| Walsh::new(&[-4.0, -3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 4.0].map(|x| centre + x / 1e3));
        // All eight on the inner side of both margins: the smallest p that eight blocks can give, 1/2^8.
        assert!((p_same(&around(0.0), MARGIN) - 1.0 / 256.0).abs() < 1e-12);
        assert!((p_same(&around(0.02), MARGIN) - 1.0 / 256.0).abs() < 1e-12);
        // Centred on the margin: no better than a coin.
        assert!(p_same(&around(MARGIN), MARGIN) > 0.4);
        assert!(p_same(&around(-MARGIN), MARGIN) > 0.4);
        // Well outside.
        assert!(p_same(&around(0.1), MARGIN) > 0.99);
    }

    #[test]
    fn unbounded_differences_are_no_sameness() {
        let mut differences = vec![0.0; 8];
        assert!(p_same(&Walsh::new(&differences), MARGIN) < 0.01);
        differences.extend([f64::INFINITY, f64::INFINITY]);
        assert!(p_same(&Walsh::new(&differences), MARGIN) > 0.05);
    }
}
