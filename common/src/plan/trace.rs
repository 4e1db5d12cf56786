//! Recorded arrivals: from the text of a trace to instants.
//!
//! A trace is a CSV of one column: the instants of the tasks in seconds since the window began, ascending, one a line. `#`
//! begins a comment, empty lines count for nothing, and the first line may be a header: a word without digits.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::PlanError;

/// Where a plan that is stored holds the text of its traces, by their names.
pub(super) const TRACES: &str = "traces";

/// A name, and the instants behind it. Reports hold the name alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Trace {
    file: String,
    instants_ns: Arc<[u64]>,
}

impl From<String> for Trace {
    fn from(file: String) -> Trace {
        Trace { file, instants_ns: Arc::new([]) }
    }
}

impl From<Trace> for String {
    fn from(trace: Trace) -> String {
        trace.file
    }
}

impl Trace {
    /// The file, as the plan names it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// When tasks come, in nanoseconds since the window began, ascending.
    #[must_use]
    pub fn instants_ns(&self) -> &[u64] {
        &self.instants_ns
    }

    /// How many tasks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.instants_ns.len()
    }

    /// Whether it was read from a report, which holds no instants.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instants_ns.is_empty()
    }

    /// When the last task comes.
    #[must_use]
    pub fn last_s(&self) -> Option<f64> {
        self.instants_ns.last().map(|&last_ns| last_ns as f64 / 1e9)
    }

    /// How many tasks come from `from_s` to before `to_s`.
    #[must_use]
    pub fn count_between(&self, from_s: f64, to_s: f64) -> usize {
        let before = |t_s: f64| self.instants_ns.partition_point(|&at_ns| (at_ns as f64) < t_s * 1e9);
        before(to_s).saturating_sub(before(from_s))
    }

    /// Takes the instants that belong to the name.
    pub(super) fn fill(&mut self, traces: &BTreeMap<String, Arc<[u64]>>) {
        if let Some(instants_ns) = traces.get(&self.file) {
            self.instants_ns = Arc::clone(instants_ns);
        }
    }
}

/// Puts the text of every trace that `table` names into it, from `read` where it is not there yet, and takes out what no
/// key names: a plan that is stored then needs no other file.
pub(super) fn embed(table: &mut Table, read: &mut dyn FnMut(&str) -> Result<String, String>) -> Result<(), PlanError> {
    let named = table.get("load").and_then(|load| load.get("trace"));
    let named: Vec<String> = match named {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(one) => one.as_str().map(str::to_owned).into_iter().collect(),
        None => Vec::new(),
    };
    let mut there = match table.remove(TRACES) {
        Some(Value::Table(there)) => there,
        Some(other) => return Err(PlanError::value(TRACES, other, "a table of texts, written [traces]")),
        None => Table::new(),
    };
    let mut traces = Table::new();
    for file in named {
        let text = match there.remove(&file) {
            Some(text) => text,
            None => Value::String(read(&file).map_err(|why| PlanError::value("load.trace", format!("{file:?}"), why))?),
        };
        traces.insert(file, text);
    }
    if !traces.is_empty() {
        table.insert(TRACES.to_owned(), Value::Table(traces));
    }
    Ok(())
}

/// The instants of every text in `[traces]`, by name.
pub(super) fn parse_all(traces: BTreeMap<String, String>) -> Result<BTreeMap<String, Arc<[u64]>>, PlanError> {
    traces.into_iter().map(|(file, text)| parse(&file, &text).map(|instants| (file, instants))).collect()
}

fn parse(file: &str, text: &str) -> Result<Arc<[u64]>, PlanError> {
    let mut instants: Vec<u64> = Vec::new();
    let mut header_may_come = true;
    for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1u32..) {
        let value = line.split('#').next().unwrap_or_default().trim();
        let is_header = std::mem::take(&mut header_may_come) && !value.is_empty() && is_word(value);
        header_may_come |= value.is_empty() && instants.is_empty();
        if value.is_empty() || is_header {
            continue;
        }
        let refuse = |expected: &str| PlanError::Trace {
            file: file.to_owned(),
            line: number,
            value: value.to_owned(),
            expected: expected.to_owned(),
        };
        let at_s: f64 = value.parse().map_err(|_| refuse("one instant a line, in seconds, such as 12.5"))?;
        if !(0.0..=86_400.0).contains(&at_s) {
            return Err(refuse("seconds since the window began, from 0 to 86400"));
        }
        let at_ns = (at_s * 1e9).round() as u64;
        if instants.last().is_some_and(|&before| at_ns < before) {
            return Err(refuse("instants ascend: it comes before the one above it; sort the file"));
        }
        instants.push(at_ns);
    }
    if instants.is_empty() {
        let expected = "a file with at least one instant, in seconds, one a line";
        return Err(PlanError::value("load.trace", format!("{file:?}"), expected));
    }
    Ok(instants.into())
}

/// Whether it can be a header. What has digits is a number that went wrong, and so is what Rust reads as one.
fn is_word(value: &str) -> bool {
    !value.contains(|c: char| c.is_ascii_digit()) && value.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[track_caller]
    fn check(text: &str, message: &str) {
        assert_eq!(parse("t.csv", text).map_err(|error| error.to_string()), Err(message.to_owned()), "{text:?}");
    }

    #[test]
    fn a_trace_is_instants_with_comments_and_a_header() {
        let text = "\u{feff}# a sale\r\n\r\nat_s\r\n0\r\n 0.25 # the first click\r\n0.25\r\n\r\n1e1\r\n";
        assert_eq!(parse("t.csv", text).unwrap().as_ref(), [0, 250_000_000, 250_000_000, 10_000_000_000]);
    }

    #[test]
    fn what_is_no_trace_is_refused_by_line_and_value() {
        for (text, value) in
            [("0.5\nat_s\n", "at_s"), ("0.5\n1,5\n", "1,5"), ("# x\nO.5x1\n", "O.5x1"), ("at\nat\n", "at")]
        {
            check(
                text,
                &format!("load.trace = \"t.csv\", line 2: {value:?}: one instant a line, in seconds, such as 12.5"),
            );
        }
        for value in ["-1", "nan", "inf", "86401"] {
            let message =
                format!("load.trace = \"t.csv\", line 1: {value:?}: seconds since the window began, from 0 to 86400");
            check(&format!("{value}\n"), &message);
        }
        check(
            "2\n1.5\n",
            "load.trace = \"t.csv\", line 2: \"1.5\": instants ascend: it comes before the one above it; sort the file",
        );
        for text in ["", "# nothing\n", "at_s\n"] {
            check(text, "load.trace = \"t.csv\": a file with at least one instant, in seconds, one a line");
        }
    }
}
