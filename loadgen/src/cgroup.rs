//! What the control groups of this process leave it: memory and threads, version 1 and 2.

use std::fs;
use std::path::{Path, PathBuf};

/// Where the kernel shows control groups.
const ROOT: &str = "/sys/fs/cgroup";

/// What may still be had. `u64::MAX`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Memory, reclaimable page cache counted as free.
    pub memory_bytes: u64,
    /// Threads and processes.
    pub threads: u64,
}

/// Of this process, now.
#[must_use]
pub fn room() -> Room {
    room_below(Path::new(ROOT), &fs::read_to_string("/proc/self/cgroup").unwrap_or_default())
}

/// Every group from the process's own up to the root limits it; the tightest one counts. `membership`: the text of
/// `/proc/self/cgroup`, a line `hierarchy:controllers:path` for each hierarchy.
fn room_below(root: &Path, membership: &str) -> Room {
    let mut room = Room { memory_bytes: u64::MAX, threads: u64::MAX };
    for line in membership.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let (mount, names) = match controllers {
            "" => (root.to_owned(), &V2),
            _ => (root.join(controllers), &V1),
        };
        for directory in upwards(&mount, path) {
            let memory = left(&directory, names.memory_max, names.memory_used)
                .map(|left| left.saturating_add(in_stat(&directory, names.reclaimable).unwrap_or(0)));
            room.memory_bytes = room.memory_bytes.min(memory.unwrap_or(u64::MAX));
            room.threads = room.threads.min(left(&directory, "pids.max", "pids.current").unwrap_or(u64::MAX));
        }
    }
    room
}

/// What the two versions call things.
struct Names {
    memory_max: &'static str,
    memory_used: &'static str,
    reclaimable: &'static str,
}

const V1: Names = Names {
    memory_max: "memory.limit_in_bytes",
    memory_used: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};
const V2: Names = Names { memory_max: "memory.max", memory_used: "memory.current", reclaimable: "inactive_file" };

/// The group's directory and all above it, down to the mount. A container may see its own group as the root and still
/// be told the path outside: directories that do not exist are left out by their readers.
fn upwards(mount: &Path, path: &str) -> Vec<PathBuf> {
    let own = mount.join(path.trim_start_matches('/'));
    own.ancestors().take_while(|directory| directory.starts_with(mount)).map(Path::to_owned).collect()
}

/// Limit less use; `None` where there is no limit.
fn left(directory: &Path, limit: &str, used: &str) -> Option<u64> {
    let number = |name: &str| fs::read_to_string(directory.join(name)).ok()?.trim().parse::<u64>().ok();
    // Version 1 says "no limit" by a number next to 2^63.
    let limit = number(limit).filter(|&limit| limit < 1 << 62)?;
    Some(limit.saturating_sub(number(used)?))
}

fn in_stat(directory: &Path, name: &str) -> Option<u64> {
    let stat = fs::read_to_string(directory.join("memory.stat")).ok()?;
    stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{Room, room_below};

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn the_tightest_group_of_version_2_counts_and_page_cache_is_free() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            &[
                ("a/memory.max", "1000\n"),
                ("a/memory.current", "900\n"),
                ("a/memory.stat", "anon 500\ninactive_file 300\n"),
                ("a/pids.max", "max\n"),
                ("a/pids.current", "7\n"),
                ("a/b/memory.max", "max\n"),
                ("a/b/memory.current", "100\n"),
                ("a/b/pids.max", "50\n"),
                ("a/b/pids.current", "10\n"),
            ],
        );
        assert_eq!(room_below(root.path(), "0::/a/b\n"), Room { memory_bytes: 400, threads: 40 });
    }

    #[test]
    fn version_1_has_a_hierarchy_for_each_controller_and_a_number_for_no_limit() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            &[
                ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("memory/memory.usage_in_bytes", "5\n"),
                ("memory/job/memory.limit_in_bytes", "4096\n"),
                ("memory/job/memory.usage_in_bytes", "96\n"),
                ("memory/job/memory.stat", "cache 1\ntotal_inactive_file 10\n"),
                ("pids/pids.max", "100\n"),
                ("pids/pids.current", "1\n"),
            ],
        );
        let membership = "8:pids:/\n4:memory:/job\n0::/\n";
        assert_eq!(room_below(root.path(), membership), Room { memory_bytes: 4010, threads: 99 });
    }

    #[test]
    fn without_groups_there_is_no_limit() {
        let root = tempfile::tempdir().unwrap();
        let none = Room { memory_bytes: u64::MAX, threads: u64::MAX };
        assert_eq!(room_below(root.path(), "0::/elsewhere\nnonsense\n"), none);
    }
}
