//! The value of a metric in one run, and when it may be printed and contrasted.

use std::collections::BTreeMap;

use common::plan::{CpuPlacement, Metric};
use common::report::{Ended, Run, Usage};
use common::step::Span;

mod percentile;

pub use percentile::Percentile;
pub(crate) use percentile::{CLUSTERS_CONTRASTED, TAIL_TASKS_PRINTED};

/// What a run says of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A number, in the metric's unit.
    Finite(f64),
    /// Larger than everything recorded: it falls among tasks that failed or never finished.
    Unbounded,
    /// Not measured, or of too few tasks.
    Absent,
}

impl Value {
    /// The number, infinite when unbounded; `None` when absent.
    #[must_use]
    pub fn number(self) -> Option<f64> {
        match self {
            Value::Finite(value) => Some(value),
            Value::Unbounded => Some(f64::INFINITY),
            Value::Absent => None,
        }
    }

    fn of(value: Option<f64>) -> Value {
        value.filter(|value| value.is_finite()).map_or(Value::Absent, Value::Finite)
    }
}

/// The value of `metric` in `run`, in the unit that the metric's name ends in. A percentile with fewer than 30
/// tasks beyond it is absent.
#[must_use]
pub fn value(run: &Run, metric: Metric) -> Value {
    if let Some(percentile) = Percentile::of(metric) {
        return percentile.read(run);
    }
    let workers = &run.resources.workers;
    let redis = &run.resources.redis;
    let mean_of_span = |name: &str| run.latency_us.spans.get(name).and_then(|span| span.mean);
    Value::of(match metric {
        Metric::CpuUsPerTask => workers.cpu_us_per_task.zip(redis.cpu_us_per_task).map(|(w, r)| w + r),
        Metric::WorkersCpuUsPerTask => workers.cpu_us_per_task,
        Metric::RedisCpuUsPerTask => redis.cpu_us_per_task,
        Metric::CpuUsPerS => per_s(run, workers.cpu_s().zip(redis.cpu_s()).map(|(w, r)| 1e6 * (w + r))),
        Metric::WorkersCpuUsPerS => per_s(run, workers.cpu_s().map(|cpu_s| 1e6 * cpu_s)),
        Metric::RedisCpuUsPerS => per_s(run, redis.cpu_s().map(|cpu_s| 1e6 * cpu_s)),
        // Where nothing was asked nothing is completed, and that compares nobody.
        Metric::CompletedPerS => run.rate_per_s.completed.filter(|_| run.counts.planned > 0),
        Metric::ResponseMaxUs => match &run.latency_us.response {
            response if response.unbounded > 0 => return Value::Unbounded,
            response => response.max,
        },
        Metric::FetchMeanUs => mean_of_span("fetch"),
        Metric::SaveMeanUs => mean_of_span("save"),
        Metric::PingMeanUs => mean_of_span("ping"),
        Metric::ExchangeMeanUs => mean_of_span("exchange"),
        Metric::ComputeMeanUs => mean_of_span("compute"),
        Metric::SleepOvershootMeanUs => mean_of_span("sleep_overshoot"),
        Metric::PermitWaitMeanUs => mean_of_span("permit_wait"),
        Metric::RssMaxBytes => count(workers, |usage| usage.rss_max_bytes),
        Metric::IdleBytesPerWorker => idle_bytes_per_worker(run),
        Metric::DynosStartMs => Some(run.startup.dynos_ms),
        Metric::VoluntarySwitchesPerTask => per_task(run, count(workers, |usage| usage.voluntary_switches)),
        Metric::InvoluntarySwitchesPerTask => per_task(run, count(workers, |usage| usage.involuntary_switches)),
        Metric::VoluntarySwitchesPerS => per_s(run, count(workers, |usage| usage.voluntary_switches)),
        Metric::InvoluntarySwitchesPerS => per_s(run, count(workers, |usage| usage.involuntary_switches)),
        Metric::Threads => count(workers, |usage| usage.threads),
        Metric::Sockets => count(workers, |usage| usage.sockets),
        Metric::RedisUsPerCommand => redis_us_per_command(run),
        Metric::ComputeP50Us => compute_p50_us(run),
        Metric::ResponseP50Us
        | Metric::ResponseP90Us
        | Metric::ResponseP99Us
        | Metric::ResponseP999Us
        | Metric::ResponseFromSendP99Us
        | Metric::ServiceP50Us
        | Metric::ServiceP99Us
        | Metric::QueueWaitP50Us
        | Metric::QueueWaitP99Us
        | Metric::PoolWaitP50Us
        | Metric::PoolWaitP99Us => None,
    })
}

fn count(usage: &Usage, field: impl Fn(&Usage) -> Option<u64>) -> Option<f64> {
    field(usage).map(|count| count as f64)
}

/// Of few workers it can be nothing at all, or less: what is given back outweighs what they hold.
fn idle_bytes_per_worker(run: &Run) -> Option<f64> {
    run.startup.memory.map(|memory| memory.bytes_per_worker).filter(|&bytes| bytes > 0.0)
}

/// Over all commands: both engines send the same.
fn redis_us_per_command(run: &Run) -> Option<f64> {
    let sum = |by_command: &BTreeMap<String, f64>| by_command.values().sum::<f64>();
    let commands = sum(&run.redis_work.commands_per_task);
    (commands > 0.0).then(|| sum(&run.redis_work.command_us_per_task) / commands)
}

/// The same rounds wherever they are burnt. The median, because a few that lose the CPU meanwhile take much longer; and only
/// where the worker burns them itself, because elsewhere the span holds the way there and back.
fn compute_p50_us(run: &Run) -> Option<f64> {
    let inline = run.variant.cpu_placement.is_none_or(|placement| placement == CpuPlacement::Inline);
    run.latency_us.spans.get(Span::Compute.name()).filter(|_| inline)?.p50
}

/// `total` of the window over the tasks that ended in it.
fn per_task(run: &Run, total: Option<f64>) -> Option<f64> {
    let tasks = run.resources.tasks.filter(|&tasks| tasks > 0)?;
    total.map(|total| total / tasks as f64)
}

/// `total` of the window over its length.
fn per_s(run: &Run, total: Option<f64>) -> Option<f64> {
    let window_s = run.resources.window_s;
    total.filter(|_| window_s > 0.0).map(|total| total / window_s)
}

/// A name with its unit, and how to read it.
pub type Described = (&'static str, fn(&Run) -> Option<f64>);

/// Figures that are shown beside published ones and never contrasted.
pub const DESCRIBED: [Described; 5] = [
    ("sent", |run| Some(run.counts.sent as f64)),
    ("completed", |run| Some(run.counts.completed as f64)),
    ("sent_per_s", |run| Some(run.rate_per_s.sent)),
    ("uptime_s", uptime_s),
    ("service_mean_us", |run| run.latency_us.service.mean),
];

/// Seconds from the start of the warm-up to the end of the drain, or to what ended the run before.
#[must_use]
pub fn uptime_s(run: &Run) -> Option<f64> {
    let load = &run.plan.settings.load;
    let end_s = match run.ended {
        // The drain counts from the last task, which is the window's end but for a gap.
        Ended::Complete => load.duration_s + run.backlog.drain_ms.map_or(load.drain_s, |drain_ms| drain_ms / 1e3),
        Ended::Overloaded => run.backlog.overload.as_ref()?.at_s,
        Ended::Interrupted => run.timeline.last()?.t_s,
        Ended::DynoLost { at_s, .. }
        | Ended::ServerLost { at_s, .. }
        | Ended::ProxyLost { at_s, .. }
        | Ended::ServerFull { at_s }
        | Ended::QueueLost { at_s, .. } => at_s,
    };
    Some(load.warmup_s + end_s)
}

/// How a metric is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wording {
    /// Without its unit.
    pub(crate) label: &'static str,
    pub(crate) unit: Unit,
}

/// What a metric is counted in, as far as printing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Micros,
    /// Of a second.
    MicrosPerSecond,
    Millis,
    Bytes,
    PerSecond,
    Number,
}

/// The words for `metric` in tables and sentences.
pub(crate) fn wording(metric: Metric) -> Wording {
    let (label, unit) = match metric {
        Metric::CpuUsPerTask => ("CPU per task", Unit::Micros),
        Metric::WorkersCpuUsPerTask => ("CPU per task, workers", Unit::Micros),
        Metric::RedisCpuUsPerTask => ("CPU per task, redis", Unit::Micros),
        Metric::CpuUsPerS => ("CPU per second", Unit::MicrosPerSecond),
        Metric::WorkersCpuUsPerS => ("CPU per second, workers", Unit::MicrosPerSecond),
        Metric::RedisCpuUsPerS => ("CPU per second, redis", Unit::MicrosPerSecond),
        Metric::CompletedPerS => ("completed", Unit::PerSecond),
        Metric::ResponseP50Us => ("response p50", Unit::Micros),
        Metric::ResponseP90Us => ("response p90", Unit::Micros),
        Metric::ResponseP99Us => ("response p99", Unit::Micros),
        Metric::ResponseP999Us => ("response p99.9", Unit::Micros),
        Metric::ResponseMaxUs => ("response max", Unit::Micros),
        Metric::ResponseFromSendP99Us => ("response from send p99", Unit::Micros),
        Metric::ServiceP50Us => ("service p50", Unit::Micros),
        Metric::ServiceP99Us => ("service p99", Unit::Micros),
        Metric::QueueWaitP50Us => ("queue wait p50", Unit::Micros),
        Metric::QueueWaitP99Us => ("queue wait p99", Unit::Micros),
        Metric::PoolWaitP50Us => ("pool wait p50", Unit::Micros),
        Metric::PoolWaitP99Us => ("pool wait p99", Unit::Micros),
        Metric::FetchMeanUs => ("fetch mean", Unit::Micros),
        Metric::SaveMeanUs => ("save mean", Unit::Micros),
        Metric::PingMeanUs => ("ping mean", Unit::Micros),
        Metric::ExchangeMeanUs => ("exchange mean", Unit::Micros),
        Metric::ComputeMeanUs => ("compute mean", Unit::Micros),
        Metric::SleepOvershootMeanUs => ("sleep overshoot mean", Unit::Micros),
        Metric::PermitWaitMeanUs => ("permit wait mean", Unit::Micros),
        Metric::RssMaxBytes => ("peak memory", Unit::Bytes),
        Metric::IdleBytesPerWorker => ("idle memory per worker", Unit::Bytes),
        Metric::DynosStartMs => ("start of the dynos", Unit::Millis),
        Metric::VoluntarySwitchesPerTask => ("voluntary switches per task", Unit::Number),
        Metric::InvoluntarySwitchesPerTask => ("involuntary switches per task", Unit::Number),
        Metric::VoluntarySwitchesPerS => ("voluntary switches per second", Unit::Number),
        Metric::InvoluntarySwitchesPerS => ("involuntary switches per second", Unit::Number),
        Metric::Threads => ("threads", Unit::Number),
        Metric::Sockets => ("sockets", Unit::Number),
        Metric::RedisUsPerCommand => ("server time per command", Unit::Micros),
        Metric::ComputeP50Us => ("compute p50", Unit::Micros),
    };
    Wording { label, unit }
}
