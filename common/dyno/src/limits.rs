//! What this process may have: open files, as far as the system allows.

use anyhow::ensure;
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

/// Raises the number of files that this process may open as far as it is allowed to, and returns it.
fn raise_file_limit() -> u64 {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < hard => match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            Ok(()) => hard,
            Err(_) => soft,
        },
        Ok((soft, _)) => soft,
        Err(_) => 1024,
    }
}
