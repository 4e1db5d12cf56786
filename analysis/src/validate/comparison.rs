//! What the figures of a comparison must add up to.

use common::report::comparison::{Cell, Comparison, Contrast, ContrastVerdict, Estimate, Ratio};

use super::{Checks, Violation, token};

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
    checks.violations
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
