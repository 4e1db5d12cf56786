//! Claims tasks for all workers of the dyno, or looks after the queue for those that claim by themselves: one thread that does
//! nothing else, on a connection of its own.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::anyhow;
use common::endpoint::Endpoint;
use common::queue::{Fetcher, Settled, Turn};
use common::worker::Handed;
use crossbeam_channel::Receiver;
use dyno::Shared;
use dyno::clock::now_ns;

use crate::connections::{self, Connections};
use crate::executor::Inboxes;

/// Opens its connection, over which the server is told whose workers will claim, before any of them does.
///
/// # Errors
/// The server cannot be reached, or refuses, in a sentence.
pub fn announce(
    mut fetcher: Fetcher,
    endpoint: Endpoint,
    shared: &Arc<Shared>,
) -> anyhow::Result<(Fetcher, Connections)> {
    let mut own = connections::alone(endpoint, shared)?;
    let exchange = own.exchange(fetcher.first());
    let result = exchange.result.and_then(|replies| fetcher.replied(Ok(replies), |_, _| {}));
    result.map_err(|error| anyhow!("the queue cannot be claimed from: {error}"))?;
    Ok((fetcher, own))
}

/// Starts it; it ends when the dyno is stopping, and with it the inboxes, once the workers have left. `done`: what workers are done
/// with.
///
/// # Errors
/// No thread left.
pub fn start(
    mut fetcher: Fetcher,
    mut connections: Connections,
    inboxes: Inboxes,
    done: Receiver<Settled>,
    shared: Arc<Shared>,
) -> io::Result<JoinHandle<()>> {
    let fetch = move || {
        while !shared.stopping() {
            done.try_iter().for_each(|settled| fetcher.settled(settled));
            match fetcher.turn(now_ns()) {
                Turn::Exchange(request) => {
                    let exchange = connections.exchange(request);
                    let mut asleep = Vec::new();
                    let hand_over = |worker, entry| {
                        // A queue has no limit of what waits at a worker: no more is claimed than there is room for.
                        let _ = shared.waiting.arrive(worker);
                        if inboxes.put(worker, Handed::Entry(entry)) {
                            asleep.push(worker);
                        }
                    };
                    if let Err(error) = fetcher.replied(exchange.result, hand_over) {
                        return shared.fatal(format!("the queue cannot be claimed from: {error}"));
                    }
                    // Once each has all that is for it: else it would sleep again before the next comes.
                    asleep.into_iter().for_each(|worker| inboxes.wake(worker));
                }
                Turn::Wait(until_ns) => {
                    let wait = Duration::from_nanos(until_ns.saturating_sub(now_ns()));
                    match done.recv_timeout(wait) {
                        Ok(settled) => fetcher.settled(settled),
                        // Workers that claim by themselves tell nobody.
                        Err(error) if error.is_disconnected() => thread::sleep(wait),
                        Err(_) => {}
                    }
                }
            }
        }
        // The workers leave when they are done with what they are at; the server is told at once, for the dyno does not wait for all.
        drop(inboxes);
        let mut open = true;
        loop {
            match done.recv() {
                Ok(settled) => {
                    fetcher.settled(settled);
                    done.try_iter().for_each(|settled| fetcher.settled(settled));
                }
                Err(_) => open = false,
            }
            match fetcher.last() {
                Some(request) => {
                    let exchange = connections.exchange(request);
                    let _ = fetcher.replied(exchange.result, |_, _| {});
                }
                None if !open => break,
                None => {}
            }
        }
    };
    thread::Builder::new().name("fetcher".into()).spawn(fetch)
}
