//! What a worker process is besides its engine: the handshake, the clock, and the reports to loadgen.
//!
//! Both engines use it unchanged, on plain threads, so that nothing here can favour one of them. An engine is an
//! [`Engine`]: it is given a [`Job`], spawns its workers and opens its connections, and later joins them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::bail;
use common::backlog::Waiting;
use common::looks::Looks;
use common::plan::{Allocator, Settings};
use common::queue::Protocol;
use common::random::{self, Stream, mix};
use common::recorder::{Histograms, Recorder, Totals};
use common::step::Span;
use common::wire::{
    Assign, Counters, DynoMemory, Final, FromDyno, Hello, Look, Mark, MessageDecoder, ToDyno, WIRE_VERSION,
    encode_message,
};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded, unbounded};

pub mod args;
pub mod clock;
pub mod frames;
pub mod limits;
pub mod surroundings;
pub mod usage;

/// Counters go out this often.
const TICK_NS: u64 = 100_000_000;
/// How long reading the clock and the counters may take together.
const LOOK_NS_MAX: u64 = 1_000_000;
/// Ticks between two deltas.
const TICKS_PER_DELTA: u64 = 10;
/// How long the workers may take to finish their current task after a stop.
const LEAVE: Duration = Duration::from_secs(1);

/// What an engine is given.
pub struct Job {
    /// Settings, variant, workers, Redis.
    pub assign: Assign,
    /// The dispatch connection: nothing but [`common::wire::Dispatch`] frames.
    pub dispatch: TcpStream,
    /// What workers and intake share.
    pub shared: Arc<Shared>,
}

/// What the workers, the intake and the reporter of a dyno share.
#[derive(Debug)]
pub struct Shared {
    /// Ended tasks.
    pub recorder: Recorder,
    /// The backlog rule.
    pub waiting: Waiting,
    /// Set by a stop: workers begin no more tasks.
    pub stopping: AtomicBool,
    /// Connections that were replaced after an error.
    pub reconnects: AtomicU64,
    /// Where tasks wait in Redis: how they are claimed and settled.
    pub queue: Option<Arc<Protocol>>,
    events: Sender<FromDyno>,
}

impl Shared {
    /// For `workers` workers under such settings, a shard of the recorder per CPU; tasks wait in `queue`, if there is one; what is
    /// said at once goes to `events`.
    #[must_use]
    pub fn new(
        workers: u32,
        backlog_max: u32,
        settings: &Settings,
        queue: Option<Arc<Protocol>>,
        events: Sender<FromDyno>,
    ) -> Shared {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        let window = Duration::from_secs_f64(settings.load.duration_s);
        Shared {
            recorder: Recorder::new(cpus, workers, Span::under(settings), window),
            waiting: Waiting::new(workers, backlog_max),
            stopping: AtomicBool::new(false),
            reconnects: AtomicU64::new(0),
            queue,
            events,
        }
    }

    /// Says at once that a worker is overloaded. Call it for the first time only: later ones are no news.
    pub fn overloaded(&self, worker: u32, backlog: u32) {
        // Nobody listens any more only when the process is ending.
        let _ = self.events.send(FromDyno::Overload { at_ns: clock::now_ns(), worker, backlog });
    }

    /// Says that this dyno cannot go on.
    pub fn fatal(&self, message: String) {
        let _ = self.events.send(FromDyno::Fatal(message));
    }

    /// Whether workers should leave.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// One more connection was replaced.
    pub fn reconnected(&self) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
    }
}

/// A concurrency model.
pub trait Engine {
    /// What it is called in plans.
    const ENGINE: common::plan::Engine;

    /// Its version and what it is made of, for the report.
    fn build() -> String;

    /// Spawns all workers and opens all connections; returns when both are there. Where tasks wait in Redis, workers claim them.
    ///
    /// # Errors
    /// What this machine or this server refuses, in a sentence.
    fn start(job: Job) -> anyhow::Result<Self>
    where
        Self: Sized;

    /// Waits until all workers have left. Called after `stopping` is set and the dispatch connection is closed.
    fn join(self);
}

/// There is no loadgen at the address.
#[derive(Debug, thiserror::Error)]
#[error("no loadgen listens at {connect} ({error}): start `loadgen run --listen {connect}` first")]
pub struct NobodyListens {
    connect: SocketAddr,
    error: std::io::Error,
}

/// Runs a dyno until its run is over. Returns when loadgen has everything or is gone.
///
/// # Errors
/// What kept it from running, in a sentence.
pub fn run<E: Engine + Send + 'static>(connect: SocketAddr, allocator: Allocator) -> anyhow::Result<()> {
    let mut control = TcpStream::connect(connect).map_err(|error| NobodyListens { connect, error })?;
    control.set_nodelay(true)?;
    let hello = Hello {
        wire_version: WIRE_VERSION,
        engine: E::ENGINE,
        allocator,
        build: format!("{}, allocator {allocator}", E::build()),
        pid: std::process::id(),
        surroundings: surroundings::read(),
    };
    control.write_all(&encode_message(&FromDyno::Hello(hello)))?;
    let mut messages = Messages { stream: control.try_clone()?, decoder: MessageDecoder::default() };
    let assign = match messages.next()? {
        Some(ToDyno::Assign(assign)) => *assign,
        Some(ToDyno::Refuse(why)) => bail!("loadgen refused this dyno: {why}"),
        Some(other) => bail!("loadgen said {other:?} before the assignment"),
        None => bail!("loadgen at {connect} hung up before the assignment"),
    };
    let room = limits::make_room(assign.variant.connections_per_dyno(assign.workers));
    if let Err(error) = room {
        control.write_all(&encode_message(&FromDyno::Fatal(format!("{error:#}"))))?;
        return Err(error);
    }
    let mut dispatch = TcpStream::connect(connect)?;
    dispatch.set_nodelay(true)?;
    dispatch.write_all(&encode_message(&FromDyno::Dispatch { token: assign.token }))?;

    let (events, outgoing) = unbounded();
    let clock_answers = events.clone();
    // Nobody else claims by this name, neither a dyno of another run nor one in whose place this one stands.
    let consumer = format!("{}-{:x}", assign.dyno, assign.token);
    let queue = assign.settings.queue.clone().map(|queue| Arc::new(Protocol::new(queue, consumer)));
    let shared = Arc::new(Shared::new(assign.workers, assign.backlog_max, &assign.settings, queue, events));
    // End of file on the control connection ends a dyno, whatever it is doing.
    let (start, started) = bounded(1);
    let (stop, stopped) = bounded(1);
    thread::Builder::new().name("control".into()).spawn(move || {
        loop {
            match messages.next() {
                Ok(Some(ToDyno::Start { start_ns, window_start_ns, window_end_ns })) => {
                    let _ = start.send([start_ns, window_start_ns, window_end_ns]);
                }
                Ok(Some(ToDyno::Stop)) => {
                    let _ = stop.send(());
                }
                Ok(Some(ToDyno::Clock { asked_ns })) => {
                    let _ = clock_answers.send(FromDyno::Clock { asked_ns, at_ns: clock::now_ns() });
                }
                Ok(Some(ToDyno::Assign(_) | ToDyno::Refuse(_))) => {}
                Ok(None) | Err(_) => std::process::exit(0),
            }
        }
    })?;

    let looks_seed = mix(random::stream(assign.seed, Stream::Looks), u64::from(assign.dyno));
    let base_bytes = usage::anonymous_bytes();
    let engine = match E::start(Job { assign, dispatch, shared: Arc::clone(&shared) }) {
        Ok(engine) => engine,
        Err(error) => {
            control.write_all(&encode_message(&FromDyno::Fatal(format!("{error:#}"))))?;
            bail!(error);
        }
    };
    control.write_all(&encode_message(&FromDyno::Ready))?;

    let mut reporter = Reporter {
        control,
        shared: Arc::clone(&shared),
        spare: Histograms::default(),
        window: Window::Unknown,
        looks: Looks::default(),
        looked: Vec::new(),
    };
    let mut next_ns = clock::now_ns() + TICK_NS;
    let mut tick = 0;
    loop {
        let wait = Duration::from_nanos(reporter.due(next_ns).saturating_sub(clock::now_ns()));
        crossbeam_channel::select! {
            recv(stopped) -> _ => break,
            recv(started) -> instants => if let Ok([start_ns, window_start_ns, window_end_ns]) = instants {
                reporter.window = Window::Before { run_ns: start_ns, start_ns: window_start_ns, end_ns: window_end_ns };
                shared.recorder.window_begins(window_start_ns);
                reporter.looks = Looks::new(looks_seed, window_start_ns, window_end_ns);
                // From here on ticks are whole tenths of seconds of the run.
                next_ns = start_ns + TICK_NS;
                tick = 0;
                // All workers have run their first task and wait.
                let memory = base_bytes.zip(usage::anonymous_bytes());
                if let Some((base_bytes, idle_bytes)) = memory {
                    reporter.send(&FromDyno::Memory(DynoMemory { base_bytes, idle_bytes }))?;
                }
            },
            recv(outgoing) -> event => if let Ok(event) = event { reporter.send(&event)? },
            default(wait) => {}
        }
        reporter.usage_if_due()?;
        reporter.look_if_due();
        if clock::now_ns() >= next_ns {
            tick += 1;
            if tick % TICKS_PER_DELTA == 0 && reporter.window != Window::Unknown {
                // Its second is the one that was due, however late it is.
                reporter.delta(next_ns)?;
            }
            reporter.counters(next_ns)?;
            next_ns += TICK_NS;
        }
    }

    shared.stopping.store(true, Ordering::Relaxed);
    reporter.close_window()?;
    let (joined, done) = bounded::<()>(1);
    thread::Builder::new().name("join".into()).spawn(move || {
        engine.join();
        drop(joined);
    })?;
    // A worker may hang in a request until its timeout; what it is doing stays unfinished.
    let _: Result<(), RecvTimeoutError> = done.recv_timeout(LEAVE);
    for event in outgoing.try_iter() {
        reporter.send(&event)?;
    }
    reporter.finish()
}

/// Writes to the control connection.
struct Reporter {
    control: TcpStream,
    shared: Arc<Shared>,
    spare: Histograms,
    window: Window,
    looks: Looks,
    /// Not sent yet.
    looked: Vec<Look>,
}

/// Where the run stands: usage is reported at both ends of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    /// Before the start message.
    Unknown,
    /// Before the first arrival.
    Before {
        run_ns: u64,
        start_ns: u64,
        end_ns: u64,
    },
    Ahead {
        start_ns: u64,
        end_ns: u64,
    },
    Open {
        end_ns: u64,
    },
    Past,
}

impl Reporter {
    fn send(&mut self, message: &FromDyno) -> anyhow::Result<()> {
        Ok(self.control.write_all(&encode_message(message))?)
    }

    /// When there is something to do next.
    fn due(&self, tick_ns: u64) -> u64 {
        let next_ns = self.looks.next_ns().map_or(tick_ns, |look_ns| look_ns.min(tick_ns));
        match self.window {
            Window::Unknown | Window::Past => next_ns,
            Window::Before { run_ns, .. } => next_ns.min(run_ns),
            Window::Ahead { start_ns, .. } => next_ns.min(start_ns),
            Window::Open { end_ns } => next_ns.min(end_ns),
        }
    }

    fn usage_if_due(&mut self) -> anyhow::Result<()> {
        let now_ns = clock::now_ns();
        match self.window {
            Window::Before { run_ns, start_ns, end_ns } if now_ns >= run_ns => {
                self.window = Window::Ahead { start_ns, end_ns };
                self.usage(Mark::Start)
            }
            Window::Ahead { start_ns, end_ns } if now_ns >= start_ns => {
                self.window = Window::Open { end_ns };
                self.usage(Mark::Window)
            }
            Window::Open { end_ns } if now_ns >= end_ns => {
                self.window = Window::Past;
                self.usage(Mark::End)
            }
            _ => Ok(()),
        }
    }

    fn usage(&mut self, at: Mark) -> anyhow::Result<()> {
        let mut usage = usage::of_this_process();
        // What was run in vain is no task.
        let in_vain = self.shared.queue.as_ref().map_or(0, |queue| queue.counters.totals().duplicates);
        usage.ended = self.shared.recorder.totals().ended.saturating_sub(in_vain);
        self.send(&FromDyno::Usage { at, usage })
    }

    fn look(&self) -> (u64, Totals) {
        let (mut taken_ns, mut totals) = (clock::now_ns(), self.shared.recorder.totals());
        // Put off between the two, it would count tasks as ended that were sent later: it looks again.
        while clock::now_ns() - taken_ns > LOOK_NS_MAX {
            (taken_ns, totals) = (clock::now_ns(), self.shared.recorder.totals());
        }
        (taken_ns, totals)
    }

    fn look_if_due(&mut self) {
        if self.looks.next_ns().is_some_and(|look_ns| look_ns <= clock::now_ns()) {
            let (taken_ns, totals) = self.look();
            self.looked.push(Look { taken_ns, ended: totals.ended });
            self.looks.pass(taken_ns);
        }
    }

    fn counters(&mut self, due_ns: u64) -> anyhow::Result<()> {
        let (taken_ns, totals) = self.look();
        let worst = self.shared.waiting.worst();
        let looks = std::mem::take(&mut self.looked);
        let queue = self.shared.queue.as_ref().map(|queue| queue.counters.totals());
        self.send(&FromDyno::Counters(Counters { due_ns, taken_ns, totals, worst, looks, queue }))
    }

    fn delta(&mut self, at_ns: u64) -> anyhow::Result<()> {
        let delta = self.shared.recorder.collect(at_ns, &mut self.spare);
        self.send(&FromDyno::Delta(Box::new(delta)))
    }

    /// A run that ends early has a shorter window, or none.
    fn close_window(&mut self) -> anyhow::Result<()> {
        match self.window {
            Window::Ahead { .. } | Window::Open { .. } => {
                self.window = Window::Past;
                self.usage(Mark::End)
            }
            _ => Ok(()),
        }
    }

    fn finish(mut self) -> anyhow::Result<()> {
        let now_ns = clock::now_ns();
        self.counters(now_ns)?;
        self.delta(now_ns)?;
        let (cycles, busy_ns) = self.shared.recorder.per_worker();
        let reconnects = self.shared.reconnects.load(Ordering::Relaxed);
        let backlog_max = self.shared.waiting.max();
        let peaks = self.shared.recorder.peaks();
        self.send(&FromDyno::Final(Final { backlog_max, cycles, busy_ns, reconnects, peaks }))
    }
}

struct Messages {
    stream: TcpStream,
    decoder: MessageDecoder,
}

impl Messages {
    /// The next message; `None` at the end of the connection.
    fn next(&mut self) -> anyhow::Result<Option<ToDyno>> {
        let mut bytes = [0; 16 * 1024];
        loop {
            if let Some(message) = self.decoder.message()? {
                return Ok(Some(message));
            }
            match self.stream.read(&mut bytes)? {
                0 => return Ok(None),
                n => self.decoder.extend(&bytes[..n]),
            }
        }
    }
}
