//! The command line of `analysis`.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use analysis::aa::store;
use analysis::aa::summary::Summary;
use analysis::diff::{self, Incomparable};
use analysis::load::{LoadError, Mixed};
use analysis::validate::Schemas;
use analysis::{aa, cache, compare, escape, export, load, show, size, tables, write};
use clap::error::ErrorKind as UsageError;
use clap::{CommandFactory, Parser, Subcommand};
use common::report::size::SizeDemand;

/// Compares the runs of a bench or of two, shows single runs, and checks reports.
#[derive(Debug, Parser)]
#[command(
    name = "analysis",
    version,
    after_help = "Exit codes: 0 done (whatever the verdicts are), 1 internal error, 2 usage, results that cannot be read or compared, or a report with violations (validate), 4 a defect of the instrument (aa), 6 regression (diff)."
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare the variants of a bench: prints the tables, writes comparison.json, comparison.md, report.html and
    /// runs.csv into DIR.
    ///
    /// Every variant is compared with the plan's baseline, block by block: ratio (Hodges-Lehmann), exact signed-rank
    /// interval and p, and a word: better, worse, same or unknown, with the reason. All runs must be of one plan,
    /// one host and one server.
    Compare {
        /// A results directory, such as results/latest: plan.toml and runs/*.json.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Compare runs of different hosts, servers or scheduling nevertheless; everything that comes of it is marked.
        #[arg(long)]
        force: bool,
    },
    /// Show runs: constants, messaging, workers, latencies, resources, validity and verdict of each.
    Show {
        /// Files of runs, such as results/latest/runs/NAME.json.
        #[arg(value_name = "RUN.json", required = true)]
        runs: Vec<PathBuf>,
    },
    /// Compare a bench with an earlier one of the same plan: before and after a change of the workers.
    ///
    /// Every variant's new runs against its old ones, metric by metric: ratio NEW / OLD (Hodges-Lehmann), exact rank-sum
    /// interval and p, and a word: better, worse, same or unknown. The runs were not made side by side: what changed on the
    /// host between the two benches is in the ratios. Exits with 6 when the primary metric of any variant is worse, or it keeps
    /// up less often.
    Diff {
        /// The results directory of the bench before.
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The one after.
        #[arg(value_name = "NEW")]
        new: PathBuf,
        /// Print JSON instead of tables.
        #[arg(long)]
        json: bool,
        /// Compare other plans, hosts or servers, and benches with invalid blocks nevertheless; what comes of it is marked.
        #[arg(long)]
        force: bool,
    },
    /// Check reports: by the JSON Schema of their kind, then whether their figures add up.
    ///
    /// Prints each violation with the JSON pointer of where it is, and exits with 2 if there is any. Reports are told apart by
    /// their "kind": run, comparison, calibration, warmup, search, aa, diff or size.
    Validate {
        /// Reports, such as results/latest/comparison.json and results/latest/runs/*.json.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// How many dynos a load takes, and what they cost: from what a bench measured, and queueing theory.
    ///
    /// For every variant and number of workers: the tasks a second of one dyno with always something to do, the dynos that sustain
    /// the rate, those that drain a burst in time, and what has to be true for that. Where the plan scaled the payments of its
    /// orders, rates and times are those of the original.
    Size {
        /// A results directory, such as results/latest.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// Tasks a second.
        #[arg(long, value_name = "PER_S", value_parser = positive, allow_negative_numbers = true)]
        target_rate: f64,
        /// How long after the end of a burst its last task may be done, such as 5m.
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        drain_within: Option<f64>,
        /// How long the burst lasts, at the target rate [default: as in the plan, where its arrivals are a burst]
        #[arg(long, value_name = "TIME", value_parser = seconds, requires = "drain_within")]
        burst_for: Option<f64>,
        /// Of one dyno, in any currency.
        #[arg(long, value_name = "PRICE", value_parser = positive, allow_negative_numbers = true)]
        price_per_dyno_month: Option<f64>,
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// What benches of a variant against itself (`make aa`, `loadgen bench --aa`) say of this host as an instrument.
    ///
    /// Per metric: false alarms with the Clopper-Pearson interval of their rate, the ratio that should be 1, how far a block
    /// scatters, and what benches of 10 and of 30 blocks can detect.
    Aa {
        /// A/A results, such as results/latest/aa.json [default: those of all hosts in the user's cache]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// As JSON, one line per host
        #[arg(long)]
        json: bool,
    },
}

/// Usage, and what is refused.
const REFUSED: u8 = 2;
const REGRESSION: u8 = 6;
/// The instrument has a defect.
const INVALID: u8 = 4;

/// Parses the arguments and does what they say; on bad usage clap prints it and exits with 2.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    match Args::parse().command {
        Command::Compare { dir, force } => {
            let (results, comparison) = compare(&dir, mixed(force))?;
            let written = write(&dir, &results, &comparison)?;
            print(&format!("{}{}", tables::terminal(&comparison), tables::written(&written)))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Show { runs } => {
            for (number, path) in runs.iter().enumerate() {
                let between = if number > 0 { "\n" } else { "" };
                print(&format!("{between}{}", show::text(&load::run(path)?)))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Diff { old, new, json, force } => {
            let mixed = mixed(force);
            let diff = diff::diff(&load::directory(&old, mixed)?, &load::directory(&new, mixed)?, mixed)?;
            if json {
                print(&escape::json(&String::from_utf8(export::json::bytes(&diff)?)?))?;
            } else {
                print(&diff::terminal(&diff))?;
            }
            Ok(if diff.regression { ExitCode::from(REGRESSION) } else { ExitCode::SUCCESS })
        }
        Command::Validate { files } => validate_all(&files),
        Command::Size { dir, target_rate, drain_within, burst_for, price_per_dyno_month, json } => {
            let results = load::directory(&dir, Mixed::Refused)?;
            let burst_s = burst_for.or_else(|| size::burst_s(results.plan())).filter(|_| drain_within.is_some());
            if drain_within.is_some() && burst_s.is_none() {
                let message = "--drain-within: the plan's arrivals are no burst; --burst-for says how long it lasts";
                Args::command().error(UsageError::MissingRequiredArgument, message).exit();
            }
            let demand = SizeDemand {
                rate_per_s: target_rate,
                burst_s,
                drain_within_s: drain_within,
                price_per_month: price_per_dyno_month,
                utilisation_max: size::UTILISATION_MAX,
            };
            let sized = size::size(&results, demand);
            if json {
                print(&escape::json(&String::from_utf8(export::json::bytes(&sized)?)?))?;
            } else {
                print(&size::text(&sized))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Aa { file, json } => show_aa(file, json),
    }
}

/// A number above 0.
fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "a number above 0 would do".to_owned())
}

/// A time: a number with s, m or h, or of seconds.
fn seconds(text: &str) -> Result<f64, String> {
    let (number, unit_s) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) if text.ends_with('m') => (number, 60.0),
        Some(number) if text.ends_with('h') => (number, 3600.0),
        Some(number) => (number, 1.0),
        None => (text, 1.0),
    };
    positive(number).map(|number| number * unit_s).map_err(|_| format!("{text:?}: a time, such as 90s, 5m or 1h"))
}

fn mixed(force: bool) -> Mixed {
    if force { Mixed::Forced } else { Mixed::Refused }
}

/// Every file is looked at, whatever is wrong with those before it.
fn validate_all(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut valid = true;
    let schemas = Schemas::default();
    for path in files {
        let name = path.display();
        let lines = match schemas.check_file(path) {
            Ok(report) if report.violations.is_empty() => vec![format!("{name}: a valid {}", report.kind)],
            Ok(report) => {
                valid = false;
                let told = report.violations.iter().map(|one| format!("{name}: {}: {}", one.pointer, one.message));
                let rest = (report.untold > 0).then(|| format!("{name}: and {} more violations", report.untold));
                told.chain(rest).collect()
            }
            Err(error) => {
                valid = false;
                vec![error.to_string()]
            }
        };
        print(&lines.iter().map(|line| format!("{}\n", escape::line(line))).collect::<String>())?;
    }
    Ok(if valid { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

fn show_aa(file: Option<PathBuf>, json: bool) -> anyhow::Result<ExitCode> {
    let files = match file {
        Some(file) => vec![file],
        None => {
            let cache = cache::directory(|name| std::env::var_os(name)).unwrap_or_default();
            let files = store::paths(&cache)?;
            if files.is_empty() {
                return Err(LoadError::NoAa { path: cache::hosts(&cache) }.into());
            }
            files
        }
    };
    let mut defect = false;
    for (number, path) in files.iter().enumerate() {
        let summary = Summary::new(&store::read(path)?);
        defect |= summary.has_defect();
        let between = if number > 0 && !json { "\n" } else { "" };
        let text = if json { format!("{}\n", serde_json::to_string(&summary)?) } else { aa::text(&summary) };
        print(&format!("{between}{text}"))?;
    }
    Ok(if defect { ExitCode::from(INVALID) } else { ExitCode::SUCCESS })
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
    ExitCode::from(if error.is::<LoadError>() || error.is::<Incomparable>() { REFUSED } else { 1 })
}
