//! A worker process whose loadgen is the test: it gets its assignment, and is listened to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::plan::{Plan, QueueKind};
use common::queue::{self, ENQUEUE_MAX, QueueTotals};
use common::request::{Replies, Request};
use common::task::Tasks;
use common::wire::{Assign, Dispatch, FromDyno, Mark, MessageDecoder, ProcessUsage, TaskPhase, ToDyno, encode_message};
use dyno::clock::now_ns;
use redis::{Connection, ConnectionLike};

/// Far beyond what a start takes.
const LONG: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Puts those of `tasks` that have the numbers `indices` into the queue, which it makes for the first of all. It takes them in their order.
///
/// # Panics
/// When the server refuses.
pub fn fill(connection: &mut Connection, kind: QueueKind, indices: Range<u64>, tasks: &Tasks) {
    let mut ask = |request: Request| {
        let values = connection.req_packed_commands(request.bytes(), 0, request.replies());
        let said = values.map_err(Into::into).and_then(Replies::of_tree);
        said.unwrap_or_else(|error| panic!("{error}"));
    };
    if indices.start == 0 {
        ask(queue::prepare(kind));
    }
    for before in indices.clone().step_by(ENQUEUE_MAX) {
        let entry = |index| {
            let task = Dispatch { intended_ns: 1, sent_ns: 1, index, worker: 0, phase: TaskPhase::WarmUp };
            let mut entry = Vec::new();
            queue::encode(&task, 0, |entry| tasks.write_payload(index, entry), &mut entry);
            entry
        };
        let entries: Vec<Vec<u8>> = (before..indices.end.min(before + ENQUEUE_MAX as u64)).map(entry).collect();
        ask(queue::enqueue(Request::new(), kind, before, entries.iter().map(Vec::as_slice)));
    }
}

/// A worker process at work on the first cell of a plan. It is killed when it is dropped.
#[derive(Debug)]
pub struct HandDyno {
    child: Child,
    control: TcpStream,
    _dispatch: TcpStream,
    said: Arc<Mutex<Said>>,
    reader: Option<JoinHandle<()>>,
}

/// What it has said so far.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// What it has seen of its queue.
    pub queue: QueueTotals,
    /// Tasks that have ended.
    pub ended: u64,
    /// What it had used when it was started, and when it was stopped.
    pub usage: [Option<ProcessUsage>; Mark::COUNT],
    /// Why it cannot go on.
    pub fatal: Option<String>,
    ready: bool,
    last: bool,
}

impl HandDyno {
    /// Starts `binary` as the only dyno of the plan's first variant; `token` tells its claims from those of others.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(binary: &Path, plan: &Plan, redis_url: &str, token: u64) -> HandDyno {
        Self::try_start(binary, plan, redis_url, token).unwrap_or_else(|error| panic!("{}: {error}", binary.display()))
    }

    fn try_start(binary: &Path, plan: &Plan, redis_url: &str, token: u64) -> std::io::Result<HandDyno> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut child = Command::new(binary).arg("--connect").arg(listener.local_addr()?.to_string()).spawn()?;
        let settings = plan.cells[0].settings.clone();
        let (mut control, _) = listener.accept()?;
        let assign = Assign {
            dyno: 0,
            token,
            variant: plan.variants[0].clone(),
            first_worker: 0,
            workers: settings.workers.count,
            backlog_max: u32::MAX,
            settings,
            seed: 1,
            rounds_per_us: 0.0,
            redis_url: redis_url.to_owned(),
        };
        control.write_all(&encode_message(&ToDyno::Assign(Box::new(assign))))?;
        let (dispatch, _) = listener.accept()?;
        let said = Arc::new(Mutex::new(Said::default()));
        let (from, heard) = (control.try_clone()?, Arc::clone(&said));
        let reader = thread::spawn(move || listen(from, &heard));
        let begun = Instant::now();
        while !lock(&said).ready {
            if begun.elapsed() > LONG || lock(&said).fatal.is_some() {
                child.kill()?;
                panic!("not ready: {:?}", lock(&said).fatal);
            }
            thread::sleep(LOOK);
        }
        Ok(HandDyno { child, control, _dispatch: dispatch, said, reader: Some(reader) })
    }

    /// From now on it reports, and its usage counts.
    ///
    /// # Panics
    /// When it has hung up.
    pub fn begin(&mut self) {
        let now_ns = now_ns();
        let far_ns = now_ns + 86_400_000_000_000;
        self.tell(&ToDyno::Start { start_ns: now_ns, window_start_ns: now_ns, window_end_ns: far_ns });
    }

    fn tell(&mut self, message: &ToDyno) {
        self.control.write_all(&encode_message(message)).unwrap_or_else(|error| panic!("the dyno hung up: {error}"));
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    #[must_use]
    pub fn said(&self) -> Said {
        lock(&self.said).clone()
    }

    /// `kill -9`.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn kill(mut self) -> Said {
        self.end();
        self.said()
    }

    /// Stops it in order; returns its last word.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn stop(mut self) -> Said {
        self.tell(&ToDyno::Stop);
        let begun = Instant::now();
        while !lock(&self.said).last {
            assert!(begun.elapsed() < LONG, "no last word");
            thread::sleep(LOOK);
        }
        self.said()
    }

    fn end(&mut self) {
        // One that has ended by itself cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for HandDyno {
    fn drop(&mut self) {
        self.end();
    }
}

fn lock(said: &Mutex<Said>) -> std::sync::MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until the connection ends.
fn listen(mut control: TcpStream, said: &Mutex<Said>) {
    let mut decoder = MessageDecoder::default();
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = control.read(&mut bytes) {
        decoder.extend(&bytes[..count]);
        while let Ok(Some(message)) = decoder.message::<FromDyno>() {
            let mut said = lock(said);
            match message {
                FromDyno::Ready => said.ready = true,
                FromDyno::Counters(counters) => {
                    said.ended = counters.totals.ended;
                    said.queue = counters.queue.unwrap_or_default();
                }
                FromDyno::Usage { at, usage } => said.usage[at as usize] = Some(usage),
                FromDyno::Fatal(why) => said.fatal = Some(why),
                FromDyno::Final(_) => said.last = true,
                _ => {}
            }
        }
    }
}
