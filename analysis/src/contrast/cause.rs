//! Why a contrast gets no word, whatever its numbers are.

use common::plan::Metric;
use common::report::Run;
use common::report::comparison::{AaPool, Cause, SteadyState};

use super::{Differences, Pair};
use crate::format::{counted, percent, ratio_or_unbounded, signed_percent_of_log};
use crate::keeps_up::is_overloaded;
use crate::metric::{CLUSTERS_CONTRASTED, Percentile, wording};
use crate::stats::level::Level;
use crate::steady::steadiness;

/// One variant voiding this many blocks more than the other is no accident.
const VOID_IMBALANCE: u32 = 6;

impl Pair<'_> {
    /// Why this cell gives no verdict on any metric.
    pub(super) fn no_verdict(&self) -> Option<(Cause, String)> {
        let blocks = self.blocks;
        let (n, void) = (blocks.len(), blocks.void);
        if void * 5 > blocks.planned {
            let planned = counted(blocks.planned.into(), "block");
            let void = counted(void.into(), "attempt");
            return Some((Cause::Validity, format!("{void} void of {planned} planned; at most 20 % may be")));
        }
        let (baseline, contender) = (&blocks.variants[self.baseline], &blocks.variants[self.contender]);
        if baseline.invalid.abs_diff(contender.invalid) >= VOID_IMBALANCE {
            return Some((
                Cause::Validity,
                format!(
                    "{} had {} invalid runs, {} had {}; {VOID_IMBALANCE} more on one side is no accident",
                    self.variants[self.baseline].name,
                    baseline.invalid,
                    self.variants[self.contender].name,
                    contender.invalid
                ),
            ));
        }
        // A word at an instant that somebody chose is none, whether it is about a metric or about who keeps up.
        if blocks.untried > 0 {
            let (left, planned) = (blocks.untried, counted(blocks.planned.into(), "block"));
            let reason = format!(
                "{left} of {planned} not run yet: who stops when a word appears finds too many; --resume completes the bench"
            );
            return Some((Cause::Incomplete, reason));
        }
        if let Some(overload) = self.overload() {
            return Some(overload);
        }
        for i in [self.baseline, self.contender] {
            let steady = steadiness(&blocks.variants[i].valid, self.level.alpha);
            if let Some(steady) = steady.filter(|steady| steady.state == SteadyState::Unsteady) {
                let moved = signed_percent_of_log(steady.ratio.value.unwrap_or(1.0).ln());
                return Some((
                    Cause::Unsteady,
                    format!(
                        "response of {} moved by {moved} from the first third of the window to the last: raise load.warmup_s",
                        self.variants[i].name
                    ),
                ));
            }
        }
        let Level { blocks_min, confidence, .. } = self.level;
        (n < blocks_min).then(|| {
            let (n, level) = (counted(n.into(), "block"), percent(confidence));
            (Cause::FewBlocks, format!("{n}; at least {blocks_min} are needed for a {level} interval"))
        })
    }

    /// Whether more than a tenth of a variant's runs were overloaded: then a ratio would compare what one did with what the other
    /// could not.
    pub(super) fn overload(&self) -> Option<(Cause, String)> {
        let kept = &self.blocks.kept;
        let overloaded = |i: usize| kept.iter().filter(|block| is_overloaded(block[i])).count();
        let both = [self.baseline, self.contender].map(|i| (&self.variants[i].name, overloaded(i)));
        both.iter().any(|(_, overloaded)| overloaded * 10 > kept.len()).then(|| {
            let [(one, of_one), (other, of_other)] = both;
            let n = counted(kept.len() as u64, "block");
            let reason = format!(
                "of {n} {one} was overloaded in {of_one} and {other} in {of_other}; where it is more than a tenth only who keeps up can \
                 be told"
            );
            (Cause::Overload, reason)
        })
    }

    /// Why `metric` cannot be contrasted at all.
    pub(super) fn unusable(&self, metric: Metric, differences: &Differences) -> Option<(Cause, String)> {
        let label = wording(metric).label;
        let kept = &self.blocks.kept;
        let runs = kept.iter().flat_map(|block| [block[self.baseline], block[self.contender]]);
        if let Some(lack) = lacks_tail(metric, runs) {
            return Some(lack);
        }
        if differences.missing > 0 {
            let total = counted(kept.len() as u64, "block");
            return Some((Cause::NotMeasured, format!("{label} is missing in {} of {total}", differences.missing)));
        }
        if differences.both_unbounded * 5 > kept.len() {
            let total = counted(kept.len() as u64, "block");
            return Some((
                Cause::Unbounded,
                format!(
                    "{label} of both is unbounded in {} of {total}; at most 20 % may be",
                    differences.both_unbounded
                ),
            ));
        }
        None
    }
}

/// Why `metric` of `runs` cannot be compared if it is a percentile: too few tasks beyond it, or all in a few stalls.
pub(crate) fn lacks_tail<'a>(
    metric: Metric,
    mut runs: impl Iterator<Item = &'a Run> + Clone,
) -> Option<(Cause, String)> {
    let (percentile, label) = (Percentile::of(metric)?, wording(metric).label);
    if runs.clone().any(|run| !percentile.has_tasks(run)) {
        let reason = format!(
            "fewer than {} beyond {label} in some run; a longer window or a higher rate gives more",
            percentile.tasks_needed()
        );
        return Some((Cause::FewTasks, reason));
    }
    runs.any(|run| !percentile.is_spread(run)).then(|| {
        let reason = format!(
            "the tasks beyond {label} lie in fewer than {CLUSTERS_CONTRASTED} clusters in some run, as after a few stalls; a \
             longer window gives more"
        );
        (Cause::FewClusters, reason)
    })
}

/// Why no word of a metric can be believed: its A/A benches find a difference where there is none.
pub(super) fn bias(aa: &AaPool) -> Option<(Cause, String)> {
    let (low, high) = (aa.ratio.low?, aa.ratio.high?);
    (low > 1.0 || high < 1.0).then(|| {
        let reason = format!(
            "{} of this host find a ratio of {} (95 % interval {} to {}) between a variant and itself",
            counted(aa.blocks.into(), "A/A block"),
            ratio_or_unbounded(aa.ratio.value),
            ratio_or_unbounded(Some(low)),
            ratio_or_unbounded(Some(high))
        );
        (Cause::BiasedInstrument, reason)
    })
}
