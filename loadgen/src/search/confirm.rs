//! Longer runs at the rate found and at the next higher one: in which order, and whether they agree with it. Pure.

use std::fmt;

use common::random::mix;
use common::report::search::SearchTrial;

use super::range::STEP;

/// Runs at each of the two rates.
pub(super) const RUNS: u32 = 3;
/// So many of them agree.
const MOST: usize = RUNS as usize / 2 + 1;

/// One of the two rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Half a step below what was found.
    Lower,
    /// Half a step above.
    Upper,
}

impl Side {
    /// Its rate, tasks a second, where `found_per_s` was found.
    pub(super) fn rate_per_s(self, found_per_s: f64) -> f64 {
        match self {
            Side::Lower => found_per_s / STEP.sqrt(),
            Side::Upper => found_per_s * STEP.sqrt(),
        }
    }
}

/// All runs of these variants: in every round each variant has one at each rate, in random order.
pub(super) fn order(variants: &[usize], seed: u64) -> Vec<(u32, usize, Side)> {
    let round = |number: u32| {
        let both = |&variant: &usize| [(number, variant, Side::Lower), (number, variant, Side::Upper)];
        let mut round: Vec<(u64, (u32, usize, Side))> = Vec::new();
        for run in variants.iter().flat_map(both) {
            round.push((mix(mix(seed, u64::from(number)), round.len() as u64), run));
        }
        round.sort_by_key(|(random, _)| *random);
        round.into_iter().map(|(_, run)| run)
    };
    (0..RUNS).flat_map(round).collect()
}

/// How many runs passed and failed at the lower and at the higher rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Votes {
    lower: (usize, usize),
    upper: (usize, usize),
}

impl Votes {
    /// Of runs around this rate.
    pub(super) fn of(found_per_s: f64, runs: &[SearchTrial]) -> Votes {
        let count = |above: bool, passed: bool| {
            let at = runs.iter().filter(|run| (run.rate_per_s > found_per_s) == above);
            at.filter(|run| run.passed == Some(passed)).count()
        };
        Votes { lower: (count(false, true), count(false, false)), upper: (count(true, true), count(true, false)) }
    }

    /// Whether most pass at the lower rate and most fail at the higher; `None`: too many say nothing.
    pub(super) fn confirmed(self) -> Option<bool> {
        let most = |(passed, failed): (usize, usize)| match (passed >= MOST, failed >= MOST) {
            (false, false) => None,
            (passes, _) => Some(passes),
        };
        match (most(self.lower), most(self.upper)) {
            (Some(true), Some(false)) => Some(true),
            (Some(false), _) | (_, Some(true)) => Some(false),
            (None, _) | (_, None) => None,
        }
    }

    /// Whether most fail at the lower rate: what was found does not hold for longer.
    pub(super) fn refuted(self) -> bool {
        self.lower.1 >= MOST
    }
}

impl fmt::Display for Votes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Votes { lower, upper } = self;
        write!(
            f,
            "half a step lower {} pass and {} fail, half a step higher {} pass and {} fail",
            lower.0, lower.1, upper.0, upper.1
        )
    }
}

#[cfg(test)]
mod tests {
    use common::report::RunResult;
    use common::report::search::SearchTrial;

    use super::{RUNS, Side, Votes, order};

    #[test]
    fn variants_and_rates_take_turns_in_every_round() {
        let order_of = order(&[0, 2], 7);
        assert_eq!(order_of.len(), 4 * RUNS as usize);
        for (number, round) in (0..).zip(order_of.chunks(4)) {
            for variant in [0, 2] {
                for side in [Side::Lower, Side::Upper] {
                    assert!(round.contains(&(number, variant, side)), "{round:?}");
                }
            }
        }
        assert_eq!(order_of, order(&[0, 2], 7));
        // Over many seeds everybody begins equally often.
        let lower = (0..1000).filter(|&seed| order(&[0, 1], seed)[0].2 == Side::Lower).count();
        let first = (0..1000).filter(|&seed| order(&[0, 1], seed)[0].1 == 0).count();
        assert!((440..560).contains(&lower) && (440..560).contains(&first), "{lower} {first}");
    }

    #[test]
    fn most_runs_at_either_rate_decide() {
        let check = |lower: [Option<bool>; 3], upper: [Option<bool>; 3], confirmed: Option<bool>, refuted: bool| {
            let run = |side: Side| {
                move |passed: &Option<bool>| SearchTrial {
                    search: 0,
                    rate_per_s: side.rate_per_s(1000.0),
                    duration_s: 6.0,
                    result: RunResult::Ok,
                    passed: *passed,
                    reason: String::new(),
                }
            };
            let runs: Vec<SearchTrial> =
                lower.iter().map(run(Side::Lower)).chain(upper.iter().map(run(Side::Upper))).collect();
            let votes = Votes::of(1000.0, &runs);
            assert_eq!((votes.confirmed(), votes.refuted()), (confirmed, refuted), "{lower:?} {upper:?}");
        };
        let (yes, no) = (Some(true), Some(false));
        check([yes; 3], [no; 3], yes, false);
        check([yes, no, yes], [no, yes, no], yes, false);
        check([yes, None, yes], [no, None, no], yes, false);
        check([no, no, yes], [no; 3], no, true);
        check([no, no, None], [None; 3], no, true);
        check([yes; 3], [yes, yes, no], no, false);
        check([yes; 3], [yes, None, no], None, false);
        check([yes, None, no], [no; 3], None, false);
        assert_eq!(Votes::of(1000.0, &[]).confirmed(), None);
    }
}
