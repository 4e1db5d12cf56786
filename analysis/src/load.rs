//! Reads a results directory: `plan.toml` and `runs/*.json`. What comes out belongs together: one plan, one host,
//! one server, no run twice.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use common::plan::Plan;
use common::report::Run;

use crate::format::counted;

pub(crate) mod alike;
mod error;
pub(crate) mod file;

pub use error::LoadError;
pub use file::BYTES_MAX;

/// What to do with runs that do not belong together: of other hosts, servers, or ways to share the CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mixed {
    /// Refuse them.
    Refused,
    /// Take them, and say so (`--force`). Runs of another plan are refused all the same.
    Forced,
}

/// A plan and the runs made from it: at least one, all from one host and one server unless that was forced.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    plan: Plan,
    runs: Vec<Run>,
    forced: Vec<String>,
}

impl Results {
    /// Checks that `runs`, each with the file it came from, belong to `plan` and to each other.
    ///
    /// # Errors
    /// [`LoadError::NoRuns`] without runs, [`LoadError::Mixed`] for the first run that does not fit.
    pub fn new(plan: Plan, runs: Vec<(PathBuf, Run)>, mixed: Mixed) -> Result<Results, LoadError> {
        let Some(first) = runs.first() else {
            return Err(LoadError::NoRuns { path: PathBuf::from("runs") });
        };
        let mut seen: HashMap<(u32, u32, u32, &str), &Path> = HashMap::new();
        let mut arrivals: HashMap<(u32, u32, u32), (&str, &Path)> = HashMap::new();
        let mut forced: Vec<String> = Vec::new();
        for (path, run) in &runs {
            let refuse = |reason: String| LoadError::Mixed { path: path.clone(), reason };
            misfit(&plan, run).map_or(Ok(()), |reason| Err(refuse(reason)))?;
            // Dynos of another size are elsewhere, and so is everybody else.
            let same_dynos = |(_, other): &&(PathBuf, Run)| other.plan.settings.dyno == run.plan.settings.dyno;
            let like = runs.iter().find(same_dynos).unwrap_or(first);
            for difference in alike::differences(run, &first.1, &like.1) {
                let other = if difference.of_dynos { &like.0 } else { &first.0 };
                match mixed {
                    Mixed::Refused => return Err(refuse(difference.refusal(&other.display().to_string()))),
                    Mixed::Forced if forced.contains(&difference.admission()) => {}
                    Mixed::Forced => forced.push(difference.admission()),
                }
            }
            let attempt = (run.cell.index, run.block, run.attempt);
            if let Some(other) = seen.insert((attempt.0, attempt.1, attempt.2, &run.variant.name), path) {
                return Err(refuse(format!("the same run of {:?} as {}", run.variant.name, other.display())));
            }
            let (hash, other) = *arrivals.entry(attempt).or_insert((&run.arrivals_hash, path));
            if hash != run.arrivals_hash {
                return Err(refuse(format!(
                    "arrivals {}, but {} of the same block had {hash}; a block has one set of arrivals",
                    run.arrivals_hash,
                    other.display()
                )));
            }
        }
        let mut runs: Vec<Run> = runs.into_iter().map(|(_, run)| run).collect();
        runs.sort_by_key(|run| (run.cell.index, run.block, run.attempt, run.position));
        Ok(Results { plan, runs, forced })
    }

    /// The plan that all runs were made from.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// By cell, block, attempt and position; at least one.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// What was let through although it does not belong together: each a sentence.
    #[must_use]
    pub fn forced(&self) -> &[String] {
        &self.forced
    }
}

/// Why `run` is none of `plan`.
fn misfit(plan: &Plan, run: &Run) -> Option<String> {
    if run.plan_hash != plan.hash {
        return Some(format!(
            "plan_hash {}, but plan.toml beside runs/ has {}; results of different plans are not compared",
            run.plan_hash, plan.hash
        ));
    }
    if plan.cells.iter().all(|cell| cell.index != run.cell.index) {
        return Some(match plan.cells.last().map_or(0, |last| last.index as usize + 1) {
            all if all == plan.cells.len() => {
                format!("cell {}, but the plan has {}, counted from 0", run.cell.index, counted(all as u64, "cell"))
            }
            _ => format!("cell {}, which is none of those that the plan keeps", run.cell.index),
        });
    }
    if run.block >= plan.repeat.blocks_max() {
        return Some(format!(
            "block {}, but the plan has {}, counted from 0",
            run.block,
            counted(plan.repeat.blocks_max().into(), "block")
        ));
    }
    if !plan.variants.contains(&run.variant) {
        let names: Vec<&str> = plan.variants.iter().map(|variant| variant.name.as_str()).collect();
        return Some(format!(
            "variant {:?} is none of the plan's as they are written there ({})",
            run.variant.name,
            names.join(", ")
        ));
    }
    None
}

/// What lies in directories that hold no bench, and what is said of them.
const OTHERS: [(&str, &str); 2] = [
    ("scouting/plan.toml", "a sweep is two benches: name its scouting/ or crossovers/"),
    ("search.json", "a search keeps no runs: search.json is all that it found"),
];

/// Reads `DIR/plan.toml` and all of `DIR/runs/*.json`.
///
/// # Errors
/// The first file that cannot be read or does not belong to the others.
pub fn directory(dir: &Path, mixed: Mixed) -> Result<Results, LoadError> {
    let plan_path = dir.join("plan.toml");
    for (file, what) in OTHERS {
        if !plan_path.exists() && dir.join(file).exists() {
            return Err(LoadError::NotABench { path: dir.to_owned(), what });
        }
    }
    let not_results = |path: &Path, error| LoadError::NotResults { path: path.to_owned(), error };
    let text = std::fs::read_to_string(&plan_path).map_err(|error| not_results(&plan_path, error))?;
    let plan = Plan::parse(&text, &[]).map_err(|error| LoadError::Plan { path: plan_path, error })?;
    let runs_path = dir.join("runs");
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&runs_path).map_err(|error| not_results(&runs_path, error))? {
        let path = entry.map_err(|error| LoadError::Io { path: runs_path.clone(), error })?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(LoadError::NoRuns { path: runs_path });
    }
    paths.sort();
    // Whoever opens a pipe that nobody writes to waits for ever.
    if let Some(other) = paths.iter().find(|path| path.metadata().is_ok_and(|metadata| !metadata.is_file())) {
        return Err(LoadError::NotAFile { path: other.clone() });
    }
    let runs = paths.into_iter().map(|path| run(&path).map(|run| (path, run))).collect::<Result<_, _>>()?;
    Results::new(plan, runs, mixed)
}

/// Reads one run.
///
/// # Errors
/// A file that is missing, has more than [`BYTES_MAX`], is no JSON, is of another kind or of another schema version.
pub fn run(path: &Path) -> Result<Run, LoadError> {
    file::report(path, "run")
}

/// The run in `text`; `path` is for messages.
///
/// # Errors
/// As [`run`], but for the file system.
pub fn run_of(path: &Path, text: &str) -> Result<Run, LoadError> {
    file::parse(path, text, "run")
}
