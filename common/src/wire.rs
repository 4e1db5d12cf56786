//! Frames between loadgen and dynos: bytes <-> values, pure.
//!
//! A dyno opens two connections. On the *control* connection both sides send [`encode_message`] frames: a
//! little-endian length and JSON, rare and readable. On the *dispatch* connection loadgen sends [`Dispatch`] frames
//! of a fixed size, and nothing ever comes back.
//!
//! All instants in frames are on the dyno's clock: where that is another one than loadgen's, loadgen converts.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::backlog::WorstBacklogs;
use crate::peaks::Peaks;
use crate::plan::{Allocator, Engine, Settings, Variant};
use crate::queue::QueueTotals;
use crate::recorder::{Delta, Totals};

/// Raised whenever a frame changes. Both sides of a handshake must have the same.
pub const WIRE_VERSION: u32 = 8;

/// A control frame larger than this is nonsense.
pub const MESSAGE_MAX: usize = 64 * 1024 * 1024;

/// From a dyno to loadgen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromDyno {
    /// First message of a control connection.
    Hello(Hello),
    /// First message of a dispatch connection; the token is the [`Assign`]'s.
    Dispatch {
        /// See [`Assign::token`].
        token: u64,
    },
    /// Workers spawned, connections open.
    Ready,
    /// The dyno cannot go on; the message is complete.
    Fatal(String),
    /// Ten times a second.
    Counters(Counters),
    /// Once a second, and once at the end.
    Delta(Box<Delta>),
    /// A worker had `backlog_max` tasks waiting when another arrived. Sent once.
    Overload {
        /// When.
        at_ns: u64,
        /// Of this dyno, from 0.
        worker: u32,
        /// Tasks waiting.
        backlog: u32,
    },
    /// Answer to [`ToDyno::Clock`].
    Clock {
        /// As it was asked.
        asked_ns: u64,
        /// When the question was read, on the dyno's clock.
        at_ns: u64,
    },
    /// Its memory, once the start message has come: every worker has run one task and waits.
    Memory(DynoMemory),
    /// The process at one of the instants at which all are asked.
    Usage {
        /// Which.
        at: Mark,
        /// What it had used by then.
        usage: ProcessUsage,
    },
    /// Last message, after the last delta.
    Final(Final),
}

/// What a dyno has done, at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The tenth of a second for which it was due, the same in all dynos, on `CLOCK_MONOTONIC`.
    pub due_ns: u64,
    /// When it was taken: never before that.
    pub taken_ns: u64,
    /// Ended tasks.
    pub totals: Totals,
    /// Where most tasks wait.
    pub worst: WorstBacklogs,
    /// What it had done at random instants since the last counters; see [`looks`](crate::looks).
    pub looks: Vec<Look>,
    /// What it has seen of its queue, where tasks wait in one.
    pub queue: Option<QueueTotals>,
}

/// What a dyno had done when it looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// When, on `CLOCK_MONOTONIC`.
    pub taken_ns: u64,
    /// Tasks ended by then, all phases.
    pub ended: u64,
}

/// Who a dyno is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`WIRE_VERSION`] of the sender.
    pub wire_version: u32,
    /// What it is.
    pub engine: Engine,
    /// What its binary allocates with.
    pub allocator: Allocator,
    /// Version, libraries, allocator: for the report.
    pub build: String,
    /// Its process.
    pub pid: u32,
    /// What it shares with loadgen. Earlier versions said something else: they are to be refused by name, and not for a
    /// greeting that cannot be read.
    #[serde(default)]
    pub surroundings: Surroundings,
}

/// What a process may share with others. Two that say the same share it; what is empty is not known, and shared with nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// `CLOCK_MONOTONIC`: the boot and the time namespace.
    pub clock: String,
    /// The numbers of processes: the boot and the PID namespace.
    pub processes: String,
    /// Loopback: the boot and the network namespace.
    pub network: String,
}

impl Surroundings {
    /// Whether instants of the two can be compared.
    #[must_use]
    pub fn share_clock(&self, other: &Surroundings) -> bool {
        shared(&self.clock, &other.clock)
    }

    /// Whether a process has the same number for both.
    #[must_use]
    pub fn share_processes(&self, other: &Surroundings) -> bool {
        shared(&self.processes, &other.processes)
    }

    /// Whether one reaches what listens on the other's loopback.
    #[must_use]
    pub fn share_network(&self, other: &Surroundings) -> bool {
        shared(&self.network, &other.network)
    }
}

fn shared(one: &str, other: &str) -> bool {
    !one.is_empty() && one == other
}

/// From loadgen to a dyno.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToDyno {
    /// Answer to [`FromDyno::Hello`].
    Assign(Box<Assign>),
    /// The dyno is not wanted; the message is complete.
    Refuse(String),
    /// Asks a dyno with another clock what time it is; the answer shows how far the clocks are apart.
    Clock {
        /// When it was asked, on loadgen's clock.
        asked_ns: u64,
    },
    /// When the run and its window are, on the dyno's `CLOCK_MONOTONIC`.
    Start {
        /// Begin of the warm-up.
        start_ns: u64,
        /// Begin of the window.
        window_start_ns: u64,
        /// End of the window.
        window_end_ns: u64,
    },
    /// Begin no more tasks, report and end.
    Stop,
}

/// Everything a dyno needs to know.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Assign {
    /// Number of the dyno, from 0.
    pub dyno: u32,
    /// To be shown on the dispatch connection.
    pub token: u64,
    /// The engine and its settings.
    pub variant: Variant,
    /// Number of its first worker, over all dynos.
    pub first_worker: u32,
    /// How many workers it has.
    pub workers: u32,
    /// Their backlog limit.
    pub backlog_max: u32,
    /// The cell.
    pub settings: Settings,
    /// Seed of the block.
    pub seed: u64,
    /// Rounds of [`Work`](crate::compute::Work) in a microsecond of this host; 0 when no task computes.
    pub rounds_per_us: f64,
    /// `redis://` URL, credentials included: never printed.
    pub redis_url: String,
}

impl std::fmt::Debug for Assign {
    /// Without the URL: it may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assign")
            .field("dyno", &self.dyno)
            .field("variant", &self.variant)
            .field("workers", &(self.first_worker..self.first_worker + self.workers))
            .finish_non_exhaustive()
    }
}

/// The instants at which processes say what they have used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// The warm-up begins: for runs that end in it.
    Start = 0,
    /// The window begins.
    Window = 1,
    /// It ends, or the run does.
    End = 2,
}

impl Mark {
    /// Number of marks.
    pub const COUNT: usize = 3;
}

/// Anonymous memory of a dyno.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynoMemory {
    /// Before workers and connections.
    pub base_bytes: u64,
    /// With all of them, idle.
    pub idle_bytes: u64,
}

/// What a process has used since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessUsage {
    /// User time, microseconds.
    pub user_us: u64,
    /// System time, microseconds.
    pub sys_us: u64,
    /// Voluntary context switches.
    pub voluntary_switches: u64,
    /// Involuntary ones.
    pub involuntary_switches: u64,
    /// Peak resident memory.
    pub rss_max_bytes: u64,
    /// Threads now.
    pub threads: u64,
    /// Open sockets now.
    pub sockets: u64,
    /// Tasks ended by now, all phases.
    pub ended: u64,
}

/// The last word of a dyno.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Final {
    /// Most tasks waiting at once, per worker.
    pub backlog_max: Vec<u32>,
    /// Timed tasks ended, per worker.
    pub cycles: Vec<u64>,
    /// Nanoseconds in them, per worker.
    pub busy_ns: Vec<u64>,
    /// Connections replaced.
    pub reconnects: u64,
    /// The largest values of the window by bin.
    pub peaks: Peaks,
}

/// Which part of a run a task belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskPhase {
    /// One per worker before the warm-up.
    Untimed = 0,
    /// Before the window.
    WarmUp = 1,
    /// Measured.
    Window = 2,
}

impl TaskPhase {
    /// Number of phases.
    pub const COUNT: usize = 3;
}

/// A task on its way to a worker: what stands in a dispatch frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dispatch {
    /// When the plan wanted it sent, on the dyno's `CLOCK_MONOTONIC`.
    pub intended_ns: u64,
    /// When it was handed to the socket.
    pub sent_ns: u64,
    /// Number of the task in the run.
    pub index: u64,
    /// Which worker of the dyno, from 0.
    pub worker: u32,
    /// Which part of the run.
    pub phase: TaskPhase,
}

impl Dispatch {
    /// Bytes of a frame.
    pub const LEN: usize = 32;

    /// As bytes, little-endian.
    #[must_use]
    pub fn encode(&self) -> [u8; Dispatch::LEN] {
        let mut frame = [0; Dispatch::LEN];
        frame[0..8].copy_from_slice(&self.intended_ns.to_le_bytes());
        frame[8..16].copy_from_slice(&self.sent_ns.to_le_bytes());
        frame[16..24].copy_from_slice(&self.index.to_le_bytes());
        frame[24..28].copy_from_slice(&self.worker.to_le_bytes());
        frame[28..32].copy_from_slice(&(self.phase as u32).to_le_bytes());
        frame
    }

    /// From bytes.
    ///
    /// # Errors
    /// A phase that does not exist, or a worker beyond `workers`.
    pub fn decode(frame: &[u8; Dispatch::LEN], workers: u32) -> Result<Dispatch, WireError> {
        let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| frame[at + i]));
        let short = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| frame[at + i]));
        let phase = match short(28) {
            0 => TaskPhase::Untimed,
            1 => TaskPhase::WarmUp,
            2 => TaskPhase::Window,
            other => return Err(WireError::Frame(format!("task phase {other}"))),
        };
        let worker = short(24);
        if worker >= workers {
            return Err(WireError::Frame(format!("worker {worker} of {workers}")));
        }
        Ok(Dispatch { intended_ns: long(0), sent_ns: long(8), index: long(16), worker, phase })
    }
}

/// Bytes that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A control frame that is too long.
    #[error("a control frame of {0} bytes; at most {MESSAGE_MAX}: is this a Headroom process of the same version?")]
    TooLong(usize),
    /// A control frame that is not the JSON of a message.
    #[error("a control frame that is no message: {0}")]
    Message(String),
    /// A dispatch frame that is no task.
    #[error("a dispatch frame that is no task: {0}")]
    Frame(String),
}

/// A message as a control frame.
#[must_use]
pub fn encode_message(message: &impl Serialize) -> Vec<u8> {
    let mut frame = vec![0; 4];
    // Writing to a Vec cannot fail, and messages have string keys only.
    let written = serde_json::to_writer(&mut frame, message);
    debug_assert!(written.is_ok());
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame
}

/// Collects bytes of a control connection until they are messages.
#[derive(Debug, Default)]
pub struct MessageDecoder {
    bytes: Vec<u8>,
}

impl MessageDecoder {
    /// Bytes that just arrived.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, once all of it is there.
    ///
    /// # Errors
    /// Bytes that are no message: the connection is beyond repair.
    pub fn message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, WireError> {
        let Some(length) = self.bytes.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if length > MESSAGE_MAX {
            return Err(WireError::TooLong(length));
        }
        let Some(json) = self.bytes.get(4..4 + length) else { return Ok(None) };
        let message = serde_json::from_slice(json).map_err(|error| WireError::Message(error.to_string()))?;
        self.bytes.drain(..4 + length);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{
        Counters, Dispatch, FromDyno, Look, MessageDecoder, Surroundings, TaskPhase, ToDyno, WireError, encode_message,
    };
    use crate::backlog::{WorkerBacklog, WorstBacklogs};
    use crate::queue::QueueTotals;
    use crate::recorder::Totals;

    #[test]
    fn messages_survive_any_cut() {
        let messages = [
            FromDyno::Ready,
            FromDyno::Counters(Counters {
                due_ns: 1,
                taken_ns: 2,
                totals: Totals { ended: 7, failed: 1, last_ended_ns: 9, busy_ns: 11 },
                worst: WorstBacklogs([WorkerBacklog { worker: 3, waiting: 8 }; _]),
                looks: vec![Look { taken_ns: 1, ended: 6 }],
                queue: Some(QueueTotals { claims: 3, ..QueueTotals::default() }),
            }),
            FromDyno::Fatal("no threads left".into()),
            FromDyno::Overload { at_ns: u64::MAX, worker: 3, backlog: 100 },
        ];
        let bytes: Vec<u8> = messages.iter().flat_map(encode_message).collect();
        for size in 1..bytes.len() {
            let mut decoder = MessageDecoder::default();
            let mut seen = Vec::new();
            for piece in bytes.chunks(size) {
                decoder.extend(piece);
                while let Some(message) = decoder.message::<FromDyno>().unwrap() {
                    seen.push(message);
                }
            }
            assert_eq!(seen, messages);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let mut decoder = MessageDecoder::default();
        decoder.extend(b"GET / HTTP/1.1\r\n");
        assert!(matches!(decoder.message::<ToDyno>(), Err(WireError::TooLong(_))));
        let mut decoder = MessageDecoder::default();
        decoder.extend(&encode_message(&"Ready?"));
        assert!(matches!(decoder.message::<ToDyno>(), Err(WireError::Message(_))));
        let mut frame = Dispatch { intended_ns: 1, sent_ns: 2, index: 3, worker: 9, phase: TaskPhase::Window }.encode();
        assert!(Dispatch::decode(&frame, 9).is_err());
        frame[28] = 3;
        assert!(Dispatch::decode(&frame, 10).is_err());
    }

    #[test]
    fn what_is_not_known_is_shared_with_nobody() {
        let here = Surroundings { clock: "boot time:[1]".into(), ..Surroundings::default() };
        let elsewhere = Surroundings { clock: "boot time:[2]".into(), ..Surroundings::default() };
        assert!(here.share_clock(&here.clone()) && !here.share_clock(&elsewhere));
        assert!(!here.share_processes(&here.clone()) && !here.share_network(&here.clone()));
    }

    proptest! {
        /// What is encoded is decoded.
        #[test]
        fn dispatch_frames_round_trip(intended_ns: u64, sent_ns: u64, index: u64, worker in 0u32..1000, phase in 0usize..3) {
            let phase = [TaskPhase::Untimed, TaskPhase::WarmUp, TaskPhase::Window][phase];
            let task = Dispatch { intended_ns, sent_ns, index, worker, phase };
            prop_assert_eq!(Dispatch::decode(&task.encode(), 1000), Ok(task));
        }

        /// Bytes from outside never panic.
        #[test]
        fn decoders_take_anything(bytes in any::<Vec<u8>>(), frame in any::<[u8; Dispatch::LEN]>()) {
            let mut decoder = MessageDecoder::default();
            decoder.extend(&bytes);
            let _ = decoder.message::<FromDyno>();
            let _ = Dispatch::decode(&frame, 5);
        }
    }
}
