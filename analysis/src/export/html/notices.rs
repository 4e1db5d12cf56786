//! What a reader must know before believing the answer.

use common::report::Severity;
use common::report::comparison::{Comparison, SteadyState};
use serde::Serialize;

/// A check of validity that failed in some run.
#[derive(Debug, Serialize)]
pub(super) struct Failed {
    /// Pointer to its tally.
    at: String,
    name: String,
    /// Whether a run that fails it is no result.
    voids: bool,
}

pub(super) fn failed(comparison: &Comparison) -> Vec<Failed> {
    let tallies = comparison.checks.iter().enumerate().filter(|(_, check)| check.failed > 0);
    tallies
        .map(|(position, check)| Failed {
            at: format!("/checks/{position}"),
            name: check.name.clone(),
            voids: check.severity == Severity::Invalid,
        })
        .collect()
}

/// `cell 2, async`: variants whose response moved within the window.
pub(super) fn unsteady(comparison: &Comparison) -> Vec<String> {
    let mut names = Vec::new();
    for cell in &comparison.cells {
        let moved = cell
            .variants
            .iter()
            .filter(|summary| summary.steady.is_some_and(|steady| steady.state == SteadyState::Unsteady));
        names.extend(moved.map(|summary| format!("cell {}, {}", cell.index, summary.variant.name)));
    }
    names
}
