//! Files that are broken, foreign or meant to do harm: one sentence that names the file, exit code 2, and nothing that a
//! terminal would obey.

use std::path::Path;

use common::report::Run;
use serde_json::json;

use crate::cli::{analysis, path, results_with, stderr, stdout};
use crate::support::{PLAN, plan, run};

fn json_of_a_run() -> String {
    serde_json::to_string(&run(&plan(PLAN), 0, 0, 0)).unwrap()
}

/// `analysis show` and `analysis compare` refuse a file of `bytes` in one line that names it and says `part`.
#[track_caller]
fn check_refused(bytes: &[u8], part: &str) {
    let dir = results_with(|_| {});
    let file = dir.path().join("runs/c0-b0-a0-threads.json");
    std::fs::write(&file, bytes).unwrap();
    for arguments in [["show", path(&file)], ["compare", path(dir.path())]] {
        check_message(&arguments, &file, part);
    }
}

#[track_caller]
fn check_message(arguments: &[&str], file: &Path, part: &str) {
    let assert = analysis(arguments).code(2);
    let message = stderr(&assert);
    assert!(message.starts_with(&format!("analysis: {}", file.display())), "{message}");
    assert!(message.contains(part), "{part:?} is not in {message}");
    assert!(message.lines().count() == 1 && message.len() < 1_000, "{message}");
    assert!(!message.trim_end().chars().any(char::is_control), "{message:?}");
    assert!(stdout(&assert).is_empty());
}

#[test]
fn what_is_no_json() {
    let run = json_of_a_run();
    check_refused(b"", "nothing in it");
    check_refused(b" \n\t", "nothing in it");
    check_refused(&run.as_bytes()[..run.len() / 2], "EOF while parsing");
    check_refused(&run.as_bytes()[1..], "line 1 column");
    check_refused(&[b"\xef\xbb\xbf", run.as_bytes()].concat(), "byte order mark");
    check_refused(
        &[&run.as_bytes()[..100], b"\xff\xfe", &run.as_bytes()[100..]].concat(),
        "not UTF-8 from byte 100 on",
    );
    check_refused(&run.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(), "line 1 column");
    check_refused(b"\x1f\x8b\x08\x00", "not UTF-8");
    check_refused(b"PNG", "line 1 column");
    check_refused(format!("{run}{run}").as_bytes(), "trailing characters");
}

#[test]
fn numbers_that_are_none() {
    let run = json_of_a_run();
    for number in ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "0x10", "01", "1."] {
        let changed = run.replacen("\"asked\":1000.0", &format!("\"asked\":{number}"), 1);
        assert_ne!(changed, run);
        check_refused(changed.as_bytes(), "line 1 column");
    }
    for (number, part) in
        [("-1", "-1"), ("1.5", "1.5"), ("18446744073709551616", "1.8446744073709552e+19"), ("\"1\"", "string")]
    {
        let changed = run.replacen("\"planned\":10000", &format!("\"planned\":{number}"), 1);
        assert_ne!(changed, run);
        check_refused(changed.as_bytes(), part);
    }
}

#[test]
fn what_is_json_and_no_run() {
    check_refused(b"null", "\"kind\" is null, expected \"run\"");
    check_refused(b"[\"run\", 1]", "\"kind\" is null");
    check_refused(b"{}", "\"kind\" is null");
    check_refused(b"{\"kind\": \"run\", \"schema_version\": 2}", "\"schema_version\" is 2, this analysis reads 1");
    check_refused(b"{\"kind\": \"run\", \"schema_version\": 0}", "\"schema_version\" is 0");
    check_refused(b"{\"kind\": \"run\", \"schema_version\": \"1\"}", "\"schema_version\" is \"1\"");
    check_refused(b"{\"kind\": \"run\", \"schema_version\": 1}", "missing field");
    check_refused(format!("{{\"kind\": [{}0]}}", "0,".repeat(1_000_000)).as_bytes(), "\"kind\" is [0,0");
}

#[test]
fn keys_that_stand_there_twice() {
    let run = json_of_a_run();
    // Of a table, of one that serde flattens, of a map, and of something that nobody reads.
    for (one, twice) in [
        ("\"block\":0", "\"block\":0,\"block\":1"),
        ("\"slo\":{", "\"slo\":{},\"slo\":{"),
        ("\"fetch\":{", "\"fetch\":{},\"fetch\":{"),
        ("\"block\":0", "\"block\":0,\"x\":{\"y\":1,\"y\":1}"),
    ] {
        let changed = run.replacen(one, twice, 1);
        assert_ne!(changed, run);
        check_refused(changed.as_bytes(), "stands there twice");
    }
}

#[test]
fn what_is_nested_too_deep() {
    check_refused("[".repeat(1_000_000).as_bytes(), "recursion limit");
    check_refused(format!("{{\"kind\":{}", "{\"a\":".repeat(1_000_000)).as_bytes(), "recursion limit");
}

#[test]
fn what_is_too_long() {
    let dir = results_with(|_| {});
    let file = dir.path().join("runs/c0-b0-a0-threads.json");
    let text = format!("{{\"kind\": \"run\", \"schema_version\": 1, \"timeline\": [{}0]}}", "0,".repeat(50_000_000));
    std::fs::write(&file, &text).unwrap();
    let part = format!("{} bytes, and a report has at most 33554432 bytes", text.len());
    for arguments in [["show", path(&file)], ["compare", path(dir.path())]] {
        check_message(&arguments, &file, &part);
    }
}

#[test]
fn what_is_no_file() {
    let dir = results_with(|_| {});
    let file = dir.path().join("runs/c0-b0-a0-threads.json");
    std::fs::remove_file(&file).unwrap();
    check_message(&["show", path(&file)], &file, "No such file");
    std::fs::create_dir(&file).unwrap();
    check_message(&["show", path(&file)], &file, "Is a directory");
    check_message(&["compare", path(dir.path())], &file, "not a file");
    check_message(&["compare", path(&file)], &file.join("plan.toml"), "No such file");
}

/// Everything in it that text may be.
fn spoil(run: &mut Run) {
    let name = "<b onmouseover=x>\u{1b}[2J\u{9b}31m|`\u{202e}\n# x";
    run.plan.question = name.to_owned();
    run.verdict.reason = name.to_owned();
    run.versions.headroom = name.to_owned();
    run.host.cpu_model = name.to_owned();
    run.host.kernel = name.to_owned();
    run.redis_server.version = name.to_owned();
    run.started_at = name.to_owned();
    run.forced = vec![name.to_owned()];
    run.validity.checks[0].name = name.to_owned();
    run.validity.checks[0].ok = false;
    run.validity.checks[0].remedy = name.to_owned();
    run.redis_work.commands_per_task.insert(name.to_owned(), 1.0);
    run.redis_work.request_errors.insert(name.to_owned(), 1);
    let fetch = run.latency_us.spans["fetch"].clone();
    run.latency_us.spans.insert(name.to_owned(), fetch);
}

#[track_caller]
fn check_harmless(text: &str) {
    let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(obeyed), "{text:?}");
    assert!(text.contains("\\u{1b}[2J\\u{9b}31m") && !text.contains("\n# x"), "{text}");
}

#[test]
fn names_that_a_terminal_would_obey() {
    let dir = results_with(spoil);
    check_harmless(&stdout(&analysis(&["show", path(&dir.path().join("runs/c0-b0-a0-threads.json"))]).success()));
    check_harmless(&stdout(&analysis(&["compare", path(dir.path())]).success()));
    let markdown = std::fs::read_to_string(dir.path().join("comparison.md")).unwrap();
    assert!(!markdown.contains("<b") && !markdown.contains("\n# x") && !markdown.contains('\u{1b}'), "{markdown}");
    assert!(markdown.contains("&lt;b onmouseover=x>"), "{markdown}");
}

#[test]
fn messages_that_a_terminal_would_obey() {
    let mut run = serde_json::to_value(run(&plan(PLAN), 0, 0, 0)).unwrap();
    run["verdict"]["result"] = json!("\u{1b}[2J");
    check_refused(run.to_string().as_bytes(), "\\u{1b}[2J");
    let dir = results_with(|run| run.variant.name = "\u{1b}[2J".to_owned());
    let message = stderr(&analysis(&["compare", path(dir.path())]).code(2));
    assert!(!message.trim_end().chars().any(char::is_control), "{message:?}");
    let message = stderr(&analysis(&["show", "\u{1b}[2J.json"]).code(2));
    assert!(!message.trim_end().chars().any(char::is_control) && message.contains("\\u{1b}[2J.json"), "{message:?}");
}
