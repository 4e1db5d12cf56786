//! How fast no-op jobs of 200 bytes come out of a queue: `make queue`.
//!
//! In every block, in random order, on a fresh server each: a bare loop (threads that write the same bytes to sockets of their own
//! and read the replies, and nothing else), both engines without prefetch, once with workers that claim for themselves (each
//! acknowledges its last job in the same round trip, as the loop does) and once with a fetcher that claims as many jobs as workers are
//! free, both engines with prefetch, and at the end redis-benchmark where there is one. With `--bullmq DIR` BullMQ too: `npm install` in
//! `loadgen/examples/queue/bullmq`. Results are not recorded. Printed are medians over the blocks, and the ratios to the loop and to
//! BullMQ block by block.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use analysis::stats::middle_of;
use anyhow::{Context, bail, ensure};
use clap::Parser;
use common::keys;
use common::plan::{Plan, QueueKind};
use common::queue::{self, GROUP, Protocol};
use common::random::{below, mix};
use common::request::{Incoming, Request};
use common::resp::Value;
use common::task::Tasks;
use common::wire::Dispatch;
use redis::ConnectionLike as _;
use testkit::TestServer;
use testkit::hand::{HandDyno, fill};

/// Far beyond what a contender takes.
const LONG: Duration = Duration::from_secs(300);
/// Where the jobs lie until the dyno is ready.
const ASIDE: &str = "test:queue:aside";
const LOOK: Duration = Duration::from_millis(2);

/// How fast jobs come out of a queue
#[derive(Debug, Parser)]
struct Args {
    /// Blocks; the first is thrown away
    #[arg(long, default_value_t = 6)]
    blocks: u32,
    /// Jobs of each contender
    #[arg(long, default_value_t = 200_000)]
    jobs: u64,
    /// Workers, and connections of those who have one each
    #[arg(long, default_value_t = 50)]
    workers: u32,
    /// Jobs that wait in the dyno with prefetch
    #[arg(long, default_value_t = 9950)]
    prefetch: u32,
    /// Where BullMQ is installed
    #[arg(long, value_name = "DIR")]
    bullmq: Option<PathBuf>,
}

/// What one contender did in one block.
#[derive(Debug, Clone, Copy)]
struct Measured {
    per_s: f64,
    /// Of the workers, seconds per ten thousand jobs.
    worker_cpu_s: f64,
    /// Of the server.
    server_cpu_s: f64,
    /// Commands of the server per job.
    commands: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    Loop,
    Engine { engine: &'static str, claims: Claims },
    BullMq,
}

/// Who claims, and how much ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claims {
    Worker,
    Fetcher,
    Prefetch,
}

impl Contender {
    fn name(self) -> String {
        match self {
            Contender::Loop => "loop".to_owned(),
            Contender::Engine { engine, claims: Claims::Worker } => format!("{engine}, worker"),
            Contender::Engine { engine, claims: Claims::Fetcher } => format!("{engine}, fetcher"),
            Contender::Engine { engine, claims: Claims::Prefetch } => format!("{engine}, prefetch"),
            Contender::BullMq => "BullMQ".to_owned(),
        }
    }
}

fn main() -> anyhow::Result<()> {
    dyno::limits::raise();
    let args = Args::parse();
    let mut contenders = vec![Contender::Loop];
    for engine in ["threaded", "async"] {
        let claims = [Claims::Worker, Claims::Fetcher, Claims::Prefetch];
        contenders.extend(claims.map(|claims| Contender::Engine { engine, claims }));
    }
    contenders.extend(args.bullmq.as_ref().map(|_| Contender::BullMq));
    let mut all: BTreeMap<String, Vec<Measured>> = BTreeMap::new();
    for block in 0..=args.blocks {
        let mut order = contenders.clone();
        // Fisher-Yates.
        for last in (1..order.len()).rev() {
            order.swap(last, below(mix(u64::from(block), last as u64), last as u64 + 1) as usize);
        }
        for contender in order {
            let measured = measure(&args, contender)?;
            eprintln!("block {block}: {}: {:.0} jobs/s", contender.name(), measured.per_s);
            // The first one finds cold caches.
            if block > 0 {
                all.entry(contender.name()).or_default().push(measured);
            }
        }
    }
    print(&args, &all);
    redis_benchmark(&args)
}

fn print(args: &Args, all: &BTreeMap<String, Vec<Measured>>) {
    let middle = |name: &str, of: &dyn Fn(&Measured) -> f64| {
        all.get(name).and_then(|measured| middle_of(measured.iter().map(of).collect())).unwrap_or(f64::NAN)
    };
    let ratio = |name: &str, to: &str| {
        let pairs = all.get(name).into_iter().flatten().zip(all.get(to).into_iter().flatten());
        middle_of(pairs.map(|(one, other)| one.per_s / other.per_s).collect())
    };
    println!(
        "{} no-op jobs of 200 bytes, {} workers, {} blocks, results not recorded",
        args.jobs, args.workers, args.blocks
    );
    println!(
        "{:<20} {:>10} {:>12} {:>12} {:>10} {:>8} {:>8}",
        "", "jobs/s", "worker CPU", "server CPU", "commands", "/ loop", "/ BullMQ"
    );
    for name in all.keys() {
        let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.2}"));
        let commands = middle(name, &|measured| measured.commands);
        let commands = if commands.is_nan() { "-".to_owned() } else { format!("{commands:.3}") };
        println!(
            "{name:<20} {:>10.0} {:>10.3} s {:>10.3} s {commands:>10} {:>8} {:>8}",
            middle(name, &|measured| measured.per_s),
            middle(name, &|measured| measured.worker_cpu_s),
            middle(name, &|measured| measured.server_cpu_s),
            number(ratio(name, "loop")),
            number(ratio(name, "BullMQ"))
        );
    }
    println!("CPU: seconds per 10 000 jobs; commands: of the server per job, without putting it there");
}

fn plan(args: &Args, engine: &str, claims: Claims) -> anyhow::Result<Plan> {
    let queue = match claims {
        Claims::Worker => "claim = \"worker\"".to_owned(),
        Claims::Fetcher => "claim = \"fetcher\"".to_owned(),
        Claims::Prefetch => format!("prefetch = {}\nclaim_max = 10000", args.prefetch),
    };
    let text = format!(
        "name = \"queue\"\n[task]\nkind = \"null\"\npayload_kb = {}\n[load]\nrate_per_s = 1\nduration_s = 3600\n[workers]\n\
         count = {}\n[queue]\n{queue}\n[[variant]]\nname = \"{engine}\"\nengine = \"{engine}\"\nconnections = \"own\"\n",
        (200.0 - Dispatch::LEN as f64) / 1024.0,
        args.workers
    );
    Ok(Plan::parse(&text, &[])?)
}

fn measure(args: &Args, contender: Contender) -> anyhow::Result<Measured> {
    let server = TestServer::start();
    if contender == Contender::BullMq {
        return bullmq(args, &server);
    }
    let plan = plan(args, "async", Claims::Worker)?;
    let mut connection = server.connection();
    fill(&mut connection, QueueKind::Stream, 0..args.jobs, &Tasks::new(&plan.cells[0].settings, 1, 0.0));
    let filled = server.commandstats();
    match contender {
        Contender::Engine { engine, claims } => {
            // Everything lies aside until the dyno is ready and waits at an empty queue: it is there at one stroke.
            redis::cmd("RENAME").arg(keys::QUEUE).arg(ASIDE).exec(&mut connection)?;
            let request = queue::prepare(QueueKind::Stream);
            connection.req_packed_commands(request.bytes(), 0, request.replies())?;
            let binary =
                std::env::current_exe()?.ancestors().nth(2).context("no directory")?.join(format!("workers-{engine}"));
            let dyno = HandDyno::start(&binary, &self::plan(args, engine, claims)?, &server.url(), 1);
            let cpu = || Ok::<_, anyhow::Error>((cpu_s(dyno.pid())?, cpu_s(server.pid())?));
            let (before, begun) = (cpu()?, Instant::now());
            redis::cmd("RENAME").arg(ASIDE).arg(keys::QUEUE).exec(&mut connection)?;
            let took = await_drained(&mut connection, begun)?;
            let after = cpu()?;
            let _ = dyno.stop();
            measured(args, &server, &filled, took, before, after)
        }
        _ => {
            let sockets: Vec<TcpStream> = (0..args.workers).map(|_| socket(&server)).collect::<anyhow::Result<_>>()?;
            let cpu = || Ok::<_, anyhow::Error>((cpu_s(std::process::id())?, cpu_s(server.pid())?));
            let (before, begun) = (cpu()?, Instant::now());
            thread::scope(|scope| {
                let threads: Vec<_> =
                    sockets.into_iter().map(|socket| scope.spawn(|| bare_loop(socket, &plan))).collect();
                threads
                    .into_iter()
                    .try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("a loop panicked"))?)
            })?;
            measured(args, &server, &filled, begun.elapsed(), before, cpu()?)
        }
    }
}

fn measured(
    args: &Args,
    server: &TestServer,
    filled: &BTreeMap<String, loadgen::redis_server::CommandStat>,
    took: Duration,
    before: (f64, f64),
    after: (f64, f64),
) -> anyhow::Result<Measured> {
    let per_ten_thousand = |cpu_s: f64| cpu_s / args.jobs as f64 * 1e4;
    // Besides what the test itself asks.
    let calls = |name: &str| {
        let now = server.commandstats().get(name).map_or(0, |stat| stat.calls);
        now - filled.get(name).map_or(0, |stat| stat.calls).min(now)
    };
    let commands: u64 = ["xreadgroup", "xack", "evalsha"].map(calls).iter().sum();
    ensure!(calls("xack") > 0, "nothing was acknowledged");
    Ok(Measured {
        per_s: args.jobs as f64 / took.as_secs_f64(),
        worker_cpu_s: per_ten_thousand(after.0 - before.0),
        server_cpu_s: per_ten_thousand(after.1 - before.1),
        commands: commands as f64 / args.jobs as f64,
    })
}

/// Until everything is claimed and acknowledged.
fn await_drained(connection: &mut redis::Connection, begun: Instant) -> anyhow::Result<Duration> {
    loop {
        let left = loadgen::queue::left(connection, QueueKind::Stream)?;
        if left.visible.context("a server from 7.0 on")? + left.in_flight == 0 {
            return Ok(begun.elapsed());
        }
        ensure!(begun.elapsed() < LONG, "not drained: {left:?}");
        thread::sleep(LOOK);
    }
}

fn socket(server: &TestServer) -> anyhow::Result<TcpStream> {
    let socket = TcpStream::connect(server.addr())?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Acknowledges the last job and claims the next, in one write, until there is none.
fn bare_loop(mut socket: TcpStream, plan: &Plan) -> anyhow::Result<()> {
    let settings = plan.cells[0].settings.queue.clone().context("no queue")?;
    let protocol = Protocol::new(settings, "loop".to_owned());
    let mut request = protocol.claim(Request::new(), 1, &[0], None);
    loop {
        socket.write_all(request.bytes())?;
        let mut incoming = Incoming::new(request.replies());
        loop {
            let count = socket.read(incoming.space())?;
            if incoming.arrived(count).map_err(|error| anyhow::anyhow!("{error}"))? {
                break;
            }
        }
        let acknowledges = request.replies() > 1;
        let replies = incoming.replies().map_err(|error| anyhow::anyhow!("{error}"))?;
        let mut values = replies.values();
        if acknowledges {
            values.next();
        }
        let Some(id) = id(values.next()) else { return Ok(()) };
        request = Request::new().command("XACK", [keys::QUEUE, GROUP.as_bytes(), id]);
        request = protocol.claim(request, 1, &[0], None);
    }
}

/// `[[key, [[id, fields]]]]`
fn id(value: Option<Value<'_>>) -> Option<&[u8]> {
    let Value::Array(mut streams) = value? else { return None };
    let Value::Array(mut stream) = streams.next()? else { return None };
    let Value::Array(mut entries) = stream.nth(1)? else { return None };
    let Value::Array(mut entry) = entries.next()? else { return None };
    match entry.next()? {
        Value::Bulk(id) => Some(id),
        _ => None,
    }
}

/// Of a process so far, in hundredths of a second.
fn cpu_s(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').context("no process")?.1;
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap_or(0)).sum();
    Ok(ticks as f64 / 100.0)
}

/// `drain.mjs PORT JOBS WORKERS` prints the seconds that it took, and its CPU seconds.
fn bullmq(args: &Args, server: &TestServer) -> anyhow::Result<Measured> {
    let directory = args.bullmq.as_deref().unwrap_or(Path::new("."));
    let output = Command::new("node")
        .arg("drain.mjs")
        .args([server.addr().port().to_string(), args.jobs.to_string(), args.workers.to_string()])
        .current_dir(directory)
        .output()
        .context("node")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let [took_s, worker_cpu_s, server_cpu_before_s] = numbers[..] else {
        bail!("{}: {text}{}", directory.display(), String::from_utf8_lossy(&output.stderr))
    };
    let per_ten_thousand = |cpu_s: f64| cpu_s / args.jobs as f64 * 1e4;
    let server_cpu_s = cpu_s(server.pid())? - server_cpu_before_s;
    Ok(Measured {
        per_s: args.jobs as f64 / took_s,
        worker_cpu_s: per_ten_thousand(worker_cpu_s),
        server_cpu_s: per_ten_thousand(server_cpu_s),
        commands: f64::NAN,
    })
}

/// What the server itself can do, on as many connections, by its own instrument.
fn redis_benchmark(args: &Args) -> anyhow::Result<()> {
    let server = TestServer::start();
    for command in ["lpush test:list", "rpop test:list", "xadd test:stream * t"] {
        let mut words: Vec<&str> = command.split(' ').collect();
        let payload = "x".repeat(200);
        if words[0] != "rpop" {
            words.push(&payload);
        }
        let output = Command::new("redis-benchmark")
            .args(["-p", &server.addr().port().to_string(), "-c", &args.workers.to_string()])
            .args(["-n", &args.jobs.to_string(), "-q", "--csv"])
            .args(&words)
            .output();
        let Ok(output) = output else {
            println!("redis-benchmark is not here");
            return Ok(());
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let per_s = text.lines().last().and_then(|line| line.split(',').nth(1)).unwrap_or("?").trim_matches('"');
        println!("redis-benchmark {:<16} {per_s:>10}", words[0]);
    }
    Ok(())
}
