//! What is kept of an A/A bench.

use common::report::aa::{AaBench, AaMetric};
use common::report::comparison::{Cause, Comparison, Contrast, ContrastVerdict};

use super::pool::Known;
use crate::aa::ALPHA;
use crate::blocks::Blocks;
use crate::compare::{level, pairs};
use crate::contrast::Pair;
use crate::load::Results;

/// One entry per cell of an A/A bench that has all its blocks, and enough of them for a verdict, and in which something is asked;
/// nothing of any other bench. `comparison` is that of `results`.
#[must_use]
pub fn benches(results: &Results, comparison: &Comparison) -> Vec<AaBench> {
    let plan = results.plan();
    let complete = comparison.cells.iter().filter(|cell| comparison.aa && cell.blocks == cell.blocks_planned);
    complete
        .filter_map(|cell| {
            let runs: Vec<_> = results.runs().iter().filter(|run| run.cell.index == cell.index).collect();
            let first = runs.iter().min_by(|a, b| a.started_at.cmp(&b.started_at))?;
            let (blocks, unknown) = (Blocks::new(plan, &runs), Known::default());
            let pair = pairs(plan, (&blocks, &unknown), level(plan)).next()?;
            let baseline = &plan.variants[pair.baseline];
            let load = &first.plan.settings.load;
            if load.is_idle() {
                return None;
            }
            Some(AaBench {
                plan: plan.name.clone(),
                plan_hash: plan.hash.clone(),
                cell: cell.index,
                started_at: first.started_at.clone(),
                headroom: first.versions.headroom.clone(),
                scheduling: first.host.scheduling.clone(),
                variant: baseline.name.clone(),
                engine: baseline.engine,
                task: first.plan.settings.task.kind,
                duration_s: load.duration_s,
                warmup_s: load.warmup_s,
                blocks: cell.blocks,
                metrics: cell
                    .contrasts
                    .iter()
                    .chain(&cell.controls)
                    .filter_map(|contrast| Some((contrast.metric.name().to_owned(), metric(&pair, contrast)?)))
                    .collect(),
            })
        })
        .filter(|bench| !bench.metrics.is_empty())
        .collect()
}

/// `None` where there was no verdict for another reason than noise, or a value is missing or unbounded.
fn metric(pair: &Pair<'_>, contrast: &Contrast) -> Option<AaMetric> {
    let p_value = contrast.p_value?;
    if contrast.cause.is_some_and(|cause| !matches!(cause, Cause::Noise | Cause::Generator)) {
        return None;
    }
    let found = matches!(contrast.verdict, ContrastVerdict::Better | ContrastVerdict::Worse);
    Some(AaMetric {
        primary: contrast.primary,
        alarm: if contrast.primary { found } else { p_value <= ALPHA },
        ratio: contrast.ratio,
        p_value,
        noise_floor: contrast.noise_floor,
        log_ratios: pair.log_ratios(contrast.metric)?,
    })
}
