//! Randomness as a function of (seed, index): the same on every machine, in any order, in any process.

/// Mixes `index` into `seed`: one step of SplitMix64 (Steele, Lea, Flood 2014), started at a seed that is itself mixed.
#[must_use]
pub fn mix(seed: u64, index: u64) -> u64 {
    finalise(finalise(seed).wrapping_add(index.wrapping_mul(GOLDEN_GAMMA)).wrapping_add(GOLDEN_GAMMA))
}

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

fn finalise(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number below `bound` from the random `bits`: multiply-shift, biased by less than bound / 2^64.
#[must_use]
pub fn below(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

/// Independent streams from one seed: arrivals, choice of worker and contents must not be correlated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Intended instants of the warm-up.
    WarmUp = 1,
    /// Intended instants of the window.
    Window = 2,
    /// Which worker.
    Choice = 3,
    /// Which flat, which ids.
    Contents = 4,
    /// The text of mails.
    Text = 5,
    /// The order of variants, cells and blocks.
    Schedule = 6,
    /// What differs between blocks for no reason, so that no block stands on one accident: environment size.
    Nuisance = 7,
    /// When dynos look at what they have done.
    Looks = 8,
}

/// The seed of one stream.
#[must_use]
pub fn stream(seed: u64, stream: Stream) -> u64 {
    mix(seed, stream as u64)
}

/// The seed of a block's arrivals: the same for all its variants, another in every block.
#[must_use]
pub fn block_seed(plan_seed: u64, cell: u32, block: u32) -> u64 {
    mix(mix(plan_seed, u64::from(cell)), u64::from(block))
}

#[cfg(test)]
mod tests {
    use super::{below, block_seed, mix};

    #[test]
    fn golden_values_pin_every_published_arrival() {
        assert_eq!(mix(0, 0), 16_294_208_416_658_607_535);
        assert_eq!(mix(1, 2), mix(1, 2));
        assert_ne!(mix(1, 2), mix(2, 1));
        assert_ne!(block_seed(1, 0, 1), block_seed(1, 1, 0));
    }

    #[test]
    fn below_stays_below_and_reaches_both_ends() {
        assert_eq!(below(0, 7), 0);
        assert_eq!(below(u64::MAX, 7), 6);
        let mut seen = [0u32; 7];
        for index in 0..7_000 {
            seen[below(mix(3, index), 7) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| (850..1_150).contains(&n)), "{seen:?}");
    }
}
