//! How a worker comes by a connection, and what it does with one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::backoff;
use common::endpoint::Endpoint;
use common::plan;
use common::request::{Replies, Request, RequestError};
use common::worker::Exchange;
use dyno::Shared;
use dyno::clock::now_ns;
use r2d2::{ManageConnection, Pool, PooledConnection};
use redis::{Client, RedisResult};
use scheduled_thread_pool::ScheduledThreadPool;

/// One worker's way to connections.
pub struct Connections {
    worker: u32,
    source: Source,
    shared: Arc<Shared>,
}

enum Source {
    Own(Arc<Manager>, Option<Link>),
    Pool(Pool<Shareable>),
}

/// Opens every connection of the dyno and deals them out: one [`Connections`] per worker.
///
/// # Errors
/// The server cannot be reached, in a sentence.
pub fn open(
    kind: plan::Connections,
    size: u32,
    workers: u32,
    endpoint: Endpoint,
    shared: &Arc<Shared>,
) -> anyhow::Result<Vec<Connections>> {
    let manager = Arc::new(Manager::new(endpoint, shared)?);
    let connections = match kind {
        plan::Connections::Own => (0..workers)
            .map(|worker| {
                let link = manager.open()?;
                Ok(Connections {
                    worker,
                    source: Source::Own(Arc::clone(&manager), Some(link)),
                    shared: Arc::clone(shared),
                })
            })
            .collect::<Result<_, RequestError>>()?,
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
            (0..workers)
                .map(|worker| Connections { worker, source: Source::Pool(pool.clone()), shared: Arc::clone(shared) })
                .collect()
        }
        plan::Connections::Shared => anyhow::bail!("the threaded engine has no shared connections"),
    };
    manager.opened.store(true, Ordering::Relaxed);
    Ok(connections)
}

impl Connections {
    /// Asks for a connection, sends the request and collects every reply.
    pub fn exchange(&mut self, request: &Request) -> Exchange {
        let asked_ns = now_ns();
        let (granted_ns, result) = match self.source.checkout() {
            Ok(mut link) => (now_ns(), link.as_mut().query(request)),
            Err(error) => (now_ns(), Err(error)),
        };
        if let Err(error) = &result {
            self.shared.recorder.request_failed(self.worker, error.kind());
        }
        Exchange { asked_ns, granted_ns, ended_ns: now_ns(), result }
    }
}

/// A connection while one request is under way.
#[expect(clippy::large_enum_variant, reason = "lives on the stack for one exchange")]
enum Lease<'a> {
    Own(&'a mut Link),
    Pool(PooledConnection<Shareable>),
}

impl Lease<'_> {
    fn as_mut(&mut self) -> &mut Link {
        match self {
            Lease::Own(link) => link,
            Lease::Pool(link) => link,
        }
    }
}

impl Source {
    fn checkout(&mut self) -> Result<Lease<'_>, RequestError> {
        match self {
            Source::Own(manager, slot) => {
                if slot.as_ref().is_none_or(|link| link.broken) {
                    *slot = None;
                    *slot = Some(manager.replace()?);
                }
                slot.as_mut().map(Lease::Own).ok_or(RequestError::PoolTimeout)
            }
            Source::Pool(pool) => pool.get().map(Lease::Pool).map_err(|_| RequestError::PoolTimeout),
        }
    }
}

/// A connection that remembers whether it may be used again.
struct Link {
    connection: redis::Connection,
    response_timeout_ns: u64,
    broken: bool,
}

impl Link {
    fn query(&mut self, request: &Request) -> Result<Replies, RequestError> {
        let late_ns = now_ns() + self.response_timeout_ns;
        let replies = self.connection.send_packed_command(request.bytes()).and_then(|()| {
            // The first failure ends it: every further read would wait for the timeout again.
            (0..request.replies()).map(|_| self.connection.recv_response()).collect::<RedisResult<Vec<_>>>()
        });
        let mut result = replies.map_err(RequestError::from).and_then(Replies::new);
        // The socket's timeout is for one read; the plan's is for the request, as in the async engine.
        if now_ns() > late_ns {
            result = Err(RequestError::Timeout);
        }
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
    fn new(endpoint: Endpoint, shared: &Arc<Shared>) -> Result<Manager, RequestError> {
        let client = Client::open(endpoint.info.clone())?;
        Ok(Manager { client, endpoint, shared: Arc::clone(shared), opened: AtomicBool::new(false) })
    }

    fn open(&self) -> Result<Link, RequestError> {
        let connection = self.client.get_connection_with_timeout(self.endpoint.connect_timeout)?;
        connection.set_read_timeout(Some(self.endpoint.response_timeout))?;
        connection.set_write_timeout(Some(self.endpoint.response_timeout))?;
        if self.opened.load(Ordering::Relaxed) {
            self.shared.reconnected();
        }
        let response_timeout_ns = self.endpoint.response_timeout.as_nanos() as u64;
        Ok(Link { connection, response_timeout_ns, broken: false })
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
