//! How a worker comes by a connection, and what it does with one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bb8::{ManageConnection, Pool, PooledConnection, QueueStrategy};
use common::backoff;
use common::endpoint::Endpoint;
use common::plan::{self, Checkout, Client, Variant};
use common::request::{Replies, Request, RequestError};
use common::worker::Exchange;
use dyno::Shared;
use dyno::clock::now_ns;
use redis::aio::MultiplexedConnection;

mod direct;
mod multiplexed;

/// One worker's way to connections.
pub struct Connections {
    worker: u32,
    source: Source,
    shared: Arc<Shared>,
}

enum Source {
    Own(Arc<Manager>, Option<Link>),
    Pool(Pool<Shareable>, Checkout, Option<PooledConnection<'static, Shareable>>),
    Shared(Arc<multiplexed::Shared>),
}

/// Opens all connections of `workers` workers, `size` where they share them, and deals them out: one [`Connections`] per
/// worker.
///
/// # Errors
/// The server cannot be reached, in a sentence.
pub async fn open(
    variant: &Variant,
    workers: u32,
    size: u32,
    endpoint: Endpoint,
    shared: &Arc<Shared>,
) -> anyhow::Result<Vec<Connections>> {
    let manager = Arc::new(Manager::new(variant.client, endpoint, shared));
    let mut connections = Vec::with_capacity(workers as usize);
    match variant.connections {
        plan::Connections::Own => {
            for worker in 0..workers {
                let source = Source::Own(Arc::clone(&manager), Some(manager.open().await?));
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
            let checkout = variant.checkout.unwrap_or(Checkout::Step);
            connections.extend((0..workers).map(|worker| Connections {
                worker,
                source: Source::Pool(pool.clone(), checkout, None),
                shared: Arc::clone(shared),
            }));
        }
        plan::Connections::Shared => {
            let mut all = Vec::new();
            for _ in 0..size {
                all.push(Arc::new(multiplexed::Shared::open(Arc::clone(&manager)).await?));
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

/// A connection of the dyno's own, whatever its workers have.
///
/// # Errors
/// The server cannot be reached, in a sentence.
pub async fn alone(endpoint: Endpoint, shared: &Arc<Shared>) -> anyhow::Result<Connections> {
    let manager = Arc::new(Manager::new(Client::Direct, endpoint, shared));
    let link = manager.open().await?;
    manager.opened.store(true, Ordering::Relaxed);
    Ok(Connections { worker: 0, source: Source::Own(manager, Some(link)), shared: Arc::clone(shared) })
}

impl Connections {
    /// Asks for a connection, sends the request and collects every reply.
    #[expect(
        clippy::manual_async_fn,
        reason = "an async function keeps room for its arguments twice, as does every one that it hands them to: a block does \
                  not, and lends the request from here on; thousands of workers have that room while they wait"
    )]
    pub fn exchange(&mut self, mut request: Request) -> impl Future<Output = Exchange> {
        async move {
            let asked_ns = now_ns();
            let (granted_ns, result) = match self.link().await {
                Ok(link) => (now_ns(), link.query(&mut request).await),
                Err(error) => (now_ns(), Err(error)),
            };
            let ended_ns = now_ns();
            if let Source::Pool(_, Checkout::Step, held) = &mut self.source {
                *held = None;
            }
            if let Err(error) = &result {
                self.shared.recorder.request_failed(self.worker, error.kind());
            }
            Exchange { asked_ns, granted_ns, ended_ns, result }
        }
    }

    /// A connection that works: the one at hand, or one that is opened or checked out now.
    ///
    /// # Errors
    /// None in time.
    pub async fn link(&mut self) -> Result<Lease<'_>, RequestError> {
        match &mut self.source {
            Source::Own(manager, slot) => {
                if slot.as_ref().is_none_or(|link| link.broken) {
                    *slot = None;
                    *slot = Some(Box::pin(manager.replace(|| manager.open())).await?);
                }
                slot.as_mut().map(Lease::Alone).ok_or(RequestError::PoolTimeout)
            }
            Source::Pool(pool, _, held) => {
                if held.as_ref().is_none_or(|link| link.broken) {
                    *held = None;
                    *held = Some(pool.get_owned().await.map_err(|_| RequestError::PoolTimeout)?);
                }
                held.as_deref_mut().map(Lease::Alone).ok_or(RequestError::PoolTimeout)
            }
            Source::Shared(shared) => {
                let lease = match shared.whole() {
                    Some(lease) => lease,
                    None => Box::pin(shared.replaced()).await?,
                };
                Ok(Lease::Shared(Box::new(lease)))
            }
        }
    }

    /// The task has ended: gives back what was checked out for all of it.
    pub fn release(&mut self) {
        if let Source::Pool(_, Checkout::Task, held) = &mut self.source {
            *held = None;
        }
    }
}

/// A connection while one request is under way.
pub enum Lease<'a> {
    /// Nobody else's meanwhile.
    Alone(&'a mut Link),
    /// One of many workers. In a box, as all that is large and seldom: every worker has room for the largest future that it may await.
    Shared(Box<multiplexed::Lease<'a>>),
}

impl Lease<'_> {
    async fn query(self, request: &mut Request) -> Result<Replies, RequestError> {
        match self {
            Lease::Alone(link) => link.query(request).await,
            Lease::Shared(lease) => Box::pin(lease.query(request)).await,
        }
    }
}

/// A connection that remembers whether it may be used again.
pub struct Link {
    wire: Wire,
    broken: bool,
}

enum Wire {
    Direct(direct::Wire),
    Multiplexed(MultiplexedConnection),
}

impl Link {
    async fn query(&mut self, request: &mut Request) -> Result<Replies, RequestError> {
        // A query that is dropped half-way leaves replies in the socket.
        self.broken = true;
        let result = match &mut self.wire {
            Wire::Direct(wire) => wire.query(request).await,
            Wire::Multiplexed(connection) => Box::pin(multiplexed::query(connection, request)).await,
        };
        self.broken = matches!(&result, Err(error) if error.breaks_connection());
        result
    }
}

/// Opens connections, with the plan's timeouts and the common backoff.
struct Manager {
    client: Client,
    endpoint: Endpoint,
    shared: Arc<Shared>,
    /// Whether the dyno has all its connections: those that are opened later replace broken ones.
    opened: AtomicBool,
}

impl Manager {
    fn new(client: Client, endpoint: Endpoint, shared: &Arc<Shared>) -> Manager {
        Manager { client, endpoint, shared: Arc::clone(shared), opened: AtomicBool::new(false) }
    }

    async fn open(&self) -> Result<Link, RequestError> {
        let wire = match self.client {
            Client::Multiplexed => Wire::Multiplexed(multiplexed::connect(&self.endpoint).await?),
            _ => Wire::Direct(direct::Wire::open(&self.endpoint).await?),
        };
        self.count();
        Ok(Link { wire, broken: false })
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
