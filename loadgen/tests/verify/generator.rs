//! Self-tests of the generator: what happens to it is seen, and charged to nobody else.

use std::time::{Duration, Instant};

use common::report::{RunResult, Severity};
use nix::sys::signal::Signal;
use testkit::TestServer;

use crate::support::process::signal;
use crate::support::redis::Watch;
use crate::support::runs::{assert_conserved, failures};
use crate::support::{Finished, loadgen, start};
use crate::validity::failed;

#[path = "generator/hog.rs"]
pub mod hog;

use hog::Hog;

/// Tasks a second, constant: one falls due every millisecond.
const RATE: f64 = 1000.0;

/// Loadgen is stopped, once, while the workers and their server go on.
#[test]
fn a_generator_that_is_held_up_is_late_and_response_says_so() {
    for engine in ["threaded", "async"] {
        let server = TestServer::start();
        let mut watch = Watch::on(server.addr());
        let run = start(&format!(
            "run --engine {engine} --workers 8 --rate {RATE} --arrivals constant --duration 4 --warmup 1 --list-max 3 \
             --payload-kb 0.1 --redis-url {}",
            server.url()
        ));
        // Untimed tasks, warm-up, one second of the window.
        watch.tasks((8.0 + 2.0 * RATE) as usize);
        drop(watch);
        let before = Instant::now();
        signal(run.pid(), Signal::SIGSTOP);
        let stopped = Instant::now();
        std::thread::sleep(Duration::from_millis(100));
        let shortest = stopped.elapsed();
        signal(run.pid(), Signal::SIGCONT);
        let longest = before.elapsed();
        let finished = run.finish();
        let run = finished.run();
        assert_conserved(run);

        let seconds = |us: Option<f64>| us.unwrap() / 1e6;
        let (late, response) = (seconds(run.latency_us.lateness.max), seconds(run.latency_us.response.max));
        let from_send = seconds(run.latency_us.response_from_send.max);
        println!(
            "{engine}: held up for {:.1} to {:.1} ms: lateness {:.1}, response {:.1}, from send {:.1} ms at most",
            shortest.as_secs_f64() * 1e3,
            longest.as_secs_f64() * 1e3,
            late * 1e3,
            response * 1e3,
            from_send * 1e3
        );
        // The first task that fell due meanwhile waited for all of it but the gap before it.
        assert!(late >= shortest.as_secs_f64() - 1.0 / RATE && response >= late, "{late} {response}");
        assert!(from_send < late / 2.0, "{from_send}: it was not the workers' fault");
        // A hundred of 4000 tasks are more than a hundredth.
        assert_eq!((run.verdict.result, finished.code), (RunResult::Invalid, Some(4)), "{finished}");
        for name in ["on time", "lateness", "lateness share"] {
            assert!(failed(run).contains(&name), "{name}: {:?}", run.validity);
        }
    }
}

/// A 10 s outlier is the largest value there is, to three digits, and no histogram ends before it.
#[test]
fn an_outlier_of_ten_seconds_is_the_largest_response() {
    let server = TestServer::start();
    let mut watch = Watch::on(server.addr());
    let run = start(&format!(
        "run --engine async --workers 2 --rate 20 --arrivals constant --duration 13 --warmup 1 --list-max 3 --payload-kb 0.1 \
         --backlog-max 100000 --set redis.response_timeout_s=60 --set slo.drain_within_s=60 --redis-url {}",
        server.url()
    ));
    watch.tasks(2 + 2 * 20);
    drop(watch);
    signal(server.pid(), Signal::SIGSTOP);
    let stopped = Instant::now();
    std::thread::sleep(Duration::from_secs(10));
    let shortest = stopped.elapsed().as_secs_f64();
    signal(server.pid(), Signal::SIGCONT);
    let finished = run.finish();
    let run = finished.run();
    assert_conserved(run);
    let longest = run.latency_us.response.max.unwrap() / 1e6;
    println!(
        "stood still for {shortest:.3} s: response at most {longest:.3} s, p50 {:?} us",
        run.latency_us.response.p50
    );
    // The first task that met it came within a gap of its begin, and had been under way or was the next.
    assert!(longest >= shortest - 1.0 / 20.0 && longest < shortest + 1.0, "{longest}");
}

/// A busy loop at a higher priority has the generator's CPU.
#[test]
fn a_starved_generator_makes_a_run_invalid() {
    for (engine, workers) in [("threaded", 28), ("async", 28), ("threaded", 500), ("async", 500)] {
        let server = TestServer::start();
        let mut watch = Watch::on(server.addr());
        let begun = Instant::now();
        let run = start(&format!(
            "run --engine {engine} --workers {workers} --rate 1000 --duration 3 --warmup 1 --list-max 3 --payload-kb 0.1 \
             --pin loadgen=0/dynos=1 --redis-url {}",
            server.url()
        ));
        watch.tasks(workers + 1000);
        drop(watch);
        let hog = Hog::on(0);
        let finished = run.finish();
        let class = hog.end();
        let run = finished.run();
        println!(
            "{engine}, {workers} workers, busy loop {class}: {} after {:.1} s",
            run.verdict.reason,
            begun.elapsed().as_secs_f64()
        );
        assert_conserved(run);
        assert_eq!((run.verdict.result, finished.code), (RunResult::Invalid, Some(4)), "{finished}");
        assert!(failures(run).contains(&"on time"), "{:?}", run.validity);
        assert!(run.verdict.remedy.contains("lower the rate, or leave it more of the machine"), "{:?}", run.verdict);
        // Window, drain and what comes before and after them.
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }
}

/// A run that ends within a second is late as a whole when the host takes the CPUs away for ten milliseconds of it, whatever the
/// engine does. That is invalid by the rule, and rightly: such a run is made again, at most so often.
const HOST_STALLS: usize = 2;

/// Workers that cannot keep up take the CPU from everybody, and it is they who are blamed.
#[test]
fn an_overloaded_engine_is_overloaded_and_never_invalid() {
    for (engine, workers) in [("threaded", 28), ("async", 28), ("threaded", 500), ("async", 500)] {
        let mut begun = Instant::now();
        let mut overload = || {
            begun = Instant::now();
            loadgen(&format!(
                "run --engine {engine} --workers {workers} --connections pool --pool-size 28 --rate 30000 --duration 5 --warmup 1"
            ))
        };
        let late = |finished: &Finished| {
            let checks = &finished.run().validity.checks;
            let mut failed = checks.iter().filter(|check| !check.ok && check.severity == Severity::Invalid);
            failed.next().is_some_and(|check| check.name == "on time") && failed.next().is_none()
        };
        let mut finished = overload();
        let mut repeats = 0;
        while repeats < HOST_STALLS && late(&finished) {
            repeats += 1;
            println!("{engine}, {workers} workers: {}", finished.run().verdict.reason);
            finished = overload();
        }
        let run = finished.run();
        let bottleneck = run.verdict.bottleneck.unwrap();
        println!(
            "{engine}, {workers} workers, repeated {repeats} times for stalls of the host: {} ({} {:.0} %), {:.1} s",
            run.verdict.reason,
            bottleneck.resource,
            bottleneck.share * 100.0,
            begun.elapsed().as_secs_f64()
        );
        assert_conserved(run);
        let failed: Vec<_> =
            run.validity.checks.iter().filter(|check| !check.ok && check.severity == Severity::Invalid).collect();
        assert_eq!((run.verdict.result, finished.code), (RunResult::Overloaded, Some(3)), "{failed:?} {finished}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }
}
