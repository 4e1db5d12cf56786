//! What limited a run, from what was measured of each resource.

use crate::report::{Pressure, Resource};

/// A resource of which so much is used is at its limit.
pub const EXHAUSTED: f64 = 0.9;
/// Service that is mostly the way to the server and back.
const DISTANT: f64 = 0.5;

/// The first resource in `pressure` that is at its limit, for it makes those behind it wait; without one, the most used.
/// `distance`: the part of service that is the way to the server and back; where connections or workers are short and spend
/// most of their time on it, the distance is what is too long.
#[must_use]
pub fn bottleneck(pressure: &[Pressure], distance: Option<f64>) -> Option<Pressure> {
    let first = pressure.iter().find(|one| one.share >= EXHAUSTED);
    let found = first.or_else(|| pressure.iter().max_by(|a, b| a.share.total_cmp(&b.share))).copied()?;
    let waits = matches!(found.resource, Resource::Connections | Resource::Workers);
    Some(match distance {
        Some(distance) if waits && distance >= DISTANT => Pressure { resource: Resource::NetworkDistance, ..found },
        _ => found,
    })
}

/// What would take it away.
#[must_use]
pub fn remedy(resource: Resource) -> &'static str {
    match resource {
        Resource::Generator => "a lower rate, or a machine of its own for the generator",
        Resource::Proxy => "a lower rate, or fewer connections through the delay proxy",
        Resource::ServerCpu => {
            "a lower rate, smaller documents, or a server with a faster CPU; more workers do not help"
        }
        Resource::WorkerCpu => "a lower rate, or more CPUs or dynos; more workers do not help",
        Resource::Connections => "more connections (pool_size), or a lower rate",
        Resource::Permits => "more permits or dynos, or a lower rate; more workers do not help",
        Resource::Workers => "more workers (where tasks wait in Redis more prefetch may do), or a lower rate",
        Resource::NetworkDistance => "more workers and connections, or a Redis server that is nearer",
    }
}

#[cfg(test)]
mod tests {
    use super::bottleneck;
    use crate::report::{Pressure, Resource};

    #[test]
    fn the_first_at_its_limit_is_named_and_distance_in_place_of_waiting() {
        use Resource::{Connections, NetworkDistance, Permits, ServerCpu, WorkerCpu, Workers};
        let of = |shares: [f64; 5], distance: Option<f64>| {
            let resources = [ServerCpu, WorkerCpu, Connections, Permits, Workers];
            let pressure: Vec<Pressure> =
                resources.into_iter().zip(shares).map(|(resource, share)| Pressure { resource, share }).collect();
            bottleneck(&pressure, distance).map(|found| found.resource)
        };
        for (shares, distance, expected) in [
            // Everybody waits for the server.
            ([0.95, 0.5, 0.99, 0.0, 1.0], None, ServerCpu),
            ([0.5, 0.92, 0.99, 0.0, 1.0], None, WorkerCpu),
            ([0.5, 0.5, 0.99, 0.0, 1.0], Some(0.1), Connections),
            ([0.5, 0.5, 0.99, 0.0, 1.0], Some(0.7), NetworkDistance),
            ([0.5, 0.5, 0.1, 0.5, 1.0], Some(0.2), Workers),
            // Whoever waits for a permit has a worker.
            ([0.5, 0.5, 0.1, 0.97, 1.0], Some(0.2), Permits),
            // Nobody is at a limit: who is nearest.
            ([0.5, 0.3, 0.1, 0.0, 0.2], Some(0.9), ServerCpu),
            ([0.1, 0.3, 0.1, 0.0, 0.4], Some(0.9), NetworkDistance),
        ] {
            assert_eq!(of(shares, distance), Some(expected), "{shares:?} {distance:?}");
        }
        assert_eq!(bottleneck(&[], None), None);
    }
}
