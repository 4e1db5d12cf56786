//! redis-rs's multiplexed connection: a driver task behind two channels. One worker may have it alone, or many use it
//! at once; then the first who sees it broken replaces it.

use std::sync::{Arc, Mutex, PoisonError};

use common::endpoint::Endpoint;
use common::request::{Replies, Request, RequestError};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client};

use super::Manager;

/// One connection for many workers.
pub(super) struct Shared {
    manager: Arc<Manager>,
    /// The connection in use; `None` after it broke. Never held across an await.
    current: Mutex<Option<Numbered>>,
    /// Only one worker replaces a broken connection; the others wait for it.
    replacing: tokio::sync::Mutex<()>,
}

/// A connection with its generation, so that one broken connection is dropped once however many workers see it break.
#[derive(Clone)]
struct Numbered {
    generation: u64,
    connection: MultiplexedConnection,
}

/// The connection while one request of one worker is under way.
pub struct Lease<'a> {
    owner: &'a Shared,
    numbered: Numbered,
}

impl Shared {
    pub(super) async fn open(manager: Arc<Manager>) -> Result<Shared, RequestError> {
        let connection = connect(&manager.endpoint).await?;
        let current = Mutex::new(Some(Numbered { generation: 0, connection }));
        Ok(Shared { manager, current, replacing: tokio::sync::Mutex::new(()) })
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Numbered>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, if it is whole.
    pub(super) fn whole(&self) -> Option<Lease<'_>> {
        let numbered = self.current().clone()?;
        Some(Lease { owner: self, numbered })
    }

    /// One in place of a broken one.
    pub(super) async fn replaced(&self) -> Result<Lease<'_>, RequestError> {
        let wait = tokio::time::timeout(self.manager.endpoint.checkout_timeout, self.replacing.lock());
        let _alone = wait.await.map_err(|_| RequestError::PoolTimeout)?;
        if let Some(lease) = self.whole() {
            return Ok(lease);
        }
        let connection = self.manager.replace(|| connect(&self.manager.endpoint)).await?;
        self.manager.count();
        let mut current = self.current();
        // Generations only need to differ from the broken one's.
        let numbered = Numbered { generation: dyno::clock::now_ns(), connection };
        *current = Some(numbered.clone());
        Ok(Lease { owner: self, numbered })
    }
}

impl Lease<'_> {
    pub(super) async fn query(mut self, request: &Request) -> Result<Replies, RequestError> {
        let result = query(&mut self.numbered.connection, request).await;
        if matches!(&result, Err(error) if error.breaks_connection()) {
            let mut current = self.owner.current();
            if current.as_ref().is_some_and(|current| current.generation == self.numbered.generation) {
                *current = None;
            }
        }
        result
    }
}

/// Sends the request and collects every reply. redis-rs encodes by itself: the request is taken apart for it.
pub(super) async fn query(connection: &mut MultiplexedConnection, request: &Request) -> Result<Replies, RequestError> {
    let values = connection.req_packed_commands(&request.pipeline(), 0, request.replies()).await;
    values.map_err(RequestError::from).and_then(Replies::of_tree)
}

pub(super) async fn connect(endpoint: &Endpoint) -> Result<MultiplexedConnection, RequestError> {
    let client = Client::open(endpoint.info.clone())?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(endpoint.connect_timeout))
        .set_response_timeout(Some(endpoint.response_timeout));
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}
