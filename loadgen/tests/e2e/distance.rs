//! Runs with a distance between dynos and server.

use common::report::{Ended, RunResult};
use nix::sys::signal::Signal;

use crate::support::process::{await_children, signal};
use crate::support::redis::Watch;
use crate::support::runs::{assert_run, failures};
use crate::support::{loadgen, process, start};

#[test]
fn a_distance_is_made_measured_and_reported() {
    for engine in ["threaded", "async"] {
        let finished = loadgen(&format!(
            "run --engine {engine} --task document --workers 4 --rate 50 --duration 1 --warmup 0.2 --list-max 3 --payload-kb 0.1 \
             --backlog-max 1000 --set redis.rtt_us=heroku --set slo.drain_within_s=60 --set load.drain_s=60"
        ));
        let run = assert_run(&finished, RunResult::Ok);
        let network = run.network.as_ref().unwrap();
        assert_eq!((network.asked_rtt_us, network.jitter_us, run.plan.settings.redis.rtt_us), (1200, 0, 1200));
        assert_eq!((network.direct_us.n, network.through_us.n), (200, 200));
        assert!(network.through_us.p50.unwrap() >= 1000.0 && network.added_us.is_some(), "{network:?}");
        if let Some(passed_on) = &network.passed_on {
            // Connections and sockets are those of an instant: a busy machine may look when the dynos are gone.
            assert!(passed_on.pieces > 0 && passed_on.bytes > 0, "{passed_on:?}");
            assert!(passed_on.lateness_us.n > 0);
            let usage = run.resources.proxy.unwrap();
            assert!(usage.cpu_user_s.is_some() && usage.threads == Some(1), "{usage:?}");
            assert!(usage.sockets.is_some_and(|sockets| sockets >= 2), "its listener and loadgen's: {usage:?}");
        } else {
            // A busy machine may leave it no time to answer, and then nobody knows how far away the server was.
            assert!(failures(run).contains(&"distance"), "{network:?} {:?}", run.validity);
        }
        assert!(run.latency_us.service.p50.unwrap() >= 4.0 * 1200.0, "{:?}", run.latency_us.service.p50);
        assert!(run.host.placement.iter().any(|placed| placed.process == "proxy"));
        assert!(finished.stdout.contains("1.2 ms a round trip"), "{finished}");
    }
}

#[test]
fn without_a_distance_there_is_no_proxy() {
    let finished = loadgen("run --engine async --task null --workers 2 --rate 50 --duration 0.3 --warmup 0");
    assert!(finished.run().network.is_none() && finished.run().resources.proxy.is_none());
}

#[test]
fn a_run_whose_proxy_is_gone_is_invalid() {
    let run = start(
        "run --engine async --workers 2 --rate 50 --duration 600 --warmup 0 --list-max 3 --payload-kb 0.1 \
         --backlog-max 1000000 --set redis.rtt_us=200",
    );
    let (_, address) = process::private_server(&run);
    Watch::on(address).tasks(2 + 10);
    let proxy = await_children(run.pid(), "loadgen", 1).remove(0);
    signal(proxy.pid, Signal::SIGKILL);
    let finished = run.finish();
    let lost = finished.run();
    assert!(matches!(&lost.ended, Ended::ProxyLost { status, .. } if status.contains("SIGKILL")), "{:?}", lost.ended);
    assert_eq!((finished.code, lost.verdict.result), (Some(4), RunResult::Invalid), "{finished}");
    assert!(failures(lost).contains(&"proxy alive"), "{finished}");
    assert!(lost.verdict.reason.contains("the delay proxy ended"), "{:?}", lost.verdict);
}
