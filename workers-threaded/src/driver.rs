//! Drives one worker: carries out what the machine asks for, on a thread.

use common::worker::{Action, Worker};
use dyno::Shared;
use dyno::clock::now_ns;

use crate::connections::Connections;
use crate::intake::Inbox;

/// Until there are no more tasks.
pub fn drive(mut worker: Worker, mut inbox: Inbox, mut connections: Connections, shared: &Shared) {
    let mut action = worker.start();
    loop {
        action = match action {
            Action::Receive => worker.received(inbox.receive(), now_ns()),
            Action::Redis(span, request) => worker.replied(span, connections.exchange(request)),
            Action::Settle(record) => {
                connections.release();
                shared.recorder.settle(inbox.worker, &record);
                worker.settled()
            }
            Action::Leave => return,
        }
    }
}
