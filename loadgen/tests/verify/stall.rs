//! The self-test of `docs/method.md`: the server stands still for d, and the 99th percentile of response says so, to
//! within what theory allows.

use std::time::{Duration, Instant};

use common::latency::Latency;
use common::report::{Distribution, RunResult};
use nix::sys::signal::Signal;
use testkit::TestServer;

use crate::support::process::signal;
use crate::support::redis::Watch;
use crate::support::runs::assert_run;
use crate::support::start;

/// lambda, T, N, and workers < 0.005 N, so that the tasks in service during the stall do not reach a 99th percentile.
const RATE: f64 = 25.0;
const SECONDS: f64 = 20.0;
const WORKERS: f64 = 2.0;

/// d, as short and as long as it can have been: the server stands still once the signal is sent, and goes on, at the
/// latest, when it answers again.
fn stall(server: &TestServer) -> (f64, f64) {
    let mut connection = server.connection();
    // Between two arrivals: theory has room on both sides.
    std::thread::sleep(Duration::from_secs_f64(0.4 / RATE));
    let before = Instant::now();
    signal(server.pid(), Signal::SIGSTOP);
    let stopped = Instant::now();
    std::thread::sleep(Duration::from_secs(1));
    let shortest = stopped.elapsed();
    signal(server.pid(), Signal::SIGCONT);
    // Of all commands it is the one that is not taken for a task's, nor for a stranger's.
    redis::cmd("INFO").arg("server").exec(&mut connection).unwrap();
    (shortest.as_secs_f64(), before.elapsed().as_secs_f64())
}

fn seconds(distribution: &Distribution, p: f64) -> f64 {
    Latency::decode(&distribution.hdr_v2, 0).unwrap().percentile_ns(p, 0).unwrap() as f64 / 1e9
}

#[test]
fn a_stalled_server_shows_in_response_and_not_in_service() {
    for engine in ["threaded", "async"] {
        let server = TestServer::start();
        let mut watch = Watch::on(server.addr());
        let run = start(&format!(
            "run --engine {engine} --connections own --workers {WORKERS} --rate {RATE} --arrivals constant --duration {SECONDS} \
             --warmup 1 --list-max 10 --payload-kb 1 --backlog-max 100000 --set slo.drain_within_s=60 --redis-url {}",
            server.url()
        ));
        // Untimed tasks, warm-up, three seconds of the window.
        watch.tasks((WORKERS + RATE + 3.0 * RATE) as usize);
        drop(watch);
        let (d_low, d_high) = stall(&server);
        let finished = run.finish();
        let run = assert_run(&finished, RunResult::Ok);

        let (response, service) = (&run.latency_us.response, &run.latency_us.service);
        let n = RATE * SECONDS;
        assert_eq!(response.n as f64, n);
        let k = (0.01 * n).floor();
        // s between that of a fast task and that of the slowest one which the stall did not hit itself: right after it,
        // everybody wants the CPU at once.
        let slowest = 1.0 - WORKERS / n;
        let (s_low, s_high) = (seconds(response, 0.05), seconds(service, slowest));
        let rho = |p| RATE * seconds(service, p) / WORKERS;
        let (rho_low, rho_high) = (rho(0.05), rho(slowest));
        assert!(rho_high < 0.7, "this machine is too slow for the test: rho {rho_high}");
        assert!(WORKERS < 0.005 * n && SECONDS < d_low / (0.01 * (1.0 - rho_low)));
        let low = d_low + s_low - (1.0 - rho_low) * (k + 1.0) / RATE;
        let high = d_high + 2.0 * s_high - (1.0 - rho_high) * k / RATE;
        let p99 = response.p99.unwrap() / 1e6;
        println!(
            "{engine}: stood still for {d_low:.3} to {d_high:.3} s at rho {rho_low:.3} to {rho_high:.3}: p99 of response {p99:.3} s, \
             which must be from {low:.3} to {high:.3}; of service {:.6} s",
            service.p99.unwrap() / 1e6
        );
        // The histogram rounds to three digits, upwards.
        assert!(
            low <= p99 && p99 <= high * 1.001,
            "{engine}: p99 {p99} not in [{low}, {high}]; d {d_low}, rho {rho_low}-{rho_high}"
        );
        // Who asks only how long tasks took sees nothing.
        assert!(service.p99.unwrap() / 1e6 < d_low / 10.0, "{service:?}");
        assert!((response.max.unwrap() / 1e6 - d_low).abs() < 0.1, "{response:?}");
        assert!(run.latency_us.lateness.p99.unwrap() / 1e6 < d_low / 10.0, "the generator stood still with it");
    }
}
