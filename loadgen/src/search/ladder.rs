//! The search for the highest rate that half of the trials pass: rungs of a geometric ladder, several trials on those that decide.
//! Pure.
//!
//! After the MLRsearch of FD.io (IETF draft-ietf-bmwg-mlrsearch): trials are short and noisy, so that one failure settles nothing; the
//! relevant upper bound is the lowest rung that fails, the relevant lower bound the highest below it that passes, and both rest on
//! the majority of three trials. A rung that passes above one that fails is an inversion: it is reported, and bounds nothing.

use std::collections::BTreeMap;

use common::report::search::SearchEnd;

use super::range::{Range, STEP};

/// Trials that agree settle a rung.
const MAJORITY: u32 = 2;
/// First stride, in rungs; it doubles as long as nothing stops it.
const STRIDE: i32 = 8;
/// The longest: nobody should be asked for a rate far beyond all that generator and memory can do.
const STRIDE_MAX: i32 = 64;
/// More trials than a search takes unless what it searches keeps moving.
const TRIALS_MAX: u32 = 80;

/// Trials on one rung.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Trials {
    passed: u32,
    failed: u32,
}

impl Trials {
    fn settled(self) -> bool {
        self.passed >= MAJORITY || self.failed >= MAJORITY
    }
}

/// One search.
#[derive(Debug, Clone)]
pub struct Ladder {
    range: Range,
    rungs: BTreeMap<i32, Trials>,
    stride: i32,
    trials: u32,
    /// Why a trial said nothing.
    given_up: Option<String>,
}

/// What a search has found, in rungs.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// How it ended.
    pub end: SearchEnd,
    /// The highest rung that passes, below all that fail.
    lower: Option<i32>,
    /// The lowest that fails.
    upper: Option<i32>,
    /// Rate of rung 0, tasks a second.
    base_per_s: f64,
    /// Rungs that passed above one that failed.
    pub inversions: u32,
    /// Why it is not bracketed.
    pub reason: String,
}

impl Found {
    /// Whether it counts: it came to an end, be it that of what could be tried.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.end != SearchEnd::Unknown
    }

    /// The highest rate that passes, below all that fail.
    #[must_use]
    pub fn lower_per_s(&self) -> Option<f64> {
        self.lower.map(|rung| self.rate_per_s(f64::from(rung)))
    }

    /// The lowest rate that fails.
    #[must_use]
    pub fn upper_per_s(&self) -> Option<f64> {
        self.upper.map(|rung| self.rate_per_s(f64::from(rung)))
    }

    /// Lower bound, middle and upper bound in rungs, of which the limit is one: infinite where nothing bounds it. The middle of a
    /// search with one bound is on the other side.
    #[must_use]
    pub fn rungs(&self) -> [f64; 3] {
        let lower = self.lower.map_or(f64::NEG_INFINITY, f64::from);
        let upper = self.upper.map_or(f64::INFINITY, f64::from);
        let middle = match (self.lower, self.upper) {
            (None, None) => f64::NEG_INFINITY,
            _ => f64::midpoint(lower, upper),
        };
        [lower, middle, upper]
    }

    /// The rate at a place on the ladder, tasks a second: 0 or infinite at its ends.
    #[must_use]
    pub fn rate_per_s(&self, rung: f64) -> f64 {
        self.base_per_s * STEP.powf(rung)
    }
}

impl Ladder {
    /// Begins at rung 0.
    #[must_use]
    pub fn new(range: Range) -> Ladder {
        Ladder { range, rungs: BTreeMap::new(), stride: STRIDE, trials: 0, given_up: None }
    }

    /// The rate of a rung, tasks a second.
    #[must_use]
    pub fn rate_per_s(&self, rung: i32) -> f64 {
        self.range.rate_per_s(rung)
    }

    /// How many trials there have been on a rung.
    #[must_use]
    pub fn trials_on(&self, rung: i32) -> u32 {
        self.rungs.get(&rung).map_or(0, |trials| trials.passed + trials.failed)
    }

    /// Where the next trial is to be; `None`: the search is over.
    #[must_use]
    pub fn next(&self) -> Option<i32> {
        if self.trials >= TRIALS_MAX || self.given_up.is_some() {
            return None;
        }
        // One of each says nothing.
        let tied = self.rungs.iter().find(|(_, trials)| trials.passed == trials.failed);
        if let Some((&rung, _)) = tied {
            return Some(rung);
        }
        let Range { bottom, top, .. } = self.range;
        let unsettled = |rung: &i32| !self.rungs[rung].settled();
        match self.bounds() {
            (None, None) => Some(0),
            (Some(lower), None) if lower == top => Some(top).filter(unsettled),
            (Some(lower), None) => Some((lower + self.stride).min(top)),
            (None, Some(upper)) if upper == bottom => Some(bottom).filter(unsettled),
            (None, Some(upper)) => Some((upper - self.stride).max(bottom)),
            (Some(lower), Some(upper)) if upper - lower > 1 => Some(lower + (upper - lower) / 2),
            (Some(lower), Some(upper)) => [lower, upper].into_iter().find(unsettled),
        }
    }

    /// A trial on `rung` has ended.
    pub fn take(&mut self, rung: i32, passed: bool) {
        let before = self.bounds();
        let trials = self.rungs.entry(rung).or_default();
        if passed {
            trials.passed += 1;
        } else {
            trials.failed += 1;
        }
        self.trials += 1;
        self.stride = match (before, self.bounds()) {
            ((Some(_), None), (Some(_), None)) | ((None, Some(_)), (None, Some(_))) => {
                (2 * self.stride).min(STRIDE_MAX)
            }
            _ => STRIDE,
        };
    }

    /// A trial said nothing, and `reason` why: the search is over, without a result.
    pub fn give_up(&mut self, reason: String) {
        self.given_up = Some(reason);
    }

    /// The relevant bounds, as far as trials lean.
    fn bounds(&self) -> (Option<i32>, Option<i32>) {
        let fails = |trials: &Trials| trials.failed > trials.passed;
        let upper = self.rungs.iter().find(|(_, trials)| fails(trials)).map(|(&rung, _)| rung);
        let below = self.rungs.range(..upper.unwrap_or(i32::MAX));
        (below.rev().find(|(_, trials)| trials.passed > trials.failed).map(|(&rung, _)| rung), upper)
    }

    /// What it has found, once it is over; `below`: why no rung under the lowest is tried.
    #[must_use]
    pub fn found(&self, below: &str) -> Found {
        let (lower, upper) = self.bounds();
        let settled = [lower, upper].iter().flatten().all(|rung| self.rungs[rung].settled());
        let (end, reason) = match (&self.given_up, lower, upper) {
            (Some(reason), ..) => (SearchEnd::Unknown, reason.clone()),
            (None, Some(lower), Some(upper)) if settled && upper - lower == 1 => (SearchEnd::Bracketed, String::new()),
            (None, Some(lower), None) if settled && lower == self.range.top => {
                (SearchEnd::AtLeast, self.range.above.clone())
            }
            (None, None, Some(upper)) if settled && upper == self.range.bottom => (SearchEnd::AtMost, below.to_owned()),
            _ => (SearchEnd::Unknown, format!("{} trials, and no end: the limit keeps moving", self.trials)),
        };
        let above = self.rungs.range(upper.unwrap_or(i32::MAX)..).filter(|(_, trials)| trials.passed > trials.failed);
        Found { end, lower, upper, base_per_s: self.range.base_per_s, inversions: above.count() as u32, reason }
    }
}

#[cfg(test)]
mod tests;
