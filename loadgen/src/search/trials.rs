//! The runs of a search: each in fresh processes on a fresh server.

use std::time::Duration;

use common::plan::demand::{demand, what_fits};
use common::plan::{Cell, Plan, Variant};
use common::report::search::SearchTrial;
use common::report::{Ended, Host, Resource, Run, RunResult};

use super::judge::Seen;
use super::part::Part;
use super::window::Windows;
use crate::args;
use crate::error::Interrupted;
use crate::limits::Capacity;
use crate::progress::Progress;
use crate::run::{self, Site, Spec};

/// How often a trial that says nothing is made again before the search gives up.
const REPEATS: u32 = 2;
/// Besides warm-up and window, for the time left.
const OVERHEAD: Duration = Duration::from_millis(1500);

/// Makes trials.
pub(super) struct Trials<'a, 'p> {
    pub args: &'a args::Search,
    pub plan: &'a Plan,
    pub site: &'a Site<'a>,
    pub progress: &'p mut Progress,
    /// So far, repeats included.
    pub made: u32,
    /// For the time left.
    pub expected: u32,
    /// As the last trial saw it.
    pub host: Option<Host>,
}

/// Which trial.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// In the plan's order.
    pub variant: usize,
    pub part: Part,
    pub rate_per_s: f64,
    /// Length of the window.
    pub duration_s: f64,
}

impl Trials<'_, '_> {
    /// How long trials in this cell are.
    pub(super) fn windows(&self, cell: &Cell) -> Windows {
        Windows::new(self.args.trial_s, &cell.settings)
    }

    /// One trial, again while it says nothing; with the limit that it was nearest to.
    pub(super) fn make(&mut self, cell: &Cell, asked: Asked) -> anyhow::Result<(SearchTrial, Option<Resource>)> {
        let mut run = self.run(cell, asked)?;
        for _ in 0..REPEATS {
            if Seen::of(&run).passed(&cell.settings).is_some() {
                break;
            }
            run = self.run(cell, asked)?;
        }
        let seen = Seen::of(&run);
        let trial = SearchTrial {
            search: asked.part.number(),
            rate_per_s: asked.rate_per_s,
            duration_s: asked.duration_s,
            result: run.verdict.result,
            passed: seen.passed(&cell.settings),
            reason: seen.reason(),
        };
        Ok((trial, run.verdict.bottleneck.map(|found| found.resource)))
    }

    /// Why a trial of this variant at this rate is not made; `None`: it may be.
    pub(super) fn too_much(
        &self,
        cell: &Cell,
        variant: &Variant,
        rate_per_s: f64,
        capacity: &Capacity,
    ) -> Option<String> {
        let ceilings = self.site.ceilings;
        let cell = at(cell, rate_per_s, self.windows(cell).of_s(rate_per_s));
        if !self.args.common.force && ceilings.excess(&cell.settings, variant.engine).is_some() {
            let ceiling_per_s = ceilings.of(variant.engine).map_or(0.0, |ceiling| ceiling.ceiling_per_s);
            return Some(format!(
                "above half of the ceiling of {ceiling_per_s:.0} tasks a second that loadgen can send to the {} engine on this host: \
                 calibrate anew (make calibrate), or add --force",
                variant.engine
            ));
        }
        let private = self.site.source.is_private();
        let fits = |memory_bytes| what_fits(&cell.settings, &self.plan.variants, private, memory_bytes);
        capacity.admit(&demand(&cell.settings, variant), private, &fits).err().map(|refused| refused.0)
    }

    fn run(&mut self, cell: &Cell, asked: Asked) -> anyhow::Result<Run> {
        self.site.interrupt.check()?;
        let Asked { variant, part, rate_per_s, duration_s } = asked;
        let variant = &self.plan.variants[variant];
        let cell = at(cell, rate_per_s, duration_s);
        // Made again it has the same arrivals, as a block that is repeated.
        let (block, seed) = (part.number(), part.seed(&cell));
        let spec = Spec { plan: self.plan, cell: &cell, variant, block, position: 0, attempt: 0, seed };
        self.made += 1;
        let length = Duration::from_secs_f64(duration_s + cell.settings.load.warmup_s) + OVERHEAD;
        let left = length * (self.expected.saturating_sub(self.made) + 1);
        let what = format!("{} {} {} {rate_per_s:.0}/s", part.name(), part.number() + 1, variant.name);
        self.progress.begin(self.made, self.expected.max(self.made), &what, left);
        let report = run::run(&spec, self.site, self.progress)?.report;
        if report.ended == Ended::Interrupted {
            return Err(Interrupted.into());
        }
        let result = report.verdict.result;
        self.progress.end(&match result {
            RunResult::Ok | RunResult::Overloaded => result.to_string(),
            RunResult::Invalid | RunResult::Inconclusive => format!("{result}: {}", report.verdict.reason),
        });
        self.host = Some(report.host.clone());
        Ok(report)
    }
}

/// The cell with another load.
fn at(cell: &Cell, rate_per_s: f64, duration_s: f64) -> Cell {
    let mut cell = cell.clone();
    cell.settings.load.rate_per_s = Some(rate_per_s);
    cell.settings.load.duration_s = duration_s;
    cell
}
