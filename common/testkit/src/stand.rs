//! What benches of both engines share: an engine without its loadgen, and what its pieces need to be measured one by
//! one.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use analysis::stats::middle_of;
use common::plan::Plan;
use common::wire::{Assign, Dispatch, TaskPhase};
use common::worker::Handed;
use criterion::Criterion;
use crossbeam_channel::unbounded;
use dyno::{Engine, Job, Shared};

use crate::TestServer;

/// A piece: the time that so many rounds of it take.
pub type Piece<'a> = Box<dyn FnMut(u64) -> Duration + 'a>;

/// Workers among which a task goes round: whoever gets it has been idle for long, and sleeps.
pub const RING: u32 = 500;
/// Who compete, ...
pub const USERS: usize = 8;
/// ... and for how many.
pub const PLACES: u32 = 2;
/// Workers that are started at once.
const CROWD: u32 = 10_000;
/// How often it is looked at whether all tasks have ended.
const LOOK: Duration = Duration::from_millis(1);
/// Far beyond what anything here takes.
const LONG: Duration = Duration::from_secs(120);

/// How long `count` workers take to start: whole engines with 10 000 workers each, less what they take to start with
/// one, which is the first connection, and threads that all workers share.
///
/// # Panics
/// When the engine does not start.
#[must_use]
pub fn spawn<E: Engine>(plan: &Plan, count: u64, server: &TestServer) -> Duration {
    let start = |workers| {
        let stand = Stand::<E>::start(plan, workers, server);
        let started_in = stand.started_in;
        stand.leave();
        started_in
    };
    let starts = count.div_ceil(u64::from(CROWD));
    let all: Duration = (0..starts).map(|_| start(CROWD).saturating_sub(start(1))).sum();
    all.mul_f64(count as f64 / (starts * u64::from(CROWD)) as f64)
}

/// Bytes of memory that each of 10 000 workers keeps while it waits for its second task.
///
/// # Panics
/// When the engine does not start.
#[must_use]
pub fn idle_bytes<E: Engine>(plan: &Plan, server: &TestServer) -> f64 {
    let before = anonymous_bytes();
    let mut stand = Stand::<E>::start(plan, CROWD, server);
    stand.run_a_task_each();
    let after = anonymous_bytes();
    stand.leave();
    after.saturating_sub(before) as f64 / f64::from(CROWD)
}

/// A plan of `null` tasks with one variant: `text` is its TOML but for the name.
///
/// # Panics
/// When the plan is refused.
#[must_use]
pub fn plan(text: &str) -> Plan {
    let text = format!(
        "name = \"stand\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 1\nduration_s = 1\n[workers]\ncount = 1\n\
         [[variant]]\nname = \"a\"\n{text}"
    );
    Plan::parse(&text, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// What `workers` workers share; nobody listens to what they say.
#[must_use]
pub fn shared(workers: u32) -> Arc<Shared> {
    let plan = plan("engine = \"async\"");
    Arc::new(Shared::new(workers, u32::MAX, &plan.cells[0].settings, None, unbounded().0))
}

/// A task for `worker`.
#[must_use]
pub fn task(worker: u32, index: u64) -> Dispatch {
    Dispatch { intended_ns: 0, sent_ns: 0, index, worker, phase: TaskPhase::Untimed }
}

/// The same as a worker is handed it.
#[must_use]
pub fn handed(index: u64) -> Handed {
    Handed::Task(task(0, index))
}

/// The number of a task that was pushed.
///
/// # Panics
/// When it was not.
#[must_use]
pub fn index_of(handed: &Handed) -> u64 {
    match handed {
        Handed::Task(task) => task.index,
        other => panic!("{other:?}"),
    }
}

/// Both ends of a dispatch connection.
///
/// # Panics
/// When no port is free.
#[must_use]
pub fn sockets() -> (TcpStream, TcpStream) {
    let open = || {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let one = TcpStream::connect(listener.local_addr()?)?;
        one.set_nodelay(true)?;
        Ok((one, listener.accept()?.0))
    };
    open().unwrap_or_else(|error: std::io::Error| panic!("no connection to this process: {error}"))
}

/// Measures every piece of an engine, and prints the middle of what was seen of each in a line of its own, then the memory of
/// an idle worker in bytes, by name.
pub fn measure(engine: &str, pieces: Vec<(&str, Piece<'_>)>, memory: &[(&str, f64)]) {
    let mut criterion =
        Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3)).configure_from_args();
    let mut lines = Vec::new();
    for (name, mut piece) in pieces {
        let mut seen = Vec::new();
        criterion.bench_function(name, |b| {
            b.iter_custom(|rounds| {
                let took = piece(rounds);
                seen.push(took.as_secs_f64() * 1e6 / rounds as f64);
                took
            });
        });
        lines.extend(middle_of(seen).map(|us| format!("piece: {engine} {name:<24} {us:>9.3} us")));
    }
    criterion.final_summary();
    lines.iter().for_each(|line| println!("{line}"));
    for (name, bytes) in memory {
        println!("piece: {engine} idle worker, {name:<11} {:>9.3} KiB", bytes / 1024.0);
    }
}

/// The workers of an engine at work on `null` tasks.
struct Stand<E> {
    engine: E,
    dispatch: TcpStream,
    shared: Arc<Shared>,
    workers: u32,
    started_in: Duration,
}

impl<E: Engine> Stand<E> {
    /// Starts `workers` workers of the plan's first variant.
    fn start(plan: &Plan, workers: u32, server: &TestServer) -> Stand<E> {
        let shared = shared(workers);
        let (dispatch, other_end) = sockets();
        let assign = Assign {
            dyno: 0,
            token: 0,
            variant: plan.variants[0].clone(),
            first_worker: 0,
            workers,
            backlog_max: u32::MAX,
            settings: plan.cells[0].settings.clone(),
            seed: 1,
            rounds_per_us: 0.0,
            redis_url: server.url(),
        };
        let job = Job { assign, dispatch: other_end, shared: Arc::clone(&shared) };
        let begun = Instant::now();
        let engine = E::start(job).unwrap_or_else(|error| panic!("the engine does not start: {error:#}"));
        Stand { engine, dispatch, shared, workers, started_in: begun.elapsed() }
    }

    /// Every worker runs one task; returns when all have ended.
    fn run_a_task_each(&mut self) {
        let ended = self.shared.recorder.totals().ended + u64::from(self.workers);
        let frames: Vec<u8> = (0..self.workers).flat_map(|worker| task(worker, 0).encode()).collect();
        self.dispatch.write_all(&frames).unwrap_or_else(|error| panic!("the engine hung up: {error}"));
        let begun = Instant::now();
        while self.shared.recorder.totals().ended < ended {
            assert!(begun.elapsed() < LONG, "a task was lost");
            thread::sleep(LOOK);
        }
    }

    /// All workers leave; returns when they have.
    fn leave(self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        drop(self.dispatch);
        self.engine.join();
    }
}

fn anonymous_bytes() -> u64 {
    dyno::usage::anonymous_bytes().unwrap_or_else(|| panic!("the kernel does not say what is anonymous memory"))
}
