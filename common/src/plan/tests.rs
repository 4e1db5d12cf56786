//! What a plan becomes, and what it is refused for, in which words.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Checkout, Client, Connections, Engine, Executor, Metric, Plan};

const MINIMAL: &str = r#"
name = "t"
[task]
kind = "document"
[load]
rate_per_s = 100
duration_s = 5
[workers]
count = 4
[[variant]]
name = "threads"
engine = "threaded"
[[variant]]
name = "async"
engine = "async"
"#;

/// The minimal plan with `sets` applied.
fn parse(sets: &[&str]) -> Result<Plan, String> {
    parse_text(MINIMAL, sets)
}

fn parse_text(text: &str, sets: &[&str]) -> Result<Plan, String> {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    Plan::parse(text, &sets).map_err(|error| error.to_string())
}

/// The minimal plan with `more` appended is refused with exactly this message.
#[track_caller]
fn check(more: &str, message: &str) {
    assert_eq!(parse_text(&format!("{MINIMAL}{more}"), &[]).map(|_| "a plan"), Err(message.to_owned()), "{more}");
}

/// The minimal plan with these `--set` is refused with exactly this message.
#[track_caller]
fn check_set(sets: &[&str], message: &str) {
    assert_eq!(parse(sets).map(|_| "a plan"), Err(message.to_owned()), "{sets:?}");
}

#[test]
fn what_the_plan_leaves_out_has_a_default() {
    let plan = parse(&[]).unwrap();
    assert_eq!((plan.question.as_str(), plan.primary, plan.baseline.as_str()), ("", Metric::CpuUsPerTask, "threads"));
    assert_eq!((plan.repeat.blocks, plan.repeat.extend_to, plan.repeat.margin), (10, None, 0.03));
    assert_eq!((plan.cells.len(), plan.published.len()), (1, 0));
    let settings = serde_json::to_value(&plan.cells[0].settings).unwrap();
    assert_eq!(
        settings,
        json!({
            "task": {"kind": "document", "list_max": 100, "payload_kb": 5.0, "prefill": true, "redis_round_trips": 1, "cpu_us": 0.0, "sleep_ms": 0.0, "permits": null, "fail_share": 0.0, "time_scale": 0.1},
            "load": {"rate_per_s": 100.0, "arrivals": "poisson", "duration_s": 5.0, "warmup_s": 1.0, "drain_s": 10.0, "seed": 1},
            "workers": {"count": 4, "dynos": 1, "backlog_max": 100, "choice": "round-robin", "order": "fifo", "on_overload": "stop"},
            "dyno": null,
            "slo": {"response_p99_ms": null, "drain_within_s": 1.0},
            "redis": {"connect_timeout_s": 1.0, "response_timeout_s": 5.0, "checkout_timeout_s": 5.0, "rtt_us": 0, "jitter_us": 0},
        })
    );
}

#[test]
fn a_variant_gets_the_usual_settings_of_its_engine() {
    for (lines, expected) in [
        ("engine = \"threaded\"", (Executor::Dedicated, Connections::Pool, Client::Direct, Some(28))),
        (
            "engine = \"threaded\"\nclient = \"blocking\"\npool_size = 2",
            (Executor::Dedicated, Connections::Pool, Client::Blocking, Some(2)),
        ),
        (
            "engine = \"async\"\nclient = \"multiplexed\"\nconnections = \"own\"",
            (Executor::MultiThread, Connections::Own, Client::Multiplexed, None),
        ),
        ("engine = \"threaded\"\nconnections = \"own\"", (Executor::Dedicated, Connections::Own, Client::Direct, None)),
        ("engine = \"async\"", (Executor::MultiThread, Connections::Pool, Client::Direct, Some(28))),
        (
            "engine = \"async\"\nexecutor = \"thread-per-core\"",
            (Executor::ThreadPerCore, Connections::Pool, Client::Direct, Some(28)),
        ),
        ("engine = \"async\"\nconnections = \"own\"", (Executor::MultiThread, Connections::Own, Client::Direct, None)),
        (
            "engine = \"async\"\nconnections = \"shared\"",
            (Executor::MultiThread, Connections::Shared, Client::Multiplexed, Some(1)),
        ),
        (
            "engine = \"async\"\nconnections = \"shared\"\npool_size = 3",
            (Executor::MultiThread, Connections::Shared, Client::Multiplexed, Some(3)),
        ),
    ] {
        let plan = parse_text(&format!("{MINIMAL}[[variant]]\nname = \"x\"\n{lines}\n"), &[]).unwrap();
        let x = &plan.variants[2];
        assert_eq!((x.executor, x.connections, x.client, x.pool_size), expected, "{lines}");
        assert_eq!(x.checkout, (x.connections == Connections::Pool).then_some(Checkout::Step), "{lines}");
    }
}

#[test]
fn unknown_keys_are_refused() {
    const TOP_LEVEL: &str = "name, question, primary, baseline, task, load, workers, dyno, slo, redis, queue, repeat, sweep, cells, variant, published, traces";
    check("[tasks]\nkind = \"document\"", &format!("tasks: unknown key; use one of {TOP_LEVEL}"));
    check_set(&["rate_per_s=100"], &format!("rate_per_s: unknown key; use one of {TOP_LEVEL}"));
    check_set(&["laod.seed=2"], &format!("laod: unknown key; use one of {TOP_LEVEL}"));
    for (set, message) in [
        (
            "task.flats=3",
            "task.flats: unknown key; use one of kind, list_max, payload_kb, prefill, redis_round_trips, cpu_us, sleep_ms, permits, fail_share, time_scale",
        ),
        (
            "load.rate=3",
            "load.rate: unknown key; use one of rate_per_s, arrivals, rate_end_per_s, burst_rate_per_s, burst_from_s, burst_to_s, amplitude, period_s, step, trace, spacing, duration_s, warmup_s, drain_s, seed",
        ),
        (
            "workers.counts=3",
            "workers.counts: unknown key; use one of count, dynos, backlog_max, choice, order, on_overload, override",
        ),
        ("slo.p99=3", "slo.p99: unknown key; use one of response_p99_ms, drain_within_s"),
        (
            "redis.rtt=1200",
            "redis.rtt: unknown key; use one of connect_timeout_s, response_timeout_s, checkout_timeout_s, rtt_us, jitter_us",
        ),
        ("repeat.block=3", "repeat.block: unknown key; use one of blocks, extend_to, margin"),
    ] {
        check_set(&[set], message);
    }
    check(
        "conections = \"own\"",
        "variant.async.conections: unknown key; use one of name, engine, executor, connections, client, pool_size, checkout, pool_threads, stack_kib, cpu_placement, allocator",
    );
    check(
        "[[workers.override]]\ndyno = 0\nworkers = 3",
        "workers.override.workers: unknown key; use one of dyno, count, backlog_max",
    );
    check(
        "[published]\nsource = \"x\"\nresult = \"success\"\ntasks = 3",
        "published.tasks: unknown key; use one of source, dyno, workers, cpus, result, sent, completed, uptime_s, real_per_s, \
         drain_min, peak, task_ms, fetch_ms, save_ms, ping_ms",
    );
}

#[test]
fn missing_keys_are_named() {
    for (without, message) in [
        ("name = \"t\"\n", "name: missing, and it has no default"),
        ("kind = \"document\"\n", "task.kind: missing, and it has no default"),
        ("[task]\nkind = \"document\"\n", "task.kind: missing, and it has no default"),
        ("rate_per_s = 100\n", "load.rate_per_s: missing, and it has no default"),
        ("duration_s = 5\n", "load.duration_s: missing, and it has no default"),
        ("count = 4\n", "workers.count: missing, and it has no default"),
        ("name = \"async\"\n", "variant.name: missing, and it has no default"),
        ("engine = \"async\"\n", "variant.async.engine: missing, and it has no default"),
    ] {
        assert_eq!(parse_text(&MINIMAL.replace(without, ""), &[]).map(|_| ()), Err(message.to_owned()), "{without}");
    }
    check("[published]\nsource = \"x\"", "published.result: missing, and it has no default");
}

#[test]
fn values_of_the_wrong_type_are_refused() {
    for (set, message) in [
        ("name=3", "name = 3: text in quotes"),
        ("task=3", "task = 3: a table, written [task]"),
        ("load=[1, 2]", "load = [1, 2]: a table, written [load]"),
        ("repeat=1", "repeat = 1: a table"),
        ("variant=3", "variant = 3: a table, written [[variant]]"),
        ("published=3", "published = 3: a table, written [[published]]"),
        ("task.kind=documnet", "task.kind = \"documnet\": one of document, replay, synthetic, job, order, null"),
        ("task.prefill=yes", "task.prefill = \"yes\": true or false"),
        ("load.rate_per_s=fast", "load.rate_per_s = \"fast\": a number"),
        ("load.rate_per_s=", "load.rate_per_s: missing, and it has no default"),
        ("load.rate_per_s=[1,", "load.rate_per_s = [1,: a TOML value; what it opens it must close"),
        ("load.rate_per_s=[1, 2, 1]", "load.rate_per_s = [1, 2, 1]: every value once"),
        ("load.rate_per_s=[1, \"fast\"]", "load.rate_per_s = \"fast\": a number"),
        ("load.rate_per_s=[[1]]", "load.rate_per_s = [...]: a number"),
        (
            "load.arrivals=poison",
            "load.arrivals = \"poison\": one of constant, poisson, ramp, steps, burst, sine, trace",
        ),
        ("load.seed=-1", "load.seed = -1: a whole number, not negative"),
        ("workers.count=2.5", "workers.count = 2.5: a whole number, not negative"),
        ("workers.count=-1", "workers.count = -1: a whole number, not negative"),
        ("workers.choice=any", "workers.choice = \"any\": round-robin or random"),
        ("workers.order=filo", "workers.order = \"filo\": fifo or lifo"),
        ("workers.on_overload=cry", "workers.on_overload = \"cry\": stop or continue"),
        ("repeat.blocks=[1, 2]", "repeat.blocks = [...]: a whole number, not negative"),
        ("variant.async.engine=green", "variant.async.engine = \"green\": threaded or async"),
        ("variant.async.connections=many", "variant.async.connections = \"many\": one of own, pool, shared"),
        ("variant.async.pool_size=-1", "variant.async.pool_size = -1: a whole number, not negative"),
    ] {
        check_set(&[set], message);
    }
    assert!(parse(&["primary=cpu"]).unwrap_err().starts_with("primary = \"cpu\": one of cpu_us_per_task, workers_cpu"));
    check("[[workers.override]]\ndyno = \"B\"", "workers.override.dyno = \"B\": a whole number, not negative");
}

#[test]
fn values_that_no_run_can_have_are_refused() {
    const RATE: &str = "tasks a second from 0 to 10000000";
    for (value, shown) in [("-1", "-1"), ("nan", "NaN"), ("inf", "inf"), ("-inf", "-inf"), ("1e8", "100000000")] {
        check_set(&[&format!("load.rate_per_s={value}")], &format!("load.rate_per_s = {shown}: {RATE}"));
    }
    for (set, message) in [
        ("load.rate_per_s=[100, -1]", "load.rate_per_s = -1: tasks a second from 0 to 10000000"),
        ("load.rate_per_s=[]", "load.rate_per_s = []: at least one value"),
        ("load.duration_s=0", "load.duration_s = 0: seconds above 0 and at most 86400"),
        ("load.duration_s=1e6", "load.duration_s = 1000000: seconds above 0 and at most 86400"),
        (
            "load.duration_s=0.001",
            "load.duration_s = 0.001: at 100 tasks a second the window holds no task; at least 0.01 s would do",
        ),
        ("load.warmup_s=-1", "load.warmup_s = -1: seconds from 0 to 3600"),
        ("load.warmup_s=nan", "load.warmup_s = NaN: seconds from 0 to 3600"),
        ("load.drain_s=0", "load.drain_s = 0: seconds above 0 and at most 3600"),
        ("task.payload_kb=0", "task.payload_kb = 0: kilobytes above 0 and at most 16384"),
        ("task.payload_kb=nan", "task.payload_kb = NaN: kilobytes above 0 and at most 16384"),
        ("task.list_max=0", "task.list_max = 0: 1 to 100000 flats"),
        ("workers.count=0", "workers.count = 0: 1 to 1000000 workers in a dyno"),
        ("workers.count=[1, 0]", "workers.count = 0: 1 to 1000000 workers in a dyno"),
        ("workers.dynos=0", "workers.dynos = 0: 1 to 1000 processes"),
        ("workers.backlog_max=0", "workers.backlog_max = 0: at least 1 waiting task"),
        ("slo.response_p99_ms=0", "slo.response_p99_ms = 0: milliseconds above 0 and at most 3600000"),
        ("slo.drain_within_s=-1", "slo.drain_within_s = -1: seconds above 0 and at most 3600"),
        ("redis.connect_timeout_s=0", "redis.connect_timeout_s = 0: seconds above 0 and at most 3600"),
        ("redis.response_timeout_s=inf", "redis.response_timeout_s = inf: seconds above 0 and at most 3600"),
        ("redis.checkout_timeout_s=0", "redis.checkout_timeout_s = 0: seconds above 0 and at most 3600"),
        ("repeat.blocks=0", "repeat.blocks = 0: 1 to 10000; 10 for a verdict"),
        (
            "repeat.extend_to=10",
            "repeat.extend_to = 10: an even number above repeat.blocks = 10 and at most 3 times as many, such as 20",
        ),
        (
            "repeat.extend_to=15",
            "repeat.extend_to = 15: an even number above repeat.blocks = 10 and at most 3 times as many, such as 20",
        ),
        (
            "repeat.extend_to=32",
            "repeat.extend_to = 32: an even number above repeat.blocks = 10 and at most 3 times as many, such as 20",
        ),
        ("repeat.extend_to=[20, 30]", "repeat.extend_to = [...]: a whole number, not negative"),
        ("repeat.margin=0", "repeat.margin = 0: a share above 0 and below 1, such as 0.03"),
        ("repeat.margin=3", "repeat.margin = 3: a share above 0 and below 1, such as 0.03"),
        ("name=a b", "name = \"a b\": letters, digits, - and _ only"),
        ("name=../up", "name = \"../up\": letters, digits, - and _ only"),
        ("name=\"\"", "name = \"\": letters, digits, - and _ only"),
        ("baseline=rust", "baseline = \"rust\": one of threads, async"),
    ] {
        check_set(&[set], message);
    }
    check_set(
        &["load.rate_per_s=1e7", "load.duration_s=100"],
        "load.rate_per_s = 10000000: 1010000000 tasks in 101 s; at most 100000000 in a run",
    );
    let many: Vec<String> = (1..=101).map(|value| value.to_string()).collect();
    let many = many.join(", ");
    check_set(
        &[&format!("load.rate_per_s=[{many}]"), &format!("workers.count=[{many}]")],
        "load.rate_per_s x workers.count: these lists make 10201 cells; at most 10000 in a plan",
    );
}

/// The minimal plan with these `[load]` keys besides `duration_s = 5`.
fn load(keys: &str) -> Result<Plan, String> {
    let mut read = |file: &str| match file {
        "t.csv" => Ok("0\n1\n4.5\n".to_owned()),
        _ => Err("no such file".to_owned()),
    };
    let text = MINIMAL.replace("rate_per_s = 100", keys);
    Plan::parse_with(&text, &[], &mut read).map_err(|error| error.to_string())
}

#[test]
fn every_arrival_process_has_keys_of_its_own() {
    let ramp = "arrivals = \"ramp\"\nrate_per_s = 0\nrate_end_per_s = 100";
    let steps =
        "arrivals = \"steps\"\nstep = [{ rate_per_s = 40, duration_s = 2 }, { rate_per_s = 0, duration_s = 3 }]";
    let burst = "arrivals = \"burst\"\nrate_per_s = 10\nburst_rate_per_s = 100\nburst_from_s = 1\nburst_to_s = 2";
    let sine = "arrivals = \"sine\"\nrate_per_s = 10\namplitude = 0.5\nperiod_s = 5";
    let trace = "arrivals = \"trace\"\ntrace = \"t.csv\"";
    for (keys, planned, mean) in
        [(ramp, 250, 50.0), (steps, 80, 16.0), (burst, 140, 28.0), (sine, 50, 10.0), (trace, 3, 0.6)]
    {
        let load = load(keys).unwrap().cells[0].settings.load.clone();
        assert_eq!((load.planned(), load.spacing.is_some()), (planned, load.arrivals.is_shaped()), "{keys}");
        assert!((load.mean_rate_per_s() - mean).abs() < 1e-9, "{keys}");
    }
    let refused = |keys: &str, message: &str| assert_eq!(load(keys).map(|_| ()), Err(message.to_owned()), "{keys}");
    for (keys, key) in
        [(ramp, "rate_end_per_s"), (burst, "burst_to_s"), (sine, "amplitude"), (trace, "trace"), (steps, "step")]
    {
        let without: Vec<&str> = keys.lines().filter(|line| !line.starts_with(key)).collect();
        refused(&without.join("\n"), &format!("load.{key}: missing, and it has no default"));
    }
    for (keys, message) in [
        (
            "rate_per_s = 1\nperiod_s = 3",
            "load.period_s = 3: load.arrivals = \"poisson\" has no such key, only \"sine\"",
        ),
        (
            &format!("{steps}\nrate_per_s = 7"),
            "load.rate_per_s = 7: load.arrivals = \"steps\" has no such key, only \"constant\", \"poisson\", \"ramp\", \"burst\", \"sine\"",
        ),
        (
            &format!("{trace}\nspacing = \"poisson\""),
            "load.spacing = \"poisson\": load.arrivals = \"trace\" has no such key, only \"ramp\", \"steps\", \"burst\", \"sine\"",
        ),
        (
            "rate_per_s = 1\ntrace = \"t.csv\"",
            "load.trace = \"t.csv\": load.arrivals = \"poisson\" has no such key, only \"trace\"",
        ),
    ] {
        refused(keys, message);
    }
}

#[test]
fn rates_that_cannot_be_are_refused() {
    let ramp = |from: &str, to: &str| format!("arrivals = \"ramp\"\nrate_per_s = {from}\nrate_end_per_s = {to}");
    let burst = |from: &str, to: &str| {
        format!("arrivals = \"burst\"\nrate_per_s = 9\nburst_rate_per_s = 90\nburst_from_s = {from}\nburst_to_s = {to}")
    };
    let sine = |mean: &str, amplitude: &str, period: &str| {
        format!("arrivals = \"sine\"\nrate_per_s = {mean}\namplitude = {amplitude}\nperiod_s = {period}")
    };
    let steps = |rate: &str, first_s: &str| {
        format!(
            "arrivals = \"steps\"\nstep = [{{ rate_per_s = 9, duration_s = {first_s} }}, {{ rate_per_s = {rate}, duration_s = 2 }}]"
        )
    };
    for (keys, message) in [
        (ramp("-1", "5"), "load.rate_per_s = -1: tasks a second from 0 to 10000000"),
        (ramp("5", "nan"), "load.rate_end_per_s = NaN: tasks a second from 0 to 10000000"),
        (ramp("0", "0"), "load.arrivals = \"ramp\": no task ever comes at these rates"),
        (
            ramp("0", "0.1"),
            "load.duration_s = 5: at 0.05 tasks a second the window holds no task; raise load.rate_per_s or load.rate_end_per_s",
        ),
        (burst("5", "6"), "load.burst_from_s = 5: seconds from 0 to the end of the window, 5"),
        (burst("-1", "2"), "load.burst_from_s = -1: seconds from 0 to the end of the window, 5"),
        (burst("2", "2"), "load.burst_to_s = 2: seconds above load.burst_from_s, 2, and at most the window's 5"),
        (burst("2", "5.1"), "load.burst_to_s = 5.1: seconds above load.burst_from_s, 2, and at most the window's 5"),
        (sine("0", "0.5", "1"), "load.rate_per_s = 0: tasks a second above 0 and at most 10000000"),
        (sine("9", "1.5", "1"), "load.amplitude = 1.5: a share of load.rate_per_s above 0 and at most 1, such as 0.5"),
        (sine("9", "0.5", "0"), "load.period_s = 0: seconds above 0 and at most 86400"),
        (steps("-1", "3"), "load.step.rate_per_s = -1: tasks a second from 0 to 10000000"),
        (steps("1", "0"), "load.step.duration_s = 0: seconds above 0 and at most 86400"),
        (steps("1", "4"), "load.duration_s = 5: the steps last 6 s and must fill the window: 6 would do"),
        ("arrivals = \"trace\"\ntrace = \"u.csv\"".to_owned(), "load.trace = \"u.csv\": no such file"),
    ] {
        assert_eq!(load(&keys).map(|_| ()), Err(message.to_owned()), "{keys}");
    }
    check("[[load.step]]\nrate_per_s = 5", "load.step.duration_s: missing, and it has no default");
    let short = load("arrivals = \"trace\"\ntrace = \"t.csv\"\n").unwrap();
    let message = "load.duration_s = 4: the last task of load.trace comes at 4.5 s: 5 would do";
    assert_eq!(parse_text(&short.source, &["load.duration_s=4"]).map(|_| ()), Err(message.to_owned()));
}

/// 0 all the time measures idle dynos: beside other rates, or by a metric that these have.
#[test]
fn a_rate_of_0_is_an_idle_load_where_something_can_be_said_of_it() {
    for arrivals in ["constant", "poisson"] {
        let plan = parse(&["load.rate_per_s=[0, 100]", &format!("load.arrivals={arrivals}")]).unwrap();
        let [idle, busy] = plan.cells.as_slice() else { panic!("{plan:?}") };
        let load = &idle.settings.load;
        assert_eq!((load.planned(), load.warmup_planned(), load.is_idle()), (0, 0, true));
        assert_eq!((load.mean_rate_per_s(), load.peak_rate_per_s(), load.rate_at(1.0)), (0.0, 0.0, 0.0));
        assert_eq!(crate::arrivals::schedule(&idle.settings, 1).arrivals, []);
        assert!(!busy.settings.load.is_idle());
        assert_eq!([Metric::CpuUsPerTask, Metric::WorkersCpuUsPerS].map(|metric| idle.has(metric)), [false, true]);
        assert!(busy.has(Metric::CpuUsPerTask) && busy.has(Metric::WorkersCpuUsPerS));
    }
    for primary in ["workers_cpu_us_per_s", "cpu_us_per_s", "rss_max_bytes", "voluntary_switches_per_s"] {
        assert!(parse(&["load.rate_per_s=0", &format!("primary={primary}")]).is_ok(), "{primary}");
    }
    for primary in ["cpu_us_per_task", "response_p99_us", "completed_per_s"] {
        check_set(
            &["load.rate_per_s=0", &format!("primary={primary}")],
            &format!(
                "load.rate_per_s = 0: nothing is ever asked, and primary = {primary:?} is of tasks; a rate above 0 beside it, or \
                 primary = \"workers_cpu_us_per_s\", would do"
            ),
        );
    }
}

#[test]
fn the_rate_at_an_instant_is_the_plans() {
    let rates = |keys: &str| {
        let load = load(keys).unwrap().cells[0].settings.load.clone();
        [-1.0, 0.0, 1.5, 4.7, 9.0].map(|t_s| load.rate_at(t_s))
    };
    assert_eq!(rates("rate_per_s = 7"), [7.0; 5]);
    assert_eq!(rates("arrivals = \"ramp\"\nrate_per_s = 10\nrate_end_per_s = 60"), [10.0, 10.0, 25.0, 57.0, 60.0]);
    assert_eq!(rates("arrivals = \"trace\"\ntrace = \"t.csv\""), [0.6, 1.0, 1.0, 1.0, 0.0]);
}

#[test]
fn the_peak_is_the_highest_rate_of_the_window() {
    for (keys, peak) in [
        ("rate_per_s = 7", 7.0),
        ("arrivals = \"ramp\"\nrate_per_s = 60\nrate_end_per_s = 10", 60.0),
        ("arrivals = \"burst\"\nrate_per_s = 10\nburst_rate_per_s = 80\nburst_from_s = 1\nburst_to_s = 2", 80.0),
        ("arrivals = \"sine\"\nrate_per_s = 10\namplitude = 0.5\nperiod_s = 1", 15.0),
        ("arrivals = \"trace\"\ntrace = \"t.csv\"", 1.0),
    ] {
        assert_eq!(load(keys).unwrap().cells[0].settings.load.peak_rate_per_s(), peak, "{keys}");
    }
}

#[test]
fn a_stored_plan_needs_no_file_for_its_trace() {
    let plan = load("arrivals = \"trace\"\ntrace = \"t.csv\"").unwrap();
    assert_eq!(parse_text(&plan.source, &[]), Ok(plan.clone()));
    let mut other = |_: &str| Ok("0\n1\n".to_owned());
    let text = MINIMAL.replace("rate_per_s = 100", "arrivals = \"trace\"\ntrace = \"t.csv\"");
    assert_ne!(Plan::parse_with(&text, &[], &mut other).unwrap().hash, plan.hash, "the trace is part of the plan");
    assert_eq!(
        parse_text(&text, &[]).map(|_| ()),
        Err("load.trace = \"t.csv\": there is no file to read it from".to_owned())
    );
    let swept = text.replace("\"t.csv\"", "[\"t.csv\", \"u.csv\"]");
    let swept = Plan::parse_with(&swept, &[], &mut other).unwrap();
    assert_eq!(swept.cells[1].parameters, BTreeMap::from([("load.trace".to_owned(), json!("u.csv"))]));
    let without = parse_text(&plan.source, &["load.trace=", "load.arrivals=poisson", "load.rate_per_s=3"]).unwrap();
    assert!(!without.source.contains("traces"), "{}", without.source);
}

#[test]
fn overrides_must_fit_the_dynos() {
    for (more, message) in [
        ("dyno = 1", "workers.override.dyno = 1: dynos are counted from 0 and there are 1"),
        ("dyno = 0\ncount = 0", "workers.override.count = 0: 1 to 1000000 workers in a dyno"),
        ("dyno = 0\nbacklog_max = 0", "workers.override.backlog_max = 0: at least 1 waiting task"),
        (
            "dyno = 0\ncount = 2\n[[workers.override]]\ndyno = 0\ncount = 3",
            "workers.override.dyno = 0: one override for a dyno, not two",
        ),
    ] {
        check(&format!("[[workers.override]]\n{more}"), message);
    }
    let uneven = "[[workers.override]]\ndyno = 1\ncount = 63\nbacklog_max = 150\n";
    let plan = parse_text(&format!("{MINIMAL}{uneven}"), &["workers.dynos=3"]).unwrap();
    let workers = &plan.cells[0].settings.workers;
    assert_eq!([0, 1, 2].map(|dyno| workers.count_of(dyno)), [4, 63, 4]);
    assert_eq!([0, 1, 2].map(|dyno| workers.backlog_max_of(dyno)), [100, 150, 100]);
    assert_eq!([0, 1, 2].map(|dyno| workers.first_of(dyno)), [0, 4, 67]);
    assert_eq!(workers.total(), 71);
}

#[test]
fn variants_that_cannot_be_are_refused() {
    for (more, message) in [
        ("pool_size = 0", "variant \"async\": pool_size = 0: no worker could ever reach Redis; at least 1"),
        (
            "connections = \"own\"\npool_size = 4",
            "variant \"async\": connections = \"own\" means one per worker: leave pool_size out",
        ),
        (
            "[[variant]]\nname = \"x\"\nengine = \"threaded\"\nconnections = \"shared\"",
            "variant \"x\": connections = \"shared\" needs engine = \"async\": a blocking connection serves one worker at a time",
        ),
        (
            "[[variant]]\nname = \"x\"\nengine = \"threaded\"\nclient = \"multiplexed\"",
            "variant \"x\": client = \"multiplexed\" needs engine = \"async\"; \"direct\" or \"blocking\" would do",
        ),
        (
            "client = \"blocking\"",
            "variant \"async\": client = \"blocking\" would block the runtime's threads; \"direct\" or \"multiplexed\" would do",
        ),
        (
            "connections = \"shared\"\nclient = \"direct\"",
            "variant \"async\": a direct connection serves one worker at a time; \"shared\" ones are \"multiplexed\"",
        ),
        (
            "connections = \"own\"\ncheckout = \"task\"",
            "variant \"async\": checkout belongs to connections = \"pool\": leave it out",
        ),
        (
            "executor = \"dedicated\"",
            "variant \"async\": this executor needs engine = \"threaded\"; engine = \"async\" has \"multi-thread\" and \"thread-per-core\"",
        ),
        (
            "[[variant]]\nname = \"x\"\nengine = \"threaded\"\nexecutor = \"thread-per-core\"",
            "variant \"x\": this executor needs engine = \"async\"; engine = \"threaded\" has \"dedicated\" and \"rayon\"",
        ),
        (
            "stack_kib = 256",
            "variant \"async\": stack_kib needs engine = \"threaded\": an async worker has no stack of its own",
        ),
        ("pool_threads = 2", "variant \"async\": pool_threads belongs to executor = \"rayon\": leave it out"),
        (
            "[[variant]]\nname = \"x\"\nengine = \"threaded\"\nexecutor = \"rayon\"\npool_threads = 0",
            "variant \"x\": pool_threads = 0: nobody would work; at least 1",
        ),
        (
            "[[variant]]\nname = \"x\"\nengine = \"threaded\"\ncpu_placement = \"rayon\"",
            "variant \"x\": cpu_placement needs engine = \"async\": a thread burns its CPU itself",
        ),
        (
            "[[variant]]\nname = \"async\"\nengine = \"threaded\"",
            "variant.name = \"async\": every variant its own name",
        ),
        ("[[variant]]\nname = \"a b\"\nengine = \"async\"", "variant.name = \"a b\": letters, digits, - and _ only"),
        ("[[variant]]\nname = \"\"\nengine = \"async\"", "variant.name = \"\": letters, digits, - and _ only"),
    ] {
        check(more, message);
    }
    let without = MINIMAL.split("[[variant]]").next().unwrap();
    assert_eq!(
        parse_text(without, &[]).map(|_| ()),
        Err("variant: no [[variant]]; a plan compares at least one, such as engine = \"threaded\"".to_owned())
    );
}

#[test]
fn what_only_synthetic_tasks_have_is_refused_elsewhere_and_has_its_limits() {
    for (sets, message) in [
        (["task.cpu_us=5", "load.seed=1"], "task.cpu_us = 5: only task.kind = \"synthetic\" has it: leave it out"),
        (
            ["task.permits=5", "load.seed=1"],
            "task.permits = 5: only task.kind = \"synthetic\" or \"order\" has it: leave it out",
        ),
        (["task.kind=synthetic", "task.permits=0"], "task.permits = 0: at least 1: no task could ever begin"),
        (["task.kind=synthetic", "task.cpu_us=-1"], "task.cpu_us = -1: microseconds from 0 to 1000000"),
        (["task.kind=synthetic", "task.sleep_ms=nan"], "task.sleep_ms = NaN: milliseconds from 0 to 60000"),
        (["task.kind=synthetic", "task.redis_round_trips=1001"], "task.redis_round_trips = 1001: 0 to 1000"),
        (
            ["task.kind=replay", "task.prefill=false"],
            "task.prefill = false: true: a replay is encoded for documents that are there",
        ),
    ] {
        check_set(&sets, message);
    }
}

#[test]
fn broken_toml_is_shown_where_it_breaks() {
    check("[load]", "TOML parse error at line 16, column 2\n   |\n16 | [load]\n   |  ^^^^\nduplicate key");
}

#[test]
fn lists_become_cells_the_last_key_turning_fastest() {
    let plan = parse(&["load.rate_per_s=[100, 200]", "workers.count=[1, 10]", "task.list_max=[7]"]).unwrap();
    let cells: Vec<_> = plan
        .cells
        .iter()
        .map(|cell| (cell.index, cell.settings.load.mean_rate_per_s(), cell.settings.workers.count))
        .collect();
    assert_eq!(cells, [(0, 100.0, 1), (1, 100.0, 10), (2, 200.0, 1), (3, 200.0, 10)]);
    let parameters = |rate: u32, count: u32| {
        BTreeMap::from([("load.rate_per_s".to_owned(), json!(rate)), ("workers.count".to_owned(), json!(count))])
    };
    assert_eq!(plan.cells[2].parameters, parameters(200, 1), "a list of one is a scalar, not a sweep");
    assert!(plan.cells.iter().all(|cell| cell.settings.task.list_max == 7));
}

#[test]
fn words_can_be_swept_too() {
    let plan = parse(&["load.arrivals=[\"constant\", \"poisson\"]"]).unwrap();
    let swept: Vec<_> = plan.cells.iter().map(|cell| cell.parameters["load.arrivals"].clone()).collect();
    assert_eq!(swept, [json!("constant"), json!("poisson")]);
}

#[test]
fn set_overrides_and_adds_any_key() {
    let plan = parse(&[
        "load.rate_per_s=250.5",
        " load.seed = 7 ",
        "task.kind=null",
        "workers.order=\"lifo\"",
        "slo.response_p99_ms=50",
        "question=how much = enough?",
        "repeat.blocks=2",
        "variant.async.pool_size=3",
        "variant.threads.connections=own",
        "baseline=async",
        "load.rate_per_s=300",
    ])
    .unwrap();
    let settings = &plan.cells[0].settings;
    assert_eq!((settings.load.rate_per_s, settings.load.seed), (Some(300.0), 7), "the last one counts");
    assert_eq!((settings.task.kind, settings.workers.order), (super::TaskKind::Null, super::Order::Lifo));
    assert_eq!(settings.slo.response_p99_ms, Some(50.0));
    assert_eq!((plan.question.as_str(), plan.baseline.as_str()), ("how much = enough?", "async"));
    assert_eq!(plan.repeat.blocks, 2);
    assert_eq!((plan.variants[1].engine, plan.variants[1].pool_size), (Engine::Async, Some(3)));
    assert_eq!((plan.variants[0].connections, plan.variants[0].pool_size), (Connections::Own, None));
}

/// A first look needs a 97 % interval, and as many AB as BA blocks.
#[test]
fn an_extension_is_declared_for_blocks_that_can_be_looked_at() {
    for (blocks, extend_to) in [(8, 10), (10, 20), (10, 30), (30, 60)] {
        let plan = parse(&[&format!("repeat.blocks={blocks}"), &format!("repeat.extend_to={extend_to}")]).unwrap();
        assert_eq!((plan.repeat.blocks, plan.repeat.blocks_max()), (blocks, extend_to));
    }
    assert_eq!(parse(&["repeat.blocks=9"]).unwrap().repeat.blocks_max(), 9);
    for blocks in [6, 9] {
        check_set(
            &[&format!("repeat.blocks={blocks}"), "repeat.extend_to=18"],
            &format!(
                "repeat.blocks = {blocks}: an even number, 8 at least, where repeat.extend_to is set: a first look needs it"
            ),
        );
    }
}

#[test]
fn a_set_that_sets_nothing_is_refused() {
    const FORM: &str = "write KEY=VALUE, such as --set load.duration_s=10";
    for set in ["load.rate_per_s", "=3", "load..seed=3", ".=3", ""] {
        check_set(&[set], &format!("--set {set:?}: {FORM}"));
    }
    check_set(&["load.rate_per_s.x=3"], "load.rate_per_s.x: rate_per_s is a value, not a table");
    for set in ["variant.pool_size=3", "variant.tokio.pool_size=3"] {
        let key = set.trim_end_matches("=3");
        check_set(&[set], &format!("{key}: write variant.NAME.KEY, where NAME is one of threads, async"));
    }
}

#[test]
fn lists_of_tables_without_names_are_numbered() {
    let text = format!("{MINIMAL}[[workers.override]]\ndyno = 0\ncount = 2\n");
    let plan = parse_text(&text, &["workers.override.0.count=9"]).unwrap();
    assert_eq!(plan.cells[0].settings.workers.total(), 9);
}

#[test]
fn published_figures_come_as_one_table_or_as_several() {
    for (header, n) in [("[published]", 1), ("[[published]]", 1)] {
        let text = format!("{MINIMAL}{header}\nsource = \"x\"\nresult = \"success\"\nsent = 3\n");
        let plan = parse_text(&text, &[]).unwrap();
        assert_eq!((plan.published.len(), plan.published[0].sent, plan.published[0].task_ms), (n, Some(3), None));
    }
}

#[test]
fn published_figures_that_are_judged_can_be() {
    let with = |lines: &str| {
        let text = format!("{MINIMAL}[published]\nsource = \"x\"\nresult = \"success\"\n{lines}\n");
        parse_text(&text, &[]).map(|mut plan| plan.published.remove(0))
    };
    let all = with("workers = 5\ncpus = 4\ndrain_min = 43\npeak = 2858").unwrap();
    assert_eq!((all.workers, all.cpus, all.drain_min, all.peak), (Some(5), Some(4), Some(43.0), Some(2858)));
    for (lines, message) in [
        ("workers = 0", "published.workers = 0: at least 1, or nothing"),
        ("cpus = 0", "published.cpus = 0: at least 1, or nothing"),
        ("workers = 5\npeak = 0", "published.peak = 0: at least 1, or nothing"),
        ("peak = 9", "published.peak = 9: only beside published.workers: it is judged as that of so many"),
        ("drain_min = 9", "published.drain_min = 9: only beside published.workers: it is judged as that of so many"),
        ("workers = 5\ndrain_min = 0", "published.drain_min = 0: minutes above 0 and at most 525600"),
        ("workers = 5\ndrain_min = nan", "published.drain_min = NaN: minutes above 0 and at most 525600"),
    ] {
        assert_eq!(with(lines), Err(message.to_owned()), "{lines}");
    }
}

#[test]
fn the_hash_is_of_values_not_of_layout() {
    let hash = |text: &str, sets: &[&str]| parse_text(text, sets).unwrap().hash;
    let plain = hash(MINIMAL, &[]);
    assert_eq!(plain.len(), 16);
    let decorated = MINIMAL
        .replace("[task]\nkind = \"document\"\n", "# what\ntask = { kind = 'document' } # inline\n")
        .replace("rate_per_s = 100\nduration_s = 5", "duration_s = 5\nrate_per_s   =   1_00");
    assert_ne!(decorated, MINIMAL);
    assert_eq!(hash(&decorated, &[]), plain);
    for set in [
        "load.seed=2",
        "load.rate_per_s=101",
        "question=why?",
        "variant.async.pool_size=27",
        "repeat.blocks=11",
        "repeat.extend_to=20",
    ] {
        assert_ne!(hash(MINIMAL, &[set]), plain, "{set}");
    }
}

#[test]
fn the_stored_plan_is_the_plan() {
    let sets = ["load.rate_per_s=[100, 200]", "variant.async.pool_size=3", "question=\"a \\\"b\\\"\""];
    let plan = parse(&sets).unwrap();
    assert_eq!(parse_text(&plan.source, &[]), Ok(plan));
}
