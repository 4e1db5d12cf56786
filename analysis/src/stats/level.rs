//! How sure every test and interval of a bench is, fixed before its first run, and the constants that follow from it.

/// What one look at the data may err, and what that costs in blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Error rate of every test and interval at one look.
    pub alpha: f64,
    /// Confidence of the intervals, 1 - alpha.
    pub confidence: f64,
    /// How often the bench may be looked at.
    pub looks: u32,
    /// Fewest blocks that allow a two-sided verdict: 2 / 2^n is at most alpha.
    pub blocks_min: u32,
    /// Smallest log ratio found with 80 % power, in units of the standard deviation of one block's log ratio, by number
    /// of blocks, ascending: simulated for the exact signed-rank test and normal log ratios.
    pub(super) detectable: &'static [(f64, f64)],
    /// Beyond that table: this over the square root of the number of blocks.
    pub(super) detectable_asymptote: f64,
    /// Blocks needed to show a log ratio of one standard deviation: the square of `detectable_asymptote`, which is
    /// (z(1 - alpha / 2) + z(0.8))^2 and a tenth more, the price of ranks and of few blocks.
    pub(super) needed_better: f64,
    /// Blocks needed to show two equal variants to be the same within one standard deviation, likewise:
    /// (z(1 - alpha) + z(0.9))^2 and a tenth more, for both sides must be passed.
    pub(super) needed_same: f64,
}

impl Level {
    /// A bench that is looked at once.
    pub const ONE_LOOK: Level = Level {
        alpha: 0.05,
        confidence: 0.95,
        looks: 1,
        blocks_min: 6,
        detectable: &[
            (6.0, 1.76),
            (8.0, 1.25),
            (10.0, 1.03),
            (12.0, 0.93),
            (16.0, 0.79),
            (20.0, 0.67),
            (30.0, 0.54),
            (40.0, 0.47),
        ],
        detectable_asymptote: 2.95,
        needed_better: 8.7,
        needed_same: 9.5,
    };

    /// A bench with a declared extension: two looks at 3 % are 5 % in all, because the second contains the blocks of the
    /// first [Pocock 1977: 2.94 % each for two looks at equal distances]. Of 200 000 simulated benches of two equal
    /// variants 5.0 % raised an alarm at one of the looks after 10 and 20 blocks, 5.1 % after 10 and 30; the most, 5.4 %,
    /// after 30 and 90, where the steps of the exact tests no longer help.
    pub const TWO_LOOKS: Level = Level {
        alpha: 0.03,
        confidence: 0.97,
        looks: 2,
        blocks_min: 7,
        detectable: &[(8.0, 1.41), (10.0, 1.15), (12.0, 1.01), (16.0, 0.84), (20.0, 0.73), (30.0, 0.59), (40.0, 0.5)],
        detectable_asymptote: 3.17,
        needed_better: 10.1,
        needed_same: 11.1,
    };

    /// Fewest blocks with which one of `family` contrasts can have a two-sided verdict after Holm's adjustment: the smallest p
    /// of n blocks is 2 / 2^n, and that of the family's smallest p is multiplied by all of them.
    #[must_use]
    pub fn blocks_min_of(&self, family: usize) -> u32 {
        let attainable = |&blocks: &u32| family as f64 * 0.5f64.powi(blocks.cast_signed() - 1) <= self.alpha;
        (self.blocks_min..).find(attainable).unwrap_or(u32::MAX)
    }

    /// The level of a bench whose plan has or has not declared an extension.
    #[must_use]
    pub fn of(extension: bool) -> Level {
        if extension { Level::TWO_LOOKS } else { Level::ONE_LOOK }
    }
}

#[cfg(test)]
mod tests {
    use super::Level;
    use crate::stats::holm;

    #[test]
    fn larger_families_need_more_blocks() {
        let table = |level: Level, expected: [(usize, u32); 6]| {
            for (family, blocks) in expected {
                assert_eq!(level.blocks_min_of(family), blocks, "{family} at {}", level.alpha);
                // All blocks of the first contrast point the same way, those of the others in no direction.
                let smallest = |blocks: u32| {
                    let mut p = vec![Some(1.0); family.max(1)];
                    p[0] = Some(2.0 * 0.5f64.powi(blocks.cast_signed()));
                    holm::adjust(&p)[0].unwrap()
                };
                assert!(smallest(blocks) <= level.alpha && smallest(blocks - 1) > level.alpha, "{family}");
            }
        };
        table(Level::ONE_LOOK, [(0, 6), (1, 6), (2, 7), (8, 9), (15, 10), (25, 10)]);
        table(Level::TWO_LOOKS, [(0, 7), (1, 7), (2, 8), (8, 10), (15, 10), (25, 11)]);
    }
}
