//! What stands where in the tables of a cell. Numbers are pointers here, see [`super::shown`].

use std::collections::BTreeSet;

use common::plan::Metric;
use common::report::comparison::{Cause, Cell, Comparison, Contrast, ContrastVerdict};
use serde::Serialize;

use super::metrics::{About, about, form};
use crate::tables::layout::word;

/// A cell, beside what the JSON says of it.
#[derive(Debug, Serialize)]
pub(super) struct CellView {
    /// `redis.rtt_us = 1200, workers.count = 28`; empty without swept keys.
    title: String,
    pairs: Vec<Pair>,
    controls: Vec<Control>,
}

/// A negative control: what should be the same whatever the variants are.
#[derive(Debug, Serialize)]
struct Control {
    /// Pointer to its contrast.
    at: String,
    about: About,
    contender: String,
    word: Word,
}

/// A contender beside the baseline, or the only variant by itself.
#[derive(Debug, Serialize)]
struct Pair {
    /// Names of the columns: one or two variants.
    variants: Vec<String>,
    /// The second of them; empty when there is none.
    contender: String,
    /// Pointer to the primary contrast.
    primary: Option<String>,
    /// Whether A/A benches of this host are known that fit it.
    aa: bool,
    /// Its word, and by which name the style knows it.
    word: Option<Word>,
    /// Pointers to the primary metric of each variant.
    primary_values: Vec<String>,
    primary_form: &'static str,
    groups: Vec<Group>,
    /// Reasons of words, each once; rows refer to them by number, from 1.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Group {
    title: &'static str,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    about: About,
    form: &'static str,
    /// Pointers to the estimates, one a variant.
    values: Vec<String>,
    contrast: Option<RowContrast>,
}

#[derive(Debug, Serialize)]
struct RowContrast {
    at: String,
    primary: bool,
    word: Word,
    note: Option<usize>,
}

#[derive(Debug, Clone, Serialize)]
struct Word {
    /// `better`, `worse`, `same`, `unknown`
    class: &'static str,
    text: String,
    tip: &'static str,
}

pub(super) fn views(comparison: &Comparison) -> Vec<CellView> {
    comparison.cells.iter().enumerate().map(|(position, cell)| view(comparison, cell, position)).collect()
}

fn view(comparison: &Comparison, cell: &Cell, position: usize) -> CellView {
    let title = cell.parameters.iter().map(|(key, value)| match value {
        serde_json::Value::String(text) => format!("{key} = {text}"),
        value => format!("{key} = {value}"),
    });
    let pairs: Vec<(&str, Option<&str>)> = match cell.contrasts.as_slice() {
        [] => cell.variants.iter().map(|summary| (summary.variant.name.as_str(), None)).collect(),
        contrasts => {
            let mut seen = BTreeSet::new();
            let first = contrasts.iter().filter(|contrast| seen.insert(&contrast.contender));
            first.map(|contrast| (contrast.baseline.as_str(), Some(contrast.contender.as_str()))).collect()
        }
    };
    CellView {
        title: title.collect::<Vec<_>>().join(", "),
        pairs: pairs
            .into_iter()
            .map(|(baseline, contender)| Builder { cell, position, baseline, contender }.pair(comparison.primary))
            .collect(),
        controls: cell
            .controls
            .iter()
            .enumerate()
            .map(|(at, contrast)| Control {
                at: format!("/cells/{position}/controls/{at}"),
                about: about(contrast.metric),
                contender: contrast.contender.clone(),
                word: word_of(contrast),
            })
            .collect(),
    }
}

/// Finds things of one pair of variants in one cell.
struct Builder<'a> {
    cell: &'a Cell,
    /// Of the cell in the JSON.
    position: usize,
    baseline: &'a str,
    contender: Option<&'a str>,
}

impl Builder<'_> {
    fn pair(&self, primary: Metric) -> Pair {
        let mut notes = Vec::new();
        let mut groups: Vec<Group> = Vec::new();
        let others = Metric::ALL.into_iter().filter(|&metric| metric != primary);
        for metric in std::iter::once(primary).chain(others) {
            let Some(row) = self.row(metric, &mut notes) else { continue };
            let title = if metric == primary { "The primary metric" } else { row.about.group };
            match groups.iter_mut().find(|group| group.title == title) {
                Some(group) => group.rows.push(row),
                None => groups.push(Group { title, rows: vec![row] }),
            }
        }
        let contrast = self.contrast(primary);
        Pair {
            variants: std::iter::once(self.baseline).chain(self.contender).map(str::to_owned).collect(),
            contender: self.contender.unwrap_or_default().to_owned(),
            aa: contrast.as_ref().is_some_and(|(_, contrast)| contrast.aa.is_some()),
            word: contrast.as_ref().map(|(_, contrast)| word_of(contrast)),
            primary: contrast.map(|(at, _)| at),
            primary_values: self.values(primary),
            primary_form: form(primary),
            groups,
            notes,
        }
    }

    /// `None` where no variant has the metric, and nothing says why, or it would be a control and is none here.
    fn row(&self, metric: Metric, notes: &mut Vec<String>) -> Option<Row> {
        let values = self.values(metric);
        let contrast = self.contrast(metric).map(|(at, contrast)| {
            let note = (!contrast.reason.is_empty()).then(|| {
                notes.iter().position(|note| *note == contrast.reason).unwrap_or_else(|| {
                    notes.push(contrast.reason.clone());
                    notes.len() - 1
                }) + 1
            });
            RowContrast { at, primary: contrast.primary, word: word_of(contrast), note }
        });
        let apart = metric.is_control() && self.contender.is_some();
        let measured = contrast.is_some()
            || !apart
                && self.cell.variants.iter().any(|summary| {
                    let ours =
                        summary.variant.name == self.baseline || Some(summary.variant.name.as_str()) == self.contender;
                    ours && summary.metrics.get(metric.name()).is_some_and(|estimate| estimate.n > 0)
                });
        measured.then(|| Row { about: about(metric), form: form(metric), values, contrast })
    }

    fn values(&self, metric: Metric) -> Vec<String> {
        let place = |name: &str| self.cell.variants.iter().position(|summary| summary.variant.name == name);
        let places = std::iter::once(self.baseline).chain(self.contender).filter_map(place);
        places.map(|place| format!("/cells/{}/variants/{place}/metrics/{}", self.position, metric.name())).collect()
    }

    fn contrast(&self, metric: Metric) -> Option<(String, &Contrast)> {
        let ours =
            |contrast: &Contrast| contrast.metric == metric && Some(contrast.contender.as_str()) == self.contender;
        let (list, contrasts) = match metric.is_control() {
            true => ("controls", &self.cell.controls),
            false => ("contrasts", &self.cell.contrasts),
        };
        let place = contrasts.iter().position(ours)?;
        Some((format!("/cells/{}/{list}/{place}", self.position), &contrasts[place]))
    }
}

fn word_of(contrast: &Contrast) -> Word {
    let (class, tip) = match contrast.verdict {
        ContrastVerdict::Better => ("better", "shown by these blocks: the contender needs less, or does more"),
        ContrastVerdict::Worse => ("worse", "shown by these blocks: the contender needs more, or does less"),
        ContrastVerdict::Same => ("same", "shown by these blocks: a difference, if any, is inside the margin"),
        ContrastVerdict::Unknown if contrast.cause == Some(Cause::Noise) => {
            ("unknown", "these blocks scatter too much to tell: neither a difference nor sameness is shown")
        }
        ContrastVerdict::Unknown => ("unknown", "cannot be told from these runs"),
    };
    Word { class, text: word(contrast), tip }
}
