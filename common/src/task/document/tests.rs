use std::collections::BTreeMap;
use std::sync::Arc;

use redis::Value;

use super::model::{Building, Flat};
use super::{Document, DocumentWork, SCRIPT, prefill};
use crate::buffer::Buffer;
use crate::plan::{Task, TaskKind};
use crate::request::{Replies, Request, RequestError};
use crate::step::{Failure, Outcome, Reply, Span, Step};

fn work(list_max: u32, payload_kb: f64) -> Arc<DocumentWork> {
    let task = Task { list_max, payload_kb, ..Task::of(TaskKind::Document) };
    Arc::new(DocumentWork::new(&task, 7))
}

/// The commands of a request with their arguments.
fn commands(request: &Request) -> Vec<Vec<String>> {
    let text = |arg: &[u8]| String::from_utf8_lossy(arg).into_owned();
    request.commands().map(|command| command.into_iter().map(text).collect()).collect()
}

fn redis_step(step: Step) -> (Span, Request) {
    match step {
        Step::Redis(span, request) => (span, request),
        other => panic!("{other:?}"),
    }
}

fn outcome(step: Step) -> Outcome {
    match step {
        Step::Done(outcome) => outcome,
        other => panic!("went on with {other:?}"),
    }
}

fn reply(values: Vec<Value>) -> Reply {
    Reply::Redis(Replies::of_tree(values))
}

fn bulk(bytes: &[u8]) -> Value {
    Value::BulkString(bytes.to_vec())
}

/// A store of one document that understands just these commands.
#[derive(Default)]
struct Store {
    strings: BTreeMap<String, String>,
    hash: BTreeMap<String, String>,
    mails: BTreeMap<String, Vec<String>>,
}

impl Store {
    fn command(&mut self, command: &[String]) -> Value {
        match command[0].as_str() {
            "GET" => self.strings.get(&command[1]).map_or(Value::Nil, |json| bulk(json.as_bytes())),
            "EVALSHA" => {
                let fields = self.hash.iter().flat_map(|(k, v)| [bulk(k.as_bytes()), bulk(v.as_bytes())]).collect();
                Value::Array(vec![Value::Array(fields)])
            }
            "SET" => {
                self.strings.insert(command[1].clone(), command[2].clone());
                Value::Okay
            }
            "RPUSH" => {
                self.mails.entry(command[1].clone()).or_default().push(command[2].clone());
                Value::Int(1)
            }
            "HSET" => {
                for pair in command[2..].chunks(2) {
                    self.hash.insert(pair[0].clone(), pair[1].clone());
                }
                Value::Int(0)
            }
            "PING" => Value::SimpleString("PONG".into()),
            other => panic!("unexpected {other}"),
        }
    }

    fn run(&mut self, request: &Request) -> Vec<Value> {
        let mut queued = None;
        let mut replies = Vec::new();
        for command in commands(request) {
            match (command[0].as_str(), &mut queued) {
                ("MULTI", _) => {
                    queued = Some(Vec::new());
                    replies.push(Value::Okay);
                }
                ("EXEC", _) => replies.push(Value::Array(queued.take().unwrap())),
                (_, Some(queue)) => {
                    queue.push(self.command(&command));
                    replies.push(Value::SimpleString("QUEUED".into()));
                }
                (_, None) => {
                    let value = self.command(&command);
                    replies.push(value);
                }
            }
        }
        replies
    }

    /// Runs task `index`: its outcome, a line per round trip, and the bytes sent.
    fn task(&mut self, work: &Arc<DocumentWork>, index: u64) -> (Outcome, Vec<String>, usize) {
        let mut task = Document::new(Arc::clone(work), 0, index);
        let mut step = task.resume(Reply::Start);
        let mut trace = Vec::new();
        let mut bytes = 0;
        loop {
            match step {
                Step::Done(outcome) => return (outcome, trace, bytes),
                Step::Redis(span, request) => {
                    bytes += request.bytes().len();
                    let names: Vec<String> = commands(&request).into_iter().map(|c| c[0].clone()).collect();
                    trace.push(format!("{} {}", span.name(), names.join(" ")));
                    step = task.resume(reply(self.run(&request)));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn the_first_task_of_an_empty_document_skips_the_script_and_later_ones_do_not() {
    let work = work(100, 5.0);
    let mut store = Store::default();
    let (outcome, trace, _) = store.task(&work, 0);
    assert_eq!(outcome, Outcome::Completed);
    assert_eq!(trace, ["fetch GET", "save MULTI SET RPUSH HSET EXEC", "ping PING"]);
    let (outcome, trace, _) = store.task(&work, 1);
    assert_eq!(outcome, Outcome::Completed);
    assert_eq!(trace, ["fetch GET", "fetch EVALSHA", "save MULTI SET RPUSH HSET EXEC", "ping PING"]);
}

#[test]
fn a_document_grows_by_one_flat_and_one_mail_a_task_until_it_is_full() {
    let work = work(3, 0.1);
    let mut store = Store::default();
    for index in 0..10 {
        store.task(&work, index);
        assert_eq!(store.hash.len(), 3.min(index as usize + 1));
        assert_eq!(store.mails.values().map(Vec::len).sum::<usize>(), index as usize + 1);
    }
    let mut places: Vec<u32> = store.hash.values().map(|json| Flat::decode(json.as_bytes()).unwrap().i).collect();
    places.sort_unstable();
    assert_eq!(places, [0, 1, 2]);
}

#[test]
fn shapes_are_the_originals() {
    let work = work(100, 0.01);
    let mut store = Store::default();
    store.task(&work, 0);
    assert_eq!(
        store.strings["test:building:10000"],
        r#"{"id":"10000","flats":"building:10000:flats {\"type\":\"hash\"}","visitors":"building:10000:visitors {\"type\":\"hash\",\"lazy\":true}","mail":"building:10000:mail {\"type\":\"list\",\"lazy\":true,\"append\":true}"}"#
    );
    let (id, flat) = store.hash.first_key_value().unwrap();
    let bedrooms = Flat::decode(flat.as_bytes()).unwrap().bedrooms;
    assert_eq!(
        *flat,
        format!(
            r#"{{"i":0,"json":{{"id":"{id}","bedrooms":{bedrooms},"mail":"building:10000:flats:{id}:mail {{\"type\":\"list\",\"lazy\":true,\"append\":true}}","visitors":"building:10000:flats:{id}:visitors {{\"type\":\"hash\",\"lazy\":true}}"}}}}"#
        )
    );
    assert_eq!(flat.len(), 237);
    let (key, mails) = store.mails.first_key_value().unwrap();
    assert_eq!(*key, format!("test:building:10000:flats:{id}:mail"));
    assert!(mails[0].starts_with(r#"{"id":""#) && mails[0].contains(r#"","text":""#), "{}", mails[0]);
}

/// The fit over the traced original: 5 705 + 265 F bytes for F flats and 5 120 characters of text.
#[test]
fn bytes_to_the_server_follow_the_fit() {
    for flats in [10u32, 50, 100] {
        let work = work(flats, 5.0);
        let mut store = Store::default();
        for request in prefill(&work, 0) {
            store.run(&request);
        }
        assert_eq!(store.hash.len(), flats as usize);
        let (outcome, _, bytes) = store.task(&work, 0);
        assert_eq!(outcome, Outcome::Completed);
        let fit = 5705.0 + 265.0 * f64::from(flats);
        assert!((bytes as f64 / fit - 1.0).abs() < 0.001, "{flats} flats: {bytes} bytes, fit {fit}");
    }
}

#[test]
fn a_mail_depends_on_seed_and_task_only_and_needs_no_escapes() {
    let (one, two) = (work(1, 5.0), work(1, 5.0));
    assert_eq!(one.mail(3), two.mail(3));
    assert_ne!(one.mail(3), one.mail(4));
    assert_eq!(one.mail(3).text.len(), 5120);
    let mut json = Buffer::take();
    one.mail(3).encode(&mut json);
    assert_eq!(json.contents().len(), 5120 + r#"{"id":"123456789abc","text":""}"#.len());
}

#[test]
fn noscript_loads_the_script_and_repeats_the_request_once() {
    let mut task = Document::new(work(2, 0.1), 0, 0);
    let mut root = Buffer::take();
    Building::new(crate::keys::document_id(0)).encode(&mut root);
    let noscript = || Reply::Redis(Err(RequestError::Server { code: "NOSCRIPT".into(), message: String::new() }));
    redis_step(task.resume(Reply::Start));
    let (_, evalsha) = redis_step(task.resume(reply(vec![bulk(root.contents())])));
    let (span, load) = redis_step(task.resume(noscript()));
    assert_eq!(span, Span::Fetch);
    assert_eq!(commands(&load), [["SCRIPT", "LOAD", SCRIPT]]);
    let (_, again) = redis_step(task.resume(reply(vec![bulk(b"sha")])));
    assert_eq!(again.bytes(), evalsha.bytes());
    assert_eq!(outcome(task.resume(noscript())), Outcome::Failed(Failure::ServerError));
}

#[test]
fn errors_end_the_task_by_their_cause() {
    let cases = [
        (RequestError::Timeout, Failure::Timeout),
        (RequestError::PoolTimeout, Failure::PoolTimeout),
        (RequestError::Disconnected("reset".into()), Failure::Disconnected),
        (RequestError::Server { code: "OOM".into(), message: String::new() }, Failure::ServerError),
    ];
    for (error, failure) in cases {
        let mut task = Document::new(work(2, 0.1), 0, 0);
        redis_step(task.resume(Reply::Start));
        assert_eq!(outcome(task.resume(Reply::Redis(Err(error)))), Outcome::Failed(failure));
    }
}

#[test]
fn nonsense_from_the_server_is_a_server_error() {
    for values in [vec![], vec![Value::Int(1)], vec![bulk(b"not json")], vec![Value::Nil, Value::Nil]] {
        let mut task = Document::new(work(2, 0.1), 0, 0);
        redis_step(task.resume(Reply::Start));
        assert_eq!(outcome(task.resume(reply(values))), Outcome::Failed(Failure::ServerError));
    }
}
