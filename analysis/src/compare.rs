//! Results become a [`Comparison`]: every contender against the baseline, in every cell.

use std::collections::BTreeMap;

use common::plan::{self, Metric, Plan, Settings, Variant};
use common::report::aa::AaStore;
use common::report::comparison::{
    Cause, Cell, CheckTally, Comparison, ComparisonKind, Contrast, Distance, Estimate, KeepsUp, RunVerdicts,
    VariantSummary,
};
use common::report::{Ceiling, Check, Counts, DepthAt, Run, RunResult, SCHEMA_VERSION};

use crate::aa::{self, pool::Known};
use crate::blocks::{Blocks, VariantRuns};
use crate::claims::claims;
use crate::contrast::Pair;
use crate::controls;
use crate::drawing;
use crate::keeps_up::keeps_up;
use crate::load::Results;
use crate::metric::{DESCRIBED, value};
use crate::predict::{cost_lines, prediction, scalability};
use crate::queue;
use crate::recommend::{Bench, Seen};
use crate::stats::level::Level;
use crate::stats::{median, middle_of};
use crate::steady::steadiness;

mod family;

pub use family::too_few_blocks;

use family::{contrasts, controls};
pub(crate) use family::{family, scouts};

/// Compares the variants of `results` by the recipe of `docs/method.md`, with what A/A benches of the host have found,
/// where that is known. Pure.
#[must_use]
pub fn comparison(results: &Results, aa: Option<&AaStore>) -> Comparison {
    let plan = results.plan();
    let first = &results.runs()[0];
    // An A/A bench asks whether the instrument is to be believed, and is judged as if nothing were known of it.
    let forced = forced(results);
    let is_aa = plan.is_against_itself() && forced.is_empty();
    let aa = aa.filter(|_| !is_aa);
    let known: Vec<Known<'_>> =
        plan.cells.iter().map(|cell| Known::of(aa, first_of(results, cell.index).unwrap_or(first))).collect();
    let level = level(plan);
    let blocks = blocks(results, plan.repeat.blocks_max());
    let cells: Vec<Measurable<'_>> = blocks.iter().zip(&known).collect();
    let contrasts = contrasts(plan, &cells, level);
    let controls = controls(plan, &cells, level);
    let keeps_up: Vec<Vec<KeepsUp>> =
        cells.iter().map(|&cell| pairs(plan, cell, level).map(|pair| keeps_up(&pair)).collect()).collect();
    let seen = plan.cells.iter().zip(&blocks).zip(&contrasts).zip(&keeps_up);
    let seen = seen.map(|(((cell, blocks), contrasts), keeps_up)| Seen { cell, blocks, contrasts, keeps_up });
    let (recommendations, answer) = Bench { plan, cells: seen.collect(), forced: &forced }.answers();
    let (recommendations, answer) = match is_aa {
        true => aa::answers(recommendations, answer, &contrasts, level),
        false => controls::overrule(recommendations, answer, &controls, level),
    };
    let said = contrasts.into_iter().zip(controls).zip(keeps_up).zip(recommendations);
    let cells: Vec<Cell> = plan
        .cells
        .iter()
        .zip(&blocks)
        .zip(said)
        .map(|((cell, blocks), (((contrasts, controls), keeps_up), recommendation))| {
            let variants: Vec<VariantSummary> = plan
                .variants
                .iter()
                .zip(&blocks.variants)
                .map(|(variant, runs)| summary(variant.clone(), &cell.settings, runs, level))
                .collect();
            Cell {
                index: cell.index,
                parameters: cell.parameters.clone(),
                dyno: first_of(results, cell.index).and_then(|run| run.dyno.clone()),
                distance: distance(results, cell.index),
                look: blocks.look,
                blocks_planned: blocks.planned,
                blocks: blocks.len(),
                blocks_void: blocks.void,
                recommendation,
                variants,
                contrasts,
                controls,
                keeps_up,
            }
        })
        .collect();
    Comparison {
        kind: ComparisonKind::Comparison,
        schema_version: SCHEMA_VERSION,
        plan: plan.name.clone(),
        question: plan.question.clone(),
        plan_hash: plan.hash.clone(),
        primary: plan.primary,
        margin: plan.repeat.margin,
        alpha: level.alpha,
        level: level.confidence,
        looks: level.looks,
        family: family(plan),
        blocks_min: level.blocks_min_of(family(plan) as usize),
        blocks_planned: plan.repeat.blocks,
        extend_to: plan.repeat.extend_to,
        extended: cells.iter().any(|cell| cell.look > 1),
        complete: cells
            .iter()
            .all(|cell| cell.blocks == cell.blocks_planned && !goes_on(plan, cell.look, &cell.contrasts)),
        forced,
        aa: is_aa,
        host: first.host.clone(),
        ceilings: ceilings(results.runs()),
        redis_server: first.redis_server.clone(),
        versions: first.versions.clone(),
        answer,
        claims: claims(plan, &cells, first.host.cpus),
        cells,
        scalability: scalability(plan, &blocks),
        cost_lines: cost_lines(plan, &blocks, level),
        published: plan.published.clone(),
        checks: checks(results.runs()),
        plan_toml: plan.source.clone(),
    }
}

/// What loadgen can send to each engine, as the newest of its runs knew it, in the order of the runs.
fn ceilings(runs: &[Run]) -> Vec<Ceiling> {
    let mut ceilings: Vec<Ceiling> = Vec::new();
    for ceiling in runs.iter().filter_map(|run| run.host.calibration.as_ref()) {
        match ceilings.iter_mut().find(|known| known.engine == ceiling.engine) {
            Some(known) if known.measured_at < ceiling.measured_at => *known = ceiling.clone(),
            Some(_) => {}
            None => ceilings.push(ceiling.clone()),
        }
    }
    ceilings
}

/// Every check that was asked of any run: how often, how often it failed, and what the first failure asks for.
fn checks(runs: &[Run]) -> Vec<CheckTally> {
    let mut tallies: Vec<CheckTally> = Vec::new();
    for Check { name, ok, severity, remedy, .. } in runs.iter().flat_map(|run| &run.validity.checks) {
        let at = tallies.iter().position(|tally| tally.name == *name).unwrap_or_else(|| {
            let (name, remedy) = (name.clone(), remedy.clone());
            tallies.push(CheckTally { name, severity: *severity, runs: 0, failed: 0, remedy });
            tallies.len() - 1
        });
        let tally = &mut tallies[at];
        tally.runs += 1;
        if !ok {
            if tally.failed == 0 {
                tally.remedy.clone_from(remedy);
            }
            tally.failed += 1;
        }
    }
    tallies
}

/// The cells, by index, with which a bench goes on that has declared an extension: those in which, after the plan's first
/// blocks, a primary contrast is unknown for noise or for their number. Later blocks are not looked at, so that the answer
/// stays what it was.
/// Pure.
#[must_use]
pub fn undecided(results: &Results) -> Vec<u32> {
    let plan = results.plan();
    let (blocks, unknown) = (blocks(results, plan.repeat.blocks), Known::default());
    let cells: Vec<Measurable<'_>> = blocks.iter().map(|blocks| (blocks, &unknown)).collect();
    let contrasts = contrasts(plan, &cells, level(plan));
    let cells = plan.cells.iter().zip(contrasts);
    cells.filter(|(_, contrasts)| goes_on(plan, 1, contrasts)).map(|(cell, _)| cell.index).collect()
}

pub(crate) fn level(plan: &Plan) -> Level {
    Level::of(plan.repeat.extend_to.is_some())
}

/// Whether there is another look at a cell with these contrasts.
fn goes_on(plan: &Plan, look: u32, contrasts: &[Contrast]) -> bool {
    let open = |cause: Option<Cause>| matches!(cause, Some(Cause::Noise | Cause::FewBlocks));
    let undecided = |contrast: &Contrast| contrast.primary && open(contrast.cause);
    plan.repeat.extend_to.is_some() && look == 1 && contrasts.iter().any(undecided)
}

/// The blocks of every cell that are numbered below `end`.
fn blocks(results: &Results, end: u32) -> Vec<Blocks<'_>> {
    let of = |cell: u32| {
        let runs = results.runs().iter().filter(|run| run.cell.index == cell && run.block < end);
        Blocks::new(results.plan(), &runs.collect::<Vec<_>>())
    };
    results.plan().cells.iter().map(|cell| of(cell.index)).collect()
}

/// A cell, and what A/A benches have found that fits it.
type Measurable<'a> = (&'a Blocks<'a>, &'a Known<'a>);

/// The first run of a cell.
fn first_of(results: &Results, cell: u32) -> Option<&Run> {
    results.runs().iter().find(|run| run.cell.index == cell)
}

/// What the plan asks of a cell, and what its runs measured.
fn distance(results: &Results, cell: u32) -> Option<Distance> {
    let networks = || results.runs().iter().filter(|run| run.cell.index == cell).filter_map(|run| run.network.as_ref());
    let first = networks().next()?;
    let added_us = middle_of(networks().filter_map(|network| network.added_us).collect());
    Some(Distance { asked_rtt_us: first.asked_rtt_us, jitter_us: first.jitter_us, added_us })
}

/// What was let through now, then every sentence of the runs once, in their order.
fn forced(results: &Results) -> Vec<String> {
    let mut all: Vec<String> = results.forced().to_vec();
    for sentence in results.runs().iter().flat_map(|run| &run.forced) {
        if !all.contains(sentence) {
            all.push(sentence.clone());
        }
    }
    all
}

/// The baseline with each contender, in the plan's order.
pub(crate) fn pairs<'a>(
    plan: &'a Plan,
    (blocks, known): Measurable<'a>,
    level: Level,
) -> impl Iterator<Item = Pair<'a>> {
    let baseline = plan.variants.iter().position(|variant| variant.name == plan.baseline).unwrap_or(0);
    (0..plan.variants.len()).filter(move |&contender| contender != baseline).map(move |contender| Pair {
        blocks,
        level,
        margin: plan.repeat.margin,
        variants: &plan.variants,
        baseline,
        contender,
        known,
    })
}

/// Whether runs of `cell` are compared by `metric`, if it is not the primary one: by the second only where nothing is asked, for
/// of tasks it says what is said by the task; by the time of a command only where tasks are pushed, for how many a claim is made for is
/// the variant's doing.
pub(crate) fn is_compared(cell: &plan::Cell, metric: Metric) -> bool {
    let (idle, pushed) = (cell.settings.load.is_idle(), cell.settings.queue.is_none());
    metric.is_contrasted()
        && cell.has(metric)
        && (idle || !metric.is_by_the_second())
        && (pushed || metric != Metric::RedisUsPerCommand)
}

fn summary(variant: Variant, settings: &Settings, runs: &VariantRuns<'_>, level: Level) -> VariantSummary {
    let mut checks_failed = BTreeMap::new();
    for check in runs.all.iter().flat_map(|run| &run.validity.checks).filter(|check| !check.ok) {
        *checks_failed.entry(check.name.clone()).or_insert(0) += 1;
    }
    let of_metrics = Metric::ALL.into_iter().map(|metric| {
        (metric.name().to_owned(), estimate(runs.valid.iter().filter_map(|run| value(run, metric).number()), level))
    });
    let described = DESCRIBED
        .iter()
        .map(|(name, read)| ((*name).to_owned(), estimate(runs.valid.iter().filter_map(|run| read(run)), level)));
    VariantSummary {
        variant,
        runs: verdicts(&runs.all),
        counts: counts(&runs.valid),
        steady: steadiness(&runs.valid, level.alpha),
        checks_failed,
        metrics: of_metrics.chain(described).collect(),
        response_curve: drawing::curve(&runs.valid.iter().map(|run| &run.latency_us.response).collect::<Vec<_>>()),
        timeline: drawing::timeline(
            &runs.valid.iter().map(|run| (run.timeline.as_slice(), depth(run))).collect::<Vec<_>>(),
        ),
        prediction: prediction(settings, &runs.valid, level.alpha),
        queue: queue::summary(&runs.valid, level),
    }
}

fn depth(run: &Run) -> &[DepthAt] {
    run.queue.as_ref().map_or(&[], |queue| &queue.depth)
}

/// The median of `values`, infinite ones included, with its interval.
pub(crate) fn estimate(values: impl Iterator<Item = f64>, level: Level) -> Estimate {
    let values: Vec<f64> = values.collect();
    let median = median::median(&values, level.alpha);
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let interval = median.and_then(|median| median.interval);
    Estimate {
        value: median.and_then(|median| finite(median.value)),
        low: interval.and_then(|interval| finite(interval.low)),
        high: interval.and_then(|interval| finite(interval.high)),
        n: u32::try_from(values.len()).unwrap_or(u32::MAX),
    }
}

/// Runs by verdict.
pub(crate) fn verdicts(runs: &[&Run]) -> RunVerdicts {
    let mut verdicts = RunVerdicts::default();
    for run in runs {
        match run.verdict.result {
            RunResult::Ok => verdicts.ok += 1,
            RunResult::Overloaded => verdicts.overloaded += 1,
            RunResult::Invalid => verdicts.invalid += 1,
            RunResult::Inconclusive => verdicts.inconclusive += 1,
        }
    }
    verdicts
}

fn counts(runs: &[&Run]) -> Counts {
    let mut sum = Counts::default();
    for Run { counts, .. } in runs {
        sum.planned += counts.planned;
        sum.sent += counts.sent;
        sum.missed += counts.missed;
        sum.completed += counts.completed;
        sum.rejected += counts.rejected;
        sum.failed.add(&counts.failed);
        sum.unfinished += counts.unfinished;
        sum.warmup += counts.warmup;
    }
    sum
}
