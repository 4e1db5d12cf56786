//! Two benches of a plan: words, refusals, exit codes.

use analysis::diff::{self, Incomparable};
use analysis::load::{Mixed, Results};
use common::plan::Plan;
use common::report::Run;
use common::report::comparison::{Cause, ContrastVerdict};
use common::report::diff::{Change, Diff};

use crate::cli::{analysis, path, results_with, stderr, stdout};
use crate::support::{
    CPU, PLAN, invalidate, is_async, named, overload, plan, plan_with, runs, scale, scale_cpu, scatter,
};

fn results_of(plan: &Plan, change: impl FnMut(&mut Run)) -> Results {
    Results::new(plan.clone(), named(runs(plan, change)), Mixed::Refused).unwrap()
}

fn before(run: &mut Run) {
    scale_cpu(run, scatter(run, 0.02));
}

/// As [`before`], with other scatter, at another time.
fn after(run: &mut Run) {
    run.started_at = "2026-11-24T12:00:00Z".to_owned();
    run.block += 20;
    scale_cpu(run, scatter(run, 0.02));
    run.block -= 20;
}

fn try_diff(mixed: Mixed, change: impl Fn(&mut Run)) -> Result<Diff, Incomparable> {
    let plan = plan(PLAN);
    let new = results_of(&plan, |run| {
        after(run);
        change(run);
    });
    diff::diff(&results_of(&plan, before), &new, mixed)
}

/// The default bench against one in which runs are changed.
fn diff_after(change: impl Fn(&mut Run)) -> Diff {
    try_diff(Mixed::Refused, change).unwrap()
}

fn primary<'a>(diff: &'a Diff, variant: &str) -> &'a Change {
    let variant = diff.cells[0].variants.iter().find(|one| one.variant == variant).unwrap();
    assert!(variant.changes[0].primary && variant.changes[1..].iter().all(|change| !change.primary));
    &variant.changes[0]
}

#[test]
fn words() {
    let check = |factor: f64, verdict, regression| {
        let diff = diff_after(|run| scale_cpu(run, if is_async(run) { factor } else { 1.0 }));
        let change = primary(&diff, "async");
        assert_eq!(
            (change.metric, change.verdict, diff.regression),
            (CPU, verdict, regression),
            "{factor} {change:#?}"
        );
        let ratio = change.ratio.value.unwrap();
        assert!((ratio / factor).ln().abs() < 0.01, "{factor} {ratio}");
        assert_ne!(primary(&diff, "threads").verdict, ContrastVerdict::Worse);
    };
    check(1.2, ContrastVerdict::Worse, true);
    check(0.8, ContrastVerdict::Better, false);
    check(1.0, ContrastVerdict::Same, false);
    check(1.025, ContrastVerdict::Worse, true);
}

/// Another build alone may do that.
#[test]
fn a_change_under_two_percent_is_said_to_be_no_more_than_that() {
    let said = |factor: f64| {
        let tight = plan_with(&["repeat.margin=0.005"]);
        let of = |factor: f64| results_of(&tight, move |run| scale_cpu(run, scatter(run, 0.001) * factor));
        let (old, new) = (of(1.0), of(factor));
        let diff = diff::diff(&old, &new, Mixed::Refused).unwrap();
        (primary(&diff, "async").verdict, diff.caveats.iter().any(|caveat| caveat.contains("under 2 %")))
    };
    assert_eq!(said(1.015), (ContrastVerdict::Worse, true));
    assert_eq!(said(1.03), (ContrastVerdict::Worse, false));
    assert_eq!(said(1.0001), (ContrastVerdict::Same, false));
}

/// A ratio with runs that did not keep up compares nothing; few runs of many variants are not noise.
#[test]
fn neither_overload_nor_few_runs_leave_numbers_that_say_more() {
    let overloaded = diff_after(|run| {
        if is_async(run) && run.block < 5 {
            overload(run)
        }
    });
    let change = primary(&overloaded, "async");
    assert_eq!((change.cause, change.ratio.value, change.detectable), (Some(Cause::Overload), None, None));
    let few = plan_with(&["repeat.blocks=4"]);
    let of = |factor: f64| results_of(&few, move |run| scale_cpu(run, scatter(run, 0.01) * factor));
    let change = primary(&diff::diff(&of(1.0), &of(2.0), Mixed::Refused).unwrap(), "async").clone();
    assert_eq!((change.cause, change.detectable), (Some(Cause::FewBlocks), None), "{change:#?}");
    insta::assert_snapshot!(change.reason, @"4 old and 4 new runs cannot show a difference here: adjusted for 2 variants and cells p can be no less than 0.057; more blocks in both benches would do");
}

#[test]
fn more_is_better_where_it_is() {
    let diff = diff_after(|run| run.rate_per_s.completed = run.rate_per_s.completed.map(|rate| rate * 0.8));
    let changes = &diff.cells[0].variants[0].changes;
    let completed = changes.iter().find(|change| change.metric == common::plan::Metric::CompletedPerS).unwrap();
    assert_eq!((completed.verdict, diff.regression), (ContrastVerdict::Worse, false), "secondary, so no regression");
}

#[test]
fn scatter_hides_what_is_small_and_says_what_it_would_have_shown() {
    let diff = diff_after(|run| scale_cpu(run, scatter(run, 0.3)));
    let change = primary(&diff, "async");
    assert_eq!((change.verdict, change.cause), (ContrastVerdict::Unknown, Some(Cause::Noise)), "{change:#?}");
    assert!(change.detectable.unwrap() > 0.05 && change.reason.contains("would have been seen"), "{change:#?}");
    assert!(!diff.regression);
}

#[test]
fn who_no_longer_keeps_up_is_a_regression() {
    let diff = diff_after(|run| {
        if is_async(run) && run.block >= 2 {
            overload(run);
        }
    });
    let of = |name: &str| diff.cells[0].variants.iter().find(|one| one.variant == name).unwrap();
    let kept_up = of("async").kept_up;
    assert_eq!((kept_up.ok_old, kept_up.n_old, kept_up.ok_new, kept_up.n_new), (10, 10, 2, 10));
    assert_eq!((kept_up.verdict, of("threads").kept_up.verdict), (ContrastVerdict::Worse, ContrastVerdict::Unknown));
    assert_eq!(primary(&diff, "async").cause, Some(Cause::Overload));
    assert!(diff.regression);
}

#[test]
fn a_metric_that_some_run_lacks_gives_no_word() {
    let diff = diff_after(|run| {
        if run.block == 3 {
            run.resources.redis.cpu_us_per_task = None;
        }
    });
    let change = primary(&diff, "async");
    assert_eq!((change.verdict, change.cause), (ContrastVerdict::Unknown, Some(Cause::NotMeasured)));
    assert_eq!(change.reason, "CPU per task is missing in 1 of 20 runs");
}

#[test]
fn the_generator_s_own_difference_is_no_word() {
    let diff = diff_after(|run| {
        scale(&mut run.latency_us.response, 1.5);
        scale(&mut run.latency_us.response_from_send, 0.9);
    });
    let changes = &diff.cells[0].variants[0].changes;
    let p99 = changes.iter().find(|change| change.metric == common::plan::Metric::ResponseP99Us).unwrap();
    assert_eq!(p99.cause, Some(Cause::Generator), "{p99:#?}");
}

#[test]
fn what_slows_both_variants_alike_is_not_in_their_ratio() {
    let check = |factor: f64, found: f64, significant: bool| {
        let diff = diff_after(|run| scale_cpu(run, 1.3 * if is_async(run) { factor } else { 1.0 }));
        assert_eq!(primary(&diff, "threads").verdict, ContrastVerdict::Worse, "drift looks like a regression");
        let [relative] = diff.cells[0].relative.as_slice() else { panic!("{:?}", diff.cells[0].relative) };
        assert_eq!((relative.baseline.as_str(), relative.contender.as_str()), ("threads", "async"));
        assert!((relative.change.value.unwrap() / found).ln().abs() < 0.02, "{relative:#?}");
        assert!((relative.old.value.unwrap() - 1.0).abs() < 0.05, "{relative:#?}");
        assert_eq!(relative.p_value <= 0.05, significant, "{relative:#?}");
    };
    check(1.0, 1.0, false);
    check(1.2, 1.2, true);
}

#[test]
fn drift_of_the_host_is_said() {
    let with = |factor: f64| {
        move |run: &mut Run| {
            run.machine.cpus = vec![common::report::WatchedCpu {
                cpu: 0,
                ticks: 1_000,
                late_ms: 0.0,
                worst_ms: 0.0,
                yardstick_us: Some(40.0 * factor * scatter(run, 0.01)),
                yardstick_shift: None,
            }];
        }
    };
    let plan = plan(PLAN);
    let of = |factor: f64| {
        let old = results_of(&plan, |run| {
            before(run);
            with(1.0)(run);
        });
        let new = results_of(&plan, |run| {
            after(run);
            with(factor)(run);
        });
        diff::diff(&old, &new, Mixed::Refused).unwrap()
    };
    assert!(of(1.0).caveats[1].contains("shows no drift"), "{:?}", of(1.0).caveats);
    let drifted = of(1.1);
    assert!(
        drifted.caveats[1].starts_with("DRIFT: fixed work on the CPUs took 10 % longer in NEW"),
        "{:?}",
        drifted.caveats
    );
    assert!(drifted.yardstick.unwrap().ratio.low.unwrap() > 1.08);
    assert!(diff_after(|_| {}).caveats[1].contains("too few runs"));
}

#[test]
fn what_is_not_comparable_is_refused_with_every_reason_and_forced_with_a_mark() {
    let spoil = |run: &mut Run| {
        run.host.fingerprint = "bb".to_owned();
        run.redis_server.version = "7.2.4".to_owned();
        run.host.scheduling = "shared".to_owned();
        if run.block == 4 {
            invalidate(run);
        }
    };
    let reasons = try_diff(Mixed::Refused, spoil).unwrap_err();
    insta::assert_snapshot!(reasons, @r#"OLD and NEW are not compared: (1) host bb (Example CPU), but OLD was made on 00000000000000aa (Example CPU); results of different hosts are not compared (2) server valkey 7.2.4, but OLD used valkey 9.1.2; results of different servers are not compared (3) scheduling "shared", but OLD had "own sessions"; where processes run and how they share CPUs is part of the cost (4) cell 0 of NEW has 9 valid of 10 blocks, 1 attempt void for invalid runs. --force does it nevertheless, and marks what comes of it"#);
    let forced = try_diff(Mixed::Forced, spoil).unwrap();
    assert_eq!(forced.forced.len(), reasons.0.len());
    let text = diff::terminal(&forced);
    assert!(text.contains("FORCED: compared although host bb"), "{text}");
    assert!(text.contains("cell 0 (FORCED)"), "{text}");
}

#[test]
fn other_plans_are_compared_by_force_only_where_they_agree() {
    let (old, new) = (plan_with(&["load.rate_per_s=[500, 1000]"]), plan_with(&["load.rate_per_s=[1000, 2000]"]));
    let (old, new) = (results_of(&old, before), results_of(&new, after));
    let refused = diff::diff(&old, &new, Mixed::Refused).unwrap_err().to_string();
    assert!(refused.contains("the plan is two (hash"), "{refused}");
    let forced = diff::diff(&old, &new, Mixed::Forced).unwrap();
    let cells: Vec<String> = forced.cells.iter().map(|cell| cell.parameters["load.rate_per_s"].to_string()).collect();
    assert_eq!(cells, ["1000"]);
}

#[test]
fn a_bench_is_not_compared_with_itself() {
    let dir = results_with(|_| {});
    let message = stderr(&analysis(&["diff", path(dir.path()), path(dir.path())]).code(2));
    assert!(message.contains("both hold the same runs") && message.lines().count() == 1, "{message}");
}

#[test]
fn exit_codes_tables_and_json() {
    let old = results_with(before);
    let worse = results_with(|run| {
        after(run);
        scale_cpu(run, 1.3);
    });
    let same = results_with(after);
    let printed = stdout(&analysis(&["diff", path(old.path()), path(worse.path())]).code(6));
    assert!(printed.contains("REGRESSION") && printed.contains("were not made side by side"), "{printed}");
    let printed = stdout(&analysis(&["diff", path(old.path()), path(same.path())]).success());
    insta::assert_snapshot!(printed.lines().take(16).collect::<Vec<_>>().join("\n"), @"
    two (which costs less?): NEW against OLD
    OLD: from 2026-11-23T12:00:00Z to 2026-11-23T12:00:00Z, Example CPU, valkey 9.1.2, workers test
    NEW: from 2026-11-24T12:00:00Z to 2026-11-24T12:00:00Z, Example CPU, valkey 9.1.2, workers test
    primary metric: CPU per task, margin 3 %

    cell 0
      threads, CPU per task: same (adjusted p = 1.00, adjusted p of a difference beyond the margin = 0.002)
      async, CPU per task: same (adjusted p = 1.00, adjusted p of a difference beyond the margin = 0.002)

      threads                                         OLD                   NEW             NEW / OLD  detectable     p  verdict
      CPU per task                      200 µs [197, 204]     200 µs [196, 204]  0.999 [0.983, 1.015]         3 %  1.00  same
      CPU per task, workers             150 µs [148, 153]     150 µs [147, 153]  0.999 [0.983, 1.015]         3 %  0.85  (same)
      CPU per task, redis            50.1 µs [49.2, 50.9]  50.1 µs [49.1, 50.9]  0.999 [0.983, 1.015]         3 %  0.85  (same)
      completed                      1000 /s [1000, 1000]  1000 /s [1000, 1000]  1.000 [1.000, 1.000]           -  1.00  (same)
      response p50                      900 µs [900, 900]     900 µs [900, 900]  1.000 [1.000, 1.000]           -  1.00  (same)
      response p90                      1.8 ms [1.8, 1.8]     1.8 ms [1.8, 1.8]  1.000 [1.000, 1.000]           -  1.00  (same)
    ");
    let json = stdout(&analysis(&["diff", "--json", path(old.path()), path(worse.path())]).code(6));
    let diff: Diff = serde_json::from_str(&json).unwrap();
    assert!(diff.regression);
    let file = old.path().join("diff.json");
    std::fs::write(&file, &json).unwrap();
    analysis(&["validate", path(&file)]).success();
    std::fs::remove_file(same.path().join("runs/c0-b0-a0-async.json")).unwrap();
    let message = stderr(&analysis(&["diff", path(old.path()), path(same.path())]).code(2));
    assert!(message.contains("cell 0 of NEW has 9 valid of 10 blocks"), "{message}");
    assert!(stdout(&analysis(&["diff", "--force", path(old.path()), path(same.path())]).success()).contains("FORCED"));
}
