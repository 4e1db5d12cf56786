//! The answer: its kinds, sweeps in words, headroom, what would change it; and what it never says.

use common::plan::Plan;
use common::report::comparison::{Answer, AnswerKind, Change, Comparison, ContrastVerdict, Level, Lever};
use common::report::{Pressure, Resource, Run, Severity};
use proptest::prelude::*;

use crate::support::{
    PLAN, bench, check, compare, invalidate, is_async, overload, plan, plan_with, runs, scale, scale_cpu, scatter,
};

/// "kind, variant or (tied), level: sentence"
fn said(answer: &Answer) -> String {
    let kind = serde_json::to_value(answer.kind).unwrap();
    let level = answer.certainty.as_ref().map_or("-".to_owned(), |certainty| format!("{:?}", certainty.level));
    let who = answer.variant.clone().unwrap_or_else(|| format!("({})", answer.tied.join(", ")));
    format!("{}, {who}, {level}: {}", kind.as_str().unwrap(), answer.sentence)
}

/// The answer of the default bench, changed.
fn of(runs: Vec<Run>) -> Answer {
    let comparison = compare(&plan(PLAN), runs);
    assert_eq!(comparison.answer, comparison.cells[0].recommendation, "one cell: its answer is the answer");
    comparison.answer
}

/// Async needs `factor` times the CPU in a cell with these parameters.
fn sweep(plan: &Plan, noise: f64, factor: impl Fn(&Run) -> f64) -> Comparison {
    compare(
        plan,
        runs(plan, |run| {
            let factor = if is_async(run) { factor(run) } else { 1.0 };
            scale_cpu(run, scatter(run, noise) * factor);
        }),
    )
}

fn parameter(run: &Run, key: &str) -> f64 {
    run.cell.parameters[key].as_f64().unwrap()
}

#[test]
fn every_kind_of_one_cell() {
    insta::assert_snapshot!(said(&of(bench(0.88, 0.03))), @"wins, async, Moderate: async needs 12 % less CPU per task than threads (95 % interval 9.3 to 15 %, p = 0.002, 10 blocks, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(said(&of(bench(1.4, 0.03))), @"wins, threads, Moderate: async needs 40 % more CPU per task than threads (95 % interval 35 to 44 %, p = 0.002, 10 blocks, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(said(&of(bench(1.0, 0.005))), @"same, (threads, async), Moderate: no difference that matters in CPU per task between async and threads: within 3 % (95 % interval -0.61 % to +0.51 %, p of a larger difference < 0.001, 10 blocks, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(said(&of(bench(1.02, 0.15))), @"unknown, (), None: cannot tell async and threads apart in CPU per task (async +1.5 %, 95 % interval -15 % to +19 %, p = 0.85, 10 blocks): about 793 blocks would tell in four cases of five; both kept up in every block");
    let mut overloaded = bench(1.0, 0.01);
    overloaded.iter_mut().filter(|run| run.block < 8 && is_async(run)).for_each(overload);
    insta::assert_snapshot!(said(&of(overloaded)), @"keeps-up, threads, Moderate: async kept up in 2 of 10 blocks, threads in 10 of 10 blocks (p = 0.008)");
    let mut seldom = bench(1.0, 0.01);
    seldom.iter_mut().filter(|run| run.block < 3 && is_async(run)).for_each(overload);
    insta::assert_snapshot!(said(&of(seldom)), @"unknown, (), None: cannot tell who keeps up: async kept up in 7 of 10 blocks, threads in 10 of 10 blocks (p = 0.25)");
    let mut neither = bench(1.0, 0.01);
    neither.iter_mut().for_each(overload);
    insta::assert_snapshot!(said(&of(neither)), @"keeps-up, (), Moderate: neither keeps up: async kept up in 0 of 10 blocks, threads in 0 of 10 blocks (p = 0.002)");
    let mut void = bench(0.7, 0.01);
    void.iter_mut().filter(|run| run.block < 4).for_each(invalidate);
    insta::assert_snapshot!(said(&of(void)), @"unknown, (), None: cannot tell async and threads apart in CPU per task: 4 attempts void of 10 blocks planned; at most 20 % may be; threads kept up in 6 of 6 blocks and async in 6 of 6 blocks");
    let few: Vec<Run> = bench(0.5, 0.01).into_iter().filter(|run| run.block < 4).collect();
    insta::assert_snapshot!(said(&of(few)), @"unknown, (), None: cannot tell async and threads apart in CPU per task: 6 of 10 blocks not run yet: who stops when a word appears finds too many; --resume completes the bench; threads kept up in 4 of 4 blocks and async in 4 of 4 blocks");
    let single = PLAN.split("[[variant]]\nname = \"async\"").next().unwrap();
    let swept = plan_with_workers(single);
    let enough = runs(&swept, |run| {
        if parameter(run, "workers.count") < 100.0 && run.block > 5 {
            overload(run);
        }
    });
    insta::assert_snapshot!(said(&compare(&swept, enough).answer), @"keeps-up, (), -: one variant only, nothing to compare: threads kept up in every block from 500 workers on, not in every block below");
    insta::assert_snapshot!(said(&compare(&plan(single), runs(&plan(single), |_| {})).answer), @"keeps-up, (), -: one variant only, nothing to compare: threads kept up in 10 of 10 blocks");
}

#[test]
fn of_several_contenders_only_what_was_shown_is_ranked() {
    let text = format!("{PLAN}[[variant]]\nname = \"shared\"\nengine = \"async\"\nconnections = \"shared\"\n");
    let plan = plan(&text);
    let of = |of_async: f64, of_shared: f64, noise: f64| {
        let comparison = compare(
            &plan,
            runs(&plan, |run| {
                let factor = match run.variant.name.as_str() {
                    "async" => of_async,
                    "shared" => of_shared,
                    _ => 1.0,
                };
                scale_cpu(run, scatter(run, noise) * factor);
            }),
        );
        said(&comparison.answer)
    };
    let both = plan_with_workers(&text);
    let by_cell = compare(
        &both,
        runs(&both, |run| {
            let many = parameter(run, "workers.count") > 100.0;
            let factor = match run.variant.name.as_str() {
                "async" if many => 0.9,
                "shared" => 0.6,
                _ => 1.0,
            };
            scale_cpu(run, scatter(run, 0.004) * factor);
            if !many && run.variant.name == "shared" && run.block == 2 {
                overload(run);
            }
        }),
    );
    insta::assert_snapshot!(said(&by_cell.answer), @"wins, shared, Moderate: async needs 10 % less CPU per task than threads from 500 workers on; no difference that matters below (largest adjusted p = 0.008, 10 blocks a cell, uncalibrated); shared needs 40 % less CPU per task than threads in both cells (largest adjusted p = 0.008, 10 blocks a cell, uncalibrated)");
    let held: Vec<&str> = by_cell.answer.held.iter().map(|held| held.sentence.as_str()).collect();
    insta::assert_snapshot!(held.join("\n"), @"
    threads kept up in every block in both cells
    async kept up in every block in both cells
    shared kept up in every block from 500 workers on, not in every block below
    ");
    assert_eq!(by_cell.answer.held[2].cells, [1]);
    // Both better, one beyond the other; both better, which of them unknown; one worse and one the same; all worse.
    insta::assert_snapshot!(of(0.9, 0.6, 0.02), @"wins, shared, Moderate: async needs 10 % less CPU per task than threads (95 % interval 8.1 to 12 %, adjusted p = 0.004, 10 blocks, uncalibrated); shared needs 40 % less CPU per task than threads (95 % interval 39 to 41 %, adjusted p = 0.004, 10 blocks, uncalibrated); all kept up in every block");
    insta::assert_snapshot!(of(0.8, 0.79, 0.04), @"wins, (async, shared), Moderate: async needs 20 % less CPU per task than threads (95 % interval 17 to 24 %, adjusted p = 0.004, 10 blocks, uncalibrated); shared needs 21 % less CPU per task than threads (95 % interval 19 to 23 %, adjusted p = 0.004, 10 blocks, uncalibrated); all kept up in every block");
    insta::assert_snapshot!(of(1.3, 1.0, 0.004), @"same, (threads, shared), Moderate: async needs 30 % more CPU per task than threads (95 % interval 29 to 31 %, adjusted p = 0.004, 10 blocks, uncalibrated); no difference that matters in CPU per task between shared and threads: within 3 % (95 % interval -0.24 % to +0.25 %, p of a larger difference = 0.002, 10 blocks, uncalibrated); all kept up in every block");
    insta::assert_snapshot!(of(1.3, 1.5, 0.01), @"wins, threads, Moderate: async needs 30 % more CPU per task than threads (95 % interval 28 to 31 %, adjusted p = 0.004, 10 blocks, uncalibrated); shared needs 50 % more CPU per task than threads (95 % interval 49 to 51 %, adjusted p = 0.004, 10 blocks, uncalibrated); all kept up in every block");
}

fn plan_with_workers(text: &str) -> Plan {
    Plan::parse(text, &["workers.count=[28, 500]".to_owned()]).unwrap()
}

#[test]
fn one_swept_number_gives_a_crossover() {
    let workers = plan_with(&["workers.count=[500, 28, 100]"]);
    let from = |limit: f64, factor: f64| {
        let of = |run: &Run| if parameter(run, "workers.count") >= limit { factor } else { 1.0 };
        said(&sweep(&workers, 0.004, of).answer)
    };
    insta::assert_snapshot!(from(500.0, 0.9), @"by-cell, (), Moderate: async needs 10 % less CPU per task than threads from 500 workers on; no difference that matters below (largest adjusted p = 0.006, 10 blocks a cell, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(from(100.0, 1.2), @"by-cell, (), Moderate: async needs 20 % more CPU per task than threads from 100 workers on; no difference that matters below (largest adjusted p = 0.006, 10 blocks a cell, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(from(1.0, 0.8), @"wins, async, Moderate: async needs 20 % less CPU per task than threads in all 3 cells (largest adjusted p = 0.006, 10 blocks a cell, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(from(1000.0, 0.8), @"same, (threads, async), Moderate: no difference that matters in CPU per task between async and threads: within 3 % in all 3 cells (largest adjusted p = 0.003, 10 blocks a cell, uncalibrated); both kept up in every block");
    // Better where few, worse where many.
    let crossing = |run: &Run| if parameter(run, "workers.count") < 100.0 { 0.9 } else { 1.1 };
    insta::assert_snapshot!(said(&sweep(&workers, 0.004, crossing).answer), @"by-cell, (), Moderate: async needs 10 % less CPU per task than threads up to 28 workers; async needs 10 % more CPU per task than threads from 100 workers on (largest adjusted p = 0.006, 10 blocks a cell, uncalibrated); both kept up in every block");
    // Only in the middle.
    let middle = |run: &Run| if parameter(run, "workers.count") == 100.0 { 0.9 } else { 1.0 };
    insta::assert_snapshot!(said(&sweep(&workers, 0.004, middle).answer), @"by-cell, (), Moderate: no difference that matters up to 28 workers; async needs 10 % less CPU per task than threads at 100 workers; no difference that matters from 500 workers on (largest adjusted p = 0.006, 10 blocks a cell, uncalibrated); both kept up in every block");
    // Neither of them with few.
    let few = |run: &mut Run| {
        if parameter(run, "workers.count") < 500.0 {
            overload(run);
        }
    };
    insta::assert_snapshot!(said(&compare(&workers, runs(&workers, few)).answer), @"by-cell, (), Moderate: neither async nor threads keeps up with up to 100 workers; no difference that matters from 500 workers on (largest adjusted p = 0.003, 10 blocks a cell, uncalibrated)");
    // Nowhere.
    let mut void = runs(&workers, |run| scale_cpu(run, scatter(run, 0.2)));
    void.iter_mut().filter(|run| run.cell.index < 2 && run.block < 4).for_each(invalidate);
    insta::assert_snapshot!(said(&compare(&workers, void).answer), @"unknown, (), None: cannot tell async and threads apart in CPU per task in any of the 3 cells (smallest adjusted p = 1.00, 6 to 10 of 10 blocks a cell): validity in 2 cells and noise in 1 cell");
    insta::assert_snapshot!(said(&sweep(&workers, 0.2, |_| 1.0).answer), @"unknown, (), None: cannot tell async and threads apart in CPU per task in any of the 3 cells (smallest adjusted p = 1.00, 10 blocks a cell): about 1 408 blocks a cell would tell in four cases of five, more after adjustment for 3 contrasts; both kept up in every block");
}

#[test]
fn several_swept_keys_say_which_cells() {
    let plan = plan_with(&["workers.count=[28, 500]", "redis.rtt_us=[0, 1200, 5000]"]);
    let many = |run: &Run| parameter(run, "workers.count") >= 500.0;
    let far = |run: &Run| parameter(run, "redis.rtt_us") >= 1200.0;
    let when = |is: &dyn Fn(&Run) -> bool| said(&sweep(&plan, 0.004, |run| if is(run) { 0.85 } else { 1.0 }).answer);
    insta::assert_snapshot!(when(&many), @"by-cell, (), Moderate: async needs 15 % less CPU per task than threads from 500 workers on, whatever the distance; no difference that matters below (largest adjusted p = 0.012, 10 blocks a cell, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(when(&|run| many(run) && far(run)), @"by-cell, (), Moderate: async needs 15 % less CPU per task than threads at a distance of 1.2 ms or 5 ms and 500 workers; no difference that matters in cells 0, 1, 2 and 4 (largest adjusted p = 0.012, 10 blocks a cell, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(when(&|run| many(run) != far(run)), @"by-cell, (), Moderate: async needs 15 % less CPU per task than threads in cells 1, 2 and 4; no difference that matters in cells 0, 3 and 5 (largest adjusted p = 0.012, 10 blocks a cell, uncalibrated); both kept up in every block");
}

/// A value of a star's key has met one of the others' values, but for the centre.
#[test]
fn a_star_does_not_say_whatever() {
    let plan = plan_with(&["sweep=star", "workers.count=[100, 28, 500]", "redis.rtt_us=[1200, 0]"]);
    let from = |limit: f64| {
        let of = |run: &Run| if parameter(run, "workers.count") >= limit { 0.85 } else { 1.0 };
        said(&sweep(&plan, 0.004, of).answer)
    };
    insta::assert_snapshot!(from(500.0), @"by-cell, (), Moderate: async needs 15 % less CPU per task than threads from 500 workers on, at a distance of 1.2 ms; no difference that matters below (largest adjusted p = 0.008, 10 blocks a cell, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(from(100.0), @"by-cell, (), Moderate: async needs 15 % less CPU per task than threads from 100 workers on; no difference that matters below, at a distance of 1.2 ms (largest adjusted p = 0.008, 10 blocks a cell, uncalibrated); both kept up in every block");
}

#[test]
fn headroom_is_measured_where_rates_are_swept_and_else_estimated_and_marked() {
    let rates = plan_with(&["load.rate_per_s=[1000, 2000, 4000]"]);
    let comparison = compare(
        &rates,
        runs(&rates, |run| {
            if is_async(run) && parameter(run, "load.rate_per_s") == 4000.0 && run.block == 3 {
                overload(run);
            }
        }),
    );
    let sentences = |answer: &Answer| {
        let sentences: Vec<&str> = answer.headroom.iter().map(|one| one.sentence.as_str()).collect();
        sentences.join("\n")
    };
    insta::assert_snapshot!(sentences(&comparison.answer), @"
    threads held 4000 tasks/s in all 10 runs, 4 times the 1000 tasks/s asked, not measured beyond; estimated, not measured: at most about 8.7 times what was asked, at the same cost per task (server CPU 46 % used)
    async held 2000 tasks/s in all 10 runs, 2 times the 1000 tasks/s asked, and not 4000 tasks/s: ok in 9 of 10 runs
    ");
    insta::assert_snapshot!(sentences(&comparison.cells[2].recommendation), @"
    threads held the 4000 tasks/s asked in all 10 runs: at least 1.0, not measured beyond; estimated, not measured: at most about 2.2 times what was asked, at the same cost per task (server CPU 46 % used)
    async did not hold 4000 tasks/s: ok in 9 of 10 runs
    ");
    let of_async = &comparison.answer.headroom[1];
    assert_eq!((of_async.held_per_s, of_async.failed_per_s), (Some(2000.0), Some(4000.0)));
    assert_eq!((of_async.factor, of_async.runs_ok, of_async.runs), (Some(2.0), 10, 10));
    assert_eq!(of_async.estimate, None, "a rate that did not hold is known: nothing is estimated");

    insta::assert_snapshot!(sentences(&of(bench(1.0, 0.01))), @"
    threads held the 1000 tasks/s asked in all 10 runs: at least 1.0, not measured beyond; estimated, not measured: at most about 2.2 times what was asked, at the same cost per task (server CPU 46 % used)
    async held the 1000 tasks/s asked in all 10 runs: at least 1.0, not measured beyond; estimated, not measured: at most about 2.2 times what was asked, at the same cost per task (server CPU 46 % used)
    ");
    let mut disturbed = bench(1.0, 0.01);
    disturbed.iter_mut().for_each(|run| run.machine.others_share = Some(if is_async(run) { 0.1 } else { 0.3 }));
    let disturbed = of(disturbed);
    insta::assert_snapshot!(sentences(&disturbed), @"
    threads held the 1000 tasks/s asked in all 10 runs: at least 1.0, not measured beyond; nothing is estimated, for other programs used 30 % of the CPUs
    async held the 1000 tasks/s asked in all 10 runs: at least 1.0, not measured beyond; estimated, not measured: at most about 2.2 times what was asked, at the same cost per task (server CPU 46 % used)
    ");
    let [others] = changes(&disturbed, Lever::Measurement)[..] else { panic!("{disturbed:#?}") };
    assert_eq!((others.variant.as_str(), others.figure), ("threads", Some(0.3)));
    // Everything on the machine together is used more than any part of it, and an instrument is no limit of the system.
    let mut shared = bench(1.0, 0.01);
    for run in &mut shared {
        run.pressure.push(Pressure { resource: Resource::Generator, share: 0.8 });
        run.host.placement = ["loadgen", "redis", "dyno-0"].map(placed).to_vec();
        run.resources.loadgen.cpu_user_s = Some(10.0);
        run.resources.loadgen.cpu_sys_s = Some(1.0);
    }
    let answer = of(shared);
    insta::assert_snapshot!(sentences(&answer), @"
    threads held the 1000 tasks/s asked in all 10 runs: at least 1.0, not measured beyond; estimated, not measured: at most about 1.5 times what was asked, at the same cost per task (65 % of all CPUs used, instruments included)
    async held the 1000 tasks/s asked in all 10 runs: at least 1.0, not measured beyond; estimated, not measured: at most about 1.5 times what was asked, at the same cost per task (65 % of all CPUs used, instruments included)
    ");
    let estimate = answer.headroom[0].estimate.as_ref().unwrap();
    assert_eq!(estimate.resource, Resource::ServerCpu);
    // (1.5 + 0.5 + 11) s of 2 CPUs over 10 s.
    assert!((estimate.machine_share.unwrap() - 0.65).abs() < 1e-9 && (estimate.factor - 1.0 / 0.65).abs() < 1e-9);
}

fn placed(process: &str) -> common::report::Placed {
    common::report::Placed {
        process: process.to_owned(),
        cpus: "0-1".to_owned(),
        group: None,
        weight: None,
        cpu_quota: None,
        memory_limit_bytes: None,
    }
}

fn changes(answer: &Answer, lever: Lever) -> Vec<&Change> {
    answer.would_change.iter().filter(|change| change.lever == lever).collect()
}

#[test]
fn what_would_change_it_comes_with_its_figure() {
    let noisy = of(bench(1.02, 0.15));
    let [blocks] = changes(&noisy, Lever::Blocks)[..] else { panic!("{noisy:#?}") };
    let needed = compare(&plan(PLAN), bench(1.02, 0.15)).cells[0].contrasts[0].clone();
    let least = needed.blocks_needed_better.unwrap().min(needed.blocks_needed_same.unwrap());
    assert_eq!(blocks.figure, Some(least as f64));
    assert!(noisy.sentence.contains(&format!("about {least} blocks would tell")), "{}", noisy.sentence);

    let margins = |factor: f64| {
        let answer = of(bench(factor, 0.005));
        changes(&answer, Lever::Margin)[0].sentence.clone()
    };
    insta::assert_snapshot!(margins(0.88), @"with a margin of 14 % or more no difference would matter: the 95 % interval of async lies within it");
    insta::assert_snapshot!(margins(1.0), @"sameness would be shown down to a margin of 0.62 %, within which the 95 % interval of async lies; below it may not be");

    let plan = plan_with(&["variant.async.connections=pool", "variant.async.pool_size=4"]);
    let waiting = compare(
        &plan,
        runs(&plan, |run| {
            if is_async(run) {
                scale(&mut run.latency_us.pool_wait, 120.0);
                run.verdict.bottleneck = Some(Pressure { resource: Resource::Connections, share: 0.97 });
            }
        }),
    );
    let sentences: Vec<&str> = waiting.answer.would_change.iter().map(|change| change.sentence.as_str()).collect();
    insta::assert_snapshot!(sentences.join("\n"), @"async waits 30 % of its service for a connection (pool_size = 4): more of them would shorten that");
    let [wait] = changes(&waiting.answer, Lever::Connections)[..] else { panic!("{waiting:#?}") };
    assert!((wait.figure.unwrap() - 240.0 / 800.0).abs() < 1e-9);
    let limits: Vec<_> =
        waiting.answer.limited_by.iter().map(|one| (one.variant.as_str(), one.resource, one.runs)).collect();
    assert_eq!(limits, [("threads", Resource::ServerCpu, 10), ("async", Resource::Connections, 10)]);
}

#[test]
fn a_cell_names_the_nearest_that_says_something_else() {
    let plan = plan_with(&["workers.count=[28, 100, 500, 1000]"]);
    let few = |run: &Run| if parameter(run, "workers.count") < 500.0 { 1.0 } else { 0.8 };
    let comparison = sweep(&plan, 0.004, few);
    let of = |cell: usize| {
        let answer = &comparison.cells[cell].recommendation;
        changes(answer, Lever::Cell).iter().map(|change| change.sentence.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of(0), ["at 500 workers: async needs 20 % less CPU per task than threads"]);
    assert_eq!(of(3), ["at 100 workers: no difference that matters"]);
}

#[test]
fn doubts_lower_the_certainty() {
    let level = |runs: Vec<Run>| {
        let answer = of(runs);
        (answer.certainty.unwrap().level, answer.doubts)
    };
    assert_eq!(level(bench(0.7, 0.01)), (Level::Moderate, Vec::new()), "uncalibrated: not high");
    let changed = |change: &dyn Fn(&mut Run)| {
        let mut runs = bench(0.7, 0.01);
        runs.iter_mut().for_each(change);
        level(runs)
    };
    let (low, doubts) = changed(&|run| run.forced = vec!["a rate above half of the ceiling".to_owned()]);
    assert_eq!((low, doubts), (Level::Low, vec!["forced: a rate above half of the ceiling".to_owned()]));
    let warns = |blocks: u32| {
        changed(&move |run| {
            if is_async(run) && run.block < blocks {
                run.validity.checks.push(check("ticks", false, Severity::Warning));
            }
        })
    };
    assert_eq!(warns(2), (Level::Moderate, Vec::new()));
    assert_eq!(warns(3), (Level::Low, vec!["checks that warn: ticks in 3 of 10 runs of async".to_owned()]));
    let incomplete = vec!["incomplete: 9 of 10 planned blocks are there and valid".to_owned()];
    let mut void = bench(0.7, 0.01);
    void.iter_mut().filter(|run| run.block == 9 && is_async(run)).for_each(invalidate);
    assert_eq!(level(void), (Level::Low, incomplete.clone()));
    let mut stopped = bench(0.7, 0.01);
    stopped.retain(|run| run.block != 9);
    assert_eq!(level(stopped), (Level::None, incomplete));
    assert_eq!(level(bench(1.0, 0.2)).0, Level::None);
}

/// A bench of two cells in which anything may go wrong.
#[derive(Debug, Clone)]
struct Trouble {
    factors: [f64; 2],
    noise: f64,
    blocks: u32,
    overloaded: [u32; 2],
    invalid: u32,
    unbounded: u32,
    unmeasured: bool,
}

impl Trouble {
    fn comparison(&self, baseline: &str) -> Comparison {
        let plan = plan_with(&["workers.count=[28, 500]", &format!("baseline={baseline}"), "primary=response_p99_us"]);
        let mut runs = runs(&plan, |run| {
            let factor = if is_async(run) { self.factors[run.cell.index as usize] } else { 1.0 };
            let factor = factor * scatter(run, self.noise);
            scale(&mut run.latency_us.response, factor);
            scale(&mut run.latency_us.response_from_send, factor);
            // Variants stand in the plan's order, whichever is the baseline.
            run.position = (run.block + u32::from(is_async(run))) % 2;
            if run.block < self.overloaded[usize::from(is_async(run))] {
                overload(run);
            }
            if run.block < self.unbounded {
                run.latency_us.response.p99 = None;
                run.latency_us.response.unbounded = 500;
            }
            if run.block >= 10 - self.invalid {
                invalidate(run);
            }
            if self.unmeasured {
                run.latency_us.service.mean = None;
                run.pressure.clear();
                run.verdict.bottleneck = None;
            }
        });
        runs.retain(|run| run.block < self.blocks);
        compare(&plan, runs)
    }
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let factor = || prop_oneof![Just(0.5), Just(0.95), Just(1.0), Just(1.01), Just(1.3), Just(4.0), 0.8..1.2f64];
    let noise = prop_oneof![Just(0.0), Just(0.003), 0.0..0.3f64];
    let some = || prop_oneof![Just(0u32), 0..=10u32];
    (
        [factor(), factor()],
        noise,
        prop_oneof![Just(10u32), 1..=10u32],
        [some(), some()],
        prop_oneof![Just(0u32), 0..=4u32],
        prop_oneof![Just(0u32), 0..=4u32],
        any::<bool>(),
    )
        .prop_map(|(factors, noise, blocks, overloaded, invalid, unbounded, unmeasured)| Trouble {
            factors,
            noise,
            blocks,
            overloaded,
            invalid,
            unbounded,
            unmeasured,
        })
}

/// Every text of an answer.
fn texts(answer: &Answer) -> Vec<&String> {
    let headroom = answer.headroom.iter().map(|one| &one.sentence);
    let changes = answer.would_change.iter().map(|one| &one.sentence);
    let held = answer.held.iter().map(|one| &one.sentence);
    let own = [&answer.sentence].into_iter().chain(&answer.doubts).chain(&answer.notes);
    own.chain(held).chain(headroom).chain(changes).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_winner_is_named_only_where_one_was_shown_and_no_sentence_has_a_hole(trouble in trouble()) {
        let comparison = trouble.comparison("threads");
        for cell in &comparison.cells {
            let answer = &cell.recommendation;
            // Under 2 % two binaries may differ by their code layouts: nobody is named for that.
            let shown = cell.contrasts.iter().filter(|contrast| contrast.primary).any(|contrast| {
                matches!(contrast.verdict, ContrastVerdict::Better | ContrastVerdict::Worse)
                    && contrast.ratio.value.is_none_or(|ratio| ratio.ln().abs() >= 1.02f64.ln())
            });
            let keeps_up = cell.keeps_up.iter().any(|one| one.p_value <= 0.05);
            prop_assert!(answer.variant.is_none() || shown || keeps_up, "{answer:#?}");
            prop_assert_eq!(answer.kind == AnswerKind::Wins, shown, "{:#?}", answer);
            let level = answer.certainty.as_ref().unwrap().level;
            prop_assert_eq!(level == Level::None, answer.kind == AnswerKind::Unknown, "{:#?}", answer);
        }
        let answers = comparison.cells.iter().map(|cell| &cell.recommendation).chain([&comparison.answer]);
        for text in answers.flat_map(texts) {
            for hole in ["NaN", "inf", "None", "  ", "()", " ,", " ;", ": ;"] {
                prop_assert!(!text.contains(hole), "{hole:?} in {text:?}");
            }
            prop_assert!(!text.is_empty() && !text.ends_with([' ', ':', ',']), "{text:?}");
        }
        if let Some(variant) = &comparison.answer.variant {
            let in_all = comparison.cells.iter().all(|cell| cell.recommendation.variant.as_ref() == Some(variant));
            prop_assert!(in_all, "{comparison:#?}");
        }
    }

    #[test]
    fn the_answer_does_not_depend_on_which_variant_is_the_baseline(trouble in trouble()) {
        let (forward, backward) = (trouble.comparison("threads"), trouble.comparison("async"));
        let pairs = forward.cells.iter().zip(&backward.cells).map(|(a, b)| (&a.recommendation, &b.recommendation));
        for (a, b) in pairs.chain([(&forward.answer, &backward.answer)]) {
            prop_assert_eq!((a.kind, &a.variant), (b.kind, &b.variant));
            let sorted = |names: &[String]| { let mut names = names.to_vec(); names.sort(); names };
            prop_assert_eq!(sorted(&a.tied), sorted(&b.tied));
            let (a, b) = (a.certainty.as_ref().unwrap(), b.certainty.as_ref().unwrap());
            prop_assert_eq!((a.level, a.cell, a.p, a.blocks), (b.level, b.cell, b.p, b.blocks));
        }
    }
}
