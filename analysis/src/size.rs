//! How many dynos a load takes: from what a bench measured, and from what theory makes of it. Pure.
//!
//! Rates and times are the original's: where the plan scaled the payments of its orders, they are scaled back.

use common::plan::{Plan, Settings};
use common::report::comparison::Estimate;
use common::report::size::{Dynos, Size, SizeDemand, SizeKind, SizeOption};
use common::report::{Run, SCHEMA_VERSION};

use crate::blocks::Blocks;
use crate::load::Results;
use crate::predict::queue::common_queue_wait;
use crate::stats::median::median;
use crate::stats::middle_of;

mod assumptions;
mod capacity;
mod text;

use assumptions::assumptions;
use capacity::{Capacity, Limit, capacity, limited_by, once, work_cs2, work_us};

pub use text::text;

/// What is planned with to sustain a rate: nearer to what there is, waits grow without bound, and the measurement itself is not that
/// exact.
pub const UTILISATION_MAX: f64 = 0.9;
/// Of a server's one thread.
const SERVER_BUSY_MAX: f64 = 0.9;
/// Error rate of the intervals.
const ALPHA: f64 = 0.05;
/// The formula goes through all servers one by one: more than that and it says nothing.
const SERVERS_MAX: u32 = 10_000_000;

/// How long the burst of the plan lasts, seconds; `None` where its arrivals are none.
#[must_use]
pub fn burst_s(plan: &Plan) -> Option<f64> {
    let settings = &plan.cells.first()?.settings;
    Some(settings.load.burst_s()? / settings.time_scale())
}

/// Sizes every variant in every cell for `demand`, by the runs that a comparison rests on: those of complete blocks.
#[must_use]
pub fn size(results: &Results, demand: SizeDemand) -> Size {
    let plan = results.plan();
    let mut options: Vec<(usize, SizeOption)> = Vec::new();
    for cell in &plan.cells {
        let of_cell: Vec<&Run> = results.runs().iter().filter(|run| run.cell.index == cell.index).collect();
        let blocks = Blocks::new(plan, &of_cell);
        for variant in 0..plan.variants.len() {
            let runs: Vec<&Run> = blocks.kept.iter().map(|block| block[variant]).collect();
            options.extend(option(&runs, &demand).map(|option| (variant, option)));
        }
    }
    // Cheapest first: the fewest dynos; among as few, those with fewer workers.
    options.sort_by_key(|(variant, option)| (*variant, option.sustain.value, option.workers));
    Size {
        kind: SizeKind::Size,
        schema_version: SCHEMA_VERSION,
        plan: plan.name.clone(),
        host_fingerprint: results.runs().first().map(|run| run.host.fingerprint.clone()).unwrap_or_default(),
        demand,
        options: options.into_iter().map(|(_, option)| option).collect(),
    }
}

/// By `runs` of one variant in one cell, one of each block.
fn option(runs: &[&Run], demand: &SizeDemand) -> Option<SizeOption> {
    let first = runs.first()?;
    let settings = &first.plan.settings;
    let all: Vec<(&Run, Capacity)> = runs.iter().filter_map(|&run| Some((run, capacity(run)?))).collect();
    // What was seen under load goes before what was reckoned.
    let measured = all.iter().any(|(_, one)| one.limit == Limit::Measured);
    let of: Vec<&(&Run, Capacity)> = all.iter().filter(|(_, one)| (one.limit == Limit::Measured) == measured).collect();
    let limits: Vec<String> = of.iter().map(|(run, one)| limited_by(run, *one)).collect();
    let rates: Vec<f64> = of.iter().map(|(_, one)| one.per_s).collect();
    let middle = median(&rates, ALPHA)?;
    let work_s = middle_of(runs.iter().filter_map(|run| work_us(run)).collect())? / 1e6;
    let bounds = middle.interval;
    let estimate = Estimate {
        value: Some(middle.value),
        low: bounds.map(|bounds| bounds.low),
        high: bounds.map(|bounds| bounds.high),
        n: rates.len() as u32,
    };
    let dynos = |needed: &dyn Fn(f64) -> u64| Dynos {
        value: needed(middle.value),
        low: bounds.map(|bounds| needed(bounds.high)),
        high: bounds.map(|bounds| needed(bounds.low)),
        cost_per_month: demand.price_per_month.map(|price| price * needed(middle.value) as f64),
    };
    let sustain = dynos(&|per_s| sustaining(demand, per_s));
    let drain = demand.burst_s.zip(demand.drain_within_s);
    let drain = drain.and_then(|(burst_s, within_s)| time_to_drain_s(burst_s, within_s, work_s).zip(Some(burst_s)));
    let drain = drain.map(|(time_s, burst_s)| dynos(&|per_s| draining(demand.rate_per_s * burst_s, time_s, per_s)));
    let server_us: Vec<f64> = runs.iter().filter_map(|run| run.resources.redis.cpu_us_per_task).collect();
    let server_per_s = middle_of(server_us).map(|us| SERVER_BUSY_MAX * 1e6 / us);
    let cs2 = middle_of(runs.iter().filter_map(|run| work_cs2(run)).collect());
    // Work in vain keeps others waiting.
    let begun_per_s = demand.rate_per_s / middle_of(runs.iter().map(|run| once(run)).collect())?;
    let wait_ms = cs2.and_then(|cs2| wait_s(settings, begun_per_s, sustain.value, work_s, cs2));
    let mut option = SizeOption {
        variant: first.variant.name.clone(),
        parameters: first.cell.parameters.clone(),
        workers: settings.workers.count,
        capacity_per_s: estimate,
        measured,
        limited_by: most_frequent(&limits)?,
        task_s: work_s,
        wait_ms: wait_ms.map(|wait_s| wait_s * 1e3),
        cs2: cs2.filter(|_| wait_ms.is_some()),
        sustain,
        drain,
        server_per_s: server_per_s.filter(|per_s| per_s.is_finite() && *per_s > 0.0),
        assumptions: Vec::new(),
    };
    option.assumptions = assumptions(demand, settings, &option, runs);
    Some(option)
}

/// Of as frequent ones the first.
fn most_frequent(all: &[String]) -> Option<String> {
    let count = |of: &String| all.iter().filter(|one| *one == of).count();
    all.iter().rev().max_by_key(|one| count(one)).cloned()
}

/// The fewest dynos that can do the rate at the planned share of what they can do.
fn sustaining(demand: &SizeDemand, per_s: f64) -> u64 {
    at_least(demand.rate_per_s / (per_s * demand.utilisation_max))
}

/// In what time everything that comes in `burst_s` must have begun, for the last of it to be done `within_s` after: a task itself takes
/// `work_s`. `None` where none in time can be: the last one comes when the burst ends.
fn time_to_drain_s(burst_s: f64, within_s: f64, work_s: f64) -> Option<f64> {
    (within_s >= work_s).then_some(burst_s + within_s - work_s)
}

/// The fewest dynos that begin so many `tasks` in `time_s`, all of it with something to do.
fn draining(tasks: f64, time_s: f64, per_s: f64) -> u64 {
    at_least(tasks / time_s / per_s)
}

/// Rounded up; what is a whole number but for the last bits is that number.
fn at_least(dynos: f64) -> u64 {
    ((dynos - 1e-9).ceil() as u64).max(1)
}

/// For a worker or a permit, when so many tasks a second are begun, with so many dynos that claim from one queue. Arrivals are Poisson's.
fn wait_s(settings: &Settings, begun_per_s: f64, dynos: u64, work_s: f64, cs2: f64) -> Option<f64> {
    settings.queue.as_ref()?;
    let servers = u64::from(settings.at_once()).checked_mul(dynos)?;
    let servers = u32::try_from(servers).ok().filter(|&servers| servers <= SERVERS_MAX)?;
    common_queue_wait(servers, begun_per_s * work_s, work_s, 1.0, cs2).filter(|wait_s| wait_s.is_finite())
}

#[cfg(test)]
mod tests {
    use common::report::size::SizeDemand;

    use super::{draining, most_frequent, sustaining, time_to_drain_s};

    const FLASH_SALE: SizeDemand = SizeDemand {
        rate_per_s: 60.0,
        burst_s: Some(60.0),
        drain_within_s: Some(300.0),
        price_per_month: Some(5.0),
        utilisation_max: 1.0,
    };

    /// Five permits of three seconds are 5/3 orders a second: what the flash sale's own table forgets.
    #[test]
    fn the_flash_sale() {
        assert_eq!(sustaining(&FLASH_SALE, 5.0 / 3.0), 36);
        assert_eq!(sustaining(&FLASH_SALE, 1.0 / 3.0), 180);
        assert_eq!(sustaining(&SizeDemand { utilisation_max: 0.9, ..FLASH_SALE }, 5.0 / 3.0), 40);
        let drain = |within_s, per_s| Some(draining(3600.0, time_to_drain_s(60.0, within_s, 3.0)?, per_s));
        // 3600 orders in six minutes are ten a second. But the first thirty permits are not all taken at once, and the last order
        // takes three seconds: six dynos are half a second late.
        assert_eq!(drain(300.0, 5.0 / 3.0), Some(7));
        assert_eq!(drain(303.0, 5.0 / 3.0), Some(6));
        assert_eq!(drain(300.0, 1.0 / 3.0), Some(31));
        // The published drain of one dyno of 20 workers is impossible: 3600 / (5/3) are 36 minutes.
        assert_eq!(drain(35.0 * 60.0 + 3.0, 5.0 / 3.0), Some(1));
        assert_eq!(drain(30.0 * 60.0, 5.0 / 3.0), Some(2));
    }

    /// The last order comes when the burst ends, and takes its three seconds however many dynos there are. With just these nothing may
    /// wait, which takes what sustains the rate.
    #[test]
    fn no_number_of_dynos_is_quicker_than_a_task() {
        assert_eq!(time_to_drain_s(60.0, 2.999, 3.0), None);
        let time_s = time_to_drain_s(60.0, 3.0, 3.0).unwrap();
        assert_eq!(draining(3600.0, time_s, 5.0 / 3.0), sustaining(&FLASH_SALE, 5.0 / 3.0));
    }

    #[test]
    fn what_limits_most_runs_is_named() {
        let all = |limits: &[&str]| most_frequent(&limits.iter().map(|&limit| limit.to_owned()).collect::<Vec<_>>());
        assert_eq!(all(&["workers", "worker CPU", "worker CPU"]).as_deref(), Some("worker CPU"));
        assert_eq!(all(&["workers", "worker CPU"]).as_deref(), Some("workers"));
        assert_eq!(all(&[]), None);
    }

    #[test]
    fn never_none() {
        assert_eq!(sustaining(&FLASH_SALE, 1e9), 1);
        assert_eq!(draining(3600.0, 360.0, 1e9), 1);
    }
}
