//! `loadgen search`: the rate that half of the trials of each variant of a plan pass, and the ratio of these rates.
//!
//! Every trial is a short run in fresh processes on a fresh server. The variants are searched side by side, trial by trial in turn,
//! on the same rates, so that what the machine does meanwhile happens to all of them; and several times, so that their ratio has an
//! interval. At the end longer runs look at the rate found and at the next higher one.

use std::path::Path;

use common::plan::{Cell, Plan};
use common::random::{Stream, mix, stream};
use common::report::Resource;
use common::report::search::{Search, SearchTrial};

use crate::args;
use crate::bench::Admitted;
use crate::dynos::Origin;
use crate::error::Refused;
use crate::limits::Capacity;
use crate::placement::Placement;
use crate::progress::Progress;
use crate::signals::Interrupt;

mod confirm;
mod enough;
mod judge;
mod ladder;
mod pairs;
mod part;
mod range;
mod report;
mod text;
mod trials;
mod verdict;
mod window;

use ladder::{Found, Ladder};
use part::Part;
use range::{Range, STEP, base_per_s};
use report::report;
pub use text::text;
use trials::{Asked, Trials};
pub use verdict::verdict;
use window::Windows;

/// Length of a run that confirms, in trials.
const CONFIRMATION_TRIALS: f64 = 3.0;
/// Trials that a search of one variant takes, for the time left.
const TRIALS_EXPECTED: u32 = 14;

/// Reads the plan that `args` name.
///
/// # Errors
/// A plan that is refused, arrivals whose rate is not one number, and a rate at which a trial says nothing.
pub fn plan(args: &args::Search) -> anyhow::Result<Plan> {
    let plan = args::read_plan(&args.plan, &args.common.sets())?;
    let refuse = |why: String| Err(Refused(format!("{}: {why}", args.plan.display())).into());
    for cell in &plan.cells {
        let load = &cell.settings.load;
        if !load.arrivals.is_stationary() {
            return refuse(format!(
                "load.arrivals of cell {} have no one rate to be searched for; use poisson or constant",
                cell.index
            ));
        }
        if cell.parameters.contains_key("load.rate_per_s") {
            return refuse(
                "load.rate_per_s is what is searched for: give one value, where the search begins".to_owned(),
            );
        }
        let windows = Windows::new(args.trial_s, &cell.settings);
        // A search begins up to a step lower.
        let least = windows.least_per_s() * STEP;
        if load.mean_rate_per_s() < least {
            return refuse(format!(
                "load.rate_per_s = {}, where the search begins: {}, or a rate of at least {:.0}",
                load.mean_rate_per_s(),
                windows.why(),
                least.ceil()
            ));
        }
    }
    Ok(plan)
}

/// Searches, and calls `keep` after every search, and when something ends it early, with what there is.
///
/// # Errors
/// What kept a trial from being made; [`Interrupted`](crate::error::Interrupted).
pub fn search(
    args: &args::Search,
    plan: &Plan,
    placement: &Placement,
    directory: &Path,
    interrupt: &Interrupt,
    progress: &mut Progress,
    mut keep: impl FnMut(Search) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let admitted = Admitted::new(plan, &args.common, None, placement, progress)?;
    let site = admitted.site(plan, Origin::Spawned { padding: 0 }, directory, interrupt, placement);
    let expected = args.searches * plan.variants.len() as u32 * plan.cells.len() as u32 * TRIALS_EXPECTED;
    let mut trials = Trials { args, plan, site: &site, progress, made: 0, expected, host: None };
    let mut cells: Vec<Of> = plan.cells.iter().map(|cell| Of::new(cell, plan)).collect();
    let outcome = all(&mut trials, &mut cells, &mut keep);
    let kept = report(&trials, &cells).map_or(Ok(()), keep);
    outcome.and(kept)
}

/// All searches of all cells, then the longer runs.
fn all(
    trials: &mut Trials<'_, '_>,
    cells: &mut [Of<'_>],
    keep: &mut impl FnMut(Search) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for number in 0..trials.args.searches {
        for of in &mut *cells {
            one(trials, of, number)?;
        }
        report(trials, cells).map_or(Ok(()), &mut *keep)?;
    }
    cells.iter_mut().try_for_each(|of| confirm(trials, of))
}

/// What is known of a cell.
struct Of<'a> {
    cell: &'a Cell,
    /// By variant.
    variants: Vec<OfVariant>,
}

#[derive(Default)]
struct OfVariant {
    found: Vec<Found>,
    trials: Vec<SearchTrial>,
    confirmation: Vec<SearchTrial>,
    /// Of trials that failed.
    limits: Vec<Resource>,
}

impl<'a> Of<'a> {
    fn new(cell: &'a Cell, plan: &Plan) -> Of<'a> {
        Of { cell, variants: plan.variants.iter().map(|_| OfVariant::default()).collect() }
    }

    /// Of what only this cell draws.
    fn seed(&self) -> u64 {
        mix(stream(self.cell.settings.load.seed, Stream::Schedule), u64::from(self.cell.index))
    }
}

/// One search of all variants, trial by trial in turn.
fn one(trials: &mut Trials<'_, '_>, of: &mut Of<'_>, number: u32) -> anyhow::Result<()> {
    let windows = trials.windows(of.cell);
    let base = base_per_s(of.cell.settings.load.mean_rate_per_s(), of.seed(), number);
    let capacity = Capacity::read();
    let ladder = |variant| {
        let too_much = |rate| trials.too_much(of.cell, variant, rate, &capacity);
        Ladder::new(Range::new(base, windows.least_per_s(), too_much))
    };
    let mut ladders: Vec<Ladder> = trials.plan.variants.iter().map(ladder).collect();
    // Another begins in every search.
    let first = number as usize % ladders.len().max(1);
    loop {
        let mut over = true;
        for turn in 0..ladders.len() {
            let variant = (turn + first) % ladders.len();
            let Some(rung) = ladders[variant].next() else { continue };
            over = false;
            let rate_per_s = ladders[variant].rate_per_s(rung);
            let part = Part::Search { number, rung, others: ladders[variant].trials_on(rung) };
            let asked = Asked { variant, part, rate_per_s, duration_s: windows.of_s(rate_per_s) };
            let (trial, limit) = trials.make(of.cell, asked)?;
            match trial.passed {
                Some(passed) => ladders[variant].take(rung, passed),
                None => ladders[variant].give_up(format!(
                    "a trial at {rate_per_s:.0} tasks a second stayed {}: {}",
                    trial.result, trial.reason
                )),
            }
            let known = &mut of.variants[variant];
            known.limits.extend(limit.filter(|_| trial.passed == Some(false)));
            known.trials.push(trial);
        }
        if over {
            break;
        }
    }
    for (known, ladder) in of.variants.iter_mut().zip(&ladders) {
        known.found.push(ladder.found(&windows.why()));
    }
    Ok(())
}

/// Longer runs at the rate found and at the next higher one, of all variants in turn.
fn confirm(trials: &mut Trials<'_, '_>, of: &mut Of<'_>) -> anyhow::Result<()> {
    let windows = trials.windows(of.cell);
    let rates: Vec<Option<f64>> = of.variants.iter().map(|known| pairs::rate(&known.found).0.value).collect();
    let found: Vec<usize> = (0..rates.len()).filter(|&variant| rates[variant].is_some()).collect();
    for (round, variant, side) in confirm::order(&found, of.seed()) {
        let Some(rate_per_s) = rates[variant].map(|found| side.rate_per_s(found)) else { continue };
        let duration_s = windows.of_s(rate_per_s) * CONFIRMATION_TRIALS;
        let asked = Asked { variant, part: Part::Confirmation { round, side }, rate_per_s, duration_s };
        let (trial, _) = trials.make(of.cell, asked)?;
        of.variants[variant].confirmation.push(trial);
    }
    Ok(())
}
