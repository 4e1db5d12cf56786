//! Plans: TOML -> validated cells and variants.
//!
//! [`Plan::parse`] is the only door: what comes out of it needs no further checks but those against a
//! machine ([`demand`]). Any scalar of `[task]`, `[load]`, `[workers]`, `[dyno]`, `[slo]` and `[redis]` may be
//! a list: the cells are all combinations, in the order of the keys.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use toml::{Table, Value};

mod against_itself;
pub mod demand;
pub mod distance;
mod dyno;
mod load;
mod metric;
mod published;
mod queue;
mod settings;
mod sweep;
mod trace;
mod validate;
mod variant;
mod wording;

pub use dyno::{CpuLimit, Dyno, DynoClass};
pub use load::{ArrivalProcess, Load, LoadStep, Spacing};
pub use metric::Metric;
pub use published::Published;
pub use queue::{Claim, Queue, QueueKind};
pub use settings::{
    Choice, OnOverload, Order, Override, RedisSettings, Repeat, Settings, Slo, Task, TaskKind, Workers,
};
pub use sweep::Shape;
pub use trace::Trace;
pub use variant::{Allocator, Checkout, Client, Connections, CpuPlacement, Engine, Executor, Variant};

use variant::VariantInput;

/// A validated plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Names the output directory and the make target.
    pub name: String,
    /// What the plan asks, for the reader of the report.
    pub question: String,
    /// The metric the verdict is about.
    pub primary: Metric,
    /// The variant that the others are divided by: the first unless the plan says otherwise.
    pub baseline: String,
    /// All combinations of the swept keys; at least one.
    pub cells: Vec<Cell>,
    /// At least one; names are unique.
    pub variants: Vec<Variant>,
    /// Blocks and margin.
    pub repeat: Repeat,
    /// Figures of others, shown beside what is measured.
    pub published: Vec<Published>,
    /// SHA-256 over the plan after `--set`, in hex, 16 digits.
    pub hash: String,
    /// The plan after `--set`, as TOML, with the text of its traces: what is stored beside the results. It parses to this
    /// plan without any other file.
    pub source: String,
}

/// One combination of the swept keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// From 0.
    pub index: u32,
    /// The swept keys, dotted, and their values here.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Everything a run needs to know of its load.
    pub settings: Settings,
}

impl Cell {
    /// Whether runs of it can have `metric`: where nothing is asked they have none that is of tasks.
    #[must_use]
    pub fn has(&self, metric: Metric) -> bool {
        !self.settings.load.is_idle() || metric.is_of_idle_dynos()
    }
}

/// Why a plan was refused. The message is complete: key, value, and what would do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not TOML at all.
    #[error("{0}")]
    Syntax(String),
    /// A key that no plan has, or a value of the wrong type.
    #[error("{key}: {message}")]
    Key {
        /// Dotted.
        key: String,
        /// What serde says of it.
        message: String,
    },
    /// A value that no run can have.
    #[error("{key} = {value}: {expected}")]
    Value {
        /// Dotted.
        key: String,
        /// As written.
        value: String,
        /// What would do.
        expected: String,
    },
    /// A trace that is none.
    #[error("load.trace = {file:?}, line {line}: {value:?}: {expected}")]
    Trace {
        /// As the plan names it.
        file: String,
        /// From 1.
        line: u32,
        /// As written.
        value: String,
        /// What would do.
        expected: String,
    },
    /// Settings that cannot be combined.
    #[error("variant {name:?}: {message}")]
    Variant {
        /// Name of the variant.
        name: String,
        /// What cannot be combined, and what would do.
        message: String,
    },
    /// A `--set` that is not `KEY=VALUE`.
    #[error("--set {0:?}: write KEY=VALUE, such as --set load.duration_s=10")]
    Set(String),
}

impl PlanError {
    fn value(key: &str, value: impl std::fmt::Display, expected: impl Into<String>) -> PlanError {
        PlanError::Value { key: key.to_owned(), value: value.to_string(), expected: expected.into() }
    }
}

const TOP_LEVEL: [&str; 17] = [
    "name",
    "question",
    "primary",
    "baseline",
    "task",
    "load",
    "workers",
    "dyno",
    "slo",
    "redis",
    "queue",
    "repeat",
    "sweep",
    "cells",
    "variant",
    "published",
    trace::TRACES,
];

impl Plan {
    /// Parses and validates a plan that holds all it needs. `sets` are `KEY=VALUE` with a dotted key and a TOML value (a
    /// bare word is taken as a string); they override what the text says, and `KEY=` removes the key.
    ///
    /// # Errors
    /// The first thing that is wrong, named by its key.
    pub fn parse(text: &str, sets: &[String]) -> Result<Plan, PlanError> {
        Plan::parse_with(text, sets, &mut |_| Err("there is no file to read it from".to_owned()))
    }

    /// As [`parse`](Self::parse); `read` gives the text of a trace by the name that the plan has for it, or says why not.
    ///
    /// # Errors
    /// As above, and what `read` says.
    pub fn parse_with(
        text: &str,
        sets: &[String],
        read: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<Plan, PlanError> {
        let mut table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| PlanError::Syntax(error.to_string().trim_end().to_owned()))?;
        for set in sets {
            apply_set(&mut table, set)?;
        }
        trace::embed(&mut table, read)?;
        Plan::from_table(table)
    }

    fn from_table(mut table: Table) -> Result<Plan, PlanError> {
        distance::name_to_number(&mut table)?;
        let source = table.to_string();
        let hash = hex16(&Sha256::digest(canonical(&table)));
        if let Some(key) = table.keys().find(|key| !TOP_LEVEL.contains(&key.as_str())) {
            return Err(PlanError::Key {
                key: key.clone(),
                message: format!("unknown key; use one of {}", TOP_LEVEL.join(", ")),
            });
        }
        let name: String = required(&mut table, "name")?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return Err(PlanError::value("name", format!("{name:?}"), "letters, digits, - and _ only"));
        }
        let question = optional(&mut table, "question")?.unwrap_or_default();
        let primary = optional(&mut table, "primary")?.unwrap_or(Metric::CpuUsPerTask);
        if !primary.is_contrasted() || primary.is_control() {
            let expected = "a metric that variants are compared by, such as response_p99_us";
            return Err(PlanError::value("primary", format!("{:?}", primary.name()), expected));
        }
        let baseline: Option<String> = optional(&mut table, "baseline")?;
        let repeat: Repeat = optional(&mut table, "repeat")?.unwrap_or_default();
        repeat.validate()?;
        let inputs = tables(&mut table, "variant")?
            .into_iter()
            .map(|value| {
                let name = value.get("name").and_then(Value::as_str);
                let key = name.map_or("variant".to_owned(), |name| format!("variant.{name}"));
                convert(&key, value)
            })
            .collect::<Result<Vec<VariantInput>, PlanError>>()?;
        let published = tables(&mut table, "published")?
            .into_iter()
            .map(|value| convert("published", value))
            .collect::<Result<Vec<Published>, PlanError>>()?;
        published.iter().try_for_each(Published::validate)?;
        let traces = trace::parse_all(optional(&mut table, trace::TRACES)?.unwrap_or_default())?;
        let shape = optional(&mut table, "sweep")?.unwrap_or_default();
        let only: Option<Vec<u32>> = optional(&mut table, "cells")?;
        let mut cells = sweep::cells(table, shape)?;
        if let Some(only) = only {
            sweep::keep(&mut cells, &only)?;
        }
        for cell in &mut cells {
            cell.settings.load.complete(&traces);
            cell.settings.complete();
            cell.settings.validate()?;
        }
        if cells.iter().all(|cell| !cell.has(primary)) {
            let expected = format!(
                "nothing is ever asked, and primary = {:?} is of tasks; a rate above 0 beside it, or \
                 primary = \"workers_cpu_us_per_s\", would do",
                primary.name()
            );
            return Err(PlanError::value("load.rate_per_s", 0, expected));
        }
        let variants = variant::validate(inputs)?;
        for queue in cells.iter().filter_map(|cell| cell.settings.queue.as_ref()) {
            variants.iter().try_for_each(|variant| queue.admit(variant))?;
        }
        let baseline = match baseline {
            None => variants[0].name.clone(),
            Some(name) if variants.iter().any(|variant| variant.name == name) => name,
            Some(name) => {
                let names: Vec<&str> = variants.iter().map(|variant| variant.name.as_str()).collect();
                return Err(PlanError::value("baseline", format!("{name:?}"), format!("one of {}", names.join(", "))));
            }
        };
        Ok(Plan { name, question, primary, baseline, cells, variants, repeat, published, hash, source })
    }
}

/// JSON with sorted keys: two plans that differ in layout or comments only have the same hash.
fn canonical(table: &Table) -> Vec<u8> {
    serde_json::to_vec(table).unwrap_or_default()
}

/// The first eight bytes, in hex: how hashes stand in reports.
#[must_use]
pub fn hex16(bytes: &[u8]) -> String {
    bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn apply_set(table: &mut Table, set: &str) -> Result<(), PlanError> {
    let (key, text) = set.split_once('=').ok_or_else(|| PlanError::Set(set.to_owned()))?;
    let path: Vec<&str> = key.trim().split('.').collect();
    if path.iter().any(|part| part.is_empty()) {
        return Err(PlanError::Set(set.to_owned()));
    }
    let text = text.trim();
    let Some((last, parents)) = path.split_last() else { return Err(PlanError::Set(set.to_owned())) };
    let table = descend(table, parents).map_err(|message| PlanError::Key { key: key.trim().to_owned(), message })?;
    if text.is_empty() {
        table.remove(*last);
    } else {
        table.insert((*last).to_owned(), set_value(key.trim(), text)?);
    }
    Ok(())
}

/// A TOML value, or a bare word, which is text. What begins like a list, a table or a text must end like one.
fn set_value(key: &str, text: &str) -> Result<Value, PlanError> {
    let parsed = format!("v = {text}").parse::<Table>();
    match parsed.map(|mut parsed| parsed.remove("v")) {
        Ok(Some(value)) => Ok(value),
        _ if text.starts_with(['[', '{', '"', '\'']) => {
            Err(PlanError::value(key, text, "a TOML value; what it opens it must close"))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// The table at `path`, made where there is none. In a list of tables the next part says which: its `name`, or its
/// number from 0.
fn descend<'a>(table: &'a mut Table, path: &[&str]) -> Result<&'a mut Table, String> {
    let Some((first, rest)) = path.split_first() else { return Ok(table) };
    match table.entry((*first).to_owned()).or_insert_with(|| Value::Table(Table::new())) {
        Value::Table(table) => descend(table, rest),
        Value::Array(list) if list.iter().any(Value::is_table) => {
            let names: Vec<String> = list.iter().zip(0..).map(element_name).collect();
            let choice = format!("write {first}.NAME.KEY, where NAME is one of {}", names.join(", "));
            let Some((name, rest)) = rest.split_first() else { return Err(choice) };
            let position = names.iter().position(|known| known == name).ok_or_else(|| choice.clone())?;
            list[position].as_table_mut().ok_or(choice).and_then(|table| descend(table, rest))
        }
        _ => Err(format!("{first} is a value, not a table")),
    }
}

fn element_name((element, number): (&Value, usize)) -> String {
    element.get("name").and_then(Value::as_str).map_or_else(|| number.to_string(), str::to_owned)
}

/// The tables of a key that may be given as `[key]`, as `[[key]]`, or not at all.
fn tables(table: &mut Table, key: &str) -> Result<Vec<Value>, PlanError> {
    match table.remove(key) {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => Ok(list),
        Some(one @ Value::Table(_)) => Ok(vec![one]),
        Some(other) => Err(PlanError::value(key, other, format!("a table, written [[{key}]]"))),
    }
}

fn convert<T: serde::de::DeserializeOwned>(key: &str, value: Value) -> Result<T, PlanError> {
    value.try_into().map_err(|error: toml::de::Error| {
        let inner = error.to_string();
        match inner.trim_end().rsplit_once("\nin `") {
            Some((message, path)) => wording::refusal(&format!("{key}.{}", path.trim_end_matches('`')), message),
            None => wording::refusal(key, inner.trim_end()),
        }
    })
}

fn optional<T: serde::de::DeserializeOwned>(table: &mut Table, key: &str) -> Result<Option<T>, PlanError> {
    table.remove(key).map(|value| convert(key, value)).transpose()
}

fn required<T: serde::de::DeserializeOwned>(table: &mut Table, key: &str) -> Result<T, PlanError> {
    optional(table, key)?
        .ok_or_else(|| PlanError::Key { key: key.to_owned(), message: "missing, and it has no default".to_owned() })
}

#[cfg(test)]
mod tests;
