//! When a dyno looks at how many tasks it has ended, besides every tenth of a second: at random instants of the window, so
//! that nothing periodic can hide between them. Pure.

use crate::random::{self, mix};

/// Looks in a window: what an audit by Little's law needs, and some more.
const LOOKS: u64 = 600;
/// A short window has fewer looks: each costs the dyno some microseconds.
const STRATUM_NS_MIN: u64 = 9_000_000;

/// The instants of one window, one after the other: a uniform one in each of its equal parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looks {
    seed: u64,
    start_ns: u64,
    stratum_ns: u64,
    count: u64,
    next: u64,
}

impl Looks {
    /// In the window from `start_ns` to `end_ns`; other looks for another seed.
    #[must_use]
    pub fn new(seed: u64, start_ns: u64, end_ns: u64) -> Looks {
        let length_ns = end_ns.saturating_sub(start_ns);
        let stratum_ns = (length_ns / LOOKS).max(STRATUM_NS_MIN);
        Looks { seed, start_ns, stratum_ns, count: length_ns / stratum_ns, next: 0 }
    }

    /// The next one; `None` after the last.
    #[must_use]
    pub fn next_ns(&self) -> Option<u64> {
        let within = random::below(mix(self.seed, self.next), self.stratum_ns);
        (self.next < self.count).then(|| self.start_ns + self.next * self.stratum_ns + within)
    }

    /// All looks up to `now_ns` are taken, or missed.
    pub fn pass(&mut self, now_ns: u64) {
        while self.next_ns().is_some_and(|next_ns| next_ns <= now_ns) {
            self.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Looks;

    fn all(mut looks: Looks) -> Vec<u64> {
        let mut instants = Vec::new();
        while let Some(at_ns) = looks.next_ns() {
            instants.push(at_ns);
            looks.pass(at_ns);
        }
        instants
    }

    #[test]
    fn a_window_has_600_looks_or_as_many_as_it_can_bear() {
        for (seconds, count) in [(0, 0), (1, 111), (5, 555), (240, 600)] {
            let end_ns = 7 + seconds * 1_000_000_000;
            let instants = all(Looks::new(1, 7, end_ns));
            assert_eq!(instants.len(), count, "{seconds} s");
            assert!(instants.is_sorted() && instants.iter().all(|at_ns| (7..end_ns).contains(at_ns)));
        }
        assert!(all(Looks::default()).is_empty());
    }

    #[test]
    fn whoever_is_late_misses_looks_and_goes_on() {
        let mut looks = Looks::new(1, 0, 5_000_000_000);
        looks.pass(2_500_000_000);
        assert!(looks.next_ns().is_some_and(|next_ns| next_ns > 2_500_000_000));
        assert!((270..=278).contains(&all(looks).len()));
        assert_ne!(all(Looks::new(1, 0, 5_000_000_000)), all(Looks::new(2, 0, 5_000_000_000)));
    }
}
