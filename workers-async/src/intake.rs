//! Takes tasks from the dispatch connection and hands them to their workers: one task that does nothing else.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::backlog::Backlog;
use common::plan::Order;
use common::wire::Dispatch;
use dyno::Shared;
use dyno::frames::Frames;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;

/// Where a worker's tasks arrive.
pub struct Inbox {
    /// Number in this dyno.
    pub worker: u32,
    letterbox: Arc<Letterbox>,
    shared: Arc<Shared>,
}

/// What intake and worker share: the backlog itself, for a channel would be a second queue before it, and memory for
/// messages that most workers never have.
struct Letterbox {
    backlog: Mutex<Backlog>,
    bell: Notify,
    closed: AtomicBool,
}

impl Letterbox {
    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        // What a panicking thread left behind is a process that is about to end.
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox {
    /// The next task, by the plan's order; `None` when there will be no more, or the dyno is stopping.
    pub async fn receive(&mut self) -> Option<Dispatch> {
        loop {
            // Before the backlog is looked at: what is delivered before a letterbox closes is found.
            let closed = self.letterbox.closed.load(Ordering::Acquire);
            if self.shared.stopping() {
                return None;
            }
            let task = self.letterbox.backlog().take();
            if task.is_some() {
                self.shared.waiting.begin(self.worker);
                return task;
            }
            if closed {
                return None;
            }
            self.letterbox.bell.notified().await;
        }
    }
}

/// Where the intake puts tasks. Dropping it tells the workers that there will be no more.
pub struct Letterboxes(Vec<Arc<Letterbox>>);

impl Letterboxes {
    /// Hands a task to its worker. One that has left takes no more: its tasks stay unfinished.
    pub fn deliver(&self, task: Dispatch) {
        let letterbox = &self.0[task.worker as usize];
        letterbox.backlog().push(task);
        letterbox.bell.notify_one();
    }
}

impl Drop for Letterboxes {
    fn drop(&mut self) {
        for letterbox in &self.0 {
            letterbox.closed.store(true, Ordering::Release);
            letterbox.bell.notify_one();
        }
    }
}

/// One inbox per worker, and where the intake puts their tasks.
pub fn inboxes(workers: u32, order: Order, shared: &Arc<Shared>) -> (Letterboxes, Vec<Inbox>) {
    let (letterboxes, inboxes) = (0..workers)
        .map(|worker| {
            let backlog = Mutex::new(Backlog::new(order));
            let letterbox = Arc::new(Letterbox { backlog, bell: Notify::new(), closed: AtomicBool::new(false) });
            (Arc::clone(&letterbox), Inbox { worker, letterbox, shared: Arc::clone(shared) })
        })
        .unzip();
    (Letterboxes(letterboxes), inboxes)
}

/// Starts the intake; it ends with the connection, and with it the inboxes. To be called within the runtime.
///
/// # Errors
/// The connection cannot be made non-blocking.
pub fn start(socket: TcpStream, workers: Letterboxes, shared: Arc<Shared>) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let mut socket = tokio::net::TcpStream::from_std(socket)?;
    let intake = async move {
        let mut frames = Frames::new(workers.0.len() as u32);
        loop {
            let count = match socket.read(frames.space()).await {
                Ok(0) => return,
                Ok(count) => count,
                Err(error) => return shared.fatal(format!("the dispatch connection broke: {error}")),
            };
            if let Err(error) = frames.arrived(count, &shared, |task| workers.deliver(task)) {
                return shared.fatal(error.to_string());
            }
        }
    };
    tokio::spawn(intake);
    Ok(())
}
