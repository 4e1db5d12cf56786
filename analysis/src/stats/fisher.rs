//! Fisher's exact test: does something happen as often in one sample as in another?

/// Tables less likely than the observed one count, and so does one of the same likelihood, however it was rounded.
const ROUNDING: f64 = 1.0 + 1e-9;

/// Two-sided p of "as often": `hits` of `tries` against `other_hits` of `other_tries`, over all tables with the same margins
/// that are at most as likely as the observed one [Fisher 1934]. Hits beyond the tries count as so many.
#[must_use]
pub fn p_value(hits: u32, tries: u32, other_hits: u32, other_tries: u32) -> f64 {
    let (hits, other_hits) = (hits.min(tries), other_hits.min(other_tries));
    let all = u64::from(hits) + u64::from(other_hits);
    let (tries, other_tries) = (u64::from(tries), u64::from(other_tries));
    let lowest = all.saturating_sub(other_tries);
    let highest = all.min(tries);
    // Of each table relative to the first: C(tries, h) C(other_tries, all - h), by the quotient of neighbours.
    let mut likelihood = vec![1.0f64];
    for h in lowest..highest {
        let up = (tries - h) as f64 * (all - h) as f64;
        let down = (h + 1) as f64 * (other_tries + h + 1 - all) as f64;
        let next = likelihood[likelihood.len() - 1] * up / down;
        likelihood.push(next);
    }
    let observed = likelihood[(u64::from(hits) - lowest) as usize] * ROUNDING;
    let sum: f64 = likelihood.iter().sum();
    (likelihood.iter().filter(|&&l| l <= observed).sum::<f64>() / sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::p_value;

    #[test]
    fn table() {
        for (hits, tries, other_hits, other_tries, p) in [
            // Fisher's tea: 3 of 4 against 1 of 4.
            (3, 4, 1, 4, 34.0 / 70.0),
            (10, 10, 0, 10, 2.0 / 184_756.0),
            (10, 10, 10, 10, 1.0),
            (0, 10, 0, 10, 1.0),
            // 10 of 10 against 5 of 10: twice C(10, 5) / C(20, 5).
            (10, 10, 5, 10, 2.0 * 252.0 / 15_504.0),
            (0, 0, 3, 5, 1.0),
        ] {
            let found = p_value(hits, tries, other_hits, other_tries);
            assert!((found - p).abs() < 1e-9, "{hits}/{tries} {other_hits}/{other_tries}: {found}, expected {p}");
            assert!((p_value(other_hits, other_tries, hits, tries) - p).abs() < 1e-9);
        }
    }
}
