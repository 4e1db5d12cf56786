//! The cells of a sweep as tables: of a grid one, a key across, the combinations of the others down; of a star one row for every key.

use std::collections::BTreeMap;

use common::report::comparison::{Cell, Comparison};
use serde_json::Value;

use super::frame::value_text;
use crate::metric::Unit;

/// Keys that go across when several have as many values: what people turn first.
const PREFERRED: [&str; 3] = ["workers.count", "load.rate_per_s", "redis.rtt_us"];

/// A sweep.
pub(super) struct Swept<'a> {
    /// What goes across.
    pub(super) key: String,
    /// Its values: by size where all are numbers, else in the plan's order.
    pub(super) values: Vec<Value>,
    /// At least one.
    pub(super) rows: Vec<Row<'a>>,
}

/// Cells that differ in one key only.
pub(super) struct Row<'a> {
    /// `redis.rtt_us = 200`; empty where no other key is swept.
    pub(super) name: String,
    /// One for every value, where the comparison has it.
    pub(super) cells: Vec<Option<&'a Cell>>,
}

/// The cell of a star from which every other differs in one key; `None` where the cells are none.
pub(super) fn centre(comparison: &Comparison) -> Option<&Cell> {
    let near = |one: &Cell, other: &Cell| differing(one, other).count() <= 1;
    let several = swept(comparison).values().filter(|values| values.len() > 1).count() > 1;
    comparison.cells.iter().find(|one| several && comparison.cells.iter().all(|other| near(one, other)))
}

/// In which keys `cell` differs from `other`, and its values there.
pub(super) fn differing<'a>(cell: &'a Cell, other: &'a Cell) -> impl Iterator<Item = (&'a String, &'a Value)> {
    cell.parameters.iter().filter(|(key, value)| other.parameters.get(*key) != Some(value))
}

/// Every key with its values, in the plan's order.
fn swept(comparison: &Comparison) -> BTreeMap<&str, Vec<&Value>> {
    let mut values: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (key, value) in comparison.cells.iter().flat_map(|cell| &cell.parameters) {
        let known = values.entry(key).or_default();
        if !known.contains(&value) {
            known.push(value);
        }
    }
    values
}

impl<'a> Swept<'a> {
    /// None when nothing is swept, or only one cell is left of it.
    pub(super) fn all(comparison: &'a Comparison) -> Vec<Swept<'a>> {
        let mut values = swept(comparison);
        values.retain(|_, values| values.len() > 1);
        if let Some(centre) = centre(comparison) {
            let arms = values.into_iter().map(|(key, across)| {
                let mut arm = Swept::across(comparison, key, across);
                arm.rows.retain(|row| row.cells.iter().flatten().any(|cell| cell.index == centre.index));
                arm
            });
            return arms.collect();
        }
        // Numbers before words, then what has the most values.
        let order = |key: &str, values: &[&Value]| {
            let preferred = PREFERRED.iter().rev().position(|one| *one == key).map_or(0, |place| place + 1);
            (values.iter().all(|value| value.is_number()), values.len(), preferred)
        };
        let grid = values.into_iter().max_by_key(|(key, values)| order(key, values));
        grid.into_iter().map(|(key, across)| Swept::across(comparison, key, across)).collect()
    }

    fn across(comparison: &'a Comparison, key: &str, across: Vec<&Value>) -> Swept<'a> {
        let mut across: Vec<Value> = across.into_iter().cloned().collect();
        across.sort_by(|a, b| match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => std::cmp::Ordering::Equal,
        });
        let mut rows: Vec<Row<'a>> = Vec::new();
        for cell in &comparison.cells {
            let others = cell.parameters.iter().filter(|(other, _)| *other != key);
            let name: Vec<String> = others.map(|(key, value)| format!("{key} = {}", value_text(value))).collect();
            let name = name.join(", ");
            let Some(column) = across.iter().position(|value| cell.parameters.get(key) == Some(value)) else {
                continue;
            };
            let row = rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
                rows.push(Row { name, cells: vec![None; across.len()] });
                rows.len() - 1
            });
            rows[row].cells[column] = Some(cell);
        }
        Swept { key: key.to_owned(), values: across, rows }
    }

    /// The values as numbers; `None` where one is none, or negative.
    pub(super) fn numbers(&self) -> Option<Vec<f64>> {
        self.values.iter().map(|value| value.as_f64().filter(|value| *value >= 0.0)).collect()
    }

    /// What its numbers are counted in, by the end of its name, and what they are multiplied with for that.
    pub(super) fn unit(&self) -> (Unit, f64) {
        match self.key.as_str() {
            key if key.ends_with("_per_s") => (Unit::PerSecond, 1.0),
            key if key.ends_with("_us") => (Unit::Micros, 1.0),
            key if key.ends_with("_ms") => (Unit::Millis, 1.0),
            key if key.ends_with("_s") => (Unit::Micros, 1e6),
            _ => (Unit::Number, 1.0),
        }
    }
}
