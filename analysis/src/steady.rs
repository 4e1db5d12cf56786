//! Whether the runs of a variant were the same late in the window as early: the recipe of `docs/method.md`.

use common::report::Run;
use common::report::comparison::{Steadiness, SteadyState};

use crate::contrast::ratio;
use crate::stats::signed_rank::{Interval, Walsh};

/// A response that moves by less within a window is steady.
pub(crate) const STEADY: f64 = 1.05;

/// From the median of response in the last third of the window over that in the first, over `runs`. `None` when arrivals
/// change by plan, and with too few runs that say something for an interval of error rate `alpha`.
pub(crate) fn steadiness(runs: &[&Run], alpha: f64) -> Option<Steadiness> {
    let stationary = |run: &&&Run| run.plan.settings.load.arrivals.is_stationary();
    let shifts: Vec<f64> = runs
        .iter()
        .filter(stationary)
        .filter_map(|run| run.steady)
        .map(|steady| (steady.last_third_p50_us / steady.first_third_p50_us).ln())
        .filter(|shift| shift.is_finite())
        .collect();
    let walsh = Walsh::new(&shifts);
    let (centre, wide, narrow) = (walsh.estimate()?, walsh.interval(alpha)?, walsh.interval(2.0 * alpha)?);
    let limit = STEADY.ln();
    let state = match (wide, narrow) {
        (Interval { low, high }, _) if low > limit || high < -limit => SteadyState::Unsteady,
        (_, Interval { low, high }) if low > -limit && high < limit => SteadyState::Steady,
        _ => SteadyState::Unknown,
    };
    let ratio = ratio(Some(centre), Some(wide));
    Some(Steadiness { n: u32::try_from(shifts.len()).unwrap_or(u32::MAX), ratio, state })
}

/// Why [`steadiness`] says nothing of runs of which it might.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unjudged {
    /// A third of the window holds no whole second, which is what a run is looked at by.
    ShortWindow,
    /// Too few of them say how they went.
    FewRuns,
}

/// A third of a window of so many seconds always holds a whole one, wherever seconds begin.
const WINDOW_S: f64 = 6.0;

/// `None` where there are no runs, where nothing is asked, where arrivals change by plan, and where [`steadiness`] says something.
pub(crate) fn unjudged(runs: &[&Run], alpha: f64) -> Option<Unjudged> {
    let load = &runs.first()?.plan.settings.load;
    if load.is_idle() || !load.arrivals.is_stationary() || steadiness(runs, alpha).is_some() {
        return None;
    }
    let short = load.duration_s < WINDOW_S && runs.iter().all(|run| run.steady.is_none());
    Some(if short { Unjudged::ShortWindow } else { Unjudged::FewRuns })
}
