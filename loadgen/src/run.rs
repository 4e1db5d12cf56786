//! One run: a fresh server, fresh dynos, one window.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use analysis::warmup::QUARTER_S;
use common::arrivals;
use common::plan::demand::{Demand, demand};
use common::plan::{Cell, Plan, Queue, QueueKind, Variant};
use common::report::{Ended, Run, Startup};
use common::task::Tasks;
use common::wire::{Assign, Dispatch, FromDyno, TaskPhase, ToDyno};
use crossbeam_channel::{after, bounded, select};
use dyno::clock::now_ns;

use crate::assemble::{self, Measured, MeasuredQueue};
use crate::ceiling::Ceilings;
use crate::cgroup;
use crate::clocks::Clock;
use crate::collect::Collected;
use crate::dispatch::Lane;
use crate::dynos::{self, Dynos, Event};
use crate::enqueued::{self, Enqueued};
use crate::error::{Interrupted, Refused};
use crate::handicap::Handicap;
use crate::host;
use crate::monitor::{Enqueuing, Monitor};
use crate::pacer::Pacer;
use crate::placement::{self, Part, Placement};
use crate::prefill;
use crate::progress::Progress;
use crate::proxy::process::ANSWER_WITHIN;
use crate::queue;
use crate::redis_server::ServerFacts;
use crate::resources::{Sampled, Sampler};
use crate::send_log::SendLog;
use crate::server::{Server, Source};
use crate::signals::Interrupt;
use crate::watchdog::Watchdog;

mod network;
mod watch;

use network::Far;
use watch::Watch;

/// Which run of a bench.
#[derive(Debug, Clone, Copy)]
pub struct Spec<'a> {
    /// Whose.
    pub plan: &'a Plan,
    /// Load and workers.
    pub cell: &'a Cell,
    /// The engine and its settings.
    pub variant: &'a Variant,
    /// From 0.
    pub block: u32,
    /// In the block's order, from 0.
    pub position: u32,
    /// Repeat of the block, from 0.
    pub attempt: u32,
    /// Of the block's arrivals and contents.
    pub seed: u64,
}

/// What all runs of a bench share.
pub struct Site<'a> {
    /// Which server.
    pub source: &'a Source,
    /// Started or awaited.
    pub dynos: dynos::Origin,
    /// Of the bench; the server logs below it.
    pub directory: &'a Path,
    /// Ctrl-C.
    pub interrupt: &'a Interrupt,
    /// Where processes run.
    pub placement: &'a Placement,
    /// See [`calibration`](crate::calibration); 0 when no task computes.
    pub rounds_per_us: f64,
    /// What generator and transport can do here.
    pub ceilings: &'a Ceilings,
    /// Who is slower on purpose.
    pub handicap: Option<&'a Handicap>,
}

/// What a run leaves.
#[derive(Debug)]
pub struct Measurement {
    /// The report.
    pub report: Run,
    /// Its latencies by the second, as an HdrHistogram interval log.
    pub intervals: Vec<u8>,
    /// Mean service time, microseconds, by quarters of a second since the start of the warm-up.
    pub service_us: Vec<f64>,
}

/// Between the start message and the first arrival: every process must have read it.
const LEAD_NS: u64 = 300_000_000;
/// How long the untimed tasks may take altogether, on top of one second per thousand workers.
const UNTIMED_WITHIN: Duration = Duration::from_secs(30);
/// Numbers of untimed tasks begin here: no timed task has them.
const UNTIMED_INDEX: u64 = 1 << 40;

/// Runs `spec` from an empty server to the finished report.
///
/// # Errors
/// What kept the run from being measured; [`Interrupted`] before it began. From the first arrival on, whatever happens
/// ends in a report.
pub fn run(spec: &Spec<'_>, site: &Site<'_>, progress: &mut Progress) -> anyhow::Result<Measurement> {
    let settings = &spec.cell.settings;
    let demand = demand(settings, spec.variant);
    let schedule = Arc::new(arrivals::schedule(settings, spec.seed));
    let started_at = jiff::Timestamp::now();
    let mut host = host::read(site.placement.cpus());
    host.calibration = site.ceilings.of(spec.variant.engine).cloned();
    host.compute_rounds_per_us = Some(site.rounds_per_us).filter(|rounds| *rounds > 0.0);

    let prepared = prepare(spec, site, &demand, progress)?;
    let Prepared { mut server, facts, mut monitor, mut far, mut dynos, mut lanes, enqueued, mut startup, size } =
        prepared;
    let servers = server.pid.map(|pid| (Part::Redis, pid));
    let proxies = far.as_ref().map(|far| (Part::Proxy, far.proxy.pid()));
    let workers = (0..).zip(&dynos.pids).filter_map(|(number, &pid)| Some((Part::Dyno(number), pid?)));
    let own = [(Part::Loadgen, std::process::id())];
    let processes: Vec<_> = own.into_iter().chain(servers).chain(proxies).chain(workers).collect();
    host.placement = placement::read_back(processes.iter().copied());
    host.scheduling = placement::in_words(&host.placement);
    [site.placement.shortage(&host.placement), site.placement.unlimited()]
        .into_iter()
        .flatten()
        .for_each(|why| progress.line(&why));
    let here: Vec<u32> = dynos.pids.iter().copied().flatten().collect();
    let may_swap =
        host::memory("SwapTotal:").is_some_and(|bytes| bytes > 0) && here.iter().any(|&pid| cgroup::may_swap(pid));
    let dyno =
        settings.dyno.as_ref().map(|asked| placement::dyno_limits(asked, &host.placement, host.memory_bytes, may_swap));
    progress.load(settings, processes);
    progress.stage("one untimed task per worker");
    let begun = Instant::now();
    untimed(&mut dynos, &mut lanes, spec, site.interrupt)?;
    startup.untimed_ms = milliseconds(begun);

    let baseline = monitor.work()?;
    let start_ns = now_ns() + LEAD_NS;
    let start_at = jiff::Timestamp::now() + Duration::from_nanos(LEAD_NS);
    let window_ns = (start_ns + schedule.window_start_ns, start_ns + schedule.window_end_ns);
    dynos.tell(&ToDyno::Start { start_ns, window_start_ns: window_ns.0, window_end_ns: window_ns.1 });
    let proxy = far.as_ref().map(|far| anyhow::Ok((far.proxy.pid(), far.proxy.control(ANSWER_WITHIN)?))).transpose()?;
    let cpus: Vec<u32> = site.placement.allowed().numbers().collect();
    let watchdog = Watchdog::start(&cpus, window_ns)?;
    let sampler = Sampler::start(monitor, server.pid, cpus, here, start_ns, proxy, window_ns)?;
    let (say_end, pacer_end) = bounded(1);
    let pacer = Pacer::start(Arc::clone(&schedule), start_ns, lanes, say_end, site.placement.allowed().set()?)?;
    host.pacer_priority.clone_from(&pacer.prompt.class);

    let refusal = enqueued.as_ref().map(Enqueued::refusal).unwrap_or_default();
    let mut watch = Watch::new(spec, &schedule, refusal, start_ns, &dynos.clocks);
    let mut lost = |at_s| {
        let proxy = far.as_mut().and_then(|far| far.proxy.lost()).map(|status| Ended::ProxyLost { at_s, status });
        proxy.or_else(|| server.lost().map(|status| Ended::ServerLost { at_s, status }))
    };
    let end = watch.until_end(&dynos, &mut lost, &pacer, &pacer_end, site.interrupt, progress)?;
    pacer.stop();
    sampler.stop();
    watch.last_answers(&dynos);
    // Closing the lanes and the stop together tell the dynos that nothing more will come.
    let sends = pacer.join()?;
    dynos.tell(&ToDyno::Stop);
    watch.last_words(&dynos);
    let mut status = |number: u32| {
        let status = dynos.status(number)?;
        let killed = site.placement.ran_out_of_memory(number);
        let limit = settings.dyno.as_ref().filter(|_| killed).map(|dyno| dyno.memory_mb);
        Some(limit.map_or(status.clone(), |limit| format!("{status}, killed: out of memory (limit {limit} MiB)")))
    };
    let ended = match (end.ended, watch.collected.lost()) {
        (Ended::DynoLost { dyno, at_s, .. }, _) => Ended::DynoLost { dyno, at_s, status: status(dyno) },
        // It was there until its last word was due.
        (Ended::Complete, Some((dyno, at_ns))) => {
            Ended::DynoLost { dyno, at_s: watch.seconds(at_ns), status: status(dyno) }
        }
        (ended, _) => ended,
    };
    // Whatever else it looks like: without the proxy no task could end.
    let ended = match far.as_mut().and_then(|far| far.proxy.lost()) {
        Some(status) if ended != Ended::Interrupted => Ended::ProxyLost { at_s: watch.seconds(now_ns()), status },
        _ => ended,
    };
    let (mut monitor, usage) = sampler.finish()?;
    let watched = watchdog.finish()?;
    let builds = std::mem::take(&mut dynos.builds);
    dynos.end();
    // A server that is gone by now has taken its counters with it: the run says so by their absence.
    let work = monitor.work().ok().map(|work| work.since(&baseline));
    let queue = settings.queue.as_ref().zip(enqueued);
    let queue = queue.map(|(queue, enqueued)| look_at_queue(spec, &server, queue, enqueued, &sends)).transpose()?;
    let work = match &queue {
        Some((_, own)) => work.map(|work| work.without(own)),
        None => work,
    };
    let evicted = work.as_ref().and_then(|work| work.evicted_keys);
    let size_end = monitor.size().ok();
    host.load_average_end = host::load_average();
    host.mhz_end = host::mhz();
    drop(monitor);
    let tally = match &usage {
        Sampled::Window(usage) => usage.tally.as_ref(),
        Sampled::BeforeWindow(_) => None,
    };
    let network = far.as_ref().map(|far| far.report(&settings.redis, tally));
    let measured = Measured {
        started_at,
        host,
        server: assemble::server(&facts, &server, size, size_end, evicted),
        dyno,
        builds,
        ended,
        drained: end.drained,
        collected: watch.collected,
        sends,
        network,
        usage,
        watched,
        work,
        queue: queue.map(|(queue, _)| queue),
        startup,
        start_ns,
        start_at,
        handicap_us: site.handicap.and_then(|handicap| handicap.of(&spec.variant.name)),
        forced: [site.ceilings.excess(settings, spec.variant.engine), site.handicap.map(Handicap::sentence)]
            .into_iter()
            .flatten()
            .collect(),
    };
    if let Err(error) = server.end() {
        progress.line(&format!("the server did not end in order: {error:#}"));
    }
    let intervals = assemble::interval_log(spec, &schedule, &measured)?;
    let service_us = measured.collected.service_us((QUARTER_S * 1e9) as u64, schedule.window_end_ns);
    Ok(Measurement { report: assemble::run(spec, &schedule, measured), intervals, service_us })
}

/// Everything that stands when the untimed tasks begin.
struct Prepared {
    server: Server,
    facts: ServerFacts,
    monitor: Monitor,
    far: Option<Far>,
    dynos: Dynos,
    lanes: Vec<Lane>,
    /// Where tasks wait in a queue.
    enqueued: Option<Enqueued>,
    startup: Startup,
    /// Keys and memory after the prefill.
    size: (u64, u64),
}

fn prepare(spec: &Spec<'_>, site: &Site<'_>, demand: &Demand, progress: &mut Progress) -> anyhow::Result<Prepared> {
    let settings = &spec.cell.settings;
    let mut startup = Startup::default();
    let begun = Instant::now();
    let server = site.source.provide(&site.directory.join("server"), demand, site.placement.seat(Part::Redis)?)?;
    startup.server_ms = milliseconds(begun);
    site.interrupt.check()?;

    let begun = Instant::now();
    let mut connection = server.connect()?;
    let facts = ServerFacts::read(&mut connection)?;
    progress.stage("writing the documents");
    prefill::prepare(&mut connection, settings, &Tasks::new(settings, spec.seed, site.rounds_per_us), site.interrupt)?;
    startup.prefill_ms = milliseconds(begun);
    site.interrupt.check()?;
    let far = Far::start(&server, &mut connection, &settings.redis, spec.seed, site.placement, site.interrupt)?;
    site.interrupt.check()?;
    let mut monitor = Monitor::new(connection);
    let size = monitor.size()?;

    let begun = Instant::now();
    progress.stage("starting the dynos");
    let told = site.handicap.map_or_else(|| settings.clone(), |one| one.burden(settings.clone(), spec.variant));
    let assigns = (0..settings.workers.dynos)
        .map(|dyno| Assign {
            dyno,
            // Tells dispatch connections apart; it is no secret.
            token: common::random::mix(now_ns(), u64::from(dyno)),
            variant: spec.variant.clone(),
            first_worker: settings.workers.first_of(dyno),
            workers: settings.workers.count_of(dyno),
            backlog_max: settings.workers.backlog_max_of(dyno),
            settings: told.clone(),
            seed: spec.seed,
            rounds_per_us: site.rounds_per_us,
            redis_url: far.as_ref().map_or(&server.url, |far| &far.url).expose().to_owned(),
        })
        .collect();
    let (dynos, mut lanes) = dynos::assemble(
        &site.dynos,
        spec.variant,
        assigns,
        server.is_private() || far.is_some(),
        site.placement,
        site.interrupt,
        &mut |line| progress.line(line),
    )?;
    startup.dynos_ms = milliseconds(begun);
    let mut enqueued = None;
    if let Some(queue) = &settings.queue {
        if dynos.clocks.iter().any(|clock| !matches!(clock, Clock::Shared)) {
            let why = "a dyno reads another clock than loadgen, and whoever claims a task out of a queue must know its instants: start \
                       the dynos of a plan with [queue] on loadgen's machine";
            return Err(Refused(why.to_owned()).into());
        }
        let tasks = Tasks::new(settings, spec.seed, site.rounds_per_us);
        let (url, address) = (server.url.expose(), server.address()?);
        let all = (tasks, settings.workers.total());
        let (lane, answers) = enqueued::open(url, address, &settings.redis, queue.kind, all)?;
        lanes = vec![lane];
        enqueued = Some(answers);
    }
    Ok(Prepared { server, facts, monitor, far, dynos, lanes, enqueued, startup, size })
}

/// What is known of a queue when all is over: besides what the dynos say, and what loadgen did to it.
fn look_at_queue(
    spec: &Spec<'_>,
    server: &Server,
    queue: &Queue,
    enqueued: Enqueued,
    sends: &SendLog,
) -> anyhow::Result<(MeasuredQueue, Enqueuing)> {
    let answers = enqueued.finish()?;
    let settings = &spec.cell.settings;
    let tasks = Tasks::new(settings, spec.seed, 0.0);
    let untimed = (0..u64::from(settings.workers.total())).map(|worker| UNTIMED_INDEX + worker);
    let sent = sends.instants().zip(0..).filter(|&(at_ns, _)| at_ns > 0).map(|(_, index)| index);
    // A server that is gone says nothing, and the report says so.
    let mut connection = server.connect().ok();
    let left = connection.as_mut().and_then(|connection| queue::left(connection, queue.kind).ok());
    let results = connection
        .as_mut()
        .and_then(|connection| queue::results(connection, queue, &tasks, untimed.chain(sent)).ok().flatten());
    let own = Enqueuing {
        command: match queue.kind {
            QueueKind::Stream => "xadd",
            QueueKind::List => "lpush",
        },
        tasks: sends.instants().filter(|&at_ns| at_ns > 0).count() as u64,
        bytes_in: sends.bytes,
        bytes_out: answers.timed_bytes,
    };
    Ok((MeasuredQueue { answers, left, results }, own))
}

/// One task per worker, all at once, and waits for all of them.
fn untimed(dynos: &mut Dynos, lanes: &mut [Lane], spec: &Spec<'_>, interrupt: &Interrupt) -> anyhow::Result<()> {
    let settings = &spec.cell.settings;
    let total = settings.workers.total();
    let pushed = settings.queue.is_none();
    for (dyno, lane) in (0..).zip(lanes.iter_mut()) {
        let first = u64::from(settings.workers.first_of(dyno));
        let now = now_ns();
        let task = |worker: u32| Dispatch {
            intended_ns: now,
            sent_ns: now,
            index: UNTIMED_INDEX + first + u64::from(worker),
            worker,
            phase: TaskPhase::Untimed,
        };
        // Out of a queue anybody may claim them: as many as there are workers.
        let count = if pushed { settings.workers.count_of(dyno) } else { total };
        lane.send_untimed((0..count).map(task))?;
    }
    let mut collected = Collected::new(&dynos.clocks, 0);
    let longer = Duration::from_secs(u64::from(total / 1000)) + network::untimed_longer(settings, spec.variant);
    let give_up = after(UNTIMED_WITHIN + longer);
    loop {
        let (ended, failed) = collected.ended();
        anyhow::ensure!(failed == 0, "{failed} of {total} untimed tasks failed: is the Redis server all right?");
        // Out of a queue some may be run twice: what is left of them, or still with a worker, would be part of the window. Where no results
        // are kept, tasks that are held too long may never be done.
        let results = settings.queue.as_ref().is_some_and(|queue| queue.record_results);
        let queue = collected.queue();
        let left = if results { queue.left(u64::from(total)) + queue.at_workers() } else { 0 };
        if ended >= u64::from(total) && left == 0 {
            return Ok(());
        }
        select! {
            recv(dynos.events) -> event => match event? {
                Event::Message(_, message) if matches!(*message, FromDyno::Fatal(_)) => {
                    anyhow::bail!("a dyno cannot go on: {message:?}")
                }
                Event::Message(dyno, message) => collected.take(dyno, *message),
                Event::Clock(..) => {}
                Event::Gone(dyno) => anyhow::bail!("dyno {dyno} ended in its first task; see its message above"),
            },
            recv(interrupt.channel()) -> _ => return Err(Interrupted.into()),
            recv(give_up) -> _ => anyhow::bail!("{ended} of {total} untimed tasks ended in time; the Redis server is too slow for this plan"),
        }
    }
}

fn milliseconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}
