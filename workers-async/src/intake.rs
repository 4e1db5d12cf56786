//! Takes tasks from the dispatch connection and hands them to their workers: one task that does nothing else.

use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::backlog::Backlog;
use common::plan::Order;
use common::queue::Settled;
use common::worker::Handed;
use dyno::Shared;
use dyno::frames::Frames;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

/// Where a worker's tasks arrive.
pub struct Inbox {
    /// Number in this dyno.
    pub worker: u32,
    letterbox: Arc<Letterbox>,
    shared: Arc<Shared>,
    source: Source,
}

/// Where tasks come from.
#[derive(Clone)]
pub enum Source {
    /// They are pushed.
    Pushed,
    /// They are claimed, by somebody who wants to know when the worker is done with one.
    Claimed(UnboundedSender<Settled>),
    /// The worker claims them itself.
    Claims,
}

/// What intake and worker share: the backlog itself, for a channel would be a second queue before it.
struct Letterbox {
    contents: Mutex<Contents>,
    bell: Notify,
}

struct Contents {
    backlog: Backlog<Handed>,
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
    pub async fn receive(&mut self) -> Option<Handed> {
        loop {
            {
                let mut contents = self.letterbox.contents();
                if self.shared.stopping() {
                    return None;
                }
                if let Source::Claims = self.source {
                    return Some(Handed::Turn);
                }
                let task = contents.backlog.take();
                if task.is_some() {
                    self.shared.waiting.begin(self.worker);
                    return task;
                }
                if contents.closed {
                    return None;
                }
            }
            // A bell that has rung since then is heard.
            self.letterbox.bell.notified().await;
        }
    }

    /// The worker is done with a task that was claimed.
    pub fn settled(&self, settled: Option<Settled>) {
        if let (Source::Claimed(fetcher), Some(settled)) = (&self.source, settled) {
            // Nobody listens any more only when the dyno is ending.
            let _ = fetcher.send(settled);
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
    pub fn deliver(&self, worker: u32, task: Handed) {
        if self.put(worker, task) {
            self.wake(worker);
        }
    }

    /// As [`Letterboxes::deliver`], but leaves the worker asleep if it is. True: it is to be woken, for nobody was told to before.
    #[must_use]
    pub fn put(&self, worker: u32, task: Handed) -> bool {
        self.0[worker as usize].contents().backlog.push(task)
    }

    /// Wakes a worker that was left asleep.
    pub fn wake(&self, worker: u32) {
        self.0[worker as usize].bell.notify_one();
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
pub fn inboxes(workers: u32, order: Order, source: &Source, shared: &Arc<Shared>) -> (Letterboxes, Vec<Inbox>) {
    let (letterboxes, inboxes) = (0..workers)
        .map(|worker| {
            let contents = Mutex::new(Contents { backlog: Backlog::new(order), closed: false });
            let letterbox = Arc::new(Letterbox { contents, bell: Notify::new() });
            let inbox = Inbox { worker, letterbox, shared: Arc::clone(shared), source: source.clone() };
            (Arc::clone(&inbox.letterbox), inbox)
        })
        .unzip();
    (Letterboxes(letterboxes), inboxes)
}

/// Starts the intake; it ends with the connection, and with it the inboxes. To be called within the runtime.
///
/// # Errors
/// The connection cannot be made non-blocking.
pub fn start(socket: TcpStream, letterboxes: Letterboxes, shared: Arc<Shared>) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let mut socket = tokio::net::TcpStream::from_std(socket)?;
    let intake = async move {
        let mut frames = Frames::new(letterboxes.count() as u32);
        loop {
            let count = match socket.read(frames.space()).await {
                Ok(0) => return,
                Ok(count) => count,
                Err(error) => return shared.fatal(format!("the dispatch connection broke: {error}")),
            };
            if let Err(error) =
                frames.arrived(count, &shared, |task| letterboxes.deliver(task.worker, Handed::Task(task)))
            {
                return shared.fatal(error.to_string());
            }
        }
    };
    tokio::spawn(intake);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use common::plan::Order;
    use testkit::stand::{handed, index_of, shared};
    use tokio::runtime::Builder;

    use super::{Inbox, Source, inboxes};

    async fn received(inbox: &mut Inbox) -> Vec<u64> {
        let mut received = Vec::new();
        while let Some(task) = inbox.receive().await {
            received.push(index_of(&task));
        }
        received
    }

    #[test]
    fn what_was_delivered_before_the_end_is_received_in_the_plans_order() {
        let runtime = Builder::new_current_thread().build().unwrap();
        for (order, expected) in [(Order::Fifo, [0, 1, 2]), (Order::Lifo, [2, 1, 0])] {
            let (letterboxes, mut inboxes) = inboxes(2, order, &Source::Pushed, &shared(2));
            (0..3).for_each(|index| letterboxes.deliver(1, handed(index)));
            drop(letterboxes);
            assert_eq!(runtime.block_on(received(&mut inboxes[1])), expected, "{order:?}");
            assert_eq!(runtime.block_on(received(&mut inboxes[0])), [0; 0]);
        }
    }

    #[test]
    fn a_worker_who_waits_is_woken_by_a_task_and_by_the_end() {
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (letterboxes, mut inboxes) = inboxes(1, Order::Fifo, &Source::Pushed, &shared(1));
        let mut inbox = inboxes.remove(0);
        let worker = runtime.spawn(async move { received(&mut inbox).await });
        letterboxes.deliver(0, handed(7));
        drop(letterboxes);
        assert_eq!(runtime.block_on(worker).unwrap(), [7]);
    }

    #[test]
    fn a_worker_of_a_stopping_dyno_begins_nothing_more() {
        let shared = shared(1);
        let (letterboxes, mut inboxes) = inboxes(1, Order::Fifo, &Source::Pushed, &shared);
        letterboxes.deliver(0, handed(0));
        shared.stopping.store(true, Ordering::Relaxed);
        let runtime = Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(inboxes[0].receive()).is_none());
    }
}
