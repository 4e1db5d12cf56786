//! What the primary contrast of two variants in one cell says, and what it says of who keeps up.

use common::plan::Plan;
use common::report::comparison::{Cause, Contrast, ContrastVerdict, KeepsUp, RunVerdicts};

use super::Seen;
use crate::blocks::VariantRuns;
use crate::compare::{family, level, verdicts};
use crate::contrast::{is_layout, noise, two_binaries};
use crate::stats::level::Level;
use crate::stats::sign;

/// What was shown, from the contender's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word {
    /// By the primary metric.
    Better,
    /// By the primary metric.
    Worse,
    /// Within the margin.
    Same,
    /// By the primary metric, which is lower by so little that two binaries may differ so by their code layouts alone.
    SlightlyLess,
    /// Likewise higher.
    SlightlyMore,
    /// More often than the baseline.
    KeepsUp,
    /// Less often than the baseline.
    FallsBehind,
    /// Both in no block, and were overloaded in nearly all.
    NeitherKeepsUp,
    /// Nothing.
    Unknown,
}

/// One contender against the baseline in one cell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finding<'a> {
    /// Position of the cell in the plan.
    pub(super) cell: usize,
    /// How sure a word must be.
    pub(super) level: Level,
    /// Primary contrasts of the bench, among which it is one.
    pub(super) family: u32,
    /// Blocks that the plan asks for in this cell.
    pub(super) blocks_planned: u32,
    pub(super) contrast: &'a Contrast,
    pub(super) keeps_up: &'a KeepsUp,
    pub(super) baseline: Kept,
    pub(super) contender: Kept,
    pub(super) word: Word,
}

/// In how many of its blocks a variant kept up, and in how many it certainly did not. Of the others it cannot be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) ok: u32,
    pub(super) overloaded: u32,
    pub(super) of: u32,
}

impl Kept {
    pub(super) fn of(runs: &VariantRuns<'_>) -> Kept {
        let RunVerdicts { ok, overloaded, .. } = verdicts(&runs.valid);
        Kept { ok, overloaded, of: u32::try_from(runs.valid.len()).unwrap_or(u32::MAX) }
    }

    /// In every one, and there are some.
    pub(super) fn always(self) -> bool {
        self.of > 0 && self.ok == self.of
    }

    /// Of how many it cannot be told.
    pub(super) fn inconclusive(self) -> u32 {
        self.of.saturating_sub(self.ok + self.overloaded)
    }

    pub(super) fn and(self, other: Kept) -> Kept {
        Kept { ok: self.ok + other.ok, overloaded: self.overloaded + other.overloaded, of: self.of + other.of }
    }
}

/// Every contender of a cell, in the plan's order.
pub(super) fn findings<'a>(cell: usize, seen: &Seen<'a>, plan: &Plan) -> Vec<Finding<'a>> {
    let level = level(plan);
    let named = |name: &str| plan.variants.iter().position(|variant| variant.name == name);
    let kept = |name: &str| named(name).map_or_else(Kept::default, |i| Kept::of(&seen.blocks.variants[i]));
    let slight = |contrast: &Contrast| {
        let variants = named(&contrast.baseline).zip(named(&contrast.contender));
        variants.is_some_and(|(a, b)| two_binaries(&plan.variants[a], &plan.variants[b]))
            && contrast.ratio.value.is_some_and(|ratio| is_layout(ratio.ln()))
    };
    let primary = seen.contrasts.iter().filter(|contrast| contrast.primary);
    primary
        .zip(seen.keeps_up)
        .map(|(contrast, keeps_up)| {
            let (baseline, contender) = (kept(&contrast.baseline), kept(&contrast.contender));
            let rises = contrast.ratio.value.is_none_or(|ratio| ratio > 1.0);
            let word = match (contrast.cause, contrast.verdict) {
                (Some(Cause::Overload), _) => who_keeps_up(level.alpha, keeps_up, [baseline, contender]),
                (_, ContrastVerdict::Better | ContrastVerdict::Worse) if slight(contrast) => {
                    if rises {
                        Word::SlightlyMore
                    } else {
                        Word::SlightlyLess
                    }
                }
                (_, ContrastVerdict::Better) => Word::Better,
                (_, ContrastVerdict::Worse) => Word::Worse,
                (_, ContrastVerdict::Same) => Word::Same,
                (_, ContrastVerdict::Unknown) => Word::Unknown,
            };
            let (family, blocks_planned) = (family(plan), seen.blocks.planned);
            Finding { cell, level, family, blocks_planned, contrast, keeps_up, baseline, contender, word }
        })
        .collect()
}

fn who_keeps_up(alpha: f64, keeps_up: &KeepsUp, kept: [Kept; 2]) -> Word {
    match keeps_up {
        _ if kept.iter().all(|kept| kept.ok == 0) && p_of_neither(kept) <= alpha => Word::NeitherKeepsUp,
        KeepsUp { p_value, .. } if *p_value > alpha => Word::Unknown,
        KeepsUp { only_baseline, only_contender, .. } if only_contender > only_baseline => Word::KeepsUp,
        _ => Word::FallsBehind,
    }
}

/// p of "one of them keeps up as often as not": an inconclusive run may have kept up.
fn p_of_neither(kept: [Kept; 2]) -> f64 {
    let p = |Kept { overloaded, of, .. }: Kept| {
        let others = of.saturating_sub(overloaded);
        // As small where hardly a run was overloaded, which shows the contrary.
        if overloaded > others { sign::p_value(others, overloaded) } else { 1.0 }
    };
    kept.map(p).into_iter().fold(0.0, f64::max)
}

impl Finding<'_> {
    /// Whether anything was, by which a variant could be chosen.
    pub(super) fn is_shown(&self) -> bool {
        !matches!(self.word, Word::Unknown | Word::SlightlyLess | Word::SlightlyMore)
    }

    /// The p value that the word rests on, or that was too large for one; `None` where nothing could be tested.
    pub(super) fn p(&self) -> Option<f64> {
        match (self.word, self.contrast.cause) {
            (Word::Better | Word::Worse | Word::SlightlyLess | Word::SlightlyMore, _) => self.contrast.p_adjusted,
            (Word::Unknown, Some(Cause::Noise | Cause::FewBlocks)) => self.contrast.p_adjusted,
            (Word::Same, _) => self.contrast.p_same_adjusted,
            (Word::NeitherKeepsUp, _) => Some(p_of_neither([self.baseline, self.contender])),
            (_, Some(Cause::Overload)) => Some(self.keeps_up.p_value),
            _ => None,
        }
    }

    /// Whether that p is adjusted for a family; the sign tests of who keeps up are in none.
    pub(super) fn is_adjusted(&self) -> bool {
        self.family > 1 && self.contrast.cause != Some(Cause::Overload)
    }

    /// Blocks that would tell, where noise alone keeps it from a word: for the observed difference or for sameness, whichever
    /// takes fewer, and more than there were.
    pub(super) fn blocks_needed(&self) -> Option<u64> {
        let needed = noise::needed(self.contrast).into_iter().flatten().min();
        needed.filter(|_| self.contrast.cause == Some(Cause::Noise))
    }
}
