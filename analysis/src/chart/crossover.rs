//! Who wins where: a map of the cells of a sweep for the primary metric, one a contender.

use common::report::comparison::{Cell, Comparison, Contrast, ContrastVerdict};

use super::frame::{Drawing, FONT, Place, SMALL, Size, legend, value_text};
use super::outcome::{Outcome, contenders, outcome_legend, ratio_words};
use super::scale::Scale;
use super::svg::{Element, fitting, short, width_of};
use super::sweep::runs_of_all;
use super::swept::{Row, Swept};
use super::{Chart, Section};
use crate::format::signed_percent_of_log;
use crate::metric::wording;

/// Maps beyond this are left to the tables.
const MAPS_MAX: usize = 20;
/// Rows beyond this are left to the tables.
const ROWS_MAX: usize = 40;
/// Between the lines of a hatched area.
const GAP: f64 = 9.0;
/// A difference of this log ratio has the full colour.
const FULL: f64 = 0.25;

/// One map a contender, and of a star one for every key; none without a sweep.
pub(super) fn of(comparison: &Comparison) -> Vec<Chart> {
    let all = Swept::all(comparison);
    let maps = contenders(comparison).into_iter().flat_map(|contender| all.iter().map(move |swept| (contender, swept)));
    let charts = maps.take(MAPS_MAX).enumerate().map(|(i, (contender, swept))| {
        let map = Map { comparison, swept, contender };
        let by = if all.len() > 1 { format!(", by {}", swept.key) } else { String::new() };
        let title = format!("{}{by}", map.title());
        Place::section(Section::Overview).chart(format!("crossover-{i}"), &title, map.summary(), |size| map.draw(size))
    });
    charts.collect()
}

struct Map<'a> {
    comparison: &'a Comparison,
    swept: &'a Swept<'a>,
    contender: &'a str,
}

impl<'a> Map<'a> {
    fn contrast(&self, cell: &'a Cell) -> Option<&'a Contrast> {
        cell.contrasts.iter().find(|contrast| contrast.primary && contrast.contender == self.contender)
    }

    fn baseline(&self) -> &'a str {
        let first = self.comparison.cells.iter().find_map(|cell| self.contrast(cell));
        first.map_or("", |contrast| contrast.baseline.as_str())
    }

    fn title(&self) -> String {
        let label = wording(self.comparison.primary).label;
        format!("Who wins where: {label}, {} against {}", self.contender, self.baseline())
    }

    fn summary(&self) -> String {
        let cells = self.swept.rows.iter().flat_map(|row| row.cells.iter().flatten());
        let contrasts: Vec<&Contrast> = cells.filter_map(|cell| self.contrast(cell)).collect();
        let count = |verdict| contrasts.iter().filter(|contrast| contrast.verdict == verdict).count();
        format!(
            "{} is better in {} of {} cells, worse in {}, the same in {}; unknown in {}. Percent: how much more or less {} \
             has than {}. {}",
            self.contender,
            count(ContrastVerdict::Better),
            contrasts.len(),
            count(ContrastVerdict::Worse),
            count(ContrastVerdict::Same),
            count(ContrastVerdict::Unknown),
            self.contender,
            self.baseline(),
            runs_of_all(self.comparison)
        )
    }

    fn draw(&self, size: Size) -> Drawing {
        let rows = &self.swept.rows[..self.swept.rows.len().min(ROWS_MAX)];
        let (mut parts, legend_height) = legend(size, &outcome_legend(self.comparison, &[self.contender]));
        let names = rows.iter().map(|row| width_of(&row.name, SMALL)).fold(0.0, f64::max);
        // On a phone the names of rows stand above them.
        let above = size.is_narrow() && names > 90.0;
        let left = if above || names == 0.0 { 4.0 } else { names.min(230.0) + 14.0 };
        let wide = ((size.width() - left - 4.0) / self.swept.values.len() as f64).min(150.0);
        let (high, over) = (48.0, if above { 20.0 } else { 0.0 });
        let top = legend_height + 40.0;
        let (unit, factor) = self.swept.unit();
        parts.push(Element::label("tick", left, legend_height + 14.0, &self.swept.key));
        let words: Vec<String> = match self.swept.numbers() {
            Some(numbers) => {
                let numbers: Vec<f64> = numbers.iter().map(|number| number * factor).collect();
                Scale::swept(&numbers).labelled(unit, &numbers).into_iter().map(|tick| tick.label).collect()
            }
            None => self.swept.values.iter().map(value_text).collect(),
        };
        for (column, words) in words.iter().enumerate() {
            let x = left + (column as f64 + 0.5) * wide;
            parts.push(Element::label("tick middle", x, top - 6.0, &fitting(words, SMALL, wide)));
        }
        for (i, row) in rows.iter().enumerate() {
            let y = top + i as f64 * (high + over) + over;
            if row.name.is_empty() {
                // One row, of no other key.
            } else if above {
                parts.push(Element::label("tick", 4.0, y - 6.0, &fitting(&row.name, SMALL, size.width() - 8.0)));
            } else {
                parts.push(Element::label("tick", 4.0, y + high / 2.0 + 4.0, &fitting(&row.name, SMALL, left - 10.0)));
            }
            for (column, cell) in row.cells.iter().enumerate() {
                let at = (left + column as f64 * wide, y);
                parts.push(self.cell(row, *cell, column, at, (wide - 3.0, high - 3.0)));
            }
        }
        Drawing { height: top + rows.len() as f64 * (high + over) + 6.0, parts }
    }

    fn cell(
        &self,
        row: &Row<'_>,
        cell: Option<&'a Cell>,
        column: usize,
        (x, y): (f64, f64),
        (wide, high): (f64, f64),
    ) -> Element {
        let Some(contrast) = cell.and_then(|cell| self.contrast(cell)) else {
            return Element::rectangle("nothing", x, y, wide, high);
        };
        let outcome = Outcome::of(self.comparison, contrast);
        let look = outcome.look();
        let log_ratio = contrast.ratio.value.filter(|ratio| *ratio > 0.0).map(f64::ln);
        let area = Element::rectangle("cell", x, y, wide, high);
        let area = match outcome {
            Outcome::Wins(_) => {
                let strength = (log_ratio.map_or(FULL, f64::abs) / FULL).clamp(0.0, 1.0);
                area.set("fill-opacity", &format!("{:.2}", 0.14 + 0.4 * strength))
            }
            Outcome::Same => area,
            Outcome::Unknown => hatched(x, y, wide, high),
        };
        let percent = log_ratio.map_or_else(|| "?".to_owned(), |log| signed_percent_of_log(log).replace('-', "−"));
        let said = match outcome {
            Outcome::Wins(_) => outcome.winner(self.comparison),
            Outcome::Same => "same".to_owned(),
            Outcome::Unknown => "unknown".to_owned(),
        };
        let middle = x + wide / 2.0;
        let quiet = if outcome == Outcome::Unknown { "strong quiet middle" } else { "strong middle" };
        let percent = fitting(&percent, FONT, wide);
        let mut parts = vec![area, Element::label(quiet, middle, y + high / 2.0 - 2.0, &percent)];
        // The marker says the same as the name where there is no room for it.
        let room = wide - 18.0;
        let said = if width_of(&said, SMALL) > room { String::new() } else { said };
        let offset = if said.is_empty() { 0.0 } else { 8.0 };
        let beside = middle - width_of(&said, SMALL) / 2.0 - 0.6 * offset;
        parts.push(outcome.look().marker(beside, y + high / 2.0 + 11.0));
        parts.push(Element::label("said middle", middle + offset, y + high / 2.0 + 15.0, &said));
        let place = if row.name.is_empty() { String::new() } else { format!(", {}", row.name) };
        let value = value_text(&self.swept.values[column]);
        let tip = format!("{} = {value}{place}\n{}", self.swept.key, ratio_words(contrast));
        Element::group(&look.class(), parts).tip(&tip)
    }
}

/// An area under slanting lines. Not by a `<pattern>`: a page that asks nobody for anything has no `url()`.
fn hatched(x: f64, y: f64, wide: f64, high: f64) -> Element {
    let mut lines = String::new();
    let mut offset = GAP;
    while offset < wide + high {
        // Where the line x + y = offset enters the area at its left or lower edge, and leaves it at its upper or right one.
        let (from, to) = ((offset - high).max(0.0), offset.min(wide));
        let (start, end) = ((x + from, y + offset - from), (x + to, y + offset - to));
        lines.push_str(&format!("M{} {}L{} {}", short(start.0), short(start.1), short(end.0), short(end.1)));
        offset += GAP;
    }
    Element::group("unknown", [Element::rectangle("nothing", x, y, wide, high), Element::path("hatch", &lines)])
}
