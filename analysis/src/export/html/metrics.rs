//! What the page says about metrics.

use common::plan::Metric;
use serde::Serialize;

use crate::metric::{Unit, wording};

/// A metric in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct About {
    pub(super) label: &'static str,
    /// Under which heading it stands.
    pub(super) group: &'static str,
    /// What it is, in half a sentence.
    pub(super) meaning: &'static str,
}

const COST: &str = "What a task costs";
const SECOND: &str = "What a second costs, with tasks or without";
const RESPONSE: &str = "How long a task takes";
const PARTS: &str = "Where that time goes";
const CONTROL: &str = "Negative controls: what no variant should change";
const SIZE: &str = "What the worker processes need";

pub(super) fn about(metric: Metric) -> About {
    let (group, meaning) = match metric {
        Metric::CpuUsPerTask => {
            (COST, "CPU time of worker processes and Redis server over the window, per task that ended")
        }
        Metric::WorkersCpuUsPerTask => (COST, "CPU time of the worker processes over the window, per task that ended"),
        Metric::RedisCpuUsPerTask => (COST, "CPU time of the Redis server over the window, per task that ended"),
        Metric::CpuUsPerS => {
            (SECOND, "CPU time of worker processes and Redis server over the window, per second, whatever came in it")
        }
        Metric::WorkersCpuUsPerS => (SECOND, "CPU time of the worker processes, per second of the window"),
        Metric::RedisCpuUsPerS => (SECOND, "CPU time of the Redis server, per second of the window"),
        Metric::VoluntarySwitchesPerS => (SECOND, "times a thread gave up its CPU to wait, per second of the window"),
        Metric::InvoluntarySwitchesPerS => {
            (SECOND, "times a thread had to give up its CPU to another, per second of the window")
        }
        Metric::CompletedPerS => (COST, "tasks completed a second in the window; more is better"),
        Metric::VoluntarySwitchesPerTask => (COST, "times a thread gave up its CPU to wait, per task"),
        Metric::InvoluntarySwitchesPerTask => (COST, "times a thread had to give up its CPU to another, per task"),
        Metric::ResponseP50Us => {
            (RESPONSE, "half of the tasks took no longer, from the instant they were due to their end")
        }
        Metric::ResponseP90Us => {
            (RESPONSE, "nine of ten tasks took no longer, from the instant they were due to their end")
        }
        Metric::ResponseP99Us => {
            (RESPONSE, "99 of 100 tasks took no longer, from the instant they were due to their end")
        }
        Metric::ResponseP999Us => {
            (RESPONSE, "999 of 1000 tasks took no longer; compared in windows of a minute and more only")
        }
        Metric::ResponseMaxUs => (RESPONSE, "the slowest task of a run; described, never compared"),
        Metric::ResponseFromSendP99Us => (
            RESPONSE,
            "response counted from the instant a task was really sent: what the generator's lateness leaves out",
        ),
        Metric::ServiceP50Us => (PARTS, "from a worker's taking up a task to its end, half of the tasks"),
        Metric::ServiceP99Us => (PARTS, "from a worker's taking up a task to its end, 99 of 100 tasks"),
        Metric::QueueWaitP50Us => (PARTS, "from the send to a worker's taking up the task, half of the tasks"),
        Metric::QueueWaitP99Us => (PARTS, "from the send to a worker's taking up the task, 99 of 100 tasks"),
        Metric::PoolWaitP50Us => (PARTS, "waiting for a connection out of the pool, half of the tasks"),
        Metric::PoolWaitP99Us => (PARTS, "waiting for a connection out of the pool, 99 of 100 tasks"),
        Metric::FetchMeanUs => (PARTS, "reading the document from Redis, on average"),
        Metric::SaveMeanUs => (PARTS, "writing the document to Redis, on average"),
        Metric::PingMeanUs => (PARTS, "one PING to Redis, on average"),
        Metric::ExchangeMeanUs => (PARTS, "one synthetic round trip to Redis, on average"),
        Metric::ComputeMeanUs => (PARTS, "the task's own CPU work, on average"),
        Metric::SleepOvershootMeanUs => (PARTS, "how much later than asked a sleep ended, on average"),
        Metric::PermitWaitMeanUs => (PARTS, "waiting for a permit, on average"),
        Metric::RssMaxBytes => (SIZE, "peak resident memory of all worker processes"),
        Metric::IdleBytesPerWorker => (SIZE, "memory that an idle worker holds, its connection included"),
        Metric::DynosStartMs => (SIZE, "from starting the worker processes until the last was ready"),
        Metric::Threads => (SIZE, "threads of all worker processes"),
        Metric::Sockets => (SIZE, "open sockets of all worker processes"),
        Metric::RedisUsPerCommand => {
            (CONTROL, "time of a command in the Redis server, on average; all variants send the same")
        }
        Metric::ComputeP50Us => (CONTROL, "the task's own CPU work, half of the tasks; all variants do the same"),
    };
    About { label: wording(metric).label, group, meaning }
}

/// The form of its estimates, see [`super::Shown`].
pub(super) fn form(metric: Metric) -> &'static str {
    match wording(metric).unit {
        Unit::Micros => "estimate_us",
        Unit::MicrosPerSecond => "estimate_us_per_s",
        Unit::Millis => "estimate_ms",
        Unit::Bytes => "estimate_bytes",
        Unit::PerSecond => "estimate_per_s",
        Unit::Number => "estimate_number",
    }
}
