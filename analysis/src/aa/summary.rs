//! What the A/A benches of a host say of its instrument: alarms, bias, scatter, and what could be detected.

use common::plan::{Engine, Metric, TaskKind};
use common::report::aa::{AaBench, AaStore};
use common::report::comparison::Ratio;
use serde::Serialize;

use super::pool::pool;
use crate::aa::ALPHA;
use crate::stats::clopper_pearson;
use crate::stats::level::Level;
use crate::stats::spread;

/// Benches without which nothing is said of defects.
const BENCHES_MIN: u32 = 20;
/// As many alarms, or more, are rarer than this in a sound instrument, of which one bench in twenty gives one: 4 of 20
/// (0.016), 10 of 100 (0.028).
const DEFECT: f64 = 0.03;
/// Blocks of a default bench, and of a long one.
const BLOCKS: [u32; 2] = [10, 30];

/// One host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Its fingerprint.
    pub host: String,
    /// Benches that can be pooled, by version, scheduling, task and length of a block.
    pub groups: Vec<Group>,
}

/// A/A benches of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Version of Headroom.
    pub headroom: String,
    /// `host.scheduling` of the runs.
    pub scheduling: String,
    /// Kind of task.
    pub task: TaskKind,
    /// Window of a run.
    pub duration_s: f64,
    /// Warm-up of a run.
    pub warmup_s: f64,
    /// Benches of the threaded engine.
    pub threaded: u32,
    /// Benches of the async engine.
    pub asynchronous: u32,
    /// In the order of tables.
    pub metrics: Vec<MetricSummary>,
}

/// One metric over all benches of a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricSummary {
    /// Which.
    pub metric: Metric,
    /// Whether it was the primary one of any bench: its alarms are words, the others' single p values.
    pub primary: bool,
    /// Benches that have it.
    pub benches: u32,
    /// Of these, with a difference where there is none.
    pub alarms: u32,
    /// Lower end of the 95 % interval of the rate of alarms (Clopper-Pearson).
    pub alarm_rate_low: f64,
    /// Upper end.
    pub alarm_rate_high: f64,
    /// More alarms than a sound instrument gives; `null` with fewer than 20 benches.
    pub defect: Option<bool>,
    /// All blocks of all benches: Hodges-Lehmann estimate of the ratio with its 95 % interval.
    pub ratio: Ratio,
    /// Whether that interval excludes 1.
    pub biased: bool,
    /// Standard deviation of one block's log ratio, robust.
    pub noise_floor: Option<f64>,
    /// Smallest log ratio that a bench of ten such blocks finds with 80 % power.
    pub detectable_10: Option<f64>,
    /// The same of thirty.
    pub detectable_30: Option<f64>,
}

impl Summary {
    /// Of everything that is kept.
    #[must_use]
    pub fn new(store: &AaStore) -> Summary {
        let mut kinds: Vec<Vec<&AaBench>> = Vec::new();
        for bench in &store.benches {
            match kinds.iter_mut().find(|kind| is_alike(kind[0], bench)) {
                Some(kind) => kind.push(bench),
                None => kinds.push(vec![bench]),
            }
        }
        Summary { host: store.host.clone(), groups: kinds.iter().map(|kind| group(kind)).collect() }
    }

    /// Whether the alarms of any primary metric are too many for a sound instrument. Those of the others are shown and decide
    /// nothing: of twenty metrics one or two are beyond any such bound by chance.
    #[must_use]
    pub fn has_defect(&self) -> bool {
        let mut metrics = self.groups.iter().flat_map(|group| &group.metrics);
        metrics.any(|metric| metric.primary && metric.defect == Some(true))
    }
}

fn is_alike(a: &AaBench, b: &AaBench) -> bool {
    let kind = |bench: &AaBench| (bench.task, bench.duration_s, bench.warmup_s);
    kind(a) == kind(b) && a.headroom == b.headroom && a.scheduling == b.scheduling
}

fn group(benches: &[&AaBench]) -> Group {
    let first = benches[0];
    let of_engine = |engine: Engine| count(benches.iter().filter(|bench| bench.engine == engine));
    Group {
        headroom: first.headroom.clone(),
        scheduling: first.scheduling.clone(),
        task: first.task,
        duration_s: first.duration_s,
        warmup_s: first.warmup_s,
        threaded: of_engine(Engine::Threaded),
        asynchronous: of_engine(Engine::Async),
        metrics: Metric::ALL.into_iter().filter_map(|metric| summary(benches, metric)).collect(),
    }
}

fn summary(benches: &[&AaBench], metric: Metric) -> Option<MetricSummary> {
    let found: Vec<_> = benches.iter().filter_map(|bench| bench.metrics.get(metric.name())).collect();
    let (n, alarms) = (count(found.iter()), count(found.iter().filter(|found| found.alarm)));
    let pool = pool(benches, metric)?;
    let rate = clopper_pearson::interval(alarms, n, ALPHA)?;
    let detectable = |blocks| pool.noise_floor.and_then(|sigma| spread::detectable(blocks, sigma, &Level::of(false)));
    Some(MetricSummary {
        metric,
        primary: found.iter().any(|found| found.primary),
        benches: n,
        alarms,
        alarm_rate_low: rate.low,
        alarm_rate_high: rate.high,
        defect: (n >= BENCHES_MIN).then(|| at_least(alarms, n) < DEFECT),
        ratio: pool.ratio,
        biased: pool.ratio.low.is_some_and(|low| low > 1.0) || pool.ratio.high.is_some_and(|high| high < 1.0),
        noise_floor: pool.noise_floor,
        detectable_10: detectable(BLOCKS[0]),
        detectable_30: detectable(BLOCKS[1]),
    })
}

/// Probability of `alarms` alarms or more of `n` benches, each of which gives one with probability [`ALPHA`].
fn at_least(alarms: u32, n: u32) -> f64 {
    let mut term = (1.0 - ALPHA).powi(n.cast_signed());
    let mut below = 0.0;
    for k in 0..alarms {
        below += term;
        term *= f64::from(n - k) / f64::from(k + 1) * ALPHA / (1.0 - ALPHA);
    }
    1.0 - below
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{DEFECT, at_least};

    #[test]
    fn four_of_twenty_and_ten_of_a_hundred_are_defects() {
        for (alarms, n, probability) in [(0, 20, 1.0), (1, 20, 0.641_514), (4, 20, 0.015_902), (10, 100, 0.028_188)] {
            assert!((at_least(alarms, n) - probability).abs() < 1e-6, "{alarms} of {n}: {}", at_least(alarms, n));
        }
        for (alarms, n) in [(4, 20), (10, 100)] {
            assert!(at_least(alarms, n) < DEFECT && at_least(alarms - 1, n) >= DEFECT, "{alarms} of {n}");
        }
    }
}
