//! The two plans of queue systems: whether they can answer what they ask, in half an hour.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use analysis::too_few_blocks;
use common::plan::{Plan, Settings};

/// What a run takes besides its seconds by the plan: processes start and end.
const OVERHEAD_S: f64 = 1.5;

fn read(name: &str) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plans").join(name);
    Plan::parse(&fs::read_to_string(path).unwrap(), &[]).unwrap()
}

/// Minutes of the whole bench, if runs of the cells that `drains` drain as long as they may.
fn minutes(plan: &Plan, drains: impl Fn(&Settings) -> bool) -> f64 {
    let runs = |cells: usize| f64::from(plan.repeat.blocks) * cells as f64 * plan.variants.len() as f64;
    let seconds = plan.cells.iter().map(|cell| {
        let load = &cell.settings.load;
        let drain_s = if drains(&cell.settings) { load.drain_s } else { 0.0 };
        runs(1) * (load.warmup_s + load.duration_s + drain_s + OVERHEAD_S)
    });
    let seconds: f64 = seconds.sum();
    // One block more is run first and thrown away.
    seconds * (1.0 + plan.variants.len() as f64 / runs(plan.cells.len())) / 60.0
}

/// One dyno has orders that wait from the first whole second to the last, so that what it can do is measured; and both the intervals of
/// `analysis size` and the family of its cells have runs enough.
#[test]
fn the_flash_sale_measures_what_a_dyno_can_do() {
    let plan = read("orders.toml");
    assert_eq!(too_few_blocks(&plan), None);
    assert!(plan.repeat.blocks >= 6 && minutes(&plan, |_| true) <= 30.0, "{}", minutes(&plan, |_| true));
    let workers: Vec<u32> = plan.cells.iter().map(|cell| cell.settings.workers.count).collect();
    assert_eq!(workers, [1, 5, 20, 100]);
    for cell in &plan.cells {
        let Settings { load, task, workers, .. } = &cell.settings;
        // The burst of the write-up: as many orders, of which each takes as long beside it.
        let (burst_s, permits) = (load.burst_to_s.unwrap() - load.burst_from_s.unwrap(), task.permits.unwrap());
        let payment_s = task.least_s() / task.time_scale;
        assert!((burst_s / task.time_scale, permits) == (60.0, 5) && (payment_s - 3.0).abs() < 1e-9, "{payment_s} s");
        let at_work = f64::from(permits.min(workers.count));
        let paid_per_s = at_work / task.least_s();
        for second in 1..=load.duration_s as u32 {
            let second = f64::from(second);
            let sent = load.burst_rate_per_s.unwrap() * second.min(burst_s);
            // Even if as many again are paid in vain.
            assert!(sent - 2.0 * paid_per_s * second > at_work, "{second} s, {} workers", workers.count);
        }
    }
}

#[test]
fn every_ray_of_the_star_of_job_slots_leads_somewhere() {
    let plan = read("job-slots.toml");
    assert_eq!(too_few_blocks(&plan), None);
    let values = |of: fn(&Settings) -> u32| plan.cells.iter().map(|cell| of(&cell.settings)).collect::<BTreeSet<_>>();
    let rtt_us = |settings: &Settings| settings.redis.rtt_us;
    let batch_max = |settings: &Settings| settings.queue.as_ref().unwrap().batch_max;
    assert!(values(|settings| settings.workers.count).into_iter().eq([1, 10, 100, 1_000, 2_000, 6_000, 24_000]));
    assert!(values(batch_max).into_iter().eq([20, 100, 500]) && values(rtt_us).into_iter().eq([0, 1_200, 50_000]));
    assert_eq!(plan.cells.len(), 1 + 6 + 2 + 2, "a star");
    // A job a slot and two round trips: what became of it goes with the next claim, and one is under way while it is done.
    let allowed_per_s = |settings: &Settings| f64::from(settings.workers.count) * 1e6 / f64::from(2 * rtt_us(settings));
    let short = |settings: &Settings| allowed_per_s(settings) < settings.load.mean_rate_per_s();
    assert!(minutes(&plan, short) <= 30.0, "{}", minutes(&plan, short));
    for settings in plan.cells.iter().map(|cell| &cell.settings) {
        let (rate_per_s, queue) = (settings.load.mean_rate_per_s(), settings.queue.as_ref().unwrap());
        assert!(queue.settle_with_claim, "otherwise slots wait for connections as well");
        let full_ms = f64::from(queue.batch_max) / rate_per_s * 1e3;
        assert!(full_ms < 0.7 * queue.batch_delay_ms, "{} are as many as come in time", queue.batch_max);
        // Few slots are too few; with the others no distance takes more than two thirds of what they allow.
        let few = settings.workers.count <= 10;
        assert!(short(settings) == few && (few || allowed_per_s(settings) >= 1.5 * rate_per_s), "{settings:?}");
        let centre = &plan.cells[0].settings;
        assert!(settings.workers.count == centre.workers.count || rtt_us(settings) > 0, "slots without a distance");
    }
}
