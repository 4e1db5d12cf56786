//! A/A: what is kept of a bench of a variant against itself, what it says of the host, and what verdicts make of it; the
//! negative controls.

use std::path::Path;

use analysis::aa::summary::Summary;
use analysis::aa::{benches, store};
use analysis::load::{Mixed, Results};
use assert_cmd::Command;
use common::plan::{Engine, Metric, Plan};
use common::report::Run;
use common::report::SCHEMA_VERSION;
use common::report::aa::{AaBench, AaKind, AaStore};
use common::report::comparison::{Cause, Comparison, ContrastVerdict};

use crate::support::{CPU, PLAN, bench, contrast, is_async, named, plan, queue, runs, scale, scale_cpu, scatter};

/// The runs of an A/A bench of `variant` in which the second name needs `factor` times the CPU, give or take 2 %.
fn against_itself(variant: &str, seed: u64, factor: f64) -> (Results, Comparison) {
    let plan = Plan::parse(PLAN, &[format!("load.seed={seed}")]).unwrap().against_itself(variant).unwrap();
    let runs = runs(&plan, |run| {
        let second = run.variant.name.ends_with("-b");
        let place = f64::from(run.block) * 2.399_963 + seed as f64 + f64::from(u8::from(second));
        scale_cpu(run, (0.02 * place.sin()).exp() * if second { factor } else { 1.0 });
    });
    let results = Results::new(plan, named(runs), Mixed::Refused).unwrap();
    let comparison = analysis::comparison(&results, None);
    (results, comparison)
}

fn of(variant: &str, seed: u64, factor: f64) -> AaBench {
    let (results, comparison) = against_itself(variant, seed, factor);
    benches(&results, &comparison).remove(0)
}

fn store_of(benches: Vec<AaBench>) -> AaStore {
    AaStore { kind: AaKind::Aa, schema_version: SCHEMA_VERSION, host: "00000000000000aa".to_owned(), benches }
}

fn compare(runs: Vec<Run>, aa: &AaStore) -> Comparison {
    analysis::comparison(&Results::new(plan(PLAN), named(runs), Mixed::Refused).unwrap(), Some(aa))
}

#[test]
fn a_bench_of_a_variant_against_itself_recommends_nothing_and_is_kept() {
    let (results, comparison) = against_itself("async", 1, 1.0);
    assert!(comparison.aa);
    let recommendation = &comparison.cells[0].recommendation;
    assert_eq!(recommendation.variant, None);
    assert!(
        recommendation.sentence.starts_with("A/A, CPU per task of async-b against async-a: no alarm"),
        "{recommendation:?}"
    );
    let [kept] = benches(&results, &comparison).try_into().unwrap();
    assert_eq!((kept.engine, kept.blocks, kept.duration_s), (Engine::Async, 10, 10.0));
    let cpu = &kept.metrics["cpu_us_per_task"];
    assert!(cpu.primary && !cpu.alarm && !kept.metrics["threads"].primary);
    assert_eq!(cpu.log_ratios.len(), 10);
    let of_first_block: Vec<f64> =
        results.runs()[..2].iter().map(|run| run.resources.workers.cpu_us_per_task.unwrap()).collect();
    assert!((cpu.log_ratios[0] - (of_first_block[1] / of_first_block[0]).ln()).abs() < 1e-12);
    assert!(kept.metrics.contains_key("redis_us_per_command"), "controls are calibrated too");
    // What every comparison is, is none of an ordinary bench.
    let ordinary = Results::new(plan(PLAN), named(bench(0.8, 0.01)), Mixed::Refused).unwrap();
    let comparison = analysis::comparison(&ordinary, None);
    assert!(!comparison.aa && benches(&ordinary, &comparison).is_empty());
}

#[test]
fn an_alarm_is_said_and_an_incomplete_bench_is_not_kept() {
    let (results, comparison) = against_itself("threads", 1, 1.3);
    assert!(benches(&results, &comparison)[0].metrics["cpu_us_per_task"].alarm);
    assert!(comparison.cells[0].recommendation.sentence.contains("ALARM"), "{comparison:?}");
    assert_eq!(comparison.cells[0].recommendation.variant, None);
    let plan = results.plan().clone();
    let fewer = results.runs().iter().filter(|run| run.block < 9).cloned().collect();
    let results = Results::new(plan, named(fewer), Mixed::Refused).unwrap();
    assert!(benches(&results, &analysis::comparison(&results, None)).is_empty());
}

/// A contrast of both engines needs A/A benches of both; it takes its scatter from them if theirs is larger and their blocks are
/// as long.
#[test]
fn aa_benches_of_both_engines_calibrate_a_contrast() {
    let aa: Vec<AaBench> = (1..=3).flat_map(|seed| [of("threads", seed, 1.0), of("async", seed, 1.0)]).collect();
    let quiet = || bench(0.8, 0.0001);
    let of_cpu = |aa: &[AaBench]| contrast(&compare(quiet(), &store_of(aa.to_vec())), CPU).clone();
    let none = of_cpu(&[]);
    assert!(!none.calibrated && none.aa.is_none());
    assert!(!of_cpu(&aa.iter().filter(|one| one.engine == Engine::Async).cloned().collect::<Vec<_>>()).calibrated);
    let all = of_cpu(&aa);
    let pool = all.aa.unwrap();
    assert!(all.calibrated);
    assert_eq!((pool.benches, pool.blocks, all.verdict), (6, 60, ContrastVerdict::Better));
    assert_eq!(all.noise_floor, pool.noise_floor, "the A/A blocks scatter more");
    assert!(all.detectable > none.detectable);
    // What fits: the same host, version, scheduling; for the scatter also the same task and length.
    let changed = |change: fn(&mut AaBench)| {
        let mut aa = aa.clone();
        aa.iter_mut().for_each(change);
        of_cpu(&aa)
    };
    assert!(!changed(|bench| bench.headroom = "0.0.9".to_owned()).calibrated);
    assert!(!changed(|bench| bench.scheduling = "nothing equal".to_owned()).calibrated);
    let shorter = changed(|bench| bench.duration_s = 2.0);
    assert!(shorter.calibrated);
    assert_eq!((shorter.aa.unwrap().noise_floor, shorter.noise_floor), (None, none.noise_floor));
    let mut elsewhere = store_of(aa.clone());
    elsewhere.host = "00000000000000bb".to_owned();
    assert!(!contrast(&compare(quiet(), &elsewhere), CPU).calibrated);
    let tables = analysis::tables::terminal(&compare(quiet(), &store_of(aa.clone())));
    assert!(!tables.contains("uncalibrated") && !tables.contains("from these alone"), "{tables}");
    let shorter = aa.into_iter().map(|bench| AaBench { duration_s: 2.0, ..bench }).collect();
    let tables = analysis::tables::terminal(&compare(quiet(), &store_of(shorter)));
    assert!(!tables.contains("uncalibrated") && tables.contains("from these alone"), "{tables}");
}

#[test]
fn a_biased_instrument_gives_no_word() {
    let aa: Vec<AaBench> = (1..=3).flat_map(|seed| [of("threads", seed, 1.05), of("async", seed, 1.05)]).collect();
    let comparison = compare(bench(0.5, 0.001), &store_of(aa));
    let cpu = contrast(&comparison, CPU);
    assert_eq!((cpu.verdict, cpu.cause), (ContrastVerdict::Unknown, Some(Cause::BiasedInstrument)));
    assert!(cpu.reason.contains("60 A/A blocks of this host find a ratio of 1.0"), "{}", cpu.reason);
    assert!(cpu.ratio.value.is_some() && cpu.p_value.is_some(), "the figures stay");
    assert_eq!(contrast(&comparison, Metric::Threads).cause, None, "other metrics are not touched");
    assert!(analysis::tables::terminal(&comparison).contains("unknown: biased instrument"));
    assert_eq!(comparison.cells[0].recommendation.variant, None);
    // An A/A bench is judged as if nothing were known.
    let (results, alone) = against_itself("async", 9, 1.0);
    let known = store_of(vec![of("async", 1, 1.05)]);
    assert_eq!(analysis::comparison(&results, Some(&known)), alone);
}

/// Both engines ask the server the same: where it takes longer for one of them, something else made the difference.
#[test]
fn a_negative_control_that_moves_takes_the_place_of_the_recommendation() {
    let with_server_time = |factor: f64| {
        let mut runs = bench(0.8, 0.01);
        for run in &mut runs {
            let noise = scatter(run, 0.002);
            let factor = if is_async(run) { factor } else { 1.0 };
            run.redis_work.command_us_per_task.values_mut().for_each(|us| *us *= factor * noise);
        }
        compare(runs, &store_of(Vec::new()))
    };
    let same = with_server_time(1.0);
    let [control] = same.cells[0].controls.as_slice() else { panic!("{:?}", same.cells[0].controls) };
    assert_eq!((control.metric, control.verdict), (Metric::RedisUsPerCommand, ContrastVerdict::Same));
    assert_eq!(same.cells[0].recommendation.variant.as_deref(), Some("async"));
    assert!(same.cells[0].contrasts.iter().all(|contrast| !contrast.metric.is_control()));
    let moved = with_server_time(1.2);
    assert_eq!(moved.cells[0].controls[0].verdict, ContrastVerdict::Worse);
    let recommendation = &moved.cells[0].recommendation;
    assert_eq!(recommendation.variant, None);
    assert!(
        recommendation.sentence.contains("server time per command, async / threads: ratio 1.2"),
        "{recommendation:?}"
    );
    assert!(analysis::tables::terminal(&moved).contains("negative control"));
}

/// The median of `compute` is one where tasks compute, unless another thread does it for the worker.
#[test]
fn what_tasks_compute_is_a_control_where_the_worker_does_it() {
    use common::plan::CpuPlacement;
    for (placement, controls) in [(CpuPlacement::Inline, 2), (CpuPlacement::SpawnBlocking, 1)] {
        let name = serde_json::to_value(placement).unwrap();
        let plan = Plan::parse(PLAN, &[format!("variant.async.cpu_placement={name}")]).unwrap();
        let runs = runs(&plan, |run| {
            let mut span = run.latency_us.spans["fetch"].clone();
            scale(&mut span, 1.0);
            run.latency_us.spans.insert("compute".to_owned(), span);
        });
        let comparison = analysis::comparison(&Results::new(plan, named(runs), Mixed::Refused).unwrap(), None);
        assert_eq!(comparison.cells[0].controls.len(), controls, "{placement:?}");
    }
}

/// How many commands a claim carries tasks for is the variant's doing, and with it how long a command takes.
#[test]
fn the_servers_time_per_command_is_no_control_out_of_a_queue() {
    let plan = Plan::parse(PLAN, &["task.kind=job".to_owned()]).unwrap();
    let runs = runs(&plan, |run| run.queue = Some(queue()));
    let comparison = analysis::comparison(&Results::new(plan, named(runs), Mixed::Refused).unwrap(), None);
    let cell = &comparison.cells[0];
    assert!(cell.variants.iter().all(|variant| variant.metrics["redis_us_per_command"].n > 0), "it was measured");
    assert_eq!((cell.controls.len(), cell.contrasts.is_empty()), (0, false));
    assert!(!analysis::tables::terminal(&comparison).contains("server time per command"));
}

#[test]
fn the_store_keeps_every_bench_once_and_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let path = store::path(dir.path(), "00000000000000aa");
    assert_eq!(store::read_if_there(&path).unwrap(), None);
    let (first, second) = (of("async", 1, 1.0), of("threads", 2, 1.0));
    store::keep(&path, "00000000000000aa", vec![first.clone()]).unwrap();
    store::keep(&path, "00000000000000aa", vec![second.clone()]).unwrap();
    // Resumed, or compared again.
    assert_eq!(store::keep(&path, "00000000000000aa", vec![first.clone()]).unwrap(), None);
    assert_eq!(store::read(&path).unwrap(), store_of(vec![second, first.clone()]));
    assert_eq!(store::paths(dir.path()).unwrap(), std::slice::from_ref(&path));
    let another = |number: u32| AaBench { started_at: format!("2026-11-26T00:00:{number:03}Z"), ..first.clone() };
    store::keep(&path, "00000000000000aa", (0..120).map(another).collect()).unwrap();
    let kept = store::read(&path).unwrap().benches;
    assert_eq!((kept.len(), &kept[99].started_at), (100, &another(119).started_at));
    let mut files: Vec<_> = path.parent().unwrap().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| *file != path);
    assert!(files.is_empty(), "{files:?}");
}

#[test]
fn files_of_other_versions_are_refused_and_set_aside_by_name() {
    let bench = of("async", 1, 1.0);
    for (text, says, aside) in [
        ("{\"schema_version\": 0, \"kind\": \"aa\"}", "\"schema_version\" is 0, this analysis reads 1", "version-0"),
        ("{\"schema_version\": 7, \"kind\": \"aa\"}", "\"schema_version\" is 7", "version-7"),
        ("{\"schema_version\": 1, \"kind\": \"run\"}", "\"kind\" is \"run\"", "unreadable"),
        ("?", "not a aa that can be read", "unreadable"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = store::path(dir.path(), "00000000000000aa");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        let refused = store::read(&path).unwrap_err().to_string();
        assert!(refused.contains(says) && refused.contains(path.to_str().unwrap()), "{refused}");
        let moved = store::keep(&path, "00000000000000aa", vec![bench.clone()]).unwrap().unwrap();
        assert!(moved.to_str().unwrap().ends_with(&format!("-aa.json.{aside}")), "{moved:?}");
        assert_eq!(std::fs::read_to_string(moved).unwrap(), text);
        assert_eq!(store::read(&path).unwrap().benches, std::slice::from_ref(&bench));
    }
}

/// `n` benches of the two engines in turn, the first `alarms` of which say that there is a difference.
fn series(n: u64, alarms: u64) -> AaStore {
    let variant = |seed: u64| if seed.is_multiple_of(2) { "async" } else { "threads" };
    let factor = |seed: u64| {
        if seed >= alarms {
            1.0
        } else if seed.is_multiple_of(2) {
            1.2
        } else {
            1.0 / 1.2
        }
    };
    store_of((0..n).map(|seed| of(variant(seed), seed, factor(seed))).collect())
}

#[test]
fn a_summary_counts_alarms_and_knows_a_defect() {
    for (n, alarms, defect) in [(20, 3, Some(false)), (20, 4, Some(true)), (19, 5, None)] {
        let summary = Summary::new(&series(n, alarms));
        let [group] = summary.groups.as_slice() else { panic!("{summary:?}") };
        assert_eq!(u64::from(group.threaded + group.asynchronous), n);
        let cpu = group.metrics.iter().find(|metric| metric.metric == CPU).unwrap();
        assert_eq!((u64::from(cpu.benches), u64::from(cpu.alarms), cpu.defect), (n, alarms, defect));
        assert_eq!(summary.has_defect(), defect == Some(true));
        assert!(cpu.primary && !cpu.biased, "{cpu:?}");
        let share = cpu.alarms as f64 / cpu.benches as f64;
        assert!(cpu.alarm_rate_low <= share && share <= cpu.alarm_rate_high, "{cpu:?}");
        let sigma = cpu.noise_floor.unwrap();
        assert!(
            (cpu.detectable_10.unwrap() / sigma - 1.03).abs() < 1e-9
                && (cpu.detectable_30.unwrap() / sigma - 0.54).abs() < 1e-9
        );
    }
}

#[test]
fn benches_of_other_blocks_are_another_group() {
    let mut store = series(4, 0);
    store.benches[3].duration_s = 2.0;
    store.benches[2].scheduling = "nothing equal".to_owned();
    assert_eq!(
        Summary::new(&store).groups.iter().map(|group| group.threaded + group.asynchronous).collect::<Vec<_>>(),
        [2, 1, 1]
    );
}

fn aa_command(arguments: &[&str], cache: &Path) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_analysis"))
        .arg("aa")
        .args(arguments)
        .env("XDG_CACHE_HOME", cache)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn analysis_aa_prints_what_this_host_is_worth() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, message) = aa_command(&[], dir.path());
    assert_eq!(code, 2);
    assert!(message.contains("no A/A results of any host; `make aa`"), "{message}");
    let path = store::path(&dir.path().join("headroom"), "00000000000000aa");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    for (alarms, expected, says) in [(1, 0, "no defect"), (5, 4, "DEFECT: CPU per task")] {
        store::write(&path, &series(20, alarms)).unwrap();
        let (code, text, message) = aa_command(&[], dir.path());
        assert_eq!(code, expected, "{text}{message}");
        assert!(text.contains(says) && text.contains(&format!("{alarms} of 20")), "{text}");
        assert!(text.contains("10 benches of the threaded engine, 10 benches of the async one"), "{text}");
        let (code, json, _) = aa_command(&["--json", path.to_str().unwrap()], dir.path());
        assert_eq!(code, expected);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["groups"][0]["metrics"][0]["alarms"], alarms);
    }
    std::fs::write(&path, "{\"schema_version\": 0}").unwrap();
    assert_eq!(aa_command(&[], dir.path()).0, 2);
}

/// Results stand alone: what was known of the host lies beside them, and what does not belong to them is refused.
#[test]
fn what_was_known_lies_beside_the_results() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("plan.toml"), PLAN).unwrap();
    std::fs::create_dir(dir.path().join("runs")).unwrap();
    for (name, run) in named(bench(0.8, 0.01)) {
        std::fs::write(dir.path().join("runs").join(name), serde_json::to_string(&run).unwrap()).unwrap();
    }
    assert!(!contrast(&analysis::compare(dir.path(), Mixed::Refused).unwrap().1, CPU).calibrated);
    let aa = dir.path().join("aa.json");
    store::write(&aa, &series(4, 0)).unwrap();
    assert!(contrast(&analysis::compare(dir.path(), Mixed::Refused).unwrap().1, CPU).calibrated);
    store::write(&aa, &AaStore { host: "00000000000000bb".to_owned(), ..series(2, 0) }).unwrap();
    let message = analysis::compare(dir.path(), Mixed::Refused).unwrap_err().to_string();
    assert!(
        message.contains("A/A results of host 00000000000000bb") && message.contains("move the file away"),
        "{message}"
    );
}
