//! What the figures of a comparison must add up to.

use common::report::comparison::{Cell, Comparison, Contrast, ContrastVerdict, Estimate, Ratio};
use common::report::prediction::CostLine;

use super::{Checks, ROUNDING, Violation, token};

pub(super) fn violations(comparison: &Comparison) -> Vec<Violation> {
    let mut checks = Checks::default();
    // A cell may be open for an extension that is still to come, which its blocks do not tell.
    let blocks = comparison.cells.iter().all(|cell| cell.blocks == cell.blocks_planned);
    checks
        .check(blocks || !comparison.complete, "/complete", || "true, but a cell has not all of its blocks".to_owned());
    checks.check(comparison.complete || !blocks || comparison.extend_to.is_some(), "/complete", || {
        "false, but every cell has all of its blocks".to_owned()
    });
    let primary = comparison.cells.iter().flat_map(|cell| &cell.contrasts).filter(|contrast| contrast.primary).count();
    checks.check(primary == comparison.family as usize, "/family", || {
        format!("{}, but {primary} contrasts are primary", comparison.family)
    });
    for (i, cell) in comparison.cells.iter().enumerate() {
        of_cell(&mut checks, &format!("/cells/{i}"), comparison, cell);
    }
    for (i, line) in comparison.cost_lines.iter().enumerate() {
        of_cost_line(&mut checks, &format!("/cost_lines/{i}"), line);
    }
    checks.violations
}

/// What a line says is on it.
fn of_cost_line(checks: &mut Checks, pointer: &str, one: &CostLine) {
    let coefficients = one.line.and_then(|line| line.idle_cpu_us_per_s.value.zip(line.cpu_us_per_task.value));
    for (i, point) in one.points.iter().enumerate() {
        let Some(predicted) = point.predicted_cpu_us_per_s else { continue };
        let on_line = coefficients.map(|(idle, slope)| idle + slope * point.rate_per_s);
        let near = on_line.is_some_and(|on_line| (predicted - on_line).abs() <= ROUNDING * on_line.abs().max(1.0));
        checks.check(near, format!("{pointer}/points/{i}/predicted_cpu_us_per_s"), || match on_line {
            Some(on_line) => format!("{predicted}, but the line has {on_line} at {} tasks/s", point.rate_per_s),
            None => format!("{predicted}, but there is no line"),
        });
    }
}

fn of_cell(checks: &mut Checks, pointer: &str, comparison: &Comparison, cell: &Cell) {
    checks.check(cell.blocks <= cell.blocks_planned, format!("{pointer}/blocks"), || {
        format!("{}, but {} are planned", cell.blocks, cell.blocks_planned)
    });
    let planned = [Some(comparison.blocks_planned), comparison.extend_to];
    checks.check(planned.contains(&Some(cell.blocks_planned)), format!("{pointer}/blocks_planned"), || {
        format!("{}, which is neither what the plan asks for nor what it extends to", cell.blocks_planned)
    });
    for (i, summary) in cell.variants.iter().enumerate() {
        let pointer = format!("{pointer}/variants/{i}");
        checks.counts(&format!("{pointer}/counts"), &summary.counts);
        for (metric, Estimate { value, low, high, .. }) in &summary.metrics {
            // A bound may lie among unbounded values, and then be null.
            let values = [("low", *low), ("value", *value), ("high", *high)];
            checks.ascending(&format!("{pointer}/metrics/{}", token(metric)), &values);
        }
    }
    for (i, contrast) in cell.contrasts.iter().enumerate() {
        let pointer = format!("{pointer}/contrasts/{i}");
        for (name, variant) in [("baseline", &contrast.baseline), ("contender", &contrast.contender)] {
            let known = cell.variants.iter().any(|summary| summary.variant.name == *variant);
            checks.check(known, format!("{pointer}/{name}"), || format!("{variant:?} is no variant of the cell"));
        }
        checks.check(contrast.primary == (contrast.metric == comparison.primary), format!("{pointer}/primary"), || {
            format!("{}, but the primary metric is {}", contrast.primary, comparison.primary.name())
        });
        of_contrast(checks, &pointer, contrast);
    }
}

fn of_contrast(checks: &mut Checks, pointer: &str, contrast: &Contrast) {
    let Ratio { value, low, high } = contrast.ratio;
    checks.ascending(&format!("{pointer}/ratio"), &[("low", low), ("value", value), ("high", high)]);
    for (name, p) in [
        ("p_value", contrast.p_value),
        ("p_adjusted", contrast.p_adjusted),
        ("p_same", contrast.p_same),
        ("p_same_adjusted", contrast.p_same_adjusted),
    ] {
        checks.share(&format!("{pointer}/{name}"), p);
    }
    checks.ascending(pointer, &[("p_value", contrast.p_value), ("p_adjusted", contrast.p_adjusted)]);
    checks.ascending(pointer, &[("p_same", contrast.p_same), ("p_same_adjusted", contrast.p_same_adjusted)]);
    let unknown = contrast.verdict == ContrastVerdict::Unknown;
    checks.check(unknown == contrast.cause.is_some(), format!("{pointer}/cause"), || {
        "a cause belongs to unknown and to no other word".to_owned()
    });
}
