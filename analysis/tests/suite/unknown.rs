//! What keeps a contrast from a word: void blocks, overload, too few tasks, unbounded values, the generator.

use common::plan::Metric;
use common::report::comparison::{Cause, Comparison, ContrastVerdict, SteadyState};
use common::report::{Ended, Run, Spread, Steady};

use crate::support::{
    CPU, PLAN, bench, check_word, compare, contrast, invalidate, is_async, overload, plan, plan_with, run, runs, scale,
    scale_cpu, scatter,
};

#[test]
fn fewer_than_six_blocks_are_unknown() {
    for (blocks, verdict, cause) in
        [(5, ContrastVerdict::Unknown, Some(Cause::FewBlocks)), (6, ContrastVerdict::Better, None)]
    {
        let runs: Vec<Run> = bench(0.5, 0.01).into_iter().filter(|run| run.block < blocks).collect();
        let plan = plan_with(&[&format!("repeat.blocks={blocks}")]);
        let comparison = compare(&plan, of(&plan, runs));
        check_word(&comparison, CPU, verdict, cause);
        assert_eq!(comparison.cells[0].blocks, blocks);
    }
    let runs: Vec<Run> = bench(0.5, 0.01).into_iter().filter(|run| run.block < 4).collect();
    insta::assert_snapshot!(contrast(&compare(&plan(PLAN), runs), CPU).reason, @"6 of 10 blocks not run yet: who stops when a word appears finds too many; --resume completes the bench");
}

/// The runs of another plan's bench as if they were of `plan`.
fn of(plan: &common::plan::Plan, mut runs: Vec<Run>) -> Vec<Run> {
    runs.iter_mut().for_each(|run| run.plan_hash.clone_from(&plan.hash));
    runs
}

/// A word at an instant that somebody chose is no word; a block that stayed void was tried.
#[test]
fn a_bench_that_was_stopped_is_unknown() {
    let mut runs = bench(0.5, 0.01);
    runs.retain(|run| run.block < 9 || !is_async(run));
    let comparison = compare(&plan(PLAN), runs.clone());
    assert!(!comparison.complete);
    check_word(&comparison, CPU, ContrastVerdict::Unknown, Some(Cause::Incomplete));
    let stopped = contrast(&comparison, CPU);
    assert!(stopped.p_value.is_some() && stopped.p_adjusted.is_none());
    insta::assert_snapshot!(stopped.reason, @"1 of 10 blocks not run yet: who stops when a word appears finds too many; --resume completes the bench");
    runs.iter_mut().filter(|run| run.block == 9).for_each(invalidate);
    let comparison = compare(&plan(PLAN), runs);
    assert!(!comparison.complete);
    check_word(&comparison, CPU, ContrastVerdict::Better, None);
}

/// What cannot be judged may not make the others' p values smaller either.
#[test]
fn a_cell_without_a_verdict_counts_in_the_family_as_no_evidence() {
    let plan = plan(&PLAN.replace("rate_per_s = 1000", "rate_per_s = [1000, 2000]"));
    let adjusted = |void: u32| {
        let runs = runs(&plan, |run| {
            scale_cpu(run, scatter(run, 0.01) * if is_async(run) { 0.7 } else { 1.0 });
            if run.cell.index == 0 && run.block < void {
                invalidate(run);
            }
        });
        compare(&plan, runs).cells.iter().map(|cell| cell.contrasts[0].p_adjusted).collect::<Vec<_>>()
    };
    assert_eq!(adjusted(0), [Some(4.0 / 1024.0); 2]);
    assert_eq!(adjusted(3), [None, Some(4.0 / 1024.0)]);
}

#[test]
fn the_last_complete_valid_attempt_of_a_block_counts() {
    let plan = plan(PLAN);
    let mut runs = bench(1.0, 0.001);
    // Block 3: first attempt void (one run invalid), second whole and 30 % cheaper, third interrupted.
    runs.iter_mut().filter(|run| run.block == 3 && is_async(run)).for_each(invalidate);
    for variant in 0..2 {
        let mut second = run(&plan, 0, 3, variant);
        second.attempt = 1;
        scale_cpu(&mut second, 0.7);
        runs.push(second);
    }
    let mut third = run(&plan, 0, 3, 0);
    third.attempt = 2;
    third.ended = Ended::Interrupted;
    runs.push(third);
    let comparison = compare(&plan, runs);
    let cell = &comparison.cells[0];
    assert_eq!((cell.blocks, cell.blocks_void), (10, 1));
    assert!(comparison.complete);
    assert_eq!((cell.variants[0].runs.ok, cell.variants[1].runs.ok, cell.variants[1].runs.invalid), (12, 10, 1));
    // The void attempt's valid run is not counted twice.
    assert_eq!(cell.variants[0].counts.planned, 100_000);
    assert_eq!(cell.variants[0].metrics["cpu_us_per_task"].n, 10);
    assert_eq!(cell.variants[1].checks_failed["lateness"], 1);
    check_word(&comparison, CPU, ContrastVerdict::Same, None);
}

#[test]
fn too_many_void_blocks_are_unknown() {
    for (void, verdict, cause) in
        [(2, ContrastVerdict::Better, None), (3, ContrastVerdict::Unknown, Some(Cause::Validity))]
    {
        let mut runs = bench(0.7, 0.01);
        runs.iter_mut().filter(|run| run.block < void).for_each(invalidate);
        let comparison = compare(&plan(PLAN), runs);
        assert_eq!(comparison.cells[0].blocks_void, void);
        check_word(&comparison, CPU, verdict, cause);
    }
}

#[test]
fn one_variant_voiding_far_more_is_unknown() {
    let plan = plan_with(&["repeat.blocks=40"]);
    for (by_async, verdict, cause) in
        [(5, ContrastVerdict::Better, None), (6, ContrastVerdict::Unknown, Some(Cause::Validity))]
    {
        let runs = runs(&plan, |run| {
            scale_cpu(run, scatter(run, 0.01) * if is_async(run) { 0.7 } else { 1.0 });
            if run.block < by_async && is_async(run) {
                invalidate(run);
            }
        });
        check_word(&compare(&plan, runs), CPU, verdict, cause);
    }
}

#[test]
fn overloaded_runs_leave_only_who_keeps_up() {
    for (overloaded, verdict, cause, p) in [
        (1, ContrastVerdict::Better, None, 1.0),
        (2, ContrastVerdict::Unknown, Some(Cause::Overload), 0.5),
        (8, ContrastVerdict::Unknown, Some(Cause::Overload), 2.0 / 256.0),
    ] {
        let mut runs = bench(0.7, 0.01);
        runs.iter_mut().filter(|run| run.block < overloaded && !is_async(run)).for_each(overload);
        let comparison = compare(&plan(PLAN), runs);
        check_word(&comparison, CPU, verdict, cause);
        let keeps_up = &comparison.cells[0].keeps_up[0];
        assert_eq!((keeps_up.only_baseline, keeps_up.only_contender), (0, overloaded));
        assert!((keeps_up.p_value - p).abs() < 1e-12);
        let recommended = comparison.cells[0].recommendation.variant.as_deref();
        assert_eq!(recommended, if overloaded == 2 { None } else { Some("async") });
    }
}

#[test]
fn a_percentile_needs_fifty_tasks_beyond_it_in_every_run() {
    for (tasks, cause) in [(5_000, None), (4_999, Some(Cause::FewTasks))] {
        let runs = runs(&plan(PLAN), |run| {
            let noise = scatter(run, 0.001);
            scale(&mut run.latency_us.response, noise);
            if run.block == 7 && is_async(run) {
                run.latency_us.response.n = tasks;
            }
        });
        let comparison = compare(&plan(PLAN), runs);
        assert_eq!(contrast(&comparison, Metric::ResponseP99Us).cause, cause);
        assert_eq!(contrast(&comparison, Metric::ResponseP50Us).cause, None);
    }
}

#[test]
fn what_lies_beyond_a_percentile_must_not_be_a_few_stalls() {
    // Of 200 bins of 50 ms.
    for (bins, clusters, cause) in [
        (10, 10, None),
        (10, 9, Some(Cause::FewClusters)),
        (99, 1, Some(Cause::FewClusters)),
        (100, 1, None),
        (0, 0, Some(Cause::FewClusters)),
    ] {
        let runs = runs(&plan(PLAN), |run| {
            let noise = scatter(run, 0.001);
            scale(&mut run.latency_us.response, noise);
            if run.block == 7 && is_async(run) {
                run.exceedances.as_mut().unwrap().response.p99 = Some(Spread { bins, clusters });
            }
        });
        let comparison = compare(&plan(PLAN), runs);
        let contrast = contrast(&comparison, Metric::ResponseP99Us);
        assert_eq!(contrast.cause, cause, "{bins} bins, {clusters} clusters");
        assert_eq!(contrast.reason.contains("fewer than 10 clusters"), cause.is_some(), "{}", contrast.reason);
    }
    // Nobody says when they ended.
    let runs = runs(&plan(PLAN), |run| run.exceedances = None);
    assert_eq!(contrast(&compare(&plan(PLAN), runs), Metric::ResponseP99Us).cause, Some(Cause::FewClusters));
}

#[test]
fn the_extreme_percentile_is_compared_in_long_windows_only() {
    let of = |sets: &[&str]| {
        let plan = plan_with(sets);
        let comparison = compare(&plan, runs(&plan, |_| {}));
        let cell = &comparison.cells[0];
        let shown = cell.variants[0].metrics["response_p99_9_us"].n;
        let cause = cell.contrasts.iter().find(|one| one.metric == Metric::ResponseP999Us).map(|one| one.cause);
        (shown, cause)
    };
    // 1000 tasks a second: a tenth of the tasks needed; enough to be shown; enough, in too short a window; both.
    assert_eq!(of(&[]), (0, None));
    assert_eq!(of(&["load.duration_s=99"]), (10, None));
    assert_eq!(of(&["load.duration_s=59", "load.rate_per_s=2000"]), (10, None));
    assert_eq!(of(&["load.duration_s=60", "load.rate_per_s=1666"]), (10, None));
    assert_eq!(of(&["load.duration_s=60", "load.rate_per_s=1667"]), (10, Some(None)));
    // As the question of the plan it has a word.
    assert_eq!(of(&["primary=\"response_p99_9_us\""]), (0, Some(Some(Cause::FewTasks))));
}

#[test]
fn unbounded_percentiles() {
    let unbounded = |run: &mut Run| {
        run.latency_us.response.p99 = None;
        run.latency_us.response.unbounded = 500;
    };
    // One side: infinitely worse in three of ten blocks, and much worse in the others.
    let one_side = runs(&plan(PLAN), |run| {
        let factor = if is_async(run) { 1.5 } else { 1.0 };
        let noise = scatter(run, 0.01);
        scale(&mut run.latency_us.response, factor * noise);
        scale(&mut run.latency_us.response_from_send, factor);
        if is_async(run) && run.block < 3 {
            unbounded(run);
        }
    });
    let comparison = compare(&plan(PLAN), one_side);
    check_word(&comparison, Metric::ResponseP99Us, ContrastVerdict::Worse, None);
    let ratio = contrast(&comparison, Metric::ResponseP99Us).ratio;
    assert!(ratio.value.is_some() && ratio.low.is_some());
    assert_eq!(ratio.high, None);
    let of_async = &comparison.cells[0].variants[1].metrics["response_p99_us"];
    assert_eq!((of_async.n, of_async.high), (10, None));
    // Both sides: at most a fifth of the blocks.
    for (blocks, cause) in [(2, None), (3, Some(Cause::Unbounded))] {
        let both = runs(&plan(PLAN), |run| {
            if run.block < blocks {
                unbounded(run)
            }
        });
        assert_eq!(contrast(&compare(&plan(PLAN), both), Metric::ResponseP99Us).cause, cause, "{blocks} blocks");
    }
}

#[test]
fn a_missing_value_is_said_and_a_metric_nobody_measured_is_left_out() {
    let some = runs(&plan(PLAN), |run| {
        if run.block == 2 && is_async(run) {
            run.resources.redis.cpu_us_per_task = None;
        }
        run.resources.workers.sockets = None;
    });
    let comparison = compare(&plan(PLAN), some);
    check_word(&comparison, CPU, ContrastVerdict::Unknown, Some(Cause::NotMeasured));
    assert_eq!(contrast(&comparison, CPU).ratio.value, None);
    assert!(comparison.cells[0].contrasts.iter().all(|contrast| contrast.metric != Metric::Sockets));
    assert_eq!(comparison.cells[0].variants[0].metrics["sockets"].n, 0);
}

#[test]
fn a_difference_the_generator_made_is_unknown() {
    for (from_send, verdict, cause) in
        [(1.25, ContrastVerdict::Worse, None), (0.9, ContrastVerdict::Unknown, Some(Cause::Generator))]
    {
        let runs = runs(&plan(PLAN), |run| {
            let on_async = |factor| if is_async(run) { factor } else { 1.0 };
            let (response, sent) = (on_async(1.3), on_async(from_send));
            let noise = scatter(run, 0.01);
            scale(&mut run.latency_us.response, response * noise);
            scale(&mut run.latency_us.response_from_send, sent * noise);
        });
        let comparison = compare(&plan(PLAN), runs);
        for metric in [Metric::ResponseP50Us, Metric::ResponseP90Us, Metric::ResponseP99Us] {
            check_word(&comparison, metric, verdict, cause);
        }
        // Service says nothing of the generator.
        check_word(&comparison, Metric::ServiceP99Us, ContrastVerdict::Same, None);
    }
}

/// The warm-up is too short for one of them: response falls by a tenth within the window.
#[test]
fn a_variant_that_moves_within_its_window_is_unsteady() {
    let moving = |last_us: f64| {
        let mut runs = bench(0.7, 0.01);
        for run in &mut runs {
            let scatter = 1.0 + 0.01 * f64::from(run.block % 5);
            let last_third_p50_us = if is_async(run) { last_us * scatter } else { 1000.0 * scatter };
            run.steady = Some(Steady { first_third_p50_us: 1000.0, last_third_p50_us });
        }
        compare(&plan(PLAN), runs)
    };
    let unsteady = moving(900.0);
    check_word(&unsteady, CPU, ContrastVerdict::Unknown, Some(Cause::Unsteady));
    insta::assert_snapshot!(contrast(&unsteady, CPU).reason, @"response of async moved by -8.2 % from the first third of the window to the last: raise load.warmup_s");
    let states = |comparison: &Comparison| {
        let states = comparison.cells[0].variants.iter().map(|variant| variant.steady.map(|steady| steady.state));
        states.collect::<Vec<_>>()
    };
    assert_eq!(states(&unsteady), [Some(SteadyState::Steady), Some(SteadyState::Unsteady)]);
    let in_between = moving(960.0);
    check_word(&in_between, CPU, ContrastVerdict::Better, None);
    assert_eq!(states(&in_between), [Some(SteadyState::Steady), Some(SteadyState::Steady)]);
    let wide = moving(930.0);
    check_word(&wide, CPU, ContrastVerdict::Better, None);
    assert_eq!(states(&wide)[1], Some(SteadyState::Unknown));
}
