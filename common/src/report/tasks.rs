//! What became of the tasks of a run: how many, how fast, how long, and who had to wait.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Planned tasks of the window by outcome. `planned = sent + missed`, `sent = completed + failed + unfinished`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Arrivals of the plan.
    pub planned: u64,
    /// Handed over to the dispatch socket.
    pub sent: u64,
    /// Never sent, because the run ended early.
    pub missed: u64,
    /// Finished, rejected ones included.
    pub completed: u64,
    /// Finished with a handler that said no.
    pub rejected: u64,
    /// Ended by an error.
    pub failed: Failures,
    /// Sent and never reported: drain bound, overload or a lost dyno.
    pub unfinished: u64,
    /// Tasks sent in the warm-up; in no other count.
    pub warmup: u64,
}

/// Failed tasks by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failures {
    /// No reply within `redis.response_timeout_s`.
    pub timeout: u64,
    /// The connection broke.
    pub disconnected: u64,
    /// The server answered with an error, or with what the task cannot understand.
    pub server_error: u64,
    /// No connection within `redis.checkout_timeout_s`.
    pub pool_timeout: u64,
}

impl Failures {
    /// All causes together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.timeout + self.disconnected + self.server_error + self.pool_timeout
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Failures) {
        self.timeout += other.timeout;
        self.disconnected += other.disconnected;
        self.server_error += other.server_error;
        self.pool_timeout += other.pool_timeout;
    }
}

/// Rates over the window, tasks a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rates {
    /// The plan's.
    pub asked: f64,
    /// Tasks of the window that were sent, over the time in which they were sent.
    pub sent: f64,
    /// `resources.tasks` over `resources.window_s`; `null` where one of them is not known.
    pub completed: Option<f64>,
}

/// One distribution of a latency. All values in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distribution {
    /// Recorded values.
    pub n: u64,
    /// Tasks that never got a value (failed, unfinished, beyond an hour): larger than every recorded one.
    pub unbounded: u64,
    /// Mean of the recorded values; `null` when there are none.
    pub mean: Option<f64>,
    /// 50th percentile over recorded and unbounded; `null` when it falls among the unbounded.
    pub p50: Option<f64>,
    /// 90th percentile, as above.
    pub p90: Option<f64>,
    /// 99th percentile, as above.
    pub p99: Option<f64>,
    /// 99.9th percentile, as above.
    pub p99_9: Option<f64>,
    /// Largest; `null` when anything is unbounded or nothing was recorded.
    pub max: Option<f64>,
    /// The whole histogram (nanoseconds, 3 significant digits): HdrHistogram V2, base64.
    pub hdr_v2: String,
}

/// Where the time of the window's tasks went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latencies {
    /// sent - intended: the generator's fault.
    pub lateness: Distribution,
    /// Batch due - intended; `null` where tasks are pushed.
    pub batch_wait: Option<Distribution>,
    /// Service start - sent.
    pub queue_wait: Distribution,
    /// Waiting for a connection, all checkouts of a task together; within service.
    pub pool_wait: Distribution,
    /// Service end - service start.
    pub service: Distribution,
    /// Service end - intended: the figure that counts.
    pub response: Distribution,
    /// Service end - sent: what a generator that forgives itself would report.
    pub response_from_send: Distribution,
    /// Parts of service by span name, pool wait excluded.
    pub spans: BTreeMap<String, Distribution>,
}

impl Latencies {
    /// Mean time for which a task held its permit, microseconds: its service without the wait for it.
    #[must_use]
    pub fn permit_held_us(&self) -> Option<f64> {
        Some(self.service.mean? - self.spans.get("permit_wait")?.mean?)
    }
}

/// Tasks sent and not finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Backlog {
    /// Largest number waiting at one worker; `null` when a dyno was lost before it said so.
    pub max: Option<u32>,
    /// `workers.backlog_max`.
    pub limit: u32,
    /// The largest backlog of one worker in seconds of its work: `max` x mean service. A limit in tasks gets softer with
    /// every worker that is added.
    pub max_work_s: Option<f64>,
    /// Largest number sent and not finished in all, as seen ten times a second; `null` when the run ended before anybody
    /// looked.
    pub total_max: Option<u64>,
    /// Least-squares slope of the total over the window, through the means of ten equal parts, tasks a second; `null` when
    /// nobody looked in one of them.
    pub slope_per_s: Option<f64>,
    /// One-sided 95 % lower bound of the slope (Student's t, 8 degrees of freedom).
    pub slope_low_per_s: Option<f64>,
    /// One-sided 95 % upper bound.
    pub slope_high_per_s: Option<f64>,
    /// From the last send to the last completion; `null` when the drain did not end by itself.
    pub drain_ms: Option<f64>,
    /// The first worker that had `limit` waiting when another task arrived.
    pub overload: Option<Overload>,
}

/// Little's law: tasks in the system = rate x mean time in it. Two ways to the same number: dynos that look at random
/// instants, and the histograms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Little {
    /// Random instants of the window, all dynos together.
    pub looks: u64,
    /// Mean number of tasks sent and not finished at these instants.
    pub in_system: f64,
    /// Its standard error, from 20 batches.
    pub standard_error: f64,
    /// Tasks of the window a second x their mean time from send to end.
    pub rate_times_time: f64,
    /// How far the two may be apart because tasks were under way at the ends of the window: on one side are all tasks of the
    /// window to their end, on the other all that were there within it.
    pub ends: f64,
}

/// Median of response early and late in the window, by whole seconds in which tasks ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Steady {
    /// In the first third.
    pub first_third_p50_us: f64,
    /// In the last third.
    pub last_third_p50_us: f64,
}

/// Where and when the backlog rule tripped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overload {
    /// Seconds since the window began; negative in the warm-up.
    pub at_s: f64,
    /// Dyno, from 0; `null` when the server fell behind that holds the queue.
    pub dyno: Option<u32>,
    /// Worker, from 0, counted over all dynos; `null` when the intake itself fell behind, or that server.
    pub worker: Option<u32>,
    /// Tasks waiting there.
    pub backlog: u64,
}

/// Vitals of every worker; position = worker, counted over all dynos.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Workers {
    /// Workers in all dynos.
    pub count: u32,
    /// Worker processes.
    pub dynos: u32,
    /// Tasks finished, warm-up included, the untimed one not; here and below `null` for the workers of a lost dyno.
    pub cycles: Vec<Option<u64>>,
    /// Most tasks waiting at once.
    pub backlog_max: Vec<Option<u32>>,
    /// Nanoseconds spent in tasks.
    pub busy_ns: Vec<Option<u64>>,
}

/// The part of a run that a second belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Before the window.
    WarmUp,
    /// Measured.
    Window,
    /// After the last arrival.
    Drain,
}

/// One second of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Second {
    /// End of the second, seconds since the window began; negative in the warm-up.
    pub t_s: f64,
    /// Where it lies.
    pub phase: Phase,
    /// Tasks sent in it.
    pub sent: u64,
    /// Tasks completed in it.
    pub completed: u64,
    /// Tasks failed in it.
    pub failed: u64,
    /// Sent and not finished at its end.
    pub backlog: u64,
    /// Percentiles of response of the window's tasks that completed in it, microseconds; `null` when there were none.
    pub response_p50_us: Option<f64>,
    /// As above.
    pub response_p90_us: Option<f64>,
    /// As above.
    pub response_p99_us: Option<f64>,
    /// As above.
    pub response_max_us: Option<f64>,
    /// Median service, microseconds.
    pub service_p50_us: Option<f64>,
}
