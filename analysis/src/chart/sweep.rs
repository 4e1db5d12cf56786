//! A metric against a swept number: one line a variant, one panel for each combination of the other keys, or for each key of a star.

use common::plan::Metric;
use common::report::comparison::{Comparison, Estimate, RunVerdicts, VariantSummary};

use super::frame::{Drawing, Entry, FONT, Frame, Look, Place, Size, legend, room_for, variants, verdicts};
use super::scale::{Scale, Tick};
use super::svg::{Element, band, fitting, line};
use super::swept::{Row, Swept};
use super::{Chart, Section};
use crate::format::{estimate, listed, percent};
use crate::metric::{Unit, wording};

/// More panels than this are a book: the rest is in the JSON and in the tables.
const PANELS_MAX: usize = 12;
/// What is drawn besides the primary metric.
const METRICS: [Metric; 3] = [Metric::CompletedPerS, Metric::CpuUsPerTask, Metric::ResponseP99Us];

/// The charts of a sweep over a number; none without one.
pub(super) fn of(comparison: &Comparison) -> Vec<Chart> {
    let all = Swept::all(comparison);
    let panels = all
        .iter()
        .filter_map(|swept| Some((swept, swept.numbers()?)))
        .flat_map(|(swept, numbers)| swept.rows.iter().map(move |row| Panel { swept, numbers: numbers.clone(), row }));
    let mut panels: Vec<Panel<'_>> = panels.collect();
    let left_out = panels.len().saturating_sub(PANELS_MAX);
    panels.truncate(PANELS_MAX);
    let others = METRICS.into_iter().filter(|&metric| metric != comparison.primary);
    let charts = std::iter::once(comparison.primary).chain(others).filter_map(|metric| {
        let panels = Panels { comparison, panels: &panels, left_out, metric };
        panels.has_values().then(|| panels.chart())
    });
    charts.collect()
}

/// A line of cells that differ in one number.
struct Panel<'a> {
    swept: &'a Swept<'a>,
    numbers: Vec<f64>,
    row: &'a Row<'a>,
}

struct Panels<'a> {
    comparison: &'a Comparison,
    panels: &'a [Panel<'a>],
    /// How many there would be besides.
    left_out: usize,
    metric: Metric,
}

impl Panels<'_> {
    fn estimate(&self, panel: &Panel<'_>, column: usize, variant: usize) -> Option<Estimate> {
        let summary = panel.row.cells[column]?.variants.get(variant)?;
        summary.metrics.get(self.metric.name()).copied().filter(|estimate| estimate.value.is_some())
    }

    fn variants(&self) -> usize {
        self.comparison.cells.first().map_or(0, |cell| cell.variants.len())
    }

    fn estimates(&self) -> Vec<Estimate> {
        let mut all = Vec::new();
        for panel in self.panels {
            for column in 0..panel.numbers.len() {
                all.extend((0..self.variants()).filter_map(|variant| self.estimate(panel, column, variant)));
            }
        }
        all
    }

    fn has_values(&self) -> bool {
        !self.estimates().is_empty()
    }

    fn chart(&self) -> Chart {
        let label = wording(self.metric).label;
        let left_out = match self.left_out {
            0 => String::new(),
            left_out => format!(" {left_out} further combinations are in the tables."),
        };
        let summary = format!(
            "Medians over valid runs with unadjusted {} intervals. {}. {}{left_out}",
            percent(self.comparison.level),
            self.words().join("; "),
            runs_of_all(self.comparison)
        );
        let mut keys: Vec<String> = self.panels.iter().map(|panel| panel.swept.key.clone()).collect();
        keys.dedup();
        let title = format!("{} by {}", capital(label), listed(&keys, "and"));
        let id = format!("sweep-{}", self.metric.name());
        Place::section(Section::Overview).chart(id, &title, summary, |size| self.draw(size))
    }

    /// From the first value to the last, of every variant, in the first row.
    fn words(&self) -> Vec<String> {
        let Some(panel) = self.panels.first() else { return Vec::new() };
        let Panel { swept, numbers, row } = panel;
        let unit = wording(self.metric).unit;
        let words = (0..self.variants()).filter_map(|variant| {
            let known: Vec<(usize, Estimate)> = (0..numbers.len())
                .filter_map(|column| Some((column, self.estimate(panel, column, variant)?)))
                .collect();
            let ((first, low), (last, high)) = (known.first()?, known.last()?);
            let name = &self.comparison.cells.first()?.variants.get(variant)?.variant.name;
            Some(format!(
                "{name}: {} at {}{}, {} at {}{}",
                estimate(unit, low),
                if self.panels.iter().any(|other| other.swept.key != swept.key) {
                    format!("{} = ", swept.key)
                } else {
                    String::new()
                },
                swept.values[*first],
                estimate(unit, high),
                swept.values[*last],
                if row.name.is_empty() { String::new() } else { format!(" ({})", row.name) }
            ))
        });
        words.collect()
    }

    fn draw(&self, size: Size) -> Drawing {
        let unit = wording(self.metric).unit;
        let bounds = self.estimates().into_iter().flat_map(|one| [one.value, one.low, one.high]).flatten();
        let Some(y) = Scale::of(unit, bounds.collect::<Vec<_>>().into_iter()) else { return Drawing::default() };
        let y_ticks = y.ticks(unit, 6);
        let mut entries = self.comparison.cells.first().map_or_else(Vec::new, |cell| variants(cell, true));
        if !self.comparison.cells.iter().flat_map(|cell| &cell.variants).all(all_ok) {
            entries.push(Entry { look: Look::Nothing, name: "empty: not every run kept up".to_owned(), line: false });
        }
        let (mut parts, legend_height) = legend(size, &entries);
        let columns = if size.is_narrow() || self.panels.len() == 1 { 1 } else { 2 };
        let titles = if self.panels.len() > 1 { 22.0 } else { 0.0 };
        let (gap, wide) = (20.0, size.width() / columns as f64);
        let plot = if self.panels.len() == 1 && !size.is_narrow() { 240.0 } else { 160.0 };
        let high = titles + 26.0 + plot + 46.0;
        for (i, panel) in self.panels.iter().enumerate() {
            let Panel { swept, numbers, row } = panel;
            let (key_unit, factor) = swept.unit();
            let scale = Scale::swept(numbers);
            let named: Vec<f64> = numbers.iter().map(|number| number * factor).collect();
            let words = Scale::swept(&named).labelled(key_unit, &named);
            let x_ticks: Vec<Tick> =
                words.into_iter().zip(numbers).map(|(tick, number)| Tick { at: scale.at(*number), ..tick }).collect();
            let (left, top) = ((i % columns) as f64 * wide, legend_height + (i / columns) as f64 * high);
            if !row.name.is_empty() {
                parts.push(Element::label("strong", left + 4.0, top + 16.0, &fitting(&row.name, FONT, wide - gap)));
            }
            let top = top + titles + 26.0;
            let frame = Frame {
                left: left + room_for(&y_ticks),
                right: left + wide - if columns == 1 { 24.0 } else { gap },
                top,
                bottom: top + plot,
                x: scale.clone(),
                y: y.clone(),
            };
            let mut axes = frame.axes(&x_ticks, &y_ticks, &swept.key, wording(self.metric).label);
            // The title of the axis belongs to this panel, not to the left edge of the chart.
            if let Some(title) = axes.len().checked_sub(2).and_then(|i| axes.get_mut(i)) {
                *title = Element::label("tick", left + 4.0, frame.top - 10.0, wording(self.metric).label);
            }
            parts.extend(axes);
            if scale.is_broken() {
                parts.push(break_of(&frame, numbers));
            }
            parts.extend((0..self.variants()).map(|variant| self.line(&frame, panel, variant, unit)));
        }
        Drawing { height: legend_height + self.panels.len().div_ceil(columns) as f64 * high, parts }
    }

    fn line(&self, frame: &Frame, panel: &Panel<'_>, variant: usize, unit: Unit) -> Element {
        let Panel { swept, numbers, row } = panel;
        let look = Look::Variant(variant);
        let estimates: Vec<Option<(f64, Estimate)>> = numbers
            .iter()
            .enumerate()
            .map(|(column, &number)| Some((number, self.estimate(panel, column, variant)?)))
            .collect();
        let edges: Vec<_> = estimates
            .iter()
            .map(|one| {
                let (number, estimate) = (*one)?;
                let ((x, low), (_, high)) = (frame.at(number, estimate.low?), frame.at(number, estimate.high?));
                Some((x, low, high))
            })
            .collect();
        let places: Vec<_> =
            estimates.iter().map(|one| one.and_then(|(number, of)| Some(frame.at(number, of.value?)))).collect();
        let mut parts = vec![Element::path("band", &band(&edges)), Element::path("line", &line(&places))];
        let whiskers = edges.iter().flatten().map(|&(x, low, high)| Element::straight("whisker", (x, low), (x, high)));
        parts.extend(whiskers);
        for (column, place) in places.iter().enumerate() {
            let (Some((x, y)), Some((_, of)), Some(cell)) = (place, estimates[column], row.cells[column]) else {
                continue;
            };
            let Some(summary) = cell.variants.get(variant) else { continue };
            let tip = format!(
                "{}, {} = {}\n{}: {}\n{}",
                summary.variant.name,
                swept.key,
                swept.values[column],
                wording(self.metric).label,
                estimate(unit, &of),
                verdicts(&summary.runs)
            );
            parts.push(look.point(*x, *y, !all_ok(summary), &tip));
        }
        Element::group(&look.class(), parts)
    }
}

/// Two strokes across the axis: 0 is not as far away as it looks.
fn break_of(frame: &Frame, numbers: &[f64]) -> Element {
    let smallest = numbers.iter().copied().filter(|&number| number > 0.0).fold(f64::INFINITY, f64::min);
    let x = (frame.at(0.0, 0.0).0 + frame.at(smallest, 0.0).0) / 2.0;
    let y = frame.bottom;
    Element::path("break", &format!("M{:.1} {:.1}l5 -10M{:.1} {:.1}l5 -10", x - 5.0, y + 5.0, x, y + 5.0))
}

/// Whether every run that counts was.
fn all_ok(summary: &VariantSummary) -> bool {
    summary.runs.overloaded == 0 && summary.runs.inconclusive == 0
}

/// How many of all runs were what.
pub(super) fn runs_of_all(comparison: &Comparison) -> String {
    let mut all = RunVerdicts::default();
    for summary in comparison.cells.iter().flat_map(|cell| &cell.variants) {
        all.ok = all.ok.saturating_add(summary.runs.ok);
        all.overloaded = all.overloaded.saturating_add(summary.runs.overloaded);
        all.inconclusive = all.inconclusive.saturating_add(summary.runs.inconclusive);
        all.invalid = all.invalid.saturating_add(summary.runs.invalid);
    }
    format!("Runs of all cells: {}.", verdicts(&all))
}

/// With a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}
