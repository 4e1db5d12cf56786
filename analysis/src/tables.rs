//! A comparison as text for people. Everything shown stands in the comparison; nothing is computed here.

pub(crate) mod layout;

use std::path::PathBuf;

use comfy_table::{CellAlignment, Table, presets};
use common::report::comparison::Comparison;

use crate::escape;
use layout::{Grid, Page, Section, page};

/// Sentences are broken at this many columns; tables are as wide as they are.
const WIDTH: usize = 118;

/// The tables of `comparison` for a terminal: no colour, no dependence on its width. The answer stands at the end, where it is
/// seen first.
#[must_use]
pub fn terminal(comparison: &Comparison) -> String {
    text(&page(comparison))
}

/// `page` for a terminal.
pub(crate) fn text(page: &Page) -> String {
    let mut text = format!("{}\n", escape::line(&page.title));
    for fact in &page.facts {
        text.push_str(&wrapped(fact, ""));
    }
    page.sections.iter().for_each(|section| text.push_str(&section_text(section)));
    text.push_str("\nnotes\n");
    for note in &page.notes {
        text.push_str(&wrapped(note, "  "));
    }
    text.push_str(&section_text(&page.answer));
    text
}

/// What follows the tables on a terminal: where they are.
#[must_use]
pub fn written(paths: &[PathBuf]) -> String {
    let lines: Vec<String> =
        paths.iter().map(|path| format!("{}\n", escape::line(&path.display().to_string()))).collect();
    format!("\n{}", lines.concat())
}

fn section_text(section: &Section) -> String {
    let mut text = format!("\n{}\n", escape::line(&section.title));
    for line in &section.lines {
        text.push_str(&wrapped(line, "  "));
    }
    for grid in &section.grids {
        text.push_str(&format!("\n{}\n", grid_text(grid)));
    }
    text.push_str(if section.notes.is_empty() { "" } else { "\n" });
    for note in &section.notes {
        text.push_str(&wrapped(note, "  "));
    }
    text
}

/// `text` in lines of at most [`WIDTH`], all indented, the second and later ones further.
fn wrapped(text: &str, indent: &str) -> String {
    let text = escape::line(text);
    let mut lines = String::from(indent);
    let mut column = indent.len();
    for (i, word) in unbroken(&text).iter().enumerate() {
        let length = word.chars().count();
        if i > 0 && column + 1 + length > WIDTH {
            lines.push_str(&format!("\n{indent}    "));
            column = indent.len() + 4;
        } else if i > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines.push('\n');
    lines
}

/// The words of `text`, a number with its percent sign and groups of digits being one.
fn unbroken(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let number = |word: &String| word.ends_with(|last: char| last.is_ascii_digit());
        let belongs =
            word.starts_with('%') || word.len() >= 3 && word.bytes().take(3).all(|byte| byte.is_ascii_digit());
        match words.last_mut().filter(|last| belongs && number(last)) {
            Some(last) => last.push_str(&format!(" {word}")),
            None => words.push(word.to_owned()),
        }
    }
    words
}

/// A table for a terminal: numbers to the right under `header`.
#[must_use]
pub fn grid(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let header = header.iter().map(|&title| title.to_owned()).collect();
    grid_text(&Grid { header, rows, left: Vec::new() })
}

/// The first column to the left, numbers to the right; no spaces at the ends of lines.
pub(crate) fn grid_text(grid: &Grid) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(grid.header.iter().map(|cell| escape::line(cell)));
    for row in &grid.rows {
        table.add_row(row.iter().map(|cell| escape::line(cell)));
    }
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_cell_alignment(if grid.left.contains(&i) { CellAlignment::Left } else { CellAlignment::Right });
    }
    table.lines().map(|line| format!(" {}", line.trim_end())).collect::<Vec<_>>().join("\n")
}
