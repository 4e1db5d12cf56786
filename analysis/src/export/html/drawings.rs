//! The charts of a comparison, by the place where the page shows them.

use common::report::comparison::Comparison;
use serde::Serialize;

use crate::chart::{Chart, Section, charts};

/// Charts by place.
#[derive(Debug, Default, Serialize)]
pub(super) struct Drawings {
    /// About all cells.
    overview: Vec<Drawing>,
    /// One list a cell, in the order of the cells.
    cells: Vec<Vec<Drawing>>,
    published: Vec<Drawing>,
}

#[derive(Debug, Serialize)]
struct Drawing {
    id: String,
    title: String,
    summary: String,
    /// HTML.
    svg: String,
}

impl Drawings {
    pub(super) fn new(comparison: &Comparison) -> Drawings {
        let mut drawings = Drawings::default();
        drawings.cells.resize_with(comparison.cells.len(), Vec::new);
        for Chart { id, section, title, summary, svg } in charts(comparison) {
            let place = match section {
                Section::Overview => &mut drawings.overview,
                Section::Cell(index) => {
                    let position = comparison.cells.iter().position(|cell| cell.index == index);
                    &mut drawings.cells[position.unwrap_or_default()]
                }
                Section::Published => &mut drawings.published,
            };
            place.push(Drawing { id, title, summary, svg });
        }
        drawings
    }
}
