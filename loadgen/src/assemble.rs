//! From what was measured to a report. Pure but for the order of its inputs: no I/O, no clock.

use std::collections::BTreeMap;

use common::arrivals::Schedule;
use common::latency::Latency;
use common::plan::Settings;
use common::report::{
    CellId, Counts, DynoLimits, Ended, Failures, Host, IdleMemory, Latencies, Left, Machine, Network, Rates,
    RedisServer, RedisWork, Resources, Results, Run, RunKind, RunPlan, SCHEMA_VERSION, Startup, Usage, Versions,
    WatchedCpu, Workers,
};
use common::request::RequestErrorKind;
use common::step::Span;
use common::verdict::{Evidence, judge, on_time_limit_us};
use common::wire::{DynoMemory, Mark, TaskPhase};

use crate::collect::{Collected, DynoReports};
use crate::enqueued::Answers;
use crate::monitor::ServerWork;
use crate::redis_server::ServerFacts;
use crate::resources::{Sampled, WindowUsage, difference};
use crate::run::Spec;
use crate::send_log::SendLog;
use crate::server::Server;

mod backlog;
mod exceedances;
mod interval_log;
mod looks;
mod pressure;
mod queue;
mod timeline;

pub use interval_log::interval_log;

/// Everything that a run has left behind.
pub struct Measured {
    /// Wall clock.
    pub started_at: jiff::Timestamp,
    /// The machine.
    pub host: Host,
    /// The server.
    pub server: RedisServer,
    /// What dynos had of what the plan asked for them.
    pub dyno: Option<DynoLimits>,
    /// What the dynos said of themselves.
    pub builds: Vec<String>,
    /// Why it ended.
    pub ended: Ended,
    /// Everything that was sent had ended before the drain came to its bound.
    pub drained: bool,
    /// What the dynos reported.
    pub collected: Collected,
    /// What the pacer sent.
    pub sends: SendLog,
    /// The network distance, where the plan asks for one.
    pub network: Option<Network>,
    /// Server, loadgen and proxy.
    pub usage: Sampled,
    /// Scheduling class of those who watched the CPUs, and what they saw.
    pub watched: (String, Vec<WatchedCpu>),
    /// The server's counters over all timed tasks, without those of putting them into a queue; `None` when it no longer answered.
    pub work: Option<ServerWork>,
    /// Where tasks waited in a queue, what is known of it besides what the dynos say.
    pub queue: Option<MeasuredQueue>,
    /// What came before.
    pub startup: Startup,
    /// Of the warm-up, on `CLOCK_MONOTONIC`.
    pub start_ns: u64,
    /// The same instant by the wall clock.
    pub start_at: jiff::Timestamp,
    /// What every task burned more than the plan says.
    pub handicap_us: Option<f64>,
    /// What is to be known before anything else.
    pub forced: Vec<String>,
}

/// What loadgen knows of a queue.
pub struct MeasuredQueue {
    /// When the server had each task.
    pub answers: Answers,
    /// What is left; `None` when the server no longer answered.
    pub left: Option<Left>,
    /// The results; `None` where none are asked for, or the server no longer answered.
    pub results: Option<Results>,
}

/// The server as a report describes it; sizes are keys and bytes after the prefill and, if it still answered, after the
/// drain. Evicted keys are counted from the server's facts on, which were read before the prefill.
#[must_use]
pub fn server(
    facts: &ServerFacts,
    server: &Server,
    start: (u64, u64),
    end: Option<(u64, u64)>,
    evicted_by_now: Option<u64>,
) -> RedisServer {
    RedisServer {
        product: facts.product.to_string(),
        version: facts.version.clone().unwrap_or_default(),
        allocator: facts.allocator.clone().unwrap_or_default(),
        io_threads: facts.io_threads,
        maxmemory_bytes: facts.maxmemory_bytes,
        maxmemory_policy: facts.maxmemory_policy.clone(),
        private: server.is_private(),
        origin: server.origin.clone(),
        keys_start: start.0,
        keys_end: end.map(|end| end.0),
        used_memory_start_bytes: start.1,
        used_memory_end_bytes: end.map(|end| end.1),
        evicted_keys: evicted_by_now.zip(facts.evicted_keys).map(|(now, before)| now.saturating_sub(before)),
    }
}

/// The report of a run.
#[must_use]
pub fn run(spec: &Spec<'_>, schedule: &Schedule, measured: Measured) -> Run {
    let settings = &spec.cell.settings;
    let collected = &measured.collected;
    let counts = counts(schedule, &measured);
    let unbounded = counts.failed.total() + counts.unfinished;
    let lateness = measured.sends.lateness(schedule, measured.start_ns);
    let batch_wait = measured.sends.batch_wait(schedule);
    let latency_us = latencies(settings, collected, &lateness, batch_wait.as_ref(), (unbounded, counts.unfinished));
    let exceedances = exceedances::of(&settings.load, collected, unbounded, counts.unfinished);
    let tasks_in_window: Option<u64> = collected.dynos.iter().map(ended_in_window).sum();
    // Of a run that ended in its warm-up only what was short is said.
    let (window, all) = match &measured.usage {
        Sampled::Window(usage) => (usage, None),
        Sampled::BeforeWindow(usage) => (&WindowUsage::default(), Some(usage)),
    };
    let early = all.map(|usage| resources(&measured, None, Mark::Start, usage));
    let resources = resources(&measured, tasks_in_window, Mark::Window, window);
    let redis_work = redis_work(&measured, tasks_of_server(&measured));
    let memory = idle_memory(settings, collected);
    let workers = workers(settings, collected);
    let (backlog, little) = backlog::of(settings, schedule, &measured, &counts, latency_us.service.mean);
    let machine = machine(&measured, all.unwrap_or(window), early.as_ref().unwrap_or(&resources));
    let distance = measured.network.as_ref().and_then(|network| distance(network, tasks_in_window, &latency_us));
    let on_time = |until_ns| {
        let limit_ns = (on_time_limit_us(latency_us.response.p50) * 1e3) as u64;
        measured.sends.on_time(schedule, measured.start_ns, limit_ns, until_ns)
    };
    // A run that ended early has no claim to what came later.
    let until_ns = match measured.ended {
        Ended::Complete => u64::MAX,
        _ => measured.sends.last_ns().unwrap_or(0),
    };
    let answers = measured.queue.as_ref().map_or(0, |queue| queue.answers.count());
    let unanswered = (counts.sent + counts.warmup + u64::from(settings.workers.total())).saturating_sub(answers);
    let timeline = timeline::of(schedule, &measured);
    let queue = queue::of(settings, schedule, &measured, unanswered);
    let pressure = pressure::of(&pressure::Used {
        settings,
        variant: spec.variant,
        host: &measured.host,
        server: &measured.server,
        latency_us: &latency_us,
        resources: early.as_ref().unwrap_or(&resources),
        machine: &machine,
        workers: &workers,
        queue: queue.as_ref(),
        run_s: run_s(&measured),
    });
    let clocks: Vec<_> = (0..).zip(&collected.dynos).filter_map(|(dyno, reports)| reports.clock.report(dyno)).collect();
    let (validity, verdict) = judge(&Evidence {
        settings,
        percentile: spec.plan.primary.percentile().filter(|_| !settings.load.is_idle()),
        ended: &measured.ended,
        counts: &counts,
        latency_us: &latency_us,
        backlog: &backlog,
        redis_work: &redis_work,
        queue: queue.as_ref(),
        ended_by_dyno: &collected.dynos.iter().map(ended_by_looks).collect::<Vec<_>>(),
        network: measured.network.as_ref(),
        resources: &resources,
        little: little.as_ref(),
        machine: &machine,
        pressure: &pressure,
        distance,
        on_time: on_time(collected.overload.map_or(until_ns, |overload| overload.at_ns)),
        recorded: collected.histograms.response.n() + collected.histograms.response.beyond(),
        sum_error: collected.dynos.iter().filter_map(DynoReports::sum_error).reduce(f64::max),
        clocks: &clocks,
        redis_server: &measured.server,
        dyno: measured.dyno.as_ref(),
    });
    Run {
        kind: RunKind::Run,
        schema_version: SCHEMA_VERSION,
        plan: RunPlan {
            name: spec.plan.name.clone(),
            question: spec.plan.question.clone(),
            settings: settings.clone(),
        },
        plan_hash: spec.plan.hash.clone(),
        arrivals_hash: schedule.hash(),
        cell: CellId { index: spec.cell.index, parameters: spec.cell.parameters.clone() },
        block: spec.block,
        position: spec.position,
        attempt: spec.attempt,
        variant: spec.variant.clone(),
        started_at: measured.started_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        versions: Versions {
            headroom: env!("CARGO_PKG_VERSION").to_owned(),
            workers: measured.builds.first().cloned().unwrap_or_default(),
            loadgen: format!("loadgen {}", env!("CARGO_PKG_VERSION")),
        },
        rate_per_s: rates(settings, schedule, &measured, &counts, (tasks_in_window, window.seconds)),
        steady: timeline::steady(schedule, collected),
        workers,
        timeline,
        forced: measured.forced,
        handicap_us: measured.handicap_us,
        host: measured.host,
        clocks,
        redis_server: measured.server,
        dyno: measured.dyno,
        ended: measured.ended,
        counts,
        latency_us,
        exceedances,
        pacing: measured.sends.pacing(schedule, measured.start_ns),
        backlog,
        little,
        machine,
        pressure,
        startup: Startup { memory, ..measured.startup },
        resources,
        redis_work,
        queue,
        network: measured.network,
        validity,
        verdict,
    }
}

/// When a dyno looked, in seconds, and how many of its tasks had ended.
fn ended_by_looks(dyno: &DynoReports) -> Vec<(f64, u64)> {
    dyno.counters.iter().map(|counters| (counters.taken_ns as f64 / 1e9, counters.totals.ended)).collect()
}

fn counts(schedule: &Schedule, measured: &Measured) -> Counts {
    let warmup = measured.sends.count(0..schedule.warmup);
    let sent = measured.sends.count(schedule.warmup..schedule.arrivals.len());
    let planned = (schedule.arrivals.len() - schedule.warmup) as u64;
    let window = measured.collected.counts(TaskPhase::Window);
    // What was run in vain is no task.
    let vain = measured.collected.queue();
    let failed = Failures {
        timeout: window.failed.timeout.saturating_sub(vain.duplicates_timeout),
        disconnected: window.failed.disconnected.saturating_sub(vain.duplicates_disconnected),
        server_error: window.failed.server_error.saturating_sub(vain.duplicates_server_error),
        pool_timeout: window.failed.pool_timeout.saturating_sub(vain.duplicates_pool_timeout),
    };
    Counts {
        planned,
        sent,
        missed: planned - sent,
        completed: window.completed.saturating_sub(vain.duplicates_in_window.saturating_sub(vain.duplicates_failed())),
        rejected: window.rejected.saturating_sub(vain.duplicates_rejected),
        failed,
        unfinished: sent.saturating_sub(window.ended().saturating_sub(vain.duplicates_in_window)),
        warmup,
    }
}

fn latencies(
    settings: &Settings,
    collected: &Collected,
    lateness: &Latency,
    batch_wait: Option<&Latency>,
    (unbounded, unfinished): (u64, u64),
) -> Latencies {
    let all = &collected.histograms;
    let spans = Span::under(settings)
        .into_iter()
        .map(|span| (span.name().to_owned(), all.spans[span as usize].distribution(unbounded)));
    Latencies {
        // Of every task that was sent, whatever became of it.
        lateness: lateness.distribution(0),
        batch_wait: batch_wait.map(|batch_wait| batch_wait.distribution(0)),
        // Those that never ended waited longest, or may have.
        queue_wait: all.queue_wait.distribution(unfinished),
        pool_wait: all.pool_wait.distribution(unbounded),
        service: all.service.distribution(unbounded),
        response: all.response.distribution(unbounded),
        response_from_send: all.response_from_send.distribution(unbounded),
        spans: spans.collect(),
    }
}

fn ended_in_window(dyno: &DynoReports) -> Option<u64> {
    let (start, end) = dyno.usage_since(Mark::Window)?;
    Some(end.ended.saturating_sub(start.ended))
}

fn resources(measured: &Measured, tasks: Option<u64>, since: Mark, usage: &WindowUsage) -> Resources {
    let per_task = |mut usage: Usage| {
        let tasks = tasks.filter(|&tasks| tasks > 0);
        usage.cpu_us_per_task = usage.cpu_s().zip(tasks).map(|(cpu_s, tasks)| cpu_s * 1e6 / tasks as f64);
        usage
    };
    let of_dynos: Option<Vec<Usage>> = measured
        .collected
        .dynos
        .iter()
        .map(|dyno| dyno.usage_since(since))
        .map(|used| used.map(|(start, end)| difference(&start, &end)))
        .collect();
    let workers = of_dynos.map(|all| all.into_iter().reduce(add).unwrap_or_default()).unwrap_or_default();
    Resources {
        window_s: usage.seconds,
        tasks,
        workers: per_task(workers),
        redis: per_task(usage.redis),
        loadgen: per_task(usage.loadgen),
        proxy: usage.proxy.map(per_task),
        throttling: usage.throttling,
    }
}

/// The kernel counts in hundredths of a second: of shorter windows nothing is said.
const OTHERS_FROM_S: f64 = 0.5;

fn machine(measured: &Measured, usage: &WindowUsage, resources: &Resources) -> Machine {
    let (priority, cpus) = measured.watched.clone();
    let times = usage.cpus;
    let Resources { workers, redis, loadgen, proxy, .. } = resources;
    let own_s = [Some(workers), Some(redis), Some(loadgen), proxy.as_ref()].into_iter().flatten().map(Usage::cpu_s);
    // A process that runs elsewhere is not placed here, and its CPU is not of these CPUs.
    let all_here = measured.host.placement.len() == measured.collected.dynos.len() + 2 + usize::from(proxy.is_some());
    let others_s =
        times.zip(own_s.sum::<Option<f64>>().filter(|_| all_here)).map(|(times, own_s)| times.busy_s - own_s);
    let cpus_s = f64::from(measured.host.cpus) * usage.seconds;
    Machine {
        priority,
        cpus,
        busy_s: times.map(|times| times.busy_s),
        others_share: others_s
            .filter(|_| usage.seconds >= OTHERS_FROM_S)
            .map(|others_s| (others_s / cpus_s).clamp(0.0, 1.0)),
        steal_s: times.map(|times| times.steal_s),
    }
}

/// The part of service that is the way to the server and back; at most all of it.
fn distance(network: &Network, tasks: Option<u64>, latency_us: &Latencies) -> Option<f64> {
    let tasks = tasks.filter(|&tasks| tasks > 0)?;
    let round_trips = network.passed_on.as_ref()?.pieces as f64 / 2.0 / tasks as f64;
    Some((round_trips * network.added_us? / latency_us.service.mean?).min(1.0))
}

/// From the first arrival to the last thing that happened to a task, seconds.
fn run_s(measured: &Measured) -> f64 {
    let ended_ns = measured.collected.dynos.iter().map(|dyno| dyno.totals().last_ended_ns).max().unwrap_or(0);
    let last_ns = measured.sends.last_ns().unwrap_or(0).max(ended_ns);
    last_ns.saturating_sub(measured.start_ns) as f64 / 1e9
}

/// What all dynos hold while their workers wait.
fn idle_memory(settings: &Settings, collected: &Collected) -> Option<IdleMemory> {
    let sum = |field: fn(&DynoMemory) -> u64| {
        collected.dynos.iter().map(|dyno| dyno.memory.as_ref().map(field)).sum::<Option<u64>>()
    };
    let (base_bytes, idle_bytes) = sum(|memory| memory.base_bytes).zip(sum(|memory| memory.idle_bytes))?;
    let bytes_per_worker = (idle_bytes as f64 - base_bytes as f64) / f64::from(settings.workers.total());
    Some(IdleMemory { base_bytes, idle_bytes, bytes_per_worker })
}

/// Two processes together.
fn add(a: Usage, b: Usage) -> Usage {
    let float = |a: Option<f64>, b: Option<f64>| Some(a? + b?);
    let whole = |a: Option<u64>, b: Option<u64>| Some(a? + b?);
    Usage {
        cpu_user_s: float(a.cpu_user_s, b.cpu_user_s),
        cpu_sys_s: float(a.cpu_sys_s, b.cpu_sys_s),
        cpu_us_per_task: None,
        rss_max_bytes: whole(a.rss_max_bytes, b.rss_max_bytes),
        threads: whole(a.threads, b.threads),
        voluntary_switches: whole(a.voluntary_switches, b.voluntary_switches),
        involuntary_switches: whole(a.involuntary_switches, b.involuntary_switches),
        sockets: whole(a.sockets, b.sockets),
    }
}

/// Timed tasks that ended, those in vain left out: those that the server's counters cover.
fn tasks_of_server(measured: &Measured) -> u64 {
    let phases = [TaskPhase::WarmUp, TaskPhase::Window];
    let ended: u64 = phases.map(|phase| measured.collected.counts(phase).ended()).iter().sum();
    ended.saturating_sub(measured.collected.queue().duplicates)
}

fn redis_work(measured: &Measured, tasks: u64) -> RedisWork {
    let mut request_errors = BTreeMap::new();
    for kind in RequestErrorKind::ALL {
        let count: u64 = measured.collected.dynos.iter().map(|dyno| dyno.request_errors[kind as usize]).sum();
        if count > 0 {
            request_errors.insert(kind.name().to_owned(), count);
        }
    }
    let reconnects = measured.collected.dynos.iter().filter_map(|dyno| Some(dyno.last.as_ref()?.reconnects)).sum();
    let nothing = RedisWork { tasks, request_errors, reconnects, ..RedisWork::default() };
    let Some(work) = measured.work.as_ref().filter(|_| tasks > 0) else { return nothing };
    let per_task = |amount: u64| amount as f64 / tasks as f64;
    RedisWork {
        commands_per_task: work.commands.iter().map(|(name, stat)| (name.clone(), per_task(stat.calls))).collect(),
        command_us_per_task: work.commands.iter().map(|(name, stat)| (name.clone(), per_task(stat.usec))).collect(),
        bytes_in_per_task: Some(per_task(work.bytes_in)),
        bytes_out_per_task: Some(per_task(work.bytes_out)),
        ..nothing
    }
}

fn rates(
    settings: &Settings,
    schedule: &Schedule,
    measured: &Measured,
    counts: &Counts,
    (tasks_in_window, window_s): (Option<u64>, f64),
) -> Rates {
    let planned_s = (schedule.window_end_ns - schedule.window_start_ns) as f64 / 1e9;
    let window_start_ns = measured.start_ns + schedule.window_start_ns;
    let last_s = measured.sends.last_ns().map_or(0.0, |last_ns| (last_ns as f64 - window_start_ns as f64) / 1e9);
    // All sent: over the window they were planned for. Stopped early: over the time there was.
    let sent_s = if counts.missed == 0 { planned_s.max(last_s) } else { last_s };
    Rates {
        asked: settings.load.mean_rate_per_s(),
        sent: if sent_s > 0.0 { counts.sent as f64 / sent_s } else { 0.0 },
        completed: tasks_in_window.filter(|_| window_s > 0.0).map(|tasks| tasks as f64 / window_s),
    }
}

fn workers(settings: &Settings, collected: &Collected) -> Workers {
    let mut all = Workers { count: settings.workers.total(), dynos: settings.workers.dynos, ..Workers::default() };
    for (dyno, reports) in (0..).zip(&collected.dynos) {
        let count = settings.workers.count_of(dyno) as usize;
        // A lost dyno leaves nothing, so that positions stay workers.
        let own =
            |values: Option<&Vec<u64>>| values.map_or(vec![None; count], |all| all.iter().copied().map(Some).collect());
        let last = reports.last.as_ref();
        all.cycles.extend(own(last.map(|last| &last.cycles)));
        all.busy_ns.extend(own(last.map(|last| &last.busy_ns)));
        let backlog_max = last.map(|last| last.backlog_max.iter().copied().map(Some).collect());
        all.backlog_max.extend(backlog_max.unwrap_or(vec![None; count]));
    }
    all
}
