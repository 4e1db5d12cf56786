//! Plans and runs made by hand: what every test changes is small, the rest is a bench without surprises.

use std::collections::BTreeMap;
use std::path::PathBuf;

use analysis::load::{Mixed, Results};
use common::plan::{Metric, Plan};
use common::report::comparison::{Cause, Comparison, Contrast, ContrastVerdict};
use common::report::{
    Backlog, CellId, Check, Counts, Distribution, Ended, Exceedances, Failures, Host, Latencies, Machine, Overload,
    Pacing, Phase, Pressure, QueueReport, Rates, RedisServer, RedisWork, Resource, Resources, Run, RunKind, RunPlan,
    RunResult, SCHEMA_VERSION, Second, Severity, Spread, Startup, Steady, Tails, Usage, Validity, Verdict, Versions,
    Workers,
};

/// Two variants, 1000 tasks a second for 10 s, ten blocks.
pub(crate) const PLAN: &str = r#"
name = "two"
question = "which costs less?"
[task]
kind = "document"
[load]
rate_per_s = 1000
duration_s = 10
[workers]
count = 28
[repeat]
blocks = 10
[[variant]]
name = "threads"
engine = "threaded"
[[variant]]
name = "async"
engine = "async"
"#;

pub(crate) fn plan(text: &str) -> Plan {
    Plan::parse(text, &[]).unwrap()
}

/// [`PLAN`] with `KEY=VALUE`s set.
pub(crate) fn plan_with(sets: &[&str]) -> Plan {
    Plan::parse(PLAN, &sets.iter().map(|&set| set.to_owned()).collect::<Vec<_>>()).unwrap()
}

/// A distribution of `n` values whose percentiles are multiples of its median.
pub(crate) fn distribution(n: u64, p50: f64) -> Distribution {
    Distribution {
        n,
        unbounded: 0,
        mean: Some(1.2 * p50),
        p50: Some(p50),
        p90: Some(2.0 * p50),
        p99: Some(4.0 * p50),
        p99_9: Some(6.0 * p50),
        max: Some(8.0 * p50),
        hdr_v2: String::new(),
    }
}

/// Everywhere, and at the slowest in every second bin.
pub(crate) fn exceedances(seconds: f64) -> Exceedances {
    let window_bins = (seconds * 20.0) as u32;
    let (all, half) =
        (Spread { bins: window_bins, clusters: 1 }, Spread { bins: window_bins / 2, clusters: window_bins / 2 });
    let tails = Tails { p50: Some(all), p90: Some(all), p99: Some(half), p99_9: Some(half) };
    Exceedances {
        window_bins,
        queue_wait: tails,
        pool_wait: tails,
        service: tails,
        response: tails,
        response_from_send: tails,
    }
}

/// A run of variant number `variant` that kept up; odd blocks run the variants in reverse order.
pub(crate) fn run(plan: &Plan, cell: usize, block: u32, variant: usize) -> Run {
    let settings = plan.cells[cell].settings.clone();
    let seconds = settings.load.duration_s;
    let (tasks, rate_per_s) = (settings.load.planned(), settings.load.mean_rate_per_s());
    let variants = plan.variants.len();
    let position = if block.is_multiple_of(2) { variant } else { variants - 1 - variant };
    Run {
        kind: RunKind::Run,
        schema_version: SCHEMA_VERSION,
        plan_hash: plan.hash.clone(),
        arrivals_hash: format!("{block:016x}"),
        cell: CellId { index: cell as u32, parameters: plan.cells[cell].parameters.clone() },
        block,
        position: position as u32,
        attempt: 0,
        variant: plan.variants[variant].clone(),
        started_at: "2026-11-23T12:00:00Z".to_owned(),
        versions: Versions { headroom: "0.1.0".to_owned(), workers: "test".to_owned(), loadgen: "test".to_owned() },
        host: host(),
        clocks: Vec::new(),
        redis_server: redis_server(),
        dyno: None,
        ended: Ended::Complete,
        counts: Counts { planned: tasks, sent: tasks, completed: tasks, warmup: tasks / 10, ..Counts::default() },
        rate_per_s: Rates { asked: rate_per_s, sent: rate_per_s, completed: Some(rate_per_s) },
        latency_us: latencies(tasks),
        exceedances: Some(exceedances(seconds)),
        backlog: Backlog {
            max: Some(3),
            limit: 100,
            total_max: Some(17),
            max_work_s: Some(0.002),
            slope_per_s: Some(0.2),
            slope_low_per_s: Some(-0.5),
            slope_high_per_s: Some(0.9),
            drain_ms: Some(2.5),
            overload: None,
        },
        little: None,
        // A third of a shorter window may hold no whole second.
        steady: (seconds >= 6.0).then_some(Steady { first_third_p50_us: 900.0, last_third_p50_us: 900.0 }),
        machine: Machine::default(),
        pressure: vec![Pressure { resource: Resource::ServerCpu, share: 0.46 }],
        workers: Workers {
            count: 28,
            dynos: 1,
            cycles: (0..28).map(|worker| Some(390 + worker)).collect(),
            backlog_max: (0..28).map(|worker| Some(worker % 4)).collect(),
            busy_ns: (0..28).map(|worker| Some(600_000_000 + 1_000_000 * worker)).collect(),
        },
        forced: Vec::new(),
        handicap_us: None,
        pacing: Pacing::default(),
        startup: Startup { server_ms: 20.0, prefill_ms: 30.0, dynos_ms: 15.0, untimed_ms: 5.0, memory: None },
        resources: resources(),
        redis_work: redis_work(tasks),
        queue: None,
        network: None,
        timeline: vec![second(seconds, Phase::Window, tasks), second(seconds + 0.5, Phase::Drain, 0)],
        validity: Validity { valid: true, checks: vec![check("lateness", true, Severity::Invalid)] },
        verdict: verdict(RunResult::Ok, "everything completed"),
        plan: RunPlan { name: plan.name.clone(), question: plan.question.clone(), settings },
    }
}

pub(crate) fn check(name: &str, ok: bool, severity: Severity) -> Check {
    let remedy = "use a slower rate".to_owned();
    Check { name: name.to_owned(), ok, severity, value: Some(0.9981), limit: Some(0.99), remedy }
}

pub(crate) fn verdict(result: RunResult, reason: &str) -> Verdict {
    let bottleneck = Some(Pressure { resource: Resource::ServerCpu, share: 0.46 });
    Verdict { result, reason: reason.to_owned(), remedy: String::new(), bottleneck }
}

/// Turns `run` into one whose measurement failed.
pub(crate) fn invalidate(run: &mut Run) {
    run.validity = Validity { valid: false, checks: vec![check("lateness", false, Severity::Invalid)] };
    run.verdict = verdict(RunResult::Invalid, "the generator was late");
}

/// Turns `run` into one that the backlog rule stopped.
pub(crate) fn overload(run: &mut Run) {
    run.ended = Ended::Overloaded;
    run.backlog.overload = Some(Overload { at_s: 3.2, dyno: Some(0), worker: Some(4), backlog: 100 });
    run.verdict = verdict(RunResult::Overloaded, "worker 4 had 100 tasks waiting after 3.2 s");
}

fn host() -> Host {
    Host {
        fingerprint: "00000000000000aa".to_owned(),
        cpu_model: "Example CPU".to_owned(),
        cpus: 2,
        memory_bytes: 8 << 30,
        kernel: "6.1.0".to_owned(),
        arch: "x86_64".to_owned(),
        load_average_start: 0.1,
        load_average_end: 0.5,
        idle: Some("haltpoll/haltpoll".to_owned()),
        frequency: None,
        mhz_start: Some(2_596.1),
        mhz_end: Some(2_596.1),
        scheduling: "own sessions".to_owned(),
        placement: Vec::new(),
        pacer_priority: "fifo-1".to_owned(),
        compute_rounds_per_us: None,
        calibration: None,
        huge_pages: "off".to_owned(),
    }
}

fn redis_server() -> RedisServer {
    RedisServer {
        product: "valkey".to_owned(),
        version: "9.1.2".to_owned(),
        allocator: "jemalloc".to_owned(),
        io_threads: Some(1),
        maxmemory_bytes: None,
        maxmemory_policy: None,
        evicted_keys: None,
        private: true,
        origin: "valkey-server".to_owned(),
        keys_start: 84,
        keys_end: Some(84),
        used_memory_start_bytes: 2 << 20,
        used_memory_end_bytes: Some(60 << 20),
    }
}

fn latencies(tasks: u64) -> Latencies {
    Latencies {
        lateness: distribution(tasks, 20.0),
        batch_wait: None,
        queue_wait: distribution(tasks, 50.0),
        pool_wait: distribution(tasks, 2.0),
        service: distribution(tasks, 800.0),
        response: distribution(tasks, 900.0),
        response_from_send: distribution(tasks, 880.0),
        spans: BTreeMap::from([
            ("fetch".to_owned(), distribution(tasks, 300.0)),
            ("ping".to_owned(), distribution(tasks, 100.0)),
            ("save".to_owned(), distribution(tasks, 400.0)),
        ]),
    }
}

fn resources() -> Resources {
    let workers = Usage {
        cpu_user_s: Some(1.0),
        cpu_sys_s: Some(0.5),
        cpu_us_per_task: Some(150.0),
        rss_max_bytes: Some(40 << 20),
        threads: Some(30),
        voluntary_switches: Some(40_000),
        involuntary_switches: Some(1_000),
        sockets: Some(29),
    };
    let redis = Usage { cpu_us_per_task: Some(50.0), cpu_user_s: Some(0.3), cpu_sys_s: Some(0.2), ..Usage::default() };
    let loadgen = Usage::default();
    Resources { window_s: 10.0, tasks: Some(10_000), workers, redis, loadgen, proxy: None, throttling: None }
}

fn redis_work(tasks: u64) -> RedisWork {
    let per_task = |value: f64| ["get", "hset", "ping"].map(|command| (command.to_owned(), value));
    RedisWork {
        tasks: tasks + tasks / 10,
        commands_per_task: BTreeMap::from(per_task(1.0)),
        command_us_per_task: BTreeMap::from(per_task(3.5)),
        bytes_in_per_task: Some(32_205.0),
        bytes_out_per_task: Some(26_700.4),
        request_errors: BTreeMap::from([("noscript".to_owned(), 1)]),
        reconnects: 0,
    }
}

fn second(t_s: f64, phase: Phase, sent: u64) -> Second {
    Second {
        t_s,
        phase,
        sent,
        completed: sent,
        failed: 0,
        backlog: 0,
        response_p50_us: Some(900.0),
        response_p90_us: Some(1_800.0),
        response_p99_us: Some(3_600.0),
        response_max_us: Some(7_200.0),
        service_p50_us: Some(800.0),
    }
}

/// A queue of which nothing in particular was seen.
pub(crate) fn queue() -> QueueReport {
    QueueReport {
        enqueue_us: distribution(3_600, 90.0),
        reconnects: 0,
        sent_again: 0,
        claims: 400,
        empty_claims: 0,
        claimed: 3_600,
        retries: 0,
        redeliveries: 0,
        duplicates: 0,
        duplicates_in_window: 0,
        dead: 0,
        foreign: 0,
        peak: None,
        depth: Vec::new(),
        left: None,
        results: None,
    }
}

/// Failed tasks, to tell causes apart.
pub(crate) fn failures() -> Failures {
    Failures { timeout: 4, disconnected: 3, server_error: 2, pool_timeout: 1 }
}

/// Every run of every planned block, each changed by `change`.
pub(crate) fn runs(plan: &Plan, mut change: impl FnMut(&mut Run)) -> Vec<Run> {
    let mut runs = Vec::new();
    for cell in 0..plan.cells.len() {
        for block in 0..plan.repeat.blocks {
            for variant in 0..plan.variants.len() {
                let mut run = run(plan, cell, block, variant);
                change(&mut run);
                runs.push(run);
            }
        }
    }
    runs
}

/// Multiplies the CPU of dynos and server.
pub(crate) fn scale_cpu(run: &mut Run, factor: f64) {
    for usage in [&mut run.resources.workers, &mut run.resources.redis] {
        usage.cpu_us_per_task = usage.cpu_us_per_task.map(|cpu| cpu * factor);
    }
}

/// Multiplies every percentile of a distribution.
pub(crate) fn scale(distribution: &mut Distribution, factor: f64) {
    let Distribution { mean, p50, p90, p99, p99_9, max, .. } = distribution;
    for value in [mean, p50, p90, p99, p99_9, max] {
        *value = value.map(|value| value * factor);
    }
}

/// A fixed scatter of about +-`size` (a share), different for each block and variant.
pub(crate) fn scatter(run: &Run, size: f64) -> f64 {
    let place = f64::from(run.block) * 2.399_963 + run.variant.name.len() as f64;
    (size * place.sin()).exp()
}

pub(crate) fn named(runs: Vec<Run>) -> Vec<(PathBuf, Run)> {
    let name = |run: &Run| format!("c{}-b{}-a{}-{}.json", run.cell.index, run.block, run.attempt, run.variant.name);
    runs.into_iter().map(|run| (PathBuf::from(name(&run)), run)).collect()
}

pub(crate) fn compare(plan: &Plan, runs: Vec<Run>) -> Comparison {
    analysis::comparison(&Results::new(plan.clone(), named(runs), Mixed::Refused).unwrap(), None)
}

/// The contrast of `metric` in the first cell, against the first contender.
pub(crate) fn contrast(comparison: &Comparison, metric: Metric) -> &Contrast {
    comparison.cells[0].contrasts.iter().find(|contrast| contrast.metric == metric).unwrap()
}

/// The default primary metric.
pub(crate) const CPU: Metric = Metric::CpuUsPerTask;

pub(crate) fn is_async(run: &Run) -> bool {
    run.variant.name == "async"
}

/// The default bench in which async needs `factor` times the CPU, give or take `noise`.
pub(crate) fn bench(factor: f64, noise: f64) -> Vec<Run> {
    runs(&plan(PLAN), |run| scale_cpu(run, scatter(run, noise) * if is_async(run) { factor } else { 1.0 }))
}

pub(crate) fn check_word(comparison: &Comparison, metric: Metric, verdict: ContrastVerdict, cause: Option<Cause>) {
    let contrast = contrast(comparison, metric);
    assert_eq!((contrast.verdict, contrast.cause), (verdict, cause), "{contrast:#?}");
}
