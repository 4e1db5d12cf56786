//! The kinds of task, each a table of transitions without I/O.

use std::sync::Arc;

pub mod document;
pub mod replay;
pub mod synthetic;

use crate::plan::{self, Settings, TaskKind};
use crate::step::{Outcome, Reply, Step};
use document::{Document, DocumentWork};
use replay::{Replay, ReplayWork};
use synthetic::{Synthetic, SyntheticWork};

/// All tasks of a run: what they share, and how each is made.
#[derive(Debug, Clone)]
pub enum Tasks {
    /// See [`document`].
    Document(Arc<DocumentWork>),
    /// See [`replay`].
    Replay(Arc<ReplayWork>),
    /// See [`synthetic`].
    Synthetic(Arc<SyntheticWork>),
    /// Nothing to share.
    Null,
}

impl Tasks {
    /// The tasks of `settings`; `seed` is the block's, `rounds_per_us` the host's: rounds of
    /// [`Work`](crate::compute::Work) in a microsecond.
    #[must_use]
    pub fn new(settings: &Settings, seed: u64, rounds_per_us: f64) -> Tasks {
        let document = || DocumentWork::new(&settings.task, seed);
        match settings.task.kind {
            TaskKind::Document => Tasks::Document(Arc::new(document())),
            TaskKind::Replay => Tasks::Replay(Arc::new(ReplayWork::new(document(), settings.workers.total()))),
            TaskKind::Synthetic => Tasks::Synthetic(Arc::new(SyntheticWork::new(&settings.task, seed, rounds_per_us))),
            TaskKind::Null => Tasks::Null,
        }
    }

    /// What the documents are made of, where there are any.
    #[must_use]
    pub fn documents(&self) -> Option<&DocumentWork> {
        match self {
            Tasks::Document(work) => Some(work),
            Tasks::Replay(work) => Some(work.documents()),
            Tasks::Synthetic(_) | Tasks::Null => None,
        }
    }

    /// Task `index` at `worker` (counted over all dynos).
    #[must_use]
    pub fn task(&self, worker: u32, index: u64) -> Task {
        match self {
            Tasks::Document(work) => Task::Document(Document::new(Arc::clone(work), worker, index)),
            Tasks::Replay(work) => Task::Replay(Replay::new(Arc::clone(work), worker)),
            Tasks::Synthetic(work) => Task::Synthetic(Synthetic::new(Arc::clone(work), worker, index)),
            Tasks::Null => Task::Null,
        }
    }
}

/// Calls per task that the server must count; `None` where the number depends on the order of tasks: the first task of
/// an empty document leaves the script out.
#[must_use]
pub fn commands_per_task(task: &plan::Task) -> Option<Vec<(&'static str, f64)>> {
    match task.kind {
        TaskKind::Document | TaskKind::Replay => {
            task.prefill.then(|| document::COMMANDS.map(|name| (name, 1.0)).into())
        }
        TaskKind::Synthetic if task.redis_round_trips > 0 => Some(vec![("set", f64::from(task.redis_round_trips))]),
        TaskKind::Synthetic | TaskKind::Null => Some(Vec::new()),
    }
}

/// One unit of work in progress.
#[derive(Debug)]
pub enum Task {
    /// See [`document`].
    Document(Document),
    /// See [`replay`].
    Replay(Replay),
    /// See [`synthetic`].
    Synthetic(Synthetic),
    /// Done as soon as it starts.
    Null,
}

impl Task {
    /// Takes the reply to the last step, [`Reply::Start`] at first, and says what to do next.
    pub fn resume(&mut self, reply: Reply) -> Step {
        match self {
            Task::Document(document) => document.resume(reply),
            Task::Replay(replay) => replay.resume(reply),
            Task::Synthetic(synthetic) => synthetic.resume(reply),
            Task::Null => Step::Done(Outcome::Completed),
        }
    }
}
