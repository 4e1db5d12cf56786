//! Reading, and when what was read had come.
//!
//! A proxy that sleeps has to be woken first, and one that is busy comes later still: what is due by the instant of its own
//! read would be late by that. The kernel notes when packets come, and says so of the last one that a read has taken.

use std::io::{self, IoSliceMut};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Duration;

use dyno::clock::now_ns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::time::{ClockId, clock_gettime};

/// What one read takes at most.
pub(super) const READ_BYTES: usize = 64 * 1024;
/// The kernel notes the time of day, which somebody may set meanwhile: no piece has waited for so long.
const AGE_MAX: Duration = Duration::from_secs(1);

pub(super) struct Reader {
    bytes: Box<[u8]>,
    notes: Vec<u8>,
}

impl Reader {
    pub(super) fn new() -> Reader {
        Reader { bytes: vec![0; READ_BYTES].into(), notes: nix::cmsg_space!(nix::libc::timespec) }
    }

    /// Has the kernel note when something comes. Where it does not, the instants of reading are used.
    pub(super) fn prepare(stream: &TcpStream) {
        let _ = setsockopt(stream, sockopt::ReceiveTimestampns, &true);
    }

    /// What there is, and when the last of it had come, on `CLOCK_MONOTONIC`; never before it had.
    pub(super) fn read(&mut self, stream: &TcpStream) -> io::Result<(&[u8], u64)> {
        let (count, noted) = {
            let mut into = [IoSliceMut::new(&mut self.bytes)];
            let flags = MsgFlags::empty();
            let message = recvmsg::<()>(stream.as_raw_fd(), &mut into, Some(&mut self.notes), flags)?;
            let noted = message.cmsgs()?.find_map(|note| match note {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
                _ => None,
            });
            (message.bytes, noted)
        };
        let age =
            noted.and_then(|noted| Duration::from(clock_gettime(ClockId::CLOCK_REALTIME).ok()?).checked_sub(noted));
        // The other clock is read last: in between no more time can go by than makes it later.
        let age = age.filter(|age| *age < AGE_MAX).unwrap_or_default();
        Ok((&self.bytes[..count], now_ns() - age.as_nanos() as u64))
    }
}
