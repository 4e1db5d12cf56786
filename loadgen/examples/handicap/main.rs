//! Does the instrument see what is there, and say how much? `make handicap`.
//!
//! A variant of `plans/handicap.toml` is compared with itself, but that every task of the one burns 3, 5 or 10 % more CPU. How
//! much that is, is known: the rounds that it burns more, at the time that a round takes by the tasks' own clock, over the CPU
//! per task of the undisturbed variant; neither is taken from the bench that is judged. Of twenty benches a level at least
//! seventeen intervals must cover it, and where it is above the smallest detectable effect the sign must be right.
//!
//! Hours of benches, each in a directory of its own below `--out`: started again it goes on where it was. What there is, is
//! written to `handicap.json` and `handicap.txt` after every bench.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use analysis::load::Results;
use analysis::metric::value;
use analysis::stats::middle_of;
use anyhow::{Context, ensure};
use clap::Parser;
use common::plan::Metric;
use common::report::Run;

mod table;

use table::{Judged, Level, Table};

const PLAN: &str = "plans/handicap.toml";
/// The variants of that plan.
const PLAIN: &str = "plain";
const HANDICAPPED: &str = "handicapped";
/// Shares of the CPU of a task.
const LEVELS: [f64; 3] = [0.03, 0.05, 0.10];
/// In a directory whose bench has come to its end.
const FINISHED: &str = "finished";
/// Exit codes of a bench that came to its end: complete, and with blocks that stayed void.
const ENDED: [i32; 2] = [0, 4];

/// Compares a variant with itself, made slower on purpose, and counts how often the truth is found
#[derive(Debug, Parser)]
struct Args {
    /// Where everything is written; what is finished there is not run again
    #[arg(long, value_name = "DIR", default_value = "results/handicap")]
    out: PathBuf,
    /// Benches of each level
    #[arg(long, value_name = "N", default_value_t = 20)]
    benches: u32,
    /// Overrides a key of the plan (repeatable); the same in every start
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    // The variant against itself as it is: what a task costs, for the sizes of the handicaps.
    let pilot = Bench { args: &args, name: "pilot".to_owned(), seed: 1, handicap_us: None }.run()?;
    let cpu_us = Reference::of(&[&pilot])?.cpu_us;
    let sized =
        |share: f64| Level { share, handicap_us: (share * cpu_us * 100.0).round() / 100.0, benches: Vec::new() };
    let mut table =
        Table { host: pilot.runs()[0].host.clone(), asked: args.benches, levels: LEVELS.map(sized).to_vec() };
    for turn in 0..args.benches {
        // One bench of each level in turn, so that all levels see the same hours.
        let mut turns = Vec::new();
        for (level, number) in table.levels.iter().zip(0..) {
            let name = format!("{:02.0}-percent-{:02}", level.share * 100.0, turn + 1);
            let seed = 2 + turn * LEVELS.len() as u32 + number;
            turns.push(Bench { args: &args, name, seed, handicap_us: Some(level.handicap_us) }.run()?);
        }
        for (number, level) in table.levels.iter_mut().enumerate() {
            // By the other benches of the turn: of the same hour, and not the one that is judged.
            let others = turns.iter().enumerate().filter(|(other, _)| *other != number).map(|(_, results)| results);
            let reference = Reference::of(&others.collect::<Vec<_>>())?;
            let judged = judge(level.handicap_us, &turns[number], &reference)?;
            eprintln!("{}: {judged}", level.name());
            level.benches.push(judged);
        }
        table.write(&args.out)?;
    }
    print!("{}", table.text());
    Ok(if table.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One bench, in a process and a directory of its own.
struct Bench<'a> {
    args: &'a Args,
    name: String,
    /// Of everything random in it.
    seed: u32,
    handicap_us: Option<f64>,
}

impl Bench<'_> {
    /// Runs it, or what an earlier start has left of it, and reads its runs.
    fn run(&self) -> anyhow::Result<Results> {
        let directory = self.args.out.join(&self.name);
        if !directory.join(FINISHED).exists() {
            self.measure(&directory)?;
        }
        Ok(analysis::load::directory(&directory, analysis::load::Mixed::Refused)?)
    }

    fn measure(&self, directory: &Path) -> anyhow::Result<()> {
        // Examples lie in a directory beside the programs.
        let own = std::env::current_exe()?;
        let loadgen = own.ancestors().nth(2).context("this program lies nowhere")?.join("loadgen");
        let mut command = Command::new(&loadgen);
        command.args(["bench", PLAN, "--no-live", "--seed", &self.seed.to_string(), "--out"]).arg(directory);
        command.args(self.args.set.iter().flat_map(|set| ["--set", set]));
        command.args(self.handicap_us.map(|us| format!("--handicap={HANDICAPPED}={us}")));
        if directory.join("plan.toml").exists() {
            command.arg("--resume");
        }
        eprintln!("{}", self.name);
        // Its answer is in the directory, too.
        command.stdout(Stdio::null());
        let status = command.status().with_context(|| format!("{}: make build", loadgen.display()))?;
        ensure!(
            status.code().is_some_and(|code| ENDED.contains(&code)),
            "{}: {status}; start again to go on",
            self.name
        );
        Ok(analysis::export::replace(&directory.join(FINISHED), b"")?)
    }
}

/// What the extra CPU is measured by.
#[derive(Debug, Clone, Copy)]
struct Reference {
    /// Of a task of the undisturbed variant.
    cpu_us: f64,
    /// By the tasks' own clock: the median of `compute` over its rounds, and the mean. The CPU time of a round lies between the two: the
    /// median leaves out what slows some of them down, which costs CPU; in the mean is also what others took the CPU for.
    us_per_round: [f64; 2],
}

impl Reference {
    /// Medians over the valid runs of the undisturbed variant.
    fn of(benches: &[&Results]) -> anyhow::Result<Reference> {
        let runs = || {
            benches
                .iter()
                .flat_map(|results| results.runs())
                .filter(|run| run.variant.name == PLAIN && run.validity.valid)
        };
        let cpu_us = middle_of(runs().filter_map(|run| value(run, Metric::CpuUsPerTask).number()).collect());
        let of = |which: usize| middle_of(runs().filter_map(us_per_round).map(|both| both[which]).collect());
        let us_per_round = of(0).zip(of(1)).map(|(median, mean)| [median.min(mean), mean.max(median)]);
        cpu_us
            .zip(us_per_round)
            .map(|(cpu_us, us_per_round)| Reference { cpu_us, us_per_round })
            .context("no valid run of the undisturbed variant to measure the handicap by")
    }
}

/// Median and mean.
fn us_per_round(run: &Run) -> Option<[f64; 2]> {
    let rounds = rounds(run, run.plan.settings.task.cpu_us)?;
    let compute = run.latency_us.spans.get("compute")?;
    Some([compute.p50? / rounds, compute.mean? / rounds])
}

/// Rounds of so many microseconds, as tasks count them.
fn rounds(run: &Run, us: f64) -> Option<f64> {
    run.host.compute_rounds_per_us.map(|per_us| (us * per_us).round())
}

fn judge(handicap_us: f64, results: &Results, reference: &Reference) -> anyhow::Result<Judged> {
    let run = &results.runs()[0];
    let cpu_us = run.plan.settings.task.cpu_us;
    let extra_rounds = rounds(run, cpu_us + handicap_us).zip(rounds(run, cpu_us)).map(|(more, plain)| more - plain);
    let extra_rounds = extra_rounds.context("a run does not say how fast its host computes")?;
    let comparison = analysis::comparison(results, None);
    let cell = &comparison.cells[0];
    let contrast = cell.contrasts.iter().find(|contrast| contrast.primary).context("the plan compares nothing")?;
    Ok(Judged {
        blocks: cell.blocks,
        blocks_void: cell.blocks_void,
        reference_cpu_us: reference.cpu_us,
        truth: reference.us_per_round.map(|us| 1.0 + extra_rounds * us / reference.cpu_us),
        truth_by_calibration: 1.0 + handicap_us / reference.cpu_us,
        ratio: contrast.ratio,
        detectable: contrast.detectable,
        verdict: contrast.verdict,
        cause: contrast.cause,
    })
}
