//! The `replay` task: what a `document` task sends, encoded beforehand; the replies are read and dropped.
//!
//! The same commands, the same number of bytes in both directions, no decoding and no encoding: the floor that kernel
//! and server set. What a document costs above it is what its JSON costs.

use std::sync::{Arc, OnceLock};

use super::document::{DocumentWork, replayed};
use crate::request::Request;
use crate::step::{Outcome, Reply, Span, Step};

/// The round trips of a task on a prefilled document.
const ROUND_TRIPS: usize = 4;
const SPANS: [Span; ROUND_TRIPS] = [Span::Fetch, Span::Fetch, Span::Save, Span::Ping];

/// What all replayed tasks of a run share.
#[derive(Debug)]
pub struct ReplayWork {
    documents: DocumentWork,
    /// By worker, encoded when it runs its first task.
    requests: Vec<OnceLock<[Request; ROUND_TRIPS]>>,
}

impl ReplayWork {
    /// For `workers` workers in all dynos.
    #[must_use]
    pub fn new(documents: DocumentWork, workers: u32) -> ReplayWork {
        ReplayWork { documents, requests: (0..workers).map(|_| OnceLock::new()).collect() }
    }

    /// What the documents are made of.
    #[must_use]
    pub fn documents(&self) -> &DocumentWork {
        &self.documents
    }

    /// Round trip `number` of every task of `worker`.
    fn request(&self, worker: u32, number: usize) -> Request {
        let requests =
            self.requests[worker as usize].get_or_init(|| replayed(&self.documents, worker).map(Request::frozen));
        requests[number].clone()
    }
}

/// One replayed task.
#[derive(Debug)]
pub struct Replay {
    work: Arc<ReplayWork>,
    worker: u32,
    /// Round trips that are done or under way.
    sent: usize,
}

impl Replay {
    /// A task on the document of `worker`.
    #[must_use]
    pub fn new(work: Arc<ReplayWork>, worker: u32) -> Replay {
        Replay { work, worker, sent: 0 }
    }

    /// See [`Task::resume`](super::Task::resume).
    pub fn resume(&mut self, reply: Reply) -> Step {
        match reply {
            Reply::Redis(Err(error)) => Step::Done(Outcome::Failed(error.failure())),
            _ if self.sent < ROUND_TRIPS => {
                let number = self.sent;
                self.sent += 1;
                Step::Redis(SPANS[number], self.work.request(self.worker, number))
            }
            _ => Step::Done(Outcome::Completed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Replay, ReplayWork};
    use crate::plan::{Task, TaskKind};
    use crate::request::{Replies, Request, RequestError};
    use crate::step::{Failure, Outcome, Reply, Span, Step};
    use crate::task::document::DocumentWork;

    fn work() -> Arc<ReplayWork> {
        let task = Task { list_max: 10, payload_kb: 0.1, ..Task::of(TaskKind::Replay) };
        Arc::new(ReplayWork::new(DocumentWork::new(&task, 7), 3))
    }

    fn names(request: &Request) -> Vec<String> {
        request.commands().map(|command| String::from_utf8_lossy(command[0]).into_owned()).collect()
    }

    /// The commands and the lengths of a document task; that all bytes are alike is tested against a server.
    #[test]
    fn a_task_is_four_round_trips_and_drops_their_replies() {
        let mut task = Replay::new(work(), 2);
        let mut reply = Reply::Start;
        let mut seen = Vec::new();
        while let Step::Redis(span, request) = task.resume(reply) {
            seen.push((span, names(&request).join(" "), request.bytes().len()));
            reply = Reply::Redis(Replies::of_tree(vec![redis::Value::Nil]));
        }
        let save = "MULTI SET RPUSH HSET EXEC".to_owned();
        assert_eq!(
            seen,
            [
                (Span::Fetch, "GET".to_owned(), 39),
                (Span::Fetch, "EVALSHA".to_owned(), 103),
                (Span::Save, save, seen[2].2),
                (Span::Ping, "PING".to_owned(), 14),
            ]
        );
        assert!((2_700..3_300).contains(&seen[2].2), "{}", seen[2].2);
    }

    #[test]
    fn an_error_ends_it() {
        let mut task = Replay::new(work(), 0);
        drop(task.resume(Reply::Start));
        let Step::Done(outcome) = task.resume(Reply::Redis(Err(RequestError::Timeout))) else { panic!("went on") };
        assert_eq!(outcome, Outcome::Failed(Failure::Timeout));
    }
}
