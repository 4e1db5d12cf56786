//! What a task costs besides Redis: `make criterion` prints it.

#![expect(clippy::disallowed_types, clippy::disallowed_macros, reason = "a benchmark reads the clock and prints")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::compute::Digest;
use common::plan::{Task, TaskKind};
use common::recorder::{Histograms, Record, Recorder};
use common::request::{Incoming, Replies, RequestError};
use common::resp::{Value, Values};
use common::step::{Outcome, Reply, Span, Step};
use common::task::Tasks;
use common::task::document::{Document, DocumentWork, prefill};
use common::task::synthetic::SyntheticWork;
use common::wire::{Dispatch, TaskPhase};
use common::worker::{Action, Exchange, Handed, Worker};
use criterion::{Criterion, criterion_group};

const FLATS: u32 = 100;
const TASK: Dispatch = Dispatch { intended_ns: 1, sent_ns: 2, index: 3, worker: 4, phase: TaskPhase::Window };

fn work() -> Arc<DocumentWork> {
    let task = Task { list_max: FLATS, ..Task::of(TaskKind::Document) };
    Arc::new(DocumentWork::new(&task, 1))
}

/// The root and the flats of worker 0, as the server would send them: taken from what the prefill writes.
fn stored(work: &DocumentWork) -> (Vec<u8>, Vec<u8>) {
    let mut root = Vec::new();
    let mut fields: Vec<Vec<u8>> = Vec::new();
    for request in prefill(work, 0) {
        for command in request.commands() {
            match command[0] {
                b"SET" => root = command[2].to_vec(),
                b"HSET" => fields.extend(command[2..].iter().map(|arg| arg.to_vec())),
                _ => {}
            }
        }
    }
    let mut reply = format!("*1\r\n*{}\r\n", fields.len()).into_bytes();
    for field in fields {
        reply.extend_from_slice(format!("${}\r\n", field.len()).as_bytes());
        reply.extend_from_slice(&field);
        reply.extend_from_slice(b"\r\n");
    }
    (root, reply)
}

/// So many replies as a connection reads them: in pieces of what a socket hands over.
fn received(bytes: &[u8], replies: usize) -> Result<Replies, RequestError> {
    let mut incoming = Incoming::new(replies);
    for piece in bytes.chunks(16 << 10) {
        let mut piece = piece;
        while !piece.is_empty() {
            let space = incoming.space();
            let count = space.len().min(piece.len());
            space[..count].copy_from_slice(&piece[..count]);
            piece = &piece[count..];
            incoming.arrived(count)?;
        }
    }
    incoming.replies()
}

fn bulk(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// One whole document task but for the socket: receiving the flats, decoding, encoding; and what redis-rs's values and
/// serde_json's would take for the same bytes.
fn document(c: &mut Criterion) {
    let work = work();
    let (root, flats) = stored(&work);
    let root = bulk(&root);
    let mut group = c.benchmark_group("document of 100 flats");
    group.bench_function("receive the flats", |b| b.iter(|| received(black_box(&flats), 1)));
    group.bench_function("receive the flats, redis-rs", |b| b.iter(|| redis::parse_redis_value(black_box(&flats))));
    let mut index = 0;
    group.bench_function("decode, add a mail, encode", |b| {
        b.iter_batched(
            || received(&flats, 1),
            |flats| {
                index += 1;
                let mut task = Document::new(Arc::clone(&work), 0, index);
                let get = task.resume(Reply::Start);
                let evalsha = task.resume(Reply::Redis(received(&root, 1)));
                let Step::Redis(_, save) = task.resume(Reply::Redis(flats)) else { return 0 };
                drop((get, evalsha));
                save.bytes().len()
            },
            criterion::BatchSize::SmallInput,
        );
    });
    let fields: Vec<&[u8]> = match redis_fields(&flats) {
        Some(fields) => fields,
        None => return,
    };
    group.bench_function("decode, encode, serde_json", |b| {
        b.iter(|| {
            let decoded: Vec<serde_json::Value> =
                fields.iter().filter_map(|json| serde_json::from_slice(black_box(json)).ok()).collect();
            decoded.iter().filter_map(|flat| serde_json::to_vec(flat).ok()).map(|json| json.len()).sum::<usize>()
        });
    });
    group.finish();
}

/// The values of the hash in a reply.
fn redis_fields(flats: &[u8]) -> Option<Vec<&[u8]>> {
    let Value::Array(mut hashes) = Values::of_bytes(flats, 1).next()? else { return None };
    let Value::Array(fields) = hashes.next()? else { return None };
    let bytes = |value| if let Value::Bulk(bytes) = value { Some(bytes) } else { None };
    Some(fields.skip(1).step_by(2).filter_map(bytes).collect())
}

/// Everything that is recorded of one task: counters and all histograms.
fn recorder(c: &mut Criterion) {
    let recorder = Recorder::new(2, 28, Span::of(TaskKind::Document), Duration::from_secs(240));
    let mut at = 0u64;
    let mut record = move || {
        at += 1_000_003;
        let ended_ns = at + 700_000 + at % 900_000;
        Record {
            intended_ns: at,
            sent_ns: at + 40_000 + at % 30_000,
            started_ns: at + 90_000 + at % 50_000,
            ended_ns,
            settled_ns: ended_ns,
            pool_wait_ns: 2_000 + at % 1_000,
            spans_ns: [400_000 + at % 100_000, 150_000 + at % 70_000, 20_000 + at % 9_000, 0, 0, 0, 0, 0, 0],
            phase: TaskPhase::Window,
            outcome: Outcome::Completed,
        }
    };
    c.bench_function("record one task", |b| b.iter(|| recorder.settle(black_box(7), black_box(&record()))));
    let mut spare = Histograms::default();
    c.bench_function("collect a delta", |b| b.iter(|| recorder.collect(0, &mut spare)));
}

/// A task from being received to being recorded, as a driver sees it, with canned replies: what the machine itself
/// costs. Nothing is computed, and nobody sleeps.
fn machine(worker: &mut Worker, replies: impl IntoIterator<Item = Replies>) -> Option<Outcome> {
    let mut replies = replies.into_iter();
    let mut action = worker.received(Some(Handed::Task(TASK)), 1);
    loop {
        action = match action {
            Action::Redis(span, _) => {
                let result = Ok(replies.next()?);
                worker.replied(span, Exchange { asked_ns: 2, granted_ns: 3, ended_ns: 4, result })
            }
            Action::Compute(_) => worker.computed(Digest(5), 5),
            Action::Sleep(until_ns) => worker.slept(until_ns),
            Action::Acquire(_) => worker.acquired(6),
            Action::Release => worker.released(7),
            Action::Settle => {
                let mut outcome = None;
                let (_, Action::Receive) = worker.settle(|record| outcome = Some(black_box(record).outcome)) else {
                    return None;
                };
                return outcome;
            }
            Action::Receive | Action::Leave => return None,
        };
    }
}

/// A whole task of each kind that has other steps.
fn machines(c: &mut Criterion) {
    let work = work();
    let (root, flats) = stored(&work);
    let saved = "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:1\r\n:0\r\n";
    let document = [(bulk(&root), 1), (flats, 1), (saved.into(), 5), ("+PONG\r\n".into(), 1)];
    let task = Task { cpu_us: 1.0, sleep_ms: 1.0, permits: Some(1), ..Task::of(TaskKind::Synthetic) };
    let synthetic = Tasks::Synthetic(Arc::new(SyntheticWork::new(&task, 1, 1.0)));
    let mut group = c.benchmark_group("machine of a whole task");
    let mut bench = |name, tasks, canned: &[(Vec<u8>, usize)]| {
        let replies = || -> Vec<Replies> { canned.iter().flat_map(|(bytes, count)| received(bytes, *count)).collect() };
        let mut worker = Worker::new(0, tasks);
        let outcome = machine(&mut worker, replies());
        assert_eq!(outcome, Some(Outcome::Completed), "{name}");
        group.bench_function(name, |b| {
            b.iter_batched(replies, |replies| machine(&mut worker, replies), criterion::BatchSize::SmallInput);
        });
    };
    bench("document", Tasks::Document(work), &document);
    bench("synthetic", synthetic, &[("+OK\r\n".into(), 1)]);
    bench("null", Tasks::Null(Arc::from([])), &[]);
    group.finish();
}

fn wire(c: &mut Criterion) {
    c.bench_function("dispatch frame, there and back", |b| {
        b.iter(|| Dispatch::decode(&black_box(&TASK).encode(), 28));
    });
}

/// The middle of 101 ratios of the time of `a` to that of `b`, each measured side by side.
fn ratio(mut a: impl FnMut(), mut b: impl FnMut()) -> f64 {
    let time = |work: &mut dyn FnMut()| {
        let begun = Instant::now();
        (0..200).for_each(|_| work());
        begun.elapsed().as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..101).map(|_| time(&mut a) / time(&mut b)).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[50]
}

/// What carries over to other machines.
fn ratios() {
    let work = work();
    let (root, flats) = stored(&work);
    let root = bulk(&root);
    let mut index = 0;
    let task = || {
        index += 1;
        let mut task = Document::new(Arc::clone(&work), 0, index);
        drop(task.resume(Reply::Start));
        drop(task.resume(Reply::Redis(received(&root, 1))));
        drop(black_box(task.resume(Reply::Redis(received(&flats, 1)))));
    };
    let fields = redis_fields(&flats).unwrap_or_default();
    let serde = || {
        let decoded = fields.iter().filter_map(|json| serde_json::from_slice::<serde_json::Value>(json).ok());
        let encoded: Vec<Vec<u8>> = decoded.filter_map(|flat| serde_json::to_vec(&flat).ok()).collect();
        drop(black_box(encoded));
    };
    let redis_rs = || drop(black_box(redis::parse_redis_value(&flats)));
    let ours = || drop(black_box(received(&flats, 1)));
    println!("ratio: receive the flats / redis-rs's parser                    {:.3}", ratio(ours, redis_rs));
    println!("ratio: whole document, receive to encode / serde_json's values  {:.3}", ratio(task, serde));
    let recorder = Recorder::new(2, 28, Span::of(TaskKind::Document), Duration::from_secs(240));
    let record = Record {
        intended_ns: 1,
        sent_ns: 40_000,
        started_ns: 90_000,
        ended_ns: 900_000,
        settled_ns: 900_000,
        pool_wait_ns: 2_000,
        spans_ns: [400_000, 150_000, 20_000, 0, 0, 0, 0, 0, 0],
        phase: TaskPhase::Window,
        outcome: Outcome::Completed,
    };
    let settle = || recorder.settle(7, black_box(&record));
    let begun = Instant::now();
    (0..1_000_000).for_each(|_| settle());
    println!(
        "ratio: record one task / its budget of 300 ns                   {:.3}",
        begun.elapsed().as_nanos() as f64 / 300e6
    );
}

criterion_group!(benches, document, machines, recorder, wire);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    ratios();
}
