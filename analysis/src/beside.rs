//! What stands beside published figures that were judged, whatever draws it.

use common::plan::Published;
use common::report::comparison::{Cell, ClaimFigure, Comparison, VariantSummary};

/// A figure of the claims, as a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) figure: ClaimFigure,
    pub(crate) title: &'static str,
}

const COLUMNS: [Column; 3] = [
    Column { figure: ClaimFigure::RealPerS, title: "done /s" },
    Column { figure: ClaimFigure::DrainMin, title: "drain min" },
    Column { figure: ClaimFigure::Peak, title: "peak" },
];

/// What the columns of claims are, and how they differ from the others.
pub(crate) const NOTE: &str =
    "done, drain and peak are of one process, in the original's time; drain: of what is said to have waited at most";

/// Those that the bench has claims of.
pub(crate) fn columns(comparison: &Comparison) -> Vec<Column> {
    let is_claimed = |column: &Column| comparison.claims.iter().any(|claim| claim.figure == column.figure);
    COLUMNS.into_iter().filter(is_claimed).collect()
}

/// Whether nothing else is published, so that other columns and cells had nothing to stand beside.
pub(crate) fn are_all(comparison: &Comparison) -> bool {
    !comparison.claims.is_empty() && comparison.published.iter().all(is_all_judged)
}

/// Whether every figure of it is one that is judged.
fn is_all_judged(published: &Published) -> bool {
    let Published { uptime_s, task_ms, fetch_ms, save_ms, ping_ms, .. } = published;
    // Beside a peak: of how many it is one.
    let counts = [published.sent.filter(|_| published.peak.is_none()), published.completed];
    published.workers.is_some()
        && counts.iter().all(Option::is_none)
        && [uptime_s, task_ms, fetch_ms, save_ms, ping_ms].into_iter().all(Option::is_none)
}

/// A figure as it was published, where it is judged.
pub(crate) fn published(figure: ClaimFigure, published: &Published) -> Option<f64> {
    published.workers?;
    match figure {
        ClaimFigure::RealPerS => published.real_per_s,
        ClaimFigure::DrainMin => published.drain_min,
        ClaimFigure::Peak => published.peak.map(|peak| peak as f64),
    }
}

/// What was really sent a second, where that is what the figure says.
pub(crate) fn sent_per_s(published: &Published) -> Option<f64> {
    published.real_per_s.filter(|_| published.workers.is_none())
}

/// Whether a cell is one that claims are held against.
pub(crate) fn is_held_against(comparison: &Comparison, cell: &Cell) -> bool {
    comparison.claims.iter().any(|claim| claim.cell == Some(cell.index))
}

/// What a variant did in a cell, and where that stands: the claim's number, and the variant's among those of the claim.
pub(crate) fn measured(
    comparison: &Comparison,
    figure: ClaimFigure,
    cell: &Cell,
    summary: &VariantSummary,
) -> Option<(Option<f64>, [usize; 2])> {
    let claims = comparison.claims.iter().enumerate();
    claims.filter(|(_, claim)| claim.figure == figure && claim.cell == Some(cell.index)).find_map(|(at, claim)| {
        let of = claim.measured.iter().position(|one| one.variant == summary.variant.name)?;
        Some((claim.measured[of].value, [at, of]))
    })
}
