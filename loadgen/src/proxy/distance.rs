//! How far away the server really is: `PING`s without the proxy and through it, before the first task.

use std::time::Duration;

use common::latency::Latency;
use dyno::clock::now_ns;
use redis::{Connection, ConnectionLike};

use crate::signals::Interrupt;

/// `PING`s of a measurement, and how long those through the proxy may take altogether; but always some.
const PINGS_MAX: u64 = 200;
const PINGS_MIN: u64 = 3;
const PINGS_WITHIN: Duration = Duration::from_millis(500);
/// What the first ones meet is thrown away, beside those: a connection that has just been opened, and cold caches.
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

/// Times `PING`s over both connections, one after the other on each; as many as fit into half a second where a round trip
/// through the proxy takes `round_trip`.
///
/// # Errors
/// The server does not answer; an interruption.
pub fn measure(
    direct: &mut Connection,
    through: &mut Connection,
    round_trip: Duration,
    interrupt: &Interrupt,
) -> anyhow::Result<Distance> {
    through.set_read_timeout(Some(ANSWER_WITHIN + round_trip))?;
    let count = count(round_trip);
    Ok(Distance { direct: pings(direct, count, interrupt)?, through: pings(through, count, interrupt)? })
}

/// `PING`s that are recorded: the cold ones have to fit, too.
fn count(round_trip: Duration) -> u64 {
    let fit = PINGS_WITHIN.as_nanos() / round_trip.as_nanos().max(1);
    u64::try_from(fit).unwrap_or(u64::MAX).saturating_sub(PINGS_COLD).clamp(PINGS_MIN, PINGS_MAX)
}

fn pings(connection: &mut Connection, count: u64, interrupt: &Interrupt) -> anyhow::Result<Latency> {
    let ping = redis::cmd("PING").get_packed_command();
    let mut latency = Latency::new();
    for number in 0..count + PINGS_COLD {
        interrupt.check()?;
        let begun_ns = now_ns();
        connection.req_packed_command(&ping)?;
        let took_ns = now_ns() - begun_ns;
        if number >= PINGS_COLD {
            latency.record(took_ns);
        }
    }
    Ok(latency)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{PINGS_COLD, count};

    #[test]
    fn they_fit_into_half_a_second_or_are_five() {
        for (round_trip_us, expected) in
            [(200, 200), (1_200, 200), (2_475, 200), (2_500, 198), (50_000, 8), (100_000, 3), (10_000_000, 3)]
        {
            let round_trip = Duration::from_micros(round_trip_us);
            let count = count(round_trip);
            assert_eq!(count, expected, "{round_trip_us}");
            assert!(round_trip * (count + PINGS_COLD) as u32 <= Duration::from_millis(500) || count == 3);
        }
    }
}
