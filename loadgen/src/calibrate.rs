//! `loadgen calibrate`: how many tasks a second generator and transport can do, and what pacing costs.
//!
//! Null tasks are the whole path without the work: generator, socket, intake, hand-over, worker, recorder. There are two
//! workers per CPU: enough for every CPU to have one that runs and one that is being woken, and few enough for what a
//! machine can wake to be no part of the question. Arrivals are Poisson, as plans have them: they come in clusters, which
//! is harder than a constant rate.

use std::path::Path;
use std::time::Duration;

use analysis::tables::grid;
use common::plan::{Engine, Plan};
use common::report::calibration::{Calibration, CalibrationKind, EngineCalibration, Trial, TrialPurpose};
use common::report::{AtRate, Ceiling, Ended, Host, Run, SCHEMA_VERSION, Severity};
use toml::{Table, Value};

use crate::args;
use crate::ceiling::Ceilings;
use crate::dynos::Origin;
use crate::error::{Interrupted, Refused};
use crate::placement::Placement;
use crate::progress::Progress;
use crate::run::{self, Spec};
use crate::server::Source;
use crate::signals::Interrupt;
use crate::{bench, calibrate::search::Range};

mod search;

/// The search begins here, or at the highest rate if that is lower.
const MIN_RATE: f64 = 5000.0;
const WORKERS_PER_CPU: u32 = 2;
/// A worker's limit: what grows is seen by its slope, and a CPU that others take for some milliseconds trips no limit.
const BACKLOG_MAX: i64 = 100_000;
const WARMUP_S: f64 = 0.5;
/// A backlog that grows by more than this part of the rate is one that does not end.
const SLOPE_SHARE_MAX: f64 = 0.02;
/// Trials of an engine, as a guess for the time left.
const TRIALS: u32 = 16;
/// What a trial takes besides its window.
const OVERHEAD: Duration = Duration::from_millis(1500);

/// What all trials share.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// Which server: null tasks ask it nothing, and it is there as in every run.
    pub source: &'a Source,
    /// Where processes run.
    pub placement: &'a Placement,
    /// Ctrl-C.
    pub interrupt: &'a Interrupt,
    /// For the servers' logs.
    pub directory: &'a Path,
}

/// Measures one engine after the other.
///
/// # Errors
/// What kept a trial from being made; [`Interrupted`].
pub fn calibrate(args: &args::Calibrate, site: &Site<'_>, progress: &mut Progress) -> anyhow::Result<Calibration> {
    // What a trial sends is what the ceiling is about.
    if let Some(set) = args.common.set.first() {
        return Err(Refused(format!("calibrate --set {set}: its tasks are its own; leave it out")).into());
    }
    let engines = args.engine.map_or_else(|| vec![Engine::Threaded, Engine::Async], |engine| vec![engine]);
    let expected = TRIALS * engines.len() as u32;
    let mut calibrator = Calibrator { args, site, progress, expected, trials: 0, host: None };
    let engines = engines.into_iter().map(|engine| calibrator.engine(engine)).collect::<anyhow::Result<_>>()?;
    Ok(Calibration {
        kind: CalibrationKind::Calibration,
        schema_version: SCHEMA_VERSION,
        host: calibrator.host.ok_or_else(|| anyhow::anyhow!("no trial was made"))?,
        workers: workers(site.placement),
        trial_s: args.trial_s,
        engines,
    })
}

fn workers(placement: &Placement) -> u32 {
    placement.cpus() * WORKERS_PER_CPU
}

struct Calibrator<'a> {
    args: &'a args::Calibrate,
    site: &'a Site<'a>,
    progress: &'a mut Progress,
    /// Trials, for the time left.
    expected: u32,
    trials: u32,
    host: Option<Host>,
}

impl Calibrator<'_> {
    fn engine(&mut self, engine: Engine) -> anyhow::Result<EngineCalibration> {
        let mut trials = Vec::new();
        let range = Range { min: MIN_RATE.min(self.args.max_rate), max: self.args.max_rate };
        let found = search::ceiling(range, |purpose, rate| {
            let trial = self.trial(engine, purpose, rate)?.0;
            let passed = trial.passed;
            trials.push(trial);
            Ok::<bool, anyhow::Error>(passed)
        })?;
        let Some(ceiling_per_s) = found else {
            return Ok(EngineCalibration { engine, ceiling: None, trials });
        };
        let mut at = Vec::new();
        let mut latest = None;
        for &rate in self.args.rates.iter().filter(|&&rate| rate <= ceiling_per_s) {
            let (trial, run) = self.trial(engine, TrialPurpose::Cost, rate)?;
            if trial.passed {
                at.push(at_rate(rate, &run));
            }
            trials.push(trial);
            latest = Some(run);
        }
        let latest = match latest {
            Some(run) => run,
            None => self.trial(engine, TrialPurpose::Confirm, ceiling_per_s)?.1,
        };
        let ceiling = Ceiling {
            engine,
            ceiling_per_s,
            at_least: trials.iter().all(|trial: &Trial| trial.rate_per_s <= ceiling_per_s),
            at,
            measured_at: latest.started_at,
            build: format!("{}; {}", latest.versions.loadgen, latest.versions.workers),
            scheduling: latest.host.scheduling,
            pacer_priority: latest.host.pacer_priority,
        };
        Ok(EngineCalibration { engine, ceiling: Some(ceiling), trials })
    }

    fn trial(&mut self, engine: Engine, purpose: TrialPurpose, rate_per_s: f64) -> anyhow::Result<(Trial, Run)> {
        self.site.interrupt.check()?;
        let args = self.args;
        let text = plan(engine, rate_per_s, args.trial_s, workers(self.site.placement));
        let plan = Plan::parse(&text, &args.common.sets())?;
        let ([cell], [variant]) = (plan.cells.as_slice(), plan.variants.as_slice()) else {
            anyhow::bail!("a trial is one run");
        };
        bench::admit(&plan, self.site.source)?;
        let seed = common::random::block_seed(cell.settings.load.seed, 0, self.trials);
        let spec = Spec { plan: &plan, cell, variant, block: self.trials, position: 0, attempt: 0, seed };
        let site = run::Site {
            source: self.site.source,
            dynos: Origin::Spawned { padding: 0 },
            directory: self.site.directory,
            interrupt: self.site.interrupt,
            placement: self.site.placement,
            rounds_per_us: 0.0,
            // What is being measured is held against nothing.
            ceilings: &Ceilings::default(),
            handicap: None,
        };
        self.trials += 1;
        let one = Duration::from_secs_f64(args.trial_s + WARMUP_S) + OVERHEAD;
        let left = one * (self.expected.saturating_sub(self.trials) + 1);
        let what = format!("{engine} {rate_per_s:.0}/s");
        self.progress.begin(self.trials, self.expected.max(self.trials), &what, left);
        let run = run::run(&spec, &site, self.progress)?.report;
        if run.ended == Ended::Interrupted {
            return Err(Interrupted.into());
        }
        let verdict = passes(&run);
        let trial = Trial {
            purpose,
            rate_per_s,
            passed: verdict.is_ok(),
            reason: verdict.err().unwrap_or_default(),
            lateness_p99_us: run.latency_us.lateness.p99,
            cpu_us_per_task: run.resources.loadgen.cpu_us_per_task,
        };
        self.progress.end(&if trial.passed { "passed".to_owned() } else { format!("failed: {}", trial.reason) });
        self.host = Some(run.host.clone());
        Ok((trial, run))
    }
}

fn at_rate(rate_per_s: f64, run: &Run) -> AtRate {
    let lateness = &run.latency_us.lateness;
    AtRate {
        rate_per_s,
        lateness_p50_us: lateness.p50,
        lateness_p90_us: lateness.p90,
        lateness_p99_us: lateness.p99,
        lateness_max_us: lateness.max,
        cpu_us_per_task: run.resources.loadgen.cpu_us_per_task,
    }
}

/// Whether everything was sent on time and ended in time; else why not.
fn passes(run: &Run) -> Result<(), String> {
    if run.ended != Ended::Complete {
        return Err(run.verdict.reason.clone());
    }
    let mut broken = run.validity.checks.iter().filter(|check| !check.ok && check.severity == Severity::Invalid);
    if let Some(check) = broken.next() {
        return Err(format!("{}: {}", check.name, check.remedy));
    }
    let counts = &run.counts;
    if counts.completed < counts.planned {
        return Err(format!("{} of {} tasks completed", counts.completed, counts.planned));
    }
    let settings = &run.plan.settings;
    match (run.backlog.slope_per_s, run.backlog.drain_ms) {
        (Some(slope), _) if slope > SLOPE_SHARE_MAX * settings.load.mean_rate_per_s() => {
            Err(format!("the backlog grew by {slope:.0} a second"))
        }
        (_, Some(drain_ms)) if drain_ms <= settings.slo.drain_within_s * 1e3 => Ok(()),
        _ => Err("what was sent did not end in time".to_owned()),
    }
}

/// The plan of a trial.
fn plan(engine: Engine, rate_per_s: f64, trial_s: f64, workers: u32) -> String {
    let table = |pairs: &[(&str, Value)]| {
        Value::Table(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
    };
    let engine = Value::String(engine.to_string());
    let text = |text: &str| Value::String(text.to_owned());
    let mut plan = Table::new();
    plan.insert("name".to_owned(), text("calibration"));
    plan.insert("task".to_owned(), table(&[("kind", text("null"))]));
    let load = table(&[
        ("rate_per_s", Value::Float(rate_per_s)),
        ("arrivals", text("poisson")),
        ("duration_s", Value::Float(trial_s)),
        ("warmup_s", Value::Float(WARMUP_S)),
    ]);
    plan.insert("load".to_owned(), load);
    let workers = table(&[("count", Value::Integer(i64::from(workers))), ("backlog_max", Value::Integer(BACKLOG_MAX))]);
    plan.insert("workers".to_owned(), workers);
    plan.insert("repeat".to_owned(), table(&[("blocks", Value::Integer(1))]));
    let variant = table(&[("name", engine.clone()), ("engine", engine), ("connections", text("own"))]);
    plan.insert("variant".to_owned(), Value::Array(vec![variant]));
    plan.to_string()
}

/// What was found, for a terminal.
#[must_use]
pub fn table(calibration: &Calibration) -> String {
    let us = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |us| format!("{us:.1}"));
    let mut text = String::new();
    for engine in &calibration.engines {
        let Some(ceiling) = &engine.ceiling else {
            let reason =
                engine.trials.iter().rev().map(|trial| trial.reason.as_str()).find(|reason| !reason.is_empty());
            let reason = reason.unwrap_or("nothing was tried");
            text.push_str(&format!("{} engine: no rate passed twice: {reason}\n", engine.engine));
            continue;
        };
        let (at_least, plans) = match ceiling.at_least {
            true => ("at least ", "no higher rate was tried"),
            false => ("", "plans may ask for half"),
        };
        text.push_str(&format!(
            "{} engine: {at_least}{:.0} tasks a second to {} null workers; {plans}\n",
            ceiling.engine, ceiling.ceiling_per_s, calibration.workers
        ));
        let rows = ceiling.at.iter().map(|at| {
            vec![
                format!("{:.0}", at.rate_per_s),
                us(at.lateness_p50_us),
                us(at.lateness_p90_us),
                us(at.lateness_p99_us),
                us(at.lateness_max_us),
                us(at.cpu_us_per_task),
            ]
        });
        let header = ["tasks/s", "lateness p50 us", "p90", "p99", "max", "CPU us a task"];
        text.push_str(&format!("{}\n", grid(&header, rows.collect())));
    }
    text
}

#[cfg(test)]
mod tests {
    use common::plan::{Engine, Plan};

    #[test]
    fn a_trial_is_a_valid_plan_of_one_run() {
        for engine in [Engine::Threaded, Engine::Async] {
            let plan = Plan::parse(&super::plan(engine, 12_345.0, 2.0, 4), &[]).unwrap();
            assert_eq!((plan.cells.len(), plan.variants.len()), (1, 1));
            assert_eq!(plan.cells[0].settings.load.rate_per_s, Some(12_345.0));
            assert_eq!(plan.variants[0].engine, engine);
        }
    }
}
