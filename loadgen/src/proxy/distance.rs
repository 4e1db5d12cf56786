//! How far away the server really is: `PING`s without the proxy and through it, before the first task.

use std::time::Duration;

use common::latency::Latency;
use dyno::clock::now_ns;
use redis::{Connection, ConnectionLike};

/// `PING`s of a measurement, and how long they may take altogether; but always some.
const PINGS_MAX: u64 = 200;
const PINGS_MIN: u64 = 3;
const PINGS_US: u64 = 500_000;
/// What the first ones meet is thrown away: a connection that has just been opened, and cold caches.
const PINGS_COLD: u64 = 2;
/// How long the server may take for one, beyond the distance.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Round trips, before the run.
#[derive(Debug, Clone)]
pub struct Distance {
    /// Straight to the server.
    pub direct: Latency,
    /// Through the proxy.
    pub through: Latency,
}

/// Times `PING`s over both connections, one after the other on each; as many as fit into half a second at `rtt_us`.
///
/// # Errors
/// The server does not answer.
pub fn measure(direct: &mut Connection, through: &mut Connection, rtt_us: u32) -> anyhow::Result<Distance> {
    let count = (PINGS_US / u64::from(rtt_us).max(1)).clamp(PINGS_MIN, PINGS_MAX);
    through.set_read_timeout(Some(ANSWER_WITHIN + 2 * Duration::from_micros(rtt_us.into())))?;
    Ok(Distance { direct: pings(direct, count)?, through: pings(through, count)? })
}

fn pings(connection: &mut Connection, count: u64) -> anyhow::Result<Latency> {
    let ping = redis::cmd("PING").get_packed_command();
    let mut latency = Latency::new();
    for number in 0..count + PINGS_COLD {
        let begun_ns = now_ns();
        connection.req_packed_command(&ping)?;
        let took_ns = now_ns() - begun_ns;
        if number >= PINGS_COLD {
            latency.record(took_ns);
        }
    }
    Ok(latency)
}
