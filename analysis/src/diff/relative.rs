//! How a contender stands to the baseline, before and after: the runs of a block were made back to back, so that what slows
//! both alike, as drift of the host does, is in neither ratio.

use common::plan::Metric;
use common::report::Run;
use common::report::comparison::Ratio;
use common::report::diff::Relative;

use super::LEVEL;
use crate::contrast::{lacks_tail, log_quotient, ratio};
use crate::metric::value;
use crate::stats::rank_sum::Differences;
use crate::stats::signed_rank::Walsh;

/// Baseline and contender of every block of a bench.
pub(super) type Pairs<'a> = Vec<(&'a Run, &'a Run)>;

/// The change of contender / baseline in `metric` from `old` to `new`; nothing where a run lacks it.
pub(super) fn relative(
    metric: Metric,
    (baseline, contender): (&str, &str),
    old: &Pairs<'_>,
    new: &Pairs<'_>,
) -> Option<Relative> {
    let runs = old.iter().chain(new).flat_map(|&(below, above)| [below, above]);
    if lacks_tail(metric, runs).is_some() {
        return None;
    }
    let (before, after) = (log_ratios(metric, old)?, log_ratios(metric, new)?);
    let differences = Differences::new(&before, &after);
    Some(Relative {
        metric,
        baseline: baseline.to_owned(),
        contender: contender.to_owned(),
        old: within(&before),
        new: within(&after),
        change: ratio(differences.estimate(), differences.interval(LEVEL.alpha)),
        p_value: differences.p_two_sided(),
    })
}

/// ln(contender / baseline) of every block.
fn log_ratios(metric: Metric, pairs: &Pairs<'_>) -> Option<Vec<f64>> {
    let of = |&(below, above): &(&Run, &Run)| {
        let (x, y) = (value(below, metric).number()?, value(above, metric).number()?);
        Some(log_quotient(x, y))
    };
    pairs.iter().map(of).collect::<Option<Vec<f64>>>().filter(|ratios| !ratios.is_empty())
}

fn within(log_ratios: &[f64]) -> Ratio {
    let walsh = Walsh::new(log_ratios);
    ratio(walsh.estimate(), walsh.interval(LEVEL.alpha))
}
