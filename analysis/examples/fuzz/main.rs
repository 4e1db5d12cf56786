//! Changes the reports of a bench at random and does everything with them that `analysis` does, until it panics or the time is
//! over. A function of the bench and the seed: what it finds, it finds again.
//!
//! `cargo run -p analysis --example fuzz -- results/latest --seconds 600`

#![expect(clippy::expect_used, reason = "it is made to panic")]

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use analysis::validate::Schemas;
use anyhow::Context;
use clap::Parser;
use common::plan::Plan;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use drive::{Bench, Fate, changed, drive};

mod drive;
mod mutate;

/// Runs that are read: more cost time and show nothing more.
const RUNS_MAX: usize = 24;

/// Does to reports what others' files may do.
#[derive(Debug, Parser)]
struct Args {
    /// A results directory whose plan and runs are where it begins.
    dir: PathBuf,
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Of the first attempt; the next has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let bench = read(&args.dir)?;
    let schemas = Schemas::default();
    let begun = Instant::now();
    let mut seed = args.seed;
    let mut fates = [0u64; 3];
    while begun.elapsed() < Duration::from_secs(args.seconds) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let texts = changed(&mut rng, &bench);
        let fate = std::panic::catch_unwind(AssertUnwindSafe(|| drive(&bench, &schemas, &texts)));
        let Ok(fate) = fate else {
            eprintln!(
                "seed {seed}; again: cargo run -p analysis --example fuzz -- {} --seed {seed} --seconds 1",
                args.dir.display()
            );
            std::process::exit(1);
        };
        fates[match fate {
            Fate::Refused => 0,
            Fate::Mixed => 1,
            Fate::Compared => 2,
        }] += 1;
        seed += 1;
    }
    let [refused, mixed, compared] = fates;
    println!(
        "{} attempts, seeds {} to {}: a report refused in {refused}, all refused together in {mixed}, compared in {compared}",
        seed - args.seed,
        args.seed,
        seed - 1
    );
    Ok(())
}

fn read(dir: &Path) -> anyhow::Result<Bench> {
    let text = |path: &Path| std::fs::read_to_string(path).with_context(|| path.display().to_string());
    let plan = Plan::parse(&text(&dir.join("plan.toml"))?, &[])?;
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(dir.join("runs"))?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.truncate(RUNS_MAX);
    let runs = paths.iter().map(|path| Ok(serde_json::from_str(&text(path)?)?)).collect::<anyhow::Result<_>>()?;
    Ok(Bench { plan, runs })
}
