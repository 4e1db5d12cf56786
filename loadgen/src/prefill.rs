//! Writes the documents before a run, in bounded pipelines.

use common::plan::Settings;
use common::request::{Replies, Request};
use common::task::Tasks;
use common::task::document::{SCRIPT, prefill};
use redis::{Connection, ConnectionLike};

use crate::error::Refused;
use crate::signals::Interrupt;

/// Loads the task's scripts and, where the plan asks for it, writes every worker's document.
///
/// # Errors
/// The server refuses, in a sentence; an interruption.
pub fn prepare(
    connection: &mut Connection,
    settings: &Settings,
    tasks: &Tasks,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
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
    Replies::of_tree(values).map(drop).map_err(|error| match error.is_out_of_memory() {
        true => Refused(
            "the server has no memory left for the documents: raise its maxmemory, or lower task.list_max, task.payload_kb or \
             workers.count"
                .to_owned(),
        )
        .into(),
        false => anyhow::anyhow!("the server refused the prefill: {error}"),
    })
}
