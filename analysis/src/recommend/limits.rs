//! What was short in the runs of a variant, or nearest to it.

use common::plan::Variant;
use common::report::comparison::Limit;
use common::report::{Pressure, Resource, Run};

use super::Seen;
use crate::stats::middle_of;

/// The bottlenecks that the valid runs of every variant name, most often first.
pub(super) fn limits(variants: &[Variant], cells: &[&Seen<'_>]) -> Vec<Limit> {
    let of_variant = |(i, variant): (usize, &Variant)| {
        let runs: Vec<&Run> = cells.iter().flat_map(|seen| &seen.blocks.variants[i].valid).copied().collect();
        let mut named: Vec<(Resource, Vec<f64>)> = Vec::new();
        for Pressure { resource, share } in runs.iter().filter_map(|run| run.verdict.bottleneck) {
            match named.iter_mut().find(|(name, _)| *name == resource) {
                Some((_, shares)) => shares.push(share),
                None => named.push((resource, vec![share])),
            }
        }
        named.sort_by_key(|(_, shares)| std::cmp::Reverse(shares.len()));
        let of = u32::try_from(runs.len()).unwrap_or(u32::MAX);
        let limit = |(resource, shares): (Resource, Vec<f64>)| {
            let runs = u32::try_from(shares.len()).unwrap_or(u32::MAX);
            middle_of(shares).map(|share| Limit { variant: variant.name.clone(), resource, share, runs, of })
        };
        named.into_iter().filter_map(limit).collect::<Vec<_>>()
    };
    variants.iter().enumerate().flat_map(of_variant).collect()
}

/// How much of the CPUs other programs used: the median over `runs`; `None` where that is not known.
pub(super) fn others(runs: &[&Run]) -> Option<f64> {
    middle_of(runs.iter().filter_map(|run| run.machine.others_share).collect())
}

/// The median over `runs` of how much of `resource` was used; `None` where none of them measured it.
pub(super) fn used(runs: &[&Run], resource: Resource) -> Option<f64> {
    let of = |run: &&Run| run.pressure.iter().find(|one| one.resource == resource).map(|one| one.share);
    middle_of(runs.iter().filter_map(of).collect())
}
