//! Contrasts in families: what all of them together make of the p of each, and how many blocks that takes.

use common::plan::{self, Metric, Plan};
use common::report::comparison::Contrast;

use super::{Measurable, is_compared, level, pairs};
use crate::contrast::{Adjusted, Measured, Pair};
use crate::format::counted;
use crate::stats::holm;
use crate::stats::level::Level;

/// Fewer blocks than this are worth making in none but a scouting bench.
const BLOCKS_WORTH_MAKING: u32 = 10;

/// The contrasts of every cell: of each contender the primary metric, then the others in the order of tables.
/// The primary ones of all cells that can have it are one family.
pub(super) fn contrasts(plan: &Plan, cells: &[Measurable<'_>], level: Level) -> Vec<Vec<Contrast>> {
    let cells = || plan.cells.iter().zip(cells);
    let measure = |(cell, &measurable): (&plan::Cell, &Measurable<'_>)| {
        let of_cell = cell.has(plan.primary).then(|| pairs(plan, measurable, level));
        of_cell.into_iter().flatten().map(|pair| pair.measure(plan.primary, true)).collect()
    };
    let mut primary = judged(cells().map(measure).collect()).into_iter();
    cells()
        .map(|(cell, &measurable)| {
            let mut primary = primary.next().unwrap_or_default().into_iter();
            let of_pair = |pair: Pair<'_>| {
                let secondary = Metric::ALL.into_iter().filter(|&metric| {
                    is_compared(cell, metric) && !metric.is_control() && metric != plan.primary && pair.has(metric)
                });
                let secondary: Vec<Contrast> =
                    secondary.map(|metric| pair.measure(metric, false).judge_alone()).collect();
                primary.next().into_iter().chain(secondary)
            };
            pairs(plan, measurable, level).flat_map(of_pair).collect()
        })
        .collect()
}

/// The negative controls of every cell, as far as they were measured: one family of their own.
pub(super) fn controls(plan: &Plan, cells: &[Measurable<'_>], level: Level) -> Vec<Vec<Contrast>> {
    let of_cell = |(cell, &measurable): (&plan::Cell, &Measurable<'_>)| {
        let of_pair = |pair: Pair<'_>| {
            let controls = Metric::ALL.into_iter().filter(|&metric| metric.is_control() && is_compared(cell, metric));
            controls.map(|metric| pair.measure(metric, false)).filter(Measured::is_measured).collect::<Vec<_>>()
        };
        pairs(plan, measurable, level).flat_map(of_pair).collect()
    };
    judged(plan.cells.iter().zip(cells).map(of_cell).collect())
}

/// The contrasts of all cells as one family.
fn judged(cells: Vec<Vec<Measured>>) -> Vec<Vec<Contrast>> {
    let members = || cells.iter().flatten();
    let family = |p: fn(&Measured) -> Option<f64>| holm::adjust(&members().map(p).collect::<Vec<_>>()).into_iter();
    let [mut p, mut p_same, mut p_least] = [Measured::p_value, Measured::p_same, Measured::p_least].map(family);
    let size = u32::try_from(members().count()).unwrap_or(u32::MAX);
    let mut judge = |measured: Measured| {
        let [p, p_same, p_least] = [&mut p, &mut p_same, &mut p_least].map(|adjusted| adjusted.next().flatten());
        measured.judge(Adjusted { p, p_same, p_least, family: size })
    };
    cells.into_iter().map(|cell| cell.into_iter().map(&mut judge).collect()).collect()
}

/// Primary contrasts of a bench, which p is adjusted for.
pub(crate) fn family(plan: &Plan) -> u32 {
    let cells = plan.cells.iter().filter(|cell| cell.has(plan.primary)).count();
    u32::try_from(cells * plan.variants.len().saturating_sub(1)).unwrap_or(u32::MAX)
}

/// Where `plan` asks for too few blocks for any word, even with its extension, the fewest that would do.
pub(crate) fn scouts(plan: &Plan) -> Option<u32> {
    let family = family(plan);
    let blocks_min = level(plan).blocks_min_of(family as usize);
    (family > 0 && plan.repeat.blocks_max() < blocks_min).then_some(blocks_min)
}

/// What is wrong with the number of blocks of `plan`: p is adjusted for all cells and contenders, and with too few blocks no
/// difference however large can be shown in any of them. `None` where they may do. Pure.
#[must_use]
pub fn too_few_blocks(plan: &Plan) -> Option<String> {
    let (family, repeat) = (family(plan), &plan.repeat);
    let (key, blocks) = repeat.extend_to.map_or(("repeat.blocks", repeat.blocks), |to| ("repeat.extend_to", to));
    scouts(plan).map(|blocks_min| {
        let contenders = plan.variants.len() as u64 - 1;
        let cells = u64::from(family) / contenders;
        let (because, fewer) = match family {
            1 => (String::new(), ""),
            _ => {
                let swept: Vec<&str> = plan.cells[0].parameters.keys().map(String::as_str).collect();
                let swept = if swept.is_empty() { String::new() } else { format!(" ({})", swept.join(", ")) };
                let (cells, contenders) = (counted(cells, "cell"), counted(contenders, "contender"));
                (format!(", because p is adjusted for {cells}{swept} x {contenders}"), ", or fewer cells")
            }
        };
        // An even number, so that orders are balanced, and ten at least, below which only the clearest differences show.
        let enough = blocks_min.next_multiple_of(2).max(BLOCKS_WORTH_MAKING);
        format!(
            "{key} = {blocks}: no difference can be shown, however large; that takes {blocks_min} or more{because}. This bench \
             scouts; for verdicts: --set {key}={enough}{fewer}"
        )
    })
}
