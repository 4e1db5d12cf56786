//! The exact sign test: does one of two keep up in more blocks?

use super::binomial::FairBinomial;

/// Two-sided p of "both are equally likely to be the only one": min(1, 2 P(Bin(u + v, 1/2) <= min(u, v))).
#[must_use]
pub fn p_value(only_first: u32, only_second: u32) -> f64 {
    let coins = FairBinomial::new((only_first + only_second) as usize);
    (2.0 * coins.cdf(only_first.min(only_second) as usize)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::p_value;

    #[test]
    fn table() {
        for (u, v, p) in
            [(0, 0, 1.0), (1, 0, 1.0), (0, 5, 0.0625), (6, 0, 0.031_25), (3, 3, 1.0), (10, 2, 0.038_574_218_75)]
        {
            assert!((p_value(u, v) - p).abs() < 1e-12, "{u} and {v}: {}", p_value(u, v));
            assert!((p_value(v, u) - p).abs() < 1e-12, "{v} and {u}");
        }
    }
}
