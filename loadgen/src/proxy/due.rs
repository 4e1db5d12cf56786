//! What is to be passed on, and when. Pure: instants come from outside, bytes go nowhere.
//!
//! A [`Flow`] is one direction of one connection: pieces in the order of their arrival, each with the instant at which it
//! is due. [`DueQueue`] knows the flows whose first piece will be due, the next one first: one entry a flow, however much
//! waits in it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use common::random::{below, mix};

/// How long everything takes in one direction.
#[derive(Debug, Clone)]
pub struct Delay {
    half_ns: u64,
    jitter_half_ns: u64,
    seed: u64,
    draws: u64,
}

impl Delay {
    /// Of a round trip, microseconds: half of it in either direction, and evenly from nothing to half of the jitter on top.
    #[must_use]
    pub fn new(rtt_us: u32, jitter_us: u32, seed: u64) -> Delay {
        let half_ns = |us: u32| u64::from(us) * 500;
        Delay { half_ns: half_ns(rtt_us), jitter_half_ns: half_ns(jitter_us), seed, draws: 0 }
    }

    /// When something is due that came at this instant.
    pub fn due_ns(&mut self, arrived_ns: u64) -> u64 {
        if self.jitter_half_ns == 0 {
            return arrived_ns + self.half_ns;
        }
        self.draws += 1;
        arrived_ns + self.half_ns + below(mix(self.seed, self.draws), self.jitter_half_ns + 1)
    }
}

/// By how much pieces are passed on before they are due, so that they are punctual in the median: waking up and writing take
/// their time, which would be added to every distance.
///
/// It follows what is seen, one step for each piece: on after a late one, back after an early one.
#[derive(Debug, Default)]
pub struct Lead {
    ns: u64,
}

impl Lead {
    /// The two hundred round trips before a run are enough to find it.
    const STEP_NS: u64 = 200;
    /// A proxy that cannot keep up gets no further ahead of itself.
    const NS_MAX: u64 = 100_000;

    /// By how much.
    #[must_use]
    pub fn ns(&self) -> u64 {
        self.ns
    }

    /// A piece was passed on so long after it was due; negative: before.
    pub fn saw(&mut self, late_ns: i64) {
        self.ns = if late_ns > 0 {
            (self.ns + Self::STEP_NS).min(Self::NS_MAX)
        } else {
            self.ns.saturating_sub(Self::STEP_NS)
        };
    }
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub struct Flow {
    pieces: VecDeque<Piece>,
    /// Of the first piece, what has been passed on.
    gone: usize,
    /// What waits, altogether.
    bytes: usize,
    /// Nothing overtakes.
    last_due_ns: u64,
}

#[derive(Debug)]
struct Piece {
    due_ns: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Bytes(Box<[u8]>),
    End(End),
}

/// How a direction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its sender will say no more, and may listen on.
    Closed,
    /// The connection broke.
    Broken,
}

/// What a flow has to say at an instant.
#[derive(Debug, PartialEq, Eq)]
pub enum Head<'a> {
    /// These bytes are due.
    Bytes(&'a [u8]),
    /// Its end is due.
    End(End),
    /// Nothing before this instant.
    Later(u64),
    /// Nothing, until something arrives.
    Empty,
}

impl Flow {
    /// Takes bytes that are due at `due_ns`, or when what came before them is, if that is later. Whether nothing waited
    /// before: then the flow has to be put into the queue, for the instant that is returned.
    pub fn arrive(&mut self, bytes: &[u8], due_ns: u64) -> Option<u64> {
        self.bytes += bytes.len();
        self.push(What::Bytes(bytes.into()), due_ns)
    }

    /// Takes the end of the flow; otherwise as [`Flow::arrive`].
    pub fn end(&mut self, end: End, due_ns: u64) -> Option<u64> {
        self.push(What::End(end), due_ns)
    }

    fn push(&mut self, what: What, due_ns: u64) -> Option<u64> {
        let first = self.pieces.is_empty();
        self.last_due_ns = self.last_due_ns.max(due_ns);
        self.pieces.push_back(Piece { due_ns: self.last_due_ns, what });
        first.then_some(self.last_due_ns)
    }

    /// What is to be done now.
    #[must_use]
    pub fn head(&self, now_ns: u64) -> Head<'_> {
        match self.pieces.front() {
            None => Head::Empty,
            Some(piece) if piece.due_ns > now_ns => Head::Later(piece.due_ns),
            Some(Piece { what: What::Bytes(bytes), .. }) => Head::Bytes(&bytes[self.gone..]),
            Some(Piece { what: What::End(end), .. }) => Head::End(*end),
        }
    }

    /// `count` bytes of the head have been passed on. When it is through: the instant at which it was due.
    pub fn passed(&mut self, count: usize) -> Option<u64> {
        self.gone += count;
        self.bytes -= count;
        let through = match self.pieces.front()? {
            Piece { what: What::Bytes(bytes), due_ns } => (self.gone == bytes.len()).then_some(*due_ns)?,
            Piece { what: What::End(_), due_ns } => *due_ns,
        };
        self.pieces.pop_front();
        self.gone = 0;
        Some(through)
    }

    /// Drops what waits; the pieces that it was.
    pub fn clear(&mut self) -> usize {
        let count = self.pieces.len();
        self.pieces.clear();
        (self.gone, self.bytes) = (0, 0);
        count
    }

    /// Bytes that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Pieces that wait.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }
}

/// Flows by the instant at which their first piece is due. `T` tells flows apart.
#[derive(Debug)]
pub struct DueQueue<T>(BinaryHeap<Reverse<(u64, T)>>);

impl<T: Ord + Copy> Default for DueQueue<T> {
    fn default() -> Self {
        DueQueue(BinaryHeap::new())
    }
}

impl<T: Ord + Copy> DueQueue<T> {
    /// A flow is to be looked at at `due_ns`.
    pub fn push(&mut self, due_ns: u64, flow: T) {
        self.0.push(Reverse((due_ns, flow)));
    }

    /// The next instant at which there is something to do.
    #[must_use]
    pub fn next_ns(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((due_ns, _))| *due_ns)
    }

    /// Takes out the flow that is next, if it is due.
    pub fn pop(&mut self, now_ns: u64) -> Option<T> {
        if self.next_ns()? > now_ns {
            return None;
        }
        self.0.pop().map(|Reverse((_, flow))| flow)
    }
}

#[cfg(test)]
mod tests;
