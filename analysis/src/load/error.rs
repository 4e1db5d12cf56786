//! Why results were refused, in one sentence each.

use std::path::PathBuf;

use common::plan::PlanError;
use common::report::SCHEMA_VERSION;

/// Why results were refused. The message is complete: file, what is wrong, and what would do.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file system said no.
    #[error("{path}: {error}; give the file of a report, such as results/latest/runs/NAME.json", path = path.display())]
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
    /// Results, and not of a bench.
    #[error("{path}: {what}", path = path.display())]
    NotABench {
        /// The directory.
        path: PathBuf,
        /// What it is, and what would do.
        what: &'static str,
    },
    /// Something of the name of a run that is none of the files that a bench writes.
    #[error("{path}: not a file; runs are the files runs/*.json of a results directory", path = path.display())]
    NotAFile {
        /// What was looked at.
        path: PathBuf,
    },
    /// The stored plan does not parse.
    #[error("{path}: {error}", path = path.display())]
    Plan {
        /// The plan file.
        path: PathBuf,
        /// What is wrong with it.
        error: PlanError,
    },
    /// More than any report holds.
    #[error(
        "{path}: {size}, and a report has at most {limit} bytes: is it one of Headroom's?",
        path = path.display(), size = bytes.map_or_else(|| "too long".to_owned(), |bytes| format!("{bytes} bytes"))
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size; `None` for what has none before it was read, such as a pipe.
        bytes: Option<u64>,
        /// What is read at most.
        limit: u64,
    },
    /// Not the text that JSON is.
    #[error("{path}: {reason}; reports are JSON in UTF-8", path = path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// Not JSON, or without a field that every such report has.
    #[error("{path}: not a {kind} that can be read: {error}; runs are the files runs/*.json of a results directory", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What was wanted: `run`, `comparison`, ...
        kind: &'static str,
        /// What the parser said, with line and column.
        error: serde_json::Error,
    },
    /// JSON, but another kind of report, or none.
    #[error("{path}: \"kind\" is {found}, expected {expected}", path = path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What stands there, as JSON.
        found: String,
        /// What would do, as JSON.
        expected: String,
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
    /// No host has had an A/A bench.
    #[error("{path}: no A/A results of any host; `make aa` makes some, in half an hour", path = path.display())]
    NoAa {
        /// Where they would be.
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
