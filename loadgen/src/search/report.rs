//! What searches have found, as `search.json`. Pure.

use common::plan::{Plan, Variant};
use common::report::search::{FoundRate, Search, SearchCell, SearchContrast, SearchKind, SearchVariant};
use common::report::{Resource, SCHEMA_VERSION};

use super::confirm::Votes;
use super::enough::enough;
use super::ladder::Found;
use super::pairs::{Pairs, pairs, rate};
use super::range::STEP;
use super::trials::Trials;
use super::{Of, OfVariant};

/// `None` before there was any trial.
pub(super) fn report(trials: &Trials<'_, '_>, cells: &[Of<'_>]) -> Option<Search> {
    let (plan, args) = (trials.plan, trials.args);
    let cells: Vec<SearchCell> = cells.iter().map(|of| cell(plan, of)).collect();
    Some(Search {
        kind: SearchKind::Search,
        schema_version: SCHEMA_VERSION,
        plan: plan.name.clone(),
        plan_hash: plan.hash.clone(),
        host: trials.host.clone()?,
        trial_s: args.trial_s,
        step: STEP,
        searches: args.searches,
        enough: enough(&cells),
        cells,
    })
}

fn cell(plan: &Plan, of: &Of<'_>) -> SearchCell {
    let variants: Vec<SearchVariant> =
        plan.variants.iter().zip(&of.variants).map(|(v, known)| one_variant(v, known)).collect();
    let position = plan.variants.iter().position(|variant| variant.name == plan.baseline).unwrap_or(0);
    let contrast = |(contender, known): (&Variant, &OfVariant)| {
        let Pairs { ratio, p_value, n } = pairs(&of.variants[position].found, &known.found);
        SearchContrast { baseline: plan.baseline.clone(), contender: contender.name.clone(), ratio, p_value, n }
    };
    let contenders = plan.variants.iter().zip(&of.variants).filter(|(variant, _)| variant.name != plan.baseline);
    SearchCell {
        index: of.cell.index,
        parameters: of.cell.parameters.clone(),
        contrasts: contenders.map(contrast).collect(),
        variants,
    }
}

fn one_variant(variant: &Variant, known: &OfVariant) -> SearchVariant {
    let found = |found: &Found| FoundRate {
        end: found.end,
        lower_per_s: found.lower_per_s(),
        upper_per_s: found.upper_per_s(),
        inversions: found.inversions,
        reason: found.reason.clone(),
    };
    let (rate_per_s, at_least_per_s) = rate(&known.found);
    SearchVariant {
        variant: variant.clone(),
        at_least_per_s,
        found: known.found.iter().map(found).collect(),
        trials: known.trials.clone(),
        confirmed: rate_per_s.value.and_then(|found| Votes::of(found, &known.confirmation).confirmed()),
        confirmation: known.confirmation.clone(),
        bottleneck: most_frequent(&known.limits),
        rate_per_s,
    }
}

fn most_frequent(all: &[Resource]) -> Option<Resource> {
    let count = |of: &Resource| all.iter().filter(|one| *one == of).count();
    all.iter().copied().max_by_key(|one| count(one))
}
