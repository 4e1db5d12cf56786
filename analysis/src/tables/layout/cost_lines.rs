//! What a second costs by the rate: only where there is a line.

use common::report::comparison::Comparison;
use common::report::prediction::{CostCoefficients, CostLine};

use super::{Grid, Section};
use crate::format::{NOTHING, counted, estimate, estimate_percent, quantity};
use crate::metric::Unit;

/// `None` where no line could be fitted.
pub(super) fn section(comparison: &Comparison) -> Option<Section> {
    let fitted: Vec<(&CostLine, &CostCoefficients)> =
        comparison.cost_lines.iter().filter_map(|one| Some((one, one.line.as_ref()?))).collect();
    if fitted.is_empty() {
        return None;
    }
    let findings = fitted.iter().filter(|(one, _)| !one.finding.is_empty());
    let notes = findings.map(|(one, _)| format!("{}: {}", name(one), one.finding));
    let about = "idle and slope: of a line through every block (Hodges-Lehmann, signed ranks); residual: by the line / measured \
                 less 1, in the same way; a rate at which a run was overloaded is in no line"
        .to_owned();
    Some(Section {
        title: "CPU by rate (CPU per second = idle + slope x rate)".to_owned(),
        lines: Vec::new(),
        grids: vec![lines(&fitted), points(&fitted)],
        notes: notes.chain([about]).collect(),
    })
}

fn grid(header: &[&str], rows: Vec<Vec<String>>) -> Grid {
    Grid { header: header.iter().map(|&title| title.to_owned()).collect(), rows, left: vec![0, 1] }
}

fn lines(fitted: &[(&CostLine, &CostCoefficients)]) -> Grid {
    let row = |&(one, line): &(&CostLine, &CostCoefficients)| {
        vec![
            name(one),
            one.process.to_string(),
            estimate(Unit::MicrosPerSecond, &line.idle_cpu_us_per_s),
            estimate(Unit::Micros, &line.cpu_us_per_task),
            line.idle_cpu_us_per_s.n.to_string(),
        ]
    };
    grid(&["cost line", "CPU of", "idle", "slope: a task", "blocks"], fitted.iter().map(row).collect())
}

fn points(fitted: &[(&CostLine, &CostCoefficients)]) -> Grid {
    let rows = fitted.iter().flat_map(|&(one, _)| {
        one.points.iter().map(move |point| {
            let runs = counted(point.runs.into(), "run");
            let predicted = point.predicted_cpu_us_per_s;
            vec![
                name(one),
                one.process.to_string(),
                quantity(Unit::PerSecond, point.rate_per_s),
                if point.overloaded > 0 { format!("{runs}, {} overloaded", point.overloaded) } else { runs },
                predicted.map_or_else(|| NOTHING.to_owned(), |us| quantity(Unit::MicrosPerSecond, us)),
                estimate(Unit::MicrosPerSecond, &point.cpu_us_per_s),
                point.residual.as_ref().map_or_else(|| NOTHING.to_owned(), estimate_percent),
            ]
        })
    });
    let header = ["predicted, measured", "CPU of", "rate", "valid", "by the line", "measured", "residual"];
    grid(&header, rows.collect())
}

/// "async, redis.rtt_us = 200"
fn name(one: &CostLine) -> String {
    let parameters = one.parameters.iter().map(|(key, value)| format!(", {key} = {value}"));
    format!("{}{}", one.variant, parameters.collect::<String>())
}
