//! Negative controls: what should be the same whatever the variants are. Where it is not, something else than the variants
//! made a difference, and no other difference of the cell is put down to them.

use common::report::comparison::{Answer, Contrast, ContrastVerdict};

use crate::aa::in_place;
use crate::format::{p_equals, ratio_or_unbounded};
use crate::metric::wording;

/// Puts a warning in place of what is recommended in a cell whose controls are better or worse, and over all cells when those of
/// any are: they are one family.
pub(crate) fn overrule(cells: Vec<Answer>, overall: Answer, controls: &[Vec<Contrast>]) -> (Vec<Answer>, Answer) {
    let several = controls.len() > 1;
    let mut all = Vec::new();
    let mut answers = Vec::new();
    for (number, (cell, controls)) in cells.into_iter().zip(controls).enumerate() {
        let broken: Vec<String> = controls.iter().filter(|control| is_broken(control)).map(sentence).collect();
        let place = if several { format!("cell {number}, ") } else { String::new() };
        all.extend(broken.iter().map(|sentence| format!("{place}{sentence}")));
        answers.push(if broken.is_empty() { cell } else { in_place(cell, warning(&broken)) });
    }
    let overall = if all.is_empty() { overall } else { in_place(overall, warning(&all)) };
    (answers, overall)
}

fn warning(broken: &[String]) -> String {
    format!(
        "WARNING, nothing is recommended: what no variant should change has changed ({}), so that other differences cannot be put \
         down to the variants",
        broken.join("; ")
    )
}

fn is_broken(control: &Contrast) -> bool {
    matches!(control.verdict, ContrastVerdict::Better | ContrastVerdict::Worse)
}

/// "server time per command, async / threads: ratio 1.060, 95 % interval 1.041 to 1.082, adjusted p = 0.004"
fn sentence(control: &Contrast) -> String {
    let [value, low, high] = [control.ratio.value, control.ratio.low, control.ratio.high].map(ratio_or_unbounded);
    let p = control.p_adjusted.map_or_else(String::new, |p| format!(", {}", p_equals("adjusted p", p)));
    format!(
        "{}, {} / {}: ratio {value}, 95 % interval {low} to {high}{p}",
        wording(control.metric).label,
        control.contender,
        control.baseline
    )
}
