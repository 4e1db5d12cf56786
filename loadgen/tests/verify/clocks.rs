//! Dynos whose clock is another: in time namespaces of their own, as if on machines that were started at other times.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::report::RunResult;

use crate::support::redis::free_address;
use crate::support::runs::{assert_conserved, assert_run, failures};
use crate::support::{binary, start, worker, worker_by};
use crate::validity::failed;

/// Such clocks are ahead of this one by so much.
const SECONDS: [i32; 2] = [5000, -30];
/// Of `unshare`, which sets the clock of a namespace to whole seconds.
const US_PER_SECOND: f64 = 1e6;

/// Of the way between loadgen and a dyno far away, in one direction. Its clock can be read to as much, no better.
const FAR: Duration = Duration::from_millis(5);

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

/// Other clocks are read through the network: who is too far away for it gets no latencies.
#[test]
fn a_clock_that_cannot_be_read_well_enough_makes_a_run_invalid() {
    let address = free_address();
    let mut run = start(&format!(
        "run --engine async --listen {address} --workers 3 --rate 100 --duration 2 --warmup 0.5 --list-max 3 --backlog-max 1000"
    ));
    run.await_stderr("waiting for 1 x");
    let mut command = ahead_by(SECONDS[0]);
    command.arg(binary("workers-async"));
    let dyno = worker_by(command, &far_from(address).to_string());
    let finished = run.finish();
    dyno.finish();
    let run = finished.run();
    assert_conserved(run);
    println!("{:?}, {:?}, {}", run.clocks, failed(run), run.verdict.reason);
    assert_eq!((run.verdict.result, finished.code), (RunResult::Invalid, Some(4)), "{finished}");
    assert!(failures(run).contains(&"clock offset"), "{:?}", run.validity);
    assert!(run.clocks[0].uncertainty_us >= FAR.as_secs_f64() * US_PER_SECOND, "{:?}", run.clocks);
    assert!(run.verdict.remedy.contains("put them on one quiet network"), "{:?}", run.verdict);
}

/// An address from which everything comes to `address` and back, each piece late.
fn far_from(address: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = listener.local_addr().unwrap();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let away = TcpStream::connect(address).unwrap();
            for (from, to) in [(near.try_clone().unwrap(), away.try_clone().unwrap()), (away, near)] {
                to.set_nodelay(true).unwrap();
                thread::spawn(move || pass_on(from, to));
            }
        }
    });
    far
}

/// Until one of them has ended, which the other is told.
fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        thread::sleep(FAR);
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
