use std::collections::BTreeMap;

use super::{Evidence, judge, on_time_limit_us};
use crate::latency::Latency;
use crate::plan::Plan;
use crate::report::{
    Backlog, ClockOffset, Counts, Ended, Failures, Latencies, Left, Little, Machine, Overload, Pressure, QueueReport,
    RedisServer, RedisWork, Resource, Resources, Results, RunResult, Usage, Validity, Verdict, WatchedCpu,
};
use crate::task;

/// A run of 3000 tasks in which everything went well; each test spoils one thing.
struct Case {
    rate_per_s: u32,
    load: &'static str,
    slo: &'static str,
    ended: Ended,
    counts: Counts,
    latency_us: Latencies,
    task: &'static str,
    backlog: Backlog,
    redis_work: RedisWork,
    percentile: Option<f64>,
    little: Option<Little>,
    machine: Machine,
    pressure: Vec<Pressure>,
    distance: Option<f64>,
    resources: Resources,
    on_time: f64,
    recorded: u64,
    sum_error: Option<f64>,
    clocks: Vec<ClockOffset>,
    redis_server: RedisServer,
    queue: Option<QueueReport>,
}

fn latency(us: u64) -> crate::report::Distribution {
    let mut latency = Latency::new();
    (0..3000).for_each(|_| latency.record(us * 1000));
    latency.distribution(0)
}

fn watched(cpu: u32) -> WatchedCpu {
    let (late_ms, worst_ms) = (1.0, 1.5);
    WatchedCpu { cpu, ticks: 1000, late_ms, worst_ms, yardstick_us: Some(40.0), yardstick_shift: Some(1.02) }
}

fn good() -> Case {
    Case {
        rate_per_s: 3000,
        task: "kind = \"document\"",
        load: "",
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
            max_work_s: Some(0.0007),
            total_max: Some(3),
            slope_per_s: Some(0.1),
            slope_low_per_s: Some(-2.0),
            slope_high_per_s: Some(2.2),
            drain_ms: Some(2.0),
            overload: None,
        },
        redis_work: RedisWork { tasks: 3000, ..RedisWork::default() },
        percentile: None,
        little: Some(Little { looks: 550, in_system: 2.26, standard_error: 0.02, rate_times_time: 2.25, ends: 0.0 }),
        machine: Machine {
            priority: "fifo-1".to_owned(),
            cpus: [0, 1].map(watched).to_vec(),
            busy_s: Some(0.6),
            others_share: Some(0.03),
            steal_s: Some(0.0),
        },
        pressure: [(Resource::ServerCpu, 0.4), (Resource::WorkerCpu, 0.5), (Resource::Workers, 0.2)]
            .map(|(resource, share)| Pressure { resource, share })
            .to_vec(),
        distance: None,
        resources: Resources {
            window_s: 3.0,
            tasks: Some(3000),
            workers: Usage::default(),
            redis: Usage::default(),
            loadgen: Usage::default(),
            proxy: None,
            throttling: None,
        },
        on_time: 1.0,
        recorded: 3000,
        sum_error: Some(0.0004),
        clocks: Vec::new(),
        redis_server: RedisServer {
            product: "redis".to_owned(),
            version: "7.4.0".to_owned(),
            allocator: String::new(),
            io_threads: None,
            maxmemory_bytes: Some(1 << 30),
            maxmemory_policy: Some("noeviction".to_owned()),
            private: true,
            origin: String::new(),
            keys_start: 0,
            keys_end: Some(0),
            used_memory_start_bytes: 1,
            used_memory_end_bytes: Some(7),
            evicted_keys: Some(0),
        },
        queue: None,
    }
}

/// A queue out of which every task was claimed once.
fn queue() -> QueueReport {
    QueueReport {
        enqueue_us: latency(90),
        reconnects: 0,
        sent_again: 0,
        claims: 3100,
        empty_claims: 100,
        claimed: 3000,
        retries: 0,
        redeliveries: 0,
        duplicates: 0,
        duplicates_in_window: 0,
        dead: 0,
        foreign: 0,
        peak: None,
        depth: Vec::new(),
        left: Some(Left { visible: Some(0), in_flight: 0, delayed: 0, dead: 0, duplicates: 0 }),
        results: Some(Results { expected: 3000, right: 3000, wrong: 0, missing: 0, sum: 1.0, sum_expected: 1.0 }),
    }
}

fn judged(case: &Case) -> (Validity, Verdict) {
    let text = format!(
        "name = \"t\"\nprimary = \"threads\"\n[task]\n{}\n[load]\nrate_per_s = {}\nduration_s = 1\n{}\n[workers]\ncount = 1\n[slo]\n{}\n[[variant]]\nname = \"a\"\nengine = \"async\"\n",
        case.task, case.rate_per_s, case.load, case.slo
    );
    let plan = Plan::parse(&text, &[]).unwrap();
    judge(&Evidence {
        settings: &plan.cells[0].settings,
        ended: &case.ended,
        counts: &case.counts,
        latency_us: &case.latency_us,
        backlog: &case.backlog,
        redis_work: &case.redis_work,
        queue: case.queue.as_ref(),
        ended_by_dyno: &[],
        percentile: case.percentile,
        little: case.little.as_ref(),
        machine: &case.machine,
        pressure: &case.pressure,
        distance: case.distance,
        network: None,
        resources: &case.resources,
        on_time: case.on_time,
        recorded: case.recorded,
        sum_error: case.sum_error,
        clocks: &case.clocks,
        redis_server: &case.redis_server,
        dyno: None,
    })
}

#[track_caller]
fn check(spoil: impl FnOnce(&mut Case), failed: &[&str], result: RunResult, reason: &str) {
    let mut case = good();
    spoil(&mut case);
    let (validity, Verdict { result: verdict, reason: because, .. }) = judged(&case);
    let names = validity.checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str());
    assert_eq!((names.collect::<Vec<_>>().as_slice(), verdict), (failed, result), "{because}");
    assert!(because.contains(reason), "{because:?} does not contain {reason:?}");
}

#[test]
fn a_good_run_is_ok() {
    check(|_| {}, &[], RunResult::Ok, "3000 tasks completed");
}

#[test]
fn a_queue_loses_nothing_and_does_nothing_twice() {
    let with = |spoil: &dyn Fn(&mut QueueReport), failed: &[&str], result, reason: &str| {
        let spoilt = |case: &mut Case| {
            let mut queue = queue();
            spoil(&mut queue);
            // What was run in vain was recorded all the same.
            case.recorded += queue.duplicates_in_window;
            case.queue = Some(queue);
        };
        check(spoilt, failed, result, reason);
    };
    let (ok, invalid) = (RunResult::Ok, RunResult::Invalid);
    with(&|_| {}, &[], ok, "completed");
    with(&|queue| queue.redeliveries = 1, &["redeliveries"], ok, "completed");
    with(&|queue| (queue.foreign, queue.dead) = (1, 1), &["foreign entries", "queue left"], invalid, "queue left");
    let left = |left: Left| move |queue: &mut QueueReport| queue.left = Some(left);
    let nothing = queue().left.unwrap();
    let in_vain = |queue: &mut QueueReport| {
        (queue.duplicates, queue.duplicates_in_window) = (3, 2);
        queue.left = Some(Left { duplicates: 3, ..nothing });
    };
    with(&in_vain, &["duplicates"], ok, "completed");
    let unseen = |queue: &mut QueueReport| {
        in_vain(queue);
        queue.duplicates = 2;
    };
    with(&unseen, &["duplicates", "queue left"], invalid, "queue left");
    // Without results the server does not know of them.
    let unknown = |queue: &mut QueueReport| {
        unseen(queue);
        queue.results = None;
    };
    with(&unknown, &["duplicates"], ok, "completed");
    with(&left(Left { visible: Some(1), ..nothing }), &["queue left"], invalid, "queue left");
    with(&left(Left { in_flight: 1, ..nothing }), &["queue left"], invalid, "queue left");
    with(&left(Left { delayed: 1, ..nothing }), &["queue left"], invalid, "queue left");
    with(&left(Left { dead: 1, ..nothing }), &["queue left"], invalid, "queue left");
    with(&left(Left { visible: None, ..nothing }), &[], ok, "completed");
    let results = |wrong, missing| {
        move |queue: &mut QueueReport| {
            let results = queue.results.as_mut().unwrap();
            (results.wrong, results.missing) = (wrong, missing);
        }
    };
    with(&results(1, 0), &["results"], invalid, "results");
    with(&results(0, 1), &["results"], invalid, "results");
    with(&|queue| (queue.left, queue.results) = (None, None), &[], ok, "completed");
    // What never ended is still there, and has no result.
    let unfinished = |case: &mut Case| {
        let mut queue = queue();
        queue.left = Some(Left { in_flight: 5, ..nothing });
        queue.results.as_mut().unwrap().missing = 5;
        case.queue = Some(queue);
        (case.counts.completed, case.counts.unfinished, case.recorded) = (2995, 5, 2995);
        case.little = None;
    };
    check(unfinished, &[], RunResult::Overloaded, "5 were unfinished");
    let lost = |case: &mut Case| {
        case.queue = Some(queue());
        case.ended = Ended::QueueLost { at_s: 1.0, why: "NOAUTH".to_owned() };
    };
    check(lost, &["queue alive"], invalid, "queue alive; the server: NOAUTH");
}

/// No resource is named for what the queue's own settings do.
#[test]
fn tries_and_timeouts_of_a_queue_are_named_before_resources() {
    let job = |spoil: &dyn Fn(&mut Case), reason: &str, remedy: &str| {
        let mut case = good();
        (case.task, case.queue) = ("kind = \"job\"\nfail_share = 0.01", Some(queue()));
        spoil(&mut case);
        let (_, verdict) = judged(&case);
        assert_eq!((verdict.result, verdict.reason.as_str()), (RunResult::Overloaded, reason), "{}", verdict.remedy);
        assert!(verdict.remedy.contains(remedy), "{}", verdict.remedy);
    };
    let retried = |drain_ms: f64| {
        move |case: &mut Case| {
            case.queue.as_mut().unwrap().retries = 60;
            case.backlog.drain_ms = Some(drain_ms);
        }
    };
    let tried =
        "the drain took 2600 ms; slo.drain_within_s allows 1000 ms; tasks that fail are tried again for 3.000 s";
    job(&retried(2600.0), tried, "a shorter queue.backoff_ms");
    // Longer than tries last: something else as well.
    let limit = "the drain took 4100 ms; slo.drain_within_s allows 1000 ms; nearest to a limit: worker CPU (50 %)";
    job(&retried(4100.0), limit, "a lower rate");
    let growing = |slope: f64| {
        move |case: &mut Case| {
            retried(500.0)(case);
            let backlog = &mut case.backlog;
            (backlog.slope_per_s, backlog.slope_low_per_s) = (Some(slope), Some(slope - 1.0));
            backlog.slope_high_per_s = Some(slope + 1.0);
        }
    };
    let grew = "the backlog grew by 50.0 tasks a second (at least 49.0, with 95 %); tasks that fail are tried again for 3.000 s";
    job(&growing(50.0), grew, "load.warmup_s");
    // Faster than tasks fail.
    let limit =
        "the backlog grew by 90.0 tasks a second (at least 89.0, with 95 %); nearest to a limit: worker CPU (50 %)";
    job(&growing(90.0), limit, "a lower rate");
    let buried = |case: &mut Case| {
        let queue = case.queue.as_mut().unwrap();
        queue.dead = 20;
        queue.left.as_mut().unwrap().dead = 20;
        (case.counts.completed, case.counts.unfinished, case.recorded) = (2980, 20, 2980);
        case.little = None;
    };
    let dead = "0 tasks failed and 20 were unfinished; these lie among the dead, claimed 3 times (queue.attempts_max) and not settled in \
                time (queue.visibility_timeout_s = 30)";
    job(&buried, dead, "queue.visibility_timeout_s");
    let limit = "0 tasks failed and 20 were unfinished; nearest to a limit: worker CPU (50 %)";
    // Before Redis 7.0 a stream does not say how much is left in it; and the dead may be those that failed.
    let unknown = |case: &mut Case| {
        buried(case);
        case.queue.as_mut().unwrap().left.as_mut().unwrap().visible = None;
    };
    job(&unknown, limit, "a lower rate");
    let failed = |case: &mut Case| {
        buried(case);
        case.counts.rejected = 20;
    };
    job(&failed, limit, "a lower rate");
    // What is short is named all the same, and what else is too long.
    let short = |case: &mut Case| {
        retried(2600.0)(case);
        case.pressure.iter_mut().for_each(|one| one.share = 0.95);
    };
    let (drain, objective) = (
        "the drain took 2600 ms; slo.drain_within_s allows 1000 ms",
        "response p99 is 0.80 ms; slo.response_p99_ms allows 0.1 ms",
    );
    job(&short, &format!("{drain}; nearest to a limit: server CPU (95 %)"), "a lower rate");
    let slow = |case: &mut Case| {
        retried(500.0)(case);
        case.slo = "response_p99_ms = 0.1";
    };
    job(&slow, &format!("{objective}; nearest to a limit: worker CPU (50 %)"), "a lower rate");
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
    let full = "the server was out of memory at 7 of 1073741824 bytes";
    check(|case| case.ended = Ended::ServerFull { at_s: 1.0 }, &["server memory"], RunResult::Invalid, full);
    check(|case| case.redis_server.evicted_keys = Some(1), &["evictions"], RunResult::Invalid, "evictions");
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
    let apart = ClockOffset { dyno: 1, offset_us: -5e9, uncertainty_us: 900.0, drift_us: Some(-200.0) };
    check(|case| case.clocks.push(apart), &["clock offset"], RunResult::Invalid, "clock offset");
    check(|case| case.redis_work.reconnects = 1, &["reconnects"], RunResult::Ok, "completed");
}

/// Of whom nothing is asked: every figure is of no task.
fn idle(case: &mut Case) {
    let none = Latency::new().distribution(0);
    let of_none = |latency: &mut crate::report::Distribution| *latency = none.clone();
    let latency_us = &mut case.latency_us;
    let all =
        [&mut latency_us.lateness, &mut latency_us.queue_wait, &mut latency_us.pool_wait, &mut latency_us.service];
    all.into_iter().for_each(of_none);
    [&mut latency_us.response, &mut latency_us.response_from_send].into_iter().for_each(of_none);
    (case.rate_per_s, case.counts, case.recorded, case.sum_error) = (0, Counts::default(), 0, None);
    case.redis_work = RedisWork::default();
    case.resources.tasks = Some(0);
    case.little = Some(Little { looks: 550, in_system: 0.0, standard_error: 0.0, rate_times_time: 0.0, ends: 0.0 });
    let none = Some(0.0);
    let backlog = &mut case.backlog;
    (backlog.slope_per_s, backlog.slope_low_per_s, backlog.slope_high_per_s, backlog.drain_ms) =
        (none, none, none, none);
}

#[test]
fn rules_about_tasks_are_not_asked_where_nothing_is() {
    check(idle, &[], RunResult::Ok, "nothing was asked");
    let with = |spoil: fn(&mut Case)| {
        move |case: &mut Case| {
            idle(case);
            spoil(case);
        }
    };
    // An objective for responses has none to be about.
    check(with(|case| case.slo = "response_p99_ms = 5"), &[], RunResult::Ok, "nothing was asked");
    check(with(|case| case.load = "arrivals = \"constant\""), &[], RunResult::Ok, "nothing was asked");
    check(with(|case| case.ended = Ended::Interrupted), &[], RunResult::Inconclusive, "interrupted");
    let lost = |case: &mut Case| case.ended = Ended::DynoLost { dyno: 0, at_s: 1.0, status: None };
    check(with(lost), &["dynos alive"], RunResult::Invalid, "dynos");
    check(with(|case| case.redis_work.reconnects = 1), &["reconnects"], RunResult::Ok, "nothing was asked");
    let asked = |spoil: fn(&mut Case)| {
        let mut case = good();
        case.slo = "response_p99_ms = 5";
        spoil(&mut case);
        judged(&case).0.checks.into_iter().map(|check| check.name).collect::<Vec<_>>()
    };
    let (idle, busy) = (asked(idle), asked(|_| {}));
    let left_out: Vec<&String> = busy.iter().filter(|name| !idle.contains(name)).collect();
    assert_eq!(left_out, ["little", "on time", "lateness share", "lateness", "samples"]);
}

#[test]
fn tasks_in_the_system_are_rate_times_time() {
    let little = |looks, in_system, standard_error| {
        move |case: &mut Case| {
            case.little = Some(Little { looks, in_system, standard_error, rate_times_time: 2.25, ends: 0.0 });
        }
    };
    check(little(550, 2.65, 0.02), &["little"], RunResult::Invalid, "little");
    check(little(550, 1.85, 0.02), &["little"], RunResult::Invalid, "little");
    // Within four standard errors, and not asked of few looks.
    check(little(550, 2.65, 0.07), &[], RunResult::Ok, "completed");
    check(little(499, 3.0, 0.02), &[], RunResult::Ok, "completed");
    // What was under way at an end of the window explains as much.
    let ends = |case: &mut Case| {
        little(550, 2.65, 0.02)(case);
        case.little.as_mut().unwrap().ends = 0.1;
    };
    check(ends, &[], RunResult::Ok, "completed");
    // A task that takes hardly longer than a look is none of its business.
    let short = |case: &mut Case| {
        little(550, 4.5, 0.02)(case);
        case.latency_us.response_from_send = latency(190);
    };
    check(short, &[], RunResult::Ok, "completed");
}

#[test]
fn the_machine_is_watched() {
    let late = |case: &mut Case, late_ms| case.machine.cpus[1].late_ms = late_ms;
    // Half of the hundredth of one second.
    check(|case| late(case, 4.9), &[], RunResult::Ok, "completed");
    check(|case| late(case, 5.1), &["ticks"], RunResult::Ok, "completed");
    check(|case| late(case, 10.1), &["ticks"], RunResult::Ok, "completed");
    let about_a_percentile = |late_ms: f64, priority: &'static str| {
        move |case: &mut Case| {
            case.percentile = Some(0.99);
            case.machine.priority = priority.to_owned();
            late(case, late_ms);
        }
    };
    check(about_a_percentile(9.9, "fifo-1"), &["ticks"], RunResult::Ok, "completed");
    check(about_a_percentile(10.1, "fifo-1"), &["ticks"], RunResult::Invalid, "ticks");
    check(about_a_percentile(10.1, "normal"), &["ticks"], RunResult::Ok, "completed");
    check(|case| case.machine.cpus[0].yardstick_shift = Some(1.21), &["yardstick"], RunResult::Ok, "completed");
    check(|case| case.machine.cpus[0].yardstick_shift = Some(0.82), &["yardstick"], RunResult::Ok, "completed");
    check(|case| case.machine.cpus[0].yardstick_shift = Some(0.84), &[], RunResult::Ok, "completed");
    check(|case| case.machine.others_share = Some(0.11), &["others"], RunResult::Ok, "completed");
    let busy = |resource| move |case: &mut Case| case.pressure.push(Pressure { resource, share: 0.91 });
    check(busy(Resource::Generator), &["generator cpu"], RunResult::Ok, "completed");
    check(|case| case.pressure[0].share = 0.91, &["server cpu"], RunResult::Ok, "completed");
}

#[test]
fn a_backlog_that_grows_is_overloaded_and_one_that_may_is_inconclusive() {
    // Of 3000 tasks in a second 1 % are 30, and 2 % are 60.
    let slope = |slope, low, high| {
        move |case: &mut Case| {
            case.backlog.slope_per_s = Some(slope);
            case.backlog.slope_low_per_s = Some(low);
            case.backlog.slope_high_per_s = Some(high);
        }
    };
    check(slope(31.0, 1.0, 61.0), &[], RunResult::Overloaded, "grew by 31.0 tasks a second (at least 1.0");
    check(slope(29.0, 1.0, 57.0), &[], RunResult::Ok, "completed");
    check(slope(31.0, -1.0, 63.0), &[], RunResult::Inconclusive, "may grow by 63.0 tasks a second, and 60.0");
    let unseen = |case: &mut Case| {
        (case.backlog.slope_per_s, case.backlog.slope_low_per_s, case.backlog.slope_high_per_s) = (None, None, None);
    };
    check(unseen, &[], RunResult::Inconclusive, "not seen throughout");
    let ramp = |case: &mut Case| {
        case.load = "arrivals = \"ramp\"\nrate_end_per_s = 5000";
        slope(31.0, 1.0, 61.0)(case);
    };
    check(ramp, &[], RunResult::Ok, "completed");
}

#[test]
fn percentiles_of_few_tasks_are_said_and_settle_no_slo() {
    let few = |case: &mut Case| {
        case.latency_us.response.n = 2900;
        case.percentile = Some(0.99);
    };
    check(few, &["samples"], RunResult::Ok, "completed");
    let slo = |case: &mut Case| {
        case.latency_us.response.n = 2900;
        case.slo = "response_p99_ms = 5";
    };
    check(slo, &["samples"], RunResult::Inconclusive, "29 tasks lie beyond");
    let missed = |case: &mut Case| {
        slo(case);
        case.slo = "response_p99_ms = 0.5";
    };
    check(missed, &["samples"], RunResult::Inconclusive, "29 tasks lie beyond");
}

#[test]
fn an_overload_names_what_was_short() {
    let short = |case: &mut Case| {
        case.backlog.drain_ms = Some(1500.0);
        case.pressure[2].share = 0.97;
    };
    check(short, &[], RunResult::Overloaded, "nearest to a limit: workers (97 %)");
    let far = |case: &mut Case| {
        short(case);
        case.distance = Some(0.8);
    };
    check(far, &[], RunResult::Overloaded, "nearest to a limit: network distance (97 %)");
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
        case.backlog.overload = Some(Overload { at_s: 0.6, dyno: Some(0), worker: Some(3), backlog: 100 });
    };
    check(overload, &[], RunResult::Overloaded, "worker 3 had 100 tasks waiting 0.60 s into the window");
    let intake = |dyno: Option<u32>| {
        move |case: &mut Case| {
            overload(case);
            case.backlog.overload = Some(Overload { at_s: 0.6, dyno, worker: None, backlog: 70_000 });
        }
    };
    check(
        intake(Some(1)),
        &[],
        RunResult::Overloaded,
        "dyno 1 left 70000 tasks in loadgen's hands 0.60 s into the window",
    );
    let into_queue =
        "the server left 70000 tasks in loadgen's hands 0.60 s into the window, on their way into the queue";
    check(intake(None), &[], RunResult::Overloaded, into_queue);
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
