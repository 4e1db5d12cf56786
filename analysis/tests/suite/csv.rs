//! `runs.csv`: one line a run, numbers as they are in the runs, text that no spreadsheet takes for a formula.

use std::collections::BTreeMap;

use analysis::export::csv::bytes;
use common::plan::Metric;
use common::report::Run;

use crate::support::{PLAN, invalidate, overload, plan, plan_with, run, runs};

/// Every line by column.
fn read(runs: &[Run]) -> Vec<BTreeMap<String, String>> {
    let text = String::from_utf8(bytes(runs).unwrap()).unwrap();
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect()
}

#[test]
fn a_line_a_run_with_every_metric() {
    let plan = plan_with(&["load.rate_per_s=[500, 1000]"]);
    let runs = runs(&plan, |_| {});
    let lines = read(&runs);
    assert_eq!(lines.len(), 40);
    for (line, run) in lines.iter().zip(&runs) {
        assert_eq!(line["cell"], run.cell.index.to_string());
        assert_eq!(line["load.rate_per_s"], run.cell.parameters["load.rate_per_s"].to_string());
        assert_eq!((&line["variant"], &line["block"]), (&run.variant.name, &run.block.to_string()));
        for metric in Metric::ALL {
            assert!(line.contains_key(metric.name()), "{}", metric.name());
        }
        assert_eq!(line["cpu_us_per_task"].parse::<f64>().unwrap(), 200.0);
        assert_eq!(line["response_p99_us"].parse::<f64>().unwrap(), 3_600.0);
        assert_eq!(line["planned_tasks"], run.counts.planned.to_string());
        assert_eq!((line["verdict"].as_str(), line["valid"].as_str()), ("ok", "true"));
        assert_eq!((line["bottleneck"].as_str(), line["bottleneck_share"].as_str()), ("server CPU", "0.46"));
    }
}

#[test]
fn what_is_not_known_is_empty() {
    let plan = plan(PLAN);
    let mut runs = [run(&plan, 0, 0, 0), run(&plan, 0, 0, 1), run(&plan, 0, 1, 0)];
    runs[0].latency_us.response.p99 = None;
    runs[0].latency_us.response.unbounded = 500;
    runs[0].latency_us.response.max = None;
    runs[1].resources.redis.cpu_us_per_task = None;
    runs[1].verdict.bottleneck = None;
    overload(&mut runs[1]);
    runs[1].backlog.drain_ms = None;
    invalidate(&mut runs[2]);
    let lines = read(&runs);
    assert_eq!(["response_p99_us", "response_max_us"].map(|name| lines[0][name].as_str()), ["", ""]);
    assert_eq!(["cpu_us_per_task", "drain_ms"].map(|name| lines[1][name].as_str()), ["", ""]);
    assert_eq!((lines[1]["verdict"].as_str(), lines[1]["ended"].as_str()), ("overloaded", "overloaded"));
    assert_eq!((lines[2]["verdict"].as_str(), lines[2]["valid"].as_str()), ("invalid", "false"));
}

#[test]
fn no_cell_is_a_formula() {
    for (name, cell) in [
        ("=HYPERLINK(\"http://x\",\"y\")", "'=HYPERLINK(\"http://x\",\"y\")"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "\\u{9}=1"),
        ("\r=1", "\\u{d}=1"),
        ("a,b\"c", "a,b\"c"),
    ] {
        let mut run = run(&plan(PLAN), 0, 0, 0);
        run.variant.name = name.to_owned();
        run.cell.parameters.insert("x".to_owned(), name.into());
        // A number below 0 is no formula.
        run.cell.parameters.insert("y".to_owned(), (-1.5).into());
        let line = &read(&[run])[0];
        assert_eq!((line["variant"].as_str(), line["x"].as_str(), line["y"].as_str()), (cell, cell, "-1.5"));
    }
}

#[test]
fn nothing_comes_of_nothing() {
    assert!(bytes(&[]).unwrap().is_empty());
}
