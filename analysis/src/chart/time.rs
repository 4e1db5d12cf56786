//! Response, throughput and backlog second by second: medians over the runs of a variant, and the band from smallest to largest.

use common::report::Phase;
use common::report::comparison::{Cell, Comparison};
use common::report::drawing::{Moment, Spread, Timeline};

use super::Chart;
use super::frame::{Drawing, Frame, Look, Place, SMALL, Size, legend, room_for, runs_of, variants};
use super::scale::Scale;
use super::svg::{Element, band, line, width_of};
use crate::format::{quantity, significant};
use crate::metric::Unit;

/// Stops for the keyboard in one chart; more would hold up who only wants to pass.
const STOPS_MAX: usize = 24;

/// A figure of a moment, and what stands at its line where there are several.
type Figure = (&'static str, fn(&Moment) -> Option<Spread>);

/// A chart of one or more figures over time.
struct Kind {
    id: &'static str,
    title: &'static str,
    y_title: &'static str,
    unit: Unit,
    figures: &'static [Figure],
    note: &'static str,
}

// Response of the seconds outside of the window is that of the few of its tasks that came late.
const KINDS: [Kind; 4] = [
    Kind {
        id: "response",
        title: "Response over time",
        y_title: "response of the tasks that ended in a second",
        unit: Unit::Micros,
        figures: &[
            ("p99", |moment| moment.response_p99_us.filter(|_| moment.phase == Phase::Window)),
            ("p50", |moment| moment.response_p50_us.filter(|_| moment.phase == Phase::Window)),
        ],
        note: "A second's p99 rests on a hundredth of its tasks: the band says how far to believe it. A percentile beyond which fewer than \
               30 tasks of all runs together lie is not drawn.",
    },
    Kind {
        id: "backlog",
        title: "Backlog over time",
        y_title: "tasks sent and not finished",
        unit: Unit::Number,
        figures: &[("", |moment| moment.backlog)],
        note: "",
    },
    Kind {
        id: "queue",
        title: "In the queue over time",
        y_title: "tasks",
        unit: Unit::Number,
        figures: &[("visible", |moment| moment.visible), ("in flight", |moment| moment.in_flight)],
        note: "Visible tasks wait to be claimed, those in flight are claimed and not settled; looked at ten times a second.",
    },
    Kind {
        id: "completed",
        title: "Completed over time",
        y_title: "tasks completed a second",
        unit: Unit::Number,
        figures: &[("", |moment| moment.completed_per_s.filter(|_| moment.phase != Phase::Drain))],
        note: "",
    },
];

struct Line<'a> {
    look: Look,
    name: &'a str,
    timeline: &'a Timeline,
}

/// The charts of a cell; those are left out for which no variant has a value.
pub(super) fn of(comparison: &Comparison, cell: &Cell) -> Vec<Chart> {
    let lines: Vec<Line<'_>> = cell
        .variants
        .iter()
        .enumerate()
        .filter_map(|(i, summary)| {
            let timeline = summary.timeline.as_ref()?;
            Some(Line { look: Look::Variant(i), name: &summary.variant.name, timeline })
        })
        .collect();
    let place = Place::cell(comparison, cell);
    let charts = KINDS.iter().filter_map(|kind| {
        let has = |line: &Line<'_>| {
            kind.figures.iter().any(|(_, value)| line.timeline.moments.iter().any(|moment| value(moment).is_some()))
        };
        lines.iter().any(has).then(|| {
            let words: Vec<String> = lines.iter().map(|line| words(kind, line)).collect();
            let summary = format!(
                "Medians over the runs, with the band from the smallest to the largest. {}. {}{}{}",
                words.join("; "),
                kind.note,
                if kind.note.is_empty() { "" } else { " " },
                runs_of(cell)
            );
            let id = format!("time-{}-{}", kind.id, cell.index);
            place.chart(id, kind.title, summary, |size| draw(size, kind, cell, &lines))
        })
    });
    charts.collect()
}

/// "threads: p99 from 3.1 ms to 4 ms, p50 from 0.9 ms to 1 ms"
fn words(kind: &Kind, line: &Line<'_>) -> String {
    let parts = kind.figures.iter().filter_map(|(name, value)| {
        let window = line.timeline.moments.iter().filter(|moment| moment.phase == Phase::Window);
        let medians: Vec<f64> = window.filter_map(value).map(|spread| spread.median).collect();
        let (low, high) = (medians.iter().copied().reduce(f64::min)?, medians.iter().copied().reduce(f64::max)?);
        let name = if name.is_empty() { String::new() } else { format!("{name} ") };
        Some(format!("{name}{} to {}", quantity(kind.unit, low), quantity(kind.unit, high)))
    });
    let parts: Vec<String> = parts.collect();
    format!("{}: {}", line.name, if parts.is_empty() { "nothing in the window".to_owned() } else { parts.join(", ") })
}

fn draw(size: Size, kind: &Kind, cell: &Cell, lines: &[Line<'_>]) -> Drawing {
    let shown = |moment: &&Moment| kind.figures.iter().any(|(_, value)| value(moment).is_some());
    let moments = || lines.iter().flat_map(|line| &line.timeline.moments).filter(shown);
    let spreads = || moments().flat_map(|moment| kind.figures.iter().filter_map(|(_, value)| value(moment)));
    let y = Scale::of(kind.unit, spreads().flat_map(|spread| [spread.low, spread.high]));
    let Some(y) = y else { return Drawing::default() };
    let (from, to) = moments()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(from, to), moment| (from.min(moment.t_s), to.max(moment.t_s)));
    let y_ticks = y.ticks(kind.unit, 6);
    let (mut parts, legend_height) = legend(size, &variants(cell, true));
    let top = legend_height + 26.0;
    let named = kind.figures.iter().map(|(name, _)| width_of(name, SMALL)).fold(0.0, f64::max);
    let frame = Frame {
        left: room_for(&y_ticks),
        right: size.width() - 14.0 - named,
        top,
        bottom: top + if size.is_narrow() { 150.0 } else { 190.0 },
        x: Scale::linear(from, to),
        y,
    };
    parts.extend(outside_of_the_window(&frame, from, to, lines));
    let x_ticks = frame.x.ticks(Unit::Number, if size.is_narrow() { 6 } else { 11 });
    parts.extend(frame.axes(&x_ticks, &y_ticks, "seconds since the window began", kind.y_title));
    for line in lines {
        for (i, (_, value)) in kind.figures.iter().enumerate() {
            parts.push(drawn(&frame, line, *value, i));
        }
    }
    parts.extend(names(&frame, kind, lines));
    parts.extend(slabs(&frame, kind, lines));
    Drawing { height: frame.bottom + 42.0, parts }
}

/// Warm-up and drain are shaded: they are in no figure.
fn outside_of_the_window(frame: &Frame, from: f64, to: f64, lines: &[Line<'_>]) -> Vec<Element> {
    let ends = lines.iter().flat_map(|line| &line.timeline.moments).filter(|moment| moment.phase == Phase::Window);
    let end = ends.map(|moment| moment.t_s).fold(f64::NEG_INFINITY, f64::max);
    let shade = |from: f64, to: f64| {
        let ((left, _), (right, _)) = (frame.at(from, 0.0), frame.at(to, 0.0));
        Element::rectangle("aside", left, frame.top, right - left, frame.bottom - frame.top)
    };
    let warm_up = (from < 0.0).then(|| shade(from, 0.0_f64.min(to)));
    let drain = (end.is_finite() && to > end).then(|| shade(end, to));
    warm_up.into_iter().chain(drain).collect()
}

/// The first figure of several has the heavier line.
fn drawn(frame: &Frame, of: &Line<'_>, value: fn(&Moment) -> Option<Spread>, figure: usize) -> Element {
    let moments = &of.timeline.moments;
    let places = |part: fn(&Spread) -> f64| -> Vec<Option<(f64, f64)>> {
        moments.iter().map(|moment| value(moment).map(|spread| frame.at(moment.t_s, part(&spread)))).collect()
    };
    let (low, middle, high) = (places(|s| s.low), places(|s| s.median), places(|s| s.high));
    let edges: Vec<_> =
        low.iter().zip(&high).map(|(low, high)| low.zip(*high).map(|((x, low), (_, high))| (x, low, high))).collect();
    let class = if figure == 0 { "line" } else { "line thin" };
    let mut parts = vec![Element::path("band", &band(&edges)), Element::path(class, &line(&middle))];
    if moments.len() <= STOPS_MAX {
        parts.extend(middle.iter().flatten().map(|&(x, y)| of.look.marker(x, y)));
    }
    Element::group(&of.look.class(), parts)
}

/// At the right end of every line, where there are several a variant.
fn names(frame: &Frame, kind: &Kind, lines: &[Line<'_>]) -> Vec<Element> {
    if kind.figures.len() < 2 {
        return Vec::new();
    }
    let mut places: Vec<(f64, Look, &str)> = Vec::new();
    for line in lines {
        for (name, value) in kind.figures {
            let last = line.timeline.moments.iter().rev().find_map(value);
            places.extend(last.map(|spread| (frame.at(0.0, spread.median).1, line.look, *name)));
        }
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Those that would lie on each other make room downwards, but not out of the chart.
    for i in 1..places.len() {
        places[i].0 = places[i].0.max(places[i - 1].0 + SMALL);
    }
    let mut lowest = frame.bottom;
    for place in places.iter_mut().rev() {
        place.0 = place.0.min(lowest);
        lowest = place.0 - SMALL;
    }
    let label = |(y, look, name): (f64, Look, &str)| {
        Element::group(&look.class(), [Element::label("tick name", frame.right + 9.0, y + 4.0, name)])
    };
    places.into_iter().map(label).collect()
}

/// One invisible area a moment, which says all that there is at that time.
fn slabs(frame: &Frame, kind: &Kind, lines: &[Line<'_>]) -> Vec<Element> {
    let Some(longest) = lines.iter().max_by_key(|line| line.timeline.moments.len()) else { return Vec::new() };
    let moments = &longest.timeline.moments;
    let step_s = f64::from(longest.timeline.step_s);
    let stops_every = moments.len().div_ceil(STOPS_MAX);
    let slab = |(i, moment): (usize, &Moment)| {
        let tip = tip(kind, lines, moment.t_s)?;
        let at = |t_s: f64| frame.at(t_s, 0.0).0;
        let (from, to) = (at(moment.t_s - step_s / 2.0), at(moment.t_s + step_s / 2.0));
        let area = Element::rectangle("slab", from, frame.top, to - from, frame.bottom - frame.top);
        Some(if i % stops_every == 0 { area.tip(&tip) } else { area.hint(&tip) })
    };
    moments.iter().enumerate().filter_map(slab).collect()
}

fn tip(kind: &Kind, lines: &[Line<'_>], t_s: f64) -> Option<String> {
    let mut words = vec![format!("{} s", significant(t_s, 6))];
    for line in lines {
        let moment = line.timeline.moments.iter().find(|moment| (moment.t_s - t_s).abs() < 1e-6);
        for (name, value) in kind.figures {
            let Some(spread) = moment.and_then(value) else { continue };
            let name = if name.is_empty() { line.name.to_owned() } else { format!("{} {name}", line.name) };
            let [median, low, high] = [spread.median, spread.low, spread.high].map(|value| quantity(kind.unit, value));
            words.push(format!("{name}: {median} ({low} to {high}, n = {})", spread.n));
        }
    }
    (words.len() > 1).then(|| words.join("\n"))
}
