//! What others published of so many workers, judged by what was measured: the same words in the tables and on the page.

use std::path::Path;

use analysis::export::{html, json};
use analysis::tables;
use common::plan::Plan;
use common::report::comparison::Comparison;
use common::report::{Run, RunResult};

use crate::support::{compare, is_async, runs, verdict};

fn shipped(name: &str) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../plans/{name}.toml"));
    Plan::parse(&std::fs::read_to_string(path).unwrap(), &[]).unwrap()
}

/// The claims as the tables have them; they stand on the page, too.
fn claims(comparison: &Comparison) -> String {
    let page = String::from_utf8(html::bytes(comparison, &json::bytes(comparison).unwrap()).unwrap()).unwrap();
    let list = page.split_once("<ul class=\"claims\">").unwrap().1.split_once("</ul>").unwrap().0;
    assert_eq!(list.matches("<li>").count(), comparison.claims.len());
    // Without its lines.
    let text = tables::terminal(comparison).split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = text.as_str();
    let sentences = comparison.claims.iter().map(|claim| {
        rest = &rest[rest.find(&format!("{}, ", claim.source)).unwrap()..];
        let (sentence, after) = rest.split_at(rest.find(&claim.reason).unwrap() + claim.reason.len());
        rest = after;
        let words = sentence.split_once(" a second is ").unwrap().1.split_once(": ").unwrap().0;
        let on_page = format!("<strong>{words}</strong>: {}</li>", claim.reason);
        assert!(list.contains(&on_page), "{on_page}\n{list}");
        sentence
    });
    sentences.collect::<Vec<_>>().join("\n")
}

/// A tenth of the time, so that rates are ten times the original's. Beyond five permits nothing is gained, and tasks that wait too long
/// are run in vain.
fn sale(run: &mut Run) {
    let per_s = match run.plan.settings.workers.count {
        1 => 3.30,
        5 => 16.51,
        20 => 16.49,
        _ => 9.02,
    };
    run.rate_per_s.completed = Some(if is_async(run) { per_s * 0.999 } else { per_s });
    run.verdict = verdict(RunResult::Overloaded, "2600 tasks were unfinished");
}

#[test]
fn the_four_claims_of_the_flash_sale() {
    let plan = shipped("orders");
    insta::assert_snapshot!(claims(&compare(&plan, runs(&plan, sale))), @r"
    worker scaling, Go and SQS, 1 worker: 1.67 a second is refuted, for it is impossible: 1 at once, 3 s each, are at most 0.3333 a second
    worker scaling, Go and SQS, 5 workers: 1.83 a second is refuted, for it is impossible: 5 at once, 3 s each, are at most 1.667 a second
    worker scaling, Go and SQS, 20 workers: 1.45 a second is refuted: measured: 1.649 and 1.647 a second
    worker scaling, Go and SQS, 100 workers: 2.48 a second is refuted, for it is impossible: 5 at once, 3 s each, are at most 1.667 a second
    ");
}

/// Nobody asked for what the guide claims, but all who were asked for less kept up with it, however few they were; or did not.
#[test]
fn the_claims_of_the_tuning_guide() {
    let plan = shipped("job-slots");
    insta::assert_snapshot!(claims(&compare(&plan, runs(&plan, |_| {}))), @"
    work-factory tuning guide, Rust and Faktory, 4 cores, 2 000 workers: 16000 a second is neither confirmed nor refuted: only 6000 a second were asked for, and 1 worker kept up with as much
    work-factory tuning guide, Rust and Faktory, 4 cores, 4 000 workers: 24000 a second is neither confirmed nor refuted: nothing was measured with so many workers
    work-factory tuning guide, Rust and Faktory, 4 cores, 6 000 workers: 28000 a second is neither confirmed nor refuted: only 6000 a second were asked for, and 1 worker kept up with as much
    ");
    let short = |run: &mut Run| {
        if run.plan.settings.workers.count == 1 || run.plan.settings.workers.count == 6000 && is_async(run) {
            run.verdict = verdict(RunResult::Overloaded, "the drain did not end");
            run.rate_per_s.completed = Some(2_000.0);
        }
    };
    insta::assert_snapshot!(claims(&compare(&plan, runs(&plan, short))), @"
    work-factory tuning guide, Rust and Faktory, 4 cores, 2 000 workers: 16000 a second is neither confirmed nor refuted: only 6000 a second were asked for, and 10 workers kept up with as much
    work-factory tuning guide, Rust and Faktory, 4 cores, 4 000 workers: 24000 a second is neither confirmed nor refuted: nothing was measured with so many workers
    work-factory tuning guide, Rust and Faktory, 4 cores, 6 000 workers: 28000 a second is neither confirmed nor refuted: only 6000 a second were asked for, and async did not keep up
    ");
    let none = |run: &mut Run| {
        run.verdict = verdict(RunResult::Overloaded, "the drain did not end");
        run.rate_per_s.completed = Some(2_000.0);
    };
    insta::assert_snapshot!(claims(&compare(&plan, runs(&plan, none))), @"
    work-factory tuning guide, Rust and Faktory, 4 cores, 2 000 workers: 16000 a second is refuted: measured: 2000 and 2000 a second
    work-factory tuning guide, Rust and Faktory, 4 cores, 4 000 workers: 24000 a second is neither confirmed nor refuted: nothing was measured with so many workers
    work-factory tuning guide, Rust and Faktory, 4 cores, 6 000 workers: 28000 a second is refuted: measured: 2000 and 2000 a second
    ");
}
