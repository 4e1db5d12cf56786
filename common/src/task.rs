//! The kinds of task, each a table of transitions without I/O.

use std::sync::Arc;

pub mod document;
pub mod job;
pub mod replay;
pub mod synthetic;

use crate::plan::{self, Settings, TaskKind};
use crate::step::{Outcome, Reply, Step};
use document::{Document, DocumentWork};
use job::{Job, JobWork};
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
    /// See [`job`].
    Job(Arc<JobWork>),
    /// Nothing to share but what lies in the queue beside them, where they wait in one.
    Null(Arc<[u8]>),
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
            TaskKind::Order => Tasks::Synthetic(Arc::new(SyntheticWork::order(&settings.task))),
            TaskKind::Job => Tasks::Job(Arc::new(JobWork::new(&settings.task, seed))),
            TaskKind::Null => Tasks::Null(vec![b'x'; settings.task.text_chars()].into()),
        }
    }

    /// What the documents are made of, where there are any.
    #[must_use]
    pub fn documents(&self) -> Option<&DocumentWork> {
        match self {
            Tasks::Document(work) => Some(work),
            Tasks::Replay(work) => Some(work.documents()),
            Tasks::Synthetic(_) | Tasks::Job(_) | Tasks::Null(_) => None,
        }
    }

    /// Task `index` at `worker` (counted over all dynos).
    #[must_use]
    pub fn task(&self, worker: u32, index: u64) -> Task {
        match self {
            Tasks::Document(work) => Task::Document(Document::new(Arc::clone(work), worker, index)),
            Tasks::Replay(work) => Task::Replay(Replay::new(Arc::clone(work), worker)),
            Tasks::Synthetic(work) => Task::Synthetic(Synthetic::new(Arc::clone(work), worker, index)),
            Tasks::Job(work) => Task::Job(work.job(index)),
            Tasks::Null(_) => Task::Null,
        }
    }

    /// Task `index` as it was claimed out of the queue by `worker`.
    ///
    /// # Errors
    /// Why it can never be run.
    pub fn claimed(&self, worker: u32, index: u64, payload: &[u8]) -> Result<Task, &'static str> {
        match self {
            Tasks::Job(_) => Job::parse(payload).map(Task::Job),
            _ => Ok(self.task(worker, index)),
        }
    }

    /// What task `index` must come to: nothing when its handler says no, and within that nothing when it comes to no number.
    #[must_use]
    pub fn expected(&self, index: u64) -> Option<Option<f64>> {
        match self {
            Tasks::Job(work) => work.expected(index).map(Some),
            _ => Some(None),
        }
    }

    /// Appends what of task `index` lies in the queue.
    pub fn write_payload(&self, index: u64, entry: &mut Vec<u8>) {
        match self {
            Tasks::Job(work) => work.write(index, entry),
            Tasks::Null(filler) => entry.extend_from_slice(filler),
            _ => {
                entry.extend_from_slice(b"{\"id\":");
                entry.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
                entry.push(b'}');
            }
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
        TaskKind::Synthetic | TaskKind::Job | TaskKind::Order | TaskKind::Null => Some(Vec::new()),
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
    /// See [`job`].
    Job(Job),
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
            Task::Job(job) => Step::Done(job.outcome()),
            Task::Null => Step::Done(Outcome::Completed),
        }
    }

    /// What it came to, where there is such a thing.
    #[must_use]
    pub fn result(&self) -> Option<f64> {
        match self {
            Task::Job(job) => job.result(),
            _ => None,
        }
    }
}
