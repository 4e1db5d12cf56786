//! What changed between two benches besides what was meant to.

use common::report::Run;
use common::report::comparison::{ContrastVerdict, Ratio};
use common::report::diff::{Change, DiffCell, Side, Yardstick};

use super::LEVEL;
use crate::compare::estimate;
use crate::contrast::{is_layout, ratio};
use crate::format::{p_equals, percent, ratio_or_unbounded};
use crate::load::Results;
use crate::stats::rank_sum::Differences;

/// How long the CPUs took for the same work in both benches. `None` when too few runs say.
pub(super) fn yardstick(old: &Results, new: &Results) -> Option<Yardstick> {
    let of_run = |run: &Run| {
        let slowest = run.machine.cpus.iter().filter_map(|cpu| cpu.yardstick_us).max_by(f64::total_cmp);
        slowest.filter(|&us| us > 0.0)
    };
    let values = |results: &Results| results.runs().iter().filter_map(of_run).collect::<Vec<f64>>();
    let (old, new) = (values(old), values(new));
    let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<f64>>();
    let differences = Differences::new(&logs(&old), &logs(&new));
    let (centre, interval) = (differences.estimate()?, differences.interval(LEVEL.alpha)?);
    Some(Yardstick {
        old: estimate(old.into_iter(), LEVEL),
        new: estimate(new.into_iter(), LEVEL),
        ratio: ratio(Some(centre), Some(interval)),
        p_value: differences.p_two_sided(),
    })
}

/// Said where the primary metric of a variant changed by so little that another build alone may do it.
pub(super) fn slight(cells: &[DiffCell]) -> Option<String> {
    let worded = |change: &Change| matches!(change.verdict, ContrastVerdict::Better | ContrastVerdict::Worse);
    let small = |change: &Change| change.ratio.value.is_some_and(|ratio| is_layout(ratio.ln()));
    let changes = cells.iter().flat_map(|cell| &cell.variants).flat_map(|variant| &variant.changes);
    changes.into_iter().any(|change| change.primary && worded(change) && small(change)).then(|| {
        "if these were two builds, they are two code layouts, which alone may make changes under 2 %: whether the code itself got \
         better or worse by so little is not known"
            .to_owned()
    })
}

/// One sentence each; the first is always said.
pub(super) fn caveats(old: &Side, new: &Side, yardstick: Option<&Yardstick>) -> Vec<String> {
    let mut all = vec![format!(
        "the benches were not made side by side (OLD from {} to {}, NEW from {} to {}): another hour, other neighbours or \
         another temperature are in these ratios and in no interval; blocks of one bench would take them out",
        old.started_first, old.started_last, new.started_first, new.started_last
    )];
    all.push(match yardstick {
        Some(Yardstick { ratio: Ratio { value, low, high }, p_value, .. }) => {
            let bounds = [low, high].map(|bound| ratio_or_unbounded(*bound));
            let numbers = format!(
                "{} [{}, {}], {}",
                ratio_or_unbounded(*value),
                bounds[0],
                bounds[1],
                p_equals("p", *p_value)
            );
            let change = value.map_or(0.0, |value| value - 1.0);
            match (*p_value <= LEVEL.alpha, change > 0.0) {
                (true, slower) => format!(
                    "DRIFT: fixed work on the CPUs took {} {} in NEW ({numbers}): the host was not the same, or what runs on it \
                     leaves less of it",
                    percent(change),
                    if slower { "longer" } else { "less" }
                ),
                (false, _) => format!(
                    "fixed work on the CPUs shows no drift ({numbers}); that says nothing of memory, network and neighbours' caches"
                ),
            }
        }
        None => "no drift can be told from fixed work on the CPUs: too few runs measured it".to_owned(),
    });
    all.push(
        "A/A benches of this host (analysis aa) were made side by side too and say nothing of this; a diff of two benches of the \
         same programs does"
            .to_owned(),
    );
    all
}
