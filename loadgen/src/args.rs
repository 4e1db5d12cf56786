//! The command line, and how its flags become a plan.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use common::plan::{Cell, Engine, Plan, PlanError};
use toml::{Table, Value};

use crate::aa;
use crate::error::Refused;
use crate::handicap::Handicap;
use crate::placement::{Pin, Scheduling, Started};
use crate::proxy;

/// Sends open-loop load to Redis-backed workers and measures what they make of it.
#[derive(Debug, Parser)]
#[command(
    name = "loadgen",
    version,
    about,
    after_help = "Exit codes: 0 ok (bench: every planned block is complete), 1 internal error, 2 usage, a refused plan or no \
                  usable Redis server, 3 overloaded, 4 invalid (bench: a block stayed void; search: a trial stayed invalid), \
                  5 inconclusive (bench: 3 and 5 only with --require ok; calibrate: no rate passed for some engine; search: a \
                  variant has no rate, or fails most longer runs at it; warmup: load.warmup_s is too short, or a variant does \
                  not become steady), 130 interrupted by Ctrl-C or SIGTERM. A second Ctrl-C kills what is left of a \
                  run."
)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs all blocks of a plan and compares its variants
    Bench(Bench),
    /// One ad hoc run from flags
    Run(Run),
    /// Measures how many tasks a second generator and transport can do on this host, and keeps it
    Calibrate(Calibrate),
    /// Measures how long the variants of a plan take to become steady: what load.warmup_s has to be
    Warmup(Warmup),
    /// A plan of many cells: a few blocks everywhere, and as many as a verdict needs where the winner changes
    Sweep(Sweep),
    /// Searches for the rate at which half of short trials keep up, for each variant, and their ratio; in a sweep, how much is enough
    Search(Search),
    /// Shows the arrivals of a plan: how many, when, how they follow each other. Starts nothing
    Arrivals(Arrivals),
    /// The network distance of a run; loadgen starts it by itself
    #[command(hide = true)]
    Proxy(proxy::Options),
}

/// Flags of every command that starts something.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Where everything is written [default: results/<time>-<plan>, with -search or -sweep behind it where it is one]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Overrides a key of the plan, such as load.duration_s=10; KEY= alone removes it (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// A Redis server to use instead of private ones; only its selected database is touched
    #[arg(long, value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,
    /// Allows that database to be flushed when it is not empty
    #[arg(long)]
    pub flush: bool,
    /// Seed of everything random (load.seed)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Which CPUs processes run on: auto (their own, where there are at least four), none, or sets such as
    /// loadgen=0/redis=1/dynos=2-3 (proxy= where there is a distance)
    #[arg(long, value_name = "WHAT", default_value = "auto")]
    pub pin: Pin,
    /// How processes share CPUs
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub scheduling: Scheduling,
    /// Shows the run on a screen of the terminal (default where stderr is one)
    #[arg(long, overrides_with = "no_live")]
    pub live: bool,
    /// Plain lines instead of the screen (default where stderr is no terminal)
    #[arg(long, overrides_with = "live")]
    pub no_live: bool,
    /// What to do when a worker's backlog reaches the limit (workers.on_overload)
    #[arg(long, value_name = "WHAT", value_parser = ["stop", "continue"])]
    pub on_overload: Option<String>,
    /// Runs what is refused because loadgen itself would be too busy; the reports show it
    #[arg(long)]
    pub force: bool,
}

impl Common {
    /// What loadgen starts by itself; `dynos`: those, too; `proxy`: and a delay proxy.
    #[must_use]
    pub fn started(&self, dynos: bool, proxy: bool) -> Started {
        Started { redis: self.redis_url.is_none(), dynos, proxy }
    }

    /// Whether a screen is asked for; `None`: where there is a terminal.
    #[must_use]
    pub fn live(&self) -> Option<bool> {
        (self.live || self.no_live).then_some(self.live)
    }

    /// The flags that a bench has to be given again when it is resumed, each after a space; what is in the plan is not among
    /// them, and an address is not repeated, for it may hold a password.
    #[must_use]
    pub fn repeated(&self) -> String {
        let mut flags = String::new();
        if self.pin != Pin::Auto {
            flags.push_str(&format!(" --pin {}", self.pin));
        }
        if let Some(scheduling) = self.scheduling.to_possible_value().filter(|_| self.scheduling != Scheduling::Auto) {
            flags.push_str(&format!(" --scheduling {}", scheduling.get_name()));
        }
        if self.force {
            flags.push_str(" --force");
        }
        if self.redis_url.is_some() {
            flags.push_str(" --redis-url URL --flush");
        }
        flags
    }

    /// `--set` and the flags that are short for one.
    #[must_use]
    pub fn sets(&self) -> Vec<String> {
        let mut sets = self.set.clone();
        sets.extend(self.seed.map(|seed| format!("load.seed={seed}")));
        sets.extend(self.on_overload.as_ref().map(|what| format!("workers.on_overload=\"{what}\"")));
        sets
    }
}

/// One word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// `loadgen bench`
#[derive(Debug, Args)]
pub struct Bench {
    /// The plan, such as plans/default.toml
    pub plan: PathBuf,
    /// Makes other verdicts than this one an error: exit code 3 (overloaded) or 5 (inconclusive)
    #[arg(long, value_name = "VERDICT", value_parser = ["ok"])]
    pub require: Option<String>,
    /// Goes on with the bench in --out: blocks that are complete there are not run again
    #[arg(long)]
    pub resume: bool,
    /// Makes every task of a variant burn so many microseconds of CPU more: a self-test, `synthetic` tasks only
    #[arg(long, value_name = "NAME=US", hide = true)]
    pub handicap: Option<Handicap>,
    /// A/A: the plan's baseline, or the variant named after =, against itself, to see what the instrument makes of nothing; kept
    /// for the verdicts of this host
    #[arg(long, value_name = "VARIANT", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub aa: Option<String>,
    /// So many A/A benches, of the plan's variants in turn, each with a seed of its own; those that this host has had are left out
    #[arg(long, value_name = "N", default_value_t = 1, requires = "aa", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub benches: u32,
    /// Flags of every command
    #[command(flatten)]
    pub common: Common,
}

impl Bench {
    /// The command that goes on with it, in `directory`.
    #[must_use]
    pub fn to_go_on(&self, directory: &Path) -> String {
        let (plan, directory) = (directory.join("plan.toml"), quoted(&directory.to_string_lossy()));
        let handicap = self.handicap.as_ref().map(|handicap| format!(" --handicap {handicap}")).unwrap_or_default();
        let (plan, flags) = (quoted(&plan.to_string_lossy()), self.common.repeated());
        format!("loadgen bench {plan} --out {directory} --resume{flags}{handicap}")
    }

    /// The plans of all benches that are asked for: this one, or those of its A/A.
    ///
    /// # Errors
    /// The plan has no variant of the name that `--aa` gives.
    pub fn plans(&self, plan: Plan) -> Result<Vec<Plan>, PlanError> {
        match &self.aa {
            Some(variant) => aa::plans(&plan, Some(variant.as_str()).filter(|name| !name.is_empty()), self.benches),
            None => Ok(vec![plan]),
        }
    }
}

/// `loadgen sweep`
#[derive(Debug, Args)]
pub struct Sweep {
    /// The plan, such as plans/job-slots.toml
    pub plan: PathBuf,
    /// Goes on with the sweep in --out
    #[arg(long)]
    pub resume: bool,
    /// Flags of every command
    #[command(flatten)]
    pub common: Common,
}

impl Sweep {
    /// The command that goes on with it, in `directory`.
    #[must_use]
    pub fn to_go_on(&self, directory: &Path) -> String {
        let sets: String = self.common.sets().iter().map(|set| format!(" --set {}", quoted(set))).collect();
        let (plan, directory) = (quoted(&self.plan.to_string_lossy()), quoted(&directory.to_string_lossy()));
        format!("loadgen sweep {plan} --out {directory} --resume{sets}{}", self.common.repeated())
    }

    /// As for its benches.
    #[must_use]
    pub fn bench(&self) -> Bench {
        Bench {
            plan: self.plan.clone(),
            require: None,
            resume: self.resume,
            handicap: None,
            aa: None,
            benches: 1,
            common: self.common.clone(),
        }
    }
}

/// `loadgen search`
#[derive(Debug, Args)]
pub struct Search {
    /// The plan, such as plans/default.toml; its rate is where the search begins, and a swept key makes a search for each value
    pub plan: PathBuf,
    /// Searches of each variant; their ratio has an interval from six on
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub searches: u32,
    /// Seconds of a trial; up to ten times as long where slo.response_p99_ms needs more tasks
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = parse_positive)]
    pub trial_s: f64,
    /// Flags of every command
    #[command(flatten)]
    pub common: Common,
}

/// `loadgen run`
#[derive(Debug, Args)]
pub struct Run {
    /// threaded or async
    #[arg(long, value_parser = parse_engine)]
    pub engine: Engine,
    /// document, replay (its bytes, encoded beforehand), synthetic (--set task.cpu_us, task.sleep_ms, task.redis_round_trips,
    /// task.permits), job, order (these two wait in Redis) or null
    #[arg(long, default_value = "document")]
    pub task: String,
    /// Workers of each dyno
    #[arg(long, default_value_t = 28)]
    pub workers: u32,
    /// Tasks a second, over all dynos
    #[arg(long, allow_negative_numbers = true)]
    pub rate: f64,
    /// Seconds of the window
    #[arg(long, default_value_t = 10.0, allow_negative_numbers = true)]
    pub duration: f64,
    /// Seconds of warm-up before it
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    pub warmup: f64,
    /// constant or poisson; the others of --set load.arrivals have keys of their own
    #[arg(long, default_value = "poisson")]
    pub arrivals: String,
    /// own, pool or shared
    #[arg(long, default_value = "pool")]
    pub connections: String,
    /// Connections of each dyno [default: 28, or 1 when shared]
    #[arg(long)]
    pub pool_size: Option<u32>,
    /// Worker processes
    #[arg(long, default_value_t = 1)]
    pub dynos: u32,
    /// Waits here for dynos started by hand with --connect, instead of starting them
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Tasks that may wait at a worker
    #[arg(long, default_value_t = 100)]
    pub backlog_max: u32,
    /// round-robin or random
    #[arg(long, default_value = "round-robin")]
    pub choice: String,
    /// fifo or lifo
    #[arg(long, default_value = "fifo")]
    pub order: String,
    /// Most flats in a document
    #[arg(long, default_value_t = 100)]
    pub list_max: u32,
    /// Kilobytes of text in a mail
    #[arg(long, default_value_t = 5.0, allow_negative_numbers = true)]
    pub payload_kb: f64,
    /// Documents grow from nothing instead of being prefilled
    #[arg(long)]
    pub grow: bool,
    /// Flags of every command
    #[command(flatten)]
    pub common: Common,
}

/// `loadgen calibrate`
#[derive(Debug, Args)]
pub struct Calibrate {
    /// threaded or async [default: both]
    #[arg(long, value_parser = parse_engine)]
    pub engine: Option<Engine>,
    /// Highest rate that is tried, tasks a second
    #[arg(long, value_name = "RATE", default_value_t = 1e6, value_parser = parse_positive)]
    pub max_rate: f64,
    /// Seconds of the window of a trial
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = parse_positive)]
    pub trial_s: f64,
    /// Rates at which lateness and CPU are looked at, as far as they are below the ceiling
    #[arg(long, value_name = "RATES", value_delimiter = ',', default_value = "1000,10000,50000", value_parser = parse_positive)]
    pub rates: Vec<f64>,
    /// Flags of every command
    #[command(flatten)]
    pub common: Common,
}

/// `loadgen warmup`
#[derive(Debug, Args)]
pub struct Warmup {
    /// The plan, such as plans/default.toml
    pub plan: PathBuf,
    /// Which cell, counted from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub cell: u32,
    /// Seconds of the probe of a variant
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = parse_positive)]
    pub probe_s: f64,
    /// Flags of every command
    #[command(flatten)]
    pub common: Common,
}

fn parse_positive(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|value: &f64| value.is_finite() && *value > 0.0)
        .ok_or_else(|| "a number above 0".to_owned())
}

fn parse_engine(text: &str) -> Result<Engine, String> {
    match text {
        "threaded" => Ok(Engine::Threaded),
        "async" => Ok(Engine::Async),
        _ => Err("threaded or async".to_owned()),
    }
}

/// `loadgen arrivals`
#[derive(Debug, Args)]
pub struct Arrivals {
    /// The plan, such as plans/default.toml
    pub plan: PathBuf,
    /// Overrides a key of the plan, such as load.arrivals=constant; KEY= alone removes it (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Seed of everything random (load.seed)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// One cell, counted from 0 [default: all, if they are few]
    #[arg(long, value_name = "N")]
    pub cell: Option<u32>,
    /// Of which block, counted from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub block: u32,
    /// Writes every arrival of a cell into this file; - for standard output, instead of everything else
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

impl Arrivals {
    /// `--set` and the flag that is short for one.
    #[must_use]
    pub fn sets(&self) -> Vec<String> {
        let mut sets = self.set.clone();
        sets.extend(self.seed.map(|seed| format!("load.seed={seed}")));
        sets
    }
}

impl Run {
    /// The plan that these flags mean, as TOML: `loadgen run` is a bench of one run.
    #[must_use]
    pub fn plan(&self) -> String {
        let table = |pairs: Vec<(&str, Value)>| {
            Value::Table(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        };
        let text = |text: &str| Value::String(text.to_owned());
        let number = |number: u32| Value::Integer(i64::from(number));
        let engine = self.engine.to_string();
        let mut variant =
            vec![("name", text(&engine)), ("engine", text(&engine)), ("connections", text(&self.connections))];
        variant.extend(self.pool_size.map(|size| ("pool_size", number(size))));
        let mut plan = Table::new();
        let mut add = |key: &str, value: Value| plan.insert(key.to_owned(), value);
        add("name", text("run"));
        add(
            "task",
            table(vec![
                ("kind", text(&self.task)),
                ("list_max", number(self.list_max)),
                ("payload_kb", Value::Float(self.payload_kb)),
                ("prefill", Value::Boolean(!self.grow)),
            ]),
        );
        add(
            "load",
            table(vec![
                ("rate_per_s", Value::Float(self.rate)),
                ("arrivals", text(&self.arrivals)),
                ("duration_s", Value::Float(self.duration)),
                ("warmup_s", Value::Float(self.warmup)),
            ]),
        );
        add(
            "workers",
            table(vec![
                ("count", number(self.workers)),
                ("dynos", number(self.dynos)),
                ("backlog_max", number(self.backlog_max)),
                ("choice", text(&self.choice)),
                ("order", text(&self.order)),
            ]),
        );
        add("repeat", table(vec![("blocks", number(1))]));
        add("variant", Value::Array(vec![table(variant)]));
        plan.to_string()
    }
}

/// Reads the plan in the file `path`, with `sets` (see [`Plan::parse`]) and the traces that it names, beside it.
///
/// # Errors
/// A file that cannot be read, or [`PlanError`]; the message names it and says what would do.
pub fn read_plan(path: &Path, sets: &[String]) -> anyhow::Result<Plan> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Refused(format!("{}: {error}; give a plan such as plans/default.toml", path.display())))?;
    let directory = path.parent().unwrap_or(Path::new(""));
    parse_plan(&text, sets, directory).with_context(|| path.display().to_string())
}

/// Cell `number` of `plan`, which `--cell` asks for.
///
/// # Errors
/// A cell that the plan does not have.
pub fn cell(plan: &Plan, number: u32) -> Result<&Cell, Refused> {
    let outside = || Refused(format!("--cell {number}: the plan has {} cells, counted from 0", plan.cells.len()));
    plan.cells.iter().find(|cell| cell.index == number).ok_or_else(outside)
}

/// Parses a plan whose traces lie below `directory`.
///
/// # Errors
/// As above.
pub fn parse_plan(text: &str, sets: &[String], directory: &Path) -> Result<Plan, PlanError> {
    let mut read = |file: &str| {
        let path = directory.join(file);
        std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}; name a file that lies beside the plan", path.display()))
    };
    Plan::parse_with(text, sets, &mut read)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Sweep, quoted};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        sweep: Sweep,
    }

    #[test]
    fn what_goes_on_with_a_sweep_can_be_pasted() {
        assert_eq!(["a-b/c.toml", "a b", "it's", ""].map(quoted), ["a-b/c.toml", "'a b'", r"'it'\''s'", "''"]);
        let line = ["sweep", "plans/a b.toml", "--set", "task.kind='job'", "--set", "workers.count=[1, 2]", "--force"];
        let sweep = Line::parse_from(line).sweep;
        assert_eq!(
            sweep.to_go_on("results/x".as_ref()),
            r"loadgen sweep 'plans/a b.toml' --out results/x --resume --set 'task.kind='\''job'\''' --set 'workers.count=[1, 2]' --force"
        );
    }
}
