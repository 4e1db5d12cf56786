//! `analysis validate`: by schema, then by arithmetic.

use serde_json::{Value, json};

use crate::cli::{analysis, path, results_with, stdout};
use crate::support::{PLAN, compare, plan, run, runs};

fn of_run() -> Value {
    serde_json::to_value(run(&plan(PLAN), 0, 0, 0)).unwrap()
}

fn of_comparison() -> Value {
    let plan = plan(PLAN);
    serde_json::to_value(compare(&plan, runs(&plan, |_| {}))).unwrap()
}

/// What is said of `report` after `value` was put at `pointer`.
fn told(mut report: Value, pointer: &str, value: Value) -> (i32, String) {
    *report.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.json");
    std::fs::write(&file, report.to_string()).unwrap();
    let assert = analysis(&["validate", path(&file)]);
    let code = assert.get_output().status.code().unwrap();
    (code, stdout(&assert).replace(&format!("{}: ", file.display()), ""))
}

#[track_caller]
fn check(report: &Value, pointer: &str, value: Value, expected: &str) {
    let (code, told) = told(report.clone(), pointer, value);
    assert!(code == 2 && told.contains(expected), "{pointer}: {expected:?} is not in {told}");
}

#[test]
fn what_is_right_is_said_to_be() {
    for (report, kind) in [(of_run(), "run"), (of_comparison(), "comparison")] {
        assert_eq!(told(report, "/schema_version", json!(1)), (0, format!("a valid {kind}\n")));
    }
}

#[test]
fn what_the_schema_refuses() {
    let run = of_run();
    check(&run, "/counts/sent", json!("many"), "/counts/sent: \"many\" is not of type \"integer\"");
    check(&run, "/counts/sent", json!(-1), "/counts/sent: -1 is less than the minimum of 0");
    check(&run, "/verdict/result", json!("fine"), "/verdict/result: ");
    check(&run, "/latency_us/response", json!({}), "/latency_us/response: \"n\" is a required property");
    check(&of_comparison(), "/cells/0/contrasts/0/metric", json!("speed"), "/cells/0/contrasts/0/metric: ");
}

#[test]
fn what_only_arithmetic_refuses() {
    let run = of_run();
    for (pointer, value, expected) in [
        ("/counts/planned", json!(9_999), "/counts/planned: 9999 planned, but 10000 sent and 0 missed"),
        ("/counts/completed", json!(1), "/counts/sent: 10000 sent, but 1 completed, 0 failed and 0 unfinished"),
        ("/counts/rejected", json!(10_001), "/counts/rejected: 10001 rejected"),
        ("/latency_us/response/p90", json!(899.0), "/latency_us/response/p90: 899, but p50 is 900"),
        ("/latency_us/spans/fetch/max", json!(1.0), "/latency_us/spans/fetch/max: 1, but p99_9 is 1800"),
        ("/latency_us/service/p99", json!(null), "/latency_us/service/p99_9: a number, but p99 is null"),
        ("/latency_us/service/unbounded", json!(3), "/latency_us/service/max: a number, but 3 tasks have no bound"),
        ("/latency_us/lateness/hdr_v2", json!("AAAA"), "/latency_us/lateness/hdr_v2: not a histogram"),
        ("/workers/count", json!(29), "/workers/cycles: 28 entries, but there are 29 workers"),
        ("/timeline/1/t_s", json!(10.0), "/timeline/1/t_s: 10, but the second before ends at 10"),
        ("/rate_per_s/completed", json!(999.0), "/rate_per_s/completed: 999, but resources has 10000 tasks in 10 s"),
        ("/validity/valid", json!(false), "/validity/valid: false, but no check"),
        ("/validity/checks/0/ok", json!(false), "/validity/valid: true, but the check \"lateness\" failed"),
        ("/verdict/result", json!("invalid"), "/verdict/result: invalid, but validity.valid is true"),
    ] {
        check(&run, pointer, value, expected);
    }
    let comparison = of_comparison();
    for (pointer, value, expected) in [
        ("/complete", json!(false), "/complete: false, but every cell has all of its blocks"),
        ("/family", json!(2), "/family: 2, but 1 contrasts are primary"),
        ("/cells/0/blocks", json!(9), "/complete: true, but a cell has not all of its blocks"),
        ("/cells/0/blocks_planned", json!(20), "/cells/0/blocks_planned: 20, which is neither what the plan asks for"),
        ("/cells/0/blocks", json!(11), "/cells/0/blocks: 11, but 10 are planned"),
        ("/cells/0/variants/0/counts/sent", json!(1), "/cells/0/variants/0/counts/planned: 100000 planned"),
        ("/cells/0/contrasts/0/p_value", json!(1.5), "/cells/0/contrasts/0/p_value: 1.5"),
        ("/cells/0/contrasts/0/ratio/low", json!(2.0), "/cells/0/contrasts/0/ratio/value: 1, but low is 2"),
        ("/cells/0/contrasts/0/contender", json!("x"), "/cells/0/contrasts/0/contender: \"x\" is no variant"),
        ("/cells/0/contrasts/1/primary", json!(true), "/cells/0/contrasts/1/primary: true, but the primary metric is"),
        ("/cells/0/contrasts/0/verdict", json!("unknown"), "/cells/0/contrasts/0/cause: "),
    ] {
        check(&comparison, pointer, value, expected);
    }
    let swept = serde_json::to_value(crate::idle::sample()).unwrap();
    let (at, predicted) = ("/cost_lines/0/points/1/predicted_cpu_us_per_s", json!(7.0));
    check(&swept, at, predicted, &format!("{at}: 7, but the line has 7"));
    check(&swept, "/cost_lines/0/line", json!(null), &format!("{at}: 7"));
}

#[test]
fn every_file_is_looked_at_and_other_versions_are_refused_by_name() {
    let dir = results_with(|_| {});
    let good = dir.path().join("runs/c0-b0-a0-async.json");
    for kind in ["run", "comparison", "calibration", "warmup", "diff", "search", "size"] {
        for version in [0, 2] {
            let file = dir.path().join("other.json");
            std::fs::write(&file, json!({"kind": kind, "schema_version": version}).to_string()).unwrap();
            let told = stdout(&analysis(&["validate", path(&file), path(&good)]).code(2));
            let expected = format!("other.json: \"schema_version\" is {version}, this analysis reads 1");
            assert!(told.contains(&expected) && told.ends_with("async.json: a valid run\n"), "{told}");
        }
    }
    let file = dir.path().join("other.json");
    std::fs::write(&file, "{\"kind\": \"\u{7f}\"}").unwrap();
    let told = stdout(&analysis(&["validate", path(&file)]).code(2));
    let expected =
        "\"kind\" is \"\\u{7f}\", expected \"run\" or \"comparison\" or \"calibration\" or \"warmup\" or \"diff\"";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn not_more_is_told_than_can_be_read() {
    let mut run = of_run();
    run["workers"]["cycles"] = json!(vec!["x"; 10_000]);
    let (code, told) = told(run, "/schema_version", json!(1));
    assert_eq!((code, told.lines().count()), (2, 51), "{}", &told[..1_000]);
    assert!(told.ends_with("and 9950 more violations\n"), "{}", &told[told.len() - 200..]);
}
