//! How much more than asked a variant held: measured where the plan sweeps the rate, else estimated from shares.

use std::collections::BTreeMap;

use common::report::comparison::{Headroom, HeadroomEstimate};
use common::report::{Resource, Run, Usage};
use common::verdict::OTHERS_MAX;

use super::finding::Kept;
use super::limits::{others, used};
use super::{Bench, Seen, place};
use crate::format::{counted, percent, significant};
use crate::predict::sweeps::RATE;
use crate::stats::middle_of;

/// What can be short in production; generator and delay proxy are instruments.
const SYSTEM: [Resource; 5] =
    [Resource::ServerCpu, Resource::WorkerCpu, Resource::Connections, Resource::Permits, Resource::Workers];

/// Less than this over what held is nothing.
const LITTLE: f64 = 1.05;

type Parameters = BTreeMap<String, serde_json::Value>;

/// Of every variant, for one cell.
pub(super) fn of_cell(bench: &Bench<'_>, cell: usize) -> Vec<Headroom> {
    let seen = &bench.cells[cell];
    // Nothing has no multiples.
    if rate(seen) == 0.0 {
        return Vec::new();
    }
    let rates = rates_from(bench, &without_rate(seen), rate(seen));
    (0..bench.plan.variants.len()).filter_map(|variant| headroom(bench, variant, &rates)).collect()
}

/// Of every variant, over all cells: at the setting with the least, from the lowest rate that was run there.
pub(super) fn least(bench: &Bench<'_>) -> Vec<Headroom> {
    let mut settings: Vec<Parameters> = Vec::new();
    for parameters in bench.cells.iter().map(without_rate) {
        if !settings.contains(&parameters) {
            settings.push(parameters);
        }
    }
    let of_variant = |variant: usize| {
        let all = settings
            .iter()
            .filter_map(|parameters| headroom(bench, variant, &rates_from(bench, parameters, f64::MIN_POSITIVE)));
        // Held at all, then how far, then how far it may go.
        let order = |one: &Headroom| {
            let estimate = one.estimate.as_ref().map_or(f64::INFINITY, |estimate| estimate.factor);
            (one.factor.unwrap_or(0.0), one.failed_per_s.is_none(), estimate)
        };
        let mut least = all.min_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal))?;
        if settings.len() > 1 {
            let place = place::of_parameters(least.parameters.iter());
            least.sentence = format!("{}; this is the setting with the least: {place}", least.sentence);
        }
        Some(least)
    };
    (0..bench.plan.variants.len()).filter_map(of_variant).collect()
}

fn rate(seen: &Seen<'_>) -> f64 {
    seen.cell.settings.load.mean_rate_per_s()
}

fn without_rate(seen: &Seen<'_>) -> Parameters {
    seen.cell
        .parameters
        .iter()
        .filter(|(key, _)| *key != RATE)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The cells of a setting from a rate on, slowest first.
fn rates_from<'a, 'b>(bench: &'b Bench<'a>, parameters: &Parameters, from: f64) -> Vec<&'b Seen<'a>> {
    let mut cells: Vec<&Seen<'_>> =
        bench.cells.iter().filter(|seen| without_rate(seen) == *parameters && rate(seen) >= from).collect();
    cells.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    cells
}

/// Of one variant at the rates of one setting; `None` where it has no valid run at the first of them.
fn headroom(bench: &Bench<'_>, variant: usize, rates: &[&Seen<'_>]) -> Option<Headroom> {
    let kept = |seen: &Seen<'_>| Kept::of(&seen.blocks.variants[variant]);
    let run: Vec<&Seen<'_>> = rates.iter().copied().take_while(|seen| kept(seen).of > 0).collect();
    let asked = *run.first()?;
    let failed = run.iter().position(|seen| !kept(seen).always());
    let held = run[..failed.unwrap_or(run.len())].last();
    let Kept { ok: runs_ok, of: runs, .. } = kept(held.copied().unwrap_or(asked));
    let asked_per_s = rate(asked);
    let held_per_s = held.map(|seen| rate(seen));
    let factor = held_per_s.map(|held| held / asked_per_s);
    let others_share = others(&held.copied().unwrap_or(asked).blocks.variants[variant].valid);
    let disturbed = others_share.is_some_and(|share| share > OTHERS_MAX);
    let estimate = held.filter(|_| failed.is_none() && !disturbed).zip(factor).and_then(|(seen, factor)| {
        estimate(&seen.blocks.variants[variant].valid).map(|of| HeadroomEstimate { factor: factor * of.factor, ..of })
    });
    let failed = failed.map(|failed| run[failed]);
    let mut headroom = Headroom {
        variant: bench.plan.variants[variant].name.clone(),
        parameters: without_rate(asked),
        asked_per_s,
        held_per_s,
        factor,
        failed_per_s: failed.map(rate),
        failed_runs_ok: failed.map(|seen| kept(seen).ok),
        failed_runs: failed.map(|seen| kept(seen).of),
        failed_runs_overloaded: failed.map(|seen| kept(seen).overloaded),
        runs_ok,
        runs,
        others_share,
        estimate,
        sentence: String::new(),
    };
    headroom.sentence = sentence(&headroom);
    Some(headroom)
}

/// Over the rate of `runs`.
fn estimate(runs: &[&Run]) -> Option<HeadroomEstimate> {
    let shares = SYSTEM.into_iter().filter_map(|resource| Some((resource, used(runs, resource)?)));
    let (resource, share) = shares.max_by(|a, b| a.1.total_cmp(&b.1))?;
    let machine_share = middle_of(runs.iter().filter_map(|run| machine_share(run)).collect());
    let most = machine_share.map_or(share, |machine| machine.max(share));
    (most > 0.0).then(|| HeadroomEstimate { factor: 1.0 / most, resource, share, machine_share })
}

/// How much of the CPUs that other programs leave everything of the run used; `None` where it did not share them, or a part of
/// it is elsewhere.
fn machine_share(run: &Run) -> Option<f64> {
    let placement = &run.host.placement;
    let here = |name: &str| placement.iter().any(|placed| placed.process.starts_with(name));
    let shared = placement.windows(2).all(|pair| pair[0].cpus == pair[1].cpus);
    if !(shared && here("redis") && here("dyno-")) {
        return None;
    }
    let resources = &run.resources;
    let proxy_s = resources.proxy.as_ref().map_or(Some(0.0), Usage::cpu_s)?;
    let used_s = resources.workers.cpu_s()? + resources.redis.cpu_s()? + resources.loadgen.cpu_s()? + proxy_s;
    let there_is_s = f64::from(run.host.cpus) * resources.window_s * (1.0 - run.machine.others_share.unwrap_or(0.0));
    (there_is_s > 0.0).then(|| (used_s / there_is_s).min(1.0))
}

fn sentence(headroom: &Headroom) -> String {
    let Headroom { variant, asked_per_s, held_per_s, failed_per_s, runs_ok, runs, estimate, .. } = headroom;
    let per_s = |rate: f64| format!("{} tasks/s", significant(rate, 4));
    let times = |factor: f64| significant(factor, 2);
    // Of an inconclusive run nobody knows whether it kept up.
    let open = headroom.failed_runs_overloaded == Some(0);
    let (Some(held), Some(factor)) = (held_per_s, headroom.factor) else {
        let (asked, runs) = (per_s(*asked_per_s), counted((*runs).into(), "run"));
        return if open {
            format!(
                "whether {variant} held {asked} cannot be told: ok in {runs_ok} of {runs}, inconclusive in the others"
            )
        } else {
            format!("{variant} did not hold {asked}: ok in {runs_ok} of {runs}")
        };
    };
    let in_runs = if *runs == 1 { "in its only run".to_owned() } else { format!("in all {runs} runs") };
    let mut text = if factor > 1.0 {
        format!("{variant} held {} {in_runs}, {} times the {} asked", per_s(*held), times(factor), per_s(*asked_per_s))
    } else {
        format!("{variant} held the {} asked {in_runs}", per_s(*asked_per_s))
    };
    match failed_per_s.zip(headroom.failed_runs_ok).zip(headroom.failed_runs) {
        Some(((failed, ok), of)) => {
            let of = counted(of.into(), "run");
            text.push_str(&match open {
                true => format!(
                    "; whether {}, cannot be told: ok in {ok} of {of}, inconclusive in the others",
                    per_s(failed)
                ),
                false => format!(", and not {}: ok in {ok} of {of}", per_s(failed)),
            });
        }
        None if factor > 1.0 => text.push_str(", not measured beyond"),
        None => text.push_str(": at least 1.0, not measured beyond"),
    }
    if let Some(HeadroomEstimate { factor: most, resource, share, machine_share }) = estimate {
        let used = match machine_share {
            Some(machine) if machine > share => {
                format!("{} of all CPUs used, instruments included", percent(*machine))
            }
            _ => format!("{resource} {} used", percent(*share)),
        };
        let left = if *most < factor * LITTLE {
            "nothing is left".to_owned()
        } else {
            format!("at most about {} times what was asked, at the same cost per task", times(*most))
        };
        text.push_str(&format!("; estimated, not measured: {left} ({used})"));
    } else if let Some(share) = headroom.others_share.filter(|&share| failed_per_s.is_none() && share > OTHERS_MAX) {
        text.push_str(&format!("; nothing is estimated, for other programs used {} of the CPUs", percent(share)));
    }
    text
}
