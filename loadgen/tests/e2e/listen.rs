//! Dynos that are started by hand: who is let in, who is refused, and that strangers do no harm.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use common::plan::{Allocator, Engine};
use common::report::RunResult;
use common::wire::{FromDyno, Hello, MessageDecoder, Surroundings, ToDyno, WIRE_VERSION, encode_message};

use nix::sys::signal::Signal;
use testkit::TestServer;

use crate::support::redis::{Watch, free_address};
use crate::support::runs::assert_run;
use crate::support::{LONG, Loadgen, start, worker};

/// A run that waits for two dynos, and where.
fn waiting(engine: &str) -> (Loadgen, SocketAddr) {
    let address = free_address();
    let mut run = start(&format!(
        "run --engine {engine} --listen {address} --dynos 2 --workers 3 --rate 60 --duration 0.5 --warmup 0 --list-max 3 \
         --backlog-max 1000 --set slo.drain_within_s=60"
    ));
    run.await_stderr(&format!("waiting for 2 x `workers-{engine} --connect {address}`"));
    (run, address)
}

/// Two dynos come, and all is well.
fn assert_goes_on(run: Loadgen, engine: &str, address: SocketAddr) {
    let dynos = [(); 2].map(|()| worker(&format!("workers-{engine}"), &address.to_string()));
    let finished = run.finish();
    let run = assert_run(&finished, RunResult::Ok);
    assert_eq!((run.counts.completed, run.workers.dynos, run.workers.count), (30, 2, 6));
    assert!(run.versions.workers.starts_with(&format!("workers-{engine} ")), "{}", run.versions.workers);
    assert!(run.workers.cycles.iter().all(|&cycles| cycles == Some(5)), "{:?}", run.workers.cycles);
    for dyno in dynos {
        let dyno = dyno.finish();
        assert_eq!((dyno.code, dyno.stdout.as_str(), dyno.stderr.as_str()), (Some(0), "", ""), "{dyno}");
    }
}

#[test]
fn dynos_started_by_hand_do_the_same_work() {
    for engine in ["threaded", "async"] {
        let (run, address) = waiting(engine);
        assert_goes_on(run, engine, address);
    }
}

#[test]
fn a_dyno_of_the_other_engine_is_refused_by_name() {
    let (mut run, address) = waiting("async");
    let wrong = worker("workers-threaded", &address.to_string()).finish();
    assert_eq!(wrong.code, Some(1), "{wrong}");
    for word in ["workers-threaded: loadgen refused this dyno", "needs workers-async", "this is workers-threaded"] {
        assert!(wrong.stderr.contains(word), "{wrong}");
    }
    run.await_stderr("refused a dyno: the run needs workers-async and this is workers-threaded");
    assert_goes_on(run, "async", address);
}

/// Says hello and returns the answer.
fn greet(address: SocketAddr, hello: Hello) -> Option<ToDyno> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream.write_all(&encode_message(&FromDyno::Hello(hello))).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let mut decoder = MessageDecoder::default();
    decoder.extend(&bytes);
    decoder.message().unwrap()
}

#[test]
fn forged_greetings_are_refused_by_name() {
    let (mut run, address) = waiting("threaded");
    let right = Hello {
        wire_version: WIRE_VERSION,
        engine: Engine::Threaded,
        allocator: Allocator::Mimalloc,
        build: "workers-forged 9.9.9".to_owned(),
        pid: 1,
        surroundings: dyno::surroundings::read(),
    };
    for (hello, words) in [
        (Hello { wire_version: WIRE_VERSION + 1, ..right.clone() }, ["workers-forged 9.9.9", "wire version"]),
        (Hello { engine: Engine::Async, ..right.clone() }, ["needs workers-threaded", "workers-async"]),
        (
            Hello { allocator: Allocator::System, ..right.clone() },
            ["needs workers-threaded", "workers-threaded-system"],
        ),
        (Hello { surroundings: Surroundings::default(), ..right }, ["another machine", "--redis-url"]),
    ] {
        let Some(ToDyno::Refuse(why)) = greet(address, hello) else { panic!("not refused: {words:?}") };
        assert!(words.iter().all(|word| why.contains(word)), "{why}");
        run.await_stderr(&format!("refused a dyno: {why}"));
    }
    assert_goes_on(run, "threaded", address);
}

#[test]
fn strangers_at_the_door_do_no_harm() {
    let (run, address) = waiting("async");
    let huge = u32::MAX.to_le_bytes();
    let no_hello = encode_message(&FromDyno::Ready);
    let no_message = encode_message(&"let me in");
    let stray = encode_message(&FromDyno::Dispatch { token: 7 });
    let nonsense: [&[u8]; 6] = [b"GET / HTTP/1.1\r\n\r\n", b"\0", &huge, &no_hello, &no_message, &stray];
    // All stay: some are hung up on at once, some later, and one says nothing at all.
    let mut strangers: Vec<TcpStream> = nonsense.map(|_| TcpStream::connect(address).unwrap()).into();
    for (stranger, bytes) in strangers.iter_mut().zip(nonsense) {
        stranger.write_all(bytes).unwrap();
    }
    strangers.push(TcpStream::connect(address).unwrap());
    assert_goes_on(run, "async", address);
}

/// Once a run has its dynos its door is closed: who comes too late is told so at once.
#[test]
fn a_dyno_too_many_is_not_kept_waiting() {
    let server = TestServer::start();
    let mut watch = Watch::on(server.addr());
    let address = free_address();
    let mut run = start(&format!(
        "run --engine async --listen {address} --workers 2 --rate 50 --duration 600 --warmup 0 --list-max 3 \
         --backlog-max 100000 --redis-url {}",
        server.url()
    ));
    run.await_stderr("waiting for 1 x");
    let wanted = worker("workers-async", &address.to_string());
    watch.tasks(2 + 5);
    let late = worker("workers-async", &address.to_string()).finish();
    assert_eq!(late.code, Some(2), "{late}");
    assert!(late.stderr.contains("no loadgen listens"), "{late}");
    run.signal(Signal::SIGINT);
    assert_eq!(run.finish().code, Some(130));
    assert_eq!(wanted.finish().code, Some(0));
}

#[test]
fn a_dyno_without_a_loadgen_says_so() {
    let nobody = free_address().to_string();
    for name in ["workers-threaded", "workers-async"] {
        let alone = worker(name, &nobody).finish();
        assert_eq!((alone.code, alone.stdout.as_str()), (Some(2), ""), "{alone}");
        assert_eq!(alone.stderr.lines().count(), 1, "{alone}");
        for word in [&format!("{name}: no loadgen listens at {nobody}"), &format!("`loadgen run --listen {nobody}`")] {
            assert!(alone.stderr.contains(word), "{alone}");
        }
        let lost = worker(name, "nowhere").finish();
        assert_eq!((lost.code, lost.stdout.as_str()), (Some(2), ""), "{lost}");
        assert!(lost.stderr.contains("'nowhere' for '--connect <ADDR>'"), "{lost}");
    }
}
