//! A declared extension: two looks, each at 97 %.

use analysis::load::{Mixed, Results};
use common::plan::Plan;
use common::report::Run;
use common::report::comparison::{Cause, Comparison, ContrastVerdict};

use crate::support::{
    CPU, PLAN, check_word, compare, contrast, invalidate, is_async, named, plan, plan_with, run, scale_cpu, scatter,
};

/// 10 blocks, or 20 where they leave it open.
fn declared() -> Plan {
    plan_with(&["repeat.extend_to=20"])
}

/// Blocks 0 to `blocks` of every cell, async needing `factor` times the CPU give or take `noise`.
fn runs(plan: &Plan, blocks: u32, factor: f64, noise: f64) -> Vec<Run> {
    let mut runs = Vec::new();
    for cell in 0..plan.cells.len() {
        for (block, variant) in (0..blocks).flat_map(|block| [(block, 0), (block, 1)]) {
            let mut run = run(plan, cell, block, variant);
            let factor = if is_async(&run) { factor } else { 1.0 };
            let scatter = scatter(&run, noise);
            scale_cpu(&mut run, scatter * factor);
            runs.push(run);
        }
    }
    runs
}

fn undecided(plan: &Plan, runs: Vec<Run>) -> Vec<u32> {
    analysis::undecided(&Results::new(plan.clone(), named(runs), Mixed::Refused).unwrap())
}

/// Look, blocks planned, blocks, of the first cell; whether anything was extended, and whether all is there.
fn state(comparison: &Comparison) -> (u32, u32, u32, bool, bool) {
    let cell = &comparison.cells[0];
    (cell.look, cell.blocks_planned, cell.blocks, comparison.extended, comparison.complete)
}

#[test]
fn a_declared_extension_makes_everything_a_little_less_sure() {
    let plain = compare(&plan(PLAN), runs(&plan(PLAN), 10, 0.9, 0.03));
    let declared = compare(&declared(), runs(&declared(), 10, 0.9, 0.03));
    assert_eq!((plain.alpha, plain.level, plain.looks, plain.extend_to), (0.05, 0.95, 1, None));
    assert_eq!((declared.alpha, declared.level, declared.looks, declared.extend_to), (0.03, 0.97, 2, Some(20)));
    let (narrow, wide) = (contrast(&plain, CPU), contrast(&declared, CPU));
    assert_eq!((narrow.ratio.value, narrow.p_value), (wide.ratio.value, wide.p_value));
    assert!(wide.ratio.low < narrow.ratio.low && narrow.ratio.high < wide.ratio.high);
    assert!(wide.detectable > narrow.detectable);
    assert!((wide.detectable.unwrap() / wide.noise_floor.unwrap() - 1.15).abs() < 1e-9);
}

/// Of ten log ratios the third and the fifth in size point the other way: p = 2 P(W <= 8) = 50 / 1024.
#[test]
fn a_word_at_one_of_two_looks_needs_three_percent() {
    let log_ratios: [f64; 10] = [0.01, 0.02, -0.03, 0.04, -0.05, 0.06, 0.07, 0.08, 0.09, 0.1];
    for (plan, verdict, cause) in
        [(plan(PLAN), ContrastVerdict::Worse, None), (declared(), ContrastVerdict::Unknown, Some(Cause::Noise))]
    {
        let mut runs = runs(&plan, 10, 1.0, 0.0);
        runs.iter_mut()
            .filter(|run| is_async(run))
            .for_each(|run| scale_cpu(run, log_ratios[run.block as usize].exp()));
        let comparison = compare(&plan, runs);
        assert_eq!(contrast(&comparison, CPU).p_value, Some(50.0 / 1024.0));
        check_word(&comparison, CPU, verdict, cause);
    }
}

#[test]
fn only_what_noise_left_open_goes_on() {
    let plan = declared();
    assert_eq!(undecided(&plan, runs(&plan, 10, 0.7, 0.02)), [0; 0], "a difference");
    assert_eq!(undecided(&plan, runs(&plan, 10, 1.0, 0.002)), [0; 0], "none that matters");
    assert_eq!(undecided(&plan, runs(&plan, 10, 1.0, 0.2)), [0]);
    let mut void = runs(&plan, 10, 1.0, 0.2);
    void.iter_mut().filter(|run| run.block < 3).for_each(invalidate);
    assert_eq!(undecided(&plan, void), [0; 0], "more blocks do not mend void ones");
    assert_eq!(
        undecided(&crate::support::plan(PLAN), runs(&crate::support::plan(PLAN), 10, 1.0, 0.2)),
        [0; 0],
        "not declared"
    );
    let sweep = plan_with(&["repeat.extend_to=20", "load.rate_per_s=[1000, 2000]"]);
    let mut one_open = runs(&sweep, 10, 0.7, 0.02);
    one_open.retain(|run| run.cell.index == 0);
    one_open.extend(runs(&sweep, 10, 1.0, 0.2).into_iter().filter(|run| run.cell.index == 1));
    assert_eq!(undecided(&sweep, one_open), [1]);
}

/// The second look does not change what the first one saw: a bench that is resumed goes on in the same cells.
#[test]
fn later_blocks_do_not_change_the_first_look() {
    let plan = declared();
    let mut all = runs(&plan, 10, 1.0, 0.2);
    all.extend(runs(&plan, 20, 0.5, 0.001).into_iter().filter(|run| run.block >= 10));
    assert_eq!(undecided(&plan, all), [0]);
}

#[test]
fn a_bench_says_how_far_it_is() {
    let plan = declared();
    let decided = compare(&plan, runs(&plan, 10, 0.7, 0.02));
    assert_eq!(state(&decided), (1, 10, 10, false, true));
    check_word(&decided, CPU, ContrastVerdict::Better, None);
    // Before the extension has begun.
    assert_eq!(state(&compare(&plan, runs(&plan, 10, 1.0, 0.2))), (1, 10, 10, false, false));
    // In the middle of it nothing may be said, however clear it looks.
    let under_way = compare(&plan, runs(&plan, 14, 0.7, 0.02));
    assert_eq!(state(&under_way), (2, 20, 14, true, false));
    check_word(&under_way, CPU, ContrastVerdict::Unknown, Some(Cause::Incomplete));
    let extended = compare(&plan, runs(&plan, 20, 0.7, 0.02));
    assert_eq!(state(&extended), (2, 20, 20, true, true));
    check_word(&extended, CPU, ContrastVerdict::Better, None);
    let text = analysis::tables::terminal(&extended);
    assert!(text.contains("20 of 20 blocks, extended as declared"), "{text}");
    assert!(text.contains("all intervals are unadjusted 97 % intervals at each of 2 declared looks"), "{text}");
    assert!(text.contains("97 % interval"), "{text}");
}
