//! Draws the view. Words say everything; colours only help, and are two that colour-blind people tell apart and that can be
//! read on light and dark.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline};

use super::state::{Quantiles, View, Waiting};

/// What it takes to set things side by side; on less, lines stand below each other and the last ones are cut.
const WIDE: (u16, u16) = (72, 20);
/// From how many lines on there are empty ones between the parts.
const AIRY: u16 = 28;
/// Of the curve, its title included.
const CURVE_HEIGHT_MAX: u16 = 8;

fn good() -> Style {
    Style::new().fg(Color::Cyan).bold()
}

fn bad() -> Style {
    Style::new().fg(Color::Magenta).bold().reversed()
}

/// One frame; `lines` is what was said so far, newest last.
pub fn draw(frame: &mut Frame<'_>, view: &View, lines: &[String]) {
    let area = frame.area();
    if area.width >= WIDE.0 && area.height >= WIDE.1 {
        wide(frame, area, view, lines);
    } else {
        narrow(frame, area, view, lines);
    }
}

fn wide(frame: &mut Frame<'_>, area: Rect, view: &View, lines: &[String]) {
    // Head, tasks beside CPU and workers, latencies, validity, curve, past; an empty line below each where there is room.
    let curve = (area.height / 6).clamp(3, CURVE_HEIGHT_MAX) - 1;
    let gap = u16::from(area.height >= AIRY);
    let [head, top, latency, validity, curve, past] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(6),
        Constraint::Length(5),
        Constraint::Length(2),
        Constraint::Length(1 + curve),
        Constraint::Fill(1),
    ])
    .spacing(gap)
    .areas(area);
    let title = |text: &str| Line::from(text.to_owned().bold().underlined());

    frame.render_widget(Paragraph::new(vec![headline(view, area.width), Line::from(view.phase.clone())]), head);
    let [tasks, waiting, cpu] = Layout::horizontal([Constraint::Ratio(1, 3); 3]).areas(top);
    let mut column = vec![title("tasks")];
    column.extend(view.tasks.iter().map(|(name, value)| Line::from(format!("{name:<10}{value:>11}"))));
    frame.render_widget(Paragraph::new(column), tasks);
    let (heading, rows) = (waiting_heading(&view.waiting), view.waiting.rows());
    let mut column = vec![title(heading)];
    column.extend(rows.iter().map(|(name, tasks)| Line::from(format!("{name:<15}{tasks:>6}"))));
    if rows.is_empty() {
        column.push(Line::from("nobody waits"));
    }
    frame.render_widget(Paragraph::new(column), waiting);
    let mut column = vec![title("CPU, % of a core")];
    column.extend(view.cpu.iter().map(|(name, share)| Line::from(format!("{name:<10}{:>6}", percent(*share)))));
    frame.render_widget(Paragraph::new(column), cpu);

    let names: String = ["p50", "p90", "p99", "max"].map(|name| format!("{name:>10}")).concat();
    let mut rows = vec![Line::from(vec![format!("{:<24}", "latency, ms").bold().underlined(), names.bold()])];
    for (name, quantiles) in &view.latency {
        let values = quantiles.map(|us| format!("{:>10}", milliseconds(us))).concat();
        rows.push(Line::from(format!("{name:<24}{values}")));
    }
    frame.render_widget(Paragraph::new(rows), latency);
    frame.render_widget(Paragraph::new(validity_lines(view)), validity);

    let [heading, bars] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(curve);
    frame.render_widget(Paragraph::new(curve_heading(view)), heading);
    draw_curve(frame, bars, view);

    let room = usize::from(past.height.saturating_sub(1));
    let mut said = vec![title("results")];
    said.extend(lines[lines.len().saturating_sub(room)..].iter().map(|line| Line::from(line.as_str())));
    frame.render_widget(Paragraph::new(said), past);
}

fn narrow(frame: &mut Frame<'_>, area: Rect, view: &View, lines: &[String]) {
    let [asked, achieved, completed, failed, backlog] = view.tasks.each_ref().map(|(_, value)| value);
    let [_, _, (_, response), (_, service)] = &view.latency;
    let short = |name: &str, q: &Quantiles| {
        let values =
            ["p50", "p90", "p99", "max"].iter().zip(q).map(|(name, &us)| format!(" {name} {}", milliseconds(us)));
        Line::from(format!("{name}{} ms", values.collect::<String>()))
    };
    let waiting: String = match &view.waiting {
        Waiting::AtWorkers(workers) => workers.iter().map(|(worker, tasks)| format!(" {worker}: {tasks}")).collect(),
        queue => queue.rows().iter().map(|(name, tasks)| format!(" {name} {tasks}")).collect(),
    };
    let cpu = view.cpu.iter().map(|(name, share)| format!(" {name} {}", percent(*share))).collect::<String>();
    let mut all = vec![headline(view, area.width), Line::from(view.phase.clone())];
    all.extend(validity_lines(view));
    all.extend([
        Line::from(format!("{achieved} of {asked}, backlog {backlog}")),
        Line::from(format!("completed {completed}, failed {failed}")),
        short("resp.", response),
        short("serv.", service),
        Line::from(format!("CPU %{cpu}")),
        Line::from(format!("waiting{waiting}")),
    ]);
    let room = usize::from(area.height).saturating_sub(all.len());
    all.extend(lines[lines.len().saturating_sub(room)..].iter().map(|line| Line::from(line.as_str())));
    frame.render_widget(Paragraph::new(all), area);
}

fn waiting_heading(waiting: &Waiting) -> &'static str {
    match waiting {
        Waiting::AtWorkers(_) => "most tasks waiting",
        Waiting::InQueue(_) => "tasks in the queue",
    }
}

/// Which run, and how to stop it where there is room to say so.
fn headline(view: &View, width: u16) -> Line<'static> {
    const KEYS: &str = "q: stop in order";
    let used = view.head.chars().count() + KEYS.len() + 2;
    let gap = usize::from(width).checked_sub(used);
    let mut spans = vec![view.head.clone().bold()];
    spans.extend(gap.map(|gap| Span::from(format!("{}{KEYS}", " ".repeat(gap + 2)))));
    Line::from(spans)
}

fn validity_lines(view: &View) -> Vec<Line<'static>> {
    let Some(validity) = &view.validity else { return vec![Line::from("nothing is measured yet")] };
    let so_far = match view.failed.as_slice() {
        [] => Span::styled("ok so far", good()),
        failed => Span::styled(failed.join("; "), bad()),
    };
    vec![Line::from(so_far), Line::from(validity.clone())]
}

fn curve_heading(view: &View) -> Line<'static> {
    let values = view.curve.iter().copied().flatten();
    let mut spans = vec![view.curve_title.clone().bold().underlined()];
    if let Some(max) = values.clone().reduce(f64::max) {
        let last = values.last();
        spans.push(Span::from(format!("  now {} ms, highest {} ms", milliseconds(last), milliseconds(Some(max)))));
    }
    Line::from(spans)
}

/// The newest points, one a column.
fn draw_curve(frame: &mut Frame<'_>, area: Rect, view: &View) {
    let points = &view.curve[view.curve.len().saturating_sub(usize::from(area.width))..];
    let bars = points.iter().map(|point| point.map(|us| us.round().max(1.0) as u64));
    let line = Sparkline::default().data(bars.collect::<Vec<_>>()).style(Style::new().fg(Color::Cyan));
    frame.render_widget(line.absent_value_symbol("."), area);
}

fn milliseconds(us: Option<f64>) -> String {
    match us.map(|us| us / 1e3) {
        None => "-".to_owned(),
        Some(ms) if ms < 10.0 => format!("{ms:.2}"),
        Some(ms) if ms < 100.0 => format!("{ms:.1}"),
        Some(ms) => format!("{ms:.0}"),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{share:.0}"))
}

#[cfg(test)]
mod tests;
