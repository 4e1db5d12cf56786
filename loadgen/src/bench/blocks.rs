//! Which blocks a bench has, in which order, what an earlier start has left of them, and how many may be repeated. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use common::plan::Plan;
use common::random::{self, Stream, below, mix};
use common::report::{Ended, Run, RunResult};

/// One block: a cell, and the variants in the order in which they run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Index into the plan's cells.
    pub cell: usize,
    /// Number within the cell, from 0.
    pub number: u32,
    /// Indices into the plan's variants.
    pub order: Vec<usize>,
}

/// The blocks of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Those that every cell gets.
    pub first: Vec<Block>,
    /// Those that a declared extension adds, of all cells.
    pub extension: Vec<Block>,
}

/// The blocks of a plan, cells shuffled. Within a cell, before the extension and in it, every variant runs equally often
/// at every position (as nearly as the number of blocks allows), in random sequence.
#[must_use]
pub fn schedule(plan: &Plan) -> Schedule {
    let seed = plan.cells.first().map_or(0, |cell| cell.settings.load.seed);
    let mut draw = Draw { seed: random::stream(seed, Stream::Schedule), count: 0 };
    let mut part = |numbers: Range<u32>| {
        let mut blocks = Vec::new();
        for cell in 0..plan.cells.len() {
            let orders = orders(plan.variants.len(), numbers.len(), &mut draw);
            blocks.extend(numbers.clone().zip(orders).map(|(number, order)| Block { cell, number, order }));
        }
        draw.shuffle(&mut blocks);
        blocks
    };
    let (blocks, blocks_max) = (plan.repeat.blocks, plan.repeat.blocks_max());
    Schedule { first: part(0..blocks), extension: part(blocks..blocks_max) }
}

/// `blocks` orders of `variants`: rotations of random permutations, so that each group of `variants` blocks is a Latin
/// square; the groups' rows are then mixed. Two variants: half AB, half BA.
fn orders(variants: usize, blocks: usize, draw: &mut Draw) -> Vec<Vec<usize>> {
    let mut orders = Vec::with_capacity(blocks + variants);
    while orders.len() < blocks {
        let mut row: Vec<usize> = (0..variants).collect();
        draw.shuffle(&mut row);
        for _ in 0..variants {
            orders.push(row.clone());
            row.rotate_left(1);
        }
    }
    orders.truncate(blocks);
    draw.shuffle(&mut orders);
    orders
}

/// Draws from a stream.
struct Draw {
    seed: u64,
    count: u64,
}

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.count += 1;
        below(mix(self.seed, self.count), bound as u64) as usize
    }

    /// Fisher-Yates.
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// What an earlier start of the same bench has left of one block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Earlier {
    /// The attempt in which every variant has a run that is valid and was not interrupted.
    pub(super) complete: Option<u32>,
    /// Attempts that were begun.
    pub(super) attempts: u32,
    /// Of these, void: a run of theirs was invalid.
    void: u32,
}

/// A run of an earlier start, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    cell: u32,
    block: u32,
    attempt: u32,
    invalid: bool,
    interrupted: bool,
}

impl Kept {
    pub(super) fn of(run: &Run) -> Kept {
        Kept {
            cell: run.cell.index,
            block: run.block,
            attempt: run.attempt,
            invalid: run.verdict.result == RunResult::Invalid,
            interrupted: run.ended == Ended::Interrupted,
        }
    }
}

/// What is left of an earlier start, by cell and block.
pub(super) fn earlier(variants: usize, kept: impl Iterator<Item = Kept>) -> BTreeMap<(u32, u32), Earlier> {
    let mut usable: BTreeMap<(u32, u32, u32), usize> = BTreeMap::new();
    let mut void: BTreeSet<(u32, u32, u32)> = BTreeSet::new();
    let mut blocks: BTreeMap<(u32, u32), Earlier> = BTreeMap::new();
    for run in kept {
        let block = blocks.entry((run.cell, run.block)).or_default();
        block.attempts = block.attempts.max(run.attempt + 1);
        if run.invalid && !run.interrupted && void.insert((run.cell, run.block, run.attempt)) {
            block.void += 1;
        }
        if !run.invalid && !run.interrupted {
            let count = usable.entry((run.cell, run.block, run.attempt)).or_default();
            *count += 1;
            if *count == variants {
                block.complete = Some(run.attempt);
            }
        }
    }
    blocks
}

/// How many void blocks of each cell may still be repeated: a fifth of its blocks, rounded down, for beyond a fifth nothing is
/// concluded from the cell; and at least one, so that benches of less than five blocks can be complete. Below 0 where more were
/// void than that.
#[derive(Debug)]
pub(super) struct Repeats {
    left: Vec<i64>,
}

impl Repeats {
    /// What an earlier start of the bench has repeated is taken off.
    pub(super) fn new(blocks: u32, cells: usize, earlier: &BTreeMap<(u32, u32), Earlier>) -> Repeats {
        let mut left = vec![repeats_of(blocks); cells];
        for (&(cell, _), block) in earlier {
            if let Some(left) = left.get_mut(cell as usize) {
                *left -= i64::from(block.void);
            }
        }
        Repeats { left }
    }

    /// A bench of `from` blocks goes on to `to`.
    pub(super) fn extend(&mut self, from: u32, to: u32) {
        self.left.iter_mut().for_each(|left| *left += repeats_of(to) - repeats_of(from));
    }

    pub(super) fn take(&mut self, cell: usize) -> bool {
        let left = &mut self.left[cell];
        let any = *left > 0;
        *left -= i64::from(any);
        any
    }
}

fn repeats_of(blocks: u32) -> i64 {
    i64::from((blocks / 5).max(1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use common::plan::Plan;

    use super::{Block, Earlier, Kept, Repeats, earlier, repeats_of, schedule};

    fn plan(variants: usize, blocks: u32) -> Plan {
        let mut text = format!(
            "name = \"t\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = [1, 2, 3]\nduration_s = 1\n[workers]\ncount = 1\n[repeat]\nblocks = {blocks}\n"
        );
        (0..variants).for_each(|i| text.push_str(&format!("[[variant]]\nname = \"v{i}\"\nengine = \"async\"\n")));
        Plan::parse(&text, &[]).unwrap()
    }

    fn blocks(plan: &Plan) -> Vec<Block> {
        schedule(plan).first
    }

    #[test]
    fn every_block_of_every_cell_is_there_once_with_every_variant_once() {
        let plan = plan(3, 7);
        let blocks = blocks(&plan);
        let mut seen: Vec<(usize, u32)> = blocks.iter().map(|block| (block.cell, block.number)).collect();
        seen.sort_unstable();
        let all: Vec<(usize, u32)> = (0..3).flat_map(|cell| (0..7).map(move |number| (cell, number))).collect();
        assert_eq!(seen, all);
        for block in &blocks {
            let mut order = block.order.clone();
            order.sort_unstable();
            assert_eq!(order, [0, 1, 2]);
        }
    }

    /// A block is complete when one attempt has a valid, uninterrupted run of every variant.
    #[test]
    fn what_an_earlier_start_left_is_judged_by_whole_attempts() {
        let run = |block, attempt, usable: bool| Kept { cell: 0, block, attempt, invalid: !usable, interrupted: false };
        let kept = [
            run(0, 0, true),
            run(0, 0, true),
            Kept { interrupted: true, ..run(1, 0, false) },
            run(1, 0, true),
            run(2, 0, true),
            run(2, 1, false),
            run(2, 1, true),
        ];
        let earlier = earlier(2, kept.into_iter());
        let of = |block| earlier.get(&(0, block)).copied().unwrap_or_default();
        let blocks = [0, 1, 2, 3].map(|block| (of(block).complete, of(block).attempts, of(block).void));
        assert_eq!(blocks, [(Some(0), 1, 0), (None, 1, 0), (None, 2, 1), (None, 0, 0)]);
        // Ten blocks: two repeats a cell, one of which the earlier start has used in the first.
        let mut repeats = Repeats::new(10, 2, &earlier);
        assert_eq!([0, 0, 1, 1, 1].map(|cell| repeats.take(cell)), [true, false, true, true, false]);
        // Fifteen blocks: one more.
        repeats.extend(10, 15);
        assert_eq!([0, 0, 1, 1].map(|cell| repeats.take(cell)), [true, false, true, false]);
        // At most a fifth, but one.
        assert_eq!([1, 4, 5, 9, 10, 14, 15, 30].map(repeats_of), [1, 1, 1, 1, 2, 2, 3, 6]);
        // What was void beyond the fifth is not forgotten.
        let mut repeats =
            Repeats::new(5, 1, &BTreeMap::from([((0, 0), Earlier { complete: None, attempts: 2, void: 2 })]));
        repeats.extend(5, 10);
        assert!(!repeats.take(0));
    }

    /// The first blocks are the same with and without it, and balanced by themselves: the first look is at a whole bench.
    #[test]
    fn an_extension_adds_balanced_blocks_behind_the_first() {
        let plain = plan(2, 8);
        let text = plain.source.replace("blocks = 8", "blocks = 8\nextend_to = 14");
        let extended = schedule(&Plan::parse(&text, &[]).unwrap());
        assert_eq!((&extended.first, schedule(&plain).extension.len()), (&blocks(&plain), 0));
        let mut seen: Vec<(usize, u32)> = extended.extension.iter().map(|block| (block.cell, block.number)).collect();
        assert!(!seen.is_sorted());
        seen.sort_unstable();
        let all: Vec<(usize, u32)> = (0..3).flat_map(|cell| (8..14).map(move |number| (cell, number))).collect();
        assert_eq!(seen, all);
        for cell in 0..3 {
            let first = extended.extension.iter().filter(|block| block.cell == cell && block.order[0] == 0).count();
            assert_eq!(first, 3);
        }
    }

    #[test]
    fn two_variants_are_first_equally_often() {
        let plan = plan(2, 10);
        let blocks = blocks(&plan);
        for cell in 0..3 {
            let first = blocks.iter().filter(|block| block.cell == cell && block.order[0] == 0).count();
            assert_eq!(first, 5);
        }
    }

    #[test]
    fn the_order_is_mixed_and_the_same_for_the_same_seed() {
        let plan = plan(2, 10);
        assert_eq!(blocks(&plan), blocks(&plan));
        let cells: Vec<usize> = blocks(&plan).iter().map(|block| block.cell).collect();
        assert!(!cells.is_sorted());
    }
}
