//! The metrics by which variants are compared.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What variants are compared by. Smaller is better for all but [`Metric::CompletedPerS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// CPU of dynos and server per task.
    CpuUsPerTask,
    /// CPU of the dynos per task.
    WorkersCpuUsPerTask,
    /// CPU of the server per task.
    RedisCpuUsPerTask,
    /// CPU of dynos and server per second of the window, whatever comes in it.
    CpuUsPerS,
    /// CPU of the dynos per second of the window.
    WorkersCpuUsPerS,
    /// CPU of the server per second of the window.
    RedisCpuUsPerS,
    /// Tasks that ended, a second.
    CompletedPerS,
    /// Response, 50th percentile.
    ResponseP50Us,
    /// Response, 90th percentile.
    ResponseP90Us,
    /// Response, 99th percentile.
    ResponseP99Us,
    /// Response, 99.9th percentile: contrasted in long windows only, else described.
    #[serde(rename = "response_p99_9_us")]
    ResponseP999Us,
    /// Largest response: described, never contrasted.
    ResponseMaxUs,
    /// Response counted from the send, 99th percentile.
    ResponseFromSendP99Us,
    /// Service, 50th percentile.
    ServiceP50Us,
    /// Service, 99th percentile.
    ServiceP99Us,
    /// Queue wait, 50th percentile.
    QueueWaitP50Us,
    /// Queue wait, 99th percentile.
    QueueWaitP99Us,
    /// Pool wait, 50th percentile.
    PoolWaitP50Us,
    /// Pool wait, 99th percentile.
    PoolWaitP99Us,
    /// Mean of the span `fetch`.
    FetchMeanUs,
    /// Mean of the span `save`.
    SaveMeanUs,
    /// Mean of the span `ping`.
    PingMeanUs,
    /// Mean of the span `exchange`.
    ExchangeMeanUs,
    /// Mean of the span `compute`.
    ComputeMeanUs,
    /// Mean of the span `sleep_overshoot`.
    SleepOvershootMeanUs,
    /// Mean of the span `permit_wait`.
    PermitWaitMeanUs,
    /// Peak memory of all dynos.
    RssMaxBytes,
    /// Memory that a worker holds while it waits, connections and executor included.
    IdleBytesPerWorker,
    /// Starting the dynos: processes, workers, connections.
    DynosStartMs,
    /// Voluntary context switches of the dynos per task.
    VoluntarySwitchesPerTask,
    /// Involuntary context switches of the dynos per task.
    InvoluntarySwitchesPerTask,
    /// Voluntary context switches of the dynos per second of the window.
    VoluntarySwitchesPerS,
    /// Involuntary context switches of the dynos per second of the window.
    InvoluntarySwitchesPerS,
    /// Threads of all dynos.
    Threads,
    /// Open sockets of all dynos.
    Sockets,
    /// Time of a command in the server, mean over all commands of the tasks: a control.
    RedisUsPerCommand,
    /// The span `compute`, 50th percentile: a control.
    ComputeP50Us,
}

impl Metric {
    /// Every metric, in the order of tables.
    pub const ALL: [Metric; 37] = [
        Metric::CpuUsPerTask,
        Metric::WorkersCpuUsPerTask,
        Metric::RedisCpuUsPerTask,
        Metric::CpuUsPerS,
        Metric::WorkersCpuUsPerS,
        Metric::RedisCpuUsPerS,
        Metric::CompletedPerS,
        Metric::ResponseP50Us,
        Metric::ResponseP90Us,
        Metric::ResponseP99Us,
        Metric::ResponseP999Us,
        Metric::ResponseMaxUs,
        Metric::ResponseFromSendP99Us,
        Metric::ServiceP50Us,
        Metric::ServiceP99Us,
        Metric::QueueWaitP50Us,
        Metric::QueueWaitP99Us,
        Metric::PoolWaitP50Us,
        Metric::PoolWaitP99Us,
        Metric::FetchMeanUs,
        Metric::SaveMeanUs,
        Metric::PingMeanUs,
        Metric::ExchangeMeanUs,
        Metric::ComputeMeanUs,
        Metric::SleepOvershootMeanUs,
        Metric::PermitWaitMeanUs,
        Metric::RssMaxBytes,
        Metric::IdleBytesPerWorker,
        Metric::DynosStartMs,
        Metric::VoluntarySwitchesPerTask,
        Metric::InvoluntarySwitchesPerTask,
        Metric::VoluntarySwitchesPerS,
        Metric::InvoluntarySwitchesPerS,
        Metric::Threads,
        Metric::Sockets,
        Metric::RedisUsPerCommand,
        Metric::ComputeP50Us,
    ];

    /// The name in plans and reports, with its unit.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Metric::CpuUsPerTask => "cpu_us_per_task",
            Metric::WorkersCpuUsPerTask => "workers_cpu_us_per_task",
            Metric::RedisCpuUsPerTask => "redis_cpu_us_per_task",
            Metric::CpuUsPerS => "cpu_us_per_s",
            Metric::WorkersCpuUsPerS => "workers_cpu_us_per_s",
            Metric::RedisCpuUsPerS => "redis_cpu_us_per_s",
            Metric::CompletedPerS => "completed_per_s",
            Metric::ResponseP50Us => "response_p50_us",
            Metric::ResponseP90Us => "response_p90_us",
            Metric::ResponseP99Us => "response_p99_us",
            Metric::ResponseP999Us => "response_p99_9_us",
            Metric::ResponseMaxUs => "response_max_us",
            Metric::ResponseFromSendP99Us => "response_from_send_p99_us",
            Metric::ServiceP50Us => "service_p50_us",
            Metric::ServiceP99Us => "service_p99_us",
            Metric::QueueWaitP50Us => "queue_wait_p50_us",
            Metric::QueueWaitP99Us => "queue_wait_p99_us",
            Metric::PoolWaitP50Us => "pool_wait_p50_us",
            Metric::PoolWaitP99Us => "pool_wait_p99_us",
            Metric::FetchMeanUs => "fetch_mean_us",
            Metric::SaveMeanUs => "save_mean_us",
            Metric::PingMeanUs => "ping_mean_us",
            Metric::ExchangeMeanUs => "exchange_mean_us",
            Metric::ComputeMeanUs => "compute_mean_us",
            Metric::SleepOvershootMeanUs => "sleep_overshoot_mean_us",
            Metric::PermitWaitMeanUs => "permit_wait_mean_us",
            Metric::RssMaxBytes => "rss_max_bytes",
            Metric::IdleBytesPerWorker => "idle_bytes_per_worker",
            Metric::DynosStartMs => "dynos_start_ms",
            Metric::VoluntarySwitchesPerTask => "voluntary_switches_per_task",
            Metric::InvoluntarySwitchesPerTask => "involuntary_switches_per_task",
            Metric::VoluntarySwitchesPerS => "voluntary_switches_per_s",
            Metric::InvoluntarySwitchesPerS => "involuntary_switches_per_s",
            Metric::Threads => "threads",
            Metric::Sockets => "sockets",
            Metric::RedisUsPerCommand => "redis_us_per_command",
            Metric::ComputeP50Us => "compute_p50_us",
        }
    }

    /// The percentile that it is, if it is one.
    #[must_use]
    pub fn percentile(self) -> Option<f64> {
        match self.name().strip_suffix("_us")?.rsplit_once("_p")?.1 {
            "50" => Some(0.5),
            "90" => Some(0.9),
            "99" => Some(0.99),
            "99_9" => Some(0.999),
            _ => None,
        }
    }

    /// Whether variants are compared by it. A largest value is one task's, and says more about the machine.
    #[must_use]
    pub fn is_contrasted(self) -> bool {
        self != Metric::ResponseMaxUs
    }

    /// Whether it is a negative control: what no variant has any business to change. Contrasted apart from the others, and
    /// never the primary metric.
    #[must_use]
    pub fn is_control(self) -> bool {
        matches!(self, Metric::RedisUsPerCommand | Metric::ComputeP50Us)
    }

    /// Whether it counts by the second of the window what another metric counts by the task: of the same tasks it says the same,
    /// and without tasks it is the one that there is.
    #[must_use]
    pub fn is_by_the_second(self) -> bool {
        matches!(
            self,
            Metric::CpuUsPerS
                | Metric::WorkersCpuUsPerS
                | Metric::RedisCpuUsPerS
                | Metric::VoluntarySwitchesPerS
                | Metric::InvoluntarySwitchesPerS
        )
    }

    /// Whether dynos have it that nothing is asked of. All others are of tasks.
    #[must_use]
    pub fn is_of_idle_dynos(self) -> bool {
        self.is_by_the_second()
            || matches!(
                self,
                Metric::RssMaxBytes
                    | Metric::IdleBytesPerWorker
                    | Metric::DynosStartMs
                    | Metric::Threads
                    | Metric::Sockets
            )
    }

    /// Whether a larger value is better.
    #[must_use]
    pub fn more_is_better(self) -> bool {
        self == Metric::CompletedPerS
    }
}
