//! The process: one thread that reads what has come, sleeps until something is due, and writes it.
//!
//! Sockets are watched edge-triggered and are registered once: passing a piece on takes one read, one write and its share
//! of a wait. What has been read is due by when it had come, so that nothing is ever early; time is read after every write.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use anyhow::Context;
use common::latency::Latency;
use dyno::clock::now_ns;
use nix::libc;
use nix::sys::epoll::EpollFlags;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::due::{Delay, DueQueue, End, Head};
use super::pairs::{Name, Pairs, connect_to};
use super::reader::{READ_BYTES, Reader};
use super::sleeper::Sleeper;
use super::{Answer, Options, Question, Ready, Tally};
use crate::priority::claim;

/// Events that are no connection's; slots never get that far.
const LISTENER: u64 = u64::MAX - 1;
const CONTROL: u64 = u64::MAX - 2;
/// What may wait in one direction of a connection: as much as a generous TCP window. More is left to its sender.
pub const FLOW_BYTES_MAX: usize = 8 << 20;
/// When it is read again.
const FLOW_BYTES_LOW: usize = FLOW_BYTES_MAX / 2;
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
        let ready = Ready { port: listener.local_addr()?.port(), priority: claim().class };
        listener.set_nonblocking(true)?;
        let sleeper = Sleeper::new()?;
        sleeper.watch(&listener, EpollFlags::EPOLLIN, LISTENER)?;
        sleeper.watch(&control, EpollFlags::EPOLLIN, CONTROL)?;
        say(&mut control, &ready)?;
        Ok(Proxy {
            options: *options,
            delay: Delay::new(options.rtt_us, options.jitter_us, options.seed),
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
            let until_ns = if self.again.is_empty() { self.queue.next_ns() } else { Some(0) };
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
        let entry = match self.reader.read(&this.stream) {
            Ok(([], arrived_ns)) => {
                this.ended = true;
                other.flow.end(End::Closed, self.delay.due_ns(arrived_ns))
            }
            Ok((bytes, arrived_ns)) => {
                let entry = other.flow.arrive(bytes, self.delay.due_ns(arrived_ns));
                this.paused = other.flow.bytes() >= FLOW_BYTES_MAX;
                // Less than there was room for: it is empty, and whatever comes next is another event.
                if bytes.len() == READ_BYTES || this.ending {
                    self.again.push(name);
                }
                entry
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.again.push(name);
                return;
            }
            Err(_) => {
                this.ended = true;
                other.flow.end(End::Broken, self.delay.due_ns(now_ns()))
            }
        };
        self.waiting += 1;
        self.tally.queue_max = self.tally.queue_max.max(self.waiting);
        if let Some(due_ns) = entry {
            self.queue.push(due_ns, name.other());
        }
    }

    /// Passes on what is due.
    fn deliver(&mut self) {
        let Some(next_ns) = self.queue.next_ns() else { return };
        let mut now_ns = now_ns();
        if next_ns > now_ns {
            return;
        }
        while let Some(name) = self.queue.pop(now_ns) {
            now_ns = self.write(name, now_ns, true);
        }
    }

    /// Writes what is due at this end; returns the time. `punctual`: it was not its receiver that it waited for.
    fn write(&mut self, name: Name, mut now_ns: u64, punctual: bool) -> u64 {
        loop {
            let Some((this, other)) = self.pairs.get(name) else { return now_ns };
            if this.full {
                return now_ns;
            }
            let (due_ns, end) = match this.flow.head(now_ns) {
                Head::Empty => return now_ns,
                Head::Later(due_ns) => {
                    self.queue.push(due_ns, name);
                    return now_ns;
                }
                Head::Bytes(bytes) => match (&this.stream).write(bytes) {
                    Ok(count) => {
                        self.tally.bytes += count as u64;
                        (this.flow.passed(count), None)
                    }
                    // It says when it has room again.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        this.full = true;
                        return now_ns;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => {
                        self.close(name);
                        return now_ns;
                    }
                },
                Head::End(end) => (this.flow.passed(0), Some(end)),
            };
            now_ns = dyno::clock::now_ns();
            if let Some(due_ns) = due_ns {
                self.waiting -= 1;
                self.tally.pieces += 1;
                if punctual {
                    self.lateness.record(now_ns.saturating_sub(due_ns));
                }
            }
            if end.is_some() {
                this.closed = true;
                let gone = this.stream.shutdown(Shutdown::Write).is_err();
                if gone || end == Some(End::Broken) || other.closed {
                    self.close(name);
                    return now_ns;
                }
            } else if other.paused && this.flow.bytes() <= FLOW_BYTES_LOW {
                other.paused = false;
                self.again.push(name.other());
            }
        }
    }

    fn close(&mut self, name: Name) {
        self.waiting -= self.pairs.close(name) as u64;
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

/// One line.
fn say(control: &mut UnixStream, what: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    Ok(control.write_all(&line)?)
}
