//! What a second costs, over sweeps of `load.rate_per_s`: idle, and more for every task.

use std::collections::{BTreeMap, BTreeSet};

use common::plan::{Metric, Plan};
use common::report::Run;
use common::report::comparison::Estimate;
use common::report::prediction::{CostCoefficients, CostLine, CostOf, CostPoint};

use super::sweeps::{self, RATE};
use crate::blocks::Blocks;
use crate::compare::estimate;
use crate::format::{counted, percent, signed_percent, significant};
use crate::keeps_up::is_overloaded;
use crate::metric::value;
use crate::stats::level::Level;

mod fit;

pub use fit::{Line, line};

use fit::RATES_MIN;

/// A line that is so far from what was measured is a finding, when chance does not explain it.
const FINDING: f64 = 0.05;

/// Two for each variant and each combination of the other swept keys, of workers and of the server; none where
/// `load.rate_per_s` is not swept. `cells` are those of the plan, in its order.
pub(crate) fn cost_lines(plan: &Plan, cells: &[Blocks<'_>], level: Level) -> Vec<CostLine> {
    let mut all = Vec::new();
    for (parameters, cells) in sweeps::along(RATE, plan, cells) {
        for (i, variant) in plan.variants.iter().enumerate() {
            let mut rates: Vec<(f64, &[&Run])> = cells
                .iter()
                .map(|(cell, blocks)| (cell.settings.load.mean_rate_per_s(), blocks.variants[i].valid.as_slice()))
                .collect();
            rates.sort_by(|a, b| a.0.total_cmp(&b.0));
            for process in [CostOf::Workers, CostOf::Redis] {
                let line = of_process(process, &rates, level);
                all.push(CostLine { parameters: parameters.clone(), variant: variant.name.clone(), ..line });
            }
        }
    }
    all
}

/// CPU per second of a run, microseconds.
fn cpu(process: CostOf, run: &Run) -> Option<f64> {
    let metric = match process {
        CostOf::Workers => Metric::WorkersCpuUsPerS,
        CostOf::Redis => Metric::RedisCpuUsPerS,
    };
    value(run, metric).number()
}

/// `rates`: tasks a second, ascending, with the valid runs of one variant.
fn of_process(process: CostOf, rates: &[(f64, &[&Run])], level: Level) -> CostLine {
    let overloaded = |runs: &[&Run]| runs.iter().filter(|run| is_overloaded(run)).count();
    // Beyond what a variant holds it does not do what was asked, and CPU says nothing of the rate.
    let held: Vec<usize> =
        (0..rates.len()).filter(|&i| !rates[i].1.is_empty() && overloaded(rates[i].1) == 0).collect();
    let by_block: Vec<BTreeMap<u32, f64>> = held
        .iter()
        .map(|&i| rates[i].1.iter().filter_map(|run| Some((run.block, cpu(process, run)?))).collect())
        .collect();
    let everywhere = |block: &&u32| by_block.iter().all(|values| values.contains_key(block));
    let common: BTreeSet<u32> = by_block.iter().flat_map(BTreeMap::keys).filter(everywhere).copied().collect();
    let blocks: Vec<Vec<f64>> =
        common.iter().map(|block| by_block.iter().map(|values| values[block]).collect()).collect();
    let rates_held: Vec<f64> = held.iter().map(|&i| rates[i].0).collect();
    let line = line(&rates_held, &blocks, level.alpha);
    let points: Vec<CostPoint> = rates
        .iter()
        .enumerate()
        .map(|(i, &(rate_per_s, runs))| {
            let fitted = held.iter().position(|&at| at == i);
            let of_line = line.as_ref().zip(fitted);
            CostPoint {
                rate_per_s,
                runs: count(runs.len()),
                overloaded: count(overloaded(runs)),
                cpu_us_per_s: estimate(runs.iter().filter_map(|run| cpu(process, run)), level),
                predicted_cpu_us_per_s: of_line.map(|(line, at)| line.predicted[at]),
                residual: of_line.map(|(line, at)| line.residuals[at]),
            }
        })
        .collect();
    let reason = match &line {
        Some(_) => String::new(),
        None if held.len() < RATES_MIN => format!(
            "{} of {} have valid runs of which none was overloaded; a line, and something that could contradict it, need \
             {RATES_MIN}",
            held.len(),
            counted(rates.len() as u64, "rate")
        ),
        None if blocks.is_empty() => "no block has CPU of a valid run at every rate".to_owned(),
        None => format!("{process} used no CPU that could be measured, in some run"),
    };
    let finding = finding(process, &points, level);
    let line = line.map(|line| CostCoefficients { idle_cpu_us_per_s: line.idle, cpu_us_per_task: line.slope });
    CostLine { parameters: BTreeMap::new(), variant: String::new(), process, points, line, reason, finding }
}

/// Where the line is far from what was measured, in words.
fn finding(process: CostOf, points: &[CostPoint], level: Level) -> String {
    let far = points.iter().filter_map(|point| {
        let Estimate { value, low, high, .. } = point.residual?;
        let (value, low, high) = (value?, low?, high?);
        let shown = value.abs() >= FINDING && (low > 0.0 || high < 0.0);
        let than = if value > 0.0 { "more" } else { "less" };
        shown.then(|| {
            format!(
                "at {} tasks/s the line has {} {than} than was measured ({} interval {} to {})",
                significant(point.rate_per_s, 4),
                percent(value),
                percent(level.confidence),
                signed_percent(low),
                signed_percent(high)
            )
        })
    });
    let far: Vec<String> = far.collect();
    if far.is_empty() {
        return String::new();
    }
    format!("CPU of {process} is not idle + slope x rate: {}", far.join("; "))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
