//! The columns of published figures that were judged: where in the JSON their numbers are.

use common::report::comparison::{Cell, ClaimFigure, Comparison, VariantSummary};
use serde::Serialize;

use crate::beside;

#[derive(Debug, Serialize)]
pub(super) struct Beside {
    /// Whether there are no other columns.
    only: bool,
    columns: Vec<Column>,
    cells: Vec<OfCell>,
    note: &'static str,
}

#[derive(Debug, Serialize)]
struct Column {
    /// Its key in `published`.
    figure: ClaimFigure,
    title: &'static str,
}

#[derive(Debug, Serialize)]
struct OfCell {
    shown: bool,
    /// Of every variant a pointer for each column; empty: nothing is there.
    variants: Vec<Vec<String>>,
}

impl Beside {
    pub(super) fn new(comparison: &Comparison) -> Beside {
        let (only, columns) = (beside::are_all(comparison), beside::columns(comparison));
        let pointer = |figure, cell: &Cell, summary: &VariantSummary| {
            beside::measured(comparison, figure, cell, summary)
                .map_or_else(String::new, |(_, [claim, of])| format!("/claims/{claim}/measured/{of}/value"))
        };
        let pointers = |cell: &Cell, summary: &VariantSummary| -> Vec<String> {
            columns.iter().map(|column| pointer(column.figure, cell, summary)).collect()
        };
        let of_cell = |cell: &Cell| OfCell {
            shown: !only || beside::is_held_against(comparison, cell),
            variants: cell.variants.iter().map(|summary| pointers(cell, summary)).collect(),
        };
        Beside {
            only,
            cells: comparison.cells.iter().map(of_cell).collect(),
            columns: columns.iter().map(|one| Column { figure: one.figure, title: one.title }).collect(),
            note: beside::NOTE,
        }
    }
}
