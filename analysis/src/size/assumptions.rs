//! What has to be true for a size, in words.

use common::plan::Settings;
use common::report::Run;
use common::report::size::{SizeDemand, SizeOption};

use super::capacity::ended;
use crate::format::{percent, significant};

/// Each a sentence. `option` is what they are about, and `runs` what it comes from.
pub(super) fn assumptions(demand: &SizeDemand, settings: &Settings, option: &SizeOption, runs: &[&Run]) -> Vec<String> {
    let drain = demand.burst_s.and(demand.drain_within_s);
    let none = drain.filter(|_| option.drain.is_none()).map(|within_s| {
        format!(
            "IMPOSSIBLE: to be done within {} s of the end of the burst, whose last task comes then and takes {} s",
            significant(within_s, 3),
            significant(option.task_s, 3)
        )
    });
    let reckoned = (!option.measured).then(|| {
        let less = if settings.queue.is_some() { ", as if claiming took no time: it may be much less" } else { "" };
        let behind = "what a dyno can do is reckoned, not measured, and no more than runs did that fell behind";
        format!("no run had three whole seconds in which tasks waited all the while: {behind}{less}")
    });
    let alike =
        "every dyno can do as much as the one measured: on a machine of its own, at the same distance".to_owned();
    [
        none,
        reckoned,
        scaled(settings),
        claimed_again(settings, runs),
        in_vain(runs),
        Some(alike),
        Some(server(demand, option.server_per_s)),
        Some(format!(
            "to sustain the rate at most {:.0} % of what dynos can do are used: nearer to all of it waits grow without bound",
            demand.utilisation_max * 100.0
        )),
        option.drain.map(|_| {
            "the burst is drained by dynos that run when it begins, and use all that they can do: while it lasts, waits grow".to_owned()
        }),
        option.cs2.map(|_| wait(settings)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn scaled(settings: &Settings) -> Option<String> {
    let scale = settings.time_scale();
    (scale != 1.0).then(|| {
        format!(
            "a payment takes {} s and took {} s in the runs: their rates are scaled back, as if nothing but payments took time",
            significant(settings.task.least_s() / scale, 3),
            significant(settings.task.least_s(), 3)
        )
    })
}

/// Whoever is late settles, and the task is done again: at the end of the queue, which a run that is cut off never sees.
fn claimed_again(settings: &Settings, runs: &[&Run]) -> Option<String> {
    let queues = || runs.iter().filter_map(|run| run.queue.as_ref());
    let again: f64 = queues().map(|queue| queue.redeliveries as f64).sum();
    let claimed: f64 = queues().map(|queue| queue.claimed as f64).sum();
    let timeout_s = settings.queue.as_ref()?.visibility_timeout_s;
    (again > 0.0 && claimed > 0.0).then(|| {
        format!(
            "NOT TRUE: every task is done once: of what was claimed in the runs {} was held longer than queue.visibility_timeout_s = \
             {timeout_s}, or by a dyno that was lost, and put back; it is done again when all others are, and how much work that is these \
             runs do not show",
            percent((again / claimed).min(1.0))
        )
    })
}

/// A dyno of this bench does so much in vain; another need not.
fn in_vain(runs: &[&Run]) -> Option<String> {
    let (all, in_vain) = runs.iter().map(|run| ended(run)).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    (in_vain > 0.0).then(|| {
        format!(
            "as much is done in vain as in the runs, {} of their work, on tasks that others had settled: it does not count as what a dyno can \
             do",
            percent(in_vain / all)
        )
    })
}

fn server(demand: &SizeDemand, server_per_s: Option<f64>) -> String {
    match server_per_s {
        Some(most) if most < demand.rate_per_s => format!(
            "NOT TRUE: one server does {} tasks/s at what a task costs it, fewer than asked: it has to be another, or several",
            significant(most, 3)
        ),
        Some(_) => "one server bears it: at 90 % of a CPU, with what a task costs it in the runs".to_owned(),
        None => "the server bears it: what a task costs it is not known".to_owned(),
    }
}

/// Allen and Cunneen's.
fn wait(settings: &Settings) -> String {
    let (what, services) = match settings.awaited_permits() {
        Some(_) => ("permit", "what holds one is a pause, which does not vary (Cs2 = 0)"),
        None => ("worker", "services vary as they did in the runs (Cs2)"),
    };
    format!(
        "the mean wait is that for a {what} alone, with all dynos at one queue: tasks come by chance (Poisson, Ca2 = 1), one by one, and {services}"
    )
}
