//! The tables of a plan that describe the work and the load, with their defaults and limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::load::Load;
use super::{Dyno, Queue};

/// Everything a run needs to know besides its variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// `[task]`
    pub task: Task,
    /// `[load]`
    pub load: Load,
    /// `[workers]`
    pub workers: Workers,
    /// `[dyno]`; none: dynos are not limited.
    #[serde(default)]
    pub dyno: Option<Dyno>,
    /// `[slo]`
    #[serde(default)]
    pub slo: Slo,
    /// `[redis]`
    #[serde(default)]
    pub redis: RedisSettings,
    /// `[queue]`; none: loadgen pushes every task to its worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
}

impl Settings {
    /// Tasks that one dyno can be at at once.
    #[must_use]
    pub fn at_once(&self) -> u32 {
        self.task.permits.map_or(self.workers.count, |permits| permits.min(self.workers.count))
    }

    /// Seconds of a run for one of the original's.
    #[must_use]
    pub fn time_scale(&self) -> f64 {
        if self.task.kind == TaskKind::Order { self.task.time_scale } else { 1.0 }
    }

    /// Permits of a dyno, where there are fewer of them than workers, so that tasks wait for them.
    #[must_use]
    pub fn awaited_permits(&self) -> Option<u32> {
        self.task.permits.filter(|&permits| permits < self.workers.count)
    }

    /// Permits of a dyno, where there are no more of them than workers: with as many both are short, and more workers would not help.
    #[must_use]
    pub fn limiting_permits(&self) -> Option<u32> {
        self.task.permits.filter(|&permits| permits <= self.workers.count)
    }

    /// Fills in what the plan leaves out and its kind of task must have.
    pub(super) fn complete(&mut self) {
        if self.task.kind == TaskKind::Order {
            self.task.permits.get_or_insert(Task::ORDER_PERMITS);
        }
        if self.task.kind.is_always_queued() {
            self.queue.get_or_insert_default();
        }
    }
}

/// What one unit of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Fetch a document, add a mail to it, save it, ping.
    Document,
    /// What a document task sends, encoded beforehand; replies are read and dropped.
    Replay,
    /// Round trips, CPU and sleep as the plan says: any ratio of waiting to computing.
    Synthetic,
    /// One arithmetic operation, read from JSON in a queue.
    Job,
    /// An order of a flash sale, out of a queue: a payment that takes its time, under one of a few permits.
    Order,
    /// Nothing at all: measures the generator and the transport.
    Null,
}

impl TaskKind {
    /// As in plans.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TaskKind::Document => "document",
            TaskKind::Replay => "replay",
            TaskKind::Synthetic => "synthetic",
            TaskKind::Job => "job",
            TaskKind::Order => "order",
            TaskKind::Null => "null",
        }
    }
}

/// `[task]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Kind of task.
    pub kind: TaskKind,
    /// Most flats in a document.
    #[serde(default = "Task::default_list_max")]
    pub list_max: u32,
    /// Kilobytes (1024 characters) of text in a mail.
    #[serde(default = "Task::default_payload_kb")]
    pub payload_kb: f64,
    /// Whether documents hold `list_max` flats, with one mail each, before the first task. Otherwise they grow from
    /// nothing, as in the original.
    #[serde(default = "Task::default_prefill")]
    pub prefill: bool,
    /// Synthetic: round trips to Redis, each a `SET` of `payload_kb`.
    #[serde(default = "Task::default_redis_round_trips")]
    pub redis_round_trips: u32,
    /// Synthetic: CPU after them, microseconds on this host when it has nothing else to do.
    #[serde(default)]
    pub cpu_us: f64,
    /// Synthetic: sleep after that, milliseconds.
    #[serde(default)]
    pub sleep_ms: f64,
    /// Synthetic: permits of a dyno, one of which a task holds from its begin to its end; none: no limit. Order: 5 unless the plan
    /// says otherwise.
    #[serde(default)]
    pub permits: Option<u32>,
    /// Job: share of the jobs whose handler says no: divisions by zero.
    #[serde(default)]
    pub fail_share: f64,
    /// Order: how long a payment takes, in three seconds: 0.1 is 300 ms.
    #[serde(default = "Task::default_time_scale")]
    pub time_scale: f64,
}

impl Task {
    fn default_list_max() -> u32 {
        100
    }
    fn default_payload_kb() -> f64 {
        5.0
    }
    fn default_prefill() -> bool {
        true
    }
    fn default_redis_round_trips() -> u32 {
        1
    }

    fn default_time_scale() -> f64 {
        0.1
    }

    /// Permits of an order's dyno unless the plan says otherwise: the original's payment slots.
    const ORDER_PERMITS: u32 = 5;

    /// How long a task sleeps, by the plan, seconds.
    #[must_use]
    pub fn pause_s(&self) -> f64 {
        match self.kind {
            TaskKind::Synthetic => self.sleep_ms / 1e3,
            TaskKind::Order => crate::task::synthetic::PAYMENT_S * self.time_scale,
            TaskKind::Document | TaskKind::Replay | TaskKind::Job | TaskKind::Null => 0.0,
        }
    }

    /// What a task needs at least, by the plan, seconds.
    #[must_use]
    pub fn least_s(&self) -> f64 {
        let cpu_us = if self.kind == TaskKind::Synthetic { self.cpu_us } else { 0.0 };
        cpu_us / 1e6 + self.pause_s()
    }

    /// A task of a kind with every other setting at its default.
    #[must_use]
    pub fn of(kind: TaskKind) -> Task {
        Task {
            kind,
            list_max: Task::default_list_max(),
            payload_kb: Task::default_payload_kb(),
            prefill: Task::default_prefill(),
            redis_round_trips: Task::default_redis_round_trips(),
            cpu_us: 0.0,
            sleep_ms: 0.0,
            permits: None,
            fail_share: 0.0,
            time_scale: Task::default_time_scale(),
        }
    }

    /// Characters of text in a mail.
    #[must_use]
    pub fn text_chars(&self) -> usize {
        (self.payload_kb * 1024.0).round() as usize
    }
}

/// How an arrival's worker is picked within its dyno.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// In turn.
    RoundRobin,
    /// Uniformly, from seed and arrival.
    Random,
}

/// Which waiting task a worker takes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The oldest.
    Fifo,
    /// The newest, as in the original.
    Lifo,
}

/// What a run does when the backlog rule trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnOverload {
    /// Ends, as in the original.
    Stop,
    /// Goes on; the verdict is `overloaded` all the same.
    Continue,
}

/// `[workers]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workers {
    /// Workers of one dyno.
    pub count: u32,
    /// Worker processes; arrivals go to them in turn.
    #[serde(default = "Workers::default_dynos")]
    pub dynos: u32,
    /// A worker that has this many waiting when another task arrives is overloaded.
    #[serde(default = "Workers::default_backlog_max")]
    pub backlog_max: u32,
    /// How a worker is picked.
    #[serde(default = "Workers::default_choice")]
    pub choice: Choice,
    /// Which waiting task goes first.
    #[serde(default = "Workers::default_order")]
    pub order: Order,
    /// What to do about an overload.
    #[serde(default = "Workers::default_on_overload")]
    pub on_overload: OnOverload,
    /// Dynos that differ from the rest.
    #[serde(default, rename = "override", skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}

/// `[[workers.override]]`: a dyno with settings of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Number of the dyno, from 0.
    pub dyno: u32,
    /// Its workers.
    pub count: Option<u32>,
    /// Its backlog limit.
    pub backlog_max: Option<u32>,
}

impl Workers {
    fn default_dynos() -> u32 {
        1
    }
    fn default_backlog_max() -> u32 {
        100
    }
    fn default_choice() -> Choice {
        Choice::RoundRobin
    }
    fn default_order() -> Order {
        Order::Fifo
    }
    fn default_on_overload() -> OnOverload {
        OnOverload::Stop
    }

    fn find(&self, dyno: u32) -> Option<&Override> {
        self.overrides.iter().find(|one| one.dyno == dyno)
    }

    /// Workers of dyno `dyno`.
    #[must_use]
    pub fn count_of(&self, dyno: u32) -> u32 {
        self.find(dyno).and_then(|one| one.count).unwrap_or(self.count)
    }

    /// Backlog limit of dyno `dyno`.
    #[must_use]
    pub fn backlog_max_of(&self, dyno: u32) -> u32 {
        self.find(dyno).and_then(|one| one.backlog_max).unwrap_or(self.backlog_max)
    }

    /// Number, over all dynos, of the first worker of dyno `dyno`.
    #[must_use]
    pub fn first_of(&self, dyno: u32) -> u32 {
        (0..dyno).map(|before| self.count_of(before)).sum()
    }

    /// Workers of all dynos.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.first_of(self.dynos)
    }
}

/// `[slo]`: what keeping up means besides the backlog rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Slo {
    /// Largest 99th percentile of response.
    pub response_p99_ms: Option<f64>,
    /// Longest drain after the last arrival.
    pub drain_within_s: f64,
}

impl Default for Slo {
    fn default() -> Self {
        Slo { response_p99_ms: None, drain_within_s: 1.0 }
    }
}

/// `[redis]`: the same for both engines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RedisSettings {
    /// To open a connection.
    pub connect_timeout_s: f64,
    /// For all replies of a request.
    pub response_timeout_s: f64,
    /// For a connection out of a pool.
    pub checkout_timeout_s: f64,
    /// Network distance: what a round trip takes longer than without, microseconds; 0: the server is reached directly.
    pub rtt_us: u32,
    /// What a round trip takes longer still: drawn anew for everything that is passed on, evenly from 0 to half of this in
    /// either direction.
    pub jitter_us: u32,
}

impl Default for RedisSettings {
    fn default() -> Self {
        RedisSettings {
            connect_timeout_s: 1.0,
            response_timeout_s: 5.0,
            checkout_timeout_s: 5.0,
            rtt_us: 0,
            jitter_us: 0,
        }
    }
}

/// `[repeat]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Repeat {
    /// Blocks per cell. Verdicts need at least 6, more where there are many contrasts, and 10 to be worth much.
    pub blocks: u32,
    /// Blocks of a cell whose primary contrast is still unknown for noise, or for their number, after `blocks`. Declared beforehand, because
    /// looking twice has its price: all intervals are 97 % ones.
    pub extend_to: Option<u32>,
    /// Differences inside it do not matter: 0.03 is 3 %.
    pub margin: f64,
}

impl Repeat {
    /// The most blocks that a cell can get.
    #[must_use]
    pub fn blocks_max(&self) -> u32 {
        self.extend_to.unwrap_or(self.blocks)
    }
}

impl Default for Repeat {
    fn default() -> Self {
        Repeat { blocks: 10, extend_to: None, margin: 0.03 }
    }
}
