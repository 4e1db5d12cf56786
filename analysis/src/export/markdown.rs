//! `comparison.md`: to be pasted wherever Markdown is read.

use common::report::comparison::Comparison;

use crate::escape;
use crate::tables::layout::{Grid, page};

/// The tables of the comparison as Markdown.
#[must_use]
pub fn bytes(comparison: &Comparison) -> Vec<u8> {
    let page = page(comparison);
    let mut blocks = vec![format!("# {}", escape::markdown(&page.title)), list(&page.facts)];
    for section in std::iter::once(&page.answer).chain(&page.sections) {
        blocks.push(format!("## {}", escape::markdown(&section.title)));
        blocks.extend(section.lines.iter().map(|line| format!("**{}**", escape::markdown(line))));
        blocks.extend(section.grids.iter().map(grid));
        blocks.push(list(&section.notes));
    }
    blocks.push("## Notes".to_owned());
    blocks.push(list(&page.notes));
    blocks.retain(|block| !block.is_empty());
    let mut text = blocks.join("\n\n");
    text.push('\n');
    text.into_bytes()
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {}", escape::markdown(line))).collect::<Vec<_>>().join("\n")
}

fn grid(grid: &Grid) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escape::markdown(cell)).collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule = (0..grid.header.len()).map(|i| if grid.left.contains(&i) { "---" } else { "---:" }.to_owned());
    let mut lines = vec![line(&grid.header), line(&rule.collect::<Vec<_>>())];
    lines.extend(grid.rows.iter().map(|row| line(row)));
    lines.join("\n")
}
