//! `loadgen sweep`: a plan of many cells in bounded time. A few blocks everywhere say where the winner changes; there, and nowhere else,
//! as many as a verdict needs. Pure: which cells those are.

use std::collections::{BTreeMap, BTreeSet};

use common::report::comparison::{Cell, Comparison};
use serde_json::Value;

/// Blocks of the scouting.
pub const SCOUTING: u32 = 3;

/// The cells between which the winner changes, or is no longer to be seen: neighbours that differ in one swept key. Differences
/// within `margin` (a share) are none.
#[must_use]
pub fn beside_crossovers(comparison: &Comparison, margin: f64) -> BTreeSet<u32> {
    let keys: BTreeSet<&String> = comparison.cells.iter().flat_map(|cell| cell.parameters.keys()).collect();
    keys.into_iter().flat_map(|key| lines(&comparison.cells, key)).flat_map(|line| changes(&line, margin)).collect()
}

/// Cells that differ in `key` alone, each line by its values.
fn lines<'a>(cells: &'a [Cell], key: &str) -> Vec<Vec<&'a Cell>> {
    let mut lines: BTreeMap<String, Vec<&Cell>> = BTreeMap::new();
    for cell in cells {
        let mut others = cell.parameters.clone();
        others.remove(key);
        lines.entry(serde_json::to_string(&others).unwrap_or_default()).or_default().push(cell);
    }
    let mut lines: Vec<Vec<&Cell>> = lines.into_values().filter(|line| line.len() > 1).collect();
    for line in &mut lines {
        let number = |cell: &&Cell| cell.parameters.get(key).and_then(Value::as_f64);
        // Words have the order of the plan.
        if line.iter().all(|cell| number(cell).is_some()) {
            line.sort_by(|one, other| number(one).unwrap_or(0.0).total_cmp(&number(other).unwrap_or(0.0)));
        }
    }
    lines
}

fn changes(line: &[&Cell], margin: f64) -> Vec<u32> {
    let pairs = line.windows(2).filter(|pair| winners(pair[0], margin) != winners(pair[1], margin));
    pairs.flat_map(|pair| [pair[0].index, pair[1].index]).collect()
}

/// For every contender of the primary metric: ahead of the baseline (1), behind it (-1), or neither.
fn winners(cell: &Cell, margin: f64) -> Vec<i8> {
    let primary = cell.contrasts.iter().filter(|contrast| contrast.primary);
    let side = |ratio: Option<f64>| match ratio {
        Some(ratio) if ratio.ln() > margin.ln_1p() => 1,
        Some(ratio) if ratio.ln() < -margin.ln_1p() => -1,
        _ => 0,
    };
    primary.map(|contrast| side(contrast.ratio.value)).collect()
}
