//! Dynos whose clock is another: in time namespaces of their own, as if on machines that were started at other times.

use std::process::Command;

use common::report::RunResult;

use crate::support::redis::free_address;
use crate::support::runs::assert_run;
use crate::support::{binary, start, worker, worker_by};

/// Such clocks are ahead of this one by so much.
const SECONDS: [i32; 2] = [5000, -30];
/// Of `unshare`, which sets the clock of a namespace to whole seconds.
const US_PER_SECOND: f64 = 1e6;

/// Begins a command in a time namespace. As another user than root it takes a user namespace too.
fn ahead_by(seconds: i32) -> Command {
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--time", "--fork", "--kill-child", "--monotonic", &seconds.to_string(), "--"]);
    command
}

#[test]
fn dynos_with_other_clocks_are_measured_as_if_they_had_this_one() {
    for seconds in SECONDS {
        let tried = ahead_by(seconds).arg("true").output();
        let possible = tried.as_ref().is_ok_and(|output| output.status.success());
        assert!(possible, "no time namespaces here, which this test needs (root, Linux 5.6, util-linux): {tried:?}");
    }
    for engine in ["threaded", "async"] {
        check(engine);
    }
}

/// Three dynos, of which two have clocks of their own.
fn check(engine: &str) {
    let address = free_address();
    let mut run = start(&format!(
        "run --engine {engine} --listen {address} --dynos 3 --workers 3 --rate 150 --duration 3 --warmup 1 --list-max 3 \
         --backlog-max 1000 --set slo.drain_within_s=60"
    ));
    run.await_stderr("waiting for 3 x");
    let (name, address) = (format!("workers-{engine}"), address.to_string());
    let mut dynos = vec![worker(&name, &address)];
    for seconds in SECONDS {
        let mut command = ahead_by(seconds);
        command.arg(binary(&name));
        dynos.push(worker_by(command, &address));
    }
    let finished = run.finish();
    for dyno in dynos {
        let dyno = dyno.finish();
        assert_eq!((dyno.code, dyno.stdout.as_str(), dyno.stderr.as_str()), (Some(0), "", ""), "{dyno}");
    }

    let run = assert_run(&finished, RunResult::Ok);
    // Dynos are numbered as they come.
    let mut clocks = run.clocks.clone();
    clocks.sort_by(|a, b| b.offset_us.total_cmp(&a.offset_us));
    assert_eq!(clocks.len(), 2, "{clocks:?}");
    for (clock, seconds) in clocks.iter().zip(SECONDS) {
        let error_us = (clock.offset_us - f64::from(seconds) * US_PER_SECOND).abs();
        assert!(error_us <= clock.uncertainty_us, "{error_us} {clock:?}");
        // One kernel, one crystal.
        assert!(clock.drift_us.is_some_and(|drift_us| drift_us.abs() <= clock.uncertainty_us), "{clock:?}");
    }
    let clock_check = run.validity.checks.iter().find(|check| check.name == "clock offset").unwrap();
    assert!(clock_check.value.is_some() && clock_check.ok, "{clock_check:?}");

    let latency = &run.latency_us;
    assert_eq!((latency.response.n, run.counts.completed), (450, 450));
    for distribution in [&latency.lateness, &latency.queue_wait, &latency.service, &latency.response] {
        // A clock that was not converted would be seconds off.
        assert!(
            distribution.max.is_some_and(|max_us| (0.0..10.0 * US_PER_SECOND).contains(&max_us)),
            "{distribution:?}"
        );
    }
    assert!(latency.response.p50.is_some_and(|p50_us| p50_us < US_PER_SECOND), "{:?}", latency.response);
    // Totals need every dyno's counters for the same tenth of a second.
    let backlog = &run.backlog;
    assert!(backlog.total_max.is_some_and(|total| total < 450) && backlog.slope_per_s.is_some(), "{backlog:?}");
    assert!(backlog.drain_ms.is_some_and(|drain_ms| drain_ms < 10_000.0), "{backlog:?}");
    // Warm-up and window, and what is said after them.
    assert!((4..=6).contains(&run.timeline.len()), "{:?}", run.timeline);
    let completed = |second: &common::report::Second| second.completed;
    assert!(run.timeline[..4].iter().map(completed).sum::<u64>() >= 300, "{:?}", run.timeline);
}
