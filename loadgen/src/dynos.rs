//! Worker processes: started or awaited, greeted, listened to, and never left behind.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context;
use common::plan::Variant;
use common::wire::{Assign, FromDyno, Hello, MessageDecoder, Surroundings, ToDyno, WIRE_VERSION, encode_message};
use crossbeam_channel::{Receiver, Sender, select, tick, unbounded};
use dyno::clock::now_ns;

use crate::child::{self, ChildGuard};
use crate::clocks::{Answer, Clock};
use crate::dispatch::{Form, Lane};
use crate::error::{Interrupted, Refused};
use crate::placement::Placement;
use crate::signals::Interrupt;

mod compare;

/// How long all dynos together may take to spawn workers and open connections.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long a connection may take to say who it is.
const GREETING_WITHIN: Duration = Duration::from_secs(5);
/// Between two tries to let somebody in, when the first one failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// What somebody hears who is not expected.
const STRANGER: &str = "this run starts its own dynos: use `loadgen run --listen ADDR` for others";
/// What a dyno hears that could not reach what its workers are to connect to.
const ELSEWHERE: &str = "the run's private Redis server, or its delay proxy, listens on loopback, and the dyno is on another machine \
    or in a network namespace of its own: give `loadgen run` a server that both can reach by --redis-url, and leave redis.rtt_us \
    at 0";
/// How long a dyno may take to end after its last word.
const EXIT_WITHIN: Duration = Duration::from_secs(2);

/// Where dynos come from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// Started here, from the binaries beside loadgen's.
    Spawned {
        /// Bytes added to the environment: stack addresses depend on its size, and one block must not stand on one
        /// accident.
        padding: usize,
    },
    /// Started by hand with `--connect`, which is to say here.
    Awaited(Arc<Mutex<Option<TcpListener>>>),
}

impl Origin {
    /// Listens at `address` for dynos started by hand.
    ///
    /// # Errors
    /// The address is taken, or none of this machine's.
    pub fn awaited(address: SocketAddr) -> Result<Origin, Refused> {
        TcpListener::bind(address)
            .map(|listener| Origin::Awaited(Arc::new(Mutex::new(Some(listener)))))
            .map_err(|error| Refused(format!("--listen {address}: {error}; choose a free address of this machine")))
    }
}

/// What a dyno says, or that it will say no more.
#[derive(Debug)]
pub enum Event {
    /// A message of dyno `.0`.
    Message(u32, Box<FromDyno>),
    /// Dyno `.0` has been asked what time it is.
    Clock(u32, Answer),
    /// Its control connection ended.
    Gone(u32),
}

/// All dynos of a run, ready. Dropping them ends them.
pub struct Dynos {
    controls: Vec<TcpStream>,
    children: Vec<ChildGuard>,
    /// By dyno; `None` where they have numbers of their own.
    pub pids: Vec<Option<u32>>,
    /// By dyno, as they are before the run.
    pub clocks: Vec<Clock>,
    /// What they say.
    pub events: Receiver<Event>,
    /// What they said of themselves.
    pub builds: Vec<String>,
}

/// A connection that has said who it is.
enum Arrived {
    Control(Hello, TcpStream, MessageDecoder),
    Dispatch(u64, TcpStream),
}

/// Starts or awaits the dynos, gives each its assignment, and returns when all are ready and their clocks known, with
/// their dispatch connections. `loopback`: the server that they are given can be reached from here only.
///
/// # Errors
/// A dyno that cannot start, in its own words; an interruption.
pub fn assemble(
    origin: &Origin,
    variant: &Variant,
    assigns: Vec<Assign>,
    loopback: bool,
    placement: &Placement,
    interrupt: &Interrupt,
    say: &mut dyn FnMut(&str),
) -> anyhow::Result<(Dynos, Vec<Lane>)> {
    let listener = match origin {
        Origin::Spawned { .. } => TcpListener::bind(("127.0.0.1", 0))?,
        // Taken, so that it closes with the door: who comes too late is told that nobody listens.
        Origin::Awaited(listener) => {
            listener.lock().unwrap_or_else(PoisonError::into_inner).take().context("one run")?
        }
    };
    let address = listener.local_addr()?;
    let mut children = Vec::new();
    match origin {
        Origin::Spawned { padding } => {
            let binary = binary(&variant.engine.binary(variant.allocator))?;
            for assign in &assigns {
                let seat = placement.dyno_seat(assign.dyno, &assign.settings)?;
                let mut command = Command::new(&binary);
                command.arg("--connect").arg(address.to_string()).env("HEADROOM_PADDING", "x".repeat(*padding));
                children
                    .push(child::spawn(&mut command, &seat).with_context(|| format!("{}, {seat}", binary.display()))?);
            }
        }
        Origin::Awaited(_) => {
            let name = variant.engine.binary(variant.allocator);
            say(&format!("waiting for {} x `{name} --connect {address}` (Ctrl-C to give up)", assigns.len()))
        }
    }

    let (arrived, arrivals) = unbounded();
    let _door = Door::open(listener, arrived)?;
    let (say_event, events) = unbounded();
    let mut dynos =
        Dynos { controls: Vec::new(), children, pids: Vec::new(), clocks: Vec::new(), events, builds: Vec::new() };
    let mut apart = Vec::new();
    let mut dispatches: Vec<Option<TcpStream>> = assigns.iter().map(|_| None).collect();
    let here = dyno::surroundings::read();
    let mut ready = 0;
    let clock = tick(Duration::from_millis(100));
    let begun = Instant::now();
    let spawned = matches!(origin, Origin::Spawned { .. });
    while ready < assigns.len() || dispatches.iter().any(Option::is_none) {
        select! {
            recv(arrivals) -> one => match one? {
                Arrived::Control(hello, stream, decoder) => {
                    let own = dynos.children.iter().any(|child| child.pid() == hello.pid);
                    let stranger = spawned && !own;
                    let shared = Shared::between(&hello.surroundings, &here, own);
                    let cut_off = loopback && !shared.network;
                    let present = dynos.controls.len();
                    if let Err(why) = welcome(&hello, stranger, variant, cut_off, present, assigns.len()) {
                        refuse(stream, &why);
                        if own {
                            return Err(Refused(why).into());
                        }
                        // Whoever it is, it must not end this run.
                        say(&format!("refused a dyno: {why}"));
                        continue;
                    }
                    let dyno = present as u32;
                    let assign = Box::new(assigns[dyno as usize].clone());
                    let mut control = stream.try_clone()?;
                    control.write_all(&encode_message(&ToDyno::Assign(assign)))?;
                    listen(dyno, stream, decoder, say_event.clone())?;
                    dynos.controls.push(control);
                    dynos.builds.push(hello.build);
                    dynos.pids.push(shared.processes.then_some(hello.pid));
                    dynos.clocks.push(Clock::Shared);
                    if !shared.clock {
                        apart.push(dyno);
                    }
                }
                Arrived::Dispatch(token, stream) => {
                    let dyno = assigns.iter().position(|assign| assign.token == token);
                    if let Some(dispatch) = dyno.and_then(|dyno| dispatches.get_mut(dyno)) {
                        *dispatch = Some(stream);
                    }
                }
            },
            recv(dynos.events) -> event => match event? {
                Event::Message(_, message) => match *message {
                    FromDyno::Ready => ready += 1,
                    FromDyno::Fatal(why) => return Err(Refused(format!("a dyno cannot start: {why}")).into()),
                    _ => {}
                },
                Event::Clock(..) => {}
                Event::Gone(dyno) => anyhow::bail!("dyno {dyno} ended before it was ready; see its message above"),
            },
            recv(interrupt.channel()) -> _ => return Err(Interrupted.into()),
            recv(clock) -> _ => {
                for child in &mut dynos.children {
                    // What it said before it ended is a better reason than that it ended.
                    if dynos.events.is_empty()
                        && let Some(status) = child.try_wait()?
                        && dynos.events.is_empty()
                    {
                        anyhow::bail!("a dyno ended before it was ready ({status}); see its message above");
                    }
                }
                if spawned && begun.elapsed() > READY_WITHIN {
                    anyhow::bail!("the dynos were not ready within {} s", READY_WITHIN.as_secs());
                }
            }
        }
    }
    for dyno in apart {
        dynos.clocks[dyno as usize] = dynos.compare_clock(dyno, interrupt)?;
    }
    let lanes = dispatches
        .into_iter()
        .flatten()
        .zip(&dynos.clocks)
        .map(|(dispatch, clock)| Lane::new(dispatch, Form::Frame(clock.offset())));
    let lanes = lanes.collect::<Result<_, _>>()?;
    Ok((dynos, lanes))
}

impl Dynos {
    /// Says something to all of them, to each in its own time. A dyno that is gone says so by its event.
    pub fn tell(&mut self, message: &ToDyno) {
        for (control, clock) in self.controls.iter_mut().zip(&self.clocks) {
            let _ = control.write_all(&encode_message(&clock.offset().told(message)));
        }
    }

    /// How the process of a lost dyno ended; `None` when it was started by hand, or runs on.
    pub fn status(&mut self, dyno: u32) -> Option<String> {
        let pid = (*self.pids.get(dyno as usize)?)?;
        let child = self.children.iter_mut().find(|child| child.pid() == pid)?;
        Some(child.wait_timeout(EXIT_WITHIN).ok()??.to_string())
    }

    /// After their last word: waits for the processes, and kills those that stay.
    pub fn end(mut self) {
        for control in &self.controls {
            let _ = control.shutdown(std::net::Shutdown::Both);
        }
        for child in &mut self.children {
            // Dropping the guard kills what is left.
            let _ = child.wait_timeout(EXIT_WITHIN);
        }
    }
}

/// A program beside this one.
///
/// # Errors
/// It has not been built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    // Tests run from a directory below the binaries.
    let candidates = own.ancestors().skip(1).take(2).map(|directory| directory.join(name));
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| Refused(format!("{name} is not beside {}: build it with `make build`", own.display())).into())
}

/// What a dyno and loadgen have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shared {
    clock: bool,
    processes: bool,
    network: bool,
}

impl Shared {
    /// `own`: loadgen has started it, so that it has inherited everything, whether the kernel says so or not. But children can be
    /// given a time namespace that their parent is not in: a clock that is known to be another is another.
    fn between(there: &Surroundings, here: &Surroundings, own: bool) -> Shared {
        Shared {
            clock: there.share_clock(here) || own && there.clock.is_empty(),
            processes: own || there.share_processes(here),
            network: own || there.share_network(here),
        }
    }
}

/// Whether a dyno may take part. A stranger is one that loadgen has not started in a run whose dynos it starts. `cut_off`: it
/// cannot reach the run's server.
fn welcome(
    hello: &Hello,
    stranger: bool,
    variant: &Variant,
    cut_off: bool,
    present: usize,
    wanted: usize,
) -> Result<(), String> {
    if stranger {
        return Err(STRANGER.to_owned());
    }
    if hello.wire_version != WIRE_VERSION {
        return Err(format!(
            "{} speaks wire version {} and loadgen {WIRE_VERSION}: build both from the same source",
            hello.build, hello.wire_version
        ));
    }
    if (hello.engine, hello.allocator) != (variant.engine, variant.allocator) {
        let wanted = variant.engine.binary(variant.allocator);
        return Err(format!("the run needs {wanted} and this is {}", hello.engine.binary(hello.allocator)));
    }
    if cut_off {
        return Err(ELSEWHERE.to_owned());
    }
    if present == wanted {
        return Err(format!("the run needs {wanted} dynos and has them"));
    }
    Ok(())
}

fn refuse(mut stream: TcpStream, why: &str) {
    let _ = stream.write_all(&encode_message(&ToDyno::Refuse(why.to_owned())));
}

/// Accepts connections until it is dropped; each says who it is on a thread of its own, so that a silent one does not
/// keep the others waiting.
struct Door {
    address: SocketAddr,
    closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    fn open(listener: TcpListener, arrived: Sender<Arrived>) -> anyhow::Result<Door> {
        let address = listener.local_addr()?;
        let closed = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&closed);
        let thread = thread::Builder::new().name("accept".into()).spawn(move || {
            for stream in listener.incoming() {
                if seen.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else {
                    // Somebody hung up before he was let in, or files are short: neither gets better by hurry.
                    thread::sleep(ACCEPT_PAUSE);
                    continue;
                };
                let arrived = arrived.clone();
                let _ = thread::Builder::new().name("greeting".into()).spawn(move || {
                    if let Some(one) = greeting(stream) {
                        let _ = arrived.send(one);
                    }
                });
            }
        })?;
        Ok(Door { address, closed, thread: Some(thread) })
    }
}

impl Drop for Door {
    /// Wakes the thread by a last connection.
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        if TcpStream::connect(self.address).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

fn greeting(mut stream: TcpStream) -> Option<Arrived> {
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(GREETING_WITHIN)).ok()?;
    let mut decoder = MessageDecoder::default();
    match next_message(&mut stream, &mut decoder)? {
        FromDyno::Hello(hello) => {
            stream.set_read_timeout(None).ok()?;
            Some(Arrived::Control(hello, stream, decoder))
        }
        FromDyno::Dispatch { token } => Some(Arrived::Dispatch(token, stream)),
        _ => None,
    }
}

/// `None` at the end of the connection, and for bytes that are no message.
fn next_message(stream: &mut TcpStream, decoder: &mut MessageDecoder) -> Option<FromDyno> {
    let mut bytes = [0; 64 * 1024];
    loop {
        if let Some(message) = decoder.message().ok()? {
            return Some(message);
        }
        match stream.read(&mut bytes).ok()? {
            0 => return None,
            count => decoder.extend(&bytes[..count]),
        }
    }
}

fn listen(dyno: u32, mut stream: TcpStream, mut decoder: MessageDecoder, events: Sender<Event>) -> anyhow::Result<()> {
    thread::Builder::new().name(format!("dyno-{dyno}")).spawn(move || {
        while let Some(message) = next_message(&mut stream, &mut decoder) {
            let event = match message {
                FromDyno::Clock { asked_ns, at_ns } => {
                    Event::Clock(dyno, Answer { asked_ns, at_ns, received_ns: now_ns() })
                }
                message => Event::Message(dyno, Box::new(message)),
            };
            if events.send(event).is_err() {
                return;
            }
        }
        let _ = events.send(Event::Gone(dyno));
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use common::plan::{Allocator, Engine};
    use common::wire::{FromDyno, Hello, MessageDecoder, Surroundings, WIRE_VERSION};
    use testkit::stand::plan;

    use super::{Shared, welcome};

    #[test]
    fn who_may_take_part() {
        let variant = plan("engine = \"async\"").variants.remove(0);
        let right = Hello {
            wire_version: WIRE_VERSION,
            engine: Engine::Async,
            allocator: Allocator::Mimalloc,
            build: "workers-async 1".to_owned(),
            pid: 1,
            surroundings: dyno::surroundings::read(),
        };
        let here = right.surroundings.clone();
        let answer = |hello: &Hello, stranger, present| {
            let cut_off = !Shared::between(&hello.surroundings, &here, false).network;
            welcome(hello, stranger, &variant, cut_off, present, 2)
        };
        assert_eq!(answer(&right, false, 1), Ok(()));
        let far = Surroundings { network: "elsewhere".to_owned(), ..Surroundings::default() };
        let anywhere = Hello { surroundings: far.clone(), ..right.clone() };
        assert_eq!(welcome(&anywhere, false, &variant, false, 1, 2), Ok(()), "another clock alone is no reason");
        for (hello, stranger, present, why) in [
            (right.clone(), true, 0, "starts its own dynos"),
            (right.clone(), false, 2, "needs 2 dynos and has them"),
            (Hello { wire_version: WIRE_VERSION + 1, ..right.clone() }, false, 0, "wire version"),
            (
                Hello { engine: Engine::Threaded, ..right.clone() },
                false,
                0,
                "needs workers-async and this is workers-threaded",
            ),
            (
                Hello { allocator: Allocator::System, ..right.clone() },
                false,
                0,
                "needs workers-async and this is workers-async-system",
            ),
            (Hello { surroundings: far.clone(), ..right.clone() }, false, 0, "--redis-url"),
        ] {
            let refused = answer(&hello, stranger, present).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn own_dynos_share_everything_whatever_the_kernel_says() {
        let (here, unknown) = (dyno::surroundings::read(), Surroundings::default());
        let all = |shared| Shared { clock: shared, processes: shared, network: shared };
        assert_eq!(Shared::between(&unknown, &unknown, true), all(true));
        assert_eq!(Shared::between(&unknown, &unknown, false), all(false));
        assert_eq!(Shared::between(&here, &here, false), all(true));
        let apart = Surroundings { clock: "boot time:[2]".to_owned(), ..here.clone() };
        assert!(!Shared::between(&apart, &here, true).clock);
    }

    /// As a dyno of wire version 4 greets.
    #[test]
    fn another_version_is_refused_by_name_whatever_else_it_says() {
        let json = br#"{"Hello":{"wire_version":4,"engine":"async","allocator":"mimalloc","build":"workers-async 0.1.0","pid":7,"boot_id":"8d4a"}}"#;
        let mut decoder = MessageDecoder::default();
        decoder.extend(&(json.len() as u32).to_le_bytes());
        decoder.extend(json);
        let Some(FromDyno::Hello(hello)) = decoder.message().unwrap() else { panic!("no greeting") };
        let variant = plan("engine = \"async\"").variants.remove(0);
        let why = welcome(&hello, false, &variant, true, 0, 1).unwrap_err();
        let expected = format!("workers-async 0.1.0 speaks wire version 4 and loadgen {WIRE_VERSION}: build both");
        assert!(why.starts_with(&expected), "{why}");
    }
}
