//! redis-rs's own blocking connection.

use common::endpoint::Endpoint;
use common::request::{Replies, Request, RequestError};
use dyno::clock::now_ns;
use redis::{Client, RedisResult};

/// Its connection, and how long it may take to answer.
pub(super) struct Wire {
    connection: redis::Connection,
    response_timeout_ns: u64,
}

impl Wire {
    pub(super) fn open(endpoint: &Endpoint) -> Result<Wire, RequestError> {
        let client = Client::open(endpoint.info.clone())?;
        let connection = client.get_connection_with_timeout(endpoint.connect_timeout)?;
        let timeout = Some(endpoint.response_timeout);
        connection.set_read_timeout(timeout)?;
        connection.set_write_timeout(timeout)?;
        Ok(Wire { connection, response_timeout_ns: endpoint.response_timeout.as_nanos() as u64 })
    }

    pub(super) fn query(&mut self, request: &Request) -> Result<Replies, RequestError> {
        let late_ns = now_ns() + self.response_timeout_ns;
        let replies = self.connection.send_packed_command(request.bytes()).and_then(|()| {
            // The first failure ends it: every further read would wait for the timeout again.
            (0..request.replies()).map(|_| self.connection.recv_response()).collect::<RedisResult<Vec<_>>>()
        });
        match replies.map_err(RequestError::from).and_then(Replies::of_tree) {
            // The socket's timeout is for one read, the plan's for the request; redis-rs reads on as long as bytes come.
            Ok(_) if now_ns() > late_ns => Err(RequestError::Timeout),
            result => result,
        }
    }
}
