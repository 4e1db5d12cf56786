//! What a task costs besides Redis: `make criterion` prints it.

use std::hint::black_box;
use std::sync::Arc;

use common::plan::{Task, TaskKind};
use common::recorder::{Histograms, Record, Recorder};
use common::request::Replies;
use common::step::{Outcome, Reply, Step};
use common::task::document::{Document, DocumentWork, prefill};
use common::wire::{Dispatch, TaskPhase};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis::Value;

const FLATS: u32 = 100;

fn work() -> Arc<DocumentWork> {
    let task = Task { kind: TaskKind::Document, list_max: FLATS, payload_kb: 5.0, prefill: true };
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

fn reply(values: Vec<Value>) -> Reply {
    Reply::Redis(Replies::new(values))
}

/// One whole document task but for the socket: four encodings, the parsing of the flats, decoding, encoding.
fn document(c: &mut Criterion) {
    let work = work();
    let (root, flats) = stored(&work);
    let mut group = c.benchmark_group("document of 100 flats");
    group.throughput(Throughput::Elements(1));
    group.bench_function("parse the reply", |b| b.iter(|| redis::parse_redis_value(black_box(&flats))));
    let mut index = 0;
    group.bench_function("decode, add a mail, encode", |b| {
        b.iter_batched(
            || redis::parse_redis_value(&flats).ok(),
            |value| {
                index += 1;
                let mut task = Document::new(Arc::clone(&work), 0, index);
                let get = task.resume(Reply::Start);
                let evalsha = task.resume(reply(vec![Value::BulkString(root.clone())]));
                let Step::Redis(_, save) = task.resume(reply(value.into_iter().collect())) else { return 0 };
                drop((get, evalsha));
                save.bytes().len()
            },
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// Everything that is recorded of one task: counters and all histograms.
fn recorder(c: &mut Criterion) {
    let recorder = Recorder::new(2, 28);
    let mut at = 0u64;
    let mut record = move || {
        at += 1_000_003;
        let ended_ns = at + 700_000 + at % 900_000;
        Record {
            intended_ns: at,
            sent_ns: at + 40_000 + at % 30_000,
            started_ns: at + 90_000 + at % 50_000,
            ended_ns,
            pool_wait_ns: 2_000 + at % 1_000,
            spans_ns: [400_000 + at % 100_000, 150_000 + at % 70_000, 20_000 + at % 9_000],
            phase: TaskPhase::Window,
            outcome: Outcome::Completed,
        }
    };
    c.bench_function("record one task", |b| b.iter(|| recorder.settle(black_box(7), black_box(&record()))));
    let mut spare = Histograms::default();
    c.bench_function("collect a delta", |b| b.iter(|| recorder.collect(0, &mut spare)));
}

fn wire(c: &mut Criterion) {
    let task = Dispatch { intended_ns: 1, sent_ns: 2, index: 3, worker: 4, phase: TaskPhase::Window };
    c.bench_function("dispatch frame, there and back", |b| {
        b.iter(|| Dispatch::decode(&black_box(&task).encode(), 28));
    });
}

criterion_group!(benches, document, recorder, wire);
criterion_main!(benches);
