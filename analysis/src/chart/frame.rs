//! What all charts share: their two widths, axes, legend, and how a variant looks.

use common::report::comparison::{Cell, Comparison, RunVerdicts};

use super::scale::{Scale, Tick};
use super::svg::{Element, fitting, short, width_of};
use super::{Chart, Section};

/// Of all text in a chart, in units of the drawing.
pub(super) const FONT: f64 = 13.0;
/// Of ticks and notes.
pub(super) const SMALL: f64 = 12.0;
const LEGEND_LINE: f64 = 20.0;

/// Which of the two drawings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// For a column of text on a screen.
    Wide,
    /// For a phone.
    Narrow,
}

impl Size {
    pub(super) fn width(self) -> f64 {
        match self {
            Size::Wide => 720.0,
            Size::Narrow => 360.0,
        }
    }

    pub(super) fn is_narrow(self) -> bool {
        self == Size::Narrow
    }

    fn name(self) -> &'static str {
        match self {
            Size::Wide => "wide",
            Size::Narrow => "narrow",
        }
    }
}

/// A drawing of one size.
#[derive(Debug, Default)]
pub(super) struct Drawing {
    pub(super) height: f64,
    pub(super) parts: Vec<Element>,
}

/// Where a chart belongs, and in which sizes it is drawn there.
#[derive(Debug, Clone)]
pub(super) struct Place {
    section: Section,
    /// Stands behind its title.
    suffix: String,
    sizes: &'static [Size],
}

/// Comparisons of more cells have small charts of each of them: a page of a hundred large ones is no help, and heavy.
const CELLS_WITH_LARGE_CHARTS: usize = 6;

impl Place {
    /// With what is about all cells, or about none.
    pub(super) fn section(section: Section) -> Place {
        Place { section, suffix: String::new(), sizes: &[Size::Wide, Size::Narrow] }
    }

    /// With `cell`.
    pub(super) fn cell(comparison: &Comparison, cell: &Cell) -> Place {
        let (name, cells) = (parameters(cell), comparison.cells.len());
        let suffix = if cells > 1 && !name.is_empty() { format!(" ({name})") } else { String::new() };
        let sizes: &[Size] =
            if cells > CELLS_WITH_LARGE_CHARTS { &[Size::Narrow] } else { &[Size::Wide, Size::Narrow] };
        Place { section: Section::Cell(cell.index), suffix, sizes }
    }

    /// A chart at this place, in its sizes.
    pub(super) fn chart(&self, id: String, title: &str, summary: String, draw: impl Fn(Size) -> Drawing) -> Chart {
        let title = format!("{title}{}", self.suffix);
        let svg = self.sizes.iter().map(|&size| {
            let id = format!("{id}-{}", size.name());
            let Drawing { height, parts } = draw(size);
            let (title_id, summary_id) = (format!("{id}-title"), format!("{id}-desc"));
            Element::new("svg")
                .set("class", size.name())
                .set("role", "img")
                .set("aria-labelledby", &title_id)
                .set("aria-describedby", &summary_id)
                .set("viewBox", &format!("0 0 {} {}", size.width(), short(height)))
                .with(&Element::new("title").set("id", &title_id).text(&title))
                .with(&Element::new("desc").set("id", &summary_id).text(&summary))
                .all(parts)
        });
        let class = if self.sizes.len() > 1 { "chart" } else { "chart small" };
        let svg = Element::new("div").set("class", class).all(svg).to_string();
        Chart { id, section: self.section, title, summary, svg }
    }
}

/// How a variant (or something else that has a line in the legend) is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// The variant at this place in the plan.
    Variant(usize),
    /// No variant: what is published, or has no winner.
    Neutral,
    /// No variant either: an empty circle, for what is not known or did not go well.
    Nothing,
}

/// Colours, dashes and markers that there are.
const LOOKS: usize = 6;
const CIRCLE: &str = "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z";

impl Look {
    /// Colour and dash: from the seventh variant on a colour comes back with another dash and marker.
    pub(super) fn class(self) -> String {
        match self {
            Look::Variant(i) => format!("c{} d{}", i % LOOKS + 1, self.shape() + 1),
            Look::Neutral | Look::Nothing => "c0".to_owned(),
        }
    }

    fn shape(self) -> usize {
        match self {
            Look::Variant(i) => (i + i / LOOKS) % LOOKS,
            Look::Neutral | Look::Nothing => LOOKS,
        }
    }

    /// A marker around this place, some nine units wide.
    pub(super) fn marker(self, x: f64, y: f64) -> Element {
        let class = if self == Look::Nothing { "hollow" } else { "mark" };
        self.shaped(class, x, y)
    }

    fn hollow(self, x: f64, y: f64) -> Element {
        self.shaped("hollow", x, y)
    }

    /// A marker that says `tip`, with room around it for a finger.
    pub(super) fn point(self, x: f64, y: f64, hollow: bool, tip: &str) -> Element {
        let marker = if hollow { self.hollow(x, y) } else { self.marker(x, y) };
        let room = Element::new("circle").set("class", "hit").number("cx", x).number("cy", y).number("r", 10.0);
        Element::group("point", [room, marker]).tip(tip)
    }

    fn shaped(self, class: &str, x: f64, y: f64) -> Element {
        let d = match self.shape() {
            _ if self == Look::Nothing => CIRCLE,
            0 => CIRCLE,
            1 => "m-3.6 -3.6h7.2v7.2h-7.2z",
            2 => "m0 -5l4.6 8.2h-9.2z",
            3 => "m0 -5.2l4.6 5.2l-4.6 5.2l-4.6 -5.2z",
            4 => "m0 5l4.6 -8.2h-9.2z",
            5 => "m-1.5 -4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
            _ => "m-4 -2h8v4h-8z",
        };
        Element::path(class, &format!("M{} {}{d}", short(x), short(y)))
    }
}

/// A line of the legend.
pub(super) struct Entry {
    pub(super) look: Look,
    pub(super) name: String,
    /// A line with its dash behind the marker.
    pub(super) line: bool,
}

/// The variants of `cell`.
pub(super) fn variants(cell: &Cell, line: bool) -> Vec<Entry> {
    let entry = |(i, name)| Entry { look: Look::Variant(i), name, line };
    cell.variants.iter().map(|summary| summary.variant.name.clone()).enumerate().map(entry).collect()
}

/// The legend from the upper left corner on, and how high it is.
pub(super) fn legend(size: Size, entries: &[Entry]) -> (Vec<Element>, f64) {
    let (mut x, mut y) = (4.0, 14.0);
    let mut parts = Vec::new();
    for entry in entries {
        let sample = if entry.line { 30.0 } else { 14.0 };
        let name = fitting(&entry.name, FONT, size.width() - sample - 16.0);
        let wide = sample + 6.0 + width_of(&name, FONT) + 16.0;
        if x > 4.0 && x + wide > size.width() {
            (x, y) = (4.0, y + LEGEND_LINE);
        }
        let line = entry.line.then(|| Element::straight("line", (x, y - 4.0), (x + sample, y - 4.0)));
        let marker = entry.look.marker(x + sample / 2.0, y - 4.0);
        let name = Element::label("", x + sample + 6.0, y, &name);
        parts.push(Element::group(&entry.look.class(), line.into_iter().chain([marker, name])));
        x += wide;
    }
    (parts, if entries.is_empty() { 0.0 } else { y + 8.0 })
}

/// The area in which values are drawn, with its axes.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) x: Scale,
    pub(super) y: Scale,
}

impl Frame {
    /// The place of a value.
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.across(self.x.at(x)), self.up(self.y.at(y)))
    }

    fn across(&self, at: f64) -> f64 {
        self.left + at * (self.right - self.left)
    }

    fn up(&self, at: f64) -> f64 {
        self.bottom - at * (self.bottom - self.top)
    }

    /// Grid, ticks and titles: `y_title` above the axis, `x_title` below. Labels that would touch the one before are left out.
    pub(super) fn axes(&self, x_ticks: &[Tick], y_ticks: &[Tick], x_title: &str, y_title: &str) -> Vec<Element> {
        let mut parts = Vec::new();
        for tick in y_ticks {
            let y = self.up(tick.at);
            parts.push(Element::straight("grid", (self.left, y), (self.right, y)));
            parts.push(Element::label("tick end", self.left - 6.0, y + 4.0, &tick.label));
        }
        let mut free_from = f64::NEG_INFINITY;
        for tick in x_ticks {
            let (x, half) = (self.across(tick.at), width_of(&tick.label, SMALL) / 2.0);
            parts.push(Element::straight("grid", (x, self.top), (x, self.bottom + 4.0)));
            if x - half >= free_from {
                parts.push(Element::label("tick middle", x, self.bottom + 18.0, &tick.label));
                free_from = x + half + 4.0;
            }
        }
        parts.push(Element::straight("axis", (self.left, self.bottom), (self.right, self.bottom)));
        parts.push(Element::label("tick", 4.0, self.top - 10.0, y_title));
        parts.push(Element::label("tick end", self.right, self.bottom + 35.0, x_title));
        parts
    }
}

/// Room that the labels of a vertical axis need.
pub(super) fn room_for(ticks: &[Tick]) -> f64 {
    ticks.iter().map(|tick| width_of(&tick.label, SMALL)).fold(16.0, f64::max) + 10.0
}

/// `workers.count = 28, redis.rtt_us = 0`; empty where nothing is swept.
pub(super) fn parameters(cell: &Cell) -> String {
    let words = cell.parameters.iter().map(|(key, value)| format!("{key} = {}", value_text(value)));
    words.collect::<Vec<_>>().join(", ")
}

/// A swept value without quotes.
pub(super) fn value_text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// "8 ok, 2 overloaded"
pub(super) fn verdicts(runs: &RunVerdicts) -> String {
    let counts = [
        (runs.ok, "ok"),
        (runs.overloaded, "overloaded"),
        (runs.inconclusive, "inconclusive"),
        (runs.invalid, "invalid and left out"),
    ];
    let words: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// What is behind the figures of a cell: "threads: 10 ok; async: 8 ok, 2 overloaded".
pub(super) fn runs_of(cell: &Cell) -> String {
    let words = cell.variants.iter().map(|summary| format!("{}: {}", summary.variant.name, verdicts(&summary.runs)));
    format!("Runs: {}.", words.collect::<Vec<_>>().join("; "))
}
