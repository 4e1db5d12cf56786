//! The binary: what it prints, what it writes, how it exits.

use std::path::Path;

use analysis::load::Mixed;
use assert_cmd::Command;
use common::report::Run;
use common::report::comparison::Comparison;

use crate::support::{PLAN, named, plan, runs, scale_cpu, scatter};

pub(crate) fn analysis(arguments: &[&str]) -> assert_cmd::assert::Assert {
    Command::new(env!("CARGO_BIN_EXE_analysis")).args(arguments).assert()
}

pub(crate) fn stdout(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

pub(crate) fn stderr(assert: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

fn results() -> tempfile::TempDir {
    results_with(|run| scale_cpu(run, scatter(run, 0.02) * if run.variant.name == "async" { 0.8 } else { 1.0 }))
}

/// A results directory of the default bench, each run changed by `change`.
pub(crate) fn results_with(change: impl FnMut(&mut Run)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("plan.toml"), PLAN).unwrap();
    std::fs::create_dir(dir.path().join("runs")).unwrap();
    for (name, run) in named(runs(&plan(PLAN), change)) {
        std::fs::write(dir.path().join("runs").join(name), serde_json::to_string(&run).unwrap()).unwrap();
    }
    dir
}

pub(crate) fn path(dir: &Path) -> &str {
    dir.to_str().unwrap()
}

#[test]
fn compare_prints_and_writes() {
    let dir = results();
    let assert = analysis(&["compare", path(dir.path())]).success();
    let printed = stdout(&assert);
    assert!(printed.contains("% less CPU per task than threads"), "{printed}");
    assert!(!printed.contains('\u{1b}'), "no colour where there is no terminal");
    let json = std::fs::read_to_string(dir.path().join("comparison.json")).unwrap();
    let comparison: Comparison = serde_json::from_str(&json).unwrap();
    let again = analysis::compare(dir.path(), Mixed::Refused).unwrap().1;
    assert_eq!(String::from_utf8(analysis::export::json::bytes(&again).unwrap()).unwrap(), json);
    let written = ["comparison.md", "comparison.json", "runs.csv", "report.html"].map(|name| dir.path().join(name));
    let tables = analysis::tables::terminal(&comparison);
    assert_eq!(printed, format!("{tables}{}", analysis::tables::written(&written)));
    assert!(std::fs::read_to_string(&written[3]).unwrap().starts_with("<!doctype html>"));
    assert!(std::fs::read_to_string(dir.path().join("comparison.md")).unwrap().starts_with("# two: which costs less?"));
    let mut files: Vec<String> =
        dir.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(
        files,
        ["comparison.json", "comparison.md", "plan.toml", "report.html", "runs", "runs.csv"],
        "no temporary file stays"
    );
    // Again over its own results: the same bytes.
    analysis(&["compare", path(dir.path())]).success();
    assert_eq!(std::fs::read_to_string(dir.path().join("comparison.json")).unwrap(), json);
}

#[test]
fn force_lets_other_hosts_through_and_says_so_everywhere() {
    let dir = results_with(|run| {
        if run.variant.name == "async" {
            run.host.fingerprint = "bb".to_owned();
            run.redis_server.version = "7.2.4".to_owned();
        }
    });
    analysis(&["compare", path(dir.path())]).code(2);
    assert!(!dir.path().join("comparison.json").exists());
    let printed = stdout(&analysis(&["compare", "--force", path(dir.path())]).success());
    let sentences = [
        "compared although the host of some is 00000000000000aa (Example CPU) and of others bb (Example CPU)",
        "compared although the server of some is valkey 9.1.2 and of others valkey 7.2.4",
    ];
    for sentence in sentences {
        assert!(printed.contains(&format!("FORCED: {sentence}")), "{printed}");
    }
    assert!(printed.contains("cell 0 (10 of 10 blocks, FORCED)"), "{printed}");
    let json = std::fs::read_to_string(dir.path().join("comparison.json")).unwrap();
    assert_eq!(serde_json::from_str::<Comparison>(&json).unwrap().forced, sentences);
    // Runs of another plan are no pairs, whatever is forced.
    let path_of_run = dir.path().join("runs/c0-b1-a0-async.json");
    let other = std::fs::read_to_string(&path_of_run).unwrap().replace(&plan(PLAN).hash, "ffff");
    std::fs::write(&path_of_run, other).unwrap();
    let message = stderr(&analysis(&["compare", "--force", path(dir.path())]).code(2));
    assert!(message.contains("results of different plans are not compared"), "{message}");
}

#[test]
fn show_prints_a_run() {
    let dir = results();
    let file = dir.path().join("runs/c0-b0-a0-threads.json");
    let printed = stdout(&analysis(&["show", path(&file)]).success());
    assert!(printed.starts_with("two: which costs less?\nvariant threads, cell 0, block 0"), "{printed}");
}

#[test]
fn refused_results_exit_with_2_and_one_line() {
    let dir = results();
    std::fs::write(dir.path().join("runs/broken.json"), "{").unwrap();
    for arguments in [
        ["compare", path(dir.path())],
        ["compare", "/nonexistent"],
        ["show", path(&dir.path().join("runs/broken.json"))],
    ] {
        let assert = analysis(&arguments).code(2);
        let message = stderr(&assert);
        assert!(message.starts_with("analysis: ") && message.lines().count() == 1, "{message}");
        assert!(stdout(&assert).is_empty());
    }
    assert!(!dir.path().join("comparison.json").exists());
}

#[test]
fn bad_usage_exits_with_2() {
    for arguments in [&[][..], &["compare"], &["show"], &["judge"], &["compare", "a", "b"]] {
        analysis(arguments).code(2);
    }
}

#[test]
fn help_names_commands_and_exit_codes() {
    let help = stdout(&analysis(&["--help"]).success());
    for part in ["compare", "show", "Exit codes: 0", "2 usage"] {
        assert!(help.contains(part), "{part} is missing in {help}");
    }
    assert!(stdout(&analysis(&["compare", "--help"]).success()).contains("plan.toml and runs/*.json"));
}
