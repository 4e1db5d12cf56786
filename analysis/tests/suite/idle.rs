//! Cells in which nothing is asked, and what a second costs by the rate.

use analysis::aa::benches;
use analysis::diff;
use analysis::export::html;
use analysis::export::{csv, json, markdown};
use analysis::load::{Mixed, Results};
use analysis::validate::Schemas;
use analysis::{show, tables};
use common::plan::{Metric, Plan};
use common::report::comparison::{Comparison, ContrastVerdict};
use common::report::prediction::{CostLine, CostOf};
use common::report::{Counts, Distribution, Run, Usage};

use crate::support::{CPU, PLAN, compare, is_async, named, overload, plan_with, runs, scatter};

const RATES: &str = "load.rate_per_s=[0, 500, 1000, 2000]";

/// Of no task at all.
fn nothing() -> Distribution {
    common::latency::Latency::new().distribution(0)
}

/// Makes `run` one of dynos that use `idle_us` a second and `task_us` more for every task; the server half of either.
fn cost(run: &mut Run, idle_us: f64, task_us: f64) {
    let (rate, window_s) = (run.rate_per_s.asked, run.resources.window_s);
    let tasks = rate * window_s;
    let usage = |usage: &mut Usage, part: f64| {
        let cpu_us = part * (idle_us * window_s + task_us * tasks);
        (usage.cpu_user_s, usage.cpu_sys_s) = (Some(0.7e-6 * cpu_us), Some(0.3e-6 * cpu_us));
        usage.cpu_us_per_task = (tasks > 0.0).then(|| cpu_us / tasks);
    };
    usage(&mut run.resources.workers, 1.0);
    usage(&mut run.resources.redis, 0.5);
    run.resources.tasks = Some(tasks as u64);
    if run.plan.settings.load.is_idle() {
        run.counts = Counts::default();
        run.exceedances = None;
        run.redis_work = common::report::RedisWork::default();
        run.backlog.drain_ms = Some(0.0);
        let latency = &mut run.latency_us;
        let parts = [&mut latency.lateness, &mut latency.queue_wait, &mut latency.pool_wait, &mut latency.service];
        parts.into_iter().for_each(|part| *part = nothing());
        (latency.response, latency.response_from_send) = (nothing(), nothing());
        latency.spans.values_mut().for_each(|span| *span = nothing());
        for second in &mut run.timeline {
            (second.sent, second.completed) = (0, 0);
            (second.response_p50_us, second.response_p90_us, second.response_p99_us) = (None, None, None);
            (second.response_max_us, second.service_p50_us) = (None, None);
        }
    }
}

/// Threads use 2 ms/s idle and 150 us a task; async three fourths of the former and nine tenths of the latter. Runs scatter a
/// little.
fn usual(run: &mut Run) {
    let noise = scatter(run, 0.02);
    let (idle, task) = if is_async(run) { (0.75, 0.9) } else { (1.0, 1.0) };
    cost(run, 2_000.0 * idle * noise, 150.0 * task * noise);
}

/// A bench with an idle cell and three others.
pub(crate) fn sample() -> Comparison {
    bench(&[], usual)
}

fn bench(sets: &[&str], change: impl FnMut(&mut Run)) -> Comparison {
    let plan = plan_with(&[&[RATES], sets].concat());
    compare(&plan, runs(&plan, change))
}

fn line<'a>(comparison: &'a Comparison, variant: &str, process: CostOf) -> &'a CostLine {
    comparison.cost_lines.iter().find(|one| one.variant == variant && one.process == process).unwrap()
}

/// In one line, as it is before lines are broken.
fn text(comparison: &Comparison) -> String {
    tables::terminal(comparison).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn where_nothing_is_asked_cpu_by_the_second_is_compared_and_nothing_by_the_task() {
    let comparison = sample();
    let [idle, busy @ ..] = comparison.cells.as_slice() else { panic!("no cells") };
    let metrics = |cell: &common::report::comparison::Cell| -> Vec<Metric> {
        cell.contrasts.iter().map(|contrast| contrast.metric).collect()
    };
    assert_eq!(
        metrics(idle),
        [
            Metric::CpuUsPerS,
            Metric::WorkersCpuUsPerS,
            Metric::RedisCpuUsPerS,
            Metric::RssMaxBytes,
            Metric::DynosStartMs,
            Metric::VoluntarySwitchesPerS,
            Metric::InvoluntarySwitchesPerS,
            Metric::Threads,
            Metric::Sockets
        ]
    );
    assert!(idle.contrasts.iter().all(|contrast| !contrast.primary) && idle.controls.is_empty());
    let cpu = &idle.contrasts[1];
    assert!((cpu.ratio.value.unwrap() - 0.75).abs() < 0.02 && cpu.verdict == ContrastVerdict::Better, "{cpu:#?}");
    let values = |name: &str| idle.variants[0].metrics[name];
    assert!((values("workers_cpu_us_per_s").value.unwrap() / 2_000.0 - 1.0).abs() < 0.02);
    assert_eq!((values("voluntary_switches_per_s").value, values("voluntary_switches_per_task").n), (Some(4_000.0), 0));
    assert_eq!((values("cpu_us_per_task").n, values("completed_per_s").n, values("response_p50_us").n), (0, 0, 0));
    // The family is of the cells that have the primary metric: 2 / 2^10, three times.
    for cell in busy {
        assert!(metrics(cell)[0] == CPU && !metrics(cell).iter().any(|metric| metric.is_by_the_second()));
        let p = cell.contrasts[0].p_adjusted.unwrap();
        assert!((p - 3.0 * 2.0 / 1024.0).abs() < 1e-9, "{p}");
    }
    for reason in idle.variants.iter().flat_map(|one| &one.prediction.models).map(|model| &model.reason) {
        assert_eq!(reason, "nothing was asked");
    }
}

#[test]
fn the_answer_is_of_what_was_asked_and_an_idle_cell_says_what_it_costs() {
    let comparison = sample();
    let said = &comparison.cells[0].recommendation;
    assert!(said.sentence.starts_with("nothing was asked: idle workers of threads use "), "{said:?}");
    assert!(said.sentence.contains(" ms/s of CPU (10 runs) and of async 1.5"), "{said:?}");
    assert_eq!((said.variant.as_ref(), said.certainty.as_ref(), said.headroom.len()), (None, None, 0));
    let answer = &comparison.answer;
    assert_eq!(answer.variant.as_deref(), Some("async"), "{answer:#?}");
    assert!(answer.sentence.contains("in all 3 cells") && !answer.sentence.contains("nothing"), "{answer:#?}");
    assert_eq!(answer.headroom.iter().map(|one| one.asked_per_s).collect::<Vec<_>>(), [500.0, 500.0]);
    // Nothing is steady or not of it, whatever the window; and the answer does not say again that everything held.
    assert!(!said.notes.iter().any(|note| note.contains("steady")), "{said:#?}");
    assert!(!text(&comparison).contains("threads kept up in every block in all 3 cells"));
    let few = bench(&["repeat.blocks=4"], usual);
    let scouting = |notes: &[String]| notes.iter().any(|note| note.starts_with("scouting"));
    let notes = [0, 1].map(|cell| scouting(&few.cells[cell].recommendation.notes));
    assert_eq!((notes, scouting(&few.answer.notes)), ([false, true], true));
    // With one rate besides, that cell's answer is the answer.
    let two = compare(&plan_with(&["load.rate_per_s=[0, 500]"]), {
        let plan = plan_with(&["load.rate_per_s=[0, 500]"]);
        runs(&plan, usual)
    });
    assert_eq!(two.answer, two.cells[1].recommendation);
}

/// Everything that is made of a comparison is made of one with an idle cell, and adds up.
#[test]
fn reports_with_an_idle_cell_are_whole() {
    let plan = plan_with(&[RATES]);
    let all = runs(&plan, usual);
    let comparison = compare(&plan, all.clone());
    let written = json::bytes(&comparison).unwrap();
    let of_run = serde_json::to_string(&all[0]).unwrap();
    for text in [std::str::from_utf8(&written).unwrap(), &of_run] {
        let report = Schemas::default().check("x".as_ref(), text).unwrap();
        assert_eq!(report.violations, []);
    }
    let page = String::from_utf8(html::bytes(&comparison, &written).unwrap()).unwrap();
    for words in ["CPU by rate", "What a second costs", "nothing was asked"] {
        assert!(page.contains(words), "{words}");
    }
    for text in [page, String::from_utf8(csv::bytes(&all).unwrap()).unwrap(), show::text(&all[0])] {
        assert!(!["NaN", "inf "].iter().any(|word| text.contains(word)), "{text}");
    }
    let shown = text(&comparison);
    assert!(shown.contains("cell 0: load.rate_per_s = 0 (10 of 10 blocks)"), "{shown}");
    assert!(!shown.contains("response max - -") && shown.contains("CPU per second, workers"), "{shown}");
    assert!(String::from_utf8(markdown::bytes(&comparison)).unwrap().contains("CPU by rate"));
}

#[test]
fn a_metric_by_the_second_can_be_the_primary_one_with_nothing_but_idle_dynos() {
    let sets = ["load.rate_per_s=0", "primary=workers_cpu_us_per_s"];
    let plan = plan_with(&sets);
    let comparison = compare(&plan, runs(&plan, usual));
    let primary = &comparison.cells[0].contrasts[0];
    assert!(primary.primary && primary.metric == Metric::WorkersCpuUsPerS, "{primary:?}");
    assert_eq!((primary.verdict, comparison.answer.variant.as_deref()), (ContrastVerdict::Better, Some("async")));
    assert_eq!((comparison.answer.headroom.len(), comparison.cost_lines.len()), (0, 0));
    let swept = bench(&["primary=workers_cpu_us_per_s"], usual);
    assert!(swept.cells.iter().all(|cell| cell.contrasts[0].metric == Metric::WorkersCpuUsPerS));
    assert!(swept.cells[0].recommendation.headroom.is_empty());
    assert_eq!(swept.answer.headroom[0].asked_per_s, 500.0, "of rates above 0");
}

#[test]
fn the_cost_line_is_that_of_which_the_runs_are_made() {
    let comparison = bench(&["redis.rtt_us=[0, 200]"], usual);
    assert_eq!(comparison.cost_lines.len(), 2 * 2 * 2);
    for one in &comparison.cost_lines {
        let line = one.line.unwrap();
        let part = if one.process == CostOf::Workers { 1.0 } else { 0.5 };
        let (idle, task) = if one.variant == "async" { (0.75, 0.9) } else { (1.0, 1.0) };
        let near = |value: Option<f64>, expected: f64| (value.unwrap() / (part * expected) - 1.0).abs() < 0.01;
        assert!(near(line.idle_cpu_us_per_s.value, 2_000.0 * idle), "{one:#?}");
        assert!(near(line.cpu_us_per_task.value, 150.0 * task), "{one:#?}");
        assert!(line.idle_cpu_us_per_s.low < line.idle_cpu_us_per_s.value && line.cpu_us_per_task.n == 10);
        assert_eq!(
            one.points.iter().map(|point| (point.rate_per_s, point.runs, point.overloaded)).collect::<Vec<_>>(),
            [(0.0, 10, 0), (500.0, 10, 0), (1000.0, 10, 0), (2000.0, 10, 0)]
        );
        assert!(one.points.iter().all(|point| point.residual.unwrap().value.unwrap().abs() < 0.01), "{one:#?}");
        assert_eq!((one.reason.as_str(), one.finding.as_str()), ("", ""));
    }
    let shown = text(&comparison);
    assert!(shown.contains("CPU by rate (CPU per second = idle + slope x rate)"), "{shown}");
    assert!(shown.contains("threads, redis.rtt_us = 200 workers 500 /s 10 runs 77.1 ms/s"), "{shown}");
}

#[test]
fn cost_that_is_no_line_is_a_finding() {
    let comparison = bench(&[], |run| {
        let shared = 3_000.0 * run.rate_per_s.asked.sqrt();
        let noise = scatter(run, 0.02);
        cost(run, (2_000.0 + shared) * noise, 150.0 * noise);
    });
    let finding = &line(&comparison, "threads", CostOf::Workers).finding;
    let start = "CPU of workers is not idle + slope x rate: at 500 tasks/s the line has ";
    assert!(finding.starts_with(start) && finding.contains("less than was measured (95 % interval -"), "{finding}");
    assert!(text(&comparison).contains(&format!("threads: {finding}")));
}

#[test]
fn a_rate_that_was_not_held_is_in_no_line_and_without_three_there_is_a_reason() {
    let beyond = |from: f64| {
        move |run: &mut Run| {
            usual(run);
            if run.rate_per_s.asked >= from {
                overload(run);
                // Half of what was asked, for less CPU.
                cost(run, 1_000.0, 50.0);
            }
        }
    };
    let comparison = bench(&[], beyond(2000.0));
    let one = line(&comparison, "threads", CostOf::Workers);
    let left_out = &one.points[3];
    assert_eq!((left_out.overloaded, left_out.residual, left_out.predicted_cpu_us_per_s), (10, None, None));
    assert!((one.line.unwrap().cpu_us_per_task.value.unwrap() - 150.0).abs() < 1.0, "{one:#?}");
    assert!(text(&comparison).contains("threads workers 2000 /s 10 runs, 10 overloaded - "));

    let check = |comparison: &Comparison, expected: &str| {
        let one = line(comparison, "threads", CostOf::Redis);
        assert!(one.line.is_none() && one.reason.contains(expected), "{one:#?}");
        assert!(!tables::terminal(comparison).contains("CPU by rate"));
        let page = html::bytes(comparison, &json::bytes(comparison).unwrap()).unwrap();
        assert!(String::from_utf8(page).unwrap().contains(&one.reason), "{}", one.reason);
    };
    check(&bench(&[], beyond(1000.0)), "2 of 4 rates have valid runs of which none was overloaded");
    let unseen = |run: &mut Run| {
        usual(run);
        run.resources.redis = Usage::default();
        run.resources.workers = Usage::default();
    };
    check(&bench(&[], unseen), "no block has CPU of a valid run at every rate");
    let for_nothing = |run: &mut Run| {
        usual(run);
        if run.plan.settings.load.is_idle() {
            cost(run, 0.0, 0.0);
        }
    };
    check(&bench(&[], for_nothing), "redis used no CPU that could be measured");
    let steady = plan_with(&["workers.count=[1, 2]"]);
    assert_eq!(compare(&steady, runs(&steady, |_| {})).cost_lines, []);
}

#[test]
fn diffs_and_benches_of_a_variant_against_itself_leave_the_primary_metric_of_idle_cells_out() {
    let results = |plan: &Plan, change: fn(&mut Run)| {
        Results::new(plan.clone(), named(runs(plan, change)), Mixed::Refused).unwrap()
    };
    let plan = plan_with(&[RATES]);
    let slower = |run: &mut Run| {
        let noise = scatter(run, 0.03);
        cost(run, 4_000.0 * noise, 150.0 * noise);
    };
    let diff = diff::diff(&results(&plan, usual), &results(&plan, slower), Mixed::Refused).unwrap();
    let idle = &diff.cells[0];
    assert!(idle.variants.iter().all(|one| one.changes.iter().all(|change| !change.primary)), "{idle:#?}");
    assert!(idle.relative.is_empty() && !diff.cells[1].relative.is_empty());
    let change = idle.variants[0].changes.iter().find(|change| change.metric == Metric::WorkersCpuUsPerS).unwrap();
    assert!((change.ratio.value.unwrap() - 2.0).abs() < 0.1, "{change:#?}");
    assert!(diff.cells[1].variants[0].changes.iter().all(|change| !change.metric.is_by_the_second()));
    let family = diff.cells[1..].iter().flat_map(|cell| &cell.variants).count() as f64;
    let of = |change: &common::report::diff::Change| change.p_adjusted.unwrap() / change.p_value.unwrap();
    let changes = diff.cells[1..].iter().flat_map(|cell| &cell.variants).map(|one| of(&one.changes[0]));
    assert!(changes.fold(0.0, f64::max) <= family);
    assert!(diff::terminal(&diff).contains("CPU per second, workers"));

    let itself = Plan::parse(PLAN, &[RATES.to_owned()]).unwrap().against_itself("async").unwrap();
    let alike = results(&itself, |run| {
        let noise = scatter(run, 0.02);
        cost(run, 2_000.0 * noise, 150.0 * noise);
    });
    let comparison = analysis::comparison(&alike, None);
    assert!(comparison.aa && comparison.cells[0].recommendation.sentence.starts_with("nothing was asked"));
    assert!(comparison.answer.sentence.starts_with("cell 1: A/A, CPU per task"), "{:?}", comparison.answer);
    let kept = benches(&alike, &comparison);
    assert_eq!(kept.iter().map(|bench| bench.cell).collect::<Vec<_>>(), [1, 2, 3]);
}
