//! The charts of a comparison: inline SVG, pure functions of what stands in `comparison.json`.

use common::report::comparison::Comparison;

mod bars;
mod crossover;
mod forest;
mod frame;
mod outcome;
mod percentiles;
mod scale;
mod svg;
mod sweep;
mod swept;
mod time;

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    /// Unique on the page; usable as an id in HTML.
    pub id: String,
    /// Where it belongs.
    pub section: Section,
    /// What is drawn, without a full stop. Plain text.
    pub title: String,
    /// The text alternative: one or two sentences with the main figures. Plain text.
    pub summary: String,
    /// HTML that may stand anywhere in a page: a `<div class="chart">` with an `<svg>` for wide places and one for narrow
    /// ones, of which [`STYLE`] shows one; `<div class="chart small">` has only that for narrow ones. What carries values has `tabindex="0"`, `data-tip` (plain text, lines divided by
    /// line feeds) and the same text as its `<title>`.
    pub svg: String,
}

/// Where a chart belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// About all cells: ratios, who wins where, what changes with the swept keys.
    Overview,
    /// About the cell with this `index`.
    Cell(u32),
    /// Figures of others beside those measured.
    Published,
}

/// CSS of the charts: `--chart-*` for light and dark (`prefers-color-scheme`, `[data-theme="light"|"dark"]` on the root), print.
pub const STYLE: &str = include_str!("chart/style.css");

/// Every chart for which `comparison` has data, in the order of the page.
#[must_use]
pub fn charts(comparison: &Comparison) -> Vec<Chart> {
    let mut charts: Vec<Chart> = forest::primary(comparison);
    charts.extend(crossover::of(comparison));
    charts.extend(sweep::of(comparison));
    for cell in &comparison.cells {
        charts.extend(forest::of_cell(comparison, cell));
        charts.extend(percentiles::of(comparison, cell));
        charts.extend(time::of(comparison, cell));
        charts.extend(bars::resources(comparison, cell));
    }
    charts.extend(bars::published(comparison));
    charts
}
