//! The process: one thread that reads what has come, sleeps until something is due, and writes it.
//!
//! Sockets are watched edge-triggered and are registered once: passing a piece on takes one read, one write and its share
//! of a wait. What has been read is due by when it had come, and is passed on so much before that it is punctual in the median;
//! time is read after every write.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use anyhow::Context;
use common::latency::Latency;
use dyno::clock::now_ns;
use nix::libc;
use nix::sys::epoll::EpollFlags;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::due::{Delay, DueQueue, End, Lead};
use super::pairs::{Name, Pairs, connect_to};
use super::reader::{READ_BYTES, Reader};
use super::sleeper::Sleeper;
use super::{Answer, Options, Question, Ready, Tally};
use crate::priority::claim;

mod pass;

/// Events that are no connection's; slots never get that far.
const LISTENER: u64 = u64::MAX - 1;
const CONTROL: u64 = u64::MAX - 2;
/// What may wait in one direction of a connection: as much as a generous TCP window. More is left to its sender.
pub const FLOW_BYTES_MAX: usize = 8 << 20;
/// Connections that may wait to be accepted.
const BACKLOG: libc::c_int = 4096;

/// Serves until loadgen, at the other end of standard input, is gone.
///
/// # Errors
/// No port, no more files; standard input is no socket.
pub fn run(options: &Options) -> anyhow::Result<()> {
    // SAFETY: this process has been started with a socket there, and nothing else uses it.
    let control = UnixStream::from(unsafe { OwnedFd::from_raw_fd(libc::STDIN_FILENO) });
    control.peer_addr().context("`loadgen proxy` is loadgen's to start: its standard input is no socket")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // SAFETY: a system call on integers. std has made room for 128, and a dyno opens all its connections at once.
    unsafe { libc::listen(listener.as_raw_fd(), BACKLOG) };
    Proxy::new(options, listener, control)?.serve()
}

struct Proxy {
    options: Options,
    delay: Delay,
    lead: Lead,
    sleeper: Sleeper,
    listener: TcpListener,
    control: UnixStream,
    pairs: Pairs,
    queue: DueQueue<Name>,
    /// Those who may have more to say than was read at once.
    again: Vec<Name>,
    reader: Reader,
    /// Pieces that wait.
    waiting: u64,
    tally: Tally,
    lateness: Latency,
}

impl Proxy {
    fn new(options: &Options, listener: TcpListener, mut control: UnixStream) -> anyhow::Result<Proxy> {
        let priority = if options.real_time { claim().class } else { nice() };
        let ready = Ready { port: listener.local_addr()?.port(), priority };
        listener.set_nonblocking(true)?;
        let sleeper = Sleeper::new()?;
        sleeper.watch(&listener, EpollFlags::EPOLLIN, LISTENER)?;
        sleeper.watch(&control, EpollFlags::EPOLLIN, CONTROL)?;
        say(&mut control, &ready)?;
        Ok(Proxy {
            options: *options,
            delay: Delay::new(options.rtt_us, options.jitter_us, options.seed),
            lead: Lead::default(),
            sleeper,
            listener,
            control,
            pairs: Pairs::default(),
            queue: DueQueue::default(),
            again: Vec::new(),
            reader: Reader::new(),
            waiting: 0,
            tally: Tally::default(),
            lateness: Latency::new(),
        })
    }

    fn serve(mut self) -> anyhow::Result<()> {
        loop {
            let next_ns = self.queue.next_ns().map(|due_ns| due_ns.saturating_sub(self.lead.ns()));
            let until_ns = if self.again.is_empty() { next_ns } else { Some(0) };
            let count = self.sleeper.wait(until_ns)?;
            self.deliver();
            for at in 0..count {
                match self.sleeper.event(at) {
                    (_, LISTENER) => self.accept()?,
                    (_, CONTROL) => {
                        if self.answer()?.is_none() {
                            return Ok(());
                        }
                    }
                    (flags, bits) => self.happened(flags, Name::from_bits(bits)),
                }
                // Between reads: whatever is due goes first.
                self.deliver();
            }
            for name in std::mem::take(&mut self.again) {
                self.read(name);
                self.deliver();
            }
        }
    }

    fn happened(&mut self, flags: EpollFlags, name: Name) {
        if flags.contains(EpollFlags::EPOLLOUT)
            && let Some((side, _)) = self.pairs.get(name)
            && std::mem::take(&mut side.full)
        {
            self.write(name, now_ns(), false);
        }
        let ending = EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        if flags.intersects(ending)
            && let Some((side, _)) = self.pairs.get(name)
        {
            side.ending = true;
        }
        if flags.intersects(EpollFlags::EPOLLIN | ending) {
            self.read(name);
        }
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        loop {
            let downstream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                // It was gone before it was let in.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => continue,
                Err(error) => return Err(error).context("the delay proxy cannot accept a connection"),
            };
            downstream.set_nonblocking(true)?;
            downstream.set_nodelay(true)?;
            // Where nobody can be connected to, the dyno sees the end of its connection.
            let Ok(upstream) = connect_to(self.options.upstream) else { continue };
            let name = self.pairs.add(downstream, upstream);
            let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
            for name in [name, name.other()] {
                if let Some((side, _)) = self.pairs.get(name) {
                    Reader::prepare(&side.stream);
                    self.sleeper.watch(&side.stream, flags, name.bits())?;
                }
            }
        }
    }

    /// Reads what there is and lets it wait for the other end.
    fn read(&mut self, name: Name) {
        let Some((this, other)) = self.pairs.get(name) else { return };
        if this.ended || this.paused {
            return;
        }
        let (came, arrived_ns) = match self.reader.read(&this.stream) {
            Ok(([], arrived_ns)) => (Err(End::Closed), arrived_ns),
            Ok((bytes, arrived_ns)) => (Ok(bytes), arrived_ns),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.again.push(name);
                return;
            }
            Err(_) => (Err(End::Broken), now_ns()),
        };
        this.ended = came.is_err();
        // Less than there was room for: it is empty, and whatever comes next is another event.
        if came.is_ok_and(|bytes| bytes.len() == READ_BYTES || this.ending) {
            self.again.push(name);
        }
        // Whom it was for is gone.
        if other.closed {
            return;
        }
        let due_ns = self.delay.due_ns(arrived_ns);
        let entry = match came {
            Ok(bytes) => other.flow.arrive(bytes, due_ns),
            Err(end) => other.flow.end(end, due_ns),
        };
        this.paused = other.flow.bytes() >= FLOW_BYTES_MAX;
        self.waiting += 1;
        self.tally.queue_max = self.tally.queue_max.max(self.waiting);
        if let Some(due_ns) = entry {
            self.queue.push(due_ns, name.other());
        }
    }

    /// `None`: loadgen is gone.
    fn answer(&mut self) -> anyhow::Result<Option<()>> {
        let mut questions = [0; 16];
        let count = self.control.read(&mut questions).unwrap_or(0);
        for &question in &questions[..count] {
            let used = getrusage(UsageWho::RUSAGE_SELF)?;
            let micros = |time: TimeVal| time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64;
            let tally = (question == Question::End as u8).then(|| Tally {
                connections: self.pairs.count() as u64,
                lateness: self.lateness.pack(),
                lateness_beyond: self.lateness.beyond(),
                ..self.tally.clone()
            });
            if question == Question::Begin as u8 {
                self.lateness.clear();
                self.tally = Tally { queue_max: self.waiting, ..Tally::default() };
            }
            let (user_us, sys_us) = (micros(used.user_time()), micros(used.system_time()));
            say(&mut self.control, &Answer { user_us, sys_us, tally })?;
        }
        Ok((count > 0).then_some(()))
    }
}

/// Ahead of others, but not of those with real-time priority; returns the scheduling class.
fn nice() -> String {
    let _ = nix::sys::prctl::set_timerslack(1);
    // SAFETY: a system call on integers; 0 is the caller, which is the only thread.
    let better = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -10) } == 0;
    if better { "nice -10" } else { "normal" }.to_owned()
}

/// One line.
fn say(control: &mut UnixStream, what: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    Ok(control.write_all(&line)?)
}
