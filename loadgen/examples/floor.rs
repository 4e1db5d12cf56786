//! What stands above the floor: `make floor`.
//!
//! The floor is a loop of threads that write pre-encoded requests to sockets of their own and read the replies: no
//! dispatch, no recording, no JSON, nothing of this project but the bytes. It does the arrivals of the runs beside it,
//! each thread sleeping until its own. In every block one run each of the loop, and of `replay` and `document` in both
//! engines, in random order; what is printed is the median over blocks of the ratios of CPU per task of the worker
//! processes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;

use analysis::stats::middle_of;
use anyhow::{Context, ensure};
use common::arrivals;
use common::plan::demand::demand;
use common::plan::{Cell, Plan, TaskKind};
use common::random::{below, block_seed, mix};
use common::report::RunResult;
use common::resp::Scanner;
use common::step::{Reply, Step};
use common::task::{Task, Tasks};
use dyno::clock::{now_ns, sleep_until};
use dyno::{limits, usage};
use loadgen::ceiling::Ceilings;
use loadgen::child;
use loadgen::dynos::Origin;
use loadgen::placement::{Part, Pin, Placement, Scheduling, Started};
use loadgen::prefill;
use loadgen::progress::Progress;
use loadgen::run::{self, Site, Spec};
use loadgen::server::Source;
use loadgen::signals::Interrupt;

const PLAN: &str = "plans/floor.toml";

fn main() -> anyhow::Result<()> {
    limits::turn_off_huge_pages();
    limits::raise();
    let plan = Plan::parse(&std::fs::read_to_string(PLAN).context(PLAN)?, &[])?;
    let mut args = std::env::args().skip(1);
    match (args.next(), args.next()) {
        (Some(address), Some(block)) => bare_loop(&plan, &address, block.parse()?),
        _ => blocks(&plan),
    }
}

/// The cell of a kind of task.
fn cell(plan: &Plan, kind: TaskKind) -> anyhow::Result<&Cell> {
    plan.cells.iter().find(|cell| cell.settings.task.kind == kind).with_context(|| format!("{PLAN} has no {kind:?}"))
}

/// Everything of one block is measured under its name: CPU microseconds per task.
type Measured = BTreeMap<String, f64>;

fn blocks(plan: &Plan) -> anyhow::Result<()> {
    let placement = Placement::new(&Pin::Auto, Scheduling::Auto, Started { redis: true, dynos: true, proxy: false })?;
    let interrupt = Interrupt::install()?;
    let mut progress = Progress::plain();
    let source = Source::find(None, false, &mut |line| eprintln!("{line}"))?;
    let directory = std::env::temp_dir().join(format!("headroom-floor-{}", std::process::id()));
    let site = Site {
        source: &source,
        dynos: Origin::Spawned { padding: 0 },
        directory: &directory,
        interrupt: &interrupt,
        placement: &placement,
        rounds_per_us: 0.0,
        ceilings: &Ceilings::default(),
        handicap: None,
    };
    let mut all: Vec<Measured> = Vec::new();
    for block in 0..=plan.repeat.blocks {
        let measured = one_block(plan, block, &site, &mut progress)?;
        eprintln!("block {block}: {measured:.1?} us of CPU a task");
        // The first one finds cold caches.
        if block > 0 {
            all.push(measured);
        }
    }
    std::fs::remove_dir_all(&directory).context("the servers' logs")?;
    for engine in ["threaded", "async"] {
        let of = |kind: &str| format!("{engine} {kind}");
        println!(
            "{engine} document/replay {:.3} replay/loop {:.3}",
            median(&all, &of("document"), &of("replay"))?,
            median(&all, &of("replay"), "loop")?
        );
    }
    Ok(())
}

fn one_block(plan: &Plan, block: u32, site: &Site<'_>, progress: &mut Progress) -> anyhow::Result<Measured> {
    let mut jobs: Vec<Option<(TaskKind, usize)>> = vec![None];
    for variant in 0..plan.variants.len() {
        jobs.extend([Some((TaskKind::Replay, variant)), Some((TaskKind::Document, variant))]);
    }
    // Fisher-Yates.
    for last in (1..jobs.len()).rev() {
        jobs.swap(last, below(mix(u64::from(block), last as u64), last as u64 + 1) as usize);
    }
    let mut measured = Measured::new();
    for job in jobs {
        match job {
            None => measured.insert("loop".to_owned(), floor(plan, block, site)?),
            Some((kind, variant)) => {
                let variant = &plan.variants[variant];
                let cell = cell(plan, kind)?;
                let seed = block_seed(cell.settings.load.seed, 0, block);
                let spec = Spec { plan, cell, variant, block, position: 0, attempt: 0, seed };
                let run = run::run(&spec, site, progress)?.report;
                ensure!(run.verdict.result == RunResult::Ok, "{}: {}", variant.name, run.verdict.reason);
                let kind = if kind == TaskKind::Replay { "replay" } else { "document" };
                let cpu = run.resources.workers.cpu_us_per_task.context("no CPU per task")?;
                measured.insert(format!("{} {kind}", variant.engine), cpu)
            }
        };
    }
    Ok(measured)
}

/// One run of the loop, in a process of its own, on a server of its own.
fn floor(plan: &Plan, block: u32, site: &Site<'_>) -> anyhow::Result<f64> {
    let cell = cell(plan, TaskKind::Replay)?;
    let demand = demand(&cell.settings, &plan.variants[0]);
    let server = site.source.provide(&site.directory.join("loop"), &demand, site.placement.seat(Part::Redis)?)?;
    let seed = block_seed(cell.settings.load.seed, 0, block);
    prefill::prepare(&mut server.connect()?, &cell.settings, &Tasks::new(&cell.settings, seed, 0.0), site.interrupt)?;
    let address = format!("{}:{}", server.url.host(), server.url.port());
    let mut command = Command::new(std::env::current_exe()?);
    command.args([address, block.to_string()]).stdout(Stdio::piped());
    let mut process = child::spawn(&mut command, &site.placement.seat(Part::Dyno(0))?)?;
    let mut printed = String::new();
    process.take_stdout().context("no output")?.read_to_string(&mut printed)?;
    server.end()?;
    printed.trim().parse().with_context(|| format!("the loop said {printed:?}"))
}

/// The loop itself: prints its CPU microseconds per task over the window.
fn bare_loop(plan: &Plan, address: &str, block: u32) -> anyhow::Result<()> {
    let settings = &cell(plan, TaskKind::Replay)?.settings;
    let seed = block_seed(settings.load.seed, 0, block);
    let schedule = arrivals::schedule(settings, seed);
    let tasks = Tasks::new(settings, seed, 0.0);
    let start_ns = now_ns() + 200_000_000;
    let mut threads = Vec::new();
    for worker in 0..settings.workers.count {
        let mine: Vec<u64> = schedule
            .arrivals
            .iter()
            .filter(|arrival| arrival.worker == worker)
            .map(|arrival| start_ns + arrival.intended_ns)
            .collect();
        let requests = requests(tasks.task(worker, 0));
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        threads.push(thread::Builder::new().stack_size(64 << 10).spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            for intended_ns in mine {
                sleep_until(intended_ns);
                for (bytes, replies) in &requests {
                    exchange(&mut socket, bytes, *replies, &mut buffer)?;
                }
            }
            anyhow::Ok(())
        })?);
    }
    sleep_until(start_ns + schedule.window_start_ns);
    let before = usage::of_this_process();
    sleep_until(start_ns + schedule.window_end_ns);
    let after = usage::of_this_process();
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a thread of the loop panicked"))??;
    }
    let cpu_us = (after.user_us + after.sys_us) - (before.user_us + before.sys_us);
    println!("{}", cpu_us as f64 / (schedule.arrivals.len() - schedule.warmup) as f64);
    Ok(())
}

/// What a replayed task sends, and how many replies each round trip has.
fn requests(mut task: Task) -> Vec<(Vec<u8>, usize)> {
    let mut requests = Vec::new();
    let mut reply = Reply::Start;
    while let Step::Redis(_, request) = task.resume(reply) {
        requests.push((request.bytes().to_vec(), request.replies()));
        let Ok(nothing) = common::request::Replies::of_tree(Vec::new()) else { break };
        reply = Reply::Redis(Ok(nothing));
    }
    requests
}

fn exchange(socket: &mut TcpStream, bytes: &[u8], replies: usize, buffer: &mut [u8]) -> anyhow::Result<()> {
    socket.write_all(bytes)?;
    let (mut scanner, mut filled) = (Scanner::new(replies), 0);
    loop {
        let count = socket.read(&mut buffer[filled..])?;
        ensure!(count > 0, "the server hung up");
        filled += count;
        if scanner.advance(&buffer[..filled])? {
            return Ok(());
        }
    }
}

/// The middle of the blocks' ratios.
fn median(blocks: &[Measured], above: &str, below: &str) -> anyhow::Result<f64> {
    middle_of(blocks.iter().map(|block| block[above] / block[below]).collect()).context("no blocks")
}
