//! Percentiles: when one may be printed, and when it may be contrasted.

use common::plan::Metric;
use common::report::{Distribution, Exceedances, Run, Spread, Tails};

use super::Value;

/// Tasks that must lie beyond a percentile for it to be printed.
pub(crate) const TAIL_TASKS_PRINTED: u64 = 30;
/// Tasks that must lie beyond a percentile, in every run, for it to be contrasted.
const TAIL_TASKS_CONTRASTED: u64 = 50;
/// The same of the 99.9th, which also takes a window of [`EXTREME_WINDOW_S`].
const TAIL_TASKS_EXTREME: u64 = 100;
/// Seconds.
const EXTREME_WINDOW_S: f64 = 60.0;
/// Clusters in which these tasks must lie, in every run, for it to be contrasted.
pub(crate) const CLUSTERS_CONTRASTED: u32 = 10;

/// Which part of a task's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Latency {
    Response,
    ResponseFromSend,
    Service,
    QueueWait,
    PoolWait,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantile {
    P50,
    P90,
    P99,
    P999,
}

/// A percentile of a latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentile {
    latency: Latency,
    quantile: Quantile,
}

impl Percentile {
    /// The percentile that `metric` is, if it is one.
    #[must_use]
    pub fn of(metric: Metric) -> Option<Percentile> {
        let (latency, quantile) = match metric {
            Metric::ResponseP50Us => (Latency::Response, Quantile::P50),
            Metric::ResponseP90Us => (Latency::Response, Quantile::P90),
            Metric::ResponseP99Us => (Latency::Response, Quantile::P99),
            Metric::ResponseP999Us => (Latency::Response, Quantile::P999),
            Metric::ResponseFromSendP99Us => (Latency::ResponseFromSend, Quantile::P99),
            Metric::ServiceP50Us => (Latency::Service, Quantile::P50),
            Metric::ServiceP99Us => (Latency::Service, Quantile::P99),
            Metric::QueueWaitP50Us => (Latency::QueueWait, Quantile::P50),
            Metric::QueueWaitP99Us => (Latency::QueueWait, Quantile::P99),
            Metric::PoolWaitP50Us => (Latency::PoolWait, Quantile::P50),
            Metric::PoolWaitP99Us => (Latency::PoolWait, Quantile::P99),
            _ => return None,
        };
        Some(Percentile { latency, quantile })
    }

    /// The same percentile of response counted from the send; `None` for what is not a percentile of response.
    #[must_use]
    pub fn from_send(self) -> Option<Percentile> {
        (self.latency == Latency::Response).then_some(Percentile { latency: Latency::ResponseFromSend, ..self })
    }

    /// Its value in `run`, microseconds; absent with fewer than 30 tasks beyond it.
    #[must_use]
    pub fn read(self, run: &Run) -> Value {
        let distribution = self.distribution(run);
        if !self.tail_holds(distribution, TAIL_TASKS_PRINTED) {
            return Value::Absent;
        }
        let recorded = match self.quantile {
            Quantile::P50 => distribution.p50,
            Quantile::P90 => distribution.p90,
            Quantile::P99 => distribution.p99,
            Quantile::P999 => distribution.p99_9,
        };
        match recorded {
            Some(value) => Value::Finite(value),
            None if distribution.unbounded > 0 => Value::Unbounded,
            None => Value::Absent,
        }
    }

    /// Whether it is contrasted only where there is much of it, and described elsewhere.
    #[must_use]
    pub fn is_extreme(self) -> bool {
        self.quantile == Quantile::P999
    }

    /// What a contrast needs of every run: at least 50 tasks beyond it, or 100 in a window of a minute where it is extreme.
    #[must_use]
    pub fn has_tasks(self, run: &Run) -> bool {
        let long_enough = !self.is_extreme() || run.plan.settings.load.duration_s >= EXTREME_WINDOW_S;
        long_enough && self.tail_holds(self.distribution(run), self.tail_tasks())
    }

    /// The same rule in words.
    #[must_use]
    pub fn tasks_needed(self) -> String {
        let tasks = self.tail_tasks();
        if self.is_extreme() {
            format!("a window of {EXTREME_WINDOW_S} s with {tasks} tasks")
        } else {
            format!("{tasks} tasks")
        }
    }

    /// What a contrast needs of every run, too: that the tasks at or beyond it are not those of a few stalls.
    ///
    /// They must lie in ten clusters or more. Where they are so many that even independent ones would leave hardly a bin
    /// free there are no clusters to count: there they must fill half of the window's bins, which no stall does. A run
    /// that does not say when they ended does not pass; an unbounded percentile does, for what lies beyond it has no end.
    #[must_use]
    pub fn is_spread(self, run: &Run) -> bool {
        if self.read(run) == Value::Unbounded {
            return true;
        }
        let Some(exceedances) = &run.exceedances else { return false };
        let fills_half = |spread: Spread| {
            spread.bins >= CLUSTERS_CONTRASTED && 2 * u64::from(spread.bins) >= u64::from(exceedances.window_bins)
        };
        self.spread(exceedances).is_some_and(|spread| spread.clusters >= CLUSTERS_CONTRASTED || fills_half(spread))
    }

    fn spread(self, exceedances: &Exceedances) -> Option<Spread> {
        let Tails { p50, p90, p99, p99_9 } = match self.latency {
            Latency::Response => exceedances.response,
            Latency::ResponseFromSend => exceedances.response_from_send,
            Latency::Service => exceedances.service,
            Latency::QueueWait => exceedances.queue_wait,
            Latency::PoolWait => exceedances.pool_wait,
        };
        match self.quantile {
            Quantile::P50 => p50,
            Quantile::P90 => p90,
            Quantile::P99 => p99,
            Quantile::P999 => p99_9,
        }
    }

    fn distribution(self, run: &Run) -> &Distribution {
        let latencies = &run.latency_us;
        match self.latency {
            Latency::Response => &latencies.response,
            Latency::ResponseFromSend => &latencies.response_from_send,
            Latency::Service => &latencies.service,
            Latency::QueueWait => &latencies.queue_wait,
            Latency::PoolWait => &latencies.pool_wait,
        }
    }

    fn tail_tasks(self) -> u64 {
        if self.is_extreme() { TAIL_TASKS_EXTREME } else { TAIL_TASKS_CONTRASTED }
    }

    /// Whether so many tasks, those without a value included, lie beyond it.
    fn tail_holds(self, distribution: &Distribution, tasks: u64) -> bool {
        // In thousandths: exact, unlike 1 - 0.9.
        let tail_permille = match self.quantile {
            Quantile::P50 => 500,
            Quantile::P90 => 100,
            Quantile::P99 => 10,
            Quantile::P999 => 1,
        };
        tail_permille * (distribution.n + distribution.unbounded) >= tasks * 1_000
    }
}
