//! Results that do not belong together, or cannot be read, are refused in one sentence that names the file.

use std::path::{Path, PathBuf};

use analysis::load::{self, Mixed, Results};
use common::report::Run;
use serde_json::json;

use crate::support::{PLAN, named, plan, plan_with, runs};

/// Refusal of the default bench after `change` of its runs.
fn refusal(change: impl FnOnce(&mut Vec<(PathBuf, Run)>)) -> String {
    let mut runs = named(runs(&plan(PLAN), |_| {}));
    change(&mut runs);
    Results::new(plan(PLAN), runs, Mixed::Refused).unwrap_err().to_string()
}

#[test]
fn a_whole_bench_is_accepted_whatever_the_order_of_files() {
    let mut runs = named(runs(&plan(PLAN), |_| {}));
    runs.reverse();
    let results = Results::new(plan(PLAN), runs, Mixed::Refused).unwrap();
    let places: Vec<(u32, u32)> = results.runs().iter().map(|run| (run.block, run.position)).collect();
    assert!(places.is_sorted());
}

#[test]
fn what_does_not_belong_together_is_refused() {
    insta::assert_snapshot!(refusal(|runs| runs.clear()), @"runs: no run (*.json) in it; `loadgen bench` writes one after every run");
    insta::assert_snapshot!(refusal(|runs| runs[3].1.plan_hash = "ffff".to_owned()).replace(&plan(PLAN).hash, "HASH"), @"c0-b1-a0-async.json: plan_hash ffff, but plan.toml beside runs/ has HASH; results of different plans are not compared");
    insta::assert_snapshot!(refusal(|runs| {
        runs[5].1.host.fingerprint = "bb".to_owned();
        runs[5].1.host.cpu_model = "Another CPU".to_owned();
    }), @"c0-b2-a0-async.json: host bb (Another CPU), but c0-b0-a0-threads.json was made on 00000000000000aa (Example CPU); results of different hosts are not compared");
    insta::assert_snapshot!(refusal(|runs| runs[5].1.host.scheduling = "another".to_owned()), @r#"c0-b2-a0-async.json: scheduling "another", but c0-b0-a0-threads.json had "own sessions"; where processes run and how they share CPUs is part of the cost"#);
    insta::assert_snapshot!(refusal(|runs| runs[5].1.redis_server.version = "7.2.4".to_owned()), @"c0-b2-a0-async.json: server valkey 7.2.4, but c0-b0-a0-threads.json used valkey 9.1.2; results of different servers are not compared");
    insta::assert_snapshot!(refusal(|runs| runs[5].1.cell.index = 1), @"c0-b2-a0-async.json: cell 1, but the plan has 1 cell, counted from 0");
    insta::assert_snapshot!(refusal(|runs| runs[5].1.block = 10), @"c0-b2-a0-async.json: block 10, but the plan has 10 blocks, counted from 0");
    insta::assert_snapshot!(refusal(|runs| runs[5].1.variant.name = "fibers".to_owned()), @r#"c0-b2-a0-async.json: variant "fibers" is none of the plan's as they are written there (threads, async)"#);
    insta::assert_snapshot!(refusal(|runs| runs[5].1.arrivals_hash = "ffff".to_owned()), @"c0-b2-a0-async.json: arrivals ffff, but c0-b2-a0-threads.json of the same block had 0000000000000002; a block has one set of arrivals");
    insta::assert_snapshot!(refusal(|runs| {
        let again = runs[4].1.clone();
        runs.push((PathBuf::from("again.json"), again));
    }), @r#"again.json: the same run of "threads" as c0-b2-a0-threads.json"#);
}

/// Writes a results directory with one file `run.json` of `text`.
fn directory(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("plan.toml"), PLAN).unwrap();
    std::fs::create_dir(dir.path().join("runs")).unwrap();
    std::fs::write(dir.path().join("runs/run.json"), text).unwrap();
    dir
}

fn message(dir: &Path) -> String {
    load::directory(dir, Mixed::Refused).unwrap_err().to_string().replace(&dir.display().to_string(), "DIR")
}

#[test]
fn files_that_are_no_runs_are_refused() {
    let run = || serde_json::to_value(&runs(&plan(PLAN), |_| {})[0]).unwrap();
    let with = |key: &str, value: serde_json::Value| {
        let mut run = run();
        run[key] = value;
        run.to_string()
    };
    let refused = |text: &str| message(directory(text).path());
    insta::assert_snapshot!(refused("{\"kind\": \"run\","), @"DIR/runs/run.json: not a run that can be read: EOF while parsing a value at line 1 column 15; runs are the files runs/*.json of a results directory");
    insta::assert_snapshot!(refused("{}"), @r#"DIR/runs/run.json: "kind" is null, expected "run""#);
    insta::assert_snapshot!(refused(&with("kind", json!("comparison"))), @r#"DIR/runs/run.json: "kind" is "comparison", expected "run""#);
    insta::assert_snapshot!(refused(&with("schema_version", json!(99))), @r#"DIR/runs/run.json: "schema_version" is 99, this analysis reads 1; use the version of Headroom that wrote it"#);
    insta::assert_snapshot!(refused(&with("counts", json!({}))), @"DIR/runs/run.json: not a run that can be read: missing field `planned` at line 1 column 277; runs are the files runs/*.json of a results directory");
    assert!(load::directory(directory(&run().to_string()).path(), Mixed::Refused).is_ok());
}

#[test]
fn directories_without_a_bench_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(message(dir.path()), @"DIR/plan.toml: No such file or directory (os error 2); a results directory holds plan.toml and runs/*.json");
    std::fs::write(dir.path().join("plan.toml"), "name = \"two\"").unwrap();
    insta::assert_snapshot!(message(dir.path()), @"DIR/plan.toml: task.kind: missing, and it has no default");
    std::fs::write(dir.path().join("plan.toml"), PLAN).unwrap();
    insta::assert_snapshot!(message(dir.path()), @"DIR/runs: No such file or directory (os error 2); a results directory holds plan.toml and runs/*.json");
    std::fs::create_dir(dir.path().join("runs")).unwrap();
    std::fs::write(dir.path().join("runs/.half-written.json"), "{").unwrap();
    std::fs::write(dir.path().join("runs/notes.txt"), "nothing").unwrap();
    insta::assert_snapshot!(message(dir.path()), @"DIR/runs: no run (*.json) in it; `loadgen bench` writes one after every run");
}

#[test]
fn the_stored_plan_is_the_plan_after_set() {
    let plan = plan_with(&["load.duration_s=20"]);
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("plan.toml"), &plan.source).unwrap();
    std::fs::create_dir(dir.path().join("runs")).unwrap();
    for (name, run) in named(runs(&plan, |_| {})) {
        std::fs::write(dir.path().join("runs").join(name), serde_json::to_string(&run).unwrap()).unwrap();
    }
    let results = load::directory(dir.path(), Mixed::Refused).unwrap();
    assert_eq!(results.plan(), &plan);
    assert_eq!(results.runs().len(), 20);
}
