//! Takes tasks from the dispatch connection and hands them to their workers: one thread that does nothing else.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use common::backlog::Backlog;
use common::plan::Order;
use common::wire::Dispatch;
use dyno::Shared;
use dyno::frames::Frames;

use crate::executor::Inboxes;

/// Where a worker's tasks arrive.
pub struct Inbox {
    /// Number in this dyno.
    pub worker: u32,
    letterbox: Arc<Letterbox>,
    shared: Arc<Shared>,
}

/// What intake and worker share: the backlog itself, for a channel would be a second queue before it.
struct Letterbox {
    contents: Mutex<Contents>,
    bell: Condvar,
}

struct Contents {
    backlog: Backlog,
    closed: bool,
}

impl Letterbox {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        // What a panicking thread left behind is a process that is about to end.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    /// The next task, by the plan's order; `None` when there will be no more, or the dyno is stopping.
    pub fn receive(&mut self) -> Option<Dispatch> {
        let mut contents = self.letterbox.contents();
        loop {
            if self.shared.stopping() {
                return None;
            }
            let task = contents.backlog.take();
            if task.is_some() {
                self.shared.waiting.begin(self.worker);
                return task;
            }
            if contents.closed {
                return None;
            }
            contents = self.letterbox.bell.wait(contents).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Where the intake puts tasks. Dropping it tells the workers that there will be no more.
pub struct Letterboxes(Vec<Arc<Letterbox>>);

impl Letterboxes {
    /// How many workers there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Hands a task to its worker. One that has left takes no more: its tasks stay unfinished.
    pub fn deliver(&self, task: Dispatch) {
        let letterbox = &self.0[task.worker as usize];
        letterbox.contents().backlog.push(task);
        letterbox.bell.notify_one();
    }
}

impl Drop for Letterboxes {
    fn drop(&mut self) {
        for letterbox in &self.0 {
            letterbox.contents().closed = true;
            letterbox.bell.notify_one();
        }
    }
}

/// One inbox per worker, and where the intake puts their tasks.
pub fn inboxes(workers: u32, order: Order, shared: &Arc<Shared>) -> (Letterboxes, Vec<Inbox>) {
    let (letterboxes, inboxes) = (0..workers)
        .map(|worker| {
            let contents = Mutex::new(Contents { backlog: Backlog::new(order), closed: false });
            let letterbox = Arc::new(Letterbox { contents, bell: Condvar::new() });
            (Arc::clone(&letterbox), Inbox { worker, letterbox, shared: Arc::clone(shared) })
        })
        .unzip();
    (Letterboxes(letterboxes), inboxes)
}

/// Starts the intake; it ends with the connection, and with it the inboxes.
///
/// # Errors
/// No thread left.
pub fn start(mut socket: TcpStream, inboxes: Inboxes, shared: Arc<Shared>) -> io::Result<()> {
    let intake = move || {
        let mut frames = Frames::new(inboxes.count() as u32);
        loop {
            let count = match socket.read(frames.space()) {
                Ok(0) => return,
                Ok(count) => count,
                Err(error) => return shared.fatal(format!("the dispatch connection broke: {error}")),
            };
            if let Err(error) = frames.arrived(count, &shared, |task| inboxes.deliver(task)) {
                return shared.fatal(error.to_string());
            }
        }
    };
    thread::Builder::new().name("intake".into()).spawn(intake).map(drop)
}
