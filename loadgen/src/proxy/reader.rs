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
/// The kernel notes the time of day, which somebody may set meanwhile. When it has gone by so much more or less than
/// `CLOCK_MONOTONIC` since the last read, a note is worth nothing; a clock that is only sped up or slowed down (by at most one
/// part in two thousand) takes two seconds for that.
const STEP_NS: u64 = 1_000_000;
/// Nor has any piece waited for so long.
const AGE_NS_MAX: u64 = 1_000_000_000;

pub(super) struct Reader {
    bytes: Box<[u8]>,
    notes: Vec<u8>,
    /// The time of day less `CLOCK_MONOTONIC`, at the last read.
    offset_ns: u64,
}

impl Reader {
    pub(super) fn new() -> Reader {
        let offset_ns = time_of_day_ns().wrapping_sub(now_ns());
        Reader { bytes: vec![0; READ_BYTES].into(), notes: nix::cmsg_space!(nix::libc::timespec), offset_ns }
    }

    /// Has the kernel note when something comes. Where it does not, the instants of reading are used.
    pub(super) fn prepare(stream: &TcpStream) {
        let _ = setsockopt(stream, sockopt::ReceiveTimestampns, &true);
    }

    /// What there is, and when the last of it had come, on `CLOCK_MONOTONIC`; never before it had, but for a time of day that
    /// was set meanwhile, by less than is noticed.
    pub(super) fn read(&mut self, stream: &TcpStream) -> io::Result<(&[u8], u64)> {
        let (count, noted) = {
            let mut into = [IoSliceMut::new(&mut self.bytes)];
            let flags = MsgFlags::empty();
            let message = recvmsg::<()>(stream.as_raw_fd(), &mut into, Some(&mut self.notes), flags)?;
            let noted = message.cmsgs()?.find_map(|note| match note {
                ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at).as_nanos() as u64),
                _ => None,
            });
            (message.bytes, noted)
        };
        let day_ns = time_of_day_ns();
        // The other clock is read last: in between no more time can go by than makes it later.
        let now_ns = now_ns();
        let before_ns = std::mem::replace(&mut self.offset_ns, day_ns.wrapping_sub(now_ns));
        let moved_ns = self.offset_ns.wrapping_sub(before_ns).cast_signed().unsigned_abs();
        Ok((&self.bytes[..count], now_ns - age_ns(noted, day_ns, moved_ns)))
    }
}

/// 0 where the kernel does not say.
fn time_of_day_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, |time| Duration::from(time).as_nanos() as u64)
}

/// How long ago something was noted, as far as that can be believed; 0: not at all. `moved_ns`: by how much the time of day has
/// run ahead or fallen behind since the last read.
fn age_ns(noted_ns: Option<u64>, day_ns: u64, moved_ns: u64) -> u64 {
    let age_ns = noted_ns.and_then(|noted_ns| day_ns.checked_sub(noted_ns));
    age_ns.filter(|&age_ns| age_ns < AGE_NS_MAX && moved_ns < STEP_NS).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::age_ns;

    #[test]
    fn a_time_of_day_that_was_set_says_nothing() {
        const DAY: u64 = 1_764_000_000_000_000_000;
        assert_eq!(age_ns(Some(DAY - 40_000), DAY, 300), 40_000);
        // Later than half of most round trips, and true: it must not be taken for punctual.
        assert_eq!(age_ns(Some(DAY - 20_000_000), DAY, 999_999), 20_000_000);
        for (noted, moved_ns) in [
            (None, 0),
            (Some(DAY - 40_000), 1_000_000),
            (Some(DAY + 1), 0),
            (Some(DAY - 1_000_000_000), 0),
            (Some(0), 0),
        ] {
            assert_eq!(age_ns(noted, DAY, moved_ns), 0, "{noted:?} {moved_ns}");
        }
    }
}
