//! Exporters: results -> bytes, one file a format. This file is the one place that writes.

use std::io::Write;
use std::path::{Path, PathBuf};

use common::report::comparison::Comparison;

use crate::load::Results;

pub mod csv;
pub mod html;
pub mod json;
pub mod markdown;

/// Why results could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file system said no.
    #[error("{path}: cannot be written: {error}", path = path.display())]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A value has no JSON.
    #[error("comparison.json: {0}")]
    Json(serde_json::Error),
    /// A template asks for what is not there.
    #[error("report.html: {}", causes(.0))]
    Html(minijinja::Error),
    /// The runs have no CSV.
    #[error("runs.csv: {0}")]
    Csv(::csv::Error),
}

/// An error and what it came from: which template, and what it asked for.
fn causes(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", causes(source)))
}

/// Writes `comparison.json`, `comparison.md`, `runs.csv` and `report.html` into `dir`, each whole or not at all; returns where
/// they are, what people open last.
///
/// # Errors
/// The directory is missing or cannot be written to.
pub fn write(dir: &Path, results: &Results, comparison: &Comparison) -> Result<Vec<PathBuf>, WriteError> {
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        match replace(&path, bytes) {
            Ok(()) => Ok(path),
            Err(error) => Err(WriteError::Io { path, error }),
        }
    };
    let json = json::bytes(comparison).map_err(WriteError::Json)?;
    Ok(vec![
        write("comparison.md", &markdown::bytes(comparison))?,
        write("comparison.json", &json)?,
        write("runs.csv", &csv::bytes(results.runs()).map_err(WriteError::Csv)?)?,
        write("report.html", &html::bytes(comparison, &json).map_err(WriteError::Html)?)?,
    ])
}

/// Writes beside `path`, then renames: a reader sees the old file or the new one, never a part.
///
/// # Errors
/// The file system refuses; what was there stays.
pub fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    std::fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path))
        .inspect_err(|_| {
            // Nothing more can be done about a leftover than to try.
            let _ = std::fs::remove_file(&temporary);
        })
}
