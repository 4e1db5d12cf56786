//! Reads a results directory: `plan.toml` and `runs/*.json`. What comes out belongs together: one plan, one host,
//! one server, no run twice.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use common::plan::{Plan, PlanError};
use common::report::{Run, SCHEMA_VERSION};
use serde::Deserialize;

use crate::format::counted;

/// Why results were refused. The message is complete: file, what is wrong, and what would do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file system said no.
    #[error("{path}: {error}; give the file of a run, such as results/latest/runs/NAME.json", path = path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The directory lacks a part of what a bench leaves behind.
    #[error("{path}: {error}; a results directory holds plan.toml and runs/*.json", path = path.display())]
    NotResults {
        /// What was looked for.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The stored plan does not parse.
    #[error("{path}: {error}", path = path.display())]
    Plan {
        /// The plan file.
        path: PathBuf,
        /// What is wrong with it.
        error: PlanError,
    },
    /// Not JSON, or without a field that every run has.
    #[error(
        "{path}: not a run that can be read: {error}; runs are the files runs/*.json of a results directory",
        path = path.display()
    )]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        error: serde_json::Error,
    },
    /// JSON, but not a run.
    #[error("{path}: \"kind\" is {found}, expected \"run\"", path = path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What stands there, as JSON.
        found: String,
    },
    /// Written by another version of Headroom.
    #[error(
        "{path}: \"schema_version\" is {found}, this analysis reads {SCHEMA_VERSION}; use the version of Headroom that wrote it",
        path = path.display()
    )]
    SchemaVersion {
        /// The file.
        path: PathBuf,
        /// What stands there, as JSON.
        found: String,
    },
    /// There is nothing to compare.
    #[error("{path}: no run (*.json) in it; `loadgen bench` writes one after every run", path = path.display())]
    NoRuns {
        /// The directory of the runs.
        path: PathBuf,
    },
    /// A run does not belong to the others.
    #[error("{path}: {reason}", path = path.display())]
    Mixed {
        /// The file that does not fit.
        path: PathBuf,
        /// What differs from what.
        reason: String,
    },
}

/// A plan and the runs made from it: at least one, all from one host and one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    plan: Plan,
    runs: Vec<Run>,
}

impl Results {
    /// Checks that `runs`, each with the file it came from, belong to `plan` and to each other.
    ///
    /// # Errors
    /// [`LoadError::NoRuns`] without runs, [`LoadError::Mixed`] for the first run that does not fit.
    pub fn new(plan: Plan, runs: Vec<(PathBuf, Run)>) -> Result<Results, LoadError> {
        let Some((first_path, first)) = runs.first() else {
            return Err(LoadError::NoRuns { path: PathBuf::from("runs") });
        };
        let mut seen: HashMap<(u32, u32, u32, &str), &Path> = HashMap::new();
        let mut arrivals: HashMap<(u32, u32, u32), (&str, &Path)> = HashMap::new();
        for (path, run) in &runs {
            let refuse = |reason: String| LoadError::Mixed { path: path.clone(), reason };
            misfit(&plan, run).map_or(Ok(()), |reason| Err(refuse(reason)))?;
            if run.host.fingerprint != first.host.fingerprint {
                return Err(refuse(format!(
                    "host {} ({}), but {} was made on {} ({}); results of different hosts are not compared",
                    run.host.fingerprint,
                    run.host.cpu_model,
                    first_path.display(),
                    first.host.fingerprint,
                    first.host.cpu_model
                )));
            }
            let server = |run: &Run| format!("{} {}", run.redis_server.product, run.redis_server.version);
            if server(run) != server(first) {
                return Err(refuse(format!(
                    "server {}, but {} used {}; results of different servers are not compared",
                    server(run),
                    first_path.display(),
                    server(first)
                )));
            }
            // Dynos of another size are elsewhere, and so is everybody else.
            let alike = |(_, other): &&(PathBuf, Run)| other.plan.settings.dyno == run.plan.settings.dyno;
            let (like_path, like) = runs.iter().find(alike).unwrap_or(&runs[0]);
            if run.host.scheduling != like.host.scheduling {
                return Err(refuse(format!(
                    "scheduling {:?}, but {} had {:?}; where processes run and how they share CPUs is part of the cost",
                    run.host.scheduling,
                    like_path.display(),
                    like.host.scheduling
                )));
            }
            let label = |run: &Run| run.dyno.as_ref().map_or_else(String::new, |dyno| dyno.label.clone());
            if label(run) != label(like) {
                return Err(refuse(format!(
                    "dynos {:?}, but {} had {:?}; what dynos have is part of the cost",
                    label(run),
                    like_path.display(),
                    label(like)
                )));
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
        Ok(Results { plan, runs })
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
}

/// Why `run` is none of `plan`.
fn misfit(plan: &Plan, run: &Run) -> Option<String> {
    if run.plan_hash != plan.hash {
        return Some(format!(
            "plan_hash {}, but plan.toml beside runs/ has {}; results of different plans are not compared",
            run.plan_hash, plan.hash
        ));
    }
    if run.cell.index as usize >= plan.cells.len() {
        return Some(format!(
            "cell {}, but the plan has {}, counted from 0",
            run.cell.index,
            counted(plan.cells.len() as u64, "cell")
        ));
    }
    if run.block >= plan.repeat.blocks {
        return Some(format!(
            "block {}, but the plan has {}, counted from 0",
            run.block,
            counted(plan.repeat.blocks.into(), "block")
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

/// Reads `DIR/plan.toml` and all of `DIR/runs/*.json`.
///
/// # Errors
/// The first file that cannot be read or does not belong to the others.
pub fn directory(dir: &Path) -> Result<Results, LoadError> {
    let plan_path = dir.join("plan.toml");
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
    let runs = paths.into_iter().map(|path| run(&path).map(|run| (path, run))).collect::<Result<_, _>>()?;
    Results::new(plan, runs)
}

/// Reads one run.
///
/// # Errors
/// A file that is missing, is no JSON, is of another kind or of another schema version.
pub fn run(path: &Path) -> Result<Run, LoadError> {
    /// What every report starts with; read first, so that the message is about the version and not about a field.
    #[derive(Deserialize)]
    struct Head {
        #[serde(default)]
        kind: serde_json::Value,
        #[serde(default)]
        schema_version: serde_json::Value,
    }
    let text = std::fs::read_to_string(path).map_err(|error| LoadError::Io { path: path.to_owned(), error })?;
    let json = |error| LoadError::Json { path: path.to_owned(), error };
    let head: Head = serde_json::from_str(&text).map_err(json)?;
    if head.kind != "run" {
        return Err(LoadError::Kind { path: path.to_owned(), found: head.kind.to_string() });
    }
    if head.schema_version != SCHEMA_VERSION {
        return Err(LoadError::SchemaVersion { path: path.to_owned(), found: head.schema_version.to_string() });
    }
    serde_json::from_str(&text).map_err(json)
}
