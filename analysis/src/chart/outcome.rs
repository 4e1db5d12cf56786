//! Who is ahead in a contrast, and how that looks.

use common::report::comparison::{Comparison, Contrast, ContrastVerdict};

use super::frame::{Entry, Look};
use crate::format::ratio_of;
use crate::tables::layout::word;

/// Who is ahead, as far as can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The variant at this place in the plan.
    Wins(usize),
    /// Nobody, shown.
    Same,
    /// Nobody, not shown.
    Unknown,
}

impl Outcome {
    pub(super) fn of(comparison: &Comparison, contrast: &Contrast) -> Outcome {
        let winner = match contrast.verdict {
            ContrastVerdict::Better => &contrast.contender,
            ContrastVerdict::Worse => &contrast.baseline,
            ContrastVerdict::Same => return Outcome::Same,
            ContrastVerdict::Unknown => return Outcome::Unknown,
        };
        index_of(comparison, winner).map_or(Outcome::Unknown, Outcome::Wins)
    }

    pub(super) fn look(self) -> Look {
        match self {
            Outcome::Wins(i) => Look::Variant(i),
            Outcome::Same => Look::Neutral,
            Outcome::Unknown => Look::Nothing,
        }
    }

    /// The winner's name; empty without one.
    pub(super) fn winner(self, comparison: &Comparison) -> String {
        let Outcome::Wins(i) = self else { return String::new() };
        let summary = comparison.cells.first().and_then(|cell| cell.variants.get(i));
        summary.map_or_else(String::new, |summary| summary.variant.name.clone())
    }
}

fn index_of(comparison: &Comparison, name: &str) -> Option<usize> {
    comparison.cells.first()?.variants.iter().position(|summary| summary.variant.name == name)
}

/// Every contender with a primary contrast, in the order of the plan.
pub(super) fn contenders(comparison: &Comparison) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for contrast in comparison.cells.iter().flat_map(|cell| &cell.contrasts).filter(|contrast| contrast.primary) {
        if !names.contains(&contrast.contender.as_str()) {
            names.push(&contrast.contender);
        }
    }
    names
}

/// Markers of `contenders` and their baseline, of the same and of the unknown.
pub(super) fn outcome_legend(comparison: &Comparison, contenders: &[&str]) -> Vec<Entry> {
    let contrasts = || comparison.cells.iter().flat_map(|cell| &cell.contrasts);
    let baseline = contrasts().map(|contrast| contrast.baseline.as_str()).next();
    let names = baseline.into_iter().chain(contenders.iter().copied());
    let entry = |name: &str| {
        let look = Look::Variant(index_of(comparison, name)?);
        Some(Entry { look, name: format!("{name} is better"), line: false })
    };
    let same = Entry { look: Look::Neutral, name: "the same".to_owned(), line: false };
    let unknown = Entry { look: Look::Nothing, name: "unknown".to_owned(), line: false };
    names.filter_map(entry).chain([same, unknown]).collect()
}

/// "async / threads: 0.880 [0.841, 0.932], better", and why where it is unknown.
pub(super) fn ratio_words(contrast: &Contrast) -> String {
    let Contrast { contender, baseline, .. } = contrast;
    let reason = if contrast.reason.is_empty() { String::new() } else { format!("\n{}", contrast.reason) };
    let runs = if contrast.n == 1 { "1 block".to_owned() } else { format!("{} blocks", contrast.n) };
    format!("{contender} / {baseline}: {}\n{}, {runs}{reason}", ratio_of(contrast), word(contrast))
}
