//! Response by percentile, every nine as wide as the one before: from histograms that are merged to draw and for nothing else.

use common::report::comparison::{Cell, Comparison, VariantSummary};
use common::report::drawing::ResponseCurve;

use super::Chart;
use super::frame::{Drawing, Frame, Look, Place, SMALL, Size, legend, room_for, runs_of, variants};
use super::scale::{Scale, percentile};
use super::svg::{Element, fitting, line};
use crate::format::{counted, grouped, quantity};
use crate::metric::Unit;

/// These carry their figure.
const SAID: [f64; 8] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 99.999];

/// The chart of a cell; `None` when no variant has a curve.
pub(super) fn of(comparison: &Comparison, cell: &Cell) -> Option<Chart> {
    let curves: Vec<Curve<'_>> = cell.variants.iter().enumerate().filter_map(curve).collect();
    if curves.is_empty() {
        return None;
    }
    let figures = curves.iter().map(Curve::words).collect::<Vec<_>>().join("; ");
    let summary = format!("{figures}. Histograms of all valid runs, merged only to draw. {}", runs_of(cell));
    let id = format!("percentiles-{}", cell.index);
    Some(Place::cell(comparison, cell).chart(id, "Response by percentile", summary, |size| draw(size, cell, &curves)))
}

struct Curve<'a> {
    look: Look,
    name: &'a str,
    response: &'a ResponseCurve,
}

fn curve((i, summary): (usize, &VariantSummary)) -> Option<Curve<'_>> {
    let response = summary.response_curve.as_ref().filter(|curve| !curve.points.is_empty())?;
    Some(Curve { look: Look::Variant(i), name: &summary.variant.name, response })
}

impl Curve<'_> {
    fn words(&self) -> String {
        let said = |percent: f64| {
            let point = self.response.points.iter().find(|point| point.percentile == percent)?;
            Some(format!("p{percent} {}", quantity(Unit::Micros, point.us)))
        };
        let figures: Vec<String> = [50.0, 90.0, 99.0, 99.9].into_iter().filter_map(said).collect();
        let unbounded = self.unbounded().map_or_else(String::new, |words| format!(", {words}"));
        format!("{}: {}{unbounded}", self.name, figures.join(", "))
    }

    /// "12 of 5 000 tasks without a response"
    fn unbounded(&self) -> Option<String> {
        let ResponseCurve { n, unbounded, .. } = self.response;
        let all = counted(n.saturating_add(*unbounded), "task");
        (*unbounded > 0).then(|| format!("{} of {all} without a response", grouped(*unbounded)))
    }
}

fn draw(size: Size, cell: &Cell, curves: &[Curve<'_>]) -> Drawing {
    let points = || curves.iter().flat_map(|curve| &curve.response.points);
    let highest = points().map(|point| point.percentile).fold(0.0, f64::max);
    let Some(y) = Scale::of(Unit::Micros, points().map(|point| point.us)) else { return Drawing::default() };
    let x = Scale::tail(highest);
    let y_ticks = y.ticks(Unit::Micros, 7);
    let (mut parts, legend_height) = legend(size, &variants(cell, true));
    let unbounded: Vec<(Look, String)> = curves
        .iter()
        .filter_map(|curve| Some((curve.look, format!("{}: {}", curve.name, curve.unbounded()?))))
        .collect();
    let top = legend_height + 26.0;
    let frame = Frame {
        left: room_for(&y_ticks),
        right: size.width() - 18.0,
        top,
        bottom: top + if size.is_narrow() { 210.0 } else { 260.0 },
        x,
        y,
    };
    parts.extend(frame.axes(&frame.x.ticks(Unit::Number, 9), &y_ticks, "percentile of tasks", "response"));
    parts.extend(curves.iter().map(|curve| drawn(&frame, curve)));
    for (i, (look, words)) in unbounded.iter().enumerate() {
        let y = frame.bottom + 54.0 + 18.0 * i as f64;
        let arrow = Element::path("line", &format!("M10 {}v-11m-4 4l4 -4l4 4", y + 1.0));
        let words = fitting(words, SMALL, size.width() - 24.0);
        parts.push(Element::group(&look.class(), [arrow, Element::label("tick", 22.0, y, &words)]));
    }
    Drawing { height: frame.bottom + 42.0 + 18.0 * unbounded.len() as f64, parts }
}

fn drawn(frame: &Frame, curve: &Curve<'_>) -> Element {
    let points = &curve.response.points;
    let places: Vec<_> = points.iter().map(|point| Some(frame.at(point.percentile, point.us))).collect();
    let mut parts = vec![Element::path("line", &line(&places))];
    let last = points.len() - 1;
    for (i, point) in points.iter().enumerate() {
        if i != last && !SAID.contains(&point.percentile) {
            continue;
        }
        let (x, y) = frame.at(point.percentile, point.us);
        let tip = format!(
            "{}\n{} of tasks within {}\n{} longer",
            curve.name,
            percentile(point.percentile),
            quantity(Unit::Micros, point.us),
            counted(point.beyond, "task")
        );
        parts.push(curve.look.point(x, y, false, &tip));
        // Those beyond have no length: the line goes on upwards, out of the chart.
        if i == last && curve.response.unbounded > 0 {
            parts.push(Element::path("line", &format!("M{x:.1} {:.1}v-16m-4 4l4 -4l4 4", y - 4.0)));
        }
    }
    Element::group(&curve.look.class(), parts)
}
