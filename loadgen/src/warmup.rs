//! `loadgen warmup`: how long the variants of a plan take until they are steady, so that the plan's warm-up is found and not
//! guessed, once, before the first bench.
//!
//! Every variant is run without a warm-up, its first task is its first figure, and its mean service time is followed by quarters
//! of a second: [`analysis::warmup`] says where that settles.

use std::path::Path;
use std::time::Duration;

use analysis::warmup::{QUARTER_S, steady_from};
use common::plan::{Cell, Plan, Variant};
use common::random::block_seed;
use common::report::warmup::{Probe, Warmup, WarmupKind};
use common::report::{Ended, Host, SCHEMA_VERSION};

use crate::args;
use crate::bench::Admitted;
use crate::dynos::Origin;
use crate::error::{Interrupted, Refused};
use crate::placement::Placement;
use crate::progress::Progress;
use crate::run::{self, Site, Spec};
use crate::signals::Interrupt;

/// A quarter of a second of fewer tasks has no mean to speak of.
const TASKS_PER_QUARTER_MIN: f64 = 5.0;

/// The plan as it is, and as it is probed.
#[derive(Debug)]
pub struct Plans {
    /// As it was given.
    pub given: Plan,
    /// Without a warm-up, and as long as a probe.
    pub probed: Plan,
}

impl Plans {
    /// Reads the plan that `args` name.
    ///
    /// # Errors
    /// A plan that is refused, a cell that it does not have, and arrivals that no steady state follows from.
    pub fn read(args: &args::Warmup) -> anyhow::Result<Plans> {
        let sets = args.common.sets();
        let given = args::read_plan(&args.plan, &sets)?;
        let cell = args::cell(&given, args.cell)?;
        let load = &cell.settings.load;
        if !load.arrivals.is_stationary() {
            let why = "have no steady state: their rate changes by plan";
            return Err(
                Refused(format!("{}: load.arrivals {why}; use poisson or constant", args.plan.display())).into()
            );
        }
        let tasks = load.mean_rate_per_s() * QUARTER_S;
        if tasks < TASKS_PER_QUARTER_MIN {
            let least = TASKS_PER_QUARTER_MIN / QUARTER_S;
            return Err(Refused(format!(
                "load.rate_per_s = {}: {tasks:.1} tasks in a quarter of a second are too few to follow; {least} or more would do",
                load.mean_rate_per_s()
            ))
            .into());
        }
        let mut sets = sets;
        sets.extend(["load.warmup_s=0".to_owned(), format!("load.duration_s={}", args.probe_s)]);
        Ok(Plans { given, probed: args::read_plan(&args.plan, &sets)? })
    }
}

/// Probes one variant after the other.
///
/// # Errors
/// What kept a probe from being made; [`Interrupted`].
pub fn probe(
    args: &args::Warmup,
    plans: &Plans,
    placement: &Placement,
    directory: &Path,
    interrupt: &Interrupt,
    progress: &mut Progress,
) -> anyhow::Result<Warmup> {
    let plan = &plans.probed;
    let cell = args::cell(plan, args.cell)?;
    let admitted = Admitted::new(plan, &args.common, None, placement, progress)?;
    let site = admitted.site(plan, Origin::Spawned { padding: 0 }, directory, interrupt, placement);
    let count = plan.variants.len() as u32;
    let (mut probes, mut host) = (Vec::new(), None);
    for (number, variant) in (1..).zip(&plan.variants) {
        let left = Duration::from_secs_f64(args.probe_s) * (count + 1 - number);
        progress.begin(number, count, &variant.name, left);
        let (probe, of_probe) = one(plan, cell, variant, &site, progress)?;
        progress.line(&format!("probe {number}/{count} {}: {}", variant.name, probe.result));
        probes.push(probe);
        host = Some(of_probe);
    }
    let host = host.ok_or_else(|| anyhow::anyhow!("the plan has no variant"))?;
    Ok(warmup(plans, cell, args.probe_s, host, probes))
}

fn one(
    plan: &Plan,
    cell: &Cell,
    variant: &Variant,
    site: &Site<'_>,
    progress: &mut Progress,
) -> anyhow::Result<(Probe, Host)> {
    let seed = block_seed(cell.settings.load.seed, cell.index, 0);
    let spec = Spec { plan, cell, variant, block: 0, position: 0, attempt: 0, seed };
    let measurement = run::run(&spec, site, progress)?;
    let report = measurement.report;
    if report.ended == Ended::Interrupted {
        return Err(Interrupted.into());
    }
    let service_us = measurement.service_us;
    let (segments, steady_from_s) = steady_from(&service_us);
    // What ended before its time may have been on its way to anywhere.
    let steady_from_s = steady_from_s.filter(|_| report.ended == Ended::Complete);
    Ok((
        Probe { variant: variant.clone(), result: report.verdict.result, service_us, segments, steady_from_s },
        report.host,
    ))
}

fn warmup(plans: &Plans, cell: &Cell, probe_s: f64, host: Host, probes: Vec<Probe>) -> Warmup {
    let needed_s =
        probes.iter().map(|probe| probe.steady_from_s).try_fold(0.0, |longest: f64, from_s| Some(longest.max(from_s?)));
    // A cell keeps its number where the plan has some of its cells.
    let given = plans.given.cells.iter().find(|given| given.index == cell.index).unwrap_or(cell);
    Warmup {
        kind: WarmupKind::Warmup,
        schema_version: SCHEMA_VERSION,
        plan: plans.given.name.clone(),
        plan_hash: plans.given.hash.clone(),
        cell: cell.index,
        parameters: cell.parameters.clone(),
        host,
        planned_s: given.settings.load.warmup_s,
        probe_s,
        variants: probes,
        needed_s,
    }
}
