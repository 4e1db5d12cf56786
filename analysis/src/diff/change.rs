//! One metric of one variant in two benches: numbers, then the word.

use common::plan::Metric;
use common::report::Run;
use common::report::comparison::{Cause, ContrastVerdict, Ratio, SteadyState};
use common::report::diff::Change;

use super::LEVEL;
use crate::compare::estimate;
use crate::contrast::noise::MOSTLY;
use crate::contrast::{Adjusted, lacks_tail, ratio, word};
use crate::format::{counted, percent, percent_of_log, signed_percent_of_log, significant};
use crate::keeps_up::is_overloaded;
use crate::metric::{Percentile, value, wording};
use crate::stats::decide::decide;
use crate::stats::rank_sum::{Differences, detectable, rank_sum_index, sigma};
use crate::stats::signed_rank::Interval;
use crate::stats::{spread, tost};
use crate::steady::steadiness;

/// Fewer runs than this in a bench give no 95 % interval.
pub(super) const RUNS_MIN: usize = 4;

/// The valid runs of a variant in a cell, one a block, of both benches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Samples<'a> {
    old: &'a [&'a Run],
    new: &'a [&'a Run],
    /// As a log ratio.
    margin: f64,
}

/// A change with all its numbers, waiting for its family before it gets its word.
#[derive(Debug)]
pub(super) struct Measured {
    change: Change,
    /// Of the log ratio.
    interval: Option<Interval>,
    log_ratio: Option<f64>,
    /// The same of the percentile counted from the send; for percentiles of response only.
    log_ratio_from_send: Option<f64>,
    margin: f64,
    /// The smallest p that so many runs can give.
    p_least: Option<f64>,
}

impl<'a> Samples<'a> {
    /// `margin` is a share.
    pub(super) fn new(old: &'a [&'a Run], new: &'a [&'a Run], margin: f64) -> Samples<'a> {
        Samples { old, new, margin: margin.ln_1p() }
    }

    /// Everything about `metric` but the word.
    pub(super) fn measure(&self, metric: Metric, primary: bool) -> Measured {
        let values = |runs: &[&Run]| runs.iter().filter_map(|run| value(run, metric).number()).collect::<Vec<f64>>();
        let (old, new) = (values(self.old), values(self.new));
        let mut change = Change {
            metric,
            primary,
            old: estimate(old.iter().copied(), LEVEL),
            new: estimate(new.iter().copied(), LEVEL),
            ratio: Ratio { value: None, low: None, high: None },
            p_value: None,
            p_adjusted: None,
            p_same: None,
            p_same_adjusted: None,
            noise_floor: None,
            detectable: None,
            verdict: ContrastVerdict::Unknown,
            cause: None,
            reason: String::new(),
        };
        let unusable = self.unusable(metric, old.len() + new.len());
        let no_verdict = self.no_verdict();
        let overloaded = matches!(no_verdict, Some((Cause::Overload, _)));
        let (mut interval, mut log_ratio, mut log_ratio_from_send, mut p_least) = (None, None, None, None);
        if unusable.is_none() && !overloaded {
            let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<f64>>();
            let (old, new) = (logs(&old), logs(&new));
            let differences = Differences::new(&old, &new);
            log_ratio = differences.estimate();
            interval = differences.interval(LEVEL.alpha);
            change.ratio = ratio(log_ratio, interval);
            change.p_value = Some(differences.p_two_sided());
            p_least = Some(differences.p_least());
            change.p_same = Some(tost::p_same(&differences, self.margin));
            change.noise_floor = sigma(&old, &new);
            let scatter = change.noise_floor.filter(|&sigma| sigma > spread::NOTHING);
            change.detectable = scatter.and_then(|sigma| detectable(old.len(), new.len(), sigma));
            log_ratio_from_send = Percentile::of(metric).and_then(Percentile::from_send).and_then(|from_send| {
                let logs = |runs: &[&Run]| {
                    runs.iter().filter_map(|run| from_send.read(run).number()).map(f64::ln).collect::<Vec<f64>>()
                };
                Differences::new(&logs(self.old), &logs(self.new)).estimate()
            });
        }
        if let Some((cause, reason)) = no_verdict.or(unusable) {
            change.cause = Some(cause);
            change.reason = reason;
        }
        Measured { change, interval, log_ratio, log_ratio_from_send, margin: self.margin, p_least }
    }

    /// Why the variant gives no word on any metric.
    fn no_verdict(&self) -> Option<(Cause, String)> {
        let (m, n) = (self.old.len(), self.new.len());
        for (bench, runs) in [("old", self.old), ("new", self.new)] {
            let overloaded = runs.iter().filter(|run| is_overloaded(run)).count();
            if overloaded * 10 > runs.len() {
                let runs = counted(runs.len() as u64, &format!("{bench} run"));
                let reason =
                    format!("{overloaded} of {runs} were overloaded; beyond 10 % only whether it keeps up can be told");
                return Some((Cause::Overload, reason));
            }
            if let Some(steady) = steadiness(runs, LEVEL.alpha).filter(|steady| steady.state == SteadyState::Unsteady) {
                let moved = signed_percent_of_log(steady.ratio.value.unwrap_or(1.0).ln());
                let reason = format!(
                    "response of the {bench} runs moved by {moved} from the first third of the window to the last: \
                     raise load.warmup_s"
                );
                return Some((Cause::Unsteady, reason));
            }
        }
        rank_sum_index(m, n, LEVEL.alpha).is_none().then(|| {
            let reason =
                format!("{m} old and {n} new runs; at least {RUNS_MIN} of each are needed for a 95 % interval");
            (Cause::FewBlocks, reason)
        })
    }

    /// Why `metric`, of which there are `values`, cannot be compared at all.
    fn unusable(&self, metric: Metric, values: usize) -> Option<(Cause, String)> {
        let label = wording(metric).label;
        let runs = self.old.iter().chain(self.new).copied();
        if let Some(lack) = lacks_tail(metric, runs.clone()) {
            return Some(lack);
        }
        let all = runs.count();
        (values < all || all == 0).then(|| {
            let reason = format!("{label} is missing in {} of {}", all - values, counted(all as u64, "run"));
            (Cause::NotMeasured, reason)
        })
    }
}

impl Measured {
    /// Two-sided p of "no shift"; `None` where nothing may be concluded from it.
    pub(super) fn p_value(&self) -> Option<f64> {
        self.change.p_value.filter(|_| self.change.cause.is_none())
    }

    /// p of "beyond the margin", likewise.
    pub(super) fn p_same(&self) -> Option<f64> {
        self.change.p_same.filter(|_| self.change.cause.is_none())
    }

    /// The smallest p that so many runs can give, likewise.
    pub(super) fn p_least(&self) -> Option<f64> {
        self.p_least.filter(|_| self.change.cause.is_none())
    }

    /// Whether any run has a value; of an extreme percentile, whether all have enough of it.
    pub(super) fn has_values(&self) -> bool {
        let extreme = Percentile::of(self.change.metric).is_some_and(Percentile::is_extreme);
        let rare = extreme && self.change.cause == Some(Cause::FewTasks);
        self.change.old.n + self.change.new.n > 0 && !rare
    }

    /// The change as a family of its own.
    pub(super) fn judge_alone(self) -> Change {
        let (p, p_same, p_least) = (self.p_value(), self.p_same(), self.p_least());
        self.judge(Adjusted { p, p_same, p_least, family: 1 })
    }

    /// The change with its word.
    pub(super) fn judge(self, adjusted: Adjusted) -> Change {
        let (verdict, cause, reason) = match self.change.cause {
            Some(cause) => (ContrastVerdict::Unknown, Some(cause), self.change.reason.clone()),
            None => self.word(adjusted),
        };
        let (p_adjusted, p_same_adjusted) = (adjusted.p, adjusted.p_same);
        let detectable = self.change.detectable.filter(|_| cause != Some(Cause::FewBlocks));
        Change { p_adjusted, p_same_adjusted, detectable, verdict, cause, reason, ..self.change }
    }

    fn word(&self, adjusted: Adjusted) -> (ContrastVerdict, Option<Cause>, String) {
        let decision = decide(adjusted.p, adjusted.p_same, self.interval, LEVEL.alpha);
        let unknown = |cause, reason| (ContrastVerdict::Unknown, Some(cause), reason);
        match word(self.change.metric, decision, [self.log_ratio, self.log_ratio_from_send], self.margin) {
            (ContrastVerdict::Unknown, None) => match adjusted.p_least.filter(|&least| least > LEVEL.alpha) {
                Some(least) => unknown(Cause::FewBlocks, self.few_runs(least, adjusted.family)),
                None => unknown(Cause::Noise, self.why_unknown()),
            },
            (verdict, None) => (verdict, None, String::new()),
            (_, Some(reason)) => unknown(Cause::Generator, reason),
        }
    }

    /// That no shift could have been shown, whatever it is.
    fn few_runs(&self, least: f64, family: u32) -> String {
        format!(
            "{} old and {} new runs cannot show a difference here: adjusted for {family} variants and cells p can be no less than {}; \
             more blocks in both benches would do",
            self.change.old.n,
            self.change.new.n,
            significant(least, 2)
        )
    }

    fn why_unknown(&self) -> String {
        let margin = percent(self.margin.exp_m1());
        match self.change.detectable {
            Some(seen) => format!(
                "differences of {} would have been seen {MOSTLY}, and sameness within {margin} could not be shown; more blocks \
                 in both benches see smaller ones",
                percent_of_log(seen)
            ),
            None => format!(
                "too much is alike or unbounded to tell how the runs scatter; neither a difference nor sameness within {margin} could \
                 be shown"
            ),
        }
    }
}
