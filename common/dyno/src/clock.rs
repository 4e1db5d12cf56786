//! The one clock of all processes of a run on one machine.

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

/// `CLOCK_MONOTONIC` in nanoseconds: comparable between all processes of one boot and time namespace.
#[must_use]
pub fn now_ns() -> u64 {
    match clock_gettime(ClockId::CLOCK_MONOTONIC) {
        Ok(time) => time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64,
        // The call cannot fail for this clock on any Linux; a zero would be noticed at once.
        Err(_) => 0,
    }
}

/// Blocks until an instant on `CLOCK_MONOTONIC`; returns at once when it has passed.
pub fn sleep_until(instant_ns: u64) {
    let request = TimeSpec::new((instant_ns / 1_000_000_000) as i64, (instant_ns % 1_000_000_000) as i64);
    while now_ns() < instant_ns {
        // Interrupted by a signal: once more.
        let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &request);
    }
}
