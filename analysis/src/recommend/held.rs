//! In which cells a variant kept up in every block, in words.

use common::plan::{self, Variant};
use common::report::comparison::Held;

use super::clause::kept_in;
use super::finding::Kept;
use super::place::{self, Stretch};
use super::{Bench, Seen};

/// Of every variant over `cells`.
pub(super) fn held(bench: &Bench<'_>, cells: &[&Seen<'_>]) -> Vec<Held> {
    let of_variant = |(i, variant): (usize, &Variant)| {
        let kept: Vec<Kept> = cells.iter().map(|seen| Kept::of(&seen.blocks.variants[i])).collect();
        let always = cells.iter().zip(&kept).filter(|(_, kept)| kept.always()).map(|(seen, _)| seen.cell.index);
        Held { variant: variant.name.clone(), cells: always.collect(), sentence: sentence(variant, cells, &kept) }
    };
    bench.plan.variants.iter().enumerate().map(of_variant).collect()
}

/// Whether a variant kept up in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    InEveryBlock,
    NotInEveryBlock,
    /// No run was overloaded, and of some it cannot be told whether they kept up.
    Open,
    /// Without a valid run nothing is known.
    NotMeasured,
}

impl Word {
    fn of(kept: Kept) -> Word {
        match kept {
            Kept { of: 0, .. } => Word::NotMeasured,
            kept if kept.always() => Word::InEveryBlock,
            Kept { overloaded: 0, .. } => Word::Open,
            _ => Word::NotInEveryBlock,
        }
    }
}

fn sentence(variant: &Variant, cells: &[&Seen<'_>], kept: &[Kept]) -> String {
    let name = &variant.name;
    if let [kept] = kept {
        return format!("{name} kept up in {}", kept_in(*kept));
    }
    let words: Vec<Word> = kept.iter().copied().map(Word::of).collect();
    let cells: Vec<plan::Cell> = cells.iter().map(|seen| seen.cell.clone()).collect();
    let clauses = place::stretches(&cells, &words, |word| word != Word::InEveryBlock);
    let clauses: Vec<String> = clauses
        .iter()
        .map(|Stretch { word, place, .. }| match word {
            Word::InEveryBlock => format!("in every block {place}"),
            Word::NotInEveryBlock => format!("not in every block {place}"),
            Word::Open => format!("perhaps {place} (inconclusive runs)"),
            Word::NotMeasured => format!("not measured {place}"),
        })
        .collect();
    format!("{name} kept up {}", clauses.join(", "))
}
