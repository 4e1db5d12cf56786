//! The network distance of a run: a proxy before the server, and how far away it really makes it.

use std::time::Duration;

use common::latency::{Latency, microseconds};
use common::plan::{RedisSettings, Settings, Variant};
use common::report::{Network, PassedOn};
use redis::Connection;

use crate::placement::{Part, Placement};
use crate::proxy::distance::{Distance, measure};
use crate::proxy::process::DelayProxy;
use crate::proxy::{Options, Tally};
use crate::redis_server::ServerUrl;
use crate::server::{Server, connect};
use crate::signals::Interrupt;

/// Round trips of a task of any kind but `synthetic`, generously.
const ROUND_TRIPS: u32 = 8;

/// A server that has been moved away.
pub(super) struct Far {
    pub(super) proxy: DelayProxy,
    /// For the dynos.
    pub(super) url: ServerUrl,
    distance: Distance,
}

impl Far {
    /// Starts the proxy of a run, and measures what it adds; `None` when the plan asks for no distance. `direct` is a
    /// connection to the server itself.
    ///
    /// # Errors
    /// The proxy does not start, or the server does not answer through it; an interruption.
    pub(super) fn start(
        server: &Server,
        direct: &mut Connection,
        redis: &RedisSettings,
        seed: u64,
        placement: &Placement,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Option<Far>> {
        let RedisSettings { rtt_us, jitter_us, .. } = *redis;
        if rtt_us == 0 {
            return Ok(None);
        }
        let real_time = !placement.proxy_is_beside_loadgen();
        let options = Options { upstream: server.address()?, rtt_us, jitter_us, seed, real_time };
        let proxy = DelayProxy::start(&options, &placement.seat(Part::Proxy)?)?;
        let url = server.url.at(proxy.address)?;
        let round_trip = Duration::from_secs_f64(redis.distance_s_max());
        let mut through = connect(&url, round_trip)?;
        let distance = measure(direct, &mut through, round_trip, interrupt)?;
        Ok(Some(Far { proxy, url, distance }))
    }

    /// What the report says of it; `tally` is of the window.
    pub(super) fn report(&self, redis: &RedisSettings, tally: Option<&Tally>) -> Network {
        let Distance { direct, through } = &self.distance;
        let median = |latency: &Latency| latency.percentile_ns(0.5, 0).map(microseconds);
        Network {
            asked_rtt_us: redis.rtt_us,
            jitter_us: redis.jitter_us,
            priority: self.proxy.priority.clone(),
            direct_us: direct.distribution(0),
            through_us: through.distribution(0),
            added_us: median(through).zip(median(direct)).map(|(through, direct)| through - direct),
            passed_on: tally.and_then(|tally| {
                Some(PassedOn {
                    pieces: tally.pieces,
                    bytes: tally.bytes,
                    connections: tally.connections,
                    queue_max: tally.queue_max,
                    lateness_us: Latency::decode(&tally.lateness, tally.lateness_beyond).ok()?.distribution(0),
                })
            }),
        }
    }
}

/// What the distance makes one task of every worker take longer, all at once.
pub(super) fn untimed_longer(settings: &Settings, variant: &Variant) -> Duration {
    let longest = (0..settings.workers.dynos).map(|dyno| settings.workers.count_of(dyno)).max().unwrap_or(1);
    let turns = longest.div_ceil(variant.connections_per_dyno(longest).max(1));
    let round_trips = settings.task.redis_round_trips.max(ROUND_TRIPS);
    Duration::from_secs_f64(settings.redis.distance_s_max() * f64::from(round_trips) * f64::from(turns))
}
