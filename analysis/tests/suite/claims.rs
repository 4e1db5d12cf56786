//! What an answer may not claim: a choice by code layouts, a ratio with what failed, a word of a bench that was stopped, overload
//! of what is inconclusive, certainty of what has four chances in five.

use common::plan::Plan;
use common::report::comparison::{Answer, AnswerKind, Cause, Comparison, ContrastVerdict, Level, Lever};
use common::report::{Run, RunResult};

use crate::support::{
    CPU, PLAN, bench, check_word, compare, contrast, is_async, overload, plan, plan_with, runs, scale_cpu, scatter,
    verdict,
};

fn inconclusive(run: &mut Run) {
    run.verdict = verdict(RunResult::Inconclusive, "the backlog may be growing");
}

/// Async needs 1.5 % less, and the margin is 1 %.
fn slight(text: &str) -> Comparison {
    let plan = Plan::parse(text, &["repeat.margin=0.01".to_owned()]).unwrap();
    compare(&plan, runs(&plan, |run| scale_cpu(run, scatter(run, 0.001) * if is_async(run) { 0.985 } else { 1.0 })))
}

#[test]
fn nobody_is_chosen_for_what_code_layouts_may_make() {
    let two_binaries = slight(PLAN);
    check_word(&two_binaries, CPU, ContrastVerdict::Better, None);
    let Answer { kind, variant, sentence, certainty, .. } = &two_binaries.answer;
    assert_eq!((*kind, variant), (AnswerKind::Unknown, &None));
    assert_eq!(certainty.as_ref().unwrap().level, Level::None);
    insta::assert_snapshot!(sentence, @"async needs 1.5 % less CPU per task than threads, which is no reason to choose: under 2 % two binaries may differ by their code layouts alone (95 % interval 1.4 to 1.6 %, p = 0.002, 10 blocks, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(slight(&PLAN.replace("count = 28", "count = [28, 500]")).answer.sentence, @"async needs 1.5 % less CPU per task than threads, too little to choose by between two binaries, in both cells (smallest adjusted p = 0.004, 10 blocks a cell); both kept up in every block");
    // Less in one cell and more in the other are not one difference.
    let signs =
        plan(&PLAN.replace("count = 28", "count = [28, 500]").replace("blocks = 10", "blocks = 10\nmargin = 0.01"));
    let mixed = runs(&signs, |run| {
        let factor = if run.cell.index == 0 { 0.985 } else { 1.015 };
        scale_cpu(run, scatter(run, 0.001) * if is_async(run) { factor } else { 1.0 });
    });
    insta::assert_snapshot!(compare(&signs, mixed).answer.sentence, @"async needs 1.5 % more CPU per task than threads, too little to choose by between two binaries, from 500 workers on; async needs 1.5 % less CPU per task than threads, too little to choose by between two binaries, below (smallest adjusted p = 0.004, 10 blocks a cell); both kept up in every block");
    // One binary under two names.
    let one_binary = slight(&PLAN.replace("engine = \"async\"", "engine = \"threaded\"\nconnections = \"own\""));
    assert_eq!((one_binary.answer.kind, one_binary.answer.variant.as_deref()), (AnswerKind::Wins, Some("async")));
}

/// Who was overloaded did something else than who was not.
#[test]
fn a_cell_with_an_overloaded_variant_has_no_ratio() {
    let mut runs = bench(0.5, 0.01);
    runs.iter_mut().filter(|run| run.block < 2 && is_async(run)).for_each(overload);
    let comparison = compare(&plan(PLAN), runs);
    check_word(&comparison, CPU, ContrastVerdict::Unknown, Some(Cause::Overload));
    let cell = &comparison.cells[0];
    for contrast in cell.contrasts.iter().chain(&cell.controls) {
        let numbers = [contrast.ratio.value, contrast.p_value, contrast.noise_floor, contrast.detectable];
        assert_eq!(numbers, [None; 4], "{contrast:#?}");
    }
    assert!(cell.variants[1].metrics["cpu_us_per_task"].value.is_some());
}

#[test]
fn a_bench_that_was_stopped_says_nothing_of_who_keeps_up() {
    let mut runs = bench(1.0, 0.01);
    runs.iter_mut().filter(|run| is_async(run)).for_each(overload);
    assert_eq!(compare(&plan(PLAN), runs.clone()).answer.kind, AnswerKind::KeepsUp);
    runs.retain(|run| run.block < 7);
    let stopped = compare(&plan(PLAN), runs);
    check_word(&stopped, CPU, ContrastVerdict::Unknown, Some(Cause::Incomplete));
    assert_eq!((stopped.answer.kind, &stopped.answer.variant), (AnswerKind::Unknown, &None));
    assert_eq!(stopped.cells[0].contrasts[0].ratio.value, None, "and nothing of a ratio");
    insta::assert_snapshot!(stopped.answer.sentence, @"cannot tell async and threads apart in CPU per task: 3 of 10 blocks not run yet: who stops when a word appears finds too many; --resume completes the bench; threads kept up in 7 of 7 blocks and async in 0 of 7 blocks");
}

#[test]
fn inconclusive_runs_are_no_overloaded_ones() {
    let of = |overloaded: u32| {
        let mut runs = bench(1.0, 0.01);
        runs.iter_mut().for_each(|run| if run.block < overloaded { overload(run) } else { inconclusive(run) });
        compare(&plan(PLAN), runs).answer
    };
    assert_eq!(of(9).kind, AnswerKind::KeepsUp);
    insta::assert_snapshot!(of(9).sentence, @"neither keeps up: async kept up in 0 of 10 blocks (1 inconclusive), threads in 0 of 10 blocks (1 inconclusive) (p = 0.021)");
    assert_eq!(of(7).kind, AnswerKind::Unknown);
    insta::assert_snapshot!(of(7).sentence, @"cannot tell who keeps up: async kept up in 0 of 10 blocks (3 inconclusive), threads in 0 of 10 blocks (3 inconclusive) (p = 1.00)");

    // Runs that are inconclusive show nothing, of one variant or of both, however many they are.
    let sentence = |blocks: u32, overloaded: [u32; 2]| {
        let text = PLAN.replace("blocks = 10", &format!("blocks = {blocks}"));
        let all = runs(&plan(&text), |run| {
            if run.block < overloaded[usize::from(is_async(run))] { overload(run) } else { inconclusive(run) }
        });
        compare(&plan(&text), all).answer.sentence
    };
    insta::assert_snapshot!(sentence(10, [10, 0]), @"cannot tell who keeps up: async kept up in 0 of 10 blocks (10 inconclusive), threads in 0 of 10 blocks (p = 1.00)");
    insta::assert_snapshot!(sentence(30, [4, 4]), @"cannot tell who keeps up: async kept up in 0 of 30 blocks (26 inconclusive), threads in 0 of 30 blocks (26 inconclusive) (p = 1.00)");

    let rates = plan_with(&["load.rate_per_s=[1000, 2000, 4000]"]);
    let at = |rate: f64, spoil: fn(&mut Run)| {
        let comparison = compare(
            &rates,
            runs(&rates, |run| {
                if is_async(run) && run.cell.parameters["load.rate_per_s"].as_f64() == Some(rate) && run.block == 3 {
                    spoil(run);
                }
            }),
        );
        let Answer { headroom, held, .. } = &comparison.answer;
        (headroom[1].failed_runs_overloaded, format!("{}\n{}", headroom[1].sentence, held[1].sentence))
    };
    let (overloaded, said) = at(2000.0, overload);
    assert_eq!(overloaded, Some(1));
    insta::assert_snapshot!(said, @"
    async held the 1000 tasks/s asked in all 10 runs, and not 2000 tasks/s: ok in 9 of 10 runs
    async kept up in every block up to 1000 tasks/s, not in every block at 2000 tasks/s, in every block from 4000 tasks/s on
    ");
    let (overloaded, said) = at(2000.0, inconclusive);
    assert_eq!(overloaded, Some(0));
    insta::assert_snapshot!(said, @"
    async held the 1000 tasks/s asked in all 10 runs; whether 2000 tasks/s, cannot be told: ok in 9 of 10 runs, inconclusive in the others
    async kept up in every block up to 1000 tasks/s, perhaps at 2000 tasks/s (inconclusive runs), in every block from 4000 tasks/s on
    ");
    let never = runs(&rates, |run| {
        if is_async(run) {
            inconclusive(run)
        }
    });
    insta::assert_snapshot!(compare(&rates, never).answer.held[1].sentence, @"async kept up perhaps in all 3 cells (inconclusive runs)");
    insta::assert_snapshot!(at(1000.0, inconclusive).1, @"
    whether async held 1000 tasks/s cannot be told: ok in 9 of 10 runs, inconclusive in the others
    async kept up in every block from 2000 tasks/s on, perhaps below (inconclusive runs)
    ");
}

#[test]
fn whether_short_windows_are_steady_is_said_not_to_be_judged() {
    let notes = |plan: &Plan, runs: Vec<Run>| {
        let notes = compare(plan, runs).answer.notes;
        notes.into_iter().filter(|note| note.contains("steady")).collect::<Vec<_>>().join("\n")
    };
    let short = plan_with(&["load.duration_s=2"]);
    insta::assert_snapshot!(notes(&short, runs(&short, |_| {})), @"not judged whether steady over the window: threads, async (a third of it must hold a whole second, as it always does from load.duration_s = 6 on)");
    assert_eq!(notes(&plan(PLAN), runs(&plan(PLAN), |_| {})), "");
    insta::assert_snapshot!(notes(&plan(PLAN), runs(&plan(PLAN), |run| if run.block < 5 { run.steady = None })), @"not judged whether steady over the window: threads, async (too few runs say)");
    let ramp = plan_with(&["load.arrivals=ramp", "load.rate_end_per_s=2000", "load.duration_s=2"]);
    assert_eq!(notes(&ramp, runs(&ramp, |_| {})), "", "it changes by plan");
}

/// Runs of blocks that have no partner are judged as those that are shown.
#[test]
fn whether_a_variant_is_steady_is_asked_of_the_runs_that_are_shown() {
    let mut runs = bench(0.7, 0.01);
    for run in runs.iter_mut().filter(|run| is_async(run)) {
        let last_third_p50_us = 900.0 + f64::from(run.block);
        run.steady = Some(common::report::Steady { first_third_p50_us: 1000.0, last_third_p50_us });
    }
    runs.iter_mut().filter(|run| run.block < 2 && !is_async(run)).for_each(crate::support::invalidate);
    let comparison = compare(&plan(PLAN), runs);
    assert_eq!(comparison.cells[0].variants[1].steady.unwrap().n, 10);
    check_word(&comparison, CPU, ContrastVerdict::Unknown, Some(Cause::Unsteady));
}

/// Six of ten blocks have the very same ratio, the others are far off: their median distance is nothing.
#[test]
fn blocks_that_are_alike_detect_nothing_in_particular() {
    let alike = runs(&plan(PLAN), |run| {
        if is_async(run) && run.block >= 6 {
            scale_cpu(run, if run.block % 2 == 0 { 1.5 } else { 0.5 });
        }
    });
    let comparison = compare(&plan(PLAN), alike);
    let contrast = contrast(&comparison, CPU);
    assert_eq!((contrast.noise_floor, contrast.detectable), (Some(0.0), None));
    assert_eq!((contrast.blocks_needed_better, contrast.blocks_needed_same), (None, None));
    insta::assert_snapshot!(contrast.reason, @"the scatter of the blocks cannot be told, for half of them are alike or unbounded: how many would do is not known");
    insta::assert_snapshot!(comparison.answer.sentence, @"cannot tell async and threads apart in CPU per task (async 0 %, 95 % interval -29 % to +22 %, p = 0.85, 10 blocks): the scatter of the blocks cannot be told, for half of them are alike or unbounded: how many would do is not known; both kept up in every block");
}

/// An extension is paid for by intervals of 97 %, wherever one is quoted.
#[test]
fn intervals_are_named_by_their_level() {
    let declared = plan_with(&["repeat.extend_to=20"]);
    let mut disturbed = runs(&declared, |run| scale_cpu(run, scatter(run, 0.01)));
    for run in disturbed.iter_mut().filter(|run| is_async(run)) {
        run.redis_work.command_us_per_task.values_mut().for_each(|us| *us *= 1.2);
    }
    let warned = compare(&declared, disturbed).answer.sentence;
    assert!(warned.starts_with("WARNING") && warned.contains("97 % interval") && !warned.contains("95 %"), "{warned}");
    let itself = PLAN
        .replace("engine = \"async\"", "engine = \"threaded\"")
        .replace("blocks = 10", "blocks = 10\nextend_to = 20");
    let itself = plan(&itself);
    let noisy = runs(&itself, |run| scale_cpu(run, scatter(run, 0.1)));
    let said = compare(&itself, noisy).answer.sentence;
    assert!(said.starts_with("A/A") && said.contains("97 % interval"), "{said}");
}

/// A control that scatters by 20 % would not have shown a disturbance of 5 %.
#[test]
fn a_control_that_tells_nothing_is_said_to() {
    let note = |noise: f64| {
        let runs = runs(&plan(PLAN), |run| {
            let factor = scatter(run, noise);
            run.redis_work.command_us_per_task.values_mut().for_each(|us| *us *= factor);
        });
        let answer = compare(&plan(PLAN), runs).answer;
        answer.notes.into_iter().find(|note| note.contains("control")).unwrap_or_default()
    };
    assert_eq!(note(0.002), "");
    let few = plan_with(&["repeat.blocks=2"]);
    let notes = compare(&few, runs(&few, |_| {})).answer.notes;
    assert!(notes.iter().any(|note| note.contains("too few blocks for an interval")), "{notes:?}");
    insta::assert_snapshot!(note(0.2), @"negative controls that neither changed nor were shown to be the same: server time per command (95 % interval of the ratio 0.781 to 1.226)");
}

/// One p of several is not the p of one.
#[test]
fn an_adjusted_p_is_called_so() {
    let swept = plan_with(&["workers.count=[28, 500]"]);
    let of = |plan: &Plan| {
        let text = analysis::tables::terminal(&compare(
            plan,
            runs(plan, |run| scale_cpu(run, scatter(run, 0.01) * if is_async(run) { 0.8 } else { 1.0 })),
        ));
        let line = text.lines().find(|line| line.contains("how sure")).unwrap_or_default().trim().to_owned();
        (line, text.contains("adjusted p  blocks"))
    };
    assert_eq!(of(&swept), ("how sure: moderate (adjusted p = 0.004, 10 blocks)".to_owned(), true));
    assert_eq!(of(&plan(PLAN)), ("how sure: moderate (p = 0.002, 10 blocks)".to_owned(), false));
}

/// Sameness is tested by an interval of 90 %: the one of 95 % says from where on it is certain, not where it ends.
#[test]
fn a_margin_that_holds_the_interval_shows_sameness() {
    let same = |margin: f64| {
        let plan = plan_with(&[&format!("repeat.margin={margin}")]);
        compare(&plan, runs(&plan, |run| scale_cpu(run, scatter(run, 0.005))))
    };
    let wide = same(0.03);
    let change = wide.answer.would_change.iter().find(|change| change.lever == Lever::Margin).unwrap();
    insta::assert_snapshot!(change.sentence, @"sameness would be shown down to a margin of 0.62 %, within which the 95 % interval of async lies; below it may not be");
    let reach = change.figure.unwrap();
    check_word(&same(reach * 1.0001), CPU, ContrastVerdict::Same, None);
    check_word(&same(reach * 0.97), CPU, ContrastVerdict::Same, None);
    assert_ne!(contrast(&same(reach * 0.3), CPU).verdict, ContrastVerdict::Same);
}
