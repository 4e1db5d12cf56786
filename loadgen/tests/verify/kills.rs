//! kill -9 at any moment: a dyno's death ends the run with a report, loadgen's death ends everything.

use common::random::{below, mix};
use common::report::{Ended, RunResult};
use nix::sys::signal::Signal;
use testkit::TestServer;

use crate::support::process::{await_children, signal};
use crate::support::redis::Watch;
use crate::support::runs::assert_conserved;
use crate::support::{Loadgen, start};

const SEED: u64 = 20_261_124;

/// A run with two dynos, after a random number of tasks: up to three seconds of it.
fn somewhere_in_a_run(server: &TestServer, moment: u64) -> Loadgen {
    let engine = ["threaded", "async"][moment as usize % 2];
    let mut watch = Watch::on(server.addr());
    let run = start(&format!(
        "run --engine {engine} --workers 4 --dynos 2 --rate 200 --duration 600 --warmup 0.5 --list-max 3 --payload-kb 0.1 \
         --backlog-max 100000 --redis-url {}",
        server.url()
    ));
    // From the last untimed task on.
    watch.tasks(8 + below(mix(SEED, moment), 600) as usize);
    run
}

#[test]
fn a_dyno_may_die_at_any_moment() {
    for moment in 0..5 {
        let server = TestServer::start();
        let run = somewhere_in_a_run(&server, moment);
        let dynos = await_children(run.pid(), "workers-", 2);
        signal(dynos[moment as usize % 2].pid, Signal::SIGKILL);
        let finished = run.finish();
        if finished.runs.is_empty() {
            // Between the untimed tasks and the start of the run there is nothing to report yet.
            assert_eq!(finished.code, Some(1), "{finished}");
            continue;
        }
        let run = finished.run();
        assert_conserved(run);
        assert!(matches!(run.ended, Ended::DynoLost { .. }), "{:?}", run.ended);
        assert_eq!((run.verdict.result, finished.code), (RunResult::Invalid, Some(4)), "{finished}");
    }
}

#[test]
fn loadgen_may_die_at_any_moment() {
    for moment in 5..10 {
        let server = TestServer::start();
        let run = somewhere_in_a_run(&server, moment);
        assert_eq!(await_children(run.pid(), "workers-", 2).len(), 2);
        run.signal(Signal::SIGKILL);
        let finished = run.finish_with_orphans();
        assert_eq!((finished.code, finished.runs.len()), (None, 0), "{finished}");
    }
}
