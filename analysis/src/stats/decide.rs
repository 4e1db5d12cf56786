//! What the numbers of a contrast allow to be said.

use super::signed_rank::Interval;

/// What may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The difference is inside the margin.
    Same,
    /// There is a difference.
    Different,
    /// Neither can be shown.
    Unknown,
}

/// The decision at the error rate `alpha`. `interval` is that of the log ratio; the p values are those after the
/// adjustment for their families, `None` where there was no test.
///
/// Sameness comes first: a difference that is there and does not matter is called what it means to the reader.
#[must_use]
pub fn decide(p: Option<f64>, p_same: Option<f64>, interval: Option<Interval>, alpha: f64) -> Decision {
    let rare = |p: Option<f64>| p.is_some_and(|p| p <= alpha);
    // With ties p can be small while the interval ends at exactly 0: no word contradicts the interval shown.
    let excludes_zero = interval.is_some_and(|interval| interval.low > 0.0 || interval.high < 0.0);
    if rare(p_same) {
        Decision::Same
    } else if rare(p) && excludes_zero {
        Decision::Different
    } else {
        Decision::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::{Decision, decide};
    use crate::stats::signed_rank::Interval;

    #[test]
    fn table() {
        let interval = |low, high| Some(Interval { low, high });
        for (p, p_same, bounds, alpha, expected) in [
            (Some(0.04), Some(0.9), interval(0.01, 0.2), 0.05, Decision::Different),
            (Some(0.04), Some(0.9), interval(-0.2, -0.01), 0.05, Decision::Different),
            (Some(0.04), Some(0.9), interval(0.01, 0.2), 0.03, Decision::Unknown),
            (Some(0.04), Some(0.9), interval(0.0, 0.2), 0.05, Decision::Unknown),
            (Some(0.04), Some(0.9), None, 0.05, Decision::Unknown),
            (Some(0.06), Some(0.05), interval(-0.01, 0.01), 0.05, Decision::Same),
            (Some(0.04), Some(0.01), interval(0.001, 0.01), 0.05, Decision::Same),
            (Some(0.06), Some(0.06), interval(-0.1, 0.1), 0.05, Decision::Unknown),
            (None, None, interval(0.01, 0.2), 0.05, Decision::Unknown),
        ] {
            assert_eq!(decide(p, p_same, bounds, alpha), expected, "{p:?}, {p_same:?}, {bounds:?}, {alpha}");
        }
    }
}
