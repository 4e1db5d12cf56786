//! Takes tasks from the dispatch connection and hands them to their workers: one thread that does nothing else.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use common::backlog::Backlog;
use common::plan::Order;
use common::queue::Settled;
use common::worker::Handed;
use crossbeam_channel::Sender;
use dyno::Shared;
use dyno::frames::Frames;

use crate::executor::Inboxes;
use crate::sync::{self, Condvar, Mutex, MutexGuard, lock, wait};

/// Where a worker's tasks arrive.
pub struct Inbox {
    /// Number in this dyno.
    pub worker: u32,
    letterbox: sync::Arc<Letterbox>,
    shared: Arc<Shared>,
    source: Source,
}

/// Where tasks come from.
#[derive(Clone)]
pub enum Source {
    /// They are pushed.
    Pushed,
    /// They are claimed, by somebody who wants to know when the worker is done with one.
    Claimed(Sender<Settled>),
    /// The worker claims them itself.
    Claims,
}

/// What intake and worker share: the backlog itself, for a channel would be a second queue before it.
struct Letterbox {
    contents: Mutex<Contents>,
    bell: Condvar,
}

struct Contents {
    backlog: Backlog<Handed>,
    closed: bool,
}

impl Letterbox {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        lock(&self.contents)
    }
}

impl Inbox {
    /// The next task, by the plan's order; `None` when there will be no more, or the dyno is stopping.
    pub fn receive(&mut self) -> Option<Handed> {
        let mut contents = self.letterbox.contents();
        loop {
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
            contents = wait(&self.letterbox.bell, contents);
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
pub struct Letterboxes(Vec<sync::Arc<Letterbox>>);

impl Letterboxes {
    /// How many workers there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Puts a task with its worker, which stays asleep if it is. True: it is to be woken, for nobody was told to before. One that has left
    /// takes no more: its tasks stay unfinished.
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
            let letterbox = sync::Arc::new(Letterbox { contents, bell: Condvar::new() });
            let inbox = Inbox { worker, letterbox, shared: Arc::clone(shared), source: source.clone() };
            (sync::Arc::clone(&inbox.letterbox), inbox)
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
            if let Err(error) = frames.arrived(count, &shared, |task| inboxes.deliver(task.worker, Handed::Task(task)))
            {
                return shared.fatal(error.to_string());
            }
        }
    };
    thread::Builder::new().name("intake".into()).spawn(intake).map(drop)
}

/// `make verify`: every interleaving of an intake and a worker.
#[cfg(all(test, loom))]
mod model {
    use common::plan::Order;
    use loom::thread;
    use testkit::stand::{handed, index_of, shared};

    use super::{Source, inboxes};
    use crate::executor::Inboxes;

    /// What is delivered is received, in order, and then comes the end; whoever waits is woken.
    #[test]
    fn nothing_is_lost_between_intake_and_worker() {
        loom::model(|| {
            let (letterboxes, mut inboxes) = inboxes(1, Order::Fifo, &Source::Pushed, &shared(1));
            let letterboxes = Inboxes::Letterboxes(letterboxes);
            let mut inbox = inboxes.remove(0);
            let worker = thread::spawn(move || {
                let received: Vec<u64> = std::iter::from_fn(|| inbox.receive()).map(|task| index_of(&task)).collect();
                assert_eq!(received, [0, 1]);
            });
            letterboxes.deliver(0, handed(0));
            letterboxes.deliver(0, handed(1));
            drop(letterboxes);
            worker.join().unwrap();
        });
    }

    /// No end comes that would wake it as well.
    #[test]
    fn a_worker_who_was_left_asleep_is_woken() {
        loom::model(|| {
            let (letterboxes, mut inboxes) = inboxes(1, Order::Fifo, &Source::Pushed, &shared(1));
            let letterboxes = Inboxes::Letterboxes(letterboxes);
            let mut inbox = inboxes.remove(0);
            let worker = thread::spawn(move || {
                let received = [(); 2].map(|()| inbox.receive().map(|task| index_of(&task)));
                assert_eq!(received, [Some(0), Some(1)]);
            });
            let asleep = [0, 1].map(|index| letterboxes.put(0, handed(index)));
            asleep.iter().filter(|asleep| **asleep).for_each(|_| letterboxes.wake(0));
            worker.join().unwrap();
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::iter::from_fn;
    use std::sync::atomic::Ordering;
    use std::thread;

    use common::plan::Order;
    use testkit::stand::{handed, index_of, shared};

    use super::{Inbox, Source, inboxes};
    use crate::executor::Inboxes;

    fn received(inbox: &mut Inbox) -> Vec<u64> {
        from_fn(|| inbox.receive()).map(|task| index_of(&task)).collect()
    }

    #[test]
    fn what_was_delivered_before_the_end_is_received_in_the_plans_order() {
        for (order, expected) in [(Order::Fifo, [0, 1, 2]), (Order::Lifo, [2, 1, 0])] {
            let (letterboxes, mut inboxes) = inboxes(2, order, &Source::Pushed, &shared(2));
            let letterboxes = Inboxes::Letterboxes(letterboxes);
            (0..3).for_each(|index| letterboxes.deliver(1, handed(index)));
            drop(letterboxes);
            assert_eq!(received(&mut inboxes[1]), expected, "{order:?}");
            assert_eq!(received(&mut inboxes[0]), [0; 0]);
        }
    }

    #[test]
    fn a_worker_who_waits_is_woken_by_a_task_and_by_the_end() {
        let (letterboxes, mut inboxes) = inboxes(1, Order::Fifo, &Source::Pushed, &shared(1));
        let letterboxes = Inboxes::Letterboxes(letterboxes);
        let mut inbox = inboxes.remove(0);
        let worker = thread::spawn(move || received(&mut inbox));
        letterboxes.deliver(0, handed(7));
        drop(letterboxes);
        assert_eq!(worker.join().unwrap(), [7]);
    }

    #[test]
    fn a_worker_of_a_stopping_dyno_begins_nothing_more() {
        let shared = shared(1);
        let (letterboxes, mut inboxes) = inboxes(1, Order::Fifo, &Source::Pushed, &shared);
        let letterboxes = Inboxes::Letterboxes(letterboxes);
        letterboxes.deliver(0, handed(0));
        shared.stopping.store(true, Ordering::Relaxed);
        assert!(inboxes[0].receive().is_none());
    }
}
