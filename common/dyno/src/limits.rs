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
    let files = raise_file_limit();
    ensure!(
        files >= needed,
        "{connections} connections need {needed} open files and `ulimit -Hn` is {files}: lower workers.count or pool_size, \
         or raise the limit"
    );
    Ok(())
}

/// Turns transparent huge pages off for this process and all that it starts: touching one for the first time zeroes
/// 2 MiB, at an instant that nobody chose, and is charged to whatever task came by. Returns what is in force now.
pub fn without_huge_pages() -> &'static str {
    // Kernels without huge pages do not know the call.
    let _ = prctl::set_thp_disable(true);
    if prctl::get_thp_disable().unwrap_or(false) { "off" } else { "as the kernel decides" }
}

/// Raises the number of files that this process may open as far as it is allowed to, and returns it.
pub fn raise_file_limit() -> u64 {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < hard => match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            Ok(()) => hard,
            Err(_) => soft,
        },
        Ok((soft, _)) => soft,
        Err(_) => 1024,
    }
}
