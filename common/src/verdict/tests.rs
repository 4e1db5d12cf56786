use std::collections::BTreeMap;

use super::{Evidence, judge, on_time_limit_us};
use crate::latency::Latency;
use crate::plan::Plan;
use crate::report::{Backlog, Counts, Ended, Failures, Latencies, Overload, RedisWork, RunResult};
use crate::task;

/// A run of 3000 tasks in which everything went well; each test spoils one thing.
struct Case {
    slo: &'static str,
    ended: Ended,
    counts: Counts,
    latency_us: Latencies,
    backlog: Backlog,
    redis_work: RedisWork,
    on_time: f64,
    recorded: u64,
    sum_error: Option<f64>,
}

fn latency(us: u64) -> crate::report::Distribution {
    let mut latency = Latency::new();
    (0..3000).for_each(|_| latency.record(us * 1000));
    latency.distribution(0)
}

fn good() -> Case {
    Case {
        slo: "",
        ended: Ended::Complete,
        counts: Counts { planned: 3000, sent: 3000, completed: 3000, ..Counts::default() },
        latency_us: Latencies {
            lateness: latency(50),
            batch_wait: None,
            queue_wait: latency(60),
            pool_wait: latency(1),
            service: latency(700),
            response: latency(800),
            response_from_send: latency(750),
            spans: BTreeMap::new(),
        },
        backlog: Backlog {
            max: Some(1),
            limit: 100,
            total_max: Some(3),
            slope_per_s: None,
            drain_ms: Some(2.0),
            overload: None,
        },
        redis_work: RedisWork { tasks: 3000, ..RedisWork::default() },
        on_time: 1.0,
        recorded: 3000,
        sum_error: Some(0.0004),
    }
}

fn judged(case: &Case) -> (Vec<String>, RunResult, String) {
    let text = format!(
        "name = \"t\"\n[task]\nkind = \"document\"\n[load]\nrate_per_s = 1000\nduration_s = 1\n[workers]\ncount = 1\n[slo]\n{}\n[[variant]]\nname = \"a\"\nengine = \"async\"\n",
        case.slo
    );
    let plan = Plan::parse(&text, &[]).unwrap();
    let (validity, verdict) = judge(&Evidence {
        settings: &plan.cells[0].settings,
        ended: &case.ended,
        counts: &case.counts,
        latency_us: &case.latency_us,
        backlog: &case.backlog,
        redis_work: &case.redis_work,
        on_time: case.on_time,
        on_time_before_overload: case.on_time,
        recorded: case.recorded,
        sum_error: case.sum_error,
    });
    let failed = validity.checks.iter().filter(|check| !check.ok).map(|check| check.name.clone()).collect();
    (failed, verdict.result, verdict.reason)
}

#[track_caller]
fn check(spoil: impl FnOnce(&mut Case), failed: &[&str], result: RunResult, reason: &str) {
    let mut case = good();
    spoil(&mut case);
    let (names, verdict, because) = judged(&case);
    assert_eq!(
        (names.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), verdict),
        (failed, result),
        "{because}"
    );
    assert!(because.contains(reason), "{because:?} does not contain {reason:?}");
}

#[test]
fn a_good_run_is_ok() {
    check(|_| {}, &[], RunResult::Ok, "3000 tasks completed");
}

#[test]
fn every_check_trips() {
    check(|case| case.counts.missed = 1, &["conservation"], RunResult::Invalid, "conservation");
    check(|case| case.counts.unfinished = 1, &["conservation"], RunResult::Invalid, "conservation");
    check(|case| case.recorded = 2999, &["recorded"], RunResult::Invalid, "recorded");
    check(|case| case.sum_error = Some(0.0021), &["sum"], RunResult::Invalid, "sum");
    check(|case| case.sum_error = None, &[], RunResult::Ok, "completed");
    let lost = |status: Option<&str>| Ended::DynoLost { dyno: 0, at_s: 1.0, status: status.map(str::to_owned) };
    check(|case| case.ended = lost(None), &["dynos alive"], RunResult::Invalid, "dynos");
    check(|case| case.ended = lost(Some("signal: 9")), &["dynos alive"], RunResult::Invalid, "dyno 0 ended: signal: 9");
    let gone = Ended::ServerLost { at_s: 1.0, status: "exit status: 1".to_owned() };
    check(|case| case.ended = gone, &["server alive"], RunResult::Invalid, "the Redis server ended: exit status: 1");
    check(|case| case.on_time = 0.98, &["on time"], RunResult::Invalid, "on time");
    check(|case| case.latency_us.lateness = latency(200), &["lateness share"], RunResult::Invalid, "lateness share");
    let slow = |case: &mut Case| {
        case.latency_us.lateness = latency(1500);
        case.latency_us.response = latency(10_000);
    };
    check(slow, &["lateness"], RunResult::Ok, "completed");
    let errors = |case: &mut Case| {
        case.counts.completed = 2999;
        case.recorded = 2999;
        case.counts.failed = Failures { server_error: 1, ..Failures::default() };
    };
    check(errors, &["errors"], RunResult::Invalid, "errors");
}

/// Three thousand tasks are the fewest with thirty beyond the 99th percentile.
#[test]
fn a_percentile_of_few_tasks_is_no_evidence_against_the_generator() {
    let few = |case: &mut Case| {
        case.latency_us.lateness = latency(200);
        case.latency_us.response.n = 2999;
    };
    check(few, &[], RunResult::Ok, "completed");
}

#[test]
fn the_server_must_count_what_tasks_consist_of() {
    let plan = Plan::parse("name = \"t\"\n[task]\nkind = \"document\"\n[load]\nrate_per_s = 1\nduration_s = 1\n[workers]\ncount = 1\n[[variant]]\nname = \"a\"\nengine = \"async\"\n", &[]).unwrap();
    let expected = task::commands_per_task(&plan.cells[0].settings.task).unwrap();
    let commands: BTreeMap<String, f64> = expected.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect();
    check(|case| case.redis_work.commands_per_task = commands.clone(), &[], RunResult::Ok, "completed");
    let meddled = |case: &mut Case| {
        case.redis_work.commands_per_task = commands.clone();
        case.redis_work.commands_per_task.insert("get".into(), 1.001);
    };
    check(meddled, &["commands"], RunResult::Invalid, "commands");
    let foreign = |case: &mut Case| {
        case.redis_work.commands_per_task = commands.clone();
        case.redis_work.commands_per_task.insert("incr".into(), 0.5);
    };
    check(foreign, &["commands"], RunResult::Invalid, "commands");
    let halfway = |case: &mut Case| {
        meddled(case);
        case.counts.warmup = 1;
    };
    check(halfway, &[], RunResult::Ok, "completed");
}

#[test]
fn overload_is_no_fault_of_a_generator_that_had_been_on_time() {
    let overload = |case: &mut Case| {
        case.ended = Ended::Overloaded;
        case.counts =
            Counts { planned: 1000, sent: 600, missed: 400, completed: 500, unfinished: 100, ..Counts::default() };
        case.recorded = 500;
        case.latency_us.lateness = latency(700);
        case.backlog.overload = Some(Overload { at_s: 0.6, dyno: 0, worker: Some(3), backlog: 100 });
    };
    check(overload, &[], RunResult::Overloaded, "worker 3 had 100 tasks waiting 0.60 s into the window");
}

#[test]
fn what_did_not_keep_up_is_overloaded() {
    let unfinished = |case: &mut Case| {
        case.counts.completed = 2990;
        case.counts.unfinished = 10;
        case.recorded = 2990;
    };
    check(unfinished, &[], RunResult::Overloaded, "10 were unfinished");
    check(|case| case.backlog.drain_ms = Some(1500.0), &[], RunResult::Overloaded, "took 1500 ms");
    check(|case| case.slo = "response_p99_ms = 0.5", &[], RunResult::Overloaded, "response p99");
    check(|case| case.slo = "response_p99_ms = 5", &[], RunResult::Ok, "completed");
    check(|case| case.ended = Ended::Interrupted, &[], RunResult::Inconclusive, "interrupted");
}

#[test]
fn on_time_is_a_millisecond_or_a_twentieth_of_the_median() {
    assert_eq!(on_time_limit_us(None), 1000.0);
    assert_eq!(on_time_limit_us(Some(800.0)), 1000.0);
    assert_eq!(on_time_limit_us(Some(100_000.0)), 5000.0);
}
