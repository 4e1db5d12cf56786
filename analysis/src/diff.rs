//! Two benches of the same plan at different times, such as before and after a change of the workers: every variant's runs of
//! the one against its runs of the other.
//!
//! Runs of two benches were not made back to back, so nothing pairs them: the rank-sum test takes the place of the signed-rank
//! test, and whatever changed between the benches is in the ratio.

use common::plan::{Cell, Metric, Plan};
use common::report::comparison::ContrastVerdict;
use common::report::diff::{Diff, DiffCell, DiffKind, DiffVariant, KeptUp, Relative, Side};
use common::report::{Run, RunResult, SCHEMA_VERSION};

use crate::blocks::{Blocks, VariantRuns};
use crate::compare::{is_compared, verdicts};
use crate::contrast::Adjusted;
use crate::load::{Mixed, Results};
use crate::stats::level::Level;
use crate::stats::{fisher, holm};

mod caveats;
mod change;
mod comparable;
mod page;
mod relative;

use change::{Measured, Samples};
pub use comparable::Incomparable;
pub use page::terminal;

/// Two benches are looked at once, whatever either was.
const LEVEL: Level = Level::ONE_LOOK;

/// Compares the runs of `new` with those of `old`. Pure.
///
/// # Errors
/// What keeps the two from being compared, all of it; with [`Mixed::Forced`] it is let through and said.
pub fn diff(old: &Results, new: &Results, mixed: Mixed) -> Result<Diff, Incomparable> {
    let reasons = comparable::reasons(old, new);
    let mut forced = comparable::forced(old, new);
    match mixed {
        Mixed::Refused if !reasons.is_empty() => return Err(Incomparable(reasons)),
        Mixed::Refused => {}
        Mixed::Forced => forced.extend(reasons.into_iter().map(|reason| format!("compared although {reason}"))),
    }
    let cells = cells(old, new);
    let regression = cells.iter().flat_map(|cell| &cell.variants).any(|variant| {
        let worse = |verdict| verdict == ContrastVerdict::Worse;
        worse(variant.kept_up.verdict) || variant.changes.iter().any(|change| change.primary && worse(change.verdict))
    });
    let yardstick = caveats::yardstick(old, new);
    let plan = old.plan();
    let (before, after) = (side(old), side(new));
    let mut caveats = caveats::caveats(&before, &after, yardstick.as_ref());
    caveats.extend(caveats::slight(&cells));
    Ok(Diff {
        kind: DiffKind::Diff,
        schema_version: SCHEMA_VERSION,
        plan: plan.name.clone(),
        question: plan.question.clone(),
        primary: plan.primary,
        margin: plan.repeat.margin,
        alpha: LEVEL.alpha,
        forced,
        caveats,
        old: before,
        new: after,
        yardstick,
        cells,
        regression,
    })
}

fn side(results: &Results) -> Side {
    let runs = results.runs();
    let first = &runs[0];
    let started = || runs.iter().map(|run| run.started_at.as_str());
    Side {
        plan_hash: results.plan().hash.clone(),
        started_first: started().min().unwrap_or_default().to_owned(),
        started_last: started().max().unwrap_or_default().to_owned(),
        versions: first.versions.clone(),
        host: first.host.clone(),
        redis_server: first.redis_server.clone(),
    }
}

/// A cell that both benches have.
struct Matched<'a> {
    cell: &'a Cell,
    old: Blocks<'a>,
    new: Blocks<'a>,
    /// Variants that both have, in the old plan's order: names, and their places in both plans.
    variants: Vec<(&'a str, usize, usize)>,
}

impl<'a> Matched<'a> {
    /// The runs of every variant, as by [`Matched::variants`].
    fn runs(&self) -> impl Iterator<Item = (&'a str, &VariantRuns<'a>, &VariantRuns<'a>)> {
        self.variants.iter().map(|&(name, old, new)| (name, &self.old.variants[old], &self.new.variants[new]))
    }

    /// Every contender against the baseline of `plan`, the old one; none where nothing is asked that the primary metric is of.
    fn relative(&self, plan: &Plan) -> Vec<Relative> {
        if !self.cell.has(plan.primary) {
            return Vec::new();
        }
        let baseline = self.variants.iter().find(|(name, ..)| *name == plan.baseline);
        let contenders = self.variants.iter().filter(|(name, ..)| *name != plan.baseline);
        let of = |&(name, old, new): &(&str, usize, usize)| {
            let &(baseline, below_old, below_new) = baseline?;
            let pairs = |blocks: &Blocks<'a>, below: usize, above: usize| {
                blocks.kept.iter().map(|block| (block[below], block[above])).collect::<Vec<_>>()
            };
            let (old, new) = (pairs(&self.old, below_old, old), pairs(&self.new, below_new, new));
            relative::relative(plan.primary, (baseline, name), &old, &new)
        };
        contenders.filter_map(of).collect()
    }
}

/// What both have, in the old plan's order: cells by their parameters, variants by their names.
fn matched<'a>(old: &'a Results, new: &'a Results) -> Vec<Matched<'a>> {
    let (before, after) = (old.plan(), new.plan());
    let place = |name: &str| after.variants.iter().position(|variant| variant.name == name);
    let variants: Vec<(&str, usize, usize)> = (0..)
        .zip(&before.variants)
        .filter_map(|(i, variant)| place(&variant.name).map(|place| (variant.name.as_str(), i, place)))
        .collect();
    let of = |cell: &'a Cell| {
        let other = after.cells.iter().find(|other| other.parameters == cell.parameters)?;
        let (old, new) = (of_cell(old, cell.index), of_cell(new, other.index));
        Some(Matched { cell, old, new, variants: variants.clone() })
    };
    before.cells.iter().filter_map(of).collect()
}

fn of_cell(results: &Results, index: u32) -> Blocks<'_> {
    let runs: Vec<&Run> = results.runs().iter().filter(|run| run.cell.index == index).collect();
    Blocks::new(results.plan(), &runs)
}

/// Every cell and variant; the primary metric of all of them is one family, and so is who keeps up.
fn cells(old: &Results, new: &Results) -> Vec<DiffCell> {
    let plan = old.plan();
    let matched = matched(old, new);
    let runs = || matched.iter().flat_map(Matched::runs);
    let samples: Vec<(&Cell, Samples<'_>)> = matched
        .iter()
        .flat_map(|one| one.runs().map(|runs| (one.cell, runs)))
        .map(|(cell, (_, old, new))| (cell, Samples::new(&old.valid, &new.valid, plan.repeat.margin)))
        .collect();
    let measure = |(cell, one): &(&Cell, Samples<'_>)| cell.has(plan.primary).then(|| one.measure(plan.primary, true));
    let primary: Vec<Option<Measured>> = samples.iter().map(measure).collect();
    let members = || primary.iter().flatten();
    let family = |p: fn(&Measured) -> Option<f64>| holm::adjust(&members().map(p).collect::<Vec<_>>()).into_iter();
    let size = u32::try_from(members().count()).unwrap_or(u32::MAX);
    let adjusted = family(Measured::p_value).zip(family(Measured::p_same)).zip(family(Measured::p_least));
    let mut adjusted = adjusted.map(|((p, p_same), p_least)| Adjusted { p, p_same, p_least, family: size });
    let kept_up: Vec<KeptUp> = runs().map(|(_, old, new)| of_kept_up(&old.valid, &new.valid)).collect();
    let kept_up_adjusted = holm::adjust(&kept_up.iter().map(|one| Some(one.p_value)).collect::<Vec<_>>());
    let words = primary.into_iter().map(|measured| Some(measured?.judge(adjusted.next()?)));
    let kept_up = kept_up.into_iter().zip(kept_up_adjusted).map(|(one, p)| judged(one, p.unwrap_or(1.0)));
    let mut variants =
        runs().zip(samples).zip(words).zip(kept_up).map(|((((name, old, new), (cell, samples)), primary), kept_up)| {
            let secondary =
                Metric::ALL.into_iter().filter(|&metric| is_compared(cell, metric) && metric != plan.primary);
            let secondary = secondary.filter_map(|metric| {
                let measured = samples.measure(metric, false);
                measured.has_values().then(|| measured.judge_alone())
            });
            DiffVariant {
                variant: name.to_owned(),
                runs_old: verdicts(&old.all),
                runs_new: verdicts(&new.all),
                kept_up,
                changes: primary.into_iter().chain(secondary).collect(),
            }
        });
    let of = |one: &Matched<'_>| DiffCell {
        index: one.cell.index,
        parameters: one.cell.parameters.clone(),
        variants: variants.by_ref().take(one.variants.len()).collect(),
        relative: one.relative(plan),
    };
    matched.iter().map(of).collect()
}

fn of_kept_up(old: &[&Run], new: &[&Run]) -> KeptUp {
    let ok = |runs: &[&Run]| runs.iter().filter(|run| run.verdict.result == RunResult::Ok).count() as u32;
    let (ok_old, n_old, ok_new, n_new) = (ok(old), old.len() as u32, ok(new), new.len() as u32);
    let p_value = fisher::p_value(ok_old, n_old, ok_new, n_new);
    KeptUp { ok_old, n_old, ok_new, n_new, p_value, p_adjusted: p_value, verdict: ContrastVerdict::Unknown }
}

/// With its word, given p after adjustment for its family.
fn judged(kept_up: KeptUp, p_adjusted: f64) -> KeptUp {
    let KeptUp { ok_old, n_old, ok_new, n_new, .. } = kept_up;
    let less_often = u64::from(ok_new) * u64::from(n_old) < u64::from(ok_old) * u64::from(n_new);
    let verdict = match (p_adjusted <= LEVEL.alpha, less_often) {
        (true, true) => ContrastVerdict::Worse,
        (true, false) => ContrastVerdict::Better,
        (false, _) => ContrastVerdict::Unknown,
    };
    KeptUp { p_adjusted, verdict, ..kept_up }
}
