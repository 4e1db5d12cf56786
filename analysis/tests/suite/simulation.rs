//! Simulated benches: on a machine that drifts, the words and intervals must be wrong no more often than promised, and see
//! what they say that they would see. Seeded: the same benches every time.

use analysis::stats::decide::{Decision, decide};
use analysis::stats::level::Level;
use analysis::stats::signed_rank::{Interval, Walsh};
use analysis::stats::{clopper_pearson, holm, spread, tost};
use common::report::comparison::ContrastVerdict;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Normal, StudentT};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::support::{CPU, PLAN, compare, contrast, plan, run, scale_cpu};

/// Standard deviation of one pair's log ratio of CPU per task on a shared machine with two CPUs.
const SIGMA: f64 = 0.07;
/// What its speed moves between two blocks.
const DRIFT: f64 = 0.15;
/// How surely the bounds on shares hold that tests ask for: all the tests together fail by chance once in fifty rewrites.
const TEST_ALPHA: f64 = 0.001;

/// What the noise of single runs looks like.
#[derive(Debug, Clone, Copy)]
enum Tails {
    Normal,
    /// Student's t with three degrees of freedom: every twentieth run is far out.
    Heavy,
}

/// Two variants on a machine whose speed wanders, with noise of its own on every run.
#[derive(Debug, Clone, Copy)]
struct Machine {
    /// Standard deviation of one pair's log ratio: a third of its variance is drift from one run to the next.
    sigma: f64,
    tails: Tails,
}

/// A run: who, when in its block, and the logarithm of its cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    contender: bool,
    position: u32,
    log: f64,
}

impl Machine {
    /// Blocks of two runs each, the variants `effect` apart; orders AB and BA balanced and permuted, as a bench does it.
    fn blocks(self, random: &mut Xoshiro256PlusPlus, blocks: u32, effect: f64) -> Vec<[Cost; 2]> {
        let part = self.sigma / 3f64.sqrt();
        let (step, between) = (Normal::new(0.0, part).unwrap(), Normal::new(0.0, DRIFT).unwrap());
        let trend = random.random_range(-0.01..0.01);
        let mut contender_first: Vec<bool> = (0..blocks).map(|block| block % 2 == 0).collect();
        contender_first.shuffle(random);
        let mut speed = 0.0;
        let mut block = |contender_first: bool| {
            speed += between.sample(random);
            [0, 1].map(|position| {
                speed += trend + step.sample(random) * f64::from(position);
                let noise = match self.tails {
                    Tails::Normal => Normal::new(0.0, part).unwrap().sample(random),
                    Tails::Heavy => StudentT::new(3.0).unwrap().sample(random) * part / 3f64.sqrt(),
                };
                let contender = contender_first == (position == 0);
                Cost { contender, position, log: speed + noise + if contender { effect } else { 0.0 } }
            })
        };
        contender_first.into_iter().map(&mut block).collect()
    }

    /// The log ratios of these blocks.
    fn log_ratios(self, random: &mut Xoshiro256PlusPlus, blocks: u32, effect: f64) -> Vec<f64> {
        let ratio = |[a, b]: [Cost; 2]| if a.contender { a.log - b.log } else { b.log - a.log };
        self.blocks(random, blocks, effect).into_iter().map(ratio).collect()
    }
}

/// What a bench of one contrast says.
struct Said {
    word: Decision,
    interval: Interval,
}

fn margin() -> f64 {
    1.03f64.ln()
}

fn said(log_ratios: &[f64], level: &Level) -> Said {
    let walsh = Walsh::new(log_ratios);
    let interval = walsh.interval(level.alpha).unwrap();
    let p_same = tost::p_same(&walsh, margin());
    Said { word: decide(Some(walsh.p_two_sided()), Some(p_same), Some(interval), level.alpha), interval }
}

/// A bench that is looked at after the first of `blocks` blocks, and after the second where the first leave it open.
fn said_in_two_looks(random: &mut Xoshiro256PlusPlus, machine: Machine, blocks: [u32; 2], effect: f64) -> Said {
    let mut log_ratios = machine.log_ratios(random, blocks[0], effect);
    let first = said(&log_ratios, &Level::TWO_LOOKS);
    if first.word != Decision::Unknown {
        return first;
    }
    log_ratios.extend(machine.log_ratios(random, blocks[1] - blocks[0], effect));
    said(&log_ratios, &Level::TWO_LOOKS)
}

/// How many of so many benches.
#[derive(Debug, Default)]
struct Tally {
    benches: u32,
    different: u32,
    same: u32,
    covered: u32,
}

impl Tally {
    fn of(seed: u64, benches: u32, effect: f64, mut bench: impl FnMut(&mut Xoshiro256PlusPlus) -> Said) -> Tally {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut tally = Tally { benches, ..Tally::default() };
        for _ in 0..benches {
            let Said { word, interval } = bench(&mut random);
            tally.different += u32::from(word == Decision::Different);
            tally.same += u32::from(word == Decision::Same);
            tally.covered += u32::from(interval.low <= effect && effect <= interval.high);
        }
        tally
    }

    fn once(seed: u64, benches: u32, machine: Machine, blocks: u32, effect: f64) -> Tally {
        Tally::of(seed, benches, effect, |random| said(&machine.log_ratios(random, blocks, effect), &Level::ONE_LOOK))
    }

    fn twice(seed: u64, benches: u32, machine: Machine, blocks: [u32; 2], effect: f64) -> Tally {
        Tally::of(seed, benches, effect, |random| said_in_two_looks(random, machine, blocks, effect))
    }

    /// The share behind `count` of these benches lies, as far as they can tell, within the bounds.
    #[track_caller]
    fn check(&self, count: u32, at_least: f64, at_most: f64, what: &str) {
        let seen = clopper_pearson::interval(count, self.benches, TEST_ALPHA).unwrap();
        assert!(
            seen.high >= at_least && seen.low <= at_most,
            "{what}: {count} of {}, expected {at_least} to {at_most}",
            self.benches
        );
    }
}

const TAILS: [Tails; 2] = [Tails::Normal, Tails::Heavy];

#[test]
fn equal_variants_raise_false_alarms_no_more_often_than_promised() {
    for tails in TAILS {
        for (blocks, benches) in [(6, 2000), (10, 2000), (20, 1000), (30, 600)] {
            let what = format!("{blocks} blocks, {tails:?}");
            let tally = Tally::once(1, benches, Machine { sigma: SIGMA, tails }, blocks, 0.0);
            // Far fewer would mean that the noise is not there.
            tally.check(tally.different, 0.03, 0.05, &what);
            tally.check(tally.covered, 0.95, 1.0, &what);
        }
    }
}

/// An effect on the margin is none that does not matter.
#[test]
fn a_difference_on_the_margin_is_called_same_no_more_often_than_promised() {
    for tails in TAILS {
        for (blocks, benches, sigma) in [(10, 2000, 0.02), (20, 1000, 0.03), (30, 600, 0.04)] {
            for effect in [margin(), -margin()] {
                let tally = Tally::once(2, benches, Machine { sigma, tails }, blocks, effect);
                let what = format!("{blocks} blocks, {tails:?}, {effect}");
                // About as often as that, where blocks scatter so little that they could show sameness at all.
                tally.check(tally.same, 0.02, 0.05, &what);
                tally.check(tally.covered, 0.95, 1.0, &what);
            }
        }
    }
}

#[test]
fn a_detectable_difference_is_seen_in_four_of_five_benches() {
    for level in [Level::ONE_LOOK, Level::TWO_LOOKS] {
        for (blocks, benches) in [(10, 1500), (20, 1000), (30, 600)] {
            let effect = spread::detectable(blocks, SIGMA, &level).unwrap();
            for (tails, at_most) in [(Tails::Normal, 0.82), (Tails::Heavy, 0.95)] {
                let machine = Machine { sigma: SIGMA, tails };
                let tally =
                    Tally::of(3, benches, effect, |random| said(&machine.log_ratios(random, blocks, effect), &level));
                let what = format!("{blocks} blocks at {}, {tails:?}", level.confidence);
                tally.check(tally.different, 0.78, at_most, &what);
            }
        }
    }
}

#[test]
fn the_blocks_that_are_said_to_be_needed_are_enough() {
    let level = Level::ONE_LOOK;
    for sigma in [0.05, 0.04] {
        let machine = Machine { sigma, tails: Tails::Normal };
        let for_same = spread::blocks_needed_same(sigma, margin(), &level).unwrap() as u32;
        let tally = Tally::once(4, 600, machine, for_same, 0.0);
        tally.check(tally.same, 0.78, 0.92, &format!("same in {for_same} blocks"));
        let for_better = spread::blocks_needed_better(sigma, 0.04, &level).unwrap() as u32;
        let tally = Tally::once(5, 600, machine, for_better, 0.04);
        tally.check(tally.different, 0.78, 0.92, &format!("different in {for_better} blocks"));
    }
}

/// Both looks together. The bound is what 97 % at both come to: 5.0 % after 10 and 20 blocks, 5.1 % after 10 and 30.
#[test]
fn a_declared_extension_errs_no_more_often_than_promised() {
    for tails in TAILS {
        for (blocks, benches, at_most) in [([10, 20], 1500, 0.05), ([10, 30], 1000, 0.0515)] {
            let what = format!("{blocks:?} blocks, {tails:?}");
            let noisy = Machine { sigma: SIGMA, tails };
            let tally = Tally::twice(6, benches, noisy, blocks, 0.0);
            tally.check(tally.different, 0.03, at_most, &what);
            tally.check(tally.covered, 1.0 - at_most, 1.0, &what);
            let quiet = Machine { sigma: 0.025, tails };
            let tally = Tally::twice(7, benches, quiet, blocks, margin());
            tally.check(tally.same, 0.02, at_most, &what);
            tally.check(tally.covered, 1.0 - at_most, 1.0, &what);
        }
    }
}

/// What an extension is for: what ten blocks see in four of five benches at one look, 10 and 20 see more often.
#[test]
fn a_declared_extension_sees_more() {
    let machine = Machine { sigma: SIGMA, tails: Tails::Normal };
    let effect = spread::detectable(20, SIGMA, &Level::ONE_LOOK).unwrap();
    let [short, extended] = [Tally::once(8, 600, machine, 10, effect), Tally::twice(8, 600, machine, [10, 20], effect)];
    short.check(short.different, 0.3, 0.55, "10 blocks");
    extended.check(extended.different, 0.72, 0.82, "10 and 20 blocks");
}

/// Six cells, one of them with a difference: how often any of the others is called different.
#[test]
fn families_raise_false_alarms_no_more_often_than_one_contrast() {
    const CELLS: usize = 6;
    let machine = Machine { sigma: SIGMA, tails: Tails::Normal };
    let mut random = Xoshiro256PlusPlus::seed_from_u64(9);
    let mut tally = Tally { benches: 1000, ..Tally::default() };
    for _ in 0..tally.benches {
        let cells: Vec<Walsh> = (0..CELLS)
            .map(|cell| Walsh::new(&machine.log_ratios(&mut random, 20, if cell == 0 { 0.3 } else { 0.0 })))
            .collect();
        let adjusted = holm::adjust(&cells.iter().map(|walsh| Some(walsh.p_two_sided())).collect::<Vec<_>>());
        let different =
            |(walsh, p): (&Walsh, &Option<f64>)| decide(*p, None, walsh.interval(0.05), 0.05) == Decision::Different;
        tally.different += u32::from(cells.iter().zip(&adjusted).skip(1).any(different));
        tally.same += u32::from(different((&cells[0], &adjusted[0])));
    }
    tally.check(tally.different, 0.03, 0.05, "any of five equal ones");
    tally.check(tally.same, 0.99, 1.0, "the different one");
}

/// What is shown above of plain numbers holds of whole benches, because the numbers are the same.
#[test]
fn whole_benches_say_what_their_log_ratios_say() {
    let plan = plan(PLAN);
    for seed in 0..30 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let effect = random.random_range(-0.15..0.15);
        let machine = Machine { sigma: random.random_range(0.01..0.1), tails: Tails::Normal };
        let blocks = machine.blocks(&mut random, plan.repeat.blocks, effect);
        let runs = (0..).zip(&blocks).flat_map(|(block, costs)| costs.iter().map(move |cost| (block, *cost)));
        let runs = runs.map(|(block, cost)| {
            let mut run = run(&plan, 0, block, usize::from(cost.contender));
            run.position = cost.position;
            scale_cpu(&mut run, cost.log.exp());
            run
        });
        let comparison = compare(&plan, runs.collect());
        let contrast = contrast(&comparison, CPU);
        let ratio = |[a, b]: &[Cost; 2]| if a.contender { a.log - b.log } else { b.log - a.log };
        let expected = said(&blocks.iter().map(ratio).collect::<Vec<_>>(), &Level::ONE_LOOK);
        let word = match contrast.verdict {
            ContrastVerdict::Better | ContrastVerdict::Worse => Decision::Different,
            ContrastVerdict::Same => Decision::Same,
            ContrastVerdict::Unknown => Decision::Unknown,
        };
        assert_eq!(word, expected.word, "seed {seed}: {contrast:#?}");
        let close = |found: Option<f64>, expected: f64| (found.unwrap().ln() - expected).abs() < 1e-9;
        assert!(close(contrast.ratio.low, expected.interval.low), "seed {seed}: {contrast:#?}");
        assert!(close(contrast.ratio.high, expected.interval.high), "seed {seed}: {contrast:#?}");
    }
}
