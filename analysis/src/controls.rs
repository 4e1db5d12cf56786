//! Negative controls: what should be the same whatever the variants are. Where it is not, something else than the variants
//! made a difference, and no other difference of the cell is put down to them.

use common::report::comparison::{Answer, Contrast, ContrastVerdict};

use crate::aa::in_place;
use crate::format::{p_equals, percent, ratio_or_unbounded};
use crate::metric::wording;
use crate::stats::level::Level;

/// Puts a warning in place of what is recommended in a cell whose controls are better or worse, and over all cells when those of
/// any are: they are one family. Controls that were not shown to be the same either are noted: they vouch for nothing.
pub(crate) fn overrule(
    cells: Vec<Answer>,
    overall: Answer,
    controls: &[Vec<Contrast>],
    level: Level,
) -> (Vec<Answer>, Answer) {
    let several = controls.len() > 1;
    let mut all = Vec::new();
    let mut answers = Vec::new();
    for (number, (mut cell, controls)) in cells.into_iter().zip(controls).enumerate() {
        let broken: Vec<String> =
            controls.iter().filter(|control| is_broken(control)).map(|control| sentence(control, level)).collect();
        let place = if several { format!("cell {number}, ") } else { String::new() };
        all.extend(broken.iter().map(|sentence| format!("{place}{sentence}")));
        cell.notes.extend(silent(std::slice::from_ref(controls), level));
        answers.push(if broken.is_empty() { cell } else { in_place(cell, warning(&broken)) });
    }
    let mut overall = if all.is_empty() { overall } else { in_place(overall, warning(&all)) };
    overall.notes.extend(silent(controls, level));
    (answers, overall)
}

/// That controls were shown neither to change nor to be the same: of each the widest interval, within which a disturbance may lie.
fn silent(cells: &[Vec<Contrast>], level: Level) -> Option<String> {
    let unknown = || cells.iter().flatten().filter(|control| control.verdict == ContrastVerdict::Unknown);
    let mut widest: Vec<&Contrast> = Vec::new();
    for control in unknown() {
        match widest.iter_mut().find(|known| known.metric == control.metric) {
            Some(known) if width(control) > width(known) => *known = control,
            Some(_) => {}
            None => widest.push(control),
        }
    }
    let named = widest.iter().map(|control| {
        let label = wording(control.metric).label;
        if control.n < level.blocks_min {
            return format!("{label} (too few blocks for an interval)");
        }
        let [low, high] = [control.ratio.low, control.ratio.high].map(ratio_or_unbounded);
        format!("{label} ({} interval of the ratio {low} to {high})", percent(level.confidence))
    });
    let named: Vec<String> = named.collect();
    // An idle cell has none.
    let controlled = cells.iter().filter(|cell| !cell.is_empty()).count();
    let place = match controlled {
        1 => String::new(),
        of => {
            let silent = |cell: &&Vec<Contrast>| cell.iter().any(|one| one.verdict == ContrastVerdict::Unknown);
            format!(" in {} of {of} cells, at widest", cells.iter().filter(silent).count())
        }
    };
    (!named.is_empty()).then(|| {
        format!("negative controls that neither changed nor were shown to be the same{place}: {}", named.join(", "))
    })
}

/// Of an interval, as a log ratio.
fn width(control: &Contrast) -> f64 {
    control.ratio.low.zip(control.ratio.high).map_or(f64::INFINITY, |(low, high)| (high / low).ln())
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
fn sentence(control: &Contrast, level: Level) -> String {
    let [value, low, high] = [control.ratio.value, control.ratio.low, control.ratio.high].map(ratio_or_unbounded);
    let p = control.p_adjusted.map_or_else(String::new, |p| format!(", {}", p_equals("adjusted p", p)));
    format!(
        "{}, {} / {}: ratio {value}, {} interval {low} to {high}{p}",
        wording(control.metric).label,
        control.contender,
        control.baseline,
        percent(level.confidence)
    )
}
