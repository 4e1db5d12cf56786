//! The kinds of task, each a table of transitions without I/O.

use std::sync::Arc;

pub mod document;
pub mod replay;

use crate::plan::{Settings, TaskKind};
use crate::step::{Outcome, Reply, Step};
use document::{Document, DocumentWork};
use replay::{Replay, ReplayWork};

/// All tasks of a run: what they share, and how each is made.
#[derive(Debug, Clone)]
pub enum Tasks {
    /// See [`document`].
    Document(Arc<DocumentWork>),
    /// See [`replay`].
    Replay(Arc<ReplayWork>),
    /// Nothing to share.
    Null,
}

impl Tasks {
    /// The tasks of `settings`; `seed` is the block's.
    #[must_use]
    pub fn new(settings: &Settings, seed: u64) -> Tasks {
        let document = || DocumentWork::new(&settings.task, seed);
        match settings.task.kind {
            TaskKind::Document => Tasks::Document(Arc::new(document())),
            TaskKind::Replay => Tasks::Replay(Arc::new(ReplayWork::new(document(), settings.workers.total()))),
            TaskKind::Null => Tasks::Null,
        }
    }

    /// What the documents are made of, where there are any.
    #[must_use]
    pub fn documents(&self) -> Option<&DocumentWork> {
        match self {
            Tasks::Document(work) => Some(work),
            Tasks::Replay(work) => Some(work.documents()),
            Tasks::Null => None,
        }
    }

    /// Task `index` at `worker` (counted over all dynos).
    #[must_use]
    pub fn task(&self, worker: u32, index: u64) -> Task {
        match self {
            Tasks::Document(work) => Task::Document(Document::new(Arc::clone(work), worker, index)),
            Tasks::Replay(work) => Task::Replay(Replay::new(Arc::clone(work), worker)),
            Tasks::Null => Task::Null,
        }
    }
}

/// One unit of work in progress.
#[derive(Debug)]
pub enum Task {
    /// See [`document`].
    Document(Document),
    /// See [`replay`].
    Replay(Replay),
    /// Done as soon as it starts.
    Null,
}

impl Task {
    /// Takes the reply to the last step, [`Reply::Start`] at first, and says what to do next.
    pub fn resume(&mut self, reply: Reply) -> Step {
        match self {
            Task::Document(document) => document.resume(reply),
            Task::Replay(replay) => replay.resume(reply),
            Task::Null => Step::Done(Outcome::Completed),
        }
    }
}
