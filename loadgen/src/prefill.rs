//! Writes the documents before a run, in bounded pipelines.

use common::plan::Settings;
use common::queue;
use common::request::{Replies, Request, RequestError};
use common::task::Tasks;
use common::task::document::{SCRIPT, prefill};
use redis::{Connection, ConnectionLike};

use crate::error::Refused;
use crate::signals::Interrupt;

/// Loads the scripts of tasks and queue, makes the queue, and, where the plan asks for it, writes every worker's document.
///
/// # Errors
/// The server refuses, in a sentence; an interruption.
pub fn prepare(
    connection: &mut Connection,
    settings: &Settings,
    tasks: &Tasks,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    if let Some(queue) = &settings.queue {
        send(connection, &queue::prepare(queue.kind))?;
    }
    let Some(documents) = tasks.documents() else { return Ok(()) };
    let load = Request::new().command("SCRIPT", [b"LOAD".as_slice(), SCRIPT.as_bytes()]);
    send(connection, &load)?;
    if settings.task.prefill {
        for request in (0..settings.workers.total()).flat_map(|worker| prefill(documents, worker)) {
            interrupt.check()?;
            send(connection, &request)?;
        }
    }
    Ok(())
}

fn send(connection: &mut Connection, request: &Request) -> anyhow::Result<()> {
    let values = connection.req_packed_commands(request.bytes(), 0, request.replies())?;
    Replies::of_tree(values).map(drop).map_err(|error| {
        let why = match &error {
            error if error.is_out_of_memory() => {
                "the server has no memory left for the documents: raise its maxmemory, or lower task.list_max, task.payload_kb or \
                 workers.count"
            }
            RequestError::Server { code, .. } if code == "BUSYGROUP" => {
                "the queue has a consumer group, although the database was empty: somebody else uses it; stop them, or name another \
                 database"
            }
            _ => return anyhow::anyhow!("the server refused the prefill: {error}"),
        };
        Refused(why.to_owned()).into()
    })
}

#[cfg(test)]
mod tests {
    use common::plan::QueueKind;
    use testkit::TestServer;

    use super::{queue, send};
    use crate::error::Refused;

    #[test]
    fn a_queue_that_somebody_else_has_made_is_not_taken_over() {
        let server = TestServer::start();
        let mut connection = server.connection();
        for kind in [QueueKind::List, QueueKind::Stream] {
            send(&mut connection, &queue::prepare(kind)).unwrap();
        }
        let refused = send(&mut connection, &queue::prepare(QueueKind::Stream)).unwrap_err();
        assert!(refused.is::<Refused>() && refused.to_string().contains("has a consumer group"), "{refused}");
    }
}
