//! The delay proxy as a process, between real connections and a real server. Only lower bounds of times are asserted: upper
//! ones are the machine's affair.

#![expect(clippy::unwrap_used, reason = "clippy's exception for tests does not reach their helper functions")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::latency::Latency;
use loadgen::child::{Seat, wait_for_exit};
use loadgen::proxy::process::DelayProxy;
use loadgen::proxy::{Options, Question};
use loadgen::redis_server::ServerUrl;
use nix::libc::linger;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::Pid;
use testkit::TestServer;

/// Reaching it means that something hangs.
const LONG: Duration = Duration::from_secs(60);

fn proxy(upstream: SocketAddr, rtt_us: u32, jitter_us: u32) -> DelayProxy {
    DelayProxy::start(&Options { upstream, rtt_us, jitter_us, seed: 7, real_time: true }, &Seat::default()).unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn redis_at(server: &TestServer, address: SocketAddr) -> redis::Connection {
    let url: ServerUrl = server.url().parse().unwrap();
    redis::Client::open(url.at(address).unwrap().connection_info().unwrap()).unwrap().get_connection().unwrap()
}

/// The connection ends, in order or not, and nothing comes before.
#[track_caller]
fn assert_ends(mut stream: TcpStream) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
    }
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn replies_are_those_of_the_server_in_their_order_whatever_their_size() {
    let server = TestServer::start_with(&["--requirepass", "s3cret"]);
    for jitter_us in [0, 2_000] {
        let proxy = proxy(server.addr(), 2_000, jitter_us);
        let (mut near, mut far) = (redis_at(&server, server.addr()), redis_at(&server, proxy.address));
        let sizes = [0, 1, 100, 1_448, 4_096, 65_535, 65_536, 300_000, 1 << 20];
        let values: Vec<Vec<u8>> = (0u8..)
            .zip(sizes)
            .map(|(seed, size)| (0..size).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect())
            .collect();
        let mut pipeline = redis::pipe();
        for (key, value) in values.iter().enumerate() {
            pipeline.cmd("SET").arg(key).arg(value).ignore();
            pipeline.cmd("INCR").arg("turn");
            pipeline.cmd("GET").arg(key);
        }
        redis::cmd("DEL").arg("turn").exec(&mut near).unwrap();
        let replies: Vec<redis::Value> = pipeline.query(&mut far).unwrap();
        redis::cmd("DEL").arg("turn").exec(&mut near).unwrap();
        assert_eq!(replies, pipeline.query::<Vec<redis::Value>>(&mut near).unwrap());
        for (turn, (pair, value)) in (1..).zip(replies.chunks(2).zip(&values)) {
            assert_eq!(pair, [redis::Value::Int(turn), redis::Value::BulkString(value.clone())]);
        }
    }
}

/// But for the lead, which is at most 100 us in either direction.
#[test]
fn no_round_trip_is_shorter_than_asked() {
    const LEAD: Duration = Duration::from_micros(2 * 100);
    const RTT: Duration = Duration::from_millis(3);
    let server = TestServer::start();
    let proxy = proxy(server.addr(), RTT.as_micros() as u32, 1_000);
    let mut control = proxy.control(LONG).unwrap();
    let mut connection = redis_at(&server, proxy.address);
    assert_eq!(control.ask(Question::Begin).unwrap().tally, None);
    for _ in 0..50 {
        let begun = Instant::now();
        redis::cmd("PING").exec(&mut connection).unwrap();
        assert!(begun.elapsed() >= RTT - LEAD, "{:?}", begun.elapsed());
    }
    let tally = control.ask(Question::End).unwrap().tally.unwrap();
    let lateness = Latency::decode(&tally.lateness, tally.lateness_beyond).unwrap();
    assert_eq!((tally.pieces, lateness.n(), tally.connections, tally.queue_max), (100, 100, 1, 1));
    assert_eq!(tally.bytes, 50 * (14 + 7));
}

#[test]
fn delays_of_many_connections_run_at_once() {
    const CONNECTIONS: usize = 500;
    let server = TestServer::start();
    let proxy = proxy(server.addr(), 2_000, 0);
    let mut streams: Vec<_> = (0..CONNECTIONS).map(|_| connect(proxy.address)).collect();
    let mut control = proxy.control(LONG).unwrap();
    control.ask(Question::Begin).unwrap();
    for round in 0..3 {
        for (number, stream) in streams.iter_mut().enumerate() {
            let number = (round * CONNECTIONS + number).to_string();
            let request = format!("*2\r\n$4\r\nECHO\r\n${}\r\n{number}\r\n", number.len());
            stream.write_all(request.as_bytes()).unwrap();
        }
        for (number, stream) in streams.iter_mut().enumerate() {
            let number = (round * CONNECTIONS + number).to_string();
            let expected = format!("${}\r\n{number}\r\n", number.len());
            let mut reply = vec![0; expected.len()];
            stream.read_exact(&mut reply).unwrap();
            assert_eq!(String::from_utf8(reply).unwrap(), expected);
        }
    }
    let tally = control.ask(Question::End).unwrap().tally.unwrap();
    assert_eq!((tally.pieces, tally.connections), (3 * 2 * CONNECTIONS as u64, CONNECTIONS as u64));
    drop(streams);
}

#[test]
fn more_than_may_wait_is_left_to_its_sender_and_nothing_is_lost() {
    const BYTES: usize = 40 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = proxy(listener.local_addr().unwrap(), 20_000, 0);
    let mut downstream = connect(proxy.address);
    let (mut upstream, _) = listener.accept().unwrap();
    let byte = |at: usize| (at as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3];
    let sender = thread::spawn(move || {
        let bytes: Vec<u8> = (0..BYTES).map(byte).collect();
        upstream.write_all(&bytes).unwrap();
        // Half-closed: its end comes after its last byte, and it still hears.
        upstream.shutdown(Shutdown::Write).unwrap();
        let mut heard = Vec::new();
        upstream.read_to_end(&mut heard).unwrap();
        heard
    });
    let mut received = Vec::new();
    downstream.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), BYTES);
    assert!(received.iter().enumerate().all(|(at, &received)| received == byte(at)));
    downstream.write_all(b"heard").unwrap();
    downstream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(sender.join().unwrap(), b"heard");
}

#[test]
fn who_cannot_reach_the_server_sees_the_end_of_the_connection() {
    // Nobody listens there any more.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = proxy(address, 1_000, 0);
    assert_ends(connect(refused.address));

    let server = TestServer::start();
    let proxy = proxy(server.addr(), 1_000, 0);
    let mut stream = connect(proxy.address);
    stream.write_all(b"PING\r\n").unwrap();
    let mut pong = [0; 7];
    stream.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"+PONG\r\n");
    kill(Pid::from_raw(server.pid().cast_signed()), Signal::SIGKILL).unwrap();
    assert_ends(stream);
}

/// A request is on its way when the server answers and hangs up: what it said comes first, then the end.
#[test]
fn what_was_said_before_a_reset_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = proxy(listener.local_addr().unwrap(), 400_000, 0);
    let mut downstream = connect(proxy.address);
    let (mut upstream, _) = listener.accept().unwrap();
    downstream.write_all(b"request").unwrap();
    upstream.write_all(b"reply").unwrap();
    let at_once = linger { l_onoff: 1, l_linger: 0 };
    setsockopt(&upstream, sockopt::Linger, &at_once).unwrap();
    drop(upstream);
    let mut reply = [0; 5];
    downstream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"reply");
    assert_ends(downstream);

    // Nothing is left of it.
    let mut control = proxy.control(LONG).unwrap();
    control.ask(Question::Begin).unwrap();
    let tally = control.ask(Question::End).unwrap().tally.unwrap();
    assert_eq!((tally.connections, tally.queue_max), (0, 0));
}

#[test]
fn one_beside_the_generator_is_not_real_time() {
    let server = TestServer::start();
    let options = Options { upstream: server.addr(), rtt_us: 1_000, jitter_us: 0, seed: 7, real_time: false };
    let proxy = DelayProxy::start(&options, &Seat::default()).unwrap();
    assert!(["nice -10", "normal"].contains(&proxy.priority.as_str()), "{}", proxy.priority);
    redis::cmd("PING").exec(&mut redis_at(&server, proxy.address)).unwrap();
}

#[test]
fn it_ends_with_the_connection_that_it_is_asked_on() {
    let server = TestServer::start();
    let mut proxy = proxy(server.addr(), 1_000, 0);
    let (pid, stream) = (proxy.pid(), connect(proxy.address));
    assert_eq!(proxy.lost(), None);
    drop(proxy);
    assert!(wait_for_exit(pid, LONG).unwrap());
    assert_ends(stream);

    let mut proxy = self::proxy(server.addr(), 1_000, 0);
    kill(Pid::from_raw(proxy.pid().cast_signed()), Signal::SIGKILL).unwrap();
    assert!(wait_for_exit(proxy.pid(), LONG).unwrap());
    assert!(proxy.lost().unwrap().contains("SIGKILL"));
}
