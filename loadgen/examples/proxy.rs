//! What the delay proxy can do on this machine: `cargo run --release -p loadgen --example proxy [CONNECTIONS] [RTT_US] [RATE]`.
//!
//! First every connection asks again as soon as it is answered: round trips a second, and CPU of the proxy for each. Then
//! RATE round trips a second (12 500, half of what one core is to do) are sent evenly, with the proxy and without: the
//! difference of the medians is what it really adds. Needs `cargo build --release -p loadgen`, a Redis server, and two open
//! files for each connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use common::latency::{Latency, microseconds};
use dyno::clock::{now_ns, sleep_until};
use loadgen::child::Seat;
use loadgen::proxy::process::{ANSWER_WITHIN, Control, DelayProxy};
use loadgen::proxy::{Answer, Options, Question};
use loadgen::redis_server::{Environment, PrivateOptions, PrivateServer, find};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const PONG_BYTES: usize = 7;
const WARMUP: Duration = Duration::from_secs(1);
const WINDOW: Duration = Duration::from_secs(3);
/// Connections of the second part, each with a thread of its own, which sleeps in between: at least so many, and so many
/// times what must be under way at once.
const PACED_MIN: f64 = 64.0;
const PACED_TIMES: f64 = 4.0;
const FILES_SPARE: u64 = 64;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>());
    let connections = arguments.next().unwrap_or(Ok(4_000))?;
    let rtt_us = arguments.next().unwrap_or(Ok(1_200))?;
    let rate = f64::from(arguments.next().unwrap_or(Ok(12_500))?);
    let paced_by = (PACED_TIMES * rate * f64::from(rtt_us) / 1e6).max(PACED_MIN).ceil() as u32;
    let files = dyno::limits::raise();
    anyhow::ensure!(
        files >= 2 * u64::from(connections) + FILES_SPARE,
        "`ulimit -Hn` is {files}: ask for fewer connections"
    );

    let directory = std::env::temp_dir().join(format!("headroom-proxy-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let binary = find(&Environment::from_process(), &mut |line| eprintln!("{line}"))?;
    let mut options = PrivateOptions::new(binary.path, &directory);
    options.max_clients = connections + 2 * paced_by + 100;
    let server = PrivateServer::start(&options)?;
    let options = Options { upstream: server.addr(), rtt_us, jitter_us: 0, seed: 1, real_time: true };
    let proxy = DelayProxy::start(&options, &Seat::default())?;
    let mut control = proxy.control(ANSWER_WITHIN)?;

    let (flood_per_s, cpu_us) = flood(proxy.address, connections, &mut control)?;
    let per_core = 1e6 / cpu_us;
    println!("{connections} connections, priority {}", proxy.priority);
    println!("{flood_per_s:.0} round trips/s, {cpu_us:.1} us of CPU for each: {per_core:.0}/s on a whole core");

    let direct = paced(server.addr(), rate, paced_by)?;
    control.ask(Question::Begin)?;
    let through = paced(proxy.address, rate, paced_by)?;
    let answer = control.ask(Question::End)?;
    let median = |latency: &Latency| latency.percentile_ns(0.5, 0).map(microseconds).unwrap_or(f64::NAN);
    let added = median(&through) - median(&direct);
    println!(
        "{rate:.0} round trips/s: median {:.1} us direct, {:.1} us through, {added:.1} us added of {rtt_us} us: {:+.1} us",
        median(&direct),
        median(&through),
        added - f64::from(rtt_us)
    );
    if let Some(tally) = answer.tally {
        let lateness = Latency::decode(&tally.lateness, tally.lateness_beyond).map_err(anyhow::Error::msg)?;
        let p = |p| lateness.percentile_ns(p, 0).map(microseconds).unwrap_or(f64::NAN);
        println!(
            "lateness of {} pieces: p50 {:.1} us, p99 {:.1} us; at most {} waited",
            tally.pieces,
            p(0.5),
            p(0.99),
            tally.queue_max
        );
    }
    drop(proxy);
    server.stop()?;
    Ok(std::fs::remove_dir_all(&directory)?)
}

/// Round trips a second, and CPU of the proxy for each, when every connection always has one under way.
fn flood(address: SocketAddr, connections: u32, control: &mut Control) -> anyhow::Result<(f64, f64)> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let mut streams = (0..connections).map(|_| connect(address)).collect::<anyhow::Result<Vec<_>>>()?;
    for (number, stream) in streams.iter_mut().enumerate() {
        epoll.add(&*stream, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
        stream.write_all(PING)?;
    }
    let mut round_trips = |until_ns: u64| -> anyhow::Result<u64> {
        let (mut count, mut events, mut pong) = (0, vec![EpollEvent::empty(); 512], [0; PONG_BYTES]);
        while now_ns() < until_ns {
            for event in 0..epoll.wait(&mut events, EpollTimeout::from(100u8))? {
                let stream = &mut streams[events[event].data() as usize];
                stream.read_exact(&mut pong)?;
                stream.write_all(PING)?;
                count += 1;
            }
        }
        Ok(count)
    };
    let cpu_us = |answer: &Answer| (answer.user_us + answer.sys_us) as f64;
    let begun_ns = now_ns() + WARMUP.as_nanos() as u64;
    round_trips(begun_ns)?;
    let before = control.ask(Question::Begin)?;
    let count = round_trips(begun_ns + WINDOW.as_nanos() as u64)? as f64;
    let after = control.ask(Question::End).context("the proxy is too busy to answer: ask for fewer connections")?;
    let pieces = after.tally.as_ref().map_or(0, |tally| tally.pieces) as f64;
    Ok((count / WINDOW.as_secs_f64(), (cpu_us(&after) - cpu_us(&before)) / (pieces / 2.0)))
}

/// Round trips of `rate` a second, evenly over the connections.
fn paced(address: SocketAddr, rate: f64, connections: u32) -> anyhow::Result<Latency> {
    let period_ns = (f64::from(connections) / rate * 1e9) as u64;
    let start_ns = now_ns() + WARMUP.as_nanos() as u64;
    let threads: Vec<_> = (0..connections)
        .map(|number| {
            let first_ns = start_ns + u64::from(number) * period_ns / u64::from(connections);
            thread::spawn(move || one_paced(&mut connect(address)?, first_ns, period_ns))
        })
        .collect();
    let mut all = Latency::new();
    for thread in threads {
        all.merge(&thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??);
    }
    Ok(all)
}

fn one_paced(stream: &mut TcpStream, first_ns: u64, period_ns: u64) -> anyhow::Result<Latency> {
    let _ = nix::sys::prctl::set_timerslack(1);
    let (mut latency, mut pong) = (Latency::new(), [0; PONG_BYTES]);
    for turn in 0..WINDOW.as_nanos() as u64 / period_ns {
        sleep_until(first_ns + turn * period_ns);
        let begun_ns = now_ns();
        stream.write_all(PING)?;
        stream.read_exact(&mut pong)?;
        latency.record(now_ns() - begun_ns);
    }
    Ok(latency)
}

fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
