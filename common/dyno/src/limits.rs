//! What this process may have: open files, as far as the system allows; no huge pages.

use anyhow::ensure;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files of a dyno besides its connections to Redis, generously.
const FILES_BASE: u64 = 32;

/// Makes room for `connections` connections.
///
/// # Errors
/// The hard limit is too low; the message says which one, and what would do.
pub fn make_room(connections: u32) -> anyhow::Result<()> {
    let needed = u64::from(connections) + FILES_BASE;
    let files = raise();
    ensure!(
        files >= needed,
        "{connections} connections need {needed} open files and `ulimit -Hn` is {files}: lower workers.count or pool_size, \
         or raise the limit"
    );
    Ok(())
}

/// Turns transparent huge pages off for this process and all that it starts: touching one for the first time zeroes
/// 2 MiB, at an instant that nobody chose, and is charged to whatever task came by.
pub fn turn_off_huge_pages() {
    // Kernels without huge pages do not know the call; what is in force is read back for the report.
    let _ = prctl::set_thp_disable(true);
}

/// Transparent huge pages of this process.
#[must_use]
pub fn huge_pages() -> &'static str {
    if prctl::get_thp_disable().unwrap_or(false) { "off" } else { "as the kernel decides" }
}

/// Raises what this process and its children may have as far as it is allowed to, files and threads, and returns how
/// many files that is.
pub fn raise() -> u64 {
    raise_one(Resource::RLIMIT_NPROC);
    raise_one(Resource::RLIMIT_NOFILE).unwrap_or(1024)
}

/// The soft limit that is in force afterwards.
fn raise_one(resource: Resource) -> Option<u64> {
    let (soft, hard) = getrlimit(resource).ok()?;
    let raised = soft < hard && setrlimit(resource, hard, hard).is_ok();
    Some(if raised { hard } else { soft })
}
