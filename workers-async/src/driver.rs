//! Drives one worker: carries out what the machine asks for, in a task.

use std::sync::Arc;
use std::time::Duration;

use common::worker::{Action, Worker};
use dyno::Shared;
use dyno::clock::now_ns;
use tokio::time::sleep;

use crate::connections::Connections;
use crate::intake::Inbox;
use crate::limits::Permits;
use crate::placement::Placement;

/// What all workers of a dyno share.
pub struct Site {
    pub placement: Placement,
    pub permits: Permits,
    pub shared: Arc<Shared>,
}

/// Until there are no more tasks.
pub async fn drive(worker: &mut Worker, inbox: &mut Inbox, connections: &mut Connections, site: &Site) {
    let mut action = worker.start();
    loop {
        action = match action {
            Action::Receive => worker.received(inbox.receive().await, now_ns()),
            Action::Redis(span, request) => worker.replied(span, connections.exchange(request).await),
            Action::Compute(work) => worker.computed(site.placement.compute(work).await, now_ns()),
            Action::Sleep(until_ns) => {
                sleep(Duration::from_nanos(until_ns.saturating_sub(now_ns()))).await;
                worker.slept(now_ns())
            }
            Action::Acquire(_) => {
                site.permits.acquire().await;
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
