//! Whether the network of a run was as far as the plan asked.

use super::generator::{TAIL_MIN, beyond};
use super::{Evidence, invalid};
use crate::report::{Check, Ended, Network, Resources};

/// Of one core: the proxy is one thread, and what comes while it is busy waits for it.
const CPU_SHARE_MAX: f64 = 0.9;
/// Half of the pieces may be this late, microseconds, or this share of a round trip.
const LATE_P50_US: f64 = 50.0;
const LATE_P50_SHARE: f64 = 0.05;
/// All but one in a hundred.
const LATE_P99_US: f64 = 1_000.0;
const LATE_P99_SHARE: f64 = 0.2;

/// Nothing where the plan asks for no distance.
pub(super) fn checks(evidence: &Evidence<'_>) -> Vec<Check> {
    evidence.network.map_or_else(Vec::new, |network| of(evidence.ended, network, evidence.resources))
}

fn of(ended: &Ended, network: &Network, resources: &Resources) -> Vec<Check> {
    let share = resources
        .proxy
        .and_then(|usage| usage.cpu_s())
        .filter(|_| resources.window_s > 0.0)
        .map(|cpu_s| cpu_s / resources.window_s);
    let lateness = network.passed_on.as_ref().map(|passed_on| &passed_on.lateness_us);
    let rtt_us = f64::from(network.asked_rtt_us);
    // Asked at both ends of a window that came to its end, it had every chance to say.
    let silent = lateness.is_none() && *ended == Ended::Complete;
    let late = |name, value: Option<f64>, limit: f64| {
        let remedy =
            "the delay proxy passed things on late: leave it more of the machine (--pin proxy=CPU), or lower the rate";
        invalid(name, value.is_none_or(|late| late <= limit), value, Some(limit), remedy)
    };
    let half_limit = LATE_P50_US.max(LATE_P50_SHARE * rtt_us);
    let half = lateness.and_then(|lateness| lateness.p50);
    let most = lateness.filter(|lateness| beyond(lateness.n, 0.99) >= TAIL_MIN).and_then(|lateness| lateness.p99);
    vec![
        invalid(
            "proxy alive",
            !matches!(ended, Ended::ProxyLost { .. }),
            None,
            None,
            "the delay proxy ended before the run did: what it had to say stands on stderr",
        ),
        invalid(
            "proxy cpu",
            share.is_none_or(|share| share <= CPU_SHARE_MAX),
            share,
            Some(CPU_SHARE_MAX),
            "the delay proxy is the bottleneck, one thread that was hardly ever idle: lower the rate, or redis.rtt_us = 0",
        ),
        if silent {
            let remedy = "the delay proxy was too busy to answer: leave it more of the machine (--pin proxy=CPU), or lower the rate";
            invalid("distance", false, None, Some(half_limit), remedy)
        } else {
            late("distance", half, half_limit)
        },
        late("distance p99", most, LATE_P99_US.max(LATE_P99_SHARE * rtt_us)),
    ]
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::latency::Latency;
    use crate::report::{Ended, Network, PassedOn, Resources, Usage};

    fn latency(us: [u64; 2], n: [u64; 2]) -> Latency {
        let mut latency = Latency::new();
        us.iter().zip(n).for_each(|(us, n)| (0..n).for_each(|_| latency.record(us * 1000)));
        latency
    }

    /// Half a second of CPU in a window of one; pieces that are 10 us late.
    fn good() -> (Ended, Network, Resources) {
        let pings = latency([100, 0], [200, 0]).distribution(0);
        let network = Network {
            asked_rtt_us: 2_000,
            jitter_us: 0,
            priority: "normal".to_owned(),
            direct_us: pings.clone(),
            through_us: pings,
            added_us: Some(2_010.0),
            passed_on: Some(PassedOn {
                pieces: 4_000,
                bytes: 1,
                connections: 1,
                queue_max: 1,
                lateness_us: latency([10, 0], [4_000, 0]).distribution(0),
            }),
        };
        let resources = Resources {
            window_s: 1.0,
            tasks: Some(1),
            workers: Usage::default(),
            redis: Usage::default(),
            loadgen: Usage::default(),
            proxy: Some(Usage { cpu_user_s: Some(0.1), cpu_sys_s: Some(0.4), ..Usage::default() }),
            throttling: None,
        };
        (Ended::Complete, network, resources)
    }

    #[track_caller]
    fn failed(spoil: impl FnOnce(&mut Ended, &mut Network, &mut Resources), names: &[&str]) {
        let (mut ended, mut network, mut resources) = good();
        spoil(&mut ended, &mut network, &mut resources);
        let checks = of(&ended, &network, &resources);
        let failed: Vec<&str> = checks.iter().filter(|check| !check.ok).map(|check| check.name.as_str()).collect();
        assert_eq!(failed, names);
    }

    fn late(network: &mut Network, us: [u64; 2], n: [u64; 2]) {
        if let Some(passed_on) = &mut network.passed_on {
            passed_on.lateness_us = latency(us, n).distribution(0);
        }
    }

    #[test]
    fn every_check_trips() {
        failed(|_, _, _| {}, &[]);
        failed(|ended, _, _| *ended = Ended::ProxyLost { at_s: 0.5, status: "signal: 9".to_owned() }, &["proxy alive"]);
        failed(|_, _, resources| resources.window_s = 0.5, &["proxy cpu"]);
        failed(|_, network, _| late(network, [99, 0], [4_000, 0]), &[]);
        failed(|_, network, _| late(network, [101, 0], [4_000, 0]), &["distance"]);
        failed(|_, network, _| late(network, [10, 999], [3_900, 100]), &[]);
        failed(|_, network, _| late(network, [10, 1_001], [3_900, 100]), &["distance p99"]);
        // Too few to say so.
        failed(|_, network, _| late(network, [10, 1_001], [900, 100]), &[]);
        let far = |network: &mut Network| network.asked_rtt_us = 50_000;
        failed(
            |_, network, _| {
                far(network);
                late(network, [2_400, 9_900], [3_900, 100]);
            },
            &[],
        );
        // Nothing came through it.
        failed(|_, network, _| late(network, [10, 0], [0, 0]), &[]);
        // One that is too busy to say how late it was.
        let silent = |network: &mut Network, resources: &mut Resources| {
            (network.passed_on, resources.proxy) = (None, None);
        };
        failed(|_, network, resources| silent(network, resources), &["distance"]);
        // Of a run that ended early what was not measured is no failure; that the proxy is gone says so itself.
        for (early, names) in [
            (Ended::Interrupted, vec![]),
            (Ended::Overloaded, vec![]),
            (Ended::ProxyLost { at_s: 0.5, status: "signal: 9".to_owned() }, vec!["proxy alive"]),
        ] {
            let end = |ended: &mut Ended, network: &mut Network, resources: &mut Resources| {
                *ended = early;
                silent(network, resources);
            };
            failed(end, &names);
        }
    }
}
