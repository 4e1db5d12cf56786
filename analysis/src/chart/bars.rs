//! Small multiples of bars: one panel a figure, one bar a variant. What a variant uses, and figures of others.

use common::plan::Metric;
use common::report::comparison::{Cell, Comparison, Estimate, VariantSummary};

use super::frame::{Drawing, Entry, Look, Place, SMALL, Size, legend, parameters, runs_of, variants};
use super::svg::{Element, fitting, width_of};
use super::sweep::runs_of_all;
use super::{Chart, Section};
use crate::format::{estimate, percent, quantity, significant};
use crate::metric::{Unit, wording};

const BAR: f64 = 16.0;
const LINE: f64 = 24.0;
const TITLE: f64 = 26.0;

/// One figure of several variants.
struct Panel {
    title: String,
    bars: Vec<Bar>,
}

struct Bar {
    look: Look,
    /// In one unit in the whole panel, from left to right.
    parts: Vec<f64>,
    /// Ends of the interval of the whole.
    interval: Option<(f64, f64)>,
    /// Stands behind the bar.
    words: String,
    tip: String,
}

/// A figure: its title, its parts from left to right, and the metric that is all of them together, where there is one.
type Figure = (&'static str, &'static [Metric], Option<Metric>);

const RESOURCES: [Figure; 6] = [
    (
        "CPU per task (paler: server)",
        &[Metric::WorkersCpuUsPerTask, Metric::RedisCpuUsPerTask],
        Some(Metric::CpuUsPerTask),
    ),
    ("peak memory of the dynos", &[Metric::RssMaxBytes], None),
    (
        "switches per task (paler: involuntary)",
        &[Metric::VoluntarySwitchesPerTask, Metric::InvoluntarySwitchesPerTask],
        None,
    ),
    ("idle memory per worker", &[Metric::IdleBytesPerWorker], None),
    ("threads", &[Metric::Threads], None),
    ("sockets", &[Metric::Sockets], None),
];

/// What the variants of a cell used; `None` when nothing was measured.
pub(super) fn resources(comparison: &Comparison, cell: &Cell) -> Option<Chart> {
    let panels: Vec<Panel> = RESOURCES.iter().filter_map(|figure| resource(cell, figure)).collect();
    if panels.is_empty() {
        return None;
    }
    let words = cell.variants.iter().filter_map(|summary| {
        let of = |metric: Metric| {
            let value = metric_of(summary, metric)?.value?;
            Some(format!("{} {}", quantity(wording(metric).unit, value), wording(metric).label))
        };
        let words: Vec<String> =
            [Metric::CpuUsPerTask, Metric::RssMaxBytes, Metric::Threads].into_iter().filter_map(of).collect();
        (!words.is_empty()).then(|| format!("{}: {}", summary.variant.name, words.join(", ")))
    });
    let words: Vec<String> = words.collect();
    let (words, level) = (words.join("; "), percent(comparison.level));
    let summary = format!("{words}. Medians over valid runs with unadjusted {level} intervals. {}", runs_of(cell));
    let id = format!("resources-{}", cell.index);
    Some(
        Place::cell(comparison, cell)
            .chart(id, "What it takes", summary, |size| draw(size, &variants(cell, false), &panels)),
    )
}

fn metric_of(summary: &VariantSummary, metric: Metric) -> Option<&Estimate> {
    summary.metrics.get(metric.name())
}

fn resource(cell: &Cell, (title, metrics, whole): &Figure) -> Option<Panel> {
    let bar = |(i, summary): (usize, &VariantSummary)| {
        let estimates: Vec<(&Metric, &Estimate)> =
            metrics.iter().filter_map(|metric| Some((metric, metric_of(summary, *metric)?))).collect();
        let parts: Vec<f64> = estimates.iter().filter_map(|(_, estimate)| estimate.value).collect();
        if parts.len() < metrics.len() {
            return None;
        }
        let text = |metric: Metric, of: &Estimate| quantity(wording(metric).unit, of.value.unwrap_or(0.0));
        let total =
            whole.and_then(|metric| Some((metric, metric_of(summary, metric).filter(|of| of.value.is_some())?)));
        let each: Vec<String> = estimates.iter().map(|(metric, of)| text(**metric, of)).collect();
        let words = total.map_or_else(|| each.join(" + "), |(metric, of)| text(metric, of));
        let alone = estimates.first().filter(|_| estimates.len() == 1).map(|(metric, of)| (**metric, *of));
        let interval = total.or(alone).and_then(|(_, of)| of.low.zip(of.high));
        let line = |metric: Metric, of: &Estimate| {
            format!("{}: {}", wording(metric).label, estimate(wording(metric).unit, of))
        };
        let lines = total.into_iter().map(|(metric, of)| line(metric, of));
        let lines: Vec<String> = lines.chain(estimates.iter().map(|(metric, of)| line(**metric, of))).collect();
        let tip = format!("{}\n{}\n{} runs", summary.variant.name, lines.join("\n"), estimates[0].1.n);
        Some(Bar { look: Look::Variant(i), parts, interval, words, tip })
    };
    let bars: Vec<Bar> = cell.variants.iter().enumerate().filter_map(bar).collect();
    (!bars.is_empty()).then(|| Panel { title: (*title).to_owned(), bars })
}

/// A mean in published figures, and where the same is among those measured.
type Quoted = (&'static str, fn(&common::plan::Published) -> Option<f64>, &'static str);

const QUOTED: [Quoted; 4] = [
    ("mean of a task", |published| published.task_ms, "service_mean_us"),
    ("of its fetch", |published| published.fetch_ms, "fetch_mean_us"),
    ("of its save", |published| published.save_ms, "save_mean_us"),
    ("of its ping", |published| published.ping_ms, "ping_mean_us"),
];
/// Cells whose figures are drawn beside published ones.
const CELLS_MAX: usize = 4;

/// Means that others published beside those measured; `None` where the plan quotes none.
pub(super) fn published(comparison: &Comparison) -> Option<Chart> {
    let cells = &comparison.cells[..comparison.cells.len().min(CELLS_MAX)];
    let panel = |(title, quoted, measured): &Quoted| {
        let ms = |value: f64| quantity(Unit::Millis, value);
        let others = comparison.published.iter().filter_map(|published| {
            let value = quoted(published)?;
            let dyno = published.dyno.as_ref().map_or_else(String::new, |dyno| format!(", dyno {dyno}"));
            let tip = format!("published by {}{dyno}\n{title}: {} ms", published.source, significant(value, 4));
            Some(Bar { look: Look::Neutral, parts: vec![value], interval: None, words: ms(value), tip })
        });
        let others: Vec<Bar> = others.collect();
        if others.is_empty() {
            return None;
        }
        let here = cells.iter().flat_map(|cell| {
            cell.variants.iter().enumerate().filter_map(move |(i, summary)| {
                let of = summary.metrics.get(*measured)?;
                let value = of.value? / 1e3;
                let interval = of.low.zip(of.high).map(|(low, high)| (low / 1e3, high / 1e3));
                let name = parameters(cell);
                let name = if name.is_empty() { name } else { format!(" ({name})") };
                let figure = estimate(Unit::Micros, of);
                let tip = format!("{}{name}, measured\n{title}: {figure}\n{} runs", summary.variant.name, of.n);
                Some(Bar { look: Look::Variant(i), parts: vec![value], interval, words: ms(value), tip })
            })
        });
        Some(Panel { title: (*title).to_owned(), bars: others.into_iter().chain(here).collect() })
    };
    let panels: Vec<Panel> = QUOTED.iter().filter_map(panel).collect();
    let first = panels.first()?;
    let figures: Vec<String> = first.bars.iter().map(|bar| bar.tip.replace('\n', ", ")).collect();
    let summary = format!(
        "{}. Another machine, another server and another program: the shape can be compared, the size cannot. {}",
        figures.join("; "),
        runs_of_all(comparison)
    );
    let mut entries = vec![Entry { look: Look::Neutral, name: "published".to_owned(), line: false }];
    entries.extend(comparison.cells.first().map_or_else(Vec::new, |cell| variants(cell, false)));
    let place = Place::section(Section::Published);
    let title = "Means beside published ones";
    Some(place.chart("published-means".to_owned(), title, summary, |size| draw(size, &entries, &panels)))
}

fn draw(size: Size, entries: &[Entry], panels: &[Panel]) -> Drawing {
    let (mut parts, legend_height) = legend(size, entries);
    let columns = if size.is_narrow() || panels.len() == 1 { 1 } else { 2 };
    let wide = size.width() / columns as f64;
    let mut top = legend_height + 6.0;
    for row in panels.chunks(columns) {
        for (i, panel) in row.iter().enumerate() {
            parts.extend(drawn(panel, wide * i as f64 + 4.0, top, wide - 20.0));
        }
        let lines = row.iter().map(|panel| panel.bars.len()).max().unwrap_or(0);
        top += TITLE + lines as f64 * LINE + 14.0;
    }
    Drawing { height: top, parts }
}

fn drawn(panel: &Panel, left: f64, top: f64, width: f64) -> Vec<Element> {
    let largest = panel.bars.iter().map(Bar::end).fold(0.0, f64::max);
    let words = panel.bars.iter().map(|bar| width_of(&bar.words, SMALL)).fold(0.0, f64::max);
    // A marker before each bar, its words behind the longest one.
    let (from, room) = (left + 16.0, width - 16.0 - words - 12.0);
    let place = |value: f64| if largest > 0.0 { value / largest * room } else { 0.0 };
    let mut all = vec![Element::label("strong", left, top + 14.0, &fitting(&panel.title, SMALL, width))];
    for (i, bar) in panel.bars.iter().enumerate() {
        let y = top + TITLE + i as f64 * LINE;
        let middle = y + BAR / 2.0;
        let mut parts = vec![bar.look.marker(left + 5.0, middle)];
        let mut x = from;
        for (part, value) in bar.parts.iter().enumerate() {
            let class = if part == 0 { "bar" } else { "bar paler" };
            parts.push(Element::rectangle(class, x, y, place(*value), BAR));
            x += place(*value);
        }
        if let Some((low, high)) = bar.interval {
            let (low, high) = (from + place(low), from + place(high));
            let ends = format!("M{low:.1} {:.1}v6m0 -3H{high:.1}m0 -3v6", middle - 3.0);
            parts.push(Element::path("interval", &ends));
        }
        parts.push(Element::label("tick", from + place(bar.end()) + 8.0, middle + 4.0, &bar.words));
        all.push(Element::group(&bar.look.class(), parts).tip(&bar.tip));
    }
    all.push(Element::straight(
        "axis",
        (from, top + TITLE - 4.0),
        (from, top + TITLE + panel.bars.len() as f64 * LINE - 4.0),
    ));
    all
}

impl Bar {
    /// Where the bar or its interval ends.
    fn end(&self) -> f64 {
        self.parts.iter().sum::<f64>().max(self.interval.map_or(0.0, |(_, high)| high))
    }
}
