//! Connections of a proxy: from a dyno to the server, and which of them an event is about.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, connect, socket};

use super::due::Flow;

/// One end of one connection, as long as that lives: a number is used again, but not with the same generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(u64);

impl Name {
    const SIDE_BIT: u64 = 1;

    fn new(generation: u32, slot: usize, side: usize) -> Name {
        Name(u64::from(generation) << 32 | (slot as u64) << 1 | side as u64)
    }

    /// As an event carries it.
    pub(super) fn from_bits(bits: u64) -> Name {
        Name(bits)
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// The other end.
    pub(super) fn other(self) -> Name {
        Name(self.0 ^ Name::SIDE_BIT)
    }

    fn side(self) -> usize {
        (self.0 & Name::SIDE_BIT) as usize
    }

    fn slot(self) -> usize {
        (self.0 as u32 >> 1) as usize
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// One end: a socket, and what is to be written to it.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) stream: TcpStream,
    /// What comes from the other end.
    pub(super) flow: Flow,
    /// Its socket has no room: nothing is written until it says so.
    pub(super) full: bool,
    /// What is read here waits at the other end, and is enough for now.
    pub(super) paused: bool,
    /// An end is behind what can be read here, of which there is no further event.
    pub(super) ending: bool,
    /// Nothing more is read here.
    pub(super) ended: bool,
    /// Its peer has been told that nothing more is written here.
    pub(super) closed: bool,
}

impl Side {
    fn new(stream: TcpStream) -> Side {
        Side { stream, flow: Flow::default(), full: false, paused: false, ending: false, ended: false, closed: false }
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    pair: Option<Box<[Side; 2]>>,
}

impl Pairs {
    /// A connection of a dyno and the one to the server that belongs to it. The name is the dyno's end.
    pub(super) fn add(&mut self, downstream: TcpStream, upstream: TcpStream) -> Name {
        let pair = Some(Box::new([Side::new(downstream), Side::new(upstream)]));
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, pair: None });
            self.slots.len() - 1
        });
        self.slots[slot].pair = pair;
        Name::new(self.slots[slot].generation, slot, 0)
    }

    /// This end and the other one; `None` when the connection is gone.
    pub(super) fn get(&mut self, name: Name) -> Option<(&mut Side, &mut Side)> {
        let slot = self.slots.get_mut(name.slot()).filter(|slot| slot.generation == name.generation())?;
        let [down, up] = &mut **slot.pair.as_mut()?;
        Some(if name.side() == 0 { (down, up) } else { (up, down) })
    }

    /// Closes both ends. The pieces that waited for them are gone.
    pub(super) fn close(&mut self, name: Name) -> usize {
        let Some(slot) = self.slots.get_mut(name.slot()).filter(|slot| slot.generation == name.generation()) else {
            return 0;
        };
        let Some(pair) = slot.pair.take() else { return 0 };
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(name.slot());
        pair.iter().map(|side| side.flow.pieces()).sum()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

/// Begins to connect; the socket says when it is done, or that it failed.
pub(super) fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, None)?;
    let begun = match address {
        SocketAddr::V4(address) => connect(socket.as_raw_fd(), &SockaddrIn::from(address)),
        SocketAddr::V6(address) => connect(socket.as_raw_fd(), &SockaddrIn6::from(address)),
    };
    match begun {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(errno) => return Err(errno.into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::{Name, Pairs};

    #[test]
    fn a_name_is_of_one_connection_only() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = || TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut pairs = Pairs::default();
        let first = pairs.add(stream(), stream());
        let second = pairs.add(stream(), stream());
        assert_eq!(pairs.count(), 2);
        assert_eq!(Name::from_bits(first.bits()), first);
        assert_eq!(first.other().other(), first);
        let ports = |pairs: &mut Pairs, name| {
            let (this, other) = pairs.get(name).unwrap();
            (this.stream.local_addr().unwrap().port(), other.stream.local_addr().unwrap().port())
        };
        let (down, up) = ports(&mut pairs, second);
        assert_eq!(ports(&mut pairs, second.other()), (up, down));
        pairs.close(first.other());
        let third = pairs.add(stream(), stream());
        assert_eq!((first.slot(), pairs.count()), (third.slot(), 2), "the place is used again");
        assert!(pairs.get(first).is_none() && pairs.get(first.other()).is_none() && pairs.get(third).is_some());
        assert_eq!(pairs.close(first), 0);
        assert_eq!(pairs.count(), 2);
    }
}
