//! However loadgen ends, nothing that it has started outlives it.

use std::fs;

use nix::sys::signal::Signal;
use testkit::TestServer;

use crate::support::process::{Process, await_children, await_taken, of_site, private_server, signal};
use crate::support::redis::{Watch, free_address, hold_writes};
use crate::support::{start, worker};

const ENDLESS: &str = "--workers 2 --dynos 2 --rate 50 --duration 600 --warmup 0 --list-max 3 --payload-kb 0.1 \
                       --backlog-max 100000 --set load.drain_s=600";

/// What a process says of huge pages.
fn huge_pages(process: &Process) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).ok()?;
    status.lines().find_map(|line| line.strip_prefix("THP_enabled:")).map(|value| value.trim().to_owned())
}

#[test]
fn what_a_killed_loadgen_has_started_ends_with_it() {
    for engine in ["threaded", "async"] {
        let run = start(&format!("run --engine {engine} {ENDLESS}"));
        let workers = await_children(run.pid(), "workers-", 2);
        // Its workers are there, so it listens.
        let (server, address) = private_server(&run);
        Watch::on(address).tasks(4 + 10);
        assert_eq!(of_site(run.site()).len(), 1 + workers.len() + 1, "loadgen, its dynos and its server");
        // Kernels before 5.0 do not say; none says anything but that they are off.
        let huge: Vec<_> = workers.iter().chain([&server]).filter_map(huge_pages).collect();
        assert!(huge.iter().all(|enabled| enabled == "0"), "{huge:?}");
        run.signal(Signal::SIGKILL);
        let finished = run.finish_with_orphans();
        assert_eq!((finished.code, finished.runs.len()), (None, 0), "{finished}");
        for process in workers.iter().chain([&server]) {
            assert!(!fs::exists(format!("/proc/{}/exe", process.pid)).unwrap_or(false), "{process:?}");
        }
    }
}

/// The first one waits for what was sent, and here that never ends; the second one waits for nothing.
#[test]
fn a_second_interrupt_ends_everything_at_once() {
    let server = TestServer::start();
    let mut watch = Watch::on(server.addr());
    let run = start(&format!("run --engine threaded {ENDLESS} --redis-url {}", server.url()));
    watch.tasks(4 + 10);
    hold_writes(&server);
    watch.calls("GET", 2);
    run.signal(Signal::SIGINT);
    await_taken(run.pid());
    run.signal(Signal::SIGINT);
    let finished = run.finish_with_orphans();
    assert_eq!((finished.code, finished.runs.len()), (Some(130), 0), "{finished}");
}

#[test]
fn an_interrupt_while_dynos_are_awaited_ends_the_run_before_it_began() {
    let server = TestServer::start();
    let address = free_address();
    let line = format!("run --engine async {ENDLESS} --listen {address} --redis-url {}", server.url());
    let mut run = start(&line);
    run.await_stderr("waiting for 2 x `workers-async --connect");
    // One of two is there already, and is sent home.
    let mut dyno = worker("workers-async", &address.to_string());
    run.signal(Signal::SIGINT);
    let finished = run.finish();
    assert_eq!((finished.code, finished.runs.len()), (Some(130), 0), "{finished}");
    assert_eq!(finished.stderr.lines().last(), Some("loadgen: interrupted"), "{finished}");
    dyno.await_end();
}

/// Wherever in its start-up it is hit.
#[test]
fn an_interrupt_during_start_up_leaves_nothing() {
    let mut run = start(&format!("run --engine threaded {ENDLESS}"));
    run.await_stderr("starting");
    run.signal(Signal::SIGINT);
    let finished = run.finish();
    assert_eq!(finished.code, Some(130), "{finished}");

    // With documents that take long to write.
    let mut run = start("run --engine threaded --workers 50 --rate 10 --duration 600 --list-max 1000 --payload-kb 0.1");
    run.await_stderr("starting");
    private_server(&run);
    run.signal(Signal::SIGTERM);
    let finished = run.finish();
    assert_eq!((finished.code, finished.runs.len()), (Some(130), 0), "{finished}");
}

#[test]
fn a_server_that_is_gone_when_the_dynos_connect_is_reported() {
    let server = TestServer::start();
    let mut run =
        start(&format!("run --engine async --listen {} {ENDLESS} --redis-url {}", free_address(), server.url()));
    let said = run.await_stderr("waiting for 2 x");
    let address = said.split("--connect ").nth(1).unwrap().split('`').next().unwrap().to_owned();
    signal(server.pid(), Signal::SIGKILL);
    assert!(loadgen::child::wait_for_exit(server.pid(), crate::support::LONG).unwrap());
    let dynos = [worker("workers-async", &address), worker("workers-async", &address)];
    let finished = run.finish();
    assert_eq!((finished.code, finished.stdout.as_str(), finished.runs.len()), (Some(2), "", 0), "{finished}");
    assert!(finished.stderr.contains("a dyno cannot start"), "{finished}");
    for mut dyno in dynos {
        dyno.await_end();
    }
}
