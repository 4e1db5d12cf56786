//! One metric of two variants of a cell over its blocks: the recipe of `docs/method.md`.

use common::plan::{Metric, Settings, Variant};
use common::report::Run;
use common::report::comparison::{AaPool, Cause, Contrast, ContrastVerdict, OrderEffect, Ratio, SteadyState};

use crate::aa::pool::Known;
use crate::blocks::Blocks;
use crate::format::{counted, percent, ratio_or_unbounded, signed_percent_of_log};
use crate::metric::{CLUSTERS_CONTRASTED, Percentile, Value, value, wording};
use crate::stats::level::Level;
use crate::stats::order_effect::order_effect;
use crate::stats::signed_rank::{Interval, Walsh};
use crate::stats::{spread, tost};
use crate::steady::steadiness;

mod word;

pub(crate) use word::word;

/// One variant voiding this many blocks more than the other is no accident.
const VOID_IMBALANCE: u32 = 6;

/// Two variants of a cell, side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair<'a> {
    pub(crate) blocks: &'a Blocks<'a>,
    /// How sure every test and interval is.
    pub(crate) level: Level,
    /// As a share.
    pub(crate) margin: f64,
    /// The variants, in the plan's order.
    pub(crate) variants: &'a [Variant],
    /// Position of the baseline among them.
    pub(crate) baseline: usize,
    /// Position of the contender.
    pub(crate) contender: usize,
    /// What A/A benches of the host have found.
    pub(crate) known: &'a Known<'a>,
}

/// A contrast with all its numbers, waiting for its family before it gets its word.
#[derive(Debug)]
pub(crate) struct Measured {
    contrast: Contrast,
    /// Of the log ratio.
    interval: Option<Interval>,
    log_ratio: Option<f64>,
    /// The log ratio of the same percentile counted from the send; for percentiles of response only.
    log_ratio_from_send: Option<f64>,
    log_margin: f64,
    level: Level,
    two_binaries: bool,
}

/// The log ratios of all blocks.
#[derive(Debug, Default)]
struct Differences {
    all: Vec<f64>,
    baseline_first: Vec<f64>,
    contender_first: Vec<f64>,
    both_unbounded: usize,
    missing: usize,
}

impl Pair<'_> {
    /// Whether any run of either variant has a value of `metric`; of an extreme percentile, whether all have enough of it.
    pub(crate) fn has(&self, metric: Metric) -> bool {
        let mut runs = [self.baseline, self.contender].into_iter().flat_map(|i| &self.blocks.variants[i].valid);
        match Percentile::of(metric) {
            Some(percentile) if percentile.is_extreme() => {
                runs.clone().count() > 0 && runs.all(|run| percentile.has_tasks(run))
            }
            Some(_) => runs.next().is_some(),
            None => runs.any(|run| value(run, metric) != Value::Absent),
        }
    }

    /// What the plan says of the cell; `None` without any run.
    pub(crate) fn settings(&self) -> Option<&Settings> {
        self.blocks.variants[self.baseline].all.first().map(|run| &run.plan.settings)
    }

    /// Everything about `metric` but the word.
    pub(crate) fn measure(&self, metric: Metric, primary: bool) -> Measured {
        let (baseline, contender) = (&self.variants[self.baseline], &self.variants[self.contender]);
        let mut measured = Measured {
            contrast: Contrast {
                metric,
                primary,
                baseline: baseline.name.clone(),
                contender: contender.name.clone(),
                ratio: Ratio { value: None, low: None, high: None },
                p_value: None,
                p_adjusted: None,
                p_same: None,
                p_same_adjusted: None,
                noise_floor: None,
                detectable: None,
                blocks_needed_better: None,
                blocks_needed_same: None,
                order_effect: None,
                n: self.blocks.len(),
                calibrated: false,
                aa: None,
                verdict: ContrastVerdict::Unknown,
                cause: None,
                reason: String::new(),
            },
            interval: None,
            log_ratio: None,
            log_ratio_from_send: None,
            log_margin: self.margin.ln_1p(),
            level: self.level,
            two_binaries: (baseline.engine, baseline.allocator) != (contender.engine, contender.allocator),
        };
        measured.contrast.aa = self.known.about(metric, self);
        measured.contrast.calibrated = measured.contrast.aa.is_some();
        let differences = self.differences(|run| value(run, metric));
        let unusable = self.unusable(metric, &differences);
        if unusable.is_none() {
            measured.fill(&differences, measured.contrast.aa.and_then(|aa| aa.noise_floor));
            if let Some(from_send) = Percentile::of(metric).and_then(Percentile::from_send) {
                measured.log_ratio_from_send = Walsh::new(&self.differences(|run| from_send.read(run)).all).estimate();
            }
        }
        let biased = measured.contrast.aa.as_ref().and_then(bias);
        if let Some((cause, reason)) = self.no_verdict().or(unusable).or(biased) {
            measured.contrast.cause = Some(cause);
            measured.contrast.reason = reason;
        }
        measured
    }

    /// ln(contender / baseline) of `metric` in every block; `None` where one is missing or unbounded.
    pub(crate) fn log_ratios(&self, metric: Metric) -> Option<Vec<f64>> {
        let differences = self.differences(|run| value(run, metric));
        let finite = differences.missing + differences.both_unbounded == 0;
        (finite && differences.all.iter().all(|d| d.is_finite())).then_some(differences.all)
    }

    /// ln(contender / baseline) of every block; infinite where one side is unbounded or exactly 0, 0 where both are.
    fn differences(&self, read: impl Fn(&Run) -> Value) -> Differences {
        let mut differences = Differences::default();
        for block in &self.blocks.kept {
            let (below, above) = (block[self.baseline], block[self.contender]);
            let (Some(x), Some(y)) = (read(below).number(), read(above).number()) else {
                differences.missing += 1;
                continue;
            };
            if x.is_infinite() && y.is_infinite() {
                differences.both_unbounded += 1;
            }
            let d = log_quotient(x, y);
            differences.all.push(d);
            let order = if below.position < above.position {
                &mut differences.baseline_first
            } else {
                &mut differences.contender_first
            };
            order.push(d);
        }
        differences
    }

    /// Why this cell gives no verdict on any metric.
    fn no_verdict(&self) -> Option<(Cause, String)> {
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
        for i in [self.baseline, self.contender] {
            let overloaded = blocks.kept.iter().filter(|block| crate::keeps_up::is_overloaded(block[i])).count();
            if overloaded * 10 > blocks.kept.len() {
                return Some((
                    Cause::Overload,
                    format!(
                        "{} was overloaded in {overloaded} of {}; beyond 10 % only who keeps up can be told",
                        self.variants[i].name,
                        counted(n.into(), "block")
                    ),
                ));
            }
        }
        for i in [self.baseline, self.contender] {
            let runs: Vec<&Run> = blocks.kept.iter().map(|block| block[i]).collect();
            if let Some(steady) =
                steadiness(&runs, self.level.alpha).filter(|steady| steady.state == SteadyState::Unsteady)
            {
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
        if n < blocks_min {
            let (n, level) = (counted(n.into(), "block"), percent(confidence));
            return Some((Cause::FewBlocks, format!("{n}; at least {blocks_min} are needed for a {level} interval")));
        }
        (blocks.untried > 0).then(|| {
            let (left, planned) = (blocks.untried, counted(blocks.planned.into(), "block"));
            let reason = format!(
                "{left} of {planned} not run yet: who stops when a word appears finds too many; --resume completes the bench"
            );
            (Cause::Incomplete, reason)
        })
    }

    /// Why `metric` cannot be contrasted at all.
    fn unusable(&self, metric: Metric, differences: &Differences) -> Option<(Cause, String)> {
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

/// ln(y / x) of two values that may be unbounded or 0: equal ones have no quotient then, and differ by nothing.
pub(crate) fn log_quotient(x: f64, y: f64) -> f64 {
    if x == y { 0.0 } else { y.ln() - x.ln() }
}

/// A log ratio with its interval as a ratio; what is unbounded has no number.
pub(crate) fn ratio(log_ratio: Option<f64>, interval: Option<Interval>) -> Ratio {
    let finite = |log_ratio: f64| Some(log_ratio.exp()).filter(|ratio| ratio.is_finite());
    Ratio {
        value: log_ratio.and_then(finite),
        low: interval.and_then(|interval| finite(interval.low)),
        high: interval.and_then(|interval| finite(interval.high)),
    }
}

/// Why no word of a metric can be believed: its A/A benches find a difference where there is none.
fn bias(aa: &AaPool) -> Option<(Cause, String)> {
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

impl Measured {
    fn fill(&mut self, differences: &Differences, host_sigma: Option<f64>) {
        let walsh = Walsh::new(&differences.all);
        let Some(centre) = walsh.estimate() else { return };
        self.log_ratio = Some(centre);
        self.interval = walsh.interval(self.level.alpha);
        let contrast = &mut self.contrast;
        contrast.ratio = ratio(self.log_ratio, self.interval);
        contrast.p_value = Some(walsh.p_two_sided());
        contrast.p_same = Some(tost::p_same(&walsh, self.log_margin));
        contrast.noise_floor = spread::sigma_to_reckon_with(spread::sigma(&differences.all), host_sigma);
        if let Some(sigma) = contrast.noise_floor {
            contrast.detectable = spread::detectable(contrast.n, sigma, &self.level);
            contrast.blocks_needed_better = spread::blocks_needed_better(sigma, centre, &self.level);
            contrast.blocks_needed_same = spread::blocks_needed_same(sigma, self.log_margin, &self.level);
        }
        let (baseline_first, contender_first) = (&differences.baseline_first, &differences.contender_first);
        contrast.order_effect = order_effect(baseline_first, contender_first, self.level.alpha)
            .filter(|effect| effect.value.is_finite())
            .map(|effect| OrderEffect {
                value: effect.value,
                low: effect.interval.map(|interval| interval.low).filter(|low| low.is_finite()),
                high: effect.interval.map(|interval| interval.high).filter(|high| high.is_finite()),
            });
    }
}
