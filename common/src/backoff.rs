//! How long to wait before a broken connection is replaced: one policy for both engines and all kinds of connections.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// The pause before attempt `attempt` (from 0): none before the first, then 10 ms, doubled up to 1 s.
///
/// No jitter: the engines must not differ by luck, and one server on loopback fears no stampede.
#[must_use]
pub fn delay(attempt: u32) -> Duration {
    match attempt {
        0 => Duration::ZERO,
        n => FIRST.saturating_mul(1 << (n - 1).min(16)).min(LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::delay;

    #[test]
    fn pauses_double_up_to_a_second() {
        let pauses: Vec<u128> = (0..10).map(|attempt| delay(attempt).as_millis()).collect();
        assert_eq!(pauses, [0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
        assert_eq!(delay(u32::MAX).as_millis(), 1000);
    }
}
