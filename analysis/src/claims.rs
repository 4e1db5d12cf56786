//! Published rates of so many workers, held against what permits allow and against what was measured. Pure.
//!
//! A claim is of the original's own time: payments of three seconds. Runs may be scaled, and are scaled back here.

use common::plan::{self, Plan, Published, Settings, TaskKind};
use common::report::comparison::{Cell, Claim, ClaimWord, MeasuredClaim, VariantSummary};

use crate::format::{counted, significant};

/// What is measured may differ from what is claimed by so much and still be the same.
const SAME: f64 = 0.05;
/// Above what is possible by more than a rounded digit.
const ROUNDING: f64 = 0.005;

/// Every published rate of the plan that names its workers.
#[must_use]
pub(crate) fn claims(plan: &Plan, cells: &[Cell]) -> Vec<Claim> {
    let of = |published: &Published| {
        let (workers, claimed_per_s) = (published.workers?, published.real_per_s.filter(|rate| rate.is_finite())?);
        let cell = plan.cells.iter().find(|cell| cell.settings.workers.count == workers);
        let mut settings = cell.or(plan.cells.first())?.settings.clone();
        settings.workers.count = workers;
        let allowed_per_s = allowed(&settings);
        let found = cell.and_then(|cell| cells.iter().find(|measured| measured.index == cell.index));
        let measured = found.map_or_else(Vec::new, |found| rates(found, &settings));
        let (word, reason) = impossible(claimed_per_s, allowed_per_s, &settings)
            .or_else(|| untried(claimed_per_s, plan, cell?, cells))
            .unwrap_or_else(|| judge(claimed_per_s, &measured));
        Some(Claim { source: published.source.clone(), workers, claimed_per_s, allowed_per_s, measured, word, reason })
    };
    plan.published.iter().filter_map(of).collect()
}

/// What permits and workers of all dynos allow, tasks a second of the original's time.
fn allowed(settings: &Settings) -> Option<f64> {
    let task = &settings.task;
    let permits = task.permits.filter(|_| task.kind == TaskKind::Order)?;
    let at_once = permits.min(settings.workers.count) * settings.workers.dynos;
    Some(f64::from(at_once) / (task.least_s() / task.time_scale))
}

/// In the original's time.
fn rates(cell: &Cell, settings: &Settings) -> Vec<MeasuredClaim> {
    let time_scale = if settings.task.kind == TaskKind::Order { settings.task.time_scale } else { 1.0 };
    let of = |variant: &VariantSummary| MeasuredClaim {
        variant: variant.variant.name.clone(),
        per_s: variant.metrics.get("completed_per_s").and_then(|rate| rate.value).map(|rate| rate * time_scale),
    };
    cell.variants.iter().map(of).collect()
}

/// Where permits allow less.
fn impossible(claimed: f64, allowed: Option<f64>, settings: &Settings) -> Option<(ClaimWord, String)> {
    let allowed = allowed.filter(|allowed| claimed > allowed * (1.0 + ROUNDING))?;
    let at_once = settings.task.permits.unwrap_or(0).min(settings.workers.count);
    let hold_s = settings.task.least_s() / settings.task.time_scale;
    let (hold_s, allowed) = (significant(hold_s, 3), significant(allowed, 4));
    Some((ClaimWord::Impossible, format!("{at_once} at once, {hold_s} s each, are at most {allowed} a second")))
}

/// Where less was asked for than was claimed, and not all were overloaded by it: nobody saw whether more can be done. But with how few
/// workers all keep up with it says what the claimed number of them is good for.
fn untried(claimed: f64, plan: &Plan, cell: &plan::Cell, cells: &[Cell]) -> Option<(ClaimWord, String)> {
    let load = &cell.settings.load;
    let asked = load.mean_rate_per_s();
    if !load.arrivals.is_stationary() || claimed <= asked * (1.0 + SAME) {
        return None;
    }
    let workers = |cell: &plan::Cell| cell.settings.workers.count;
    let measured = |of: &plan::Cell| cells.iter().find(|one| one.index == of.index);
    let is_like_it = |of: &&plan::Cell| {
        let mut settings = of.settings.clone();
        settings.workers.count = workers(cell);
        settings == cell.settings
    };
    let variants = &measured(cell)?.variants;
    let is_overloaded = |one: &&VariantSummary| one.runs.overloaded > 0;
    let failed: Vec<&str> = variants.iter().filter(is_overloaded).map(|one| one.variant.name.as_str()).collect();
    if failed.len() == variants.len() {
        return None;
    }
    let all_keep_up = |of: &plan::Cell| measured(of).is_some_and(|measured| measured.variants.iter().all(keeps_up));
    let fewest = plan.cells.iter().filter(|of| is_like_it(of) && all_keep_up(of)).map(workers).min();
    let others = match fewest {
        _ if !failed.is_empty() => format!(", and {} did not keep up", failed.join(" and ")),
        Some(fewest) if fewest < workers(cell) => {
            format!(", and {} kept up with as much", counted(fewest.into(), "worker"))
        }
        _ => String::new(),
    };
    Some((ClaimWord::Unknown, format!("only {} a second were asked for{others}", significant(asked, 4))))
}

/// Whether it did in every run.
fn keeps_up(variant: &VariantSummary) -> bool {
    let runs = &variant.runs;
    runs.ok > 0 && runs.overloaded + runs.inconclusive == 0
}

fn judge(claimed: f64, measured: &[MeasuredClaim]) -> (ClaimWord, String) {
    let known: Vec<f64> = measured.iter().filter_map(|one| one.per_s).collect();
    if known.is_empty() {
        return (ClaimWord::Unknown, "nothing was measured with so many workers".to_owned());
    }
    let off = known.iter().map(|per_s| (per_s / claimed - 1.0).abs()).fold(0.0, f64::max);
    let rates: Vec<String> = known.iter().map(|&per_s| significant(per_s, 4)).collect();
    let reason = format!("measured: {} a second", rates.join(" and "));
    (if off <= SAME { ClaimWord::Confirmed } else { ClaimWord::Refuted }, reason)
}

#[cfg(test)]
mod tests {
    use common::plan::{Plan, Settings};
    use common::report::comparison::{ClaimWord, MeasuredClaim};

    use super::{allowed, impossible, judge};

    fn settings(workers: u32) -> Settings {
        let text = format!(
            "name = \"t\"\n[task]\nkind = \"order\"\n[load]\nrate_per_s = 1\nduration_s = 1\n[workers]\ncount = {workers}\n\
             [[variant]]\nname = \"a\"\nengine = \"async\"\n"
        );
        Plan::parse(&text, &[]).unwrap().cells.remove(0).settings
    }

    /// The four rows of the write-up: one worker cannot do 1.67 a second, nor five permits more than that.
    #[test]
    fn the_published_rates_of_the_flash_sale() {
        let measured = |per_s: f64| vec![MeasuredClaim { variant: "a".to_owned(), per_s: Some(per_s) }];
        let word = |workers, claimed, per_s| {
            let settings = settings(workers);
            impossible(claimed, allowed(&settings), &settings).unwrap_or_else(|| judge(claimed, &measured(per_s))).0
        };
        assert!((allowed(&settings(100)).unwrap() - 5.0 / 3.0).abs() < 1e-12);
        assert!((allowed(&settings(1)).unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(word(1, 1.67, 0.33), ClaimWord::Impossible);
        assert_eq!(word(5, 1.83, 1.66), ClaimWord::Impossible);
        assert_eq!(word(20, 1.45, 1.66), ClaimWord::Refuted);
        assert_eq!(word(100, 2.48, 1.66), ClaimWord::Impossible);
        assert_eq!(word(5, 1.67, 1.66), ClaimWord::Confirmed);
    }
}
