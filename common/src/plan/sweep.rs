//! Lists in a plan's tables become cells.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::dyno::DynoInput;
use super::{Cell, PlanError, convert};

/// More than this many cells is a typing mistake.
const CELLS_MAX: usize = 10_000;

/// All combinations of the listed scalars in `table`. An array of tables is no sweep.
pub(super) fn cells(table: Table) -> Result<Vec<Cell>, PlanError> {
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
    let count = axes.iter().try_fold(1usize, |count, (_, _, values)| count.checked_mul(values.len()));
    if count.is_none_or(|count| count > CELLS_MAX) {
        let keys: Vec<String> = axes.iter().map(|(section, key, _)| format!("{section}.{key}")).collect();
        let count = count.map_or("too many".to_owned(), |count| count.to_string());
        let message = format!("these lists make {count} cells; at most {CELLS_MAX} in a plan");
        return Err(PlanError::Key { key: keys.join(" x "), message });
    }
    let count = count.unwrap_or(1);
    (0..count).map(|index| cell(&table, &axes, index)).collect()
}

/// Cell `index`: the last axis turns fastest.
fn cell(table: &Table, axes: &[(String, String, Vec<Value>)], index: usize) -> Result<Cell, PlanError> {
    let mut chosen = table.clone();
    let mut parameters = BTreeMap::new();
    let mut rest = index;
    for (section, key, values) in axes.iter().rev() {
        let value = &values[rest % values.len()];
        rest /= values.len();
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
        },
    })
}
