//! Runs of a cell become blocks: which attempt counts, which are void.

use std::collections::{BTreeMap, BTreeSet};

use common::plan::{Plan, Variant};
use common::report::{Ended, Run, RunResult};

/// The runs of one cell, in blocks.
#[derive(Debug)]
pub(crate) struct Blocks<'a> {
    /// Of every block its last complete valid attempt, where it has one: the run of every variant, in the plan's
    /// order.
    pub(crate) kept: Vec<Vec<&'a Run>>,
    /// Attempts thrown away because a run in them was invalid.
    pub(crate) void: u32,
    /// At which look the cell is: 2 once the plan's extension has begun in it.
    pub(crate) look: u32,
    /// Blocks that the plan asks for until this look.
    pub(crate) planned: u32,
    /// Of these, blocks that nobody has tried to the end: the bench was stopped, or is under way.
    pub(crate) untried: u32,
    /// By variant, in the plan's order.
    pub(crate) variants: Vec<VariantRuns<'a>>,
}

/// The runs of one variant in one cell.
#[derive(Debug, Default)]
pub(crate) struct VariantRuns<'a> {
    /// Every run, those of void attempts included.
    pub(crate) all: Vec<&'a Run>,
    /// One valid run of each block that has one: the kept one, else the last.
    pub(crate) valid: Vec<&'a Run>,
    /// Invalid runs.
    pub(crate) invalid: u32,
}

impl<'a> Blocks<'a> {
    /// `runs` of one cell, sorted by block and attempt; each of one of the variants of `plan`, none twice in an attempt.
    pub(crate) fn new(plan: &Plan, runs: &[&'a Run]) -> Blocks<'a> {
        let (variants, repeat) = (&plan.variants, &plan.repeat);
        let extended = runs.iter().any(|run| run.block >= repeat.blocks);
        let planned = if extended { repeat.blocks_max() } else { repeat.blocks };
        let mut attempts: BTreeMap<(u32, u32), Vec<&'a Run>> = BTreeMap::new();
        for &run in runs {
            attempts.entry((run.block, run.attempt)).or_default().push(run);
        }
        let mut kept: BTreeMap<u32, Vec<&'a Run>> = BTreeMap::new();
        let mut void = 0;
        let mut tried = BTreeSet::new();
        for ((block, _), runs) in &attempts {
            let interrupted = runs.iter().any(|run| run.ended == Ended::Interrupted);
            if !interrupted && runs.iter().any(|run| !usable(run)) {
                void += 1;
                tried.insert(*block);
            } else if let Some(complete) = complete(variants, runs).filter(|_| !interrupted) {
                kept.insert(*block, complete);
                tried.insert(*block);
            }
        }
        let variants = variants.iter().enumerate().map(|(i, variant)| {
            let all: Vec<&'a Run> = runs.iter().copied().filter(|run| run.variant.name == variant.name).collect();
            let mut valid: BTreeMap<u32, &'a Run> =
                all.iter().filter(|run| usable(run)).map(|run| (run.block, *run)).collect();
            valid.extend(kept.iter().map(|(&block, runs)| (block, runs[i])));
            let invalid = all.iter().filter(|run| run.verdict.result == RunResult::Invalid).count();
            VariantRuns {
                all,
                valid: valid.into_values().collect(),
                invalid: u32::try_from(invalid).unwrap_or(u32::MAX),
            }
        });
        Blocks {
            variants: variants.collect(),
            void,
            look: if extended { 2 } else { 1 },
            planned,
            untried: planned - tried.len() as u32,
            kept: kept.into_values().collect(),
        }
    }

    /// Number of blocks that count.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.kept.len()).unwrap_or(u32::MAX)
    }
}

/// A run that ended by itself and may be believed; being overloaded is a result.
fn usable(run: &Run) -> bool {
    run.verdict.result != RunResult::Invalid && run.ended != Ended::Interrupted
}

/// The run of every variant, in the plan's order, if all are there.
fn complete<'a>(variants: &[Variant], runs: &[&'a Run]) -> Option<Vec<&'a Run>> {
    variants.iter().map(|variant| runs.iter().copied().find(|run| run.variant.name == variant.name)).collect()
}
