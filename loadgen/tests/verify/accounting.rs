//! Nothing is lost out of a queue, whatever dies: a hundred thousand jobs of which one in a hundred fails, a dyno that is killed half-way
//! and another in its place, the connections of all clients cut twice, and at last a dyno that stands still for so long that a third takes
//! over what it holds. Every job has its result in the server, once; what dynos say of duplicates and of the dead is what the server says.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use common::plan::{Plan, QueueKind};
use common::queue::IN_VAIN;
use common::task::Tasks;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis::Connection;
use testkit::TestServer;
use testkit::hand::{HandDyno, fill};

use crate::support::binary;

const JOBS: u64 = 100_000;
/// Far beyond what it takes.
const LONG: Duration = Duration::from_secs(300);

fn plan(engine: &str, kind: &str) -> Plan {
    let text = format!(
        "name = \"accounting\"\n[task]\nkind = \"job\"\nfail_share = 0.01\n[load]\nrate_per_s = 1\nduration_s = 3600\n[workers]\n\
         count = 50\n[queue]\nkind = \"{kind}\"\nprefetch = 2\nvisibility_timeout_s = 1\nattempts_max = 5\nbackoff_ms = 20\n\
         record_results = true\n[[variant]]\nname = \"{engine}\"\nengine = \"{engine}\"\nconnections = \"own\"\n"
    );
    Plan::parse(&text, &[]).unwrap()
}

/// Blocks until so many jobs have ended: have a result, or are dead.
fn await_ends(server: &TestServer, count: u64) {
    let begun = Instant::now();
    let mut connection = server.connection();
    let mut ended = || -> u64 {
        let results: u64 = redis::cmd("HLEN").arg("test:queue:results").query(&mut connection).unwrap();
        let dead: u64 = redis::cmd("XLEN").arg("test:queue:dead").query(&mut connection).unwrap();
        results + dead
    };
    while ended() < count {
        assert!(begun.elapsed() < LONG, "{} of {count}", ended());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Blocks until a dyno has put back what another one held.
fn await_redelivery(dyno: &HandDyno) {
    let begun = Instant::now();
    while dyno.said().queue.redeliveries == 0 {
        assert!(begun.elapsed() < LONG, "{:?}", dyno.said());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Stops the process when it has claimed something that it has not settled.
fn stop_with_work(pid: Pid, connection: &mut Connection, kind: QueueKind) {
    loop {
        kill(pid, Signal::SIGSTOP).unwrap();
        // Until the server has done what it was told before.
        std::thread::sleep(Duration::from_millis(2));
        let left = loadgen::queue::left(connection, kind).unwrap();
        if left.in_flight > 0 {
            break;
        }
        assert!(left.visible != Some(0), "all was done before it could be stopped");
        kill(pid, Signal::SIGCONT).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn cut_all_connections(server: &TestServer) {
    redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec(&mut server.connection()).unwrap();
}

/// What became of claims that settled nothing.
#[derive(Debug, PartialEq)]
struct Ended {
    duplicates: u64,
    dead: u64,
    given_up: u64,
}

impl Ended {
    /// What the server has told the dyno with this token.
    fn of(connection: &mut Connection, token: u64) -> Ended {
        let told: HashMap<Vec<u8>, String> = redis::cmd("HGETALL").arg("test:queue:told").query(connection).unwrap();
        let consumer = format!("0-{token:x}");
        let by = format!(" {consumer}:");
        let is_its = |claim: &[u8]| claim.windows(by.len()).any(|part| part == by.as_bytes());
        let count = |fate: &str| told.iter().filter(|&(claim, said)| said == fate && is_its(claim)).count() as u64;
        let given_up: Option<u64> =
            redis::cmd("HGET").arg("test:queue:upkeep").arg(format!("{consumer} 3")).query(connection).unwrap();
        Ended {
            duplicates: IN_VAIN.into_iter().map(count).sum(),
            dead: count("buried"),
            given_up: given_up.unwrap_or(0),
        }
    }
}

#[test]
fn every_job_is_accounted_for() {
    for (engine, kind) in [("threaded", "stream"), ("threaded", "list"), ("async", "stream"), ("async", "list")] {
        let begun = Instant::now();
        let plan = plan(engine, kind);
        let settings = &plan.cells[0].settings;
        let queue = settings.queue.as_ref().unwrap();
        let tasks = Tasks::new(settings, 1, 0.0);
        let server = TestServer::start();
        fill(&mut server.connection(), queue.kind, 0..JOBS / 4 * 3, &tasks);
        let binary = binary(&format!("workers-{engine}"));
        let mut first = HandDyno::start(&binary, &plan, &server.url(), 1);
        first.begin();
        await_ends(&server, JOBS / 4);
        cut_all_connections(&server);
        await_ends(&server, JOBS / 2);
        let killed = first.kill();
        let mut second = HandDyno::start(&binary, &plan, &server.url(), 2);
        second.begin();
        // What the one that was killed held has come back and is done; then there is more to do.
        await_ends(&server, JOBS / 4 * 3);
        fill(&mut server.connection(), queue.kind, JOBS / 4 * 3..JOBS, &tasks);
        await_ends(&server, JOBS / 20 * 17);
        cut_all_connections(&server);
        await_ends(&server, JOBS / 20 * 18);
        let of_second = Pid::from_raw(second.pid().cast_signed());
        stop_with_work(of_second, &mut server.connection(), queue.kind);
        let mut third = HandDyno::start(&binary, &plan, &server.url(), 3);
        third.begin();
        await_redelivery(&third);
        kill(of_second, Signal::SIGCONT).unwrap();
        await_ends(&server, JOBS);
        let mut connection = server.connection();
        let stopped = [second.stop(), third.stop()];
        // Nobody moves anything any more, and there is nothing left to do.
        let left = loadgen::queue::left(&mut connection, queue.kind).unwrap();
        assert_eq!(left.visible.unwrap_or(0) + left.in_flight + left.delayed, 0, "{left:?}");
        let results = loadgen::queue::results(&mut connection, queue, &tasks, 0..JOBS).unwrap().unwrap();
        println!(
            "{engine} {kind}: {:.1} s, {results:?}, {left:?}, killed {:?}, then {:?}",
            begun.elapsed().as_secs_f64(),
            killed.queue,
            stopped.each_ref().map(|dyno| dyno.queue)
        );
        assert_eq!((results.right, results.wrong, results.missing), (results.expected, 0, 0));
        assert_eq!(results.sum, results.sum_expected);
        // Those whose handler says no, each once.
        assert_eq!(left.dead, JOBS - results.expected);
        assert!(results.expected < JOBS);
        // The server knows it of everybody. Of the one that was killed the last tenth of a second is not known.
        let server = [1, 2, 3].map(|token| Ended::of(&mut connection, token));
        let seen = [&killed, &stopped[0], &stopped[1]].map(|dyno| Ended {
            duplicates: dyno.queue.duplicates,
            dead: dyno.queue.dead,
            given_up: dyno.queue.given_up,
        });
        println!("server: {server:?}, dynos: {seen:?}");
        assert_eq!(server[1..], seen[1..]);
        assert!(seen[0].duplicates <= server[0].duplicates && seen[0].dead <= server[0].dead, "{seen:?} {server:?}");
        assert_eq!(left.duplicates, server.iter().map(|one| one.duplicates).sum::<u64>());
        assert_eq!(left.dead, server.iter().map(|one| one.dead + one.given_up).sum::<u64>());
        // What was held by the one that was killed, and by the one that stood still, came back; and the latter was run twice, by both.
        assert!(stopped.iter().all(|dyno| dyno.queue.redeliveries > 0), "{stopped:?}");
        assert!(left.duplicates > 0, "{stopped:?}");
    }
}
