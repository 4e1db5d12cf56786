//! The command line of `analysis`.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use analysis::load::LoadError;
use analysis::{compare, load, show, tables, write};
use clap::{Parser, Subcommand};

/// Compares the runs of a bench, and shows single runs.
#[derive(Debug, Parser)]
#[command(
    name = "analysis",
    version,
    after_help = "Exit codes: 0 done (whatever the verdicts are), 1 internal error, 2 usage, or results that cannot be read or compared."
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare the variants of a bench: prints the tables, writes comparison.json, comparison.md and report.html into DIR.
    ///
    /// Every variant is compared with the plan's baseline, block by block: ratio (Hodges-Lehmann), exact signed-rank
    /// interval and p, and a word: better, worse, same or unknown, with the reason. All runs must be of one plan,
    /// one host and one server.
    Compare {
        /// A results directory, such as results/latest: plan.toml and runs/*.json.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
    /// Show runs: constants, messaging, workers, latencies, resources, validity and verdict of each.
    Show {
        /// Files of runs, such as results/latest/runs/NAME.json.
        #[arg(value_name = "RUN.json", required = true)]
        runs: Vec<PathBuf>,
    },
}

/// Parses the arguments and does what they say; on bad usage clap prints it and exits with 2.
pub(crate) fn run() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Compare { dir } => {
            let comparison = compare(&dir)?;
            let written = write(&dir, &comparison)?;
            print(&format!("{}{}", tables::terminal(&comparison), tables::written(&written)))
        }
        Command::Show { runs } => {
            for (number, path) in runs.iter().enumerate() {
                let between = if number > 0 { "\n" } else { "" };
                print(&format!("{between}{}", show::text(&load::run(path)?)))?;
            }
            Ok(())
        }
    }
}

/// A reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// 2 for results that were refused, 1 for everything else.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(if error.is::<LoadError>() { 2 } else { 1 })
}
