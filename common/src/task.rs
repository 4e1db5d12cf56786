//! The kinds of task, each a table of transitions without I/O.

use std::sync::Arc;

pub mod document;

use crate::plan::{Settings, TaskKind};
use crate::step::{Outcome, Reply, Step};
use document::{Document, DocumentWork};

/// What all tasks of a dyno share.
#[derive(Debug, Clone)]
pub enum Work {
    /// See [`document`].
    Document(Arc<DocumentWork>),
    /// Nothing to share.
    Null,
}

impl Work {
    /// The work of `settings`; `seed` is the block's.
    #[must_use]
    pub fn new(settings: &Settings, seed: u64) -> Work {
        match settings.task.kind {
            TaskKind::Document => Work::Document(Arc::new(DocumentWork::new(&settings.task, seed))),
            TaskKind::Null => Work::Null,
        }
    }

    /// Task `index` at `worker` (counted over all dynos).
    #[must_use]
    pub fn task(&self, worker: u32, index: u64) -> Task {
        match self {
            Work::Document(work) => Task::Document(Document::new(Arc::clone(work), worker, index)),
            Work::Null => Task::Null,
        }
    }
}

/// One unit of work in progress.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives in its worker, one at a time: a box would be an allocation a task"
)]
pub enum Task {
    /// See [`document`].
    Document(Document),
    /// Done as soon as it starts.
    Null,
}

impl Task {
    /// Takes the reply to the last step, [`Reply::Start`] at first, and says what to do next.
    pub fn resume(&mut self, reply: Reply) -> Step {
        match self {
            Task::Document(document) => document.resume(reply),
            Task::Null => Step::Done(Outcome::Completed),
        }
    }
}
