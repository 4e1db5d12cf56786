//! Lists in a plan's tables become cells.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::dyno::DynoInput;
use super::{Cell, PlanError, convert};

/// More than this many cells is a typing mistake.
const CELLS_MAX: usize = 10_000;

/// Which combinations of the listed values are cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// All of them.
    #[default]
    Grid,
    /// The first value of every list together, and from there one key at a time.
    Star,
}

/// The cells that the lists in `table` make. An array of tables is no sweep.
pub(super) fn cells(table: Table, shape: Shape) -> Result<Vec<Cell>, PlanError> {
    let mut axes: Vec<(String, String, Vec<Value>)> = Vec::new();
    for (section, value) in &table {
        let Some(keys) = value.as_table() else {
            return Err(PlanError::value(section, value, format!("a table, written [{section}]")));
        };
        for (key, value) in keys {
            match value {
                Value::Array(values) if values.iter().any(Value::is_table) => {}
                Value::Array(values) if values.is_empty() => {
                    return Err(PlanError::value(&format!("{section}.{key}"), "[]", "at least one value"));
                }
                Value::Array(values) if values.iter().enumerate().any(|(i, value)| values[..i].contains(value)) => {
                    let list = Value::Array(values.clone()).to_string();
                    return Err(PlanError::value(&format!("{section}.{key}"), list, "every value once"));
                }
                Value::Array(values) => axes.push((section.clone(), key.clone(), values.clone())),
                _ => {}
            }
        }
    }
    let count = match shape {
        Shape::Grid => axes.iter().try_fold(1usize, |count, (_, _, values)| count.checked_mul(values.len())),
        Shape::Star => Some(1 + axes.iter().map(|(_, _, values)| values.len() - 1).sum::<usize>()),
    };
    if count.is_none_or(|count| count > CELLS_MAX) {
        let keys: Vec<String> = axes.iter().map(|(section, key, _)| format!("{section}.{key}")).collect();
        let count = count.map_or("too many".to_owned(), |count| count.to_string());
        let message = format!("these lists make {count} cells; at most {CELLS_MAX} in a plan");
        return Err(PlanError::Key { key: keys.join(" x "), message });
    }
    let count = count.unwrap_or(1);
    let places = |index| match shape {
        Shape::Grid => of_grid(&axes, index),
        Shape::Star => of_star(&axes, index),
    };
    (0..count).map(|index| cell(&table, &axes, &places(index), index)).collect()
}

/// Keeps the cells with these numbers, which they keep too.
pub(super) fn keep(cells: &mut Vec<Cell>, only: &[u32]) -> Result<(), PlanError> {
    if let Some(beyond) = only.iter().find(|&&index| index as usize >= cells.len()) {
        let expected = format!("the plan has {} cells, counted from 0", cells.len());
        return Err(PlanError::value("cells", beyond, expected));
    }
    if only.is_empty() {
        return Err(PlanError::value("cells", "[]", "at least one of the plan's cells; without the key all of them"));
    }
    cells.retain(|cell| only.contains(&cell.index));
    Ok(())
}

/// A listed key: its table, its name, its values.
type Axis = (String, String, Vec<Value>);

/// Which value of every axis cell `index` has: the last axis turns fastest.
fn of_grid(axes: &[Axis], index: usize) -> Vec<usize> {
    let mut rest = index;
    let mut places: Vec<usize> = axes
        .iter()
        .rev()
        .map(|(_, _, values)| {
            let place = rest % values.len();
            rest /= values.len();
            place
        })
        .collect();
    places.reverse();
    places
}

/// The same of a star: cell 0 is its centre, then come the other values of the first axis, of the second, ...
fn of_star(axes: &[Axis], index: usize) -> Vec<usize> {
    let mut places = vec![0; axes.len()];
    let mut rest = index;
    for (place, (_, _, values)) in places.iter_mut().zip(axes) {
        if (1..values.len()).contains(&rest) {
            *place = rest;
            break;
        }
        rest -= (values.len() - 1).min(rest);
    }
    places
}

fn cell(table: &Table, axes: &[Axis], places: &[usize], index: usize) -> Result<Cell, PlanError> {
    let mut chosen = table.clone();
    let mut parameters = BTreeMap::new();
    for ((section, key, values), &place) in axes.iter().zip(places) {
        let value = &values[place];
        if let Some(Value::Table(keys)) = chosen.get_mut(section) {
            keys.insert(key.clone(), value.clone());
        }
        // A list of one is a way of writing a scalar, not a sweep.
        if values.len() > 1 {
            let json = serde_json::to_value(value).unwrap_or_default();
            parameters.insert(format!("{section}.{key}"), json);
        }
    }
    let dyno: Option<DynoInput> = super::optional(&mut chosen, "dyno")?;
    let dyno = dyno.map(DynoInput::resolve).transpose()?;
    let queue = super::optional(&mut chosen, "queue")?;
    let mut section = |name: &str| chosen.remove(name).unwrap_or_else(|| Value::Table(Table::new()));
    let mut workers = section("workers");
    if let (Some(count), Value::Table(keys)) = (dyno.as_ref().and_then(|dyno| dyno.class.workers()), &mut workers) {
        keys.entry("count").or_insert(count.into());
    }
    Ok(Cell {
        index: index as u32,
        parameters,
        settings: super::Settings {
            task: convert("task", section("task"))?,
            load: convert("load", section("load"))?,
            workers: convert("workers", workers)?,
            dyno,
            slo: convert("slo", section("slo"))?,
            redis: convert("redis", section("redis"))?,
            queue,
        },
    })
}

#[cfg(test)]
mod tests {
    use crate::plan::Plan;

    fn cells(sweep: &str) -> Vec<(u32, u32, f64)> {
        let text = format!(
            "name = \"t\"\n{sweep}\n[task]\nkind = \"null\"\n[load]\nrate_per_s = [5, 6]\nduration_s = 1\n[workers]\n\
             count = [10, 1, 100]\ndynos = [2]\n[[variant]]\nname = \"a\"\nengine = \"async\"\n"
        );
        let plan = Plan::parse(&text, &[]).unwrap();
        let of = |settings: &crate::plan::Settings| {
            (settings.workers.count, settings.workers.dynos, settings.load.rate_per_s.unwrap())
        };
        assert!(plan.cells.iter().all(|cell| cell.parameters.len() == 2), "a list of one is no sweep");
        plan.cells.iter().map(|cell| of(&cell.settings)).collect()
    }

    #[test]
    fn a_plan_may_have_some_of_its_cells_which_keep_their_numbers() {
        assert_eq!(cells("cells = [1, 4]"), [(1, 2, 5.0), (1, 2, 6.0)]);
        let refused = |cells: &str| {
            let text = format!(
                "name = \"t\"\ncells = {cells}\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 1\nduration_s = 1\n[workers]\n\
                 count = 1\n[[variant]]\nname = \"a\"\nengine = \"async\"\n"
            );
            Plan::parse(&text, &[]).unwrap_err().to_string()
        };
        assert_eq!(refused("[1]"), "cells = 1: the plan has 1 cells, counted from 0");
        assert!(refused("[]").starts_with("cells = []: at least one"));
    }

    #[test]
    fn a_grid_is_everything_and_a_star_one_key_at_a_time() {
        let grid = [(10, 2, 5.0), (1, 2, 5.0), (100, 2, 5.0), (10, 2, 6.0), (1, 2, 6.0), (100, 2, 6.0)];
        assert_eq!(cells(""), grid);
        assert_eq!(cells("sweep = \"grid\""), grid);
        assert_eq!(cells("sweep = \"star\""), [(10, 2, 5.0), (10, 2, 6.0), (1, 2, 5.0), (100, 2, 5.0)]);
    }
}
