//! Why neither a difference nor sameness was shown, though everything was measured, and what would show one.

use common::report::comparison::Contrast;

use crate::format::{counted, p_equals, percent, percent_of_log};

/// How often so many blocks show what they are needed for, and a detectable difference is found: power 80 %.
pub(crate) const MOSTLY: &str = "in four cases of five";

/// Blocks that would show the observed difference, and blocks that would show sameness, where they are more than there were.
pub(crate) fn needed(contrast: &Contrast) -> [Option<u64>; 2] {
    [contrast.blocks_needed_better, contrast.blocks_needed_same]
        .map(|needed| needed.filter(|&needed| needed > u64::from(contrast.n)))
}

/// That numbers of blocks are of a test by itself; nothing where it is alone. `family`: primary contrasts of the bench.
pub(crate) fn unadjusted(family: u32) -> String {
    match family {
        0 | 1 => String::new(),
        _ => format!(", more after adjustment for {family} contrasts"),
    }
}

/// Why `contrast` has no word, in which the blocks that it has should have been enough by their scatter. `margin` is a share.
pub(crate) fn beyond_numbers(contrast: &Contrast, margin: f64, alpha: f64) -> String {
    let rare = |p: Option<f64>| p.filter(|&p| p <= alpha);
    if let Some(p) = rare(contrast.p_value).filter(|_| contrast.p_adjusted != contrast.p_value) {
        return format!(
            "a difference by itself ({}), and none after adjustment for the other contrasts",
            p_equals("p", p)
        );
    }
    if let Some(p) = rare(contrast.p_same).filter(|_| contrast.p_same_adjusted != contrast.p_same) {
        let p = p_equals("p of a larger difference", p);
        return format!(
            "the same within {} by itself ({p}), and not after adjustment for the other contrasts",
            percent(margin)
        );
    }
    let Some(scatter) = contrast.noise_floor.filter(|_| contrast.detectable.is_some()) else {
        return "the scatter of the blocks cannot be told, for half of them are alike or unbounded: how many would do is not \
                known"
            .to_owned();
    };
    let near = contrast.ratio.value.is_some_and(|ratio| ratio.ln().abs() < 2.0 * margin.ln_1p());
    if near {
        return format!("the difference lies too close to the margin of {} for these blocks", percent(margin));
    }
    format!(
        "some blocks lie far from the others, of which most scatter by {} only: more blocks would tell whether they belong",
        percent_of_log(scatter)
    )
}

/// Everything that the blocks could have shown, and how many more would show something.
pub(super) fn why(contrast: &Contrast, margin: f64, alpha: f64, family: u32) -> String {
    let mut parts = Vec::new();
    if let Some(detectable) = contrast.detectable {
        let by_itself = if family > 1 { ", without adjustment" } else { "" };
        parts.push(format!("differences of {} would have been seen {MOSTLY}{by_itself}", percent_of_log(detectable)));
    }
    let blocks = |blocks: u64| counted(blocks, "block");
    let same = |needed: u64| format!("{} to show sameness within {}", blocks(needed), percent(margin));
    let difference = |needed: u64| format!("{} to show the observed difference", blocks(needed));
    let needed = match needed(contrast) {
        [Some(better), Some(equal)] => Some(format!("{}, {}", difference(better), same(equal))),
        [Some(better), None] => Some(difference(better)),
        [None, Some(equal)] => Some(same(equal)),
        [None, None] => None,
    };
    parts.push(match needed {
        Some(needed) => format!("about {needed}, {MOSTLY}{}", unadjusted(family)),
        None => beyond_numbers(contrast, margin, alpha),
    });
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use common::plan::Metric;
    use common::report::comparison::{Contrast, ContrastVerdict, Ratio};

    use super::why;

    /// Ten blocks with this ratio, p, adjusted p and scatter.
    fn contrast(ratio: f64, p: [f64; 2], noise_floor: Option<f64>) -> Contrast {
        let detectable = noise_floor.filter(|&sigma| sigma > 0.0).map(|sigma| 1.03 * sigma);
        Contrast {
            metric: Metric::CpuUsPerTask,
            primary: true,
            baseline: "threads".to_owned(),
            contender: "async".to_owned(),
            ratio: Ratio { value: Some(ratio), low: None, high: None },
            p_value: Some(p[0]),
            p_adjusted: Some(p[1]),
            p_same: Some(0.9),
            p_same_adjusted: Some(1.0),
            noise_floor,
            detectable,
            blocks_needed_better: None,
            blocks_needed_same: detectable.map(|_| 8),
            order_effect: None,
            n: 10,
            calibrated: false,
            aa: None,
            verdict: ContrastVerdict::Unknown,
            cause: None,
            reason: String::new(),
        }
    }

    /// Only a difference near the margin is said to lie there, and no scatter of nothing detects differences of nothing.
    #[test]
    fn what_keeps_enough_blocks_from_a_word_is_said_as_it_is() {
        let said = |contrast: &Contrast| why(contrast, 0.03, 0.05, 1);
        insta::assert_snapshot!(said(&contrast(0.975, [0.2, 0.2], Some(0.02))), @"differences of 2.1 % would have been seen in four cases of five; the difference lies too close to the margin of 3 % for these blocks");
        insta::assert_snapshot!(said(&contrast(0.7, [0.2, 0.2], Some(0.02))), @"differences of 2.1 % would have been seen in four cases of five; some blocks lie far from the others, of which most scatter by 2 % only: more blocks would tell whether they belong");
        insta::assert_snapshot!(said(&contrast(0.7, [0.02, 0.2], Some(0.02))), @"differences of 2.1 % would have been seen in four cases of five; a difference by itself (p = 0.020), and none after adjustment for the other contrasts");
        insta::assert_snapshot!(said(&contrast(0.7, [0.2, 0.2], Some(0.0))), @"the scatter of the blocks cannot be told, for half of them are alike or unbounded: how many would do is not known");
        insta::assert_snapshot!(said(&contrast(0.7, [0.2, 0.2], None)), @"the scatter of the blocks cannot be told, for half of them are alike or unbounded: how many would do is not known");
        let many = Contrast { blocks_needed_better: Some(30), ..contrast(0.97, [0.2, 0.2], Some(0.05)) };
        insta::assert_snapshot!(why(&many, 0.03, 0.05, 5), @"differences of 5.3 % would have been seen in four cases of five, without adjustment; about 30 blocks to show the observed difference, in four cases of five, more after adjustment for 5 contrasts");
    }
}
