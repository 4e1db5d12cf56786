//! Where Headroom keeps what it knows of hosts: below the user's cache directory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// `$XDG_CACHE_HOME/headroom`, else `$HOME/.cache/headroom`; `variable` looks a variable of the environment up. `None` when
/// neither is set to an absolute path: the XDG specification says to ignore others.
pub fn directory(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let directory = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = directory("XDG_CACHE_HOME").or_else(|| directory("HOME").map(|home| home.join(".cache")));
    cache.map(|cache| cache.join("headroom"))
}

/// The file about a host, its name ending in `suffix`. A program that is not optimised is another instrument: what a debug
/// build finds is kept apart.
#[must_use]
pub fn host_file(cache: &Path, fingerprint: &str, suffix: &str) -> PathBuf {
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    hosts(cache).join(format!("{fingerprint}-{build}{suffix}"))
}

/// The directory of all hosts.
#[must_use]
pub fn hosts(cache: &Path) -> PathBuf {
    cache.join("hosts")
}
