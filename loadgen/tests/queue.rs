//! The queue's machines against a real server: what is claimed, settled, tried again, put back and laid among the dead.

#![expect(clippy::unwrap_used, reason = "clippy's exception for tests does not reach their helper functions")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::arrivals::{Arrival, Schedule};
use common::plan::{Claim, Queue, QueueKind, RedisSettings};
use common::queue::{self, Entry, Fate, Fetcher, Protocol, QueueTotals, Turn};
use common::report::Left;
use common::request::{Replies, Request, RequestError};
use common::step::Outcome;
use common::task::Tasks;
use common::wire::{Dispatch, TaskPhase};
use loadgen::enqueued;
use loadgen::pacer::{Pacer, PacerEnd};
use redis::{Connection, ConnectionLike};
use testkit::TestServer;

/// Far beyond what anything here takes.
const LONG: Duration = Duration::from_secs(30);
/// Of a stream's entry.
type Fields = Vec<(String, Vec<u8>)>;
const KINDS: [QueueKind; 2] = [QueueKind::Stream, QueueKind::List];

fn ask(connection: &mut Connection, request: &Request) -> Result<Replies, RequestError> {
    Replies::of_tree(connection.req_packed_commands(request.bytes(), 0, request.replies())?)
}

/// Tasks with these numbers lie in the queue.
fn filled(server: &TestServer, kind: QueueKind, indices: std::ops::Range<u64>) -> Connection {
    let mut connection = server.connection();
    ask(&mut connection, &queue::prepare(kind)).unwrap();
    for (index, before) in indices.zip(0..) {
        let task =
            Dispatch { intended_ns: 10 + index, sent_ns: 20 + index, index, worker: 3, phase: TaskPhase::Window };
        let mut entry = Vec::new();
        queue::encode(&task, 0, |entry| entry.extend_from_slice(format!("payload {index}").as_bytes()), &mut entry);
        ask(&mut connection, &queue::enqueue(Request::new(), kind, before, [entry.as_slice()].into_iter())).unwrap();
    }
    connection
}

/// A dyno with a fetcher, whose workers are this test.
struct Dyno {
    protocol: Arc<Protocol>,
    fetcher: Fetcher,
    /// Its clock: every turn is a tenth of a second.
    now_ns: u64,
    held: Vec<(u32, Box<Entry>)>,
}

impl Dyno {
    fn new(name: &str, workers: u32, settings: Queue) -> Dyno {
        let protocol = Arc::new(Protocol::new(settings, name.to_owned()));
        let fetcher = Fetcher::new(Arc::clone(&protocol), workers, 1);
        Dyno { protocol, fetcher, now_ns: 1, held: Vec::new() }
    }

    fn turn(&mut self, connection: &mut Connection) {
        self.now_ns += 100_000_000;
        let Turn::Exchange(request) = self.fetcher.turn(self.now_ns) else { return };
        let replies = ask(connection, &request);
        let held = &mut self.held;
        self.fetcher.replied(replies, |worker, entry| held.push((worker, entry))).unwrap();
    }

    /// Turns until it holds so many.
    fn until_held(&mut self, connection: &mut Connection, count: usize) {
        let begun = Instant::now();
        while self.held.len() < count {
            assert!(begun.elapsed() < LONG, "{} of {count}: {:?}", self.held.len(), self.totals());
            self.turn(connection);
        }
    }

    /// All that it holds ends like this.
    fn end(&mut self, fate: impl Fn(&Entry) -> Fate) {
        for (worker, entry) in std::mem::take(&mut self.held) {
            let fate = fate(&entry);
            let outcome = if matches!(fate, Fate::Done(_)) { Outcome::Completed } else { Outcome::Rejected };
            self.fetcher.settled(entry.settled(worker, outcome, fate));
        }
    }

    fn indices(&self) -> Vec<u64> {
        let mut indices: Vec<u64> = self.held.iter().map(|(_, entry)| entry.task.index).collect();
        indices.sort_unstable();
        indices
    }

    fn totals(&self) -> QueueTotals {
        self.protocol.counters.totals()
    }
}

fn left(connection: &mut Connection, kind: QueueKind) -> Left {
    loadgen::queue::left(connection, kind).unwrap()
}

const EMPTY: Left = Left { visible: Some(0), in_flight: 0, delayed: 0, dead: 0, duplicates: 0 };

/// Without what a server before 7.0 does not say.
fn assert_left(connection: &mut Connection, kind: QueueKind, expected: Left) {
    let left = left(connection, kind);
    assert_eq!(Left { visible: left.visible.or(expected.visible), ..left }, expected, "{kind:?}");
}

#[test]
fn every_task_is_claimed_once_as_it_was_sent_and_settled() {
    let server = TestServer::start();
    for kind in KINDS {
        let mut connection = filled(&server, kind, 0..20);
        let mut dyno = Dyno::new("0-a", 4, Queue { kind, ..Queue::default() });
        let mut seen = Vec::new();
        while seen.len() < 20 {
            // As many as there are workers, and not one more.
            dyno.until_held(&mut connection, 4);
            assert_eq!(dyno.held.len(), 4);
            for (_, entry) in &dyno.held {
                let index = entry.task.index;
                assert_eq!((entry.task.intended_ns, entry.task.sent_ns), (10 + index, 20 + index));
                assert_eq!((entry.attempts, entry.task.phase), (0, TaskPhase::Window));
                assert_eq!(entry.payload(), format!("payload {index}").as_bytes());
                seen.push(index);
            }
            let mut workers: Vec<u32> = dyno.held.iter().map(|(worker, _)| *worker).collect();
            workers.sort_unstable();
            assert_eq!(workers, [0, 1, 2, 3]);
            dyno.end(|_| Fate::Done(None));
        }
        assert_eq!(seen, (0..20).collect::<Vec<_>>(), "{kind:?}: the oldest first");
        let last = dyno.fetcher.last().unwrap();
        dyno.fetcher.replied(ask(&mut connection, &last), |_, _| panic!("a claim")).unwrap();
        assert_left(&mut connection, kind, EMPTY);
        let totals = dyno.totals();
        assert_eq!((totals.claimed, totals.let_go, totals.duplicates, totals.dead), (20, 20, 0, 0), "{totals:?}");
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    }
}

#[test]
fn a_worker_with_prefetch_has_tasks_waiting_and_acknowledgements_share_a_command() {
    let server = TestServer::start();
    let mut connection = filled(&server, QueueKind::Stream, 0..100);
    let mut dyno = Dyno::new("0-a", 2, Queue { prefetch: 48, ..Queue::default() });
    for _ in 0..2 {
        dyno.until_held(&mut connection, 50);
        let of = |number| dyno.held.iter().filter(|(worker, _)| *worker == number).count();
        assert_eq!((of(0), of(1)), (25, 25));
        dyno.end(|_| Fate::Done(None));
    }
    let last = dyno.fetcher.last().unwrap();
    dyno.fetcher.replied(ask(&mut connection, &last), |_, _| {}).unwrap();
    let stats = server.commandstats();
    assert_eq!((stats["xack"].calls, stats["xreadgroup"].calls), (2, 2), "{stats:?}");
    assert_eq!(dyno.totals().let_go, 100);
    assert_left(&mut connection, QueueKind::Stream, EMPTY);
}

#[test]
fn a_failed_attempt_is_followed_by_another_and_the_last_one_by_none() {
    let server = TestServer::start();
    for kind in KINDS {
        let mut connection = filled(&server, kind, 0..3);
        let settings = Queue { kind, attempts_max: 3, backoff_ms: 1.0, ..Queue::default() };
        let mut dyno = Dyno::new("0-a", 3, settings);
        for attempts in 0..3 {
            dyno.until_held(&mut connection, 3);
            assert_eq!(dyno.indices(), [0, 1, 2]);
            assert!(dyno.held.iter().all(|(_, entry)| entry.attempts == attempts), "{:?}", dyno.held);
            let protocol = Arc::clone(&dyno.protocol);
            dyno.end(|entry| protocol.after_failure(entry.attempts, "no"));
            dyno.turn(&mut connection);
        }
        assert_left(&mut connection, kind, Left { dead: 3, ..EMPTY });
        let dead: Vec<(String, Fields)> =
            redis::cmd("XRANGE").arg("test:queue:dead").arg("-").arg("+").query(&mut connection).unwrap();
        for (_, fields) in dead {
            assert_eq!((fields[0].0.as_str(), fields[0].1.as_slice(), fields[1].0.as_str()), ("why", &b"no"[..], "t"));
            let index = u64::from_le_bytes(fields[1].1[16..24].try_into().unwrap());
            assert!(fields[1].1.ends_with(format!("payload {index}").as_bytes()), "{fields:?}");
        }
        let totals = dyno.totals();
        assert_eq!((totals.retries, totals.due_again, totals.dead, totals.claimed), (6, 6, 3, 9), "{totals:?}");
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    }
}

/// A dyno is killed: what it held goes to another, and who comes back too late has worked in vain.
#[test]
fn what_a_dead_dyno_held_is_claimed_again() {
    let server = TestServer::start();
    for kind in KINDS {
        let mut connection = filled(&server, kind, 0..4);
        let settings = Queue { kind, visibility_timeout_s: 0.2, attempts_max: 5, ..Queue::default() };
        let mut dead = Dyno::new("0-a", 4, settings.clone());
        dead.until_held(&mut connection, 4);
        let mut other = Dyno::new("1-b", 4, settings);
        other.until_held(&mut connection, 4);
        assert_eq!(other.indices(), [0, 1, 2, 3]);
        assert!(other.held.iter().all(|(_, entry)| entry.attempts == 1), "{:?}", other.held);
        other.end(|_| Fate::Done(None));
        other.turn(&mut connection);
        assert_eq!((other.totals().redeliveries, other.totals().duplicates), (4, 0), "{kind:?}");
        // Not dead after all.
        dead.end(|_| Fate::Done(None));
        let late = dead.fetcher.last().unwrap();
        dead.fetcher.replied(ask(&mut connection, &late), |_, _| {}).unwrap();
        assert_eq!(dead.totals().duplicates, 4, "{kind:?}");
        assert_left(&mut connection, kind, EMPTY);
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    }
}

/// Whoever is thought dead and holds nothing is looked at again later; not so if it says meanwhile that it lives.
#[test]
fn a_dyno_that_was_thought_dead_is_looked_after_like_any_other() {
    let server = TestServer::start();
    let mut connection = filled(&server, QueueKind::List, 0..0);
    let settings = Queue { kind: QueueKind::List, visibility_timeout_s: 0.2, ..Queue::default() };
    let [still, other] = ["0-a", "1-b"].map(|name| Protocol::new(settings.clone(), name.to_owned()));
    let mut looks = |protocol: &Protocol| {
        ask(&mut connection, &protocol.upkeep_into(Request::new(), 2, true)).unwrap();
        let put_off: bool = redis::cmd("EXISTS").arg("test:queue:consumers:0-a:empty").query(&mut connection).unwrap();
        put_off
    };
    looks(&still);
    let begun = Instant::now();
    while !looks(&other) {
        assert!(begun.elapsed() < LONG);
    }
    assert!(!looks(&still));
}

/// What is held too long is put back, and done all the same by whoever was late: its result is kept, and what was put back is done in vain, or
/// not at all, and never counts as lost.
#[test]
fn what_was_late_and_kept_counts_once() {
    let server = TestServer::start();
    for kind in KINDS {
        let mut connection = filled(&server, kind, 0..4);
        let settings =
            Queue { kind, record_results: true, visibility_timeout_s: 0.2, attempts_max: 2, ..Queue::default() };
        let mut late = Dyno::new("0-a", 4, settings.clone());
        late.until_held(&mut connection, 4);
        let mut other = Dyno::new("1-b", 4, settings.clone());
        other.until_held(&mut connection, 4);
        let both = |late: &Dyno, other: &Dyno| {
            let mut both = late.totals();
            both.merge(&other.totals());
            both
        };
        late.end(|entry| Fate::Done(Some(entry.task.index as f64)));
        let told = late.fetcher.last().unwrap();
        late.fetcher.replied(ask(&mut connection, &told), |_, _| {}).unwrap();
        let seen = both(&late, &other);
        assert_eq!((seen.stale, seen.duplicates, seen.left(4), seen.in_flight()), (4, 0, 4, 4), "{kind:?} {seen:?}");
        // One is done in vain, one fails for the first and one for the last time; of one nobody tells anything.
        other.held.sort_by_key(|(_, entry)| entry.task.index);
        let kept = other.held.pop();
        other.end(|entry| match entry.task.index {
            0 => Fate::Done(Some(7.0)),
            1 => Fate::Retry(1),
            _ => Fate::Dead("no"),
        });
        let told = other.fetcher.last().unwrap();
        other.fetcher.replied(ask(&mut connection, &told), |_, _| {}).unwrap();
        drop(kept);
        let seen = both(&late, &other);
        assert_eq!(
            (seen.duplicates, seen.duplicates_rejected, seen.retries, seen.dead),
            (2, 1, 0, 0),
            "{kind:?} {seen:?}"
        );
        assert_eq!((seen.left(4), seen.in_flight()), (1, 1), "{kind:?} {seen:?}");
        let mut third = Dyno::new("2-c", 4, settings);
        let begun = Instant::now();
        while third.totals().needless == 0 {
            assert!(begun.elapsed() < LONG, "{kind:?} {:?}", third.totals());
            third.turn(&mut connection);
        }
        let mut seen = both(&late, &other);
        seen.merge(&third.totals());
        assert_eq!((seen.left(4), seen.in_flight(), seen.given_up), (0, 0, 0), "{kind:?} {seen:?}");
        assert!(third.held.is_empty());
        assert_left(&mut connection, kind, Left { duplicates: 2, ..EMPTY });
        let results: Vec<String> = redis::cmd("HVALS").arg("test:queue:results").query(&mut connection).unwrap();
        assert!(results.len() == 4 && results.iter().all(|result| result.contains(" 0-a:")), "{results:?}");
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    }
}

/// Somebody makes the server forget the scripts: it is told them again.
#[test]
fn scripts_that_the_server_forgot_are_loaded_again() {
    let server = TestServer::start();
    for kind in KINDS {
        let mut connection = filled(&server, kind, 0..4);
        let settings = Queue { kind, record_results: true, visibility_timeout_s: 0.3, ..Queue::default() };
        let mut dyno = Dyno::new("0-a", 4, settings);
        dyno.until_held(&mut connection, 4);
        redis::cmd("SCRIPT").arg("FLUSH").exec(&mut connection).unwrap();
        dyno.end(|entry| Fate::Done(Some(entry.task.index as f64)));
        let begun = Instant::now();
        while dyno.totals().let_go < 4 {
            assert!(begun.elapsed() < LONG, "{kind:?} {:?}", dyno.totals());
            dyno.turn(&mut connection);
        }
        assert_eq!(dyno.totals().duplicates, 0, "{kind:?} {:?}", dyno.totals());
        assert_left(&mut connection, kind, EMPTY);
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    }
}

/// Another group that has read further, and one that will read from now on, are others' business.
#[test]
fn other_groups_lose_nothing_of_ours() {
    let server = TestServer::start();
    let mut connection = filled(&server, QueueKind::Stream, 0..4);
    redis::cmd("XGROUP").arg("CREATE").arg("test:queue").arg("others").arg("$").exec(&mut connection).unwrap();
    let mut dyno = Dyno::new("0-a", 1, Queue::default());
    for _ in 0..2 {
        dyno.until_held(&mut connection, 1);
        dyno.end(|_| Fate::Done(None));
    }
    // Nothing is held: what was delivered is cut off, to our own last one.
    let told = dyno.fetcher.last().unwrap();
    dyno.fetcher.replied(ask(&mut connection, &told), |_, _| {}).unwrap();
    let upkeep = dyno.protocol.upkeep_into(Request::new(), 1, true);
    ask(&mut connection, &upkeep).unwrap();
    let length: u64 = redis::cmd("XLEN").arg("test:queue").query(&mut connection).unwrap();
    assert!((2..=3).contains(&length), "{length}");
    assert_left(&mut connection, QueueKind::Stream, Left { visible: Some(2), ..EMPTY });
}

#[test]
fn a_task_that_kills_its_dynos_does_not_do_so_for_ever() {
    let server = TestServer::start();
    for kind in KINDS {
        let mut connection = filled(&server, kind, 0..1);
        let settings = Queue { kind, visibility_timeout_s: 0.1, attempts_max: 3, ..Queue::default() };
        for attempts in 0..3 {
            let mut dyno = Dyno::new(&format!("{attempts}-x"), 1, settings.clone());
            dyno.until_held(&mut connection, 1);
            assert_eq!(dyno.held[0].1.attempts, attempts);
        }
        let mut last = Dyno::new("9-x", 1, settings);
        let begun = Instant::now();
        while last.totals().given_up == 0 {
            assert!(begun.elapsed() < LONG, "{:?}", last.totals());
            last.turn(&mut connection);
        }
        assert!(last.held.is_empty());
        assert_left(&mut connection, kind, Left { dead: 1, ..EMPTY });
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    }
}

#[test]
fn what_is_no_task_is_laid_among_the_dead() {
    let server = TestServer::start();
    for kind in KINDS {
        let mut connection = filled(&server, kind, 0..1);
        match kind {
            QueueKind::Stream => {
                redis::cmd("XADD").arg("test:queue").arg("*").arg("order").arg("17").exec(&mut connection).unwrap();
                redis::cmd("XADD").arg("test:queue").arg("*").arg("t").arg("short").exec(&mut connection).unwrap();
            }
            QueueKind::List => {
                redis::cmd("LPUSH").arg("test:queue").arg("17").arg("short").exec(&mut connection).unwrap()
            }
        }
        let mut dyno = Dyno::new("0-a", 3, Queue { kind, ..Queue::default() });
        let begun = Instant::now();
        while dyno.totals().dead < 2 {
            assert!(begun.elapsed() < LONG, "{:?}", dyno.totals());
            dyno.turn(&mut connection);
        }
        assert_eq!((dyno.indices(), dyno.totals().foreign), (vec![0], 2));
        assert_left(&mut connection, kind, Left { in_flight: 1, dead: 2, ..EMPTY });
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    }
}

/// The answer to a claim is lost, then that to a settlement: nothing is, and nothing counts twice.
#[test]
fn a_lost_answer_loses_nothing() {
    let server = TestServer::start();
    for (kind, record_results) in KINDS.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
        let mut connection = filled(&server, kind, 0..4);
        let settings = Queue { kind, record_results, visibility_timeout_s: 0.3, ..Queue::default() };
        let mut dyno = Dyno::new("0-a", 4, settings);
        let lost = || Err(RequestError::Disconnected("lost".to_owned()));
        // What it claims stands with it, and it does not know.
        let begun = Instant::now();
        while left(&mut connection, kind).in_flight == 0 {
            assert!(begun.elapsed() < LONG);
            dyno.now_ns += 100_000_000;
            let Turn::Exchange(request) = dyno.fetcher.turn(dyno.now_ns) else { panic!("nothing to do") };
            ask(&mut connection, &request).unwrap();
            dyno.fetcher.replied(lost(), |_, _| {}).unwrap();
        }
        dyno.until_held(&mut connection, 4);
        assert_eq!(dyno.indices(), [0, 1, 2, 3], "{kind:?}");
        dyno.end(|entry| Fate::Done(Some(entry.task.index as f64)));
        let settle = dyno.fetcher.last().unwrap();
        ask(&mut connection, &settle).unwrap();
        dyno.fetcher.replied(lost(), |_, _| {}).unwrap();
        let again = dyno.fetcher.last().unwrap();
        dyno.fetcher.replied(ask(&mut connection, &again), |_, _| {}).unwrap();
        assert_eq!((dyno.totals().duplicates, dyno.totals().let_go), (0, 4), "{kind:?} {:?}", dyno.totals());
        assert_left(&mut connection, kind, EMPTY);
        let kept: u64 = redis::cmd("HLEN").arg("test:queue:results").query(&mut connection).unwrap();
        assert_eq!(kept, if record_results { 4 } else { 0 });
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    }
}

/// The answer is lost in which the server says that a task is laid among the dead, tried again, or was done by somebody else: told again, it
/// says the same, and counts it once. Nor does it forget what else was done for the queue.
#[test]
fn what_is_told_twice_counts_once() {
    let server = TestServer::start();
    let lost = || Err(RequestError::Disconnected("lost".to_owned()));
    for kind in KINDS {
        let mut connection = filled(&server, kind, 0..3);
        let settings =
            Queue { kind, record_results: true, visibility_timeout_s: 0.2, attempts_max: 5, ..Queue::default() };
        let mut late = Dyno::new("0-a", 3, settings.clone());
        late.until_held(&mut connection, 3);
        // All of them go to another, who hears of it only later.
        let mut other = Dyno::new("1-b", 3, settings);
        let begun = Instant::now();
        while left(&mut connection, kind).visible.unwrap_or(3) < 3 || left(&mut connection, kind).in_flight > 0 {
            assert!(begun.elapsed() < LONG);
            other.now_ns += 100_000_000;
            let upkeep = other.protocol.upkeep_into(Request::new(), 3, true);
            ask(&mut connection, &upkeep).unwrap();
        }
        assert_eq!(other.totals().redeliveries, 0);
        other.until_held(&mut connection, 3);
        assert_eq!(other.totals().redeliveries, 3, "{kind:?}");
        let fate = |entry: &Entry| match entry.task.index {
            0 => Fate::Dead("no"),
            1 => Fate::Retry(60_000),
            _ => Fate::Done(Some(2.0)),
        };
        for (dyno, duplicates, retries, dead) in [(&mut other, 0, 1, 1), (&mut late, 2, 0, 0)] {
            dyno.end(fate);
            for _ in 0..2 {
                let told = dyno.fetcher.last().unwrap();
                ask(&mut connection, &told).unwrap();
                dyno.fetcher.replied(lost(), |_, _| {}).unwrap();
            }
            let again = dyno.fetcher.last().unwrap();
            dyno.fetcher.replied(ask(&mut connection, &again), |_, _| {}).unwrap();
            let totals = dyno.totals();
            assert_eq!((totals.duplicates, totals.retries, totals.dead), (duplicates, retries, dead), "{kind:?}");
        }
        assert_left(&mut connection, kind, Left { delayed: 1, dead: 1, duplicates: 2, ..EMPTY });
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    }
}

#[test]
fn a_dyno_whose_workers_claim_only_looks_after_the_queue() {
    let server = TestServer::start();
    for kind in KINDS {
        let mut connection = filled(&server, kind, 0..2);
        let settings = Queue { kind, claim: Claim::Worker, ..Queue::default() };
        let mut dyno = Dyno::new("0-a", 2, settings);
        (0..5).for_each(|_| dyno.turn(&mut connection));
        assert_eq!((dyno.held.len(), dyno.totals().claims), (0, 0));
        assert_left(&mut connection, kind, Left { visible: Some(2), ..EMPTY });
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
    }
}

/// All connections are cut again and again while tasks go into the queue: each is there once, in its order, and what was sent twice is
/// said.
#[test]
fn every_task_is_put_there_once_whatever_becomes_of_the_connection() {
    const TASKS: usize = 100_000;
    for kind in KINDS {
        let server = TestServer::start();
        ask(&mut server.connection(), &queue::prepare(kind)).unwrap();
        let tasks = (Tasks::Null(vec![b'x'; 200].into()), 0);
        let redis = RedisSettings::default();
        let (lane, enqueued) = enqueued::open(&server.url(), server.addr(), &redis, kind, tasks).unwrap();
        // As fast as they can go.
        let arrivals = (0..TASKS as u64).map(|at| Arrival { intended_ns: at * 10_000, dyno: 0, worker: 0 }).collect();
        let schedule = Schedule {
            arrivals,
            batch_due_ns: Vec::new(),
            warmup: 0,
            window_start_ns: 0,
            window_end_ns: 1_000_000_000,
        };
        let (say, ended) = crossbeam_channel::bounded(1);
        let everywhere = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0)).unwrap();
        let pacer = Pacer::start(Arc::new(schedule), dyno::clock::now_ns(), vec![lane], say, everywhere).unwrap();
        // Its own is spared.
        let (over, mut knife) = (AtomicBool::new(false), server.connection());
        let end = thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec(&mut knife).unwrap();
                    thread::sleep(Duration::from_millis(50));
                }
            });
            let end = ended.recv_timeout(LONG);
            over.store(true, Ordering::Relaxed);
            end.unwrap()
        });
        assert_eq!((end, enqueued.refusal().get()), (PacerEnd::Done, None));
        let (sends, answers) = (pacer.join().unwrap(), enqueued.finish().unwrap());
        assert_eq!((sends.count(0..TASKS), answers.count()), (TASKS as u64, TASKS as u64));
        assert!(answers.reconnects > 1 && sends.sent_again > 0, "{} {}", answers.reconnects, sends.sent_again);
        let mut connection = server.connection();
        let entries: Vec<Vec<u8>> = match kind {
            QueueKind::Stream => {
                let all: Vec<(String, Fields)> =
                    redis::cmd("XRANGE").arg("test:queue").arg("-").arg("+").query(&mut connection).unwrap();
                all.into_iter().map(|(_, mut fields)| fields.remove(0).1).collect()
            }
            QueueKind::List => {
                let mut all: Vec<Vec<u8>> =
                    redis::cmd("LRANGE").arg("test:queue").arg(0).arg(-1).query(&mut connection).unwrap();
                all.reverse();
                all
            }
        };
        let index = |entry: &Vec<u8>| Dispatch::decode(entry.first_chunk().unwrap(), u32::MAX).unwrap().index;
        assert!(entries.iter().map(index).eq(0..TASKS as u64), "{kind:?}: {} entries", entries.len());
    }
}
