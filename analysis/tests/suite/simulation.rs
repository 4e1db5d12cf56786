//! Simulated benches: a machine that drifts from run to run must not make the analysis see what is not there.

use common::plan::{Metric, Plan};
use common::report::Run;
use common::report::comparison::ContrastVerdict;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Normal};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::support::{PLAN, compare, contrast, plan, run, scale_cpu};

/// The two variants under test, `effect` apart in log CPU, on a machine whose speed wanders like a random walk and
/// trends, with noise of its own on every run; orders AB and BA are balanced and permuted, as a bench does it.
fn simulate(plan: &Plan, seed: u64, effect: f64) -> Vec<Run> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let step = Normal::new(0.0, 0.04).unwrap();
    let noise = Normal::new(0.0, 0.05).unwrap();
    let trend = random.random_range(-0.02..0.02);
    let mut baseline_first: Vec<bool> = (0..plan.repeat.blocks).map(|block| block % 2 == 0).collect();
    baseline_first.shuffle(&mut random);
    let mut speed: f64 = 0.0;
    let mut runs = Vec::new();
    for (block, &baseline_first) in baseline_first.iter().enumerate() {
        let order = if baseline_first { [0, 1] } else { [1, 0] };
        for (position, variant) in order.into_iter().enumerate() {
            speed += trend + step.sample(&mut random);
            let mut run = run(plan, 0, block as u32, variant);
            run.position = position as u32;
            scale_cpu(&mut run, (speed + noise.sample(&mut random) + effect * variant as f64).exp());
            runs.push(run);
        }
    }
    runs
}

struct Tally {
    alarms: u32,
    covered: u32,
    same: u32,
}

fn tally(benches: u64, effect: f64) -> Tally {
    let plan = plan(PLAN);
    let mut tally = Tally { alarms: 0, covered: 0, same: 0 };
    for seed in 0..benches {
        let comparison = compare(&plan, simulate(&plan, seed, effect));
        let contrast = contrast(&comparison, Metric::CpuUsPerTask);
        let holds = contrast.ratio.low.unwrap() <= effect.exp() && effect.exp() <= contrast.ratio.high.unwrap();
        tally.covered += u32::from(holds);
        match contrast.verdict {
            ContrastVerdict::Better | ContrastVerdict::Worse => tally.alarms += 1,
            ContrastVerdict::Same => tally.same += 1,
            ContrastVerdict::Unknown => {}
        }
    }
    tally
}

#[test]
fn under_drift_equal_variants_raise_no_more_false_alarms_than_promised() {
    let tally = tally(400, 0.0);
    // 5 % of 400 are 20; three standard errors more are 33. Far fewer would mean that the noise is not there.
    assert!((5..=33).contains(&tally.alarms), "{} alarms", tally.alarms);
    // So much noise cannot show sameness within 3 % in ten blocks, except by chance.
    assert!(tally.same <= 33, "{} times same", tally.same);
}

#[test]
fn under_drift_the_interval_covers_the_truth() {
    let tally = tally(200, -0.2);
    // 95 % of 200 are 190, less three standard errors.
    assert!(tally.covered >= 181, "{} covered", tally.covered);
    // Two log ratios of 0.05 noise and one 0.04 step scatter by 0.08: 0.2 is well above what ten blocks detect.
    assert!(tally.alarms >= 180, "{} of 200 seen", tally.alarms);
}
