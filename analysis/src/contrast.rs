//! One metric of two variants of a cell over its blocks: the recipe of `docs/method.md`.

use common::plan::{Metric, Settings, Variant};
use common::report::Run;
use common::report::comparison::{Contrast, ContrastVerdict, OrderEffect, Ratio};

use crate::aa::pool::Known;
use crate::blocks::Blocks;
use crate::metric::{Percentile, Value, value};
use crate::stats::level::Level;
use crate::stats::order_effect::order_effect;
use crate::stats::signed_rank::{Interval, Walsh};
use crate::stats::{spread, tost};

mod cause;
pub(crate) mod noise;
mod word;

pub(crate) use cause::lacks_tail;
pub(crate) use word::{Adjusted, is_layout, two_binaries, word};

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
    /// The smallest p that so many blocks can give.
    p_least: Option<f64>,
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
            p_least: None,
            two_binaries: two_binaries(baseline, contender),
        };
        measured.contrast.aa = self.known.about(metric, self);
        measured.contrast.calibrated = measured.contrast.aa.is_some();
        let differences = self.differences(|run| value(run, metric));
        let unusable = self.unusable(metric, &differences);
        if unusable.is_none() && self.overload().is_none() {
            measured.fill(&differences, measured.contrast.aa.and_then(|aa| aa.noise_floor));
            if let Some(from_send) = Percentile::of(metric).and_then(Percentile::from_send) {
                measured.log_ratio_from_send = Walsh::new(&self.differences(|run| from_send.read(run)).all).estimate();
            }
        }
        let biased = measured.contrast.aa.as_ref().and_then(cause::bias);
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

impl Measured {
    fn fill(&mut self, differences: &Differences, host_sigma: Option<f64>) {
        let walsh = Walsh::new(&differences.all);
        let Some(centre) = walsh.estimate() else { return };
        self.log_ratio = Some(centre);
        self.interval = walsh.interval(self.level.alpha);
        let contrast = &mut self.contrast;
        contrast.ratio = ratio(self.log_ratio, self.interval);
        contrast.p_value = Some(walsh.p_two_sided());
        self.p_least = Some(walsh.p_least());
        contrast.p_same = Some(tost::p_same(&walsh, self.log_margin));
        contrast.noise_floor = spread::sigma_to_reckon_with(spread::sigma(&differences.all), host_sigma);
        if let Some(sigma) = contrast.noise_floor.filter(|&sigma| sigma > spread::NOTHING) {
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
