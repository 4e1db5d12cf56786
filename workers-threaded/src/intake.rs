//! Takes tasks from the dispatch connection and hands them to their workers: one thread that does nothing else.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use common::backlog::Backlog;
use common::plan::Order;
use common::wire::Dispatch;
use crossbeam_channel::{Receiver, Sender, unbounded};
use dyno::Shared;
use dyno::frames::Frames;

use crate::executor::Inboxes;

/// Where a worker's tasks arrive.
pub struct Inbox {
    /// Number in this dyno.
    pub worker: u32,
    channel: Receiver<Dispatch>,
    backlog: Backlog,
    shared: Arc<Shared>,
}

impl Inbox {
    /// The next task, by the plan's order; `None` when there will be no more, or the dyno is stopping.
    pub fn receive(&mut self) -> Option<Dispatch> {
        loop {
            if self.shared.stopping() {
                return None;
            }
            while let Ok(task) = self.channel.try_recv() {
                self.backlog.push(task);
            }
            if let Some(task) = self.backlog.take() {
                self.shared.waiting.begin(self.worker);
                return Some(task);
            }
            self.backlog.push(self.channel.recv().ok()?);
        }
    }
}

/// One inbox per worker, and where the intake puts their tasks.
pub fn inboxes(workers: u32, order: Order, shared: &Arc<Shared>) -> (Vec<Sender<Dispatch>>, Vec<Inbox>) {
    (0..workers)
        .map(|worker| {
            let (sender, channel) = unbounded();
            (sender, Inbox { worker, channel, backlog: Backlog::new(order), shared: Arc::clone(shared) })
        })
        .unzip()
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
