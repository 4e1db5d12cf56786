//! What to take from a bench, in words and in figures, from its measurements alone: `docs/method.md`, *The answer*.

use common::plan::{self, Plan};
use common::report::comparison::{Answer, Contrast, KeepsUp};

use crate::blocks::Blocks;
use choice::Choice;
use finding::{Finding, findings};

mod certainty;
mod change;
mod choice;
mod clause;
mod finding;
mod headroom;
mod held;
mod idle;
mod limits;
pub(crate) mod place;
mod sentence;

/// What answers are made from.
pub(crate) struct Bench<'a> {
    pub(crate) plan: &'a Plan,
    /// One per cell of the plan, in its order.
    pub(crate) cells: Vec<Seen<'a>>,
    /// What `--force` let through.
    pub(crate) forced: &'a [String],
}

/// What is known of a cell.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) cell: &'a plan::Cell,
    pub(crate) blocks: &'a Blocks<'a>,
    /// Of all metrics; the primary ones speak.
    pub(crate) contrasts: &'a [Contrast],
    /// One per contender, in the plan's order.
    pub(crate) keeps_up: &'a [KeepsUp],
}

impl Bench<'_> {
    /// The answers of all cells, and the one over all of them that can have the primary metric. Where nothing is asked there is
    /// nothing to choose by.
    pub(crate) fn answers(&self) -> (Vec<Answer>, Answer) {
        let asked = |seen: &&Seen<'_>| seen.cell.has(self.plan.primary);
        let cells: Vec<Seen<'_>> = self.cells.iter().filter(asked).copied().collect();
        let plan = Plan { cells: cells.iter().map(|seen| seen.cell.clone()).collect(), ..self.plan.clone() };
        let (answers, overall) = Bench { plan: &plan, cells, forced: self.forced }.of_asked();
        let mut answers = answers.into_iter();
        let of_cell = |(cell, seen): (usize, &Seen<'_>)| match asked(&seen) {
            true => answers.next(),
            false => Some(idle::answer(self, cell)),
        };
        (self.cells.iter().enumerate().filter_map(of_cell).collect(), overall)
    }

    fn of_asked(&self) -> (Vec<Answer>, Answer) {
        let variants = &self.plan.variants;
        let findings: Vec<Vec<Finding<'_>>> =
            self.cells.iter().enumerate().map(|(i, seen)| findings(i, seen, self.plan)).collect();
        let choices: Vec<Choice> =
            findings.iter().map(|findings| Choice::in_cell(&self.plan.baseline, findings)).collect();
        let cells: Vec<Answer> = (0..self.cells.len())
            .map(|cell| Answer {
                headroom: headroom::of_cell(self, cell),
                would_change: change::of_cell(self, cell, &findings),
                ..self.answer(sentence::of_cell(self, cell, &findings[cell]), &choices[cell], &findings[cell], &[cell])
            })
            .collect();
        if let [only] = cells.as_slice() {
            let answer = only.clone();
            return (cells, answer);
        }
        let choice = Choice::overall(&choices, variants);
        let all: Vec<usize> = (0..self.cells.len()).collect();
        let overall = Answer {
            headroom: headroom::least(self),
            would_change: change::overall(self, &findings),
            ..self.answer(sentence::overall(self, &findings), &choice, &findings.concat(), &all)
        };
        (cells, overall)
    }

    /// What is the same for one cell and for all.
    fn answer(&self, sentence: String, choice: &Choice, findings: &[Finding<'_>], cells: &[usize]) -> Answer {
        let seen: Vec<&Seen<'_>> = cells.iter().map(|&cell| &self.cells[cell]).collect();
        let doubts = certainty::doubts(self, &seen);
        Answer {
            sentence,
            kind: choice.kind,
            variant: choice.variant.clone(),
            tied: choice.tied.clone(),
            certainty: certainty::certainty(self, findings, !doubts.is_empty()),
            held: held::held(self, &seen),
            headroom: Vec::new(),
            limited_by: limits::limits(&self.plan.variants, &seen),
            would_change: Vec::new(),
            doubts,
            notes: certainty::notes(self, &seen),
        }
    }
}
