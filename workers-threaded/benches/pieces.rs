//! What the pieces of the threaded engine cost, one by one: `make criterion` prints it. The async engine's have the same
//! names.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where it fails")]

use std::io::Write;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::endpoint::Endpoint;
use common::plan::Order;
use common::wire::Dispatch;
use common::worker::Handed;
use crossbeam_channel::bounded;
use testkit::TestServer;
use testkit::stand::{self, PLACES, Piece, RING, USERS};
use workers_threaded::executor::Inboxes;
use workers_threaded::intake::Source;
use workers_threaded::limits::Permits;
use workers_threaded::{Threaded, connections, intake};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DEDICATED: &str = "engine = \"threaded\"\npool_size = 1";
const RAYON: &str = "engine = \"threaded\"\nexecutor = \"rayon\"\npool_size = 1";

/// One round: a task from one worker's hands into those of another, who sleeps.
fn hand_over<'a>() -> Piece<'a> {
    let (letterboxes, inboxes) = intake::inboxes(RING, Order::Fifo, &Source::Pushed, &stand::shared(RING));
    let ring = Arc::new(Inboxes::Letterboxes(letterboxes));
    let (say, done) = bounded(1);
    for mut inbox in inboxes {
        let (ring, say) = (Arc::clone(&ring), say.clone());
        thread::spawn(move || {
            while let Some(Handed::Task(task)) = inbox.receive() {
                let next = (task.worker + 1) % RING;
                match task.index {
                    0 => say.send(()).unwrap(),
                    left => ring.deliver(next, Handed::Task(stand::task(next, left - 1))),
                }
            }
        });
    }
    Box::new(move |rounds| {
        let begun = Instant::now();
        ring.deliver(0, stand::handed(rounds));
        done.recv().unwrap();
        begun.elapsed()
    })
}

/// One round: a task from the dispatch connection through the intake to a worker who sleeps, and word of it back to the
/// thread that wrote it.
fn from_socket<'a>() -> Piece<'a> {
    let shared = stand::shared(RING);
    let (letterboxes, inboxes) = intake::inboxes(RING, Order::Fifo, &Source::Pushed, &shared);
    let (mut dispatch, other_end) = stand::sockets();
    intake::start(other_end, Inboxes::Letterboxes(letterboxes), shared).unwrap();
    let (say, done) = bounded(1);
    for mut inbox in inboxes {
        let say = say.clone();
        thread::spawn(move || {
            while let Some(Handed::Task(Dispatch { index, .. })) = inbox.receive() {
                say.send(index).unwrap();
            }
        });
    }
    let mut workers = (0..RING).cycle();
    Box::new(move |rounds| {
        let begun = Instant::now();
        for index in 0..rounds {
            let worker = workers.next().unwrap();
            dispatch.write_all(&stand::task(worker, index).encode()).unwrap();
            done.recv().unwrap();
        }
        begun.elapsed()
    })
}

/// The time in which all users together do `rounds` rounds.
fn crowd<T: Send>(users: &mut [T], rounds: u64, round: impl Fn(&mut T) + Sync) -> Duration {
    let each = rounds.div_ceil(users.len() as u64);
    let all = each * users.len() as u64;
    let begun = Instant::now();
    thread::scope(|scope| {
        for user in users {
            let round = &round;
            scope.spawn(move || (0..each).for_each(|_| round(user)));
        }
    });
    begun.elapsed().mul_f64(rounds as f64 / all as f64)
}

/// One round: a connection out of the pool and back. Who compete give way while they hold one, as a worker does while it
/// waits for a reply: otherwise hardly anybody would ever have to wait.
fn checkout<'a>(users: usize, server: &TestServer) -> Piece<'a> {
    let plan = stand::plan("engine = \"threaded\"\ncheckout = \"task\"");
    let endpoint = Endpoint::new(&server.url(), &plan.cells[0].settings.redis).unwrap();
    let shared = stand::shared(users as u32);
    let mut connections = connections::open(&plan.variants[0], users as u32, PLACES, endpoint, &shared).unwrap();
    Box::new(move |rounds| {
        crowd(&mut connections, rounds, |connections| {
            connections.link().map(drop).unwrap();
            if users > 1 {
                thread::yield_now();
            }
            connections.release();
        })
    })
}

/// One round: a permit and back; who compete give way while they hold one.
fn permit<'a>(users: usize) -> Piece<'a> {
    let permits = Permits::new(PLACES);
    Box::new(move |rounds| {
        crowd(&mut vec![(); users], rounds, |()| {
            permits.acquire();
            if users > 1 {
                thread::yield_now();
            }
            permits.release();
        })
    })
}

/// One round: a worker more.
fn spawn<'a>(variant: &str, server: &'a TestServer) -> Piece<'a> {
    let plan = stand::plan(variant);
    Box::new(move |rounds| stand::spawn::<Threaded>(&plan, rounds, server))
}

fn main() {
    // As in a dyno.
    dyno::limits::turn_off_huge_pages();
    dyno::limits::raise();
    let server = TestServer::start();
    // Before anything else has left memory behind that the allocator would use again.
    let memory = [("rayon", RAYON), ("dedicated", DEDICATED)]
        .map(|(name, variant)| (name, stand::idle_bytes::<Threaded>(&stand::plan(variant), &server)));
    let pieces = vec![
        ("hand_over", hand_over()),
        ("hand_over/socket", from_socket()),
        ("checkout/uncontended", checkout(1, &server)),
        ("checkout/contended", checkout(USERS, &server)),
        ("permit/uncontended", permit(1)),
        ("permit/contended", permit(USERS)),
        ("spawn", spawn(DEDICATED, &server)),
        ("spawn/rayon", spawn(RAYON, &server)),
    ];
    stand::measure("threaded", pieces, &memory);
}
