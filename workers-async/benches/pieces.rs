//! What the pieces of the async engine cost, one by one: `make criterion` prints it. The threaded engine's have the same
//! names.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where it fails")]

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::endpoint::Endpoint;
use common::plan::{Executor, Order};
use common::wire::Dispatch;
use common::worker::Handed;
use crossbeam_channel::bounded;
use testkit::TestServer;
use testkit::stand::{self, PLACES, Piece, RING, USERS};
use tokio::runtime::Runtime;
use tokio::task::yield_now;
use workers_async::intake::Source;
use workers_async::limits::Permits;
use workers_async::{Async, connections, intake, runtime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MULTI_THREAD: &str = "engine = \"async\"\npool_size = 1";

/// One round: a task from one worker's hands into those of another, who sleeps.
fn hand_over(runtime: &Runtime) -> Piece<'_> {
    let (letterboxes, inboxes) = intake::inboxes(RING, Order::Fifo, &Source::Pushed, &stand::shared(RING));
    let ring = Arc::new(letterboxes);
    let (say, done) = bounded(1);
    for mut inbox in inboxes {
        let (ring, say) = (Arc::clone(&ring), say.clone());
        runtime.spawn(async move {
            while let Some(Handed::Task(task)) = inbox.receive().await {
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
fn from_socket(runtime: &Runtime) -> Piece<'_> {
    let shared = stand::shared(RING);
    let (letterboxes, inboxes) = intake::inboxes(RING, Order::Fifo, &Source::Pushed, &shared);
    let (mut dispatch, other_end) = stand::sockets();
    let _within = runtime.enter();
    intake::start(other_end, letterboxes, shared).unwrap();
    let (say, done) = bounded(1);
    for mut inbox in inboxes {
        let say = say.clone();
        runtime.spawn(async move {
            while let Some(Handed::Task(Dispatch { index, .. })) = inbox.receive().await {
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

/// The time in which all users together do `rounds` rounds. A user is lent to the task that does its share of them.
fn crowd<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    runtime: &Runtime,
    users: &mut Vec<T>,
    rounds: u64,
    share: impl Fn(T, u64) -> F,
) -> Duration {
    let each = rounds.div_ceil(users.len() as u64);
    let all = each * users.len() as u64;
    let begun = Instant::now();
    let tasks: Vec<_> = users.drain(..).map(|user| runtime.spawn(share(user, each))).collect();
    users.extend(tasks.into_iter().map(|task| runtime.block_on(task).unwrap()));
    begun.elapsed().mul_f64(rounds as f64 / all as f64)
}

/// One round: a connection out of the pool and back. Who compete give way while they hold one, as a worker does while it
/// waits for a reply: otherwise hardly anybody would ever have to wait.
fn checkout<'a>(runtime: &'a Runtime, users: usize, server: &TestServer) -> Piece<'a> {
    let plan = stand::plan("engine = \"async\"\ncheckout = \"task\"");
    let endpoint = Endpoint::new(&server.url(), &plan.cells[0].settings.redis).unwrap();
    let shared = stand::shared(users as u32);
    let open = connections::open(&plan.variants[0], users as u32, PLACES, endpoint, &shared);
    let mut connections = runtime.block_on(open).unwrap();
    Box::new(move |rounds| {
        crowd(runtime, &mut connections, rounds, |mut connections, each| async move {
            for _ in 0..each {
                connections.link().await.map(drop).unwrap();
                if users > 1 {
                    yield_now().await;
                }
                connections.release();
            }
            connections
        })
    })
}

/// One round: a permit and back; who compete give way while they hold one.
fn permit(runtime: &Runtime, users: usize) -> Piece<'_> {
    let permits = Arc::new(Permits::new(PLACES));
    Box::new(move |rounds| {
        crowd(runtime, &mut vec![(); users], rounds, |(), each| {
            let permits = Arc::clone(&permits);
            async move {
                for _ in 0..each {
                    permits.acquire().await;
                    if users > 1 {
                        yield_now().await;
                    }
                    permits.release();
                }
            }
        })
    })
}

/// One round: a worker more.
fn spawn<'a>(variant: &str, server: &'a TestServer) -> Piece<'a> {
    let plan = stand::plan(variant);
    Box::new(move |rounds| stand::spawn::<Async>(&plan, rounds, server))
}

fn main() {
    // As in a dyno.
    dyno::limits::turn_off_huge_pages();
    dyno::limits::raise();
    let server = TestServer::start();
    // Before anything else has left memory behind that the allocator would use again.
    let memory = [("multi-thread", MULTI_THREAD)]
        .map(|(name, variant)| (name, stand::idle_bytes::<Async>(&stand::plan(variant), &server)));
    let runtime = runtime::build(Executor::MultiThread).unwrap();
    let pieces = vec![
        ("hand_over", hand_over(&runtime)),
        ("hand_over/socket", from_socket(&runtime)),
        ("checkout/uncontended", checkout(&runtime, 1, &server)),
        ("checkout/contended", checkout(&runtime, USERS, &server)),
        ("permit/uncontended", permit(&runtime, 1)),
        ("permit/contended", permit(&runtime, USERS)),
        ("spawn", spawn(MULTI_THREAD, &server)),
    ];
    stand::measure("async", pieces, &memory);
}
