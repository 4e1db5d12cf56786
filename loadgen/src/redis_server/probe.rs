//! Does this file run, and is it a server that is new enough? Asked of every binary before it is used.

use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use super::version::Version;
use crate::child::{self, Seat};

/// `--version` answers in milliseconds; a program that is not a server may wait for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a binary cannot be used; each text is the end of a sentence that begins with its path and "which".
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// There is nothing at this path.
    #[error("does not exist")]
    Missing,
    /// A directory, or a file without the execute permission.
    #[error("is not an executable file")]
    NotExecutable,
    /// The kernel refused to run it, for instance because it is for another architecture.
    #[error("does not run: {0}")]
    DoesNotRun(#[source] io::Error),
    /// It ran, and ended with a failure.
    #[error("fails when asked for `--version` ({0})")]
    Fails(ExitStatus),
    /// It still runs after ten seconds.
    #[error("does not answer `--version` within {} s", ANSWER_TIMEOUT.as_secs())]
    Silent,
    /// It is some other program.
    #[error("is not a Redis or Valkey server: `--version` does not say `server v=`")]
    NotAServer,
    /// It is a server, but too old.
    #[error("is version {0}, older than the {oldest} that is needed", oldest = Version::OLDEST)]
    TooOld(Version),
}

/// Runs `binary --version` and reads the answer.
///
/// # Errors
/// See [`ProbeError`].
pub fn probe(binary: &Path) -> Result<Version, ProbeError> {
    let metadata = binary.metadata().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ProbeError::Missing,
        _ => ProbeError::DoesNotRun(error),
    })?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(ProbeError::NotExecutable);
    }
    let version = Version::parse_banner(&ask(binary)?).ok_or(ProbeError::NotAServer)?;
    if version.is_supported() { Ok(version) } else { Err(ProbeError::TooOld(version)) }
}

fn ask(binary: &Path) -> Result<String, ProbeError> {
    let mut command = Command::new(binary);
    command.arg("--version");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = child::spawn(&mut command, &Seat::default()).map_err(ProbeError::DoesNotRun)?;
    // Read after the end: the one line fits into the pipe, and a program that floods it blocks and runs into the timeout.
    let status = child.wait_timeout(ANSWER_TIMEOUT).map_err(ProbeError::DoesNotRun)?;
    let status = status.ok_or(ProbeError::Silent)?;
    if !status.success() {
        return Err(ProbeError::Fails(status));
    }
    let mut answer = Vec::new();
    if let Some(mut stdout) = child.take_stdout() {
        stdout.read_to_end(&mut answer).map_err(ProbeError::DoesNotRun)?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
