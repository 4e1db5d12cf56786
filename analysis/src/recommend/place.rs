//! Where in a sweep something holds, in words.

use std::collections::BTreeSet;

use common::plan::Cell;
use serde_json::Value;

use crate::format::{listed, quantity};
use crate::metric::Unit;

/// Cells that say the same, and where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch<W> {
    pub(super) word: W,
    /// Positions in the plan, ascending.
    pub(super) cells: Vec<usize>,
    /// "from 500 workers on", "below", "in all 8 cells"; empty in a plan of one cell.
    pub(super) place: String,
}

/// Where each of `words`, one a cell, holds. Stretches along the one key that decides, where there is one and it is a number;
/// else one stretch per word. The first to be said comes first; `is_plain` says which words are no news.
pub(super) fn stretches<W: Copy + PartialEq>(
    cells: &[Cell],
    words: &[W],
    is_plain: impl Fn(W) -> bool,
) -> Vec<Stretch<W>> {
    let all: Vec<usize> = (0..cells.len().min(words.len())).collect();
    let Some(&first) = words.first() else { return Vec::new() };
    if words.iter().all(|&word| word == first) {
        let place = match all.len() {
            1 => String::new(),
            2 => "in both cells".to_owned(),
            cells => format!("in all {cells} cells"),
        };
        return vec![Stretch { word: first, cells: all, place }];
    }
    let deciding = keys(cells).into_iter().find_map(|key| along(cells, words, &key).map(|runs| (key, runs)));
    match deciding {
        Some((key, runs)) => placed_along(cells, &key, runs, is_plain),
        None => by_word(cells, words, is_plain),
    }
}

/// "500 workers, a distance of 1.2 ms"; empty where nothing is swept.
pub(super) fn of_cell(cell: &Cell) -> String {
    of_parameters(cell.parameters.iter())
}

/// The same of some of a cell's parameters.
pub(crate) fn of_parameters<'a>(parameters: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let texts: Vec<String> = parameters.map(|(key, value)| values_of(key, &[value])).collect();
    texts.join(", ")
}

/// The swept keys.
fn keys(cells: &[Cell]) -> Vec<String> {
    cells.first().map(|cell| cell.parameters.keys().cloned().collect()).unwrap_or_default()
}

/// The values of `key`, each once, in the plan's order.
fn values<'a>(cells: impl Iterator<Item = &'a Cell>, key: &str) -> Vec<&'a Value> {
    let mut values: Vec<&Value> = Vec::new();
    for value in cells.filter_map(|cell| cell.parameters.get(key)) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// Neighbouring values of a key that say the same.
struct Along<'a, W> {
    word: W,
    values: Vec<&'a Value>,
}

/// Words along `key`, if it is a number in every cell and decides them alone.
fn along<'a, W: Copy + PartialEq>(cells: &'a [Cell], words: &[W], key: &str) -> Option<Vec<Along<'a, W>>> {
    let mut values = values(cells.iter(), key);
    if values.iter().any(|value| value.as_f64().is_none()) {
        return None;
    }
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    values.sort_by(|a, b| number(a).total_cmp(&number(b)));
    let mut runs: Vec<Along<'a, W>> = Vec::new();
    for value in values {
        let here = cells.iter().zip(words).filter(|(cell, _)| cell.parameters.get(key) == Some(value));
        let mut here = here.map(|(_, &word)| word);
        let word = here.next()?;
        if here.any(|other| other != word) {
            return None;
        }
        match runs.last_mut() {
            Some(run) if run.word == word => run.values.push(value),
            _ => runs.push(Along { word, values: vec![value] }),
        }
    }
    Some(runs)
}

fn placed_along<W: Copy + PartialEq>(
    cells: &[Cell],
    key: &str,
    runs: Vec<Along<'_, W>>,
    is_plain: impl Fn(W) -> bool,
) -> Vec<Stretch<W>> {
    let is_at = |cell: &Cell, of: &[&Value]| cell.parameters.get(key).is_some_and(|value| of.contains(&value));
    let with = |other: &str, of: &[&Value]| values(cells.iter().filter(|cell| is_at(cell, of)), other);
    // In a star, a value of the key has not met all values of the others.
    let has_met_all = |other: &String| {
        let all = values(cells.iter(), other).len();
        values(cells.iter(), key).into_iter().all(|value| with(other, &[value]).len() == all)
    };
    let (met, unmet): (Vec<String>, Vec<String>) =
        keys(cells).into_iter().filter(|other| other != key).partition(has_met_all);
    let met: Vec<String> = met.iter().map(|other| format!("the {}", noun(other))).collect();
    let whatever = if met.is_empty() { String::new() } else { format!(", whatever {}", listed(&met, "and")) };
    let only = |run: &Along<'_, W>| {
        let one = |other: &String| match with(other, &run.values)[..] {
            [value] => Some(values_of(other, &[value])),
            _ => None,
        };
        let texts: Vec<String> = unmet.iter().filter_map(one).collect();
        if texts.is_empty() { String::new() } else { format!(", at {}", listed(&texts, "and")) }
    };
    let cells_of =
        |run: &Along<'_, W>| (0..cells.len()).filter(|&i| is_at(&cells[i], &run.values)).collect::<Vec<usize>>();
    let text = |value: &Value| values_of(key, &[value]);
    let last = runs.len() - 1;
    let ends = |run: &Along<'_, W>| (text(run.values[0]), text(run.values[run.values.len() - 1]));
    let mut stretches: Vec<Stretch<W>> = runs
        .iter()
        .enumerate()
        .map(|(i, run)| {
            let (from, to) = ends(run);
            let place = match i {
                0 if last == 1 && !is_plain(run.word) => format!("up to {to}"),
                0 if last == 1 => "below".to_owned(),
                _ if i == last => format!("from {from} on"),
                0 => format!("up to {to}"),
                _ if run.values.len() == 1 => format!("at {from}"),
                _ => format!("from {from} to {to}"),
            };
            Stretch { word: run.word, cells: cells_of(run), place: format!("{place}{}", only(run)) }
        })
        .collect();
    if last == 1 && is_plain(runs[0].word) {
        stretches.reverse();
    }
    if let Some(first) = stretches.first_mut() {
        first.place.push_str(&whatever);
    }
    stretches
}

/// One stretch per word, the news first.
fn by_word<W: Copy + PartialEq>(cells: &[Cell], words: &[W], is_plain: impl Fn(W) -> bool) -> Vec<Stretch<W>> {
    let mut stretches: Vec<Stretch<W>> = Vec::new();
    for (i, &word) in words.iter().enumerate() {
        match stretches.iter_mut().find(|stretch| stretch.word == word) {
            Some(stretch) => stretch.cells.push(i),
            None => stretches.push(Stretch { word, cells: vec![i], place: String::new() }),
        }
    }
    for stretch in &mut stretches {
        stretch.place = among(cells, &stretch.cells);
    }
    stretches.sort_by_key(|stretch| is_plain(stretch.word));
    stretches
}

/// "at 500 workers and a distance of 1.2 ms or 5 ms" where the chosen cells are all combinations of some values, else
/// "in cells 1, 4 and 5".
fn among(cells: &[Cell], chosen: &[usize]) -> String {
    let here = || chosen.iter().map(|&i| &cells[i]);
    let axes: Vec<(String, Vec<&Value>)> =
        keys(cells).into_iter().map(|key| (key.clone(), values(here(), &key))).collect();
    let combinations: usize = axes.iter().map(|(_, values)| values.len()).product();
    if combinations == chosen.len() {
        let narrowed = axes.iter().filter(|(key, some)| some.len() < values(cells.iter(), key).len());
        let texts: Vec<String> = narrowed.map(|(key, values)| values_of(key, values)).collect();
        return format!("at {}", listed(&texts, "and"));
    }
    let numbers: BTreeSet<u32> = here().map(|cell| cell.index).collect();
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    format!("in {} {}", if numbers.len() == 1 { "cell" } else { "cells" }, listed(&numbers, "and"))
}

/// "28 or 500 workers"
fn values_of(key: &str, values: &[&Value]) -> String {
    let texts = |of: &dyn Fn(&Value) -> String| {
        let texts: Vec<String> = values.iter().map(|value| of(value)).collect();
        listed(&texts, "or")
    };
    match key {
        "workers.count" | "workers.dynos" => {
            let one = if key == "workers.count" { "worker" } else { "dyno" };
            let plural = if matches!(values, [value] if value.as_u64() == Some(1)) { "" } else { "s" };
            format!("{} {one}{plural}", texts(&text_of))
        }
        "load.rate_per_s" => format!("{} tasks/s", texts(&text_of)),
        "redis.rtt_us" => {
            let us = |value: &Value| value.as_f64().map_or_else(|| text_of(value), |us| quantity(Unit::Micros, us));
            format!("a distance of {}", texts(&us))
        }
        _ => format!("{key} = {}", texts(&text_of)),
    }
}

/// Text without the quotation marks of JSON.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// How a key is spoken of.
fn noun(key: &str) -> &str {
    match key {
        "workers.count" => "number of workers",
        "workers.dynos" => "number of dynos",
        "load.rate_per_s" => "rate",
        "redis.rtt_us" => "distance",
        _ => key,
    }
}
