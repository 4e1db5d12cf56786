//! Where tasks go out: to a dyno each, or all into the queue. In order, never blocking the pacer, and sent when a socket has them.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;

use common::arrivals::Schedule;
use common::wire::{Dispatch, TaskPhase};

mod form;

pub use form::{Form, Producer};

/// Tasks in one write.
const BATCH: usize = 2048;
/// A dyno that leaves this many tasks in loadgen's hands has an overloaded intake.
pub const PENDING_MAX: usize = 65_536;

/// What became of the tasks that were due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// All are with the other end.
    All,
    /// The socket takes no more for now.
    Blocked,
    /// The connection broke, and another one will come.
    Broken,
    /// The other end is gone.
    Gone,
}

/// The connection to a dyno, or to the server that holds the queue.
#[derive(Debug)]
pub struct Lane {
    socket: TcpStream,
    form: Form,
    /// Due and not handed over: task numbers.
    pending: VecDeque<u32>,
    /// Used again for every write. Between two of them it holds the rest of a task that the socket took only in part.
    bytes: Vec<u8>,
    /// Tasks of a write, and where each piece of them ends: among them, and in the bytes.
    tasks: Vec<Dispatch>,
    ends: Vec<(usize, usize)>,
    /// Written so far.
    bytes_sent: u64,
    broken: bool,
    /// Since when the socket has not taken everything.
    blocked_since_ns: Option<u64>,
}

impl Lane {
    /// Takes over a connection, over which tasks go in this form, and makes it non-blocking.
    ///
    /// # Errors
    /// The system refuses.
    pub fn new(socket: TcpStream, form: Form) -> std::io::Result<Lane> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Lane {
            socket,
            form,
            pending: VecDeque::new(),
            bytes: Vec::new(),
            tasks: Vec::new(),
            ends: Vec::new(),
            bytes_sent: 0,
            broken: false,
            blocked_since_ns: None,
        })
    }

    /// Bytes that the socket has taken, those of untimed tasks left out.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// Task `index` is due.
    pub fn stage(&mut self, index: u32) {
        self.pending.push_back(index);
    }

    /// Tasks due and not handed over.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Whether there is nothing to hand over.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.bytes.is_empty() && !self.form.is_replaced()
    }

    /// Whether nothing will have to be handed over once more.
    #[must_use]
    pub fn is_answered(&mut self) -> bool {
        self.form.is_answered()
    }

    /// Tasks that were handed over once more, after a connection broke.
    #[must_use]
    pub fn sent_again(&self) -> u64 {
        self.form.sent_again()
    }

    /// When the socket took everything for the last time, if something is left in loadgen's hands.
    #[must_use]
    pub fn blocked_since_ns(&self) -> Option<u64> {
        self.blocked_since_ns
    }

    /// Hands over as much as the socket takes. `now_ns` becomes the tasks' sent instant; `sent` is called for each.
    pub fn flush(
        &mut self,
        schedule: &Schedule,
        start_ns: u64,
        mut now_ns: impl FnMut() -> u64,
        mut sent: impl FnMut(u32, u64),
    ) -> Flushed {
        if let Some(socket) = self.form.replaced(&mut self.bytes) {
            (self.socket, self.broken) = (socket, false);
        }
        if self.broken {
            return self.lost();
        }
        while !self.is_idle() {
            let stamp_ns = now_ns();
            let carried = self.bytes.len();
            let batch = self.pending.len().min(BATCH);
            self.tasks.clear();
            self.tasks.extend(self.pending.range(..batch).map(|&index| task(schedule, index, start_ns, stamp_ns)));
            self.ends.clear();
            let mut ahead = 0;
            for piece in self.tasks.chunks(self.form.together()) {
                self.form.write(ahead, piece, &mut self.bytes);
                ahead += piece.len();
                self.ends.push((ahead, self.bytes.len()));
            }
            let offered = self.bytes.len();
            let written = match self.socket.write(&self.bytes) {
                Ok(written) => written,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
                Err(_) => {
                    self.broken = true;
                    self.bytes.truncate(carried);
                    return self.lost();
                }
            };
            // What the socket took in part is on its way: its stamp stands. What it did not take is stamped anew.
            let (begun, end) = match written > carried {
                true => self.ends[self.ends.partition_point(|&(_, end)| end < written)],
                false => (0, carried),
            };
            for index in self.pending.drain(..begun) {
                sent(index, stamp_ns);
            }
            self.form.sent(&self.tasks[..begun]);
            self.bytes.truncate(end);
            self.bytes.drain(..written);
            self.bytes_sent += written as u64;
            if written < offered {
                self.blocked_since_ns.get_or_insert(stamp_ns);
                return Flushed::Blocked;
            }
        }
        self.blocked_since_ns = None;
        Flushed::All
    }

    fn lost(&self) -> Flushed {
        if self.form.is_replaceable() { Flushed::Broken } else { Flushed::Gone }
    }

    /// Blocks until `tasks` are handed over: for what is not timed.
    ///
    /// # Errors
    /// The other end is gone.
    pub fn send_untimed(&mut self, tasks: impl Iterator<Item = Dispatch>) -> std::io::Result<()> {
        self.socket.set_nonblocking(false)?;
        let (tasks, mut bytes): (Vec<Dispatch>, _) = (tasks.collect(), Vec::new());
        let mut ahead = 0;
        for piece in tasks.chunks(self.form.together()) {
            self.form.write(ahead, piece, &mut bytes);
            ahead += piece.len();
        }
        self.socket.write_all(&bytes)?;
        self.form.sent(&tasks);
        self.socket.set_nonblocking(true)
    }
}

fn task(schedule: &Schedule, index: u32, start_ns: u64, sent_ns: u64) -> Dispatch {
    let arrival = &schedule.arrivals[index as usize];
    let phase = if (index as usize) < schedule.warmup { TaskPhase::WarmUp } else { TaskPhase::Window };
    let intended_ns = start_ns + arrival.intended_ns;
    Dispatch { intended_ns, sent_ns, index: u64::from(index), worker: arrival.worker, phase }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream;

    use common::arrivals::{Arrival, Schedule};
    use common::wire::{Dispatch, TaskPhase};
    use testkit::stand::sockets;

    use super::{Flushed, Form, Lane};
    use crate::clocks::{Answer, Estimate, Offset};

    fn pair() -> (Lane, TcpStream) {
        let (out, other_end) = sockets();
        (Lane::new(out, Form::Frame(Offset::default())).unwrap(), other_end)
    }

    fn schedule(tasks: u64) -> Schedule {
        let arrivals = (0..tasks).map(|i| Arrival { intended_ns: i, dyno: 0, worker: 0 }).collect();
        Schedule { arrivals, batch_due_ns: Vec::new(), warmup: 0, window_start_ns: 0, window_end_ns: tasks }
    }

    /// Whatever the socket takes at once: every task arrives once, in order, stamped when it was handed over.
    #[test]
    fn a_blocked_socket_loses_nothing() {
        let tasks = 300_000u32;
        let (mut lane, mut reader) = pair();
        let schedule = schedule(u64::from(tasks));
        (0..tasks).for_each(|index| lane.stage(index));
        let mut clock = 0;
        let mut sent = 0;
        let mut bytes = Vec::new();
        let mut blocked = 0;
        loop {
            let now = || {
                clock += 1;
                clock
            };
            match lane.flush(&schedule, 1_000, now, |index, _| {
                assert_eq!(index, sent);
                sent += 1;
            }) {
                Flushed::All => break,
                Flushed::Blocked => {
                    blocked += 1;
                    let mut some = vec![0; 100_001];
                    let n = reader.read(&mut some).unwrap();
                    bytes.extend_from_slice(&some[..n]);
                }
                Flushed::Gone | Flushed::Broken => panic!("gone"),
            }
        }
        drop(lane);
        reader.read_to_end(&mut bytes).unwrap();
        assert!(blocked > 0, "the socket took everything at once: nothing was tested");
        assert_eq!(sent, tasks);
        let frames: Vec<Dispatch> =
            bytes.as_chunks().0.iter().map(|frame| Dispatch::decode(frame, 1).unwrap()).collect();
        assert_eq!(frames.len() as u32, tasks);
        assert!(
            frames.iter().enumerate().all(|(i, task)| task.index == i as u64 && task.intended_ns == 1_000 + i as u64)
        );
        assert!(frames.windows(2).all(|pair| pair[0].sent_ns <= pair[1].sent_ns));
    }

    /// Whether the dyno's clock is ahead or behind: tasks are in its time, what loadgen notes is in its own.
    #[test]
    fn tasks_are_in_the_time_of_the_dyno() {
        for (at_ns, there) in [(7_000, (7_011, 7_060)), (3_000, (3_011, 3_060))] {
            let (out, mut reader) = sockets();
            let answer = Answer { asked_ns: 5_000, at_ns, received_ns: 5_000 };
            let mut lane = Lane::new(out, Form::Frame(Estimate::of(answer).offset)).unwrap();
            let schedule = Schedule { warmup: 1, ..schedule(2) };
            let untimed =
                Dispatch { intended_ns: 5_011, sent_ns: 5_060, index: 1 << 40, worker: 0, phase: TaskPhase::Untimed };
            lane.send_untimed([untimed].into_iter()).unwrap();
            lane.stage(1);
            let mut sent = Vec::new();
            let flushed = lane.flush(&schedule, 5_010, || 5_060, |index, sent_ns| sent.push((index, sent_ns)));
            assert_eq!((flushed, sent), (Flushed::All, vec![(1, 5_060)]));
            let mut bytes = [0; 2 * Dispatch::LEN];
            reader.read_exact(&mut bytes).unwrap();
            for frame in bytes.as_chunks().0 {
                let task = Dispatch::decode(frame, 1).unwrap();
                assert_eq!((task.intended_ns, task.sent_ns), there, "{task:?}");
            }
        }
    }

    #[test]
    fn a_dyno_that_is_gone_is_noticed_and_its_tasks_stay_unsent() {
        let (mut lane, reader) = pair();
        drop(reader);
        let schedule = schedule(100_000);
        (0..100_000).for_each(|index| lane.stage(index));
        let mut sent = 0;
        while lane.flush(&schedule, 0, || 0, |_, _| sent += 1) != Flushed::Gone {}
        assert!(sent < 100_000);
    }
}
