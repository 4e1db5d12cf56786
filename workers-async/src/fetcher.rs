//! Claims tasks for all workers of the dyno, or looks after the queue for those that claim by themselves: one task that does
//! nothing else, on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use common::endpoint::Endpoint;
use common::queue::{Fetcher, Settled, Turn};
use common::worker::Handed;
use dyno::Shared;
use dyno::clock::now_ns;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::connections::{self, Connections};
use crate::intake::Letterboxes;

/// Opens its connection, over which the server is told whose workers will claim, before any of them does.
///
/// # Errors
/// The server cannot be reached, or refuses, in a sentence.
pub async fn announce(
    mut fetcher: Fetcher,
    endpoint: Endpoint,
    shared: &Arc<Shared>,
) -> anyhow::Result<(Fetcher, Connections)> {
    let mut own = connections::alone(endpoint, shared).await?;
    let exchange = own.exchange(fetcher.first()).await;
    let result = exchange.result.and_then(|replies| fetcher.replied(Ok(replies), |_, _| {}));
    result.map_err(|error| anyhow!("the queue cannot be claimed from: {error}"))?;
    Ok((fetcher, own))
}

/// Starts it; it ends when the dyno is stopping, and with it the inboxes, once the workers have left. `done`: what workers are done
/// with. To be called within the runtime.
pub fn start(
    mut fetcher: Fetcher,
    mut connections: Connections,
    letterboxes: Letterboxes,
    mut done: UnboundedReceiver<Settled>,
    shared: Arc<Shared>,
) -> JoinHandle<()> {
    let fetch = async move {
        while !shared.stopping() {
            while let Ok(settled) = done.try_recv() {
                fetcher.settled(settled);
            }
            match fetcher.turn(now_ns()) {
                Turn::Exchange(request) => {
                    let exchange = connections.exchange(request).await;
                    let mut asleep = Vec::new();
                    let hand_over = |worker, entry| {
                        // A queue has no limit of what waits at a worker: no more is claimed than there is room for.
                        let _ = shared.waiting.arrive(worker);
                        if letterboxes.put(worker, Handed::Entry(entry)) {
                            asleep.push(worker);
                        }
                    };
                    if let Err(error) = fetcher.replied(exchange.result, hand_over) {
                        return shared.fatal(format!("the queue cannot be claimed from: {error}"));
                    }
                    // Once each has all that is for it: else it would sleep again before the next comes.
                    asleep.into_iter().for_each(|worker| letterboxes.wake(worker));
                }
                Turn::Wait(until_ns) => {
                    let wait = Duration::from_nanos(until_ns.saturating_sub(now_ns()));
                    match timeout(wait, done.recv()).await {
                        Ok(Some(settled)) => fetcher.settled(settled),
                        // Workers that claim by themselves tell nobody.
                        Ok(None) => sleep(wait).await,
                        Err(_) => {}
                    }
                }
            }
        }
        // The workers leave when they are done with what they are at; the server is told at once, for the dyno does not wait for all.
        drop(letterboxes);
        let mut open = true;
        loop {
            match done.recv().await {
                Some(settled) => {
                    fetcher.settled(settled);
                    while let Ok(settled) = done.try_recv() {
                        fetcher.settled(settled);
                    }
                }
                None => open = false,
            }
            match fetcher.last() {
                Some(request) => {
                    let exchange = connections.exchange(request).await;
                    let _ = fetcher.replied(exchange.result, |_, _| {});
                }
                None if !open => break,
                None => {}
            }
        }
    };
    tokio::spawn(fetch)
}
