//! All blocks of a plan: in balanced random order, every run stored as it ends, void blocks repeated.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use analysis::load::Mixed;
use analysis::metric::value;
use common::plan::demand::{demand, what_fits};
use common::plan::{Cell, Metric, Plan, Settings};
use common::random::{self, Stream, below, block_seed};
use common::report::{Ended, Run, RunResult};

use crate::args::Common;
use crate::calibration::HostFile;
use crate::ceiling::{self, Ceilings};
use crate::dynos::Origin;
use crate::error::{Interrupted, Refused};
use crate::handicap::Handicap;
use crate::host;
use crate::limits::{self, Capacity};
use crate::placement::Placement;
use crate::progress::{Progress, Tail};
use crate::run::{self, Site, Spec};
use crate::server::Source;
use crate::signals::Interrupt;
use crate::store::Store;

mod blocks;

pub use blocks::{Block, Schedule, schedule};

use blocks::{Earlier, Kept, Repeats, earlier};

/// How often a block is repeated when one of its runs is invalid.
const ATTEMPTS_MAX: u32 = 3;
/// What a run takes besides warm-up and window, for the estimate of the time left.
const OVERHEAD: Duration = Duration::from_millis(1500);

/// What came of a bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Blocks in which every run is valid.
    pub blocks: u32,
    /// Blocks that stayed void.
    pub void: u32,
    /// Whether any run of a complete block ended with another verdict than `ok`: `overloaded`, then `inconclusive`.
    pub overloaded: bool,
    /// As above.
    pub inconclusive: bool,
}

/// Runs every block of the plan, which [`admit`] has let in, and stores every run. Blocks that are complete among the
/// `kept` runs of an earlier start are left out. Where the plan declares an extension, the first blocks are looked at when
/// all are run, and the cells that they leave undecided get the others.
///
/// # Errors
/// What kept a run from being measured, or [`Interrupted`]; everything stored so far stays.
pub fn bench(
    plan: &Plan,
    kept: &[Run],
    Admitted { source, ceilings, handicap }: &Admitted,
    placement: &Placement,
    store: &Store,
    interrupt: &Interrupt,
    progress: &mut Progress,
) -> anyhow::Result<Summary> {
    let earlier = earlier(plan.variants.len(), kept.iter().map(Kept::of));
    let counts =
        |run: &&Run| earlier.get(&(run.cell.index, run.block)).is_some_and(|block| block.complete == Some(run.attempt));
    let any = |result| kept.iter().filter(counts).any(|run| run.verdict.result == result);
    let summary = Summary {
        blocks: earlier.values().filter(|block| block.complete.is_some()).count() as u32,
        void: 0,
        overloaded: any(RunResult::Overloaded),
        inconclusive: any(RunResult::Inconclusive),
    };
    let handicap = handicap.as_ref();
    let rounds_per_us = rounds_per_us(plan, handicap, placement);
    let bench = Bench { plan, source, placement, ceilings, handicap, store, interrupt, kept, rounds_per_us };
    let cells = plan.cells.last().map_or(0, |cell| cell.index as usize + 1);
    let repeats = Repeats::new(plan.repeat.blocks, cells, &earlier);
    let mut state = State { earlier: &earlier, pace: Pace::new(plan), repeats, summary, warm: false };
    let Schedule { first, extension } = schedule(plan);
    bench.blocks(&first, &mut state, progress)?;
    if let Some(extend_to) = plan.repeat.extend_to {
        let undecided = analysis::undecided(&analysis::load::directory(store.directory(), Mixed::Refused)?);
        let (open, cells) = (undecided.len(), plan.cells.len());
        progress.line(&match open {
            0 => format!("the first {} blocks have decided: no extension", plan.repeat.blocks),
            _ => format!(
                "undecided after {} blocks: {open} of {cells} cells, extended to {extend_to} as declared",
                plan.repeat.blocks
            ),
        });
        state.repeats.extend(plan.repeat.blocks, extend_to);
        let extension: Vec<Block> =
            extension.into_iter().filter(|block| undecided.contains(&plan.cells[block.cell].index)).collect();
        bench.blocks(&extension, &mut state, progress)?;
    }
    Ok(state.summary)
}

/// Refuses what this machine cannot run, before anything starts.
///
/// # Errors
/// The first shortage.
pub fn admit(plan: &Plan, source: &Source) -> anyhow::Result<()> {
    let capacity = Capacity::read();
    let private = source.is_private();
    for cell in &plan.cells {
        let fits = |memory_bytes| what_fits(&cell.settings, &plan.variants, private, memory_bytes);
        for variant in &plan.variants {
            capacity.admit(&demand(&cell.settings, variant), private, &fits)?;
        }
    }
    Ok(())
}

/// What is said of a plan whose dynos may be too small for what is asked of them: of the first such.
#[must_use]
fn crowded(plan: &Plan) -> Option<String> {
    plan.cells.iter().find_map(|cell| {
        let dyno = cell.settings.dyno.as_ref()?;
        plan.variants.iter().find_map(|variant| {
            let why = limits::crowded(&demand(&cell.settings, variant), dyno)?;
            Some(format!("variant {:?}: {why}", variant.name))
        })
    })
}

/// What is said of a plan whose tasks take longer than they may be held: of the cell that holds them for longest.
#[must_use]
fn outlived(plan: &Plan) -> Option<String> {
    let held = plan.cells.iter().filter_map(|cell| Some((cell, cell.settings.held_too_long_s()?)));
    let (cell, held_s) = held.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let (timeout_s, place) = (cell.settings.queue.as_ref()?.visibility_timeout_s, place(cell));
    Some(format!(
        "queue.visibility_timeout_s = {timeout_s}: {place}a task may be held for {held_s:.3} s, waiting in its dyno included, so that \
         others will claim it meanwhile, until it lies among the dead; the report counts these, and {} would do",
        held_s.floor() + 1.0
    ))
}

/// Nobody waits for longer than this until a task has failed for good, seconds.
const RETRIED_S_MAX: f64 = 600.0;

/// What is said of a plan whose failing tasks are tried again for longer than warm-up and drain last: of the cell in which that is longest.
#[must_use]
fn retried(plan: &Plan) -> Option<String> {
    let given_s = |cell: &Cell| {
        let Settings { load, slo, .. } = &cell.settings;
        load.warmup_s.min(load.drain_s).min(slo.drain_within_s)
    };
    let retried = plan.cells.iter().filter_map(|cell| Some((cell, cell.settings.retried_s()?)));
    let too_long = retried.filter(|(cell, retried_s)| *retried_s > given_s(cell));
    let (cell, retried_s) = too_long.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let Settings { load, slo, queue, .. } = &cell.settings;
    let queue = queue.as_ref()?;
    let needed = [
        ("load.warmup_s", load.warmup_s, retried_s.ceil()),
        ("slo.drain_within_s", slo.drain_within_s, retried_s.ceil() + 1.0),
        ("load.drain_s", load.drain_s, retried_s.ceil() + 1.0),
    ];
    let longer: Vec<String> =
        needed.iter().filter(|(_, now_s, _)| *now_s < retried_s).map(|(key, _, s)| format!("{key} = {s}")).collect();
    let shorter_ms = (0.8 * queue.backoff_ms * given_s(cell) / retried_s).floor();
    let shorter = (shorter_ms >= 1.0).then(|| format!("queue.backoff_ms = {shorter_ms}"));
    let fewer = (retried_s > RETRIED_S_MAX).then(|| "fewer queue.attempts_max".to_owned());
    let longer = fewer.is_none().then(|| longer.join(" and "));
    let would_do: Vec<String> = shorter.into_iter().chain(fewer).chain(longer).collect();
    Some(format!(
        "queue.backoff_ms = {}: {}a task that fails is tried again for {retried_s:.3} s: one that fails near the end, and those that still \
         wait when the window begins, may make a run overloaded; {} would do",
        queue.backoff_ms,
        place(cell),
        would_do.join(", or ")
    ))
}

/// Which cell it is, where there are several.
fn place(cell: &Cell) -> String {
    let parameters: Vec<String> = cell.parameters.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let parameters = parameters.join(", ");
    if parameters.is_empty() { String::new() } else { format!("in cell {} ({parameters}) ", cell.index) }
}

/// What the runs of an admitted plan rest on.
pub struct Admitted {
    /// Which server.
    pub source: Source,
    /// How much loadgen can send.
    pub ceilings: Ceilings,
    /// Who is slower on purpose.
    pub handicap: Option<Handicap>,
}

impl Admitted {
    /// Finds the server, and asks whether machine and generator can do what `plan` demands.
    ///
    /// # Errors
    /// No server, or the first demand that cannot be met.
    pub fn new(
        plan: &Plan,
        common: &Common,
        handicap: Option<Handicap>,
        placement: &Placement,
        progress: &Progress,
    ) -> anyhow::Result<Admitted> {
        handicap.iter().try_for_each(|handicap| handicap.admit(plan))?;
        let source = Source::find(common.redis_url.as_deref(), common.flush, &mut |line| progress.line(line))?;
        admit(plan, &source)?;
        let doubts = [crowded(plan), outlived(plan), retried(plan)];
        doubts.into_iter().flatten().for_each(|why| progress.line(&why));
        let ceilings = Ceilings::read(&host::read(placement.cpus()).fingerprint);
        ceilings.admit(plan, common.force, |line| progress.line(line))?;
        Ok(Admitted { source, ceilings, handicap })
    }

    /// Where runs of `plan` are made.
    #[must_use]
    pub fn site<'a>(
        &'a self,
        plan: &Plan,
        dynos: Origin,
        directory: &'a Path,
        interrupt: &'a Interrupt,
        placement: &'a Placement,
    ) -> Site<'a> {
        let handicap = self.handicap.as_ref();
        Site {
            source: &self.source,
            dynos,
            directory,
            interrupt,
            placement,
            rounds_per_us: rounds_per_us(plan, handicap, placement),
            ceilings: &self.ceilings,
            handicap,
        }
    }
}

/// How fast this host computes, if any task of the plan does; else 0, and nothing is measured.
#[must_use]
pub fn rounds_per_us(plan: &Plan, handicap: Option<&Handicap>, placement: &Placement) -> f64 {
    let computes = handicap.is_some() || plan.cells.iter().any(|cell| cell.settings.task.cpu_us > 0.0);
    if computes { HostFile::of(&host::read(placement.cpus()).fingerprint).rounds_per_us() } else { 0.0 }
}

/// Counts runs and guesses the time left.
struct Pace {
    done: u32,
    runs: u32,
    mean: Duration,
}

impl Pace {
    fn new(plan: &Plan) -> Pace {
        let of = |cell: &Cell| {
            Duration::from_secs_f64(cell.settings.load.duration_s + cell.settings.load.warmup_s) + OVERHEAD
        };
        let cells = plan.cells.len().max(1) as u32;
        let mean = plan.cells.iter().map(of).sum::<Duration>() / cells;
        Pace { done: 0, runs: 0, mean }
    }

    fn left(&self) -> Duration {
        self.mean * self.runs.saturating_sub(self.done)
    }
}

/// How far a bench is.
struct State<'a> {
    /// What an earlier start has left, by cell and block.
    earlier: &'a BTreeMap<(u32, u32), Earlier>,
    pace: Pace,
    repeats: Repeats,
    summary: Summary,
    /// Whether the block that is thrown away has been run.
    warm: bool,
}

struct Bench<'a> {
    plan: &'a Plan,
    source: &'a Source,
    placement: &'a Placement,
    ceilings: &'a Ceilings,
    handicap: Option<&'a Handicap>,
    store: &'a Store,
    interrupt: &'a Interrupt,
    /// The runs that an earlier start has left.
    kept: &'a [Run],
    rounds_per_us: f64,
}

impl Bench<'_> {
    /// The number of a block's cell, which is not its place where the plan has some of its cells.
    fn index(&self, block: &Block) -> u32 {
        self.plan.cells[block.cell].index
    }

    /// Runs those of `blocks` that are not complete, void ones again.
    fn blocks(&self, blocks: &[Block], state: &mut State<'_>, progress: &mut Progress) -> anyhow::Result<()> {
        let of = |block: &Block| state.earlier.get(&(self.index(block), block.number)).copied().unwrap_or_default();
        let missing: Vec<(&Block, Earlier)> =
            blocks.iter().map(|block| (block, of(block))).filter(|(_, earlier)| earlier.complete.is_none()).collect();
        let State { pace, repeats, summary, warm, .. } = state;
        let warm_up = missing.first().filter(|_| !*warm);
        let variants = self.plan.variants.len() as u32;
        pace.runs += (missing.len() as u32 + u32::from(warm_up.is_some())) * variants;
        if let Some((first, _)) = warm_up {
            // The first block finds cold caches and idle clocks: it is run and thrown away.
            self.block(first, 0, false, pace, progress)?;
            *warm = true;
        }
        for (block, earlier) in missing {
            for attempt in 0..ATTEMPTS_MAX {
                let results = self.block(block, earlier.attempts + attempt, true, pace, progress)?;
                if !results.contains(&RunResult::Invalid) {
                    // What a void attempt saw is thrown away with it.
                    summary.overloaded |= results.contains(&RunResult::Overloaded);
                    summary.inconclusive |= results.contains(&RunResult::Inconclusive);
                    summary.blocks += 1;
                    break;
                }
                if attempt + 1 == ATTEMPTS_MAX || !repeats.take(self.index(block) as usize) {
                    summary.void += 1;
                    break;
                }
                pace.runs += variants;
                progress.line("the block is void and is repeated in the same order");
            }
        }
        Ok(())
    }

    /// Runs every variant of a block, back to back.
    fn block(
        &self,
        block: &Block,
        attempt: u32,
        keep: bool,
        pace: &mut Pace,
        progress: &mut Progress,
    ) -> anyhow::Result<Vec<RunResult>> {
        let cell = &self.plan.cells[block.cell];
        let seed = block_seed(cell.settings.load.seed, cell.index, block.number);
        let padding = below(random::stream(seed, Stream::Nuisance), 4096) as usize;
        let mut results = Vec::new();
        for (position, &variant) in (0..).zip(&block.order) {
            self.interrupt.check()?;
            let variant = &self.plan.variants[variant];
            let spec = Spec { plan: self.plan, cell, variant, block: block.number, position, attempt, seed };
            let site = Site {
                source: self.source,
                dynos: Origin::Spawned { padding },
                directory: self.store.directory(),
                interrupt: self.interrupt,
                placement: self.placement,
                rounds_per_us: self.rounds_per_us,
                ceilings: self.ceilings,
                handicap: self.handicap,
            };
            let mut what = format!("{} block {}", variant.name, block.number);
            for (key, value) in &cell.parameters {
                what.push_str(&format!(" {key}={value}"));
            }
            if !keep {
                what = format!("{} to warm up, not kept", variant.name);
            }
            progress.begin(pace.done + 1, pace.runs, &what, pace.left());
            pace.done += 1;
            let measurement = run::run(&spec, &site, progress)?;
            let run = &measurement.report;
            progress.end(&line(run));
            if !keep && let Some(difference) = ceiling::differs(&run.host) {
                progress.line(&difference);
            }
            // Dynos of another size are elsewhere, and so is everybody else.
            let like = self.kept.iter().find(|kept| kept.plan.settings.dyno == cell.settings.dyno);
            let earlier = like.map(|kept| &kept.host.scheduling);
            if let Some(earlier) = earlier.filter(|&earlier| *earlier != run.host.scheduling) {
                return Err(Refused(format!(
                    "--resume: measured with scheduling {earlier:?}, and it is {:?} now: repeat --pin and --scheduling of that \
                     bench",
                    run.host.scheduling
                ))
                .into());
            }
            results.push(run.verdict.result);
            if keep {
                self.store.write_run(&measurement)?;
            }
            if run.ended == Ended::Interrupted {
                return Err(Interrupted.into());
            }
        }
        Ok(results)
    }
}

/// A run in one line.
fn line(run: &Run) -> String {
    let cpu = |of: [Metric; 2]| {
        let us = of.map(|metric| value(run, metric).number().map_or("-".to_owned(), |us| format!("{us:.0} us")));
        format!("CPU {} workers + {} redis", us[0], us[1])
    };
    let why = if run.verdict.result == RunResult::Ok { String::new() } else { format!(" ({})", run.verdict.reason) };
    if run.plan.settings.load.is_idle() {
        let cpu = cpu([Metric::WorkersCpuUsPerS, Metric::RedisCpuUsPerS]);
        return format!("{}{why}: idle, {cpu} a second", run.verdict.result);
    }
    let cpu = cpu([Metric::WorkersCpuUsPerTask, Metric::RedisCpuUsPerTask]);
    let rate = run.rate_per_s.completed.map_or("-".to_owned(), |rate| format!("{rate:.0}"));
    let response = &run.latency_us.response;
    let tail = Tail::of(response.n, |p| match p {
        0.99 => response.p99,
        0.9 => response.p90,
        _ => response.p50,
    });
    format!("{}{why}: {rate}/s, {tail}, {cpu} a task", run.verdict.result)
}

#[cfg(test)]
mod tests {
    use common::plan::Plan;

    use super::{outlived, retried};

    #[test]
    fn the_cell_that_holds_tasks_for_longest_is_named() {
        let said = |count: &str, timeout_s: u32| {
            let plan = format!(
                "name = \"t\"\n[task]\nkind = \"order\"\ntime_scale = 0.1\n[load]\nrate_per_s = 10\nduration_s = 1\n[workers]\n\
                 count = {count}\n[queue]\nprefetch = 10\nvisibility_timeout_s = {timeout_s}\n[[variant]]\nname = \"a\"\n\
                 engine = \"async\"\nconnections = \"own\"\n"
            );
            outlived(&Plan::parse(&plan, &[]).unwrap()).unwrap_or_default()
        };
        // Five permits: a hundred workers and ten tasks more are 22 payments of 0.3 s; one worker and ten are eleven.
        let of_all = said("[1, 5, 100, 20]", 3);
        let longest = "queue.visibility_timeout_s = 3: in cell 2 (workers.count = 100) a task may be held for 6.700 s";
        assert!(of_all.starts_with(longest), "{of_all}");
        let of_one = said("1", 3);
        assert!(of_one.starts_with("queue.visibility_timeout_s = 3: a task may be held for 3.400 s,"), "{of_one}");
        assert_eq!(said("[1, 5, 100, 20]", 7), "");
    }

    #[test]
    fn the_cell_whose_failing_tasks_are_tried_for_longest_is_named() {
        let said = |queue: &str, others: &str| {
            let plan = format!(
                "name = \"t\"\n[task]\nkind = \"job\"\nfail_share = 0.01\n[load]\nrate_per_s = 10\nduration_s = 1\n{others}\n[workers]\n\
                 count = 4\n[queue]\n{queue}\n[[variant]]\nname = \"a\"\nengine = \"async\"\n"
            );
            retried(&Plan::parse(&plan, &[]).unwrap()).unwrap_or_default()
        };
        let would_do =
            |queue: &str, others: &str| said(queue, others).rsplit("; ").next().map(str::to_owned).unwrap_or_default();
        let longest = "queue.backoff_ms = 2500: in cell 1 (queue.backoff_ms = 2500) a task that fails is tried again for 7.500 s: one that \
                       fails near the end, and those that still wait when the window begins, may make a run overloaded; \
                       queue.backoff_ms = 266, or load.warmup_s = 8 and slo.drain_within_s = 9 would do";
        assert_eq!(said("backoff_ms = [1000, 2500, 100]", ""), longest);
        let all =
            "queue.backoff_ms = 53, or load.warmup_s = 15 and slo.drain_within_s = 16 and load.drain_s = 16 would do";
        assert_eq!(would_do("attempts_max = 5", ""), all);
        assert_eq!(would_do("attempts_max = 255", ""), "fewer queue.attempts_max would do");
        assert_eq!(would_do("", "warmup_s = 0"), "load.warmup_s = 3 and slo.drain_within_s = 4 would do");
        assert_eq!(
            would_do("", "warmup_s = 3\n[slo]\ndrain_within_s = 2"),
            "queue.backoff_ms = 533, or slo.drain_within_s = 4 would do"
        );
        assert_eq!(said("", "warmup_s = 3\n[slo]\ndrain_within_s = 4"), "");
    }
}
