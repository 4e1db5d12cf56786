//! How a worker comes by a connection, and what it does with one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bb8::{ManageConnection, Pool, PooledConnection, QueueStrategy};
use common::backoff;
use common::endpoint::Endpoint;
use common::plan;
use common::request::{Replies, Request, RequestError};
use common::worker::Exchange;
use dyno::Shared;
use dyno::clock::now_ns;

mod direct;
mod multiplexed;

use direct::Link;
use multiplexed::Multiplexed;

/// One worker's way to connections.
pub struct Connections {
    worker: u32,
    source: Source,
    shared: Arc<Shared>,
}

enum Source {
    Own(Arc<Manager>, Option<Link>),
    Pool(Pool<Shareable>),
    Shared(Arc<Multiplexed>),
}

/// Opens every connection of the dyno and deals them out: one [`Connections`] per worker.
///
/// # Errors
/// The server cannot be reached, in a sentence.
pub async fn open(
    kind: plan::Connections,
    size: u32,
    workers: u32,
    endpoint: Endpoint,
    shared: &Arc<Shared>,
) -> anyhow::Result<Vec<Connections>> {
    let manager = Arc::new(Manager::new(endpoint, shared));
    let mut connections = Vec::with_capacity(workers as usize);
    match kind {
        plan::Connections::Own => {
            for worker in 0..workers {
                let link = manager.open().await?;
                let source = Source::Own(Arc::clone(&manager), Some(link));
                connections.push(Connections { worker, source, shared: Arc::clone(shared) });
            }
        }
        plan::Connections::Pool => {
            // A first connection of its own gives a better reason than a pool that did not fill.
            drop(manager.open().await?);
            let pool = Pool::builder()
                .max_size(size)
                .min_idle(Some(size))
                .test_on_check_out(false)
                .max_lifetime(None)
                .idle_timeout(None)
                .connection_timeout(manager.endpoint.checkout_timeout)
                .queue_strategy(QueueStrategy::Lifo)
                .build(Shareable(Arc::clone(&manager)))
                .await?;
            connections.extend((0..workers).map(|worker| Connections {
                worker,
                source: Source::Pool(pool.clone()),
                shared: Arc::clone(shared),
            }));
        }
        plan::Connections::Shared => {
            let mut all = Vec::with_capacity(size as usize);
            for _ in 0..size {
                all.push(Arc::new(Multiplexed::open(Arc::clone(&manager)).await?));
            }
            connections.extend((0..workers).map(|worker| Connections {
                worker,
                source: Source::Shared(Arc::clone(&all[worker as usize % all.len()])),
                shared: Arc::clone(shared),
            }));
        }
    }
    manager.opened.store(true, Ordering::Relaxed);
    Ok(connections)
}

impl Connections {
    /// Asks for a connection, sends the request and collects every reply.
    pub async fn exchange(&mut self, request: &Request) -> Exchange {
        let asked_ns = now_ns();
        let (granted_ns, result) = match self.source.checkout().await {
            Ok(mut lease) => (now_ns(), lease.query(request).await),
            Err(error) => (now_ns(), Err(error)),
        };
        if let Err(error) = &result {
            self.shared.recorder.request_failed(self.worker, error.kind());
        }
        Exchange { asked_ns, granted_ns, ended_ns: now_ns(), result }
    }
}

/// A connection while one request is under way.
enum Lease<'a> {
    Own(&'a mut Link),
    Pool(PooledConnection<'a, Shareable>),
    Shared(multiplexed::Lease<'a>),
}

impl Lease<'_> {
    async fn query(&mut self, request: &Request) -> Result<Replies, RequestError> {
        match self {
            Lease::Own(link) => link.query(request).await,
            Lease::Pool(link) => link.query(request).await,
            Lease::Shared(lease) => lease.query(request).await,
        }
    }
}

impl Source {
    async fn checkout(&mut self) -> Result<Lease<'_>, RequestError> {
        match self {
            Source::Own(manager, slot) => {
                if slot.as_ref().is_none_or(|link| link.broken) {
                    *slot = None;
                    *slot = Some(manager.replace(|| manager.open()).await?);
                }
                slot.as_mut().map(Lease::Own).ok_or(RequestError::PoolTimeout)
            }
            Source::Pool(pool) => pool.get().await.map(Lease::Pool).map_err(|_| RequestError::PoolTimeout),
            Source::Shared(multiplexed) => multiplexed.checkout().await.map(Lease::Shared),
        }
    }
}

/// Opens connections, with the plan's timeouts and the common backoff.
struct Manager {
    endpoint: Endpoint,
    shared: Arc<Shared>,
    /// Whether the dyno has all its connections: those that are opened later replace broken ones.
    opened: AtomicBool,
}

impl Manager {
    fn new(endpoint: Endpoint, shared: &Arc<Shared>) -> Manager {
        Manager { endpoint, shared: Arc::clone(shared), opened: AtomicBool::new(false) }
    }

    async fn open(&self) -> Result<Link, RequestError> {
        let link = Link::open(&self.endpoint).await?;
        self.count();
        Ok(link)
    }

    fn count(&self) {
        if self.opened.load(Ordering::Relaxed) {
            self.shared.reconnected();
        }
    }

    /// Opens one in place of a broken one, for at most the checkout timeout.
    async fn replace<T, F>(&self, open: impl Fn() -> F) -> Result<T, RequestError>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        let give_up_ns = now_ns() + self.endpoint.checkout_timeout.as_nanos() as u64;
        let mut attempt = 0;
        loop {
            tokio::time::sleep(backoff::delay(attempt)).await;
            match open().await {
                Ok(link) => return Ok(link),
                Err(_) if now_ns() >= give_up_ns || self.shared.stopping() => return Err(RequestError::PoolTimeout),
                Err(_) => attempt += 1,
            }
        }
    }
}

/// The manager as the pool wants it.
struct Shareable(Arc<Manager>);

impl ManageConnection for Shareable {
    type Connection = Link;
    type Error = RequestError;

    async fn connect(&self) -> Result<Link, RequestError> {
        self.0.replace(|| self.0.open()).await
    }

    async fn is_valid(&self, _: &mut Link) -> Result<(), RequestError> {
        Ok(())
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.broken
    }
}
