//! How a worker comes by a connection, and what it does with one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::backoff;
use common::endpoint::Endpoint;
use common::plan::{self, Checkout, Client, Variant};
use common::request::{Replies, Request, RequestError};
use common::worker::Exchange;
use dyno::Shared;
use dyno::clock::now_ns;
use r2d2::{ManageConnection, Pool, PooledConnection};
use scheduled_thread_pool::ScheduledThreadPool;

mod blocking;
mod direct;

/// One worker's way to connections.
pub struct Connections {
    worker: u32,
    source: Source,
    shared: Arc<Shared>,
}

enum Source {
    Own(Arc<Manager>, Option<Link>),
    Pool(Pool<Shareable>, Checkout, Option<PooledConnection<Shareable>>),
}

/// Opens all connections of `workers` workers, `size` where they share them, and deals them out: one [`Connections`] per
/// worker.
///
/// # Errors
/// The server cannot be reached, in a sentence.
pub fn open(
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
                let source = Source::Own(Arc::clone(&manager), Some(manager.open()?));
                connections.push(Connections { worker, source, shared: Arc::clone(shared) });
            }
        }
        plan::Connections::Pool => {
            // A first connection of its own gives a better reason than a pool that did not fill.
            drop(manager.open()?);
            // r2d2 hands out the connection that came back last (LIFO) and has no setting for it.
            let pool = Pool::builder()
                .max_size(size)
                .min_idle(Some(size))
                .test_on_check_out(false)
                .max_lifetime(None)
                .idle_timeout(None)
                .connection_timeout(manager.endpoint.checkout_timeout)
                .thread_pool(Arc::new(
                    ScheduledThreadPool::builder().num_threads(1).thread_name_pattern("r2d2").build(),
                ))
                .error_handler(Box::new(r2d2::NopErrorHandler))
                .build(Shareable(Arc::clone(&manager)))?;
            let checkout = variant.checkout.unwrap_or(Checkout::Step);
            connections.extend((0..workers).map(|worker| Connections {
                worker,
                source: Source::Pool(pool.clone(), checkout, None),
                shared: Arc::clone(shared),
            }));
        }
        plan::Connections::Shared => anyhow::bail!("the threaded engine has no shared connections"),
    }
    manager.opened.store(true, Ordering::Relaxed);
    Ok(connections)
}

/// A connection of the dyno's own, whatever its workers have.
///
/// # Errors
/// The server cannot be reached, in a sentence.
pub fn alone(endpoint: Endpoint, shared: &Arc<Shared>) -> anyhow::Result<Connections> {
    let manager = Arc::new(Manager::new(Client::Direct, endpoint, shared));
    let link = manager.open()?;
    manager.opened.store(true, Ordering::Relaxed);
    Ok(Connections { worker: 0, source: Source::Own(manager, Some(link)), shared: Arc::clone(shared) })
}

impl Connections {
    /// Asks for a connection, sends the request and collects every reply.
    pub fn exchange(&mut self, request: Request) -> Exchange {
        let asked_ns = now_ns();
        let (granted_ns, result) = match self.link() {
            Ok(link) => (now_ns(), link.query(request)),
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

    /// A connection that works: the one at hand, or one that is opened or checked out now.
    ///
    /// # Errors
    /// None in time.
    pub fn link(&mut self) -> Result<&mut Link, RequestError> {
        match &mut self.source {
            Source::Own(manager, slot) => {
                if slot.as_ref().is_none_or(|link| link.broken) {
                    *slot = None;
                    *slot = Some(manager.replace()?);
                }
                slot.as_mut().ok_or(RequestError::PoolTimeout)
            }
            Source::Pool(pool, _, held) => {
                if held.as_ref().is_none_or(|link| link.broken) {
                    *held = None;
                    *held = Some(pool.get().map_err(|_| RequestError::PoolTimeout)?);
                }
                held.as_deref_mut().ok_or(RequestError::PoolTimeout)
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

/// A connection that remembers whether it may be used again.
pub struct Link {
    wire: Wire,
    broken: bool,
}

enum Wire {
    Direct(direct::Wire),
    Blocking(Box<blocking::Wire>),
}

impl Link {
    fn query(&mut self, request: Request) -> Result<Replies, RequestError> {
        let result = match &mut self.wire {
            Wire::Direct(wire) => wire.query(request),
            Wire::Blocking(wire) => wire.query(&request),
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

    fn open(&self) -> Result<Link, RequestError> {
        let wire = match self.client {
            Client::Blocking => Wire::Blocking(Box::new(blocking::Wire::open(&self.endpoint)?)),
            _ => Wire::Direct(direct::Wire::open(&self.endpoint)?),
        };
        if self.opened.load(Ordering::Relaxed) {
            self.shared.reconnected();
        }
        Ok(Link { wire, broken: false })
    }

    /// Opens one in place of a broken one, for at most the checkout timeout.
    fn replace(&self) -> Result<Link, RequestError> {
        let give_up_ns = now_ns() + self.endpoint.checkout_timeout.as_nanos() as u64;
        let mut attempt = 0;
        loop {
            thread::sleep(backoff::delay(attempt));
            match self.open() {
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

    fn connect(&self) -> Result<Link, RequestError> {
        self.0.replace()
    }

    fn is_valid(&self, _: &mut Link) -> Result<(), RequestError> {
        Ok(())
    }

    fn has_broken(&self, link: &mut Link) -> bool {
        link.broken
    }
}
