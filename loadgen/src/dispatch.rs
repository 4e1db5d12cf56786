//! The dispatch connections: tasks go out in order, never block the pacer, and count as sent when a socket has them.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;

use common::arrivals::Schedule;
use common::wire::{Dispatch, TaskPhase};

use crate::clocks::Offset;

/// Tasks in one write.
const BATCH: usize = 2048;
/// A dyno that leaves this many tasks in loadgen's hands has an overloaded intake.
pub const PENDING_MAX: usize = 65_536;

/// What became of the tasks that were due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// All are with the dyno.
    All,
    /// The socket takes no more for now.
    Blocked,
    /// The dyno is gone.
    Gone,
}

/// The connection to one dyno.
#[derive(Debug)]
pub struct Lane {
    socket: TcpStream,
    /// Of the dyno's clock: frames are in its time.
    offset: Offset,
    /// Due and not handed over: task numbers.
    pending: VecDeque<u32>,
    /// Used again for every write. Between two of them it holds the rest of a frame that the socket took only in part.
    bytes: Vec<u8>,
    gone: bool,
    /// Since when the socket has not taken everything.
    blocked_since_ns: Option<u64>,
}

impl Lane {
    /// Takes over the connection to a dyno with such a clock, and makes it non-blocking.
    ///
    /// # Errors
    /// The system refuses.
    pub fn new(socket: TcpStream, offset: Offset) -> std::io::Result<Lane> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        Ok(Lane { socket, offset, pending: VecDeque::new(), bytes: Vec::new(), gone: false, blocked_since_ns: None })
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
        self.pending.is_empty() && self.bytes.is_empty()
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
        if self.gone {
            return Flushed::Gone;
        }
        while !self.is_idle() {
            let stamp_ns = now_ns();
            let carried = self.bytes.len();
            let batch = self.pending.len().min(BATCH);
            for &index in self.pending.range(..batch) {
                self.bytes.extend_from_slice(&self.offset.task(task(schedule, index, start_ns, stamp_ns)).encode());
            }
            let offered = self.bytes.len();
            let written = match self.socket.write(&self.bytes) {
                Ok(written) => written,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
                Err(_) => {
                    self.gone = true;
                    return Flushed::Gone;
                }
            };
            // What the socket took in part is on its way: its stamp stands. What it did not take is stamped anew.
            let begun = written.saturating_sub(carried).div_ceil(Dispatch::LEN).min(batch);
            for index in self.pending.drain(..begun) {
                sent(index, stamp_ns);
            }
            self.bytes.truncate(carried + begun * Dispatch::LEN);
            self.bytes.drain(..written);
            if written < offered {
                self.blocked_since_ns.get_or_insert(stamp_ns);
                return Flushed::Blocked;
            }
        }
        self.blocked_since_ns = None;
        Flushed::All
    }

    /// Blocks until `tasks` are handed over: for what is not timed.
    ///
    /// # Errors
    /// The dyno is gone.
    pub fn send_untimed(&mut self, tasks: impl Iterator<Item = Dispatch>) -> std::io::Result<()> {
        self.socket.set_nonblocking(false)?;
        let bytes: Vec<u8> = tasks.flat_map(|task| self.offset.task(task).encode()).collect();
        self.socket.write_all(&bytes)?;
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

    use super::{Flushed, Lane};
    use crate::clocks::{Answer, Estimate, Offset};

    fn pair() -> (Lane, TcpStream) {
        let (out, other_end) = sockets();
        (Lane::new(out, Offset::default()).unwrap(), other_end)
    }

    fn schedule(tasks: u64) -> Schedule {
        let arrivals = (0..tasks).map(|i| Arrival { intended_ns: i, dyno: 0, worker: 0 }).collect();
        Schedule { arrivals, warmup: 0, window_start_ns: 0, window_end_ns: tasks }
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
                Flushed::Gone => panic!("gone"),
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
            let mut lane = Lane::new(out, Estimate::of(answer).offset).unwrap();
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
