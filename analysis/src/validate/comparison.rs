//! What the figures of a comparison must add up to.

use common::report::comparison::{Cell, Comparison, Contrast, ContrastVerdict, Estimate, Ratio};

use super::{Checks, Violation, token};

pub(super) fn violations(comparison: &Comparison) -> Vec<Violation> {
    let mut checks = Checks::default();
    let complete = comparison.cells.iter().all(|cell| cell.blocks == comparison.blocks_planned);
    checks.check(comparison.complete == complete, "/complete", || {
        format!("{}, but of the cells that is {complete}", comparison.complete)
    });
    for (i, cell) in comparison.cells.iter().enumerate() {
        of_cell(&mut checks, &format!("/cells/{i}"), comparison, cell);
    }
    checks.violations
}

fn of_cell(checks: &mut Checks, pointer: &str, comparison: &Comparison, cell: &Cell) {
    checks.check(cell.blocks <= comparison.blocks_planned, format!("{pointer}/blocks"), || {
        format!("{}, but {} are planned", cell.blocks, comparison.blocks_planned)
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
