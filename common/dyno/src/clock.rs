//! The one clock of all processes of a run.

use nix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC` in nanoseconds: comparable between all processes of one boot.
#[must_use]
pub fn now_ns() -> u64 {
    match clock_gettime(ClockId::CLOCK_MONOTONIC) {
        Ok(time) => time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64,
        // The call cannot fail for this clock on any Linux; a zero would be noticed at once.
        Err(_) => 0,
    }
}
