//! Ratios with their intervals around 1, the margin shaded: the primary metric over all cells, and all metrics of one cell.

use common::report::comparison::{Cell, Comparison, Contrast, ContrastVerdict};

use super::frame::{Drawing, FONT, Frame, Place, SMALL, Size, legend, parameters, runs_of, value_text};
use super::outcome::{Outcome, contenders, outcome_legend, ratio_words};
use super::scale::Scale;
use super::svg::{Element, fitting, width_of};
use super::sweep::{capital, runs_of_all};
use super::swept::{centre, differing};
use super::{Chart, Section};
use crate::format::{percent, ratio_of, ratio_or_unbounded};
use crate::metric::{Unit, wording};
use crate::tables::layout::word;

/// Rows beyond this are left to the tables.
const ROWS_MAX: usize = 60;
/// Ratios beyond this (or below its inverse) become arrows at the edge: one of 6 must not squeeze all others into a line.
const AXIS_MAX: f64 = 2.5;

/// The verdict without its cause; that of a secondary metric in brackets.
fn short_word(contrast: &Contrast) -> String {
    let word = match contrast.verdict {
        ContrastVerdict::Better => "better",
        ContrastVerdict::Worse => "worse",
        ContrastVerdict::Same => "same",
        ContrastVerdict::Unknown => "unknown",
    };
    if contrast.primary { word.to_owned() } else { format!("({word})") }
}

/// The swept keys without their tables, where they differ without them; in a star the one in which `cell` is not its `centre`.
fn short_parameters(cell: &Cell, centre: Option<&Cell>) -> String {
    if let Some(centre) = centre {
        let words = differing(cell, centre).map(|(key, value)| format!("{key} = {}", value_text(value)));
        return words.last().unwrap_or_else(|| "the centre".to_owned());
    }
    let ends: Vec<&str> = cell.parameters.keys().map(|key| key.rsplit('.').next().unwrap_or(key)).collect();
    if (1..ends.len()).any(|i| ends[..i].contains(&ends[i])) {
        return parameters(cell);
    }
    let words = ends.iter().zip(cell.parameters.values()).map(|(key, value)| format!("{key} = {}", value_text(value)));
    words.collect::<Vec<_>>().join(", ")
}

struct Row<'a> {
    name: String,
    contrast: &'a Contrast,
    /// Stands out from the others.
    strong: bool,
}

/// The primary metric of every cell, one chart a contender; of one cell all contenders together. None where that is one ratio
/// only, which stands with its cell.
pub(super) fn primary(comparison: &Comparison) -> Vec<Chart> {
    let centre = centre(comparison);
    let of = |contender: Option<&str>| -> Vec<Row<'_>> {
        let contrasts = comparison.cells.iter().flat_map(|cell| cell.contrasts.iter().map(move |one| (cell, one)));
        contrasts
            .filter(|(_, contrast)| contrast.primary && contender.is_none_or(|name| contrast.contender == name))
            .map(|(cell, contrast)| {
                let parameters = short_parameters(cell, centre);
                let alone = parameters.is_empty() || contender.is_none();
                Row { name: if alone { contrast.contender.clone() } else { parameters }, contrast, strong: false }
            })
            .collect()
    };
    let groups: Vec<Vec<Row<'_>>> = match comparison.cells.as_slice() {
        [_] => vec![of(None)],
        _ => contenders(comparison).into_iter().map(|contender| of(Some(contender))).collect(),
    };
    let charts = groups.into_iter().enumerate().filter_map(|(i, rows)| {
        let first = rows.first().filter(|_| rows.len() > 1)?.contrast;
        let (label, baseline) = (capital(wording(comparison.primary).label), &first.baseline);
        let title = match comparison.cells.len() {
            1 => format!("{label}: ratios to {baseline}"),
            _ => format!("{label}: ratio {} / {baseline} in every cell", first.contender),
        };
        let place = Place::section(Section::Overview);
        let centre = centre.map_or_else(String::new, |centre| format!(" The centre: {}.", parameters(centre)));
        let summary = format!("{}{centre}", summary(comparison, &rows));
        Some(place.chart(format!("ratios-{i}"), &title, summary, |size| draw(size, comparison, &rows)))
    });
    charts.collect()
}

fn summary(comparison: &Comparison, rows: &[Row<'_>]) -> String {
    let count = |verdict| rows.iter().filter(|row| row.contrast.verdict == verdict).count();
    let values = || rows.iter().filter_map(|row| row.contrast.ratio.value);
    let range = match (values().reduce(f64::min), values().reduce(f64::max)) {
        (Some(low), Some(high)) => {
            format!(" Ratios lie from {} to {}.", ratio_or_unbounded(Some(low)), ratio_or_unbounded(Some(high)))
        }
        _ => String::new(),
    };
    let level = percent(comparison.level);
    format!(
        "Of {} ratios, {} are better than the baseline, {} worse, {} the same within {}, {} unknown.{range} Unadjusted \
         {level} intervals. {}{}",
        rows.len(),
        count(ContrastVerdict::Better),
        count(ContrastVerdict::Worse),
        count(ContrastVerdict::Same),
        percent(comparison.margin),
        count(ContrastVerdict::Unknown),
        runs_of_all(comparison),
        left_out(rows.len())
    )
}

/// All metrics of a cell, one chart a contender.
pub(super) fn of_cell(comparison: &Comparison, cell: &Cell) -> Vec<Chart> {
    let place = Place::cell(comparison, cell);
    let charts = contenders(comparison).into_iter().enumerate().filter_map(|(i, contender)| {
        let known = |contrast: &&Contrast| contrast.contender == contender && contrast.ratio.value.is_some();
        let name = |contrast: &Contrast| wording(contrast.metric).label.to_owned();
        let rows: Vec<Row<'_>> = cell
            .contrasts
            .iter()
            .filter(known)
            .map(|contrast| Row { name: name(contrast), contrast, strong: contrast.primary })
            .collect();
        let first = rows.first()?.contrast;
        let baseline = &first.baseline;
        let primary = if first.primary {
            format!("{}: {}, {}. ", capital(&name(first)), ratio_of(first), word(first))
        } else {
            String::new()
        };
        let order = if first.primary { ", the primary metric first" } else { "" };
        let level = percent(comparison.level);
        let summary = format!(
            "{primary}Ratios of {contender} to {baseline} with unadjusted {level} intervals{order}; words in \
             brackets: the plan did not set out to decide them. {}",
            runs_of(cell)
        );
        let title = format!("Ratios {contender} / {baseline}");
        let id = format!("metrics-{}-{i}", cell.index);
        Some(place.chart(id, &title, summary, |size| draw(size, comparison, &rows)))
    });
    charts.collect()
}

fn left_out(rows: usize) -> String {
    let left_out = rows.saturating_sub(ROWS_MAX);
    if left_out > 0 { format!(" {left_out} more are in the tables.") } else { String::new() }
}

/// As wide as the farthest interval, within [`AXIS_MAX`], and as far to either side of 1.
fn axis(margin: f64, rows: &[Row<'_>]) -> Scale {
    let ends = rows.iter().flat_map(|row| [row.contrast.ratio.value, row.contrast.ratio.low, row.contrast.ratio.high]);
    let far = ends.flatten().filter(|ratio| *ratio > 0.0).map(|ratio| ratio.ln().abs()).fold(0.0, f64::max);
    let far = far.max(2.0 * margin.ln_1p()).min(AXIS_MAX.ln()) * 1.06;
    Scale::log((-far).exp(), far.exp())
}

fn draw(size: Size, comparison: &Comparison, rows: &[Row<'_>]) -> Drawing {
    let rows = &rows[..rows.len().min(ROWS_MAX)];
    let contenders: Vec<&str> =
        rows.iter().map(|row| row.contrast.contender.as_str()).fold(Vec::new(), |mut all, one| {
            if !all.contains(&one) {
                all.push(one);
            }
            all
        });
    let mut entries = outcome_legend(comparison, &contenders);
    entries.truncate(8);
    let (mut parts, legend_height) = legend(size, &entries);
    let high = if size.is_narrow() { 40.0 } else { 24.0 };
    let (left, right) = if size.is_narrow() { (14.0, size.width() - 14.0) } else { (232.0, 474.0) };
    let top = legend_height + 12.0;
    let frame = Frame {
        left,
        right,
        top,
        bottom: top + rows.len() as f64 * high + 6.0,
        x: axis(comparison.margin, rows),
        y: Scale::linear(0.0, 1.0),
    };
    let margin = comparison.margin.ln_1p();
    let ((from, _), (to, _)) = (frame.at((-margin).exp(), 0.0), frame.at(margin.exp(), 0.0));
    parts.push(Element::rectangle("margin", from, frame.top, to - from, frame.bottom - frame.top));
    let x_ticks = frame.x.ticks(Unit::Number, if size.is_narrow() { 5 } else { 7 });
    parts.extend(frame.axes(&x_ticks, &[], "", ""));
    let one = frame.at(1.0, 0.0).0;
    parts.push(Element::straight("one", (one, frame.top), (one, frame.bottom)));
    for (i, row) in rows.iter().enumerate() {
        parts.push(drawn(size, &frame, comparison, row, frame.top + i as f64 * high));
    }
    let note = format!("ratio, logarithmic; shaded: the margin, {}", percent(comparison.margin));
    parts.push(Element::label("tick middle", (left + right) / 2.0, frame.bottom + 35.0, &note));
    Drawing { height: frame.bottom + 42.0, parts }
}

fn drawn(size: Size, frame: &Frame, comparison: &Comparison, row: &Row<'_>, top: f64) -> Element {
    let contrast = row.contrast;
    let outcome = Outcome::of(comparison, contrast);
    let class = if row.strong { "strong" } else { "" };
    let words = ratio_of(contrast);
    let whole = Element::rectangle("hit", 0.0, top, size.width(), if size.is_narrow() { 38.0 } else { 23.0 });
    let (mut parts, y) = if size.is_narrow() {
        let room = size.width() - 20.0 - width_of(&words, SMALL);
        let name = Element::label(class, 4.0, top + 16.0, &fitting(&row.name, FONT, room));
        let words = Element::label("tick end", size.width() - 4.0, top + 16.0, &words);
        (vec![whole, name, words], top + 29.0)
    } else {
        let name = Element::label(class, 4.0, top + 16.0, &fitting(&row.name, FONT, frame.left - 16.0));
        let words = Element::label("tick end", size.width() - 76.0, top + 16.0, &words);
        let verdict = Element::label(class, size.width() - 68.0, top + 16.0, &short_word(contrast));
        (vec![whole, name, words, verdict], top + 12.0)
    };
    match contrast.ratio.value.filter(|ratio| *ratio > 0.0 && contrast.p_value.is_some()) {
        Some(ratio) => {
            parts.extend(whisker(frame, contrast, y));
            parts.push(value(frame, outcome, ratio, y));
        }
        None => {
            let words = if contrast.p_value.is_none() { "no ratio" } else { "unbounded" };
            parts.push(Element::label("tick middle", frame.at(1.0, 0.0).0, y + 4.0, words));
        }
    }
    let tip = format!("{}\n{}", row.name, ratio_words(contrast));
    Element::group(&outcome.look().class(), parts).tip(&tip)
}

/// The interval, with an arrow where it goes on beyond the axis.
fn whisker(frame: &Frame, contrast: &Contrast, y: f64) -> Vec<Element> {
    let ratio = &contrast.ratio;
    let Some(value) = ratio.value else { return Vec::new() };
    if ratio.low.is_none() && ratio.high.is_none() {
        return Vec::new();
    }
    let ends = [ratio.low.unwrap_or(0.0), ratio.high.unwrap_or(f64::INFINITY)];
    let [from, to] = ends.map(|end| if end.is_finite() { frame.at(end, 0.0).0 } else { frame.right });
    let mut parts = vec![Element::straight("whisker", (from, y), (to, y))];
    if ends[0] < 1.0 / AXIS_MAX && value >= 1.0 / AXIS_MAX {
        parts.push(Element::path("whisker", &format!("M{:.1} {:.1}l-5 4l5 4", frame.left + 5.0, y - 4.0)));
    }
    if ends[1] > AXIS_MAX && value <= AXIS_MAX {
        parts.push(Element::path("whisker", &format!("M{:.1} {:.1}l5 4l-5 4", frame.right - 5.0, y - 4.0)));
    }
    parts
}

/// The ratio, or an arrow at the edge beyond which it lies.
fn value(frame: &Frame, outcome: Outcome, ratio: f64, y: f64) -> Element {
    match ratio {
        ratio if ratio > 1.06 * AXIS_MAX => {
            Element::path("mark", &format!("M{:.1} {:.1}l9 5l-9 5z", frame.right - 8.0, y - 5.0))
        }
        ratio if ratio < 1.0 / (1.06 * AXIS_MAX) => {
            Element::path("mark", &format!("M{:.1} {:.1}l-9 5l9 5z", frame.left + 8.0, y - 5.0))
        }
        ratio => outcome.look().marker(frame.at(ratio, 0.0).0, y),
    }
}
