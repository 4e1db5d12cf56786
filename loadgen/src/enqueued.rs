//! The connection over which tasks go into the queue: opened here, written to by the pacer, and read here, by a thread that notes
//! when the server had each of them, and opens another one when it breaks.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::Context;
use common::backoff;
use common::endpoint::Endpoint;
use common::latency::Latency;
use common::plan::{QueueKind, RedisSettings};
use common::request::{Incoming, RequestError};
use common::resp::{Scanner, Value, Values};
use common::task::Tasks;
use crossbeam_channel::{Sender, unbounded};
use dyno::clock::now_ns;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::dispatch::{Form, Lane, Producer};
use crate::send_log::SendLog;

/// How soon a stop is noticed.
const NAP_MS: u16 = 50;
const CHUNK: usize = 64 * 1024;

/// Reads the server's answers.
pub struct Enqueued {
    thread: JoinHandle<Answers>,
    seen: Arc<Seen>,
}

/// Whether the server takes tasks.
#[derive(Debug, Clone, Default)]
pub struct Refusal(Arc<Seen>);

impl Refusal {
    /// The first answer that was none, and when; or why there is no connection any more.
    #[must_use]
    pub fn get(&self) -> Option<&(RequestError, u64)> {
        self.0.refused.get()
    }
}

#[derive(Debug, Default)]
struct Seen {
    stop: AtomicBool,
    refused: OnceLock<(RequestError, u64)>,
}

/// When the server had every task, in their order, the untimed ones first.
#[derive(Debug, Default)]
pub struct Answers {
    at_ns: Vec<u64>,
    /// Untimed tasks.
    untimed: usize,
    /// Bytes of the answers to timed tasks.
    pub timed_bytes: u64,
    /// Connections that broke and were replaced.
    pub reconnects: u64,
}

/// Opens the connection, over which `untimed` untimed tasks go first, and starts the thread.
///
/// # Errors
/// The server lets nobody in; no thread left.
pub fn open(
    url: &str,
    address: SocketAddr,
    redis: &RedisSettings,
    kind: QueueKind,
    (tasks, untimed): (Tasks, u32),
) -> anyhow::Result<(Lane, Enqueued)> {
    let endpoint = Endpoint::new(url, redis).map_err(|error| anyhow::anyhow!("{error}"))?;
    let socket = connect(address, &endpoint).context("the connection into the queue")?;
    let (seen, there) = (Arc::new(Seen::default()), Arc::new(AtomicU64::new(0)));
    let (say, replaced) = unbounded();
    let reader = Reader {
        address,
        endpoint,
        socket: socket.try_clone()?,
        there: Arc::clone(&there),
        replaced: say,
        seen: Arc::clone(&seen),
        answers: Answers { untimed: untimed as usize, ..Answers::default() },
    };
    let thread = thread::Builder::new().name("enqueued".into()).spawn(move || reader.run())?;
    let producer = Producer::new(kind, tasks, there, replaced);
    Ok((Lane::new(socket, Form::Queued(Box::new(producer)))?, Enqueued { thread, seen }))
}

fn connect(address: SocketAddr, endpoint: &Endpoint) -> anyhow::Result<TcpStream> {
    let mut socket = TcpStream::connect_timeout(&address, endpoint.connect_timeout)?;
    socket.set_nodelay(true)?;
    let setup = endpoint.setup();
    if setup.replies() > 0 {
        socket.set_read_timeout(Some(endpoint.response_timeout))?;
        socket.write_all(setup.bytes())?;
        let mut incoming = Incoming::new(setup.replies());
        loop {
            let count = socket.read(incoming.space())?;
            if incoming.arrived(count).map_err(|error| anyhow::anyhow!("{error}"))? {
                incoming.replies().map_err(|error| anyhow::anyhow!("{error}"))?;
                break;
            }
        }
    }
    // The pacer must not wait; both ends of a connection do the same.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The thread.
struct Reader {
    address: SocketAddr,
    endpoint: Endpoint,
    socket: TcpStream,
    /// How many tasks the server has said are there.
    there: Arc<AtomicU64>,
    replaced: Sender<TcpStream>,
    seen: Arc<Seen>,
    answers: Answers,
}

impl Reader {
    /// Until it is told to stop, nobody wants to know any more, or the server takes no more tasks.
    fn run(mut self) -> Answers {
        while let Err(error) = self.listen() {
            if self.is_over() {
                break;
            }
            // An answer that says no will not become another one.
            let is_lost = error.breaks_connection();
            if !is_lost || !self.reconnect() {
                let _ = self.seen.refused.set((error, now_ns()));
                break;
            }
        }
        self.answers
    }

    fn is_over(&self) -> bool {
        self.seen.stop.load(Ordering::Relaxed) || Arc::strong_count(&self.seen) == 1
    }

    /// Whether there is another connection, after no longer than the plan allows.
    fn reconnect(&mut self) -> bool {
        let begun = Instant::now();
        for attempt in 0.. {
            thread::sleep(backoff::delay(attempt));
            if let Ok(socket) = connect(self.address, &self.endpoint)
                && let Ok(of_pacer) = socket.try_clone()
            {
                self.socket = socket;
                self.answers.reconnects += 1;
                return self.replaced.send(of_pacer).is_ok();
            }
            if self.is_over() || begun.elapsed() > self.endpoint.checkout_timeout {
                break;
            }
        }
        false
    }

    /// Until it is to stop, or an error.
    fn listen(&mut self) -> Result<(), RequestError> {
        let (mut bytes, mut filled) = (vec![0; CHUNK], 0);
        while !self.is_over() {
            let mut ready = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            if !matches!(poll(&mut ready, PollTimeout::from(NAP_MS)), Ok(1..)) {
                continue;
            }
            let count = match self.socket.read(&mut bytes[filled..]) {
                Ok(0) => return Err(RequestError::Disconnected("the server hung up".to_owned())),
                Ok(count) => count,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => continue,
                Err(error) => return Err(RequestError::Disconnected(error.to_string())),
            };
            filled += count;
            let read = self.take(&bytes[..filled], now_ns())?;
            bytes.copy_within(read..filled, 0);
            filled -= read;
        }
        Ok(())
    }

    /// Notes all answers that are whole; returns how many bytes these are.
    fn take(&mut self, bytes: &[u8], now_ns: u64) -> Result<usize, RequestError> {
        let mut read = 0;
        loop {
            let mut scanner = Scanner::new(1);
            if !scanner.advance(&bytes[read..])? {
                return Ok(read);
            }
            if let Some(line) = scanner.error(&bytes[read..]) {
                return Err(RequestError::of_line(line));
            }
            let length = scanner.length_of_replies();
            if let Some(Value::Int(there)) = Values::of_bytes(&bytes[read..], 1).next() {
                self.answers.take(usize::try_from(there).unwrap_or(0), length, now_ns);
                self.there.store(self.answers.count(), Ordering::Relaxed);
            }
            read += length;
        }
    }
}

impl Enqueued {
    /// For whoever wants to know whether the server takes tasks.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        Refusal(Arc::clone(&self.seen))
    }

    /// Ends the thread.
    ///
    /// # Errors
    /// It panicked.
    pub fn finish(self) -> anyhow::Result<Answers> {
        self.seen.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the thread that reads the queue's answers panicked"))
    }
}

impl Answers {
    /// So many tasks are there, said an answer of `length` bytes.
    fn take(&mut self, there: usize, length: usize, now_ns: u64) {
        if self.at_ns.len() >= self.untimed {
            self.timed_bytes += length as u64;
        }
        self.at_ns.resize(there.max(self.at_ns.len()), now_ns);
    }

    /// How many tasks the server has said are there.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.at_ns.len() as u64
    }

    /// From sent to answered, of the tasks from `first` on, by the log of the run.
    #[must_use]
    pub fn latency(&self, sends: &SendLog, first: usize) -> Latency {
        let mut latency = Latency::new();
        // The order of the answers is that in which tasks were sent, which is their own.
        let answered = self.at_ns.iter().skip(self.untimed).zip(sends.instants()).skip(first);
        answered
            .filter(|&(_, sent_ns)| sent_ns > 0)
            .for_each(|(at_ns, sent_ns)| latency.record(at_ns.saturating_sub(sent_ns)));
        latency
    }
}
