//! Which run of a search, whatever the variant: what it is called, and the seed of its arrivals. Pure.

use common::plan::Cell;
use common::random::mix;

use super::confirm::Side;

/// Which run of all variants of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Of search `number`, from 0: on this rung the one after so many others.
    Search { number: u32, rung: i32, others: u32 },
    /// A longer one, in this round.
    Confirmation { round: u32, side: Side },
}

impl Part {
    /// For the progress.
    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Search { .. } => "search",
            Part::Confirmation { .. } => "confirmation",
        }
    }

    /// Which search, from 0; of a longer run, which round.
    pub(super) fn number(self) -> u32 {
        match self {
            Part::Search { number, .. } => number,
            Part::Confirmation { round, .. } => round,
        }
    }

    /// Of its arrivals: the same for all variants, and when it is made again.
    pub(super) fn seed(self, cell: &Cell) -> u64 {
        let path = match self {
            Part::Search { number, rung, others } => [0, number, rung.cast_unsigned(), others],
            Part::Confirmation { round, side } => [1, round, side as u32, 0],
        };
        let of_cell = mix(cell.settings.load.seed, u64::from(cell.index));
        path.into_iter().fold(of_cell, |seed, place| mix(seed, u64::from(place)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use common::plan::Plan;

    use super::{Part, Side};

    #[test]
    fn every_run_of_a_variant_has_arrivals_of_its_own() {
        let plan = "name = \"t\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 1\nduration_s = 1\n[workers]\ncount = [1, 2]\n\
                    [[variant]]\nname = \"a\"\nengine = \"async\"\n";
        let cells = Plan::parse(plan, &[]).unwrap().cells;
        let mut parts = Vec::new();
        for number in 0..10 {
            for rung in -20..20 {
                parts.extend((0..3).map(|others| Part::Search { number, rung, others }));
            }
            parts.extend([Side::Lower, Side::Upper].map(|side| Part::Confirmation { round: number, side }));
        }
        let seeds: BTreeSet<u64> =
            cells.iter().flat_map(|cell| parts.iter().map(move |part| part.seed(cell))).collect();
        assert_eq!(seeds.len(), 2 * 10 * (40 * 3 + 2));
    }

    #[test]
    fn searches_and_rounds_are_numbered_apart() {
        let search = Part::Search { number: 3, rung: -1, others: 0 };
        let longer = Part::Confirmation { round: 2, side: Side::Upper };
        assert_eq!((search.name(), search.number()), ("search", 3));
        assert_eq!((longer.name(), longer.number()), ("confirmation", 2));
    }
}
