//! What the primary contrast of two variants in one cell says, and what it says of who keeps up.

use common::plan::Plan;
use common::report::RunResult;
use common::report::comparison::{Cause, Contrast, ContrastVerdict, KeepsUp};

use super::Seen;
use crate::blocks::VariantRuns;
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
    /// More often than the baseline.
    KeepsUp,
    /// Less often than the baseline.
    FallsBehind,
    /// Both in no block.
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
    /// Blocks that the plan asks for in this cell.
    pub(super) blocks_planned: u32,
    pub(super) contrast: &'a Contrast,
    pub(super) keeps_up: &'a KeepsUp,
    pub(super) baseline: Kept,
    pub(super) contender: Kept,
    pub(super) word: Word,
}

/// In how many of its blocks a variant kept up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) ok: u32,
    pub(super) of: u32,
}

impl Kept {
    pub(super) fn of(runs: &VariantRuns<'_>) -> Kept {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let ok = runs.valid.iter().filter(|run| run.verdict.result == RunResult::Ok).count();
        Kept { ok: count(ok), of: count(runs.valid.len()) }
    }

    /// In every one, and there are some.
    pub(super) fn always(self) -> bool {
        self.of > 0 && self.ok == self.of
    }

    pub(super) fn and(self, other: Kept) -> Kept {
        Kept { ok: self.ok + other.ok, of: self.of + other.of }
    }
}

/// Every contender of a cell, in the plan's order.
pub(super) fn findings<'a>(cell: usize, seen: &Seen<'a>, plan: &Plan) -> Vec<Finding<'a>> {
    let level = Level::of(plan.repeat.extend_to.is_some());
    let kept = |name: &str| {
        let position = plan.variants.iter().position(|variant| variant.name == name);
        position.map_or_else(Kept::default, |position| Kept::of(&seen.blocks.variants[position]))
    };
    let primary = seen.contrasts.iter().filter(|contrast| contrast.primary);
    primary
        .zip(seen.keeps_up)
        .map(|(contrast, keeps_up)| {
            let (baseline, contender) = (kept(&contrast.baseline), kept(&contrast.contender));
            let word = match (contrast.cause, contrast.verdict) {
                (Some(Cause::Overload), _) => {
                    who_keeps_up(level.alpha, keeps_up, contrast.n, baseline.ok + contender.ok)
                }
                (_, ContrastVerdict::Better) => Word::Better,
                (_, ContrastVerdict::Worse) => Word::Worse,
                (_, ContrastVerdict::Same) => Word::Same,
                (_, ContrastVerdict::Unknown) => Word::Unknown,
            };
            Finding { cell, level, blocks_planned: seen.blocks.planned, contrast, keeps_up, baseline, contender, word }
        })
        .collect()
}

fn who_keeps_up(alpha: f64, keeps_up: &KeepsUp, blocks: u32, ok: u32) -> Word {
    match keeps_up {
        _ if ok == 0 && sign::p_value(0, blocks) <= alpha => Word::NeitherKeepsUp,
        KeepsUp { p_value, .. } if *p_value > alpha => Word::Unknown,
        KeepsUp { only_baseline, only_contender, .. } if only_contender > only_baseline => Word::KeepsUp,
        _ => Word::FallsBehind,
    }
}

impl Finding<'_> {
    /// Whether anything was.
    pub(super) fn is_shown(&self) -> bool {
        self.word != Word::Unknown
    }

    /// The p value that the word rests on, or that was too large for one; `None` where nothing could be tested.
    pub(super) fn p(&self) -> Option<f64> {
        match (self.word, self.contrast.cause) {
            (Word::Better | Word::Worse, _) | (Word::Unknown, Some(Cause::Noise)) => self.contrast.p_adjusted,
            (Word::Same, _) => self.contrast.p_same_adjusted,
            (Word::NeitherKeepsUp, _) => Some(sign::p_value(0, self.contrast.n)),
            (_, Some(Cause::Overload)) => Some(self.keeps_up.p_value),
            _ => None,
        }
    }

    /// Blocks that would tell, where noise alone keeps it from a word: for the observed difference or for sameness, whichever
    /// takes fewer, and more than there were.
    pub(super) fn blocks_needed(&self) -> Option<u64> {
        let Contrast { blocks_needed_better, blocks_needed_same, n, cause, .. } = self.contrast;
        let needed = blocks_needed_better.iter().chain(blocks_needed_same).copied();
        needed.filter(|&needed| *cause == Some(Cause::Noise) && needed > u64::from(*n)).min()
    }
}
