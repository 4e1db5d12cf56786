//! Drives one worker: carries out what the machine asks for, on a thread.

use std::sync::Arc;

use common::worker::{Action, Worker};
use dyno::Shared;
use dyno::clock::{now_ns, sleep_until};

use crate::connections::Connections;
use crate::intake::Inbox;
use crate::limits::Permits;

/// What all workers of a dyno share.
pub struct Site {
    pub permits: Permits,
    pub shared: Arc<Shared>,
}

/// Until there are no more tasks.
pub fn drive(worker: &mut Worker, inbox: &mut Inbox, connections: &mut Connections, site: &Site) {
    let mut action = worker.start();
    loop {
        action = match action {
            Action::Receive => worker.received(inbox.receive(), now_ns()),
            Action::Redis(span, request) => worker.replied(span, connections.exchange(request)),
            Action::Compute(work) => worker.computed(work.run(), now_ns()),
            Action::Sleep(until_ns) => {
                sleep_until(until_ns);
                worker.slept(now_ns())
            }
            Action::Acquire(_) => {
                site.permits.acquire();
                worker.acquired(now_ns())
            }
            Action::Release => {
                site.permits.release();
                worker.released(now_ns())
            }
            Action::Settle => {
                connections.release();
                let (settled, next) = worker.settle(|record| site.shared.recorder.settle(inbox.worker, record));
                inbox.settled(settled);
                next
            }
            Action::Leave => return,
        }
    }
}
