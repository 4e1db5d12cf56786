//! Every plan in `plans/` parses, is called what its file is called, and quotes the write-ups correctly.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and this one reads files; the crate does not"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::plan::{ArrivalProcess, Choice, Connections, DynoClass, Engine, Order, Plan, Published};

/// File name without `.toml` -> plan.
fn plans() -> BTreeMap<String, Plan> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plans");
    let plans: BTreeMap<String, Plan> = fs::read_dir(&directory)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let mut read = |trace: &str| fs::read_to_string(directory.join(trace)).map_err(|error| error.to_string());
            let plan =
                Plan::parse_with(&text, &[], &mut read).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), plan)
        })
        .collect();
    assert!(!plans.is_empty(), "no plans in {}", directory.display());
    plans
}

#[test]
fn every_plan_parses_and_is_called_what_its_file_is_called() {
    for (file, plan) in plans() {
        assert_eq!(plan.name, file);
        assert!(plan.question.ends_with('?'), "{file}: {:?} is no question", plan.question);
    }
}

#[test]
fn the_plan_in_the_readme_parses() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let plan = Plan::parse(rest.split_once("```").unwrap().0, &[]).unwrap();
    assert_eq!((plan.cells.len(), plan.variants.len()), (3, 2));
}

#[test]
fn the_plans_that_compare_have_fair_pairs() {
    let plans = plans();
    for (name, blocks, seconds) in
        [("default", 10, 5.0), ("long", 30, 10.0), ("smoke", 2, 1.0), ("cost", 10, 4.0), ("aa", 10, 2.0)]
    {
        let plan = &plans[name];
        assert_eq!((plan.repeat.blocks, plan.cells[0].settings.load.duration_s), (blocks, seconds), "{name}");
        let [threads, tasks] = plan.variants.as_slice() else { panic!("{name} has not two variants") };
        assert_eq!((threads.engine, tasks.engine), (Engine::Threaded, Engine::Async), "{name}");
        assert_eq!((threads.connections, threads.pool_size), (tasks.connections, tasks.pool_size), "{name}");
    }
}

#[test]
fn the_smoke_plan_takes_less_than_twenty_seconds() {
    let plan = &plans()["smoke"];
    let load = &plan.cells[0].settings.load;
    // One block more is run first and thrown away; half a second a run goes into starting processes, generously.
    let runs = f64::from(plan.repeat.blocks + 1) * plan.variants.len() as f64;
    assert!(runs * (load.warmup_s + load.duration_s + 0.5 + 1.0) < 20.0);
}

/// What was recorded of one dyno: plan, dyno, asked a second, workers, limit, longest list; then what was published.
type Recorded =
    (&'static str, Option<&'static str>, [u32; 4], &'static str, [u64; 2], [f64; 2], [f64; 4], &'static str);

const L7: &str = "automap, Performance-L, Heroku Redis Premium 7";
const X7: &str = "automap, Performance-2XL, Heroku Redis Premium 7";
const X14: &str = "automap, Performance-2XL, Heroku Redis Premium 14";
const OK: &str = "success";
const NO: &str = "failed";
const NO_BUT: &str = "failed, counted as success";

/// `[asked, workers, limit, list_max], result, [sent, completed], [uptime_s, real_per_s], [task, fetch, save, ping], source`
#[rustfmt::skip]
const RECORDED: [Recorded; 18] = [
    ("process-1",   None,      [1000,  28, 100, 100], OK,     [201_335, 201_302], [247.0,  856.0], [  8.6,   3.3,   4.5,  1.2], L7),
    ("process-2",   None,      [2000,  28, 100, 100], NO,     [  6_801,   4_694], [ 23.0,  303.0], [ 21.4,   7.2,  10.6,  3.5], L7),
    ("process-3",   None,      [2000, 100, 100, 100], OK,     [235_164, 235_045], [256.0, 1000.0], [ 16.0,   5.6,   8.1,  2.4], L7),
    ("process-4",   None,      [3000, 300, 100, 100], NO,     [ 78_442,  62_158], [ 68.0, 1174.0], [159.2,  63.8,  62.4, 33.1], X7),
    ("vertical-1",  None,      [3000,  63, 100, 100], NO,     [482_424, 478_814], [213.0, 2278.0], [ 15.9,   6.7,   6.5,  3.2], X14),
    ("vertical-2",  None,      [5000, 500, 100, 100], NO_BUT, [491_907, 476_175], [263.0, 2095.0], [187.6,  75.4,  70.7, 41.5], X14),
    ("vertical-3",  Some("A"), [3000, 200, 100, 100], NO,     [ 34_841,  19_716], [ 62.0,  577.0], [142.0,  56.1,  57.1, 28.7], X14),
    ("vertical-3",  Some("B"), [3000, 200, 100, 100], NO,     [ 35_784,  23_226], [ 75.0,  490.0], [122.8,  49.9,  48.8, 24.4], X14),
    ("vertical-4",  Some("A"), [1500,  63, 100, 100], NO,     [ 16_159,  11_537], [ 53.0,  312.0], [ 44.3,  18.6,  16.8,  9.2], X14),
    ("vertical-4",  Some("B"), [1500,  63, 100, 100], NO,     [ 21_211,  16_963], [ 27.0,  824.0], [ 34.1,  14.6,  13.1,  6.9], X14),
    ("vertical-4b", Some("A"), [1500, 150, 100, 100], OK,     [434_775, 434_409], [264.0, 1852.0], [ 10.8,   4.6,   4.5,  2.1], X14),
    ("vertical-4b", Some("B"), [1500,  63, 150, 100], NO,     [ 25_446,  19_056], [ 41.0,  639.0], [ 38.8,  16.4,  15.0,  7.9], X14),
    ("vertical-5",  Some("A"), [2500, 500, 100, 100], NO,     [ 91_169,  58_267], [ 77.0, 1215.0], [345.1, 137.5, 132.1, 75.5], X14),
    ("vertical-5",  Some("B"), [2500, 500, 100, 100], NO,     [ 85_827,  51_632], [ 99.0,  887.0], [378.2, 149.9, 144.8, 83.6], X14),
    ("vertical-6",  Some("A"), [1000,  63, 100, 100], OK,     [223_518, 223_406], [246.0,  951.0], [  6.6,   2.7,   3.3,  1.2], X14),
    ("vertical-6",  Some("B"), [1000,  63, 100, 100], OK,     [223_685, 223_504], [247.0,  952.0], [  7.5,   3.3,   3.3,  1.4], X14),
    ("vertical-7",  Some("A"), [1000,  63, 100, 200], NO,     [ 20_394,  16_445], [ 37.0,  564.0], [ 65.4,  20.3,  34.7, 11.0], X14),
    ("vertical-7",  Some("B"), [1000,  63, 100, 200], NO,     [ 20_049,  15_792], [ 54.0,  376.0], [ 69.3,  21.5,  36.7, 11.6], X14),
];

/// Of the flash sale: workers, minutes until all was done, most that waited, orders a second.
const SALE: [(u32, u32, u32, f64); 4] =
    [(1, 48, 2784, 1.67), (5, 43, 2858, 1.83), (20, 30, 2630, 1.45), (100, 19, 2746, 2.48)];

fn sale() -> Vec<Published> {
    let of = |&(workers, minutes, deep, per_s): &(u32, u32, u32, f64)| Published {
        sent: Some(3600),
        drain_min: Some(minutes.into()),
        peak: Some(deep.into()),
        ..rate("worker scaling, Go and SQS", workers, "drained".to_owned(), per_s)
    };
    SALE.iter().map(of).collect()
}

/// Of the job queue: slots, CPU in per cent, jobs a second.
const SLOTS: [(u32, u32, f64); 3] = [(2000, 60, 16_000.0), (4000, 90, 24_000.0), (6000, 100, 28_000.0)];

fn slots() -> Vec<Published> {
    let source = "work-factory tuning guide, Rust and Faktory, 4 cores";
    let of = |&(slots, cpu, per_s): &(u32, u32, f64)| Published {
        cpus: Some(4),
        ..rate(source, slots, format!("{cpu} % CPU"), per_s)
    };
    SLOTS.iter().map(of).collect()
}

fn rate(source: &str, workers: u32, result: String, per_s: f64) -> Published {
    Published {
        source: source.to_owned(),
        dyno: None,
        workers: Some(workers),
        cpus: None,
        result,
        sent: None,
        completed: None,
        uptime_s: None,
        real_per_s: Some(per_s),
        drain_min: None,
        peak: None,
        task_ms: None,
        fetch_ms: None,
        save_ms: None,
        ping_ms: None,
    }
}

#[test]
fn published_figures_are_those_of_the_write_up() {
    let plans = plans();
    assert_eq!((&plans["orders"].published, &plans["job-slots"].published), (&sale(), &slots()));
    for (name, plan) in plans.iter().filter(|(name, _)| !["orders", "job-slots"].contains(&name.as_str())) {
        let expected: Vec<Published> = RECORDED
            .iter()
            .filter(|recorded| recorded.0 == *name)
            .map(
                |&(
                    _,
                    dyno,
                    _,
                    result,
                    [sent, completed],
                    [uptime_s, real_per_s],
                    [task, fetch, save, ping],
                    source,
                )| {
                    Published {
                        source: source.to_owned(),
                        dyno: dyno.map(str::to_owned),
                        workers: None,
                        cpus: None,
                        result: result.to_owned(),
                        sent: Some(sent),
                        completed: Some(completed),
                        uptime_s: Some(uptime_s),
                        real_per_s: Some(real_per_s),
                        drain_min: None,
                        peak: None,
                        task_ms: Some(task),
                        fetch_ms: Some(fetch),
                        save_ms: Some(save),
                        ping_ms: Some(ping),
                    }
                },
            )
            .collect();
        assert_eq!(plan.published, expected, "{name}");
    }
}

/// Arrivals alternate between dynos, so the plan's rate is the sum of what was asked of each.
#[test]
fn the_recorded_runs_ask_for_what_the_write_up_asked_for() {
    let plans = plans();
    for (name, plan) in &plans {
        let dynos: Vec<[u32; 4]> = RECORDED.iter().filter(|row| row.0 == name).map(|row| row.2).collect();
        if dynos.is_empty() {
            continue;
        }
        assert_eq!(plan.cells.len(), 1, "{name}");
        let settings = &plan.cells[0].settings;
        let (task, load, workers) = (&settings.task, &settings.load, &settings.workers);
        let asked: u32 = dynos.iter().map(|dyno| dyno[0]).sum();
        assert_eq!(load.rate_per_s, Some(f64::from(asked)), "{name}");
        assert_eq!(
            (load.duration_s, load.warmup_s, load.arrivals, load.seed),
            (240.0, 5.0, ArrivalProcess::Constant, 1)
        );
        assert_eq!(workers.dynos as usize, dynos.len(), "{name}");
        for (dyno, &[_, count, limit, list_max]) in (0..).zip(&dynos) {
            assert_eq!((workers.count_of(dyno), workers.backlog_max_of(dyno)), (count, limit), "{name} dyno {dyno}");
            assert_eq!(task.list_max, list_max, "{name}");
        }
        let class = if plan.published[0].source == L7 { DynoClass::PerformanceL } else { DynoClass::Performance2xl };
        assert_eq!(settings.dyno.as_ref().map(|dyno| dyno.class), Some(class), "{name}");
        assert_eq!((task.payload_kb, task.prefill), (5.0, false), "{name}");
        assert_eq!((workers.choice, workers.order), (Choice::Random, Order::Lifo), "{name}");
        assert_eq!(plan.repeat.blocks, 1, "{name}");
        let engines: Vec<_> = plan.variants.iter().map(|variant| (variant.engine, variant.connections)).collect();
        assert_eq!(engines, [(Engine::Threaded, Connections::Own), (Engine::Async, Connections::Own)], "{name}");
    }
    assert!(RECORDED.iter().all(|row| plans.contains_key(row.0)), "a recorded run has no plan");
}
