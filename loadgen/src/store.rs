//! Where results go: one directory per bench, every file written beside its place and renamed into it.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use analysis::{export, load};
use anyhow::Context;
use common::plan::Plan;
use common::report::Run;
use serde::Serialize;

use crate::error::Refused;
use crate::run::Measurement;

/// The directory of one bench.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// Creates `out`, or `results/<time>-<name>`.
    ///
    /// # Errors
    /// There are results in it, or the file system refuses.
    pub fn create(out: Option<&Path>, name: &str) -> anyhow::Result<Store> {
        let directory = match out {
            Some(out) => out.to_owned(),
            None => Path::new("results").join(format!("{}-{name}", timestamp())),
        };
        if directory.join("plan.toml").exists() {
            return Err(Refused(format!(
                "--out {} holds results already: choose another directory, or go on with its bench by --resume",
                directory.display()
            ))
            .into());
        }
        fs::create_dir_all(directory.join("runs")).map_err(|error| {
            Refused(format!("--out {}: {error}; name a directory that can be written", directory.display()))
        })?;
        Ok(Store { directory })
    }

    /// The same for runs that somebody will compare or look at: without an `out`, `results/latest` links to it.
    ///
    /// # Errors
    /// As [`Store::create`].
    pub fn create_latest(out: Option<&Path>, name: &str) -> anyhow::Result<Store> {
        let store = Store::create(out, name)?;
        if out.is_none() {
            link_latest(&store.directory).context("results/latest")?;
        }
        Ok(store)
    }

    /// Takes over the directory of an earlier bench of the same plan, and returns what stands in it.
    ///
    /// # Errors
    /// No such bench, one of another plan, or a run that cannot be read: the message names the file.
    pub fn resume(out: Option<&Path>, plan: &Plan) -> anyhow::Result<(Store, Vec<Run>)> {
        let directory =
            out.ok_or_else(|| Refused("--resume needs --out DIR: the directory of the bench".to_owned()))?;
        let pattern = directory.join("runs");
        let files = fs::read_dir(&pattern)
            .map_err(|error| Refused(format!("--resume {}: {error}; nothing to go on with", pattern.display())))?;
        let mut runs = Vec::new();
        for file in files {
            let path = file?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let run = load::run(&path).map_err(|error| Refused(format!("--resume: {error}")))?;
            if run.plan_hash != plan.hash {
                return Err(Refused(format!(
                    "--resume {}: measured under another plan ({}, this one is {}): repeat the --set options of that \
                     bench, or give {} as the plan",
                    path.display(),
                    run.plan_hash,
                    plan.hash,
                    directory.join("plan.toml").display()
                ))
                .into());
            }
            runs.push(run);
        }
        Ok((Store { directory: directory.to_owned() }, runs))
    }

    /// The directory itself.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes `plan.toml`.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write_plan(&self, source: &str) -> anyhow::Result<()> {
        self.write(&self.directory.join("plan.toml"), source.as_bytes())
    }

    /// Writes `runs/<cell>-<block>-<attempt>-<variant>.json`, its path is returned, and the interval log `.hlog` beside it.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write_run(&self, Measurement { report: run, intervals, .. }: &Measurement) -> anyhow::Result<PathBuf> {
        let name = format!("c{:03}-b{:03}-a{}-{}.json", run.cell.index, run.block, run.attempt, run.variant.name);
        let path = self.directory.join("runs").join(name);
        let mut json = serde_json::to_vec_pretty(run)?;
        json.push(b'\n');
        // First, so that a run that is there is there with its log.
        self.write(&path.with_extension("hlog"), intervals)?;
        self.write(&path, &json)?;
        Ok(path)
    }

    /// Writes a report of another kind than runs, such as `calibration.json`, and returns its path.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write_report(&self, name: &str, report: &impl Serialize) -> anyhow::Result<PathBuf> {
        let path = self.directory.join(name);
        let mut json = serde_json::to_vec_pretty(report)?;
        json.push(b'\n');
        self.write(&path, &json)?;
        Ok(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        export::replace(path, bytes).with_context(|| path.display().to_string())
    }
}

/// `20261123T222809`, UTC.
fn timestamp() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S").to_string()
}

fn link_latest(directory: &Path) -> io::Result<()> {
    let target = directory.file_name().unwrap_or_default();
    let beside = Path::new("results/.latest.part");
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(target, beside)?;
    fs::rename(beside, "results/latest")
}
