//! CPU work that depends on nothing but its arguments: no clock, no memory, no luck.

/// A number of rounds over a seed: as many for every variant, however long they take there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Where the rounds begin.
    pub seed: u64,
    /// How many.
    pub rounds: u64,
}

/// What came of a [`Work`]; somebody who has it has done it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub u64);

impl Work {
    /// Burns the CPU. Each round needs the one before it, so that no compiler and no processor can take a short cut: a
    /// multiplication whose two halves are folded into one, as in wyhash's mixing step.
    #[must_use]
    pub fn run(self) -> Digest {
        let mut state = self.seed | 1;
        for _ in 0..self.rounds {
            let product = u128::from(state ^ 0xa076_1d64_78bd_642f) * u128::from(state | 1);
            state = (product as u64) ^ ((product >> 64) as u64);
        }
        Digest(std::hint::black_box(state))
    }
}

#[cfg(test)]
mod tests {
    use super::{Digest, Work};

    #[test]
    fn the_same_work_has_the_same_digest_and_every_round_counts() {
        let run = |seed, rounds| Work { seed, rounds }.run();
        assert_eq!(run(3, 1000), run(3, 1000));
        assert_ne!(run(3, 1000), run(3, 1001));
        assert_ne!(run(3, 1000), run(4, 1000));
        assert_eq!(run(3, 0), Digest(3));
        // The rounds do not end in a fixed point.
        let mut seen: Vec<u64> = (0..1000).map(|rounds| run(7, rounds).0).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 1000);
    }
}
