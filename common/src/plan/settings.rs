//! The tables of a plan that describe the work and the load, with their defaults and limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlanError;

/// Everything a run needs to know besides its variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// `[task]`
    pub task: Task,
    /// `[load]`
    pub load: Load,
    /// `[workers]`
    pub workers: Workers,
    /// `[slo]`
    #[serde(default)]
    pub slo: Slo,
    /// `[redis]`
    #[serde(default)]
    pub redis: RedisSettings,
}

/// What one unit of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Fetch a document, add a mail to it, save it, ping.
    Document,
    /// Nothing at all: measures the generator and the transport.
    Null,
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

    /// Characters of text in a mail.
    #[must_use]
    pub fn text_chars(&self) -> usize {
        (self.payload_kb * 1024.0).round() as usize
    }
}

/// How intended instants are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArrivalProcess {
    /// Evenly spaced.
    Constant,
    /// Independent of each other, given their number.
    Poisson,
}

/// `[load]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Tasks a second, over all dynos.
    pub rate_per_s: f64,
    /// Process of the arrivals.
    #[serde(default = "Load::default_arrivals")]
    pub arrivals: ArrivalProcess,
    /// Length of the window.
    pub duration_s: f64,
    /// Length of the warm-up before it, at the same rate.
    #[serde(default = "Load::default_warmup_s")]
    pub warmup_s: f64,
    /// Longest wait after the last arrival for tasks to end; what has not ended by then is `unfinished`.
    #[serde(default = "Load::default_drain_s")]
    pub drain_s: f64,
    /// Seed of everything random.
    #[serde(default = "Load::default_seed")]
    pub seed: u64,
}

impl Load {
    fn default_arrivals() -> ArrivalProcess {
        ArrivalProcess::Poisson
    }
    fn default_warmup_s() -> f64 {
        1.0
    }
    fn default_drain_s() -> f64 {
        10.0
    }
    fn default_seed() -> u64 {
        1
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
}

impl Default for RedisSettings {
    fn default() -> Self {
        RedisSettings { connect_timeout_s: 1.0, response_timeout_s: 5.0, checkout_timeout_s: 5.0 }
    }
}

/// `[repeat]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Repeat {
    /// Blocks per cell. Verdicts need at least 6, and 10 to be worth much.
    pub blocks: u32,
    /// Differences inside it do not matter: 0.03 is 3 %.
    pub margin: f64,
}

impl Default for Repeat {
    fn default() -> Self {
        Repeat { blocks: 10, margin: 0.03 }
    }
}

/// `[published]`: what a write-up reported for this load; `[[published]]` once per dyno where there are several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Who, and on what.
    pub source: String,
    /// Name of the dyno, where there are several.
    pub dyno: Option<String>,
    /// As the write-up calls it.
    pub result: String,
    /// Tasks sent.
    pub sent: Option<u64>,
    /// Tasks completed.
    pub completed: Option<u64>,
    /// Seconds until success or failure.
    pub uptime_s: Option<f64>,
    /// Tasks a second that were really sent after the warm-up; a lower bound in failed runs.
    pub real_per_s: Option<f64>,
    /// Mean of a task (service), milliseconds.
    pub task_ms: Option<f64>,
    /// Mean of its fetch.
    pub fetch_ms: Option<f64>,
    /// Mean of its save.
    pub save_ms: Option<f64>,
    /// Mean of its ping.
    pub ping_ms: Option<f64>,
}

/// Bounds that no machine exceeds and that keep arithmetic exact.
const RATE_MAX: f64 = 10_000_000.0;
const TASKS_MAX: f64 = 100_000_000.0;
const WORKERS_MAX: u32 = 1_000_000;

impl Repeat {
    pub(super) fn validate(&self) -> Result<(), PlanError> {
        if !(1..=10_000).contains(&self.blocks) {
            return Err(PlanError::value("repeat.blocks", self.blocks, "1 to 10000; 10 for a verdict"));
        }
        if !(self.margin > 0.0 && self.margin < 1.0) {
            return Err(PlanError::value("repeat.margin", self.margin, "a share above 0 and below 1, such as 0.03"));
        }
        Ok(())
    }
}

impl Settings {
    /// Every value by itself and with its neighbours; the machine is not asked.
    pub(super) fn validate(&self) -> Result<(), PlanError> {
        let positive = |key: &str, value: f64, max: f64, unit: &str| {
            if value.is_finite() && value > 0.0 && value <= max {
                Ok(())
            } else {
                Err(PlanError::value(key, value, format!("{unit} above 0 and at most {max}")))
            }
        };
        let Settings { task, load, workers, slo, redis } = self;
        positive("load.rate_per_s", load.rate_per_s, RATE_MAX, "tasks a second")?;
        positive("load.duration_s", load.duration_s, 86_400.0, "seconds")?;
        positive("load.drain_s", load.drain_s, 3_600.0, "seconds")?;
        if !(load.warmup_s >= 0.0 && load.warmup_s <= 3_600.0) {
            return Err(PlanError::value("load.warmup_s", load.warmup_s, "seconds from 0 to 3600"));
        }
        let tasks = load.rate_per_s * (load.duration_s + load.warmup_s);
        if load.rate_per_s * load.duration_s < 1.0 {
            let needed = 1.0 / load.rate_per_s;
            return Err(PlanError::value(
                "load.duration_s",
                load.duration_s,
                format!("at {} tasks a second the window holds no task; at least {needed} s would do", load.rate_per_s),
            ));
        }
        if tasks > TASKS_MAX {
            return Err(PlanError::value(
                "load.rate_per_s",
                load.rate_per_s,
                format!("{tasks:.0} tasks in {} s; at most {TASKS_MAX} in a run", load.duration_s + load.warmup_s),
            ));
        }
        positive("task.payload_kb", task.payload_kb, 16_384.0, "kilobytes")?;
        if !(1..=100_000).contains(&task.list_max) {
            return Err(PlanError::value("task.list_max", task.list_max, "1 to 100000 flats"));
        }
        if !(1..=1_000).contains(&workers.dynos) {
            return Err(PlanError::value("workers.dynos", workers.dynos, "1 to 1000 processes"));
        }
        workers.validate()?;
        if let Some(p99) = slo.response_p99_ms {
            positive("slo.response_p99_ms", p99, 3_600_000.0, "milliseconds")?;
        }
        positive("slo.drain_within_s", slo.drain_within_s, 3_600.0, "seconds")?;
        positive("redis.connect_timeout_s", redis.connect_timeout_s, 3_600.0, "seconds")?;
        positive("redis.response_timeout_s", redis.response_timeout_s, 3_600.0, "seconds")?;
        positive("redis.checkout_timeout_s", redis.checkout_timeout_s, 3_600.0, "seconds")
    }
}

impl Workers {
    fn validate(&self) -> Result<(), PlanError> {
        let count = |key: &str, count: u32| match count {
            1..=WORKERS_MAX => Ok(()),
            _ => Err(PlanError::value(key, count, format!("1 to {WORKERS_MAX} workers in a dyno"))),
        };
        let backlog_max = |key: &str, limit: u32| match limit {
            0 => Err(PlanError::value(key, limit, "at least 1 waiting task")),
            _ => Ok(()),
        };
        count("workers.count", self.count)?;
        backlog_max("workers.backlog_max", self.backlog_max)?;
        for (position, one) in self.overrides.iter().enumerate() {
            if one.dyno >= self.dynos {
                let expected = format!("dynos are counted from 0 and there are {}", self.dynos);
                return Err(PlanError::value("workers.override.dyno", one.dyno, expected));
            }
            if self.overrides[..position].iter().any(|before| before.dyno == one.dyno) {
                return Err(PlanError::value("workers.override.dyno", one.dyno, "one override for a dyno, not two"));
            }
            one.count.map_or(Ok(()), |own| count("workers.override.count", own))?;
            one.backlog_max.map_or(Ok(()), |own| backlog_max("workers.override.backlog_max", own))?;
        }
        Ok(())
    }
}
