//! How tasks are written: as frames for a dyno, or as commands that put them into the queue.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::plan::QueueKind;
use common::queue::{self, ENQUEUE_MAX};
use common::request::Request;
use common::task::Tasks;
use common::wire::Dispatch;
use crossbeam_channel::Receiver;

use crate::clocks::Offset;

/// How a task is written.
#[derive(Debug)]
pub enum Form {
    /// As a frame for a dyno with such a clock: in its time.
    Frame(Offset),
    /// As a command that puts it into the queue. Whoever claims it reads loadgen's clock.
    Queued(Box<Producer>),
}

/// Fills a queue. What it has sent it keeps until the server has said that it is there: a connection that breaks takes with it what
/// was on its way, and nobody knows how much. All of that is sent again over the next one, and the server leaves out what it has.
#[derive(Debug)]
pub struct Producer {
    kind: QueueKind,
    tasks: Tasks,
    /// How many the server has said are there.
    there: Arc<AtomicU64>,
    /// Connections in place of broken ones.
    replaced: Receiver<TcpStream>,
    /// The oldest first.
    unanswered: VecDeque<Dispatch>,
    /// How many were sent before these.
    before: u64,
    sent_again: u64,
    /// Entries of one command, and where each ends. Used again.
    entries: Vec<u8>,
    ends: Vec<usize>,
}

impl Producer {
    /// Into a queue of this kind. `there`: how many tasks the server has said are there; `replaced`: connections in place of broken ones.
    #[must_use]
    pub fn new(kind: QueueKind, tasks: Tasks, there: Arc<AtomicU64>, replaced: Receiver<TcpStream>) -> Producer {
        Producer {
            kind,
            tasks,
            there,
            replaced,
            unanswered: VecDeque::new(),
            before: 0,
            sent_again: 0,
            entries: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn write(&mut self, before: u64, tasks: impl Iterator<Item = Dispatch>, bytes: &mut Vec<u8>) {
        self.entries.clear();
        self.ends.clear();
        for task in tasks {
            queue::encode(&task, 0, |entry| self.tasks.write_payload(task.index, entry), &mut self.entries);
            self.ends.push(self.entries.len());
        }
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let entries: Vec<&[u8]> = begins.zip(&self.ends).map(|(begin, &end)| &self.entries[begin..end]).collect();
        bytes.extend_from_slice(queue::enqueue(Request::new(), self.kind, before, entries.into_iter()).bytes());
    }

    fn forget_answered(&mut self) {
        let there = self.there.load(Ordering::Relaxed);
        while self.before < there && self.unanswered.pop_front().is_some() {
            self.before += 1;
        }
    }

    /// The connection in place of a broken one, and in `bytes` what must go over it first.
    fn replaced(&mut self, bytes: &mut Vec<u8>) -> Option<TcpStream> {
        let socket = self.replaced.try_iter().last()?;
        self.forget_answered();
        bytes.clear();
        let all: Vec<Dispatch> = self.unanswered.iter().copied().collect();
        let mut before = self.before;
        for some in all.chunks(ENQUEUE_MAX) {
            self.write(before, some.iter().copied(), bytes);
            before += some.len() as u64;
        }
        self.sent_again += all.len() as u64;
        Some(socket)
    }
}

impl Form {
    /// Tasks that go in one piece.
    pub(super) fn together(&self) -> usize {
        match self {
            Form::Frame(_) => 1,
            Form::Queued(_) => ENQUEUE_MAX,
        }
    }

    /// Appends a piece. `ahead`: tasks that were written before these, and are not sent yet.
    pub(super) fn write(&mut self, ahead: usize, tasks: &[Dispatch], bytes: &mut Vec<u8>) {
        match self {
            Form::Frame(offset) => tasks.iter().for_each(|&task| bytes.extend_from_slice(&offset.task(task).encode())),
            Form::Queued(producer) => {
                let before = producer.before + (producer.unanswered.len() + ahead) as u64;
                producer.write(before, tasks.iter().copied(), bytes);
            }
        }
    }

    /// These are on their way.
    pub(super) fn sent(&mut self, tasks: &[Dispatch]) {
        if let Form::Queued(producer) = self {
            producer.forget_answered();
            producer.unanswered.extend(tasks);
        }
    }

    /// The connection in place of one that broke, if there is one; in `bytes`, which held the rest of what went over that, what must go
    /// over this one first.
    pub(super) fn replaced(&mut self, bytes: &mut Vec<u8>) -> Option<TcpStream> {
        match self {
            Form::Frame(_) => None,
            Form::Queued(producer) => producer.replaced(bytes),
        }
    }

    /// Whether there is one.
    pub(super) fn is_replaced(&self) -> bool {
        matches!(self, Form::Queued(producer) if !producer.replaced.is_empty())
    }

    /// Whether a broken connection will be replaced.
    pub(super) fn is_replaceable(&self) -> bool {
        matches!(self, Form::Queued(_))
    }

    /// Whether all that was sent is known to be there; a dyno says nothing of the kind.
    pub(super) fn is_answered(&mut self) -> bool {
        match self {
            Form::Frame(_) => true,
            Form::Queued(producer) => {
                producer.forget_answered();
                producer.unanswered.is_empty()
            }
        }
    }

    /// Tasks that were sent again.
    pub(super) fn sent_again(&self) -> u64 {
        match self {
            Form::Frame(_) => 0,
            Form::Queued(producer) => producer.sent_again,
        }
    }
}
