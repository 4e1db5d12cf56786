//! In which cells a variant kept up in every block, in words.

use common::plan::{self, Variant};
use common::report::comparison::Held;

use super::finding::Kept;
use super::place::{self, Stretch};
use super::{Bench, Seen};
use crate::format::counted;

/// Of every variant over `cells`.
pub(super) fn held(bench: &Bench<'_>, cells: &[&Seen<'_>]) -> Vec<Held> {
    let of_variant = |(i, variant): (usize, &Variant)| {
        let kept: Vec<Kept> = cells.iter().map(|seen| Kept::of(&seen.blocks.variants[i])).collect();
        let always = cells.iter().zip(&kept).filter(|(_, kept)| kept.always()).map(|(seen, _)| seen.cell.index);
        Held { variant: variant.name.clone(), cells: always.collect(), sentence: sentence(variant, cells, &kept) }
    };
    bench.plan.variants.iter().enumerate().map(of_variant).collect()
}

fn sentence(variant: &Variant, cells: &[&Seen<'_>], kept: &[Kept]) -> String {
    let name = &variant.name;
    if let [Kept { ok, of }] = kept {
        return format!("{name} kept up in {ok} of {}", counted((*of).into(), "block"));
    }
    // Without a valid run nothing is known.
    let words: Vec<Option<bool>> = kept.iter().map(|kept| (kept.of > 0).then(|| kept.always())).collect();
    let cells: Vec<plan::Cell> = cells.iter().map(|seen| seen.cell.clone()).collect();
    let clauses = place::stretches(&cells, &words, |word| word != Some(true));
    let clauses: Vec<String> = clauses
        .iter()
        .map(|Stretch { word, place, .. }| match word {
            Some(true) => format!("in every block {place}"),
            Some(false) => format!("not in every block {place}"),
            None => format!("not measured {place}"),
        })
        .collect();
    format!("{name} kept up {}", clauses.join(", "))
}
