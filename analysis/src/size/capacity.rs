//! What one run says of a dyno.

use common::latency::Latency;
use common::report::{Phase, Run, RunResult, Second};

use crate::predict::simulate::Services;
use crate::stats::middle_of;

/// Seconds with waiting tasks that a run must have before its rate counts as what a dyno can do.
const SATURATED_S_MIN: usize = 3;

/// A run fell behind by this share of what it was sent at least, and for so long, seconds.
const BEHIND: f64 = 0.05;
const BEHIND_S_MIN: f64 = 1.0;

/// Share of the permits, or of the places for claimed tasks, that is taken when there is none left, but for moments.
const ALL_TAKEN: f64 = 0.9;
/// Share of its time that a worker is at a task, when something else keeps it from being.
const HARDLY: f64 = 0.5;

/// Tasks a second of one dyno, and what allows no more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Capacity {
    pub(super) per_s: f64,
    pub(super) limit: Limit,
}

/// What allows no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// Whatever it was: tasks were waiting.
    Measured,
    /// Whatever it was: more and more tasks were waiting.
    Behind,
    Workers,
    Permits,
    Cpu,
}

/// Time at a task without the wait for a permit, microseconds, by the original's clock. Of what ends in the very turn in which it begins it
/// is 0.
pub(super) fn work_us(run: &Run) -> Option<f64> {
    let settings = &run.plan.settings;
    let wait_us = run.latency_us.spans.get("permit_wait").and_then(|span| span.mean).unwrap_or(0.0);
    let longer_us = settings.task.least_s() * 1e6 * (1.0 / settings.time_scale() - 1.0);
    Some(run.latency_us.service.mean? - wait_us + longer_us).filter(|us| us.is_finite() && *us >= 0.0)
}

/// Squared coefficient of variation of that time. What was scaled is a pause, which does not vary: scaled back the mean is longer, and
/// the deviation what it was. Within the service of tasks that wait for permits is that wait; what holds a permit is then taken for a
/// pause alone. `None` where the report holds no histogram that can be read.
pub(super) fn work_cs2(run: &Run) -> Option<f64> {
    if run.plan.settings.awaited_permits().is_some() {
        return Some(0.0);
    }
    let service = &run.latency_us.service;
    let recorded = Latency::decode(&service.hdr_v2, 0).ok().filter(|recorded| recorded.n() == service.n)?;
    let services = Services::of(&recorded)?;
    Some(services.cv2() * (services.mean_ns() / 1e3 / work_us(run)?).powi(2)).filter(|cs2| cs2.is_finite())
}

/// Tasks of a run's window that ended, and how many of these ends were in vain: another claim of the same task had settled it before.
pub(super) fn ended(run: &Run) -> (f64, f64) {
    let in_vain = run.queue.as_ref().map_or(0.0, |queue| queue.duplicates_in_window as f64);
    (run.counts.completed as f64 + run.counts.failed.total() as f64 + in_vain, in_vain)
}

/// Share of its work that was not in vain.
pub(super) fn once(run: &Run) -> f64 {
    let (ended, in_vain) = ended(run);
    if ended > 0.0 { 1.0 - in_vain / ended } else { 1.0 }
}

/// What a dyno of this run can do. With tasks that waited all the while, what was completed meanwhile; otherwise the least
/// of what its workers, its permits and its CPUs allow, but no more than a run did that fell behind. Less what was done in vain, which no
/// second tells apart; CPU of a task has it in already.
pub(super) fn capacity(run: &Run) -> Option<Capacity> {
    let settings = &run.plan.settings;
    let dynos = f64::from(settings.workers.dynos);
    let at_work = f64::from(settings.at_once()) * dynos;
    // Something waited at both ends of the second. What a drain that is cut off has still seen is not known by seconds.
    let busy =
        |pair: &&[Second]| pair.iter().all(|second| second.backlog as f64 > at_work) && pair[1].phase == Phase::Window;
    // The last second ends when the run does.
    let whole = run.timeline.split_last().map_or(&[][..], |(_, whole)| whole);
    let saturated: Vec<&[Second]> = whole.windows(2).filter(busy).collect();
    let found = if run.queue.is_some() && saturated.len() >= SATURATED_S_MIN {
        let seconds: f64 = saturated.iter().map(|pair| pair[1].t_s - pair[0].t_s).sum();
        let completed: f64 = saturated.iter().map(|pair| pair[1].completed as f64).sum();
        let per_s = completed / seconds / dynos * settings.time_scale() * once(run);
        Capacity { per_s, limit: Limit::Measured }
    } else {
        let reckoned = reckoned(run)?;
        fell_behind(run).filter(|behind| behind.per_s < reckoned.per_s).unwrap_or(reckoned)
    };
    Some(found).filter(|one| one.per_s.is_finite() && one.per_s > 0.0)
}

/// Whoever is sent more than it does, all the while, does what it can. Tasks that wait for another attempt, or lie among the dead, are not
/// behind.
fn fell_behind(run: &Run) -> Option<Capacity> {
    let (settings, sent_per_s, window_s) = (&run.plan.settings, run.rate_per_s.sent, run.resources.window_s);
    let grew = run.backlog.slope_low_per_s.is_some_and(|low| low > 0.0)
        && run.backlog.slope_per_s.is_some_and(|slope| slope >= BEHIND * sent_per_s);
    let long = run.verdict.result == RunResult::Overloaded && window_s >= BEHIND_S_MIN;
    let elsewhere = run.queue.as_ref().map_or(0, |queue| queue.retries + queue.dead) as f64;
    let stationary = settings.load.arrivals.is_stationary();
    let is_behind = |completed: &f64| completed + elsewhere / window_s < (1.0 - BEHIND) * sent_per_s;
    let completed = run.rate_per_s.completed.filter(|_| stationary && grew && long).filter(is_behind)?;
    let per_s = completed / f64::from(settings.workers.dynos) * settings.time_scale();
    Some(Capacity { per_s, limit: Limit::Behind })
}

fn reckoned(run: &Run) -> Option<Capacity> {
    let settings = &run.plan.settings;
    let settle_us = run.latency_us.spans.get("settle").and_then(|span| span.mean).unwrap_or(0.0);
    let work_us = work_us(run)?;
    let by_workers = f64::from(settings.workers.count) * 1e6 / (work_us + settle_us);
    // Who settles has given its permit back.
    let by_permits = settings.limiting_permits().map(|permits| f64::from(permits) * 1e6 / work_us);
    let (per_s, limit) = match by_permits.filter(|&by_permits| by_permits <= by_workers) {
        Some(by_permits) => (by_permits, Limit::Permits),
        None => (by_workers, Limit::Workers),
    };
    let by_workers = per_s * once(run);
    // Of a task that was not in vain: what the others took is among it.
    let cpus = settings.dyno.as_ref().map_or(run.host.cpus, |dyno| dyno.vcpus);
    let by_cpu = run.resources.workers.cpu_us_per_task.map(|us| f64::from(cpus) * 1e6 / us);
    Some(match by_cpu.filter(|&by_cpu| by_cpu < by_workers) {
        Some(per_s) => Capacity { per_s, limit: Limit::Cpu },
        None => Capacity { per_s: by_workers, limit },
    })
}

pub(super) fn limited_by(run: &Run, Capacity { per_s, limit }: Capacity) -> String {
    match (limit, run.plan.settings.limiting_permits()) {
        (Limit::Permits, Some(permits)) => format!("the {permits} permits of a dyno"),
        (Limit::Measured | Limit::Behind, Some(permits)) if at_work(run, per_s) >= ALL_TAKEN * f64::from(permits) => {
            format!("the {permits} permits of a dyno")
        }
        (Limit::Measured | Limit::Behind, _) if is_short_of_claims(run, per_s) => "the way to the queue".to_owned(),
        (Limit::Measured | Limit::Behind, _) => {
            run.verdict.bottleneck.map_or_else(|| "its workers".to_owned(), |found| found.resource.to_string())
        }
        (Limit::Workers | Limit::Permits, _) => "its workers".to_owned(),
        (Limit::Cpu, _) => "its CPU".to_owned(),
    }
}

/// Tasks that a dyno is at on average, when it does so many a second that are not in vain.
fn at_work(run: &Run, per_s: f64) -> f64 {
    per_s / once(run) * work_us(run).unwrap_or(0.0) / 1e6
}

/// Whether a dyno has claimed as many tasks as it may, and its workers are hardly ever at one: most are on their way, to it or, done,
/// back. More workers may claim more.
fn is_short_of_claims(run: &Run, per_s: f64) -> bool {
    let settings = &run.plan.settings;
    let (Some(plan), Some(queue)) = (&settings.queue, &run.queue) else { return false };
    let places = f64::from(plan.room(settings.workers.count)) * f64::from(settings.workers.dynos);
    let window = 0.0..settings.load.duration_s;
    let held = queue.depth.iter().filter(|at| window.contains(&at.t_s)).map(|at| at.depth.in_flight as f64).collect();
    middle_of(held).is_some_and(|held| held >= ALL_TAKEN * places)
        && at_work(run, per_s) < HARDLY * f64::from(settings.at_once())
}
