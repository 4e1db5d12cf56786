//! The file of a host's A/A results: beside what `loadgen calibrate` keeps, and copied into the directory of every bench, so
//! that a verdict can be had again from its directory alone.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use common::report::SCHEMA_VERSION;
use common::report::aa::{AaBench, AaKind, AaStore};

use crate::cache;
use crate::export::replace;
use crate::format::excerpt;
use crate::load::{LoadError, Results, file};

/// Characters of a fingerprint, and of what stands in its place, that a message quotes.
const FINGERPRINT_MAX: usize = 16;
/// Its name in the directory of a bench.
pub const NAME: &str = "aa.json";
/// How its name ends among the files about hosts.
const SUFFIX: &str = "-aa.json";
/// So many benches are kept, the newest: what an instrument did long ago says little of what it does now.
const BENCHES_MAX: usize = 100;

/// The file about the host with this fingerprint.
#[must_use]
pub fn path(cache: &Path, fingerprint: &str) -> PathBuf {
    cache::host_file(cache, fingerprint, SUFFIX)
}

/// The files about all hosts, by name: those of this kind of build.
///
/// # Errors
/// The directory cannot be read.
pub fn paths(cache: &Path) -> io::Result<Vec<PathBuf>> {
    let ending = path(cache, "");
    let ending = ending.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let entries = match fs::read_dir(cache::hosts(cache)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    let is_one = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&ending));
    paths.retain(|path| is_one(path));
    paths.sort();
    Ok(paths)
}

/// Reads a file.
///
/// # Errors
/// It is missing, is none of A/A results, or is of another version.
pub fn read(path: &Path) -> Result<AaStore, LoadError> {
    file::report(path, "aa")
}

/// As [`read`]; `None` when there is no such file.
///
/// # Errors
/// As [`read`].
pub fn read_if_there(path: &Path) -> Result<Option<AaStore>, LoadError> {
    match read(path) {
        Err(LoadError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// What was known when the runs in `dir` were made; nothing of runs of several hosts.
///
/// # Errors
/// The file cannot be read, or is about another host.
pub fn beside(dir: &Path, results: &Results) -> Result<Option<AaStore>, LoadError> {
    let path = dir.join(NAME);
    let Some(store) = read_if_there(&path)?.filter(|_| results.forced().is_empty()) else { return Ok(None) };
    let host = &results.runs()[0].host.fingerprint;
    if store.host != *host {
        let reason = format!(
            "A/A results of host {}, but the runs beside it were made on {host}; move the file away",
            excerpt(&store.host, FINGERPRINT_MAX)
        );
        return Err(LoadError::Mixed { path, reason });
    }
    Ok(Some(store))
}

/// Writes a file, whole or not at all.
///
/// # Errors
/// The file system refuses.
pub fn write(path: &Path, store: &AaStore) -> io::Result<()> {
    let mut json = serde_json::to_vec(store)?;
    json.push(b'\n');
    replace(path, &json)
}

/// Adds `benches` to what is kept of `host` in the file at `path`; those that are there already take the place of themselves.
/// A file that cannot be read or is of another version is set aside, under a name that says so and is returned.
///
/// # Errors
/// The file system refuses.
pub fn keep(path: &Path, host: &str, benches: Vec<AaBench>) -> io::Result<Option<PathBuf>> {
    let (known, aside) = match read_if_there(path) {
        Ok(known) => (known.filter(|known| known.host == host), None),
        Err(LoadError::Io { error, .. }) => return Err(error),
        Err(LoadError::SchemaVersion { found, .. }) if found.parse::<u32>().is_ok() => {
            (None, Some(format!("version-{found}")))
        }
        Err(_) => (None, Some("unreadable".to_owned())),
    };
    let aside = aside.map(|why| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{why}"));
        path.with_file_name(name)
    });
    if let Some(aside) = &aside {
        fs::rename(path, aside)?;
    }
    let mut kept = known.map(|known| known.benches).unwrap_or_default();
    let same =
        |a: &AaBench, b: &AaBench| (&a.plan_hash, a.cell, &a.started_at) == (&b.plan_hash, b.cell, &b.started_at);
    kept.retain(|old| !benches.iter().any(|new| same(old, new)));
    kept.extend(benches);
    kept.drain(..kept.len().saturating_sub(BENCHES_MAX));
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    write(path, &AaStore { kind: AaKind::Aa, schema_version: SCHEMA_VERSION, host: host.to_owned(), benches: kept })?;
    Ok(aside)
}
