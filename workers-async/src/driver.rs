//! Drives one worker: carries out what the machine asks for, in a task.

use common::worker::{Action, Worker};
use dyno::Shared;
use dyno::clock::now_ns;

use crate::connections::Connections;
use crate::intake::Inbox;

/// Until there are no more tasks.
pub async fn drive(mut worker: Worker, mut inbox: Inbox, mut connections: Connections, shared: &Shared) {
    let mut action = worker.start();
    loop {
        action = match action {
            Action::Receive => worker.received(inbox.receive().await, now_ns()),
            Action::Redis(span, request) => worker.replied(span, connections.exchange(request).await),
            Action::Settle(record) => {
                connections.release();
                shared.recorder.settle(inbox.worker, &record);
                worker.settled()
            }
            Action::Leave => return,
        }
    }
}
