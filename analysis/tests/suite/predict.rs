//! Predictions beside what runs measured.

use analysis::load::{Mixed, Results};
use analysis::predict::simulate::{Services, waits};
use analysis::tables;
use common::arrivals;
use common::latency::Latency;
use common::plan::Plan;
use common::random::block_seed;
use common::report::comparison::Comparison;
use common::report::prediction::{Predicted, Prediction, PredictionModel};
use common::report::{Pressure, Resource, Run};

use crate::support::{PLAN, compare, named, overload, plan, run, runs, verdict};

/// Four workers that are busy for half of their time, chosen at random.
const SETS: [&str; 5] =
    ["workers.count=4", "workers.choice=random", "load.rate_per_s=1000", "load.duration_s=20", "repeat.blocks=1"];

fn small(more: &[&str]) -> Plan {
    let sets: Vec<String> = SETS.iter().chain(more).map(|&set| set.to_owned()).collect();
    Plan::parse(PLAN, &sets).unwrap()
}

/// Half of the tasks take 1 ms, the others 3.
fn services() -> Latency {
    let mut recorded = Latency::new();
    (0..20_000).for_each(|task| recorded.record(if task % 2 == 0 { 1_000_000 } else { 3_000_000 }));
    recorded
}

/// Makes `run` one whose tasks waited as queues make them, `longer` times as long.
fn queued(run: &mut Run, longer: u64) {
    let settings = &run.plan.settings;
    let seed = block_seed(settings.load.seed, run.cell.index, run.block);
    let schedule = arrivals::schedule(settings, seed);
    let recorded = services();
    let services = Services::of(&recorded).unwrap();
    let (mut queue_wait, mut response) = (Latency::new(), Latency::new());
    let waits = waits(&schedule, &settings.workers, |task| services.draw(12_345, task));
    for (task, wait_ns) in waits.into_iter().enumerate().skip(schedule.warmup) {
        queue_wait.record(longer * wait_ns);
        response.record(longer * wait_ns + services.draw(12_345, task));
    }
    run.arrivals_hash = schedule.hash();
    run.workers.count = settings.workers.total();
    run.latency_us.service = recorded.distribution(0);
    run.latency_us.queue_wait = queue_wait.distribution(0);
    run.latency_us.response = response.distribution(0);
}

fn bench(plan: &Plan, change: impl Fn(&mut Run)) -> Comparison {
    compare(
        plan,
        runs(plan, |run| {
            queued(run, 1);
            change(run);
        }),
    )
}

fn prediction(comparison: &Comparison) -> &Prediction {
    &comparison.cells[0].variants[0].prediction
}

#[track_caller]
fn figure(comparison: &Comparison, model: PredictionModel, name: &str) -> Predicted {
    let model = prediction(comparison).models.iter().find(|one| one.model == model).unwrap();
    assert_eq!(model.reason, "", "{:?}", model.model);
    model.figures.as_ref().unwrap()[name]
}

#[track_caller]
fn check_reasons(comparison: &Comparison, formula: &str, simulation: &str) {
    for model in &prediction(comparison).models {
        let expected = if model.model == PredictionModel::Simulation { simulation } else { formula };
        assert!(model.reason.contains(expected), "{:?}: {:?} does not contain {expected:?}", model.model, model.reason);
        assert_eq!(model.figures.is_none(), !expected.is_empty());
    }
}

#[test]
fn a_run_that_is_nothing_but_queues_is_predicted() {
    let comparison = bench(&small(&[]), |_| {});
    let found = prediction(&comparison);
    assert_eq!((found.block, found.finding.as_str()), (Some(0), ""));
    assert!((found.utilisation.unwrap() - 0.5).abs() < 0.001, "{:?}", found.utilisation);
    for name in ["queue_wait_mean_us", "queue_wait_p90_us", "queue_wait_p99_us", "response_mean_us", "response_p50_us"]
    {
        let Predicted { predicted, measured, residual } = figure(&comparison, PredictionModel::Simulation, name);
        assert!(residual.unwrap().abs() < 0.06, "{name}: {predicted:?}, measured {measured:?}");
    }
    // Pollaczek and Khinchine: 2 ms of service, Cs2 = 1/4, half of the time busy; fewer than 20 000 tasks, so that chance has
    // a hand in it.
    let wait = figure(&comparison, PredictionModel::QueuePerWorker, "queue_wait_mean_us");
    assert!((wait.predicted.unwrap() / 1_250.0 - 1.0).abs() < 0.002, "{wait:?}");
    assert!(wait.residual.unwrap().abs() < 0.15, "{wait:?}");
    // One queue for all would make them wait less, and nobody has measured that: Erlang C (4, 2) is 0.1739.
    let common = figure(&comparison, PredictionModel::CommonQueue, "queue_wait_mean_us");
    assert!((common.predicted.unwrap() / (0.173_913 * 1_000.0 * 0.625) - 1.0).abs() < 0.002, "{common:?}");
    assert_eq!((common.measured, common.residual), (None, None));
    let text = tables::terminal(&comparison);
    assert!(text.contains("predicted, measured") && text.contains("wait mean: formula"), "{text}");
}

#[test]
fn waits_that_queues_do_not_explain_are_a_finding() {
    let plan = small(&[]);
    let comparison = compare(&plan, runs(&plan, |run| queued(run, 3)));
    let finding = &prediction(&comparison).finding;
    assert!(finding.starts_with("tasks wait 2.9 times as long as the queue alone explains ("), "{finding}");
    assert!(tables::terminal(&comparison).contains(finding.split(" (").next().unwrap()));
    let comparison = compare(
        &plan,
        runs(&plan, |run| {
            queued(run, 1);
            run.latency_us.queue_wait.mean = run.latency_us.queue_wait.mean.map(|mean| mean / 4.0);
        }),
    );
    let finding = &prediction(&comparison).finding;
    assert!(finding.starts_with("tasks wait only 0.2"), "{finding}");
    // Idle workers: all of the wait is hand-over. It is said where it is a large part of response, and not elsewhere.
    let idle = small(&["load.rate_per_s=10", "load.duration_s=400"]);
    for (wait_us, expected) in
        [(500.0, "tasks wait, and the queue explains hardly any of it (500 µs measured"), (50.0, "")]
    {
        let comparison = compare(
            &idle,
            runs(&idle, |run| {
                queued(run, 1);
                run.latency_us.queue_wait.mean = Some(wait_us);
            }),
        );
        let finding = &prediction(&comparison).finding;
        assert!(finding.starts_with(expected) && finding.is_empty() == expected.is_empty(), "{finding}");
    }
}

#[test]
fn where_no_model_applies_there_is_a_reason() {
    let plan = small(&[]);
    check_reasons(&bench(&plan, overload), "overloaded", "overloaded");
    check_reasons(&bench(&plan, |run| run.latency_us.service.hdr_v2 = "?".to_owned()), "no histogram", "no histogram");
    check_reasons(&bench(&plan, |run| run.arrivals_hash = "0".to_owned()), "", "do not give the arrivals");
    check_reasons(&bench(&plan, crate::support::invalidate), "no valid run", "no valid run");
    let ramp = small(&["load.arrivals=ramp", "load.rate_end_per_s=1200"]);
    check_reasons(&bench(&ramp, |_| {}), "the rate of arrivals changes", "");
    let busy = small(&["load.rate_per_s=2200"]);
    check_reasons(&bench(&busy, |_| {}), "busy for 1.1 of their time", "");
    let text = tables::terminal(&bench(&plan, overload));
    assert!(!text.contains("predicted"), "{text}");
}

/// A percentile needs 30 tasks beyond it, here as everywhere.
#[test]
fn few_tasks_have_no_percentiles() {
    let comparison = bench(&small(&[]), |run| run.latency_us.queue_wait.n = 2_999);
    let p99 = figure(&comparison, PredictionModel::Simulation, "queue_wait_p99_us");
    assert_eq!((p99.predicted, p99.measured, p99.residual), (None, None, None));
    assert!(figure(&comparison, PredictionModel::Simulation, "queue_wait_p90_us").predicted.is_some());
}

#[test]
fn the_run_is_the_one_in_the_middle() {
    let plan = small(&["repeat.blocks=3"]);
    let p50s = [900.0, 700.0, 800.0];
    let mut all = runs(&plan, |run| {
        queued(run, 1);
        run.latency_us.response.p50 = Some(p50s[run.block as usize]);
    });
    assert_eq!(prediction(&compare(&plan, all.clone())).block, Some(2));
    all.iter_mut()
        .filter(|run| run.block == 2)
        .for_each(|run| run.verdict = verdict(common::report::RunResult::Inconclusive, ""));
    assert_eq!(prediction(&compare(&plan, all)).block, Some(1));
}

#[test]
fn bounds_name_what_is_short_first() {
    let plan = plan(PLAN);
    let mut run = run(&plan, 0, 0, 0);
    // 28 workers of 0.96 ms, 28 connections of 0.96 ms, a server of one thread that takes 50 us, two CPUs shared by all.
    run.host.placement.clear();
    let bounds_of = |run: &Run| {
        let results = Results::new(plan.clone(), named(vec![run.clone()]), Mixed::Refused).unwrap();
        analysis::comparison(&results, None).cells[0].variants[0].prediction.bounds.clone().unwrap()
    };
    let bounds = bounds_of(&run);
    let rates: Vec<(Resource, f64)> =
        bounds.resources.iter().map(|one| (one.resource, one.at_most_per_s.round())).collect();
    assert_eq!(
        rates,
        [
            (Resource::WorkerCpu, 13_333.0),
            (Resource::ServerCpu, 20_000.0),
            (Resource::Workers, 29_167.0),
            (Resource::Connections, 29_167.0)
        ]
    );
    assert_eq!((bounds.bound_by, bounds.completed_per_s), (Resource::WorkerCpu, Some(1000.0)));
    assert!((bounds.used.unwrap() - 0.075).abs() < 1e-9);
    // Half as many permits, for which a task waits 0.16 ms of its time.
    let mut limited = run.clone();
    limited.plan.settings.task.permits = Some(14);
    let mut wait = limited.latency_us.service.clone();
    wait.mean = Some(160.0);
    limited.latency_us.spans.insert("permit_wait".to_owned(), wait);
    let permits = bounds_of(&limited).resources.into_iter().find(|one| one.resource == Resource::Permits).unwrap();
    assert_eq!((permits.units, permits.at_most_per_s.round()), (14.0, 17_500.0));
    // More than workers are no limit.
    limited.plan.settings.task.permits = Some(29);
    assert!(bounds_of(&limited).resources.iter().all(|one| one.resource != Resource::Permits));
    // The server on the same CPUs takes its part of them; other programs may give way.
    let place = |process: &str, cpus: &str| common::report::Placed {
        process: process.to_owned(),
        cpus: cpus.to_owned(),
        group: None,
        weight: None,
        cpu_quota: None,
        memory_limit_bytes: None,
    };
    run.host.placement = vec![place("loadgen", "0-1"), place("redis", "0-1"), place("dyno-0", "0-1")];
    run.machine.others_share = Some(0.1);
    assert!((bounds_of(&run).at_most_per_s - 10_000.0).abs() < 1e-6, "{:?}", bounds_of(&run));
    // CPUs of its own, and a quota on them.
    run.host.placement = vec![place("redis", "0"), place("dyno-0", "1-3")];
    let of = |run: &Run, resource| {
        bounds_of(run).resources.iter().find(|one| one.resource == resource).unwrap().at_most_per_s
    };
    assert!((of(&run, Resource::WorkerCpu) - 20_000.0).abs() < 1e-6);
    run.host.placement[1].cpu_quota = Some(1.5);
    assert!((of(&run, Resource::WorkerCpu) - 10_000.0).abs() < 1e-6);
    // Four threads of the server, and a proxy that has one.
    run.redis_server.io_threads = Some(4);
    run.resources.proxy = Some(common::report::Usage { cpu_us_per_task: Some(200.0), ..Default::default() });
    assert!((of(&run, Resource::ServerCpu) - 80_000.0).abs() < 1e-6);
    assert_eq!(bounds_of(&run).bound_by, Resource::Proxy);
    // More than all of it.
    run.rate_per_s.completed = Some(6_000.0);
    let results = Results::new(plan.clone(), named(vec![run]), Mixed::Refused).unwrap();
    let finding = analysis::comparison(&results, None).cells[0].variants[0].prediction.finding.clone();
    assert!(finding.contains("20 % more was completed than the bounds allow"), "{finding}");
}

/// Runs that completed what this law says, and were at a limit.
fn at_the_limit(run: &mut Run) {
    let workers = f64::from(run.plan.settings.workers.count);
    let wide = run.cell.parameters.get("redis.rtt_us").is_some_and(|rtt_us| rtt_us != 0);
    let sigma = if wide { 0.01 } else { 0.1 };
    overload(run);
    run.workers.count = run.plan.settings.workers.count;
    run.verdict.bottleneck = Some(Pressure { resource: Resource::WorkerCpu, share: 0.97 });
    run.rate_per_s.completed =
        Some(500.0 * workers / (1.0 + sigma * (workers - 1.0) + 0.001 * workers * (workers - 1.0)));
}

#[test]
fn the_scalability_law_is_fitted_where_the_system_was_the_limit() {
    let sweep = |counts: &str| {
        Plan::parse(
            PLAN,
            &[format!("workers.count={counts}"), "redis.rtt_us=[0,200]".to_owned(), "repeat.blocks=2".to_owned()],
        )
        .unwrap()
    };
    let plan = sweep("[1,2,8,32]");
    let comparison = compare(&plan, runs(&plan, at_the_limit));
    assert_eq!(comparison.scalability.len(), 4);
    for entry in &comparison.scalability {
        let law = entry.law.as_ref().unwrap();
        let sigma = if entry.parameters["redis.rtt_us"] == 0 { 0.1 } else { 0.01 };
        assert!((law.sigma.value - sigma).abs() < 1e-6 && (law.kappa.value - 0.001).abs() < 1e-7, "{law:?}");
        assert!((law.lambda_per_s.value - 500.0).abs() < 1e-3 && law.runs == 8, "{law:?}");
        assert_eq!(
            entry.points.iter().map(|point| (point.workers, point.runs, point.limited)).collect::<Vec<_>>(),
            [(1, 2, 2), (2, 2, 2), (8, 2, 2), (32, 2, 2)]
        );
        assert!(entry.points.iter().all(|point| point.residual.unwrap().abs() < 1e-6));
    }
    // As it is before lines are broken.
    let text = tables::terminal(&comparison).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("throughput by number of workers"), "{text}");
    assert!(text.contains("peak 3145 /s at 30 workers,") && text.contains("peak 6951 /s at 31.5 workers,"), "{text}");

    // A run that keeps up says what was asked; a worker that overflowed while nothing was at its limit says nothing.
    let check = |counts: &str, change: fn(&mut Run), expected: &str| {
        let plan = sweep(counts);
        let comparison = compare(&plan, runs(&plan, change));
        let entry = &comparison.scalability[0];
        assert!(entry.law.is_none() && entry.reason.contains(expected), "{entry:?}");
        assert!(!tables::terminal(&comparison).contains("throughput by number"));
    };
    check("[1,2,8,32]", |_| {}, "no run was limited by the system");
    let unlucky = |run: &mut Run| {
        at_the_limit(run);
        run.verdict.bottleneck = Some(Pressure { resource: Resource::WorkerCpu, share: 0.5 });
    };
    check("[1,2,8,32]", unlucky, "no run was limited by the system");
    check("[1,2,8]", at_the_limit, "at 3 of 3 numbers of workers");
    assert_eq!(compare(&small(&[]), runs(&small(&[]), |_| {})).scalability, []);
}
