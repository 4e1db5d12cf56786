//! Published figures of so many workers, held against what permits allow and against what was measured. Pure.
//!
//! A claim is of one process and of the original's own time: payments of three seconds. Runs may have several dynos and be
//! scaled: what was measured is divided, and scaled back.

use common::plan::{self, Plan, Published, Settings, TaskKind};
use common::report::comparison::{Cell, Claim, ClaimFigure, ClaimWord, MeasuredClaim, VariantSummary};

use crate::format::{counted, grouped, significant};

/// What is measured may differ from what is claimed by so much and still be the same.
const SAME: f64 = 0.05;
/// Above what is possible by more than a rounded digit.
const ROUNDING: f64 = 0.005;
/// Drains are told in whole minutes.
const ROUNDING_MIN: f64 = 0.5;

/// Every figure of the plan that is published with its workers. Without permits the machine decides: here one of
/// `host_cpus`.
#[must_use]
pub(crate) fn claims(plan: &Plan, cells: &[Cell], host_cpus: u32) -> Vec<Claim> {
    let of = |published: &Published| Bench::new(plan, cells, published, host_cpus).map(|bench| bench.claims(published));
    plan.published.iter().filter_map(of).flatten().collect()
}

/// What figures of so many workers are held against.
struct Bench<'a> {
    plan: &'a Plan,
    cells: &'a [Cell],
    /// The cell with so many workers.
    cell: Option<&'a plan::Cell>,
    /// Its settings; where the plan has none, those of the first with so many.
    settings: Settings,
    /// Why nothing that is measured speaks against a claim, or for it.
    elsewhere: Option<String>,
}

/// What is to be said of a figure.
struct Judged {
    allowed: Option<f64>,
    measured: Vec<MeasuredClaim>,
    word: ClaimWord,
    reason: String,
}

impl<'a> Bench<'a> {
    fn new(plan: &'a Plan, cells: &'a [Cell], published: &Published, host_cpus: u32) -> Option<Bench<'a>> {
        let workers = published.workers?;
        let cell = plan.cells.iter().find(|cell| cell.settings.workers.count == workers);
        let mut settings = cell.or(plan.cells.first())?.settings.clone();
        settings.workers.count = workers;
        let elsewhere = if allowed(&settings).is_some() { None } else { elsewhere(published, &settings, host_cpus) };
        Some(Bench { plan, cells, cell, settings, elsewhere })
    }

    fn claims(&self, published: &Published) -> Vec<Claim> {
        let rate = published.real_per_s.filter(|rate| rate.is_finite());
        let rate = rate.map(|claimed| (ClaimFigure::RealPerS, claimed, self.rate(claimed)));
        let drain = published.drain_min.map(|claimed| {
            let judged = self.drain(claimed, published.peak);
            (ClaimFigure::DrainMin, claimed, judged)
        });
        let peak = published.peak.map(|peak| peak as f64);
        let peak = peak.map(|claimed| (ClaimFigure::Peak, claimed, self.peak(claimed, published.sent)));
        let claim = |(figure, claimed, judged): (ClaimFigure, f64, Judged)| Claim {
            source: published.source.clone(),
            workers: self.settings.workers.count,
            figure,
            claimed,
            allowed: judged.allowed,
            cell: self.cell.map(|cell| cell.index),
            measured: judged.measured,
            word: judged.word,
            reason: judged.reason,
        };
        [rate, drain, peak].into_iter().flatten().map(claim).collect()
    }

    /// Tasks a second.
    fn rate(&self, claimed: f64) -> Judged {
        let allowed = allowed(&self.settings);
        let measured = self.measured(|variant| self.per_s(variant));
        let (word, reason) = impossible(claimed, allowed, &self.settings)
            .or_else(|| self.untried(claimed))
            .unwrap_or_else(|| self.judge(claimed, &measured, " a second"));
        Judged { allowed, measured, word, reason }
    }

    /// Minutes in which all that waited is done: as many tasks as are said to have waited at most. Of the others of the
    /// burst nobody knows whether they were accepted, and what was done before comes on top.
    fn drain(&self, claimed: f64, peak: Option<u64>) -> Judged {
        let of_burst = || self.burst().map(|(tasks, _)| (tasks, format!("the {} of the burst", whole(tasks))));
        let waited = peak.map(|peak| (peak as f64, format!("the {} that waited at most", grouped(peak))));
        let Some((tasks, which)) = waited.or_else(of_burst) else {
            let reason = "how many tasks were done meanwhile is not said".to_owned();
            return Judged { allowed: None, measured: Vec::new(), word: ClaimWord::Unknown, reason };
        };
        let minutes = |per_s: f64| Some(tasks / per_s / 60.0).filter(|minutes| minutes.is_finite());
        let most_per_s = allowed(&self.settings);
        let allowed = most_per_s.and_then(minutes);
        let measured = self.measured(|variant| self.per_s(variant).and_then(minutes));
        let impossible = most_per_s.zip(allowed).filter(|(_, allowed)| claimed + ROUNDING_MIN < *allowed);
        let (word, reason) = match impossible {
            Some((per_s, allowed)) => {
                let (allowed, per_s) = (significant(allowed, 4), significant(per_s, 4));
                let reason = format!("{which} take {allowed} min at {per_s} a second, the most that can be done");
                (ClaimWord::Impossible, reason)
            }
            None => self.judge(claimed, &measured, &format!(" min for {which}, at the rates measured")),
        };
        Judged { allowed, measured, word, reason }
    }

    /// Most tasks that waited, of so many that were sent where that is said. Of a burst all wait that are neither done nor held when it ends.
    fn peak(&self, claimed: f64, sent: Option<u64>) -> Judged {
        let Settings { workers, queue, .. } = &self.settings;
        let held = f64::from(queue.as_ref().map_or(workers.count, |queue| queue.room(workers.count)));
        let burst = allowed(&self.settings).zip(self.burst());
        let least = |(per_s, (tasks, burst_s)): (f64, (f64, f64))| (tasks, tasks - per_s * burst_s - held);
        let least = burst.map(least).filter(|(_, least)| *least > 0.0);
        let waiting = |variant: &VariantSummary| variant.queue.as_ref()?.peak_visible.value;
        let measured = self.measured(|variant| waiting(variant).map(|tasks| tasks / self.dynos()));
        let others = self.burst().zip(sent).filter(|((tasks, _), sent)| (tasks - *sent as f64).abs() > 0.5);
        if let Some(((tasks, _), sent)) = others {
            let reason = format!("it is of {} tasks, and the burst here of {}", grouped(sent), whole(tasks));
            return Judged { allowed: None, measured, word: ClaimWord::Unknown, reason };
        }
        let (word, reason) = match least.filter(|(_, least)| claimed < least * (1.0 - ROUNDING)) {
            Some((tasks, least)) => {
                let (tasks, least) = (whole(tasks), whole(least));
                let all = format!("of the {tasks} tasks of the burst at least {least} wait when it ends");
                let reason = format!("{all}: fewer were accepted");
                (ClaimWord::Unknown, reason)
            }
            None => self.judge(claimed, &measured, ""),
        };
        Judged { allowed: least.map(|(_, least)| least), measured, word, reason }
    }

    /// Of every variant in the cell.
    fn measured(&self, of: impl Fn(&VariantSummary) -> Option<f64>) -> Vec<MeasuredClaim> {
        let found = self.cell.and_then(|cell| self.found(cell));
        let of = |variant: &VariantSummary| MeasuredClaim { variant: variant.variant.name.clone(), value: of(variant) };
        found.map_or_else(Vec::new, |found| found.variants.iter().map(of).collect())
    }

    fn found(&self, of: &plan::Cell) -> Option<&'a Cell> {
        self.cells.iter().find(|measured| measured.index == of.index)
    }

    fn dynos(&self) -> f64 {
        f64::from(self.settings.workers.dynos)
    }

    /// Of one dyno, in the original's time.
    fn of_original(&self, per_s: f64) -> f64 {
        per_s * self.settings.time_scale() / self.dynos()
    }

    /// What a variant completed.
    fn per_s(&self, variant: &VariantSummary) -> Option<f64> {
        let completed = variant.metrics.get("completed_per_s").and_then(|rate| rate.value);
        completed.map(|per_s| self.of_original(per_s))
    }

    /// How many tasks of the burst come to a dyno, and how long it lasts in the original's time.
    fn burst(&self) -> Option<(f64, f64)> {
        let load = &self.settings.load;
        let burst_s = load.burst_s()?;
        Some((load.burst_rate_per_s? * burst_s / self.dynos(), burst_s / self.settings.time_scale()))
    }

    /// Where less was asked for than was claimed, and not all were overloaded by it: nobody saw whether more can be done.
    /// But with how few workers all keep up with it says what the claimed number of them is good for.
    fn untried(&self, claimed: f64) -> Option<(ClaimWord, String)> {
        let cell = self.cell?;
        let load = &cell.settings.load;
        let asked = self.of_original(load.mean_rate_per_s());
        if !load.arrivals.is_stationary() || claimed <= asked * (1.0 + SAME) {
            return None;
        }
        let workers = |cell: &plan::Cell| cell.settings.workers.count;
        let is_like_it = |of: &&plan::Cell| {
            let mut settings = of.settings.clone();
            settings.workers.count = workers(cell);
            settings == cell.settings
        };
        let variants = &self.found(cell)?.variants;
        let is_overloaded = |one: &&VariantSummary| one.runs.overloaded > 0;
        let failed: Vec<&str> = variants.iter().filter(is_overloaded).map(|one| one.variant.name.as_str()).collect();
        if failed.len() == variants.len() {
            return None;
        }
        let all_keep_up = |of: &plan::Cell| self.found(of).is_some_and(|found| found.variants.iter().all(keeps_up));
        let fewest = self.plan.cells.iter().filter(|of| is_like_it(of) && all_keep_up(of)).map(workers).min();
        let others = match fewest {
            _ if !failed.is_empty() => format!(", and {} did not keep up", failed.join(" and ")),
            Some(fewest) if fewest < workers(cell) => {
                format!(", and {} kept up with as much", counted(fewest.into(), "worker"))
            }
            _ => String::new(),
        };
        Some((ClaimWord::Unknown, format!("only {} a second were asked for{others}", significant(asked, 4))))
    }

    /// By what was measured, in `unit`s.
    fn judge(&self, claimed: f64, measured: &[MeasuredClaim], unit: &str) -> (ClaimWord, String) {
        let (word, reason) = judge(claimed, measured, unit);
        match &self.elsewhere {
            Some(elsewhere) if word != ClaimWord::Unknown => (ClaimWord::Unknown, format!("{elsewhere}; {reason}")),
            _ => (word, reason),
        }
    }
}

/// What permits and workers of one dyno allow, tasks a second of the original's time.
fn allowed(settings: &Settings) -> Option<f64> {
    settings.task.permits.filter(|_| settings.task.kind == TaskKind::Order)?;
    Some(f64::from(settings.at_once()) / hold_s(settings))
}

/// How long a payment takes, in the original's time.
fn hold_s(settings: &Settings) -> f64 {
    settings.task.least_s() / settings.task.time_scale
}

/// Where permits of one dyno allow less.
fn impossible(claimed: f64, allowed: Option<f64>, settings: &Settings) -> Option<(ClaimWord, String)> {
    let allowed = allowed.filter(|allowed| claimed > allowed * (1.0 + ROUNDING))?;
    let (at_once, hold_s, allowed) = (settings.at_once(), significant(hold_s(settings), 3), significant(allowed, 4));
    Some((ClaimWord::Impossible, format!("{at_once} at once, {hold_s} s each, are at most {allowed} a second")))
}

/// Why a figure of that machine is no figure of this one.
fn elsewhere(published: &Published, settings: &Settings, host_cpus: u32) -> Option<String> {
    let cpus = settings.dyno.as_ref().map_or(host_cpus, |dyno| dyno.vcpus);
    let here = counted(cpus.into(), "CPU");
    match published.cpus {
        Some(there) if there == cpus => None,
        Some(_) => Some(format!("another machine: {here} here")),
        None => Some(format!("on which machine is not said: {here} here")),
    }
}

/// Whether it did in every run.
fn keeps_up(variant: &VariantSummary) -> bool {
    let runs = &variant.runs;
    runs.ok > 0 && runs.overloaded + runs.inconclusive == 0
}

fn whole(tasks: f64) -> String {
    grouped(tasks.round() as u64)
}

fn judge(claimed: f64, measured: &[MeasuredClaim], unit: &str) -> (ClaimWord, String) {
    let known: Vec<f64> = measured.iter().filter_map(|one| one.value).collect();
    if known.is_empty() {
        return (ClaimWord::Unknown, "nothing was measured with so many workers".to_owned());
    }
    let off = known.iter().map(|value| (value / claimed - 1.0).abs()).fold(0.0, f64::max);
    let values: Vec<String> = known.iter().map(|&value| significant(value, 4)).collect();
    let reason = format!("measured: {}{unit}", values.join(" and "));
    (if off <= SAME { ClaimWord::Confirmed } else { ClaimWord::Refuted }, reason)
}

#[cfg(test)]
mod tests {
    use common::plan::{Plan, Published, Settings};
    use common::report::comparison::{ClaimWord, MeasuredClaim};

    use super::{Bench, allowed, elsewhere, impossible, judge};

    fn plan(workers: u32, published: &str) -> Plan {
        let text = format!(
            "name = \"t\"\n[task]\nkind = \"order\"\n[load]\nrate_per_s = 0\narrivals = \"burst\"\n\
             burst_rate_per_s = 600\nburst_from_s = 0\nburst_to_s = 6\nduration_s = 24\n[workers]\ncount = {workers}\n\
             [published]\nsource = \"x\"\nresult = \"y\"\nworkers = {workers}\n{published}\n\
             [[variant]]\nname = \"a\"\nengine = \"async\"\n"
        );
        Plan::parse(&text, &[]).unwrap()
    }

    fn settings(workers: u32) -> Settings {
        plan(workers, "").cells.remove(0).settings
    }

    /// The four rows of the write-up: one worker cannot do 1.67 a second, nor five permits more than that.
    #[test]
    fn the_published_rates_of_the_flash_sale() {
        let measured = |per_s: f64| vec![MeasuredClaim { variant: "a".to_owned(), value: Some(per_s) }];
        let word = |workers, claimed, per_s| {
            let settings = settings(workers);
            let judged = || judge(claimed, &measured(per_s), " a second");
            impossible(claimed, allowed(&settings), &settings).unwrap_or_else(judged).0
        };
        assert!((allowed(&settings(100)).unwrap() - 5.0 / 3.0).abs() < 1e-12);
        assert!((allowed(&settings(1)).unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(word(1, 1.67, 0.33), ClaimWord::Impossible);
        assert_eq!(word(5, 1.83, 1.66), ClaimWord::Impossible);
        assert_eq!(word(20, 1.45, 1.66), ClaimWord::Refuted);
        assert_eq!(word(100, 2.48, 1.66), ClaimWord::Impossible);
        assert_eq!(word(5, 1.67, 1.66), ClaimWord::Confirmed);
    }

    /// Without runs: what arithmetic says of a drain, by what is said to have waited, else by all that came.
    #[test]
    fn a_drain_takes_as_long_as_what_waited() {
        let drain = |minutes: f64, peak: &str| {
            let plan = plan(100, &format!("drain_min = {minutes}\n{peak}"));
            let published = &plan.published[0];
            let judged = Bench::new(&plan, &[], published, 2).unwrap().drain(minutes, published.peak);
            (judged.word, judged.allowed.unwrap())
        };
        let (word, least_min) = drain(19.0, "peak = 2746");
        assert!(word == ClaimWord::Impossible && (least_min - 27.46).abs() < 1e-9, "{word} {least_min}");
        // Rounded, 27.46 minutes are 27.
        assert_eq!(drain(27.0, "peak = 2746").0, ClaimWord::Unknown);
        let (word, least_min) = drain(35.0, "");
        assert!(word == ClaimWord::Impossible && (least_min - 36.0).abs() < 1e-9, "{word} {least_min}");
    }

    #[test]
    fn all_that_is_neither_done_nor_held_waits() {
        let of = |tasks: f64, sent: Option<u64>| {
            let plan = plan(20, "");
            Bench::new(&plan, &[], &plan.published[0], 2).unwrap().peak(tasks, sent)
        };
        let peak = |tasks: f64| {
            let judged = of(tasks, Some(3600));
            (judged.allowed.unwrap(), judged.reason)
        };
        // A hundred of 3600 are done in a minute, and twenty are held; nothing is fetched ahead.
        let (least, reason) = peak(2630.0);
        assert!((least - 3480.0).abs() < 1e-6, "{least}");
        assert_eq!(reason, "of the 3 600 tasks of the burst at least 3 480 wait when it ends: fewer were accepted");
        assert_eq!(peak(3490.0).1, "nothing was measured with so many workers");
        let other = of(2630.0, Some(1200));
        assert_eq!((other.word, other.allowed), (ClaimWord::Unknown, None));
        assert_eq!(other.reason, "it is of 1 200 tasks, and the burst here of 3 600");
    }

    #[test]
    fn a_figure_of_another_machine_is_none_of_this() {
        let of = |cpus: Option<u32>| {
            let published = Published { cpus, ..plan(1, "").published.remove(0) };
            elsewhere(&published, &settings(1), 2).unwrap_or_default()
        };
        assert_eq!(of(Some(2)), "");
        assert_eq!(of(Some(4)), "another machine: 2 CPUs here");
        assert_eq!(of(None), "on which machine is not said: 2 CPUs here");
    }
}
