//! All blocks of a plan: in balanced random order, every run stored as it ends, void blocks repeated.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::plan::demand::demand;
use common::plan::{Cell, Plan};
use common::random::{self, Stream, below, block_seed, mix};
use common::report::{Ended, Run, RunResult};

use crate::dynos::Origin;
use crate::error::Interrupted;
use crate::limits::Capacity;
use crate::progress::{Progress, Tail};
use crate::run::{self, Site, Spec};
use crate::server::Source;
use crate::signals::Interrupt;
use crate::store::Store;
use crate::{calibration, host};

/// How often a block is repeated when one of its runs is invalid.
const ATTEMPTS_MAX: u32 = 3;
/// What a run takes besides warm-up and window, for the estimate of the time left.
const OVERHEAD: Duration = Duration::from_millis(1500);

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

/// What came of a bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Blocks in which every run is valid.
    pub blocks: u32,
    /// Blocks that stayed void.
    pub void: u32,
    /// Whether any run ended with another verdict than `ok`: `overloaded`, then `inconclusive`.
    pub overloaded: bool,
    /// As above.
    pub inconclusive: bool,
}

/// The blocks of a plan, cells shuffled. Within a cell every variant runs equally often at every position (as nearly as
/// the number of blocks allows), in random sequence.
#[must_use]
pub fn blocks(plan: &Plan) -> Vec<Block> {
    let seed = plan.cells.first().map_or(0, |cell| cell.settings.load.seed);
    let mut draw = Draw { seed: random::stream(seed, Stream::Schedule), count: 0 };
    let mut blocks = Vec::new();
    for cell in 0..plan.cells.len() {
        for (number, order) in (0..).zip(orders(plan.variants.len(), plan.repeat.blocks as usize, &mut draw)) {
            blocks.push(Block { cell, number, order });
        }
    }
    draw.shuffle(&mut blocks);
    blocks
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
struct Earlier {
    /// The attempt in which every variant has a run that is valid and was not interrupted.
    complete: Option<u32>,
    /// Attempts that were begun.
    attempts: u32,
    /// Of these, void: a run of theirs was invalid.
    void: u32,
}

/// A run of an earlier start, as far as it matters here.
#[derive(Debug, Clone, Copy)]
struct Kept {
    cell: u32,
    block: u32,
    attempt: u32,
    invalid: bool,
    interrupted: bool,
}

impl Kept {
    fn of(run: &Run) -> Kept {
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
fn earlier(variants: usize, kept: impl Iterator<Item = Kept>) -> BTreeMap<(u32, u32), Earlier> {
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

/// Runs every block of the plan, which [`admit`] has let in, and stores every run. Blocks that are complete among the `kept` runs of an earlier start
/// are left out.
///
/// # Errors
/// What kept a run from being measured, or [`Interrupted`]; everything stored so far stays.
pub fn bench(
    plan: &Plan,
    kept: &[Run],
    source: &Source,
    store: &Store,
    interrupt: &Interrupt,
    progress: &mut Progress,
) -> anyhow::Result<Summary> {
    let earlier = earlier(plan.variants.len(), kept.iter().map(Kept::of));
    let of = |block: &Block| earlier.get(&(block.cell as u32, block.number)).copied().unwrap_or_default();
    let mut blocks = blocks(plan);
    let complete = blocks.iter().filter(|block| of(block).complete.is_some()).count() as u32;
    blocks.retain(|block| of(block).complete.is_none());
    let mut pace = Pace::new(plan, &blocks);
    let bench = Bench { plan, source, store, interrupt, rounds_per_us: rounds_per_us(plan) };
    if let Some(first) = blocks.first() {
        // The first block finds cold caches and idle clocks: it is run and thrown away.
        bench.block(first, 0, false, &mut pace, progress)?;
    }
    let counts =
        |run: &&Run| earlier.get(&(run.cell.index, run.block)).is_some_and(|block| block.complete == Some(run.attempt));
    let any = |result| kept.iter().filter(counts).any(|run| run.verdict.result == result);
    let mut summary = Summary {
        blocks: complete,
        void: 0,
        overloaded: any(RunResult::Overloaded),
        inconclusive: any(RunResult::Inconclusive),
    };
    let mut repeats = Repeats::new(plan.repeat.blocks, plan.cells.len(), &earlier);
    for block in &blocks {
        for attempt in 0..ATTEMPTS_MAX {
            let results = bench.block(block, of(block).attempts + attempt, true, &mut pace, progress)?;
            summary.overloaded |= results.contains(&RunResult::Overloaded);
            summary.inconclusive |= results.contains(&RunResult::Inconclusive);
            if !results.contains(&RunResult::Invalid) {
                summary.blocks += 1;
                break;
            }
            if attempt + 1 == ATTEMPTS_MAX || !repeats.take(block.cell) {
                summary.void += 1;
                break;
            }
            pace.runs += plan.variants.len() as u32;
            progress.line("the block is void and is repeated in the same order");
        }
    }
    Ok(summary)
}

/// How many void blocks of each cell may still be repeated: a fifth of its blocks, and at least one.
#[derive(Debug)]
struct Repeats {
    left: Vec<u32>,
}

impl Repeats {
    /// What an earlier start of the bench has repeated is taken off.
    fn new(blocks: u32, cells: usize, earlier: &BTreeMap<(u32, u32), Earlier>) -> Repeats {
        let mut left = vec![blocks.div_ceil(5); cells];
        for (&(cell, _), block) in earlier {
            if let Some(left) = left.get_mut(cell as usize) {
                *left = left.saturating_sub(block.void);
            }
        }
        Repeats { left }
    }

    fn take(&mut self, cell: usize) -> bool {
        let left = &mut self.left[cell];
        let any = *left > 0;
        *left = left.saturating_sub(1);
        any
    }
}

/// Refuses what this machine cannot run, before anything starts.
///
/// # Errors
/// The first shortage.
pub fn admit(plan: &Plan, source: &Source) -> anyhow::Result<()> {
    let capacity = Capacity::read();
    for cell in &plan.cells {
        for variant in &plan.variants {
            capacity.admit(&demand(&cell.settings, variant), source.is_private())?;
        }
    }
    Ok(())
}

/// How fast this host computes, if any task of the plan does; else 0, and nothing is measured.
#[must_use]
pub fn rounds_per_us(plan: &Plan) -> f64 {
    let computes = plan.cells.iter().any(|cell| cell.settings.task.cpu_us > 0.0);
    if computes { calibration::rounds_per_us(&host::read().fingerprint) } else { 0.0 }
}

/// Counts runs and guesses the time left.
struct Pace {
    done: u32,
    runs: u32,
    mean: Duration,
}

impl Pace {
    fn new(plan: &Plan, blocks: &[Block]) -> Pace {
        let of = |cell: &Cell| {
            Duration::from_secs_f64(cell.settings.load.duration_s + cell.settings.load.warmup_s) + OVERHEAD
        };
        let cells = plan.cells.len().max(1) as u32;
        let mean = plan.cells.iter().map(of).sum::<Duration>() / cells;
        Pace { done: 0, runs: (blocks.len() as u32 + 1) * plan.variants.len() as u32, mean }
    }

    fn left(&self) -> Duration {
        self.mean * self.runs.saturating_sub(self.done)
    }
}

struct Bench<'a> {
    plan: &'a Plan,
    source: &'a Source,
    store: &'a Store,
    interrupt: &'a Interrupt,
    rounds_per_us: f64,
}

impl Bench<'_> {
    /// Runs every variant of a block, back to back.
    fn block(
        &self,
        block: &Block,
        attempt: u32,
        keep: bool,
        pace: &mut Pace,
        progress: &mut Progress,
    ) -> anyhow::Result<Vec<RunResult>> {
        let cell = &self.plan.cells[block.cell];
        let seed = block_seed(cell.settings.load.seed, cell.index, block.number);
        let padding = below(random::stream(seed, Stream::Nuisance), 4096) as usize;
        let mut results = Vec::new();
        for (position, &variant) in (0..).zip(&block.order) {
            self.interrupt.check()?;
            let variant = &self.plan.variants[variant];
            let spec = Spec { plan: self.plan, cell, variant, block: block.number, position, attempt, seed };
            let site = Site {
                source: self.source,
                dynos: Origin::Spawned { padding },
                directory: self.store.directory(),
                interrupt: self.interrupt,
                rounds_per_us: self.rounds_per_us,
            };
            let mut what = format!("{} block {}", variant.name, block.number);
            for (key, value) in &cell.parameters {
                what.push_str(&format!(" {key}={value}"));
            }
            if !keep {
                what = format!("{} to warm up, not kept", variant.name);
            }
            progress.begin(pace.done + 1, pace.runs, &what, pace.left());
            pace.done += 1;
            let run = run::run(&spec, &site, progress)?;
            progress.end(&line(&run));
            results.push(run.verdict.result);
            if keep {
                self.store.write_run(&run)?;
            }
            if run.ended == Ended::Interrupted {
                return Err(Interrupted.into());
            }
        }
        Ok(results)
    }
}

/// A run in one line.
fn line(run: &Run) -> String {
    let us = |us: Option<f64>| us.map_or("-".to_owned(), |us| format!("{us:.0}"));
    let (workers, redis) = (&run.resources.workers, &run.resources.redis);
    let cpu = format!("{} us workers + {} us redis", us(workers.cpu_us_per_task), us(redis.cpu_us_per_task));
    let rate = run.rate_per_s.completed.map_or("-".to_owned(), |rate| format!("{rate:.0}"));
    let response = &run.latency_us.response;
    let tail = Tail::of(response.n, |p| match p {
        0.99 => response.p99,
        0.9 => response.p90,
        _ => response.p50,
    });
    let why = if run.verdict.result == RunResult::Ok { String::new() } else { format!(" ({})", run.verdict.reason) };
    format!("{}{why}: {rate}/s, {tail}, CPU {cpu} a task", run.verdict.result)
}

#[cfg(test)]
mod tests {
    use common::plan::Plan;

    use super::{Kept, Repeats, blocks, earlier};

    fn plan(variants: usize, blocks: u32) -> Plan {
        let mut text = format!(
            "name = \"t\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = [1, 2, 3]\nduration_s = 1\n[workers]\ncount = 1\n[repeat]\nblocks = {blocks}\n"
        );
        (0..variants).for_each(|i| text.push_str(&format!("[[variant]]\nname = \"v{i}\"\nengine = \"async\"\n")));
        Plan::parse(&text, &[]).unwrap()
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
