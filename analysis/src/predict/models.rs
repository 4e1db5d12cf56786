//! The models of waiting, applied to a run.

use std::collections::BTreeMap;

use common::arrivals;
use common::latency::Latency;
use common::plan::{ArrivalProcess, Choice, Settings};
use common::random::{block_seed, mix};
use common::report::comparison::SteadyState;
use common::report::prediction::{ModelPrediction, Predicted, PredictionModel};
use common::report::{Distribution, Run, RunResult};

use super::WAIT_MEAN;
use super::queue::{after_random_choice, after_turns, common_queue_wait, own_queue_wait};
use super::simulate::{Services, common_waits, waits};
use crate::format::{counted, significant};
use crate::metric::TAIL_TASKS_PRINTED;
use crate::steady::steadiness;

type Figures = BTreeMap<String, Predicted>;

/// More arrivals than this are not simulated.
const ARRIVALS_MAX: u64 = 2_000_000;
/// Short runs are simulated again, with other services, until so many tasks were, or ...
const TASKS_ENOUGH: u64 = 200_000;
/// ... so often.
const REPEATS_MAX: u64 = 20;
/// The stream of services from a block's seed: beyond all those of `common::random`.
const SERVICES: u64 = 1 << 32;

/// A run that models can be about.
pub(super) struct Subject<'a> {
    settings: &'a Settings,
    run: &'a Run,
    services: Services,
    /// Response moved within the window.
    unsteady: bool,
}

impl<'a> Subject<'a> {
    /// `run` is one of `runs`, all of one variant in a cell with `settings`; whether they are steady is asked with the error
    /// rate `alpha`.
    ///
    /// # Errors
    /// Why no model applies, in words.
    pub(super) fn of(
        settings: &'a Settings,
        run: Option<&'a Run>,
        runs: &[&Run],
        alpha: f64,
    ) -> Result<Subject<'a>, String> {
        if settings.load.is_idle() {
            return Err("nothing was asked".to_owned());
        }
        let run = run.ok_or("no valid run")?;
        match run.verdict.result {
            RunResult::Ok => {}
            RunResult::Overloaded => return Err("overloaded: waits grow as long as tasks come".to_owned()),
            other => return Err(format!("no run kept up for sure: the verdict is {other}")),
        }
        let service = &run.latency_us.service;
        let recorded = Latency::decode(&service.hdr_v2, 0).ok().filter(|recorded| recorded.n() == service.n);
        let recorded = recorded.ok_or("the report holds no histogram of service that can be read")?;
        let services = Services::of(&recorded).ok_or("no task took any time")?;
        let unsteady = steadiness(runs, alpha).is_some_and(|steady| steady.state == SteadyState::Unsteady);
        Ok(Subject { settings, run, services, unsteady })
    }

    fn rate_per_ns(&self) -> f64 {
        self.settings.load.mean_rate_per_s() / 1e9
    }

    fn service_us(&self) -> f64 {
        self.services.mean_ns() / 1e3
    }

    /// Squared coefficient of variation of the gaps between arrivals.
    ///
    /// # Errors
    /// Why formulas for a steady state say nothing.
    fn ca2(&self) -> Result<f64, String> {
        if self.unsteady {
            return Err("response moved within the window, and the formula is for a steady state".to_owned());
        }
        match self.settings.load.arrivals {
            ArrivalProcess::Poisson => Ok(1.0),
            ArrivalProcess::Constant => Ok(0.0),
            _ => Err("the rate of arrivals changes, and the formula is for one rate".to_owned()),
        }
    }

    /// What a formula for the mean wait says, microseconds.
    fn means(&self, wait_us: f64, measured: bool) -> Figures {
        let latency = &self.run.latency_us;
        // It begins before the task is in the queue.
        let batch_us = latency.batch_wait.as_ref().and_then(|wait| wait.mean).unwrap_or(0.0);
        let from_send_us = wait_us + self.service_us();
        let response_us = batch_us + from_send_us;
        let in_system = self.rate_per_ns() * 1e3 * from_send_us;
        [
            (WAIT_MEAN, wait_us, latency.queue_wait.mean),
            ("response_mean_us", response_us, latency.response.mean),
            ("in_system", in_system, self.run.little.map(|little| little.in_system)),
        ]
        .into_iter()
        .map(|(name, predicted, value)| (name.to_owned(), beside(Some(predicted), value.filter(|_| measured))))
        .collect()
    }
}

fn beside(predicted: Option<f64>, measured: Option<f64>) -> Predicted {
    let residual = predicted.zip(measured).filter(|&(_, measured)| measured > 0.0);
    Predicted { predicted, measured, residual: residual.map(|(predicted, measured)| predicted / measured - 1.0) }
}

/// Share of its time that a worker would be at a task, of the dyno with the fewest workers.
pub(super) fn utilisation(settings: &Settings, run: &Run) -> Option<f64> {
    let workers = &settings.workers;
    let rate_per_us = settings.load.mean_rate_per_s() / 1e6 / f64::from(workers.dynos);
    let fewest = (0..workers.dynos).map(|dyno| workers.count_of(dyno)).min()?;
    Some(rate_per_us * run.latency_us.service.mean? / f64::from(fewest))
}

/// Every model, each with its figures or the reason why it has none.
pub(super) fn all(settings: &Settings, subject: &Result<Subject<'_>, String>) -> Vec<ModelPrediction> {
    let of = |model, assumes: &str, predict: fn(&Subject<'_>) -> Result<Figures, String>| {
        let (figures, reason) = match subject.as_ref().map_err(Clone::clone).and_then(predict) {
            Ok(figures) => (Some(figures), String::new()),
            Err(reason) => (None, reason),
        };
        ModelPrediction { model, assumes: assumes.to_owned(), figures, reason }
    };
    let (common, own) = if settings.queue.is_some() {
        (
            "a steady state; services vary as they did in this run and depend on nothing; tasks come one by one; claiming and \
             settling take no time",
            "whoever is free claims the oldest, as soon as its batch is there; each service is drawn from all of this run's, \
             whatever else goes on; claiming and settling take no time",
        )
    } else {
        (
            "as queue-per-worker, but all workers take from one queue, which is not what was measured: the difference is what \
             backlogs of their own cost",
            "the run's own arrivals, workers, choice and order; each service is drawn from all of this run's, whatever else goes \
             on; handing a task over takes no time",
        )
    };
    vec![
        of(
            PredictionModel::QueuePerWorker,
            "a steady state; services vary as they did in this run and depend on nothing; handing a task over takes no time",
            queue_per_worker,
        ),
        of(PredictionModel::CommonQueue, common, common_queue),
        of(PredictionModel::Simulation, own, simulation),
    ]
}

/// A formula for every dyno, whose workers are all alike; dynos get tasks in turn, so that their means weigh the same.
fn queue_per_worker(subject: &Subject<'_>) -> Result<Figures, String> {
    if subject.settings.queue.is_some() {
        return Err("tasks wait in one queue for all workers".to_owned());
    }
    unless_permits(subject)?;
    let workers = &subject.settings.workers;
    let of_dyno = after_turns(subject.ca2()?, workers.dynos);
    let mut sum_us = 0.0;
    for dyno in 0..workers.dynos {
        let count = workers.count_of(dyno);
        let ca2 = match workers.choice {
            Choice::RoundRobin => after_turns(of_dyno, count),
            Choice::Random => after_random_choice(of_dyno, count),
        };
        let rho = subject.rate_per_ns() * subject.services.mean_ns() / f64::from(workers.dynos) / f64::from(count);
        sum_us += own_queue_wait(rho, subject.service_us(), ca2, subject.services.cv2()).ok_or_else(|| grows(rho))?;
    }
    Ok(subject.means(sum_us / f64::from(workers.dynos), true))
}

fn common_queue(subject: &Subject<'_>) -> Result<Figures, String> {
    unless_permits(subject)?;
    let workers = subject.settings.workers.total();
    let load = subject.rate_per_ns() * subject.services.mean_ns();
    let wait_us = common_queue_wait(workers, load, subject.service_us(), subject.ca2()?, subject.services.cv2());
    let measured = subject.settings.queue.is_some();
    Ok(subject.means(wait_us.ok_or_else(|| grows(load / f64::from(workers)))?, measured))
}

/// Whoever waits for a permit does so within its service, and a model of workers says nothing of it.
fn unless_permits(subject: &Subject<'_>) -> Result<(), String> {
    match subject.settings.awaited_permits() {
        Some(permits) => Err(format!("tasks wait for {permits} permits, and not for workers")),
        None => Ok(()),
    }
}

fn grows(utilisation: f64) -> String {
    format!("workers would be busy for {} of their time: there is no steady state", significant(utilisation, 3))
}

fn simulation(subject: &Subject<'_>) -> Result<Figures, String> {
    let Subject { settings, run, services, .. } = subject;
    unless_permits(subject)?;
    let planned = settings.load.planned() + settings.load.warmup_planned();
    if planned > ARRIVALS_MAX {
        return Err(format!("{}; at most {ARRIVALS_MAX} are simulated", counted(planned, "arrival")));
    }
    let seed = block_seed(settings.load.seed, run.cell.index, run.block);
    let schedule = arrivals::schedule(settings, seed);
    if schedule.hash() != run.arrivals_hash {
        return Err("plan and seed do not give the arrivals of the run: another version of Headroom made it".to_owned());
    }
    let tasks = (schedule.arrivals.len() - schedule.warmup) as u64;
    let (mut queue_wait, mut response) = (Latency::new(), Latency::new());
    for repeat in 0..(TASKS_ENOUGH / tasks.max(1)).clamp(1, REPEATS_MAX) {
        let seed = mix(mix(seed, SERVICES), repeat);
        let service_ns = |task| services.draw(seed, task);
        let waits = match settings.queue {
            Some(_) => common_waits(schedule.dues_ns(), settings.workers.total(), service_ns),
            None => waits(&schedule, &settings.workers, service_ns),
        };
        for (task, &wait_ns) in waits.iter().enumerate().skip(schedule.warmup) {
            let batch_ns = schedule.due_ns(task).unwrap_or(0) - schedule.arrivals[task].intended_ns;
            queue_wait.record(wait_ns);
            response.record((batch_ns + wait_ns).saturating_add(service_ns(task)));
        }
    }
    let mut figures = Figures::new();
    for (name, simulated, measured) in
        [("queue_wait", queue_wait, &run.latency_us.queue_wait), ("response", response, &run.latency_us.response)]
    {
        figures.extend(distribution(name, &simulated, measured));
    }
    Ok(figures)
}

/// Mean and percentiles, microseconds; of percentiles only those beyond which enough tasks of the run lie.
fn distribution(name: &str, simulated: &Latency, measured: &Distribution) -> impl Iterator<Item = (String, Predicted)> {
    let us = |ns: u64| ns as f64 / 1e3;
    let percentiles = [("p50", 500, measured.p50), ("p90", 100, measured.p90), ("p99", 10, measured.p99)];
    let percentiles = percentiles.into_iter().map(|(percentile, tail_permille, value)| {
        let enough = tail_permille * (measured.n + measured.unbounded) >= TAIL_TASKS_PRINTED * 1_000;
        let predicted = simulated.percentile_ns(1.0 - tail_permille as f64 / 1e3, 0).map(us);
        (percentile, beside(predicted.filter(|_| enough), value.filter(|_| enough)))
    });
    let mean = ("mean", beside(Some(simulated.mean_ns() / 1e3), measured.mean));
    let all: Vec<_> = std::iter::once(mean).chain(percentiles).collect();
    all.into_iter().map(move |(what, figure)| (format!("{name}_{what}_us"), figure))
}
