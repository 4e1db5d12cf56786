//! What others published of so many workers, judged by what was measured: the same words in the tables and on the page.

use std::path::Path;

use analysis::export::{html, json};
use analysis::tables;
use common::plan::Plan;
use common::report::comparison::{ClaimFigure, ClaimWord, Comparison};
use common::report::{Depth, QueueReport, Run, RunResult};

use crate::support::{compare, is_async, queue, runs, verdict};

fn shipped(name: &str, sets: &[&str]) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../plans/{name}.toml"));
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    Plan::parse(&std::fs::read_to_string(path).unwrap(), &sets).unwrap()
}

fn page(comparison: &Comparison) -> String {
    String::from_utf8(html::bytes(comparison, &json::bytes(comparison).unwrap()).unwrap()).unwrap()
}

/// The claims as the tables have them; they stand on the page, too.
fn claims(comparison: &Comparison) -> String {
    let page = page(comparison);
    let list = page.split_once("<ul class=\"claims\">").unwrap().1.split_once("</ul>").unwrap().0;
    assert_eq!(list.matches("<li>").count(), comparison.claims.len());
    // Without its lines.
    let text = tables::terminal(comparison).split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = text.as_str();
    let sentences = comparison.claims.iter().map(|claim| {
        rest = &rest[rest.find(&format!("{}, ", claim.source)).unwrap()..];
        let (sentence, after) = rest.split_at(rest.find(&claim.reason).unwrap() + claim.reason.len());
        rest = after;
        let words = sentence.split_once(" is ").unwrap().1.split_once(": ").unwrap().0;
        let on_page = format!("<strong>{words}</strong>: {}</li>", claim.reason);
        assert!(list.contains(&on_page), "{on_page}\n{list}");
        sentence
    });
    sentences.collect::<Vec<_>>().join("\n")
}

/// The table beneath them, without its layout; on the page it has as many rows and the same last heading.
fn table(comparison: &Comparison) -> Vec<String> {
    let text = tables::terminal(comparison);
    let table = text[text.find("published, measured").unwrap()..].lines().take_while(|line| !line.trim().is_empty());
    let rows: Vec<String> = table.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let page = page(comparison);
    let on_page = page.split_once("<caption id=\"published-caption\">").unwrap().1.split_once("</table>").unwrap().0;
    assert_eq!(on_page.matches("<tr>").count(), rows.len(), "{on_page}");
    let heading = on_page.split_once("</th></tr></thead>").unwrap().0.rsplit_once('>').unwrap().1;
    assert!(rows[0].ends_with(&heading.replace("&#x2f;", "/")), "{heading:?} {rows:?}");
    rows
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
    run.queue = Some(QueueReport { peak: Some(Depth { visible: 3_480, ..Depth::default() }), ..queue() });
    run.verdict = verdict(RunResult::Overloaded, "2600 tasks were unfinished");
}

#[test]
fn the_claims_of_the_flash_sale() {
    let plan = shipped("orders", &[]);
    let comparison = compare(&plan, runs(&plan, sale));
    insta::assert_snapshot!(claims(&comparison), @"
    worker scaling, Go and SQS, 1 worker: 1.67 a second is refuted, for it is impossible: 1 at once, 3 s each, are at most 0.3333 a second
    worker scaling, Go and SQS, 1 worker: a drain of 48 min is refuted, for it is impossible: the 2 784 that waited at most take 139.2 min at 0.3333 a second, the most that can be done
    worker scaling, Go and SQS, 1 worker: a peak of 2784 is neither confirmed nor refuted: of the 3 600 tasks of the burst at least 3 569 wait when it ends: fewer were accepted
    worker scaling, Go and SQS, 5 workers: 1.83 a second is refuted, for it is impossible: 5 at once, 3 s each, are at most 1.667 a second
    worker scaling, Go and SQS, 5 workers: a drain of 43 min is refuted: measured: 28.85 and 28.88 min for the 2 858 that waited at most, at the rates measured
    worker scaling, Go and SQS, 5 workers: a peak of 2858 is neither confirmed nor refuted: of the 3 600 tasks of the burst at least 3 485 wait when it ends: fewer were accepted
    worker scaling, Go and SQS, 20 workers: 1.45 a second is refuted: measured: 1.649 and 1.647 a second
    worker scaling, Go and SQS, 20 workers: a drain of 30 min is refuted: measured: 26.58 and 26.61 min for the 2 630 that waited at most, at the rates measured
    worker scaling, Go and SQS, 20 workers: a peak of 2630 is neither confirmed nor refuted: of the 3 600 tasks of the burst at least 3 470 wait when it ends: fewer were accepted
    worker scaling, Go and SQS, 100 workers: 2.48 a second is refuted, for it is impossible: 5 at once, 3 s each, are at most 1.667 a second
    worker scaling, Go and SQS, 100 workers: a drain of 19 min is refuted, for it is impossible: the 2 746 that waited at most take 27.46 min at 1.667 a second, the most that can be done
    worker scaling, Go and SQS, 100 workers: a peak of 2746 is neither confirmed nor refuted: of the 3 600 tasks of the burst at least 3 390 wait when it ends: fewer were accepted
    ");
    // Rates and drains of the original's time, as those that are published: not what was sent here.
    insta::assert_snapshot!(table(&comparison).join("\n"), @r"
    published, measured result done /s drain min peak
    worker scaling, Go and SQS, 1 worker drained 1.67 48 2784
    worker scaling, Go and SQS, 5 workers drained 1.83 43 2858
    worker scaling, Go and SQS, 20 workers drained 1.45 30 2630
    worker scaling, Go and SQS, 100 workers drained 2.48 19 2746
    measured, cell 0, threads 0 of 8 runs ok 0.33 140.6 3480
    measured, cell 0, async 0 of 8 runs ok 0.3297 140.7 3480
    measured, cell 1, threads 0 of 8 runs ok 1.651 28.85 3480
    measured, cell 1, async 0 of 8 runs ok 1.649 28.88 3480
    measured, cell 2, threads 0 of 8 runs ok 1.649 26.58 3480
    measured, cell 2, async 0 of 8 runs ok 1.647 26.61 3480
    measured, cell 3, threads 0 of 8 runs ok 0.902 50.74 3480
    measured, cell 3, async 0 of 8 runs ok 0.9011 50.79 3480
    ");
}

/// Claims are of one process, however many dynos did what was measured.
#[test]
fn what_several_dynos_did_is_divided() {
    let rates = |dynos: u32| {
        let plan = shipped("orders", &[&format!("workers.dynos={dynos}")]);
        let all = runs(&plan, |run| {
            sale(run);
            run.rate_per_s.completed = run.rate_per_s.completed.map(|per_s| per_s * f64::from(dynos));
        });
        let claims = compare(&plan, all).claims.into_iter().filter(|claim| claim.figure == ClaimFigure::RealPerS);
        claims.map(|claim| (claim.allowed, claim.word, claim.reason)).collect::<Vec<_>>()
    };
    assert_eq!(rates(2), rates(1));
}

/// Nobody asked for what the guide claims, but all who were asked for less kept up with it, however few they were; or did not.
#[test]
fn the_claims_of_the_tuning_guide() {
    let plan = shipped("job-slots", &[]);
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
    work-factory tuning guide, Rust and Faktory, 4 cores, 2 000 workers: 16000 a second is neither confirmed nor refuted: another machine: 2 CPUs here; measured: 2000 and 2000 a second
    work-factory tuning guide, Rust and Faktory, 4 cores, 4 000 workers: 24000 a second is neither confirmed nor refuted: nothing was measured with so many workers
    work-factory tuning guide, Rust and Faktory, 4 cores, 6 000 workers: 28000 a second is neither confirmed nor refuted: another machine: 2 CPUs here; measured: 2000 and 2000 a second
    ");
    // As many CPUs as the guide had.
    let alike = |run: &mut Run| {
        none(run);
        run.host.cpus = 4;
    };
    let words = |comparison: Comparison| comparison.claims.iter().map(|claim| claim.word).collect::<Vec<_>>();
    let expected = [ClaimWord::Refuted, ClaimWord::Unknown, ClaimWord::Refuted];
    assert_eq!(words(compare(&plan, runs(&plan, alike))), expected);
}

/// What was measured with as many slots, and no sent rate beside one of what was done.
#[test]
fn a_table_of_claims_has_what_they_are_held_against() {
    let plan = shipped("job-slots", &[]);
    let rows = table(&compare(&plan, runs(&plan, |_| {})));
    assert_eq!(rows[0], "published, measured result done /s");
    let (published, measured): (Vec<&String>, Vec<&String>) =
        rows[1..].iter().partition(|row| !row.starts_with("measured"));
    assert_eq!((published.len(), measured.len()), (3, 4), "{rows:?}");
    assert!(published[0].ends_with(" 60 % CPU 16000"), "{rows:?}");
    assert!(measured.iter().all(|row| row.ends_with("10 of 10 runs ok 6000")), "{rows:?}");
}
