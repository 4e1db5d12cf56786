//! The control groups of a process, version 1 and 2: what they leave it, how the scheduler weighs it, what holds it back.

use std::fs;
use std::path::{Path, PathBuf};

mod bounds;

pub use bounds::{Bounds, bounds, may_swap, oom_kills, throttling};

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
    for (controllers, path) in hierarchies(membership) {
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

/// Controllers and path of every hierarchy; that of version 2 has no controllers in its line.
fn hierarchies(membership: &str) -> impl Iterator<Item = (&str, &str)> {
    membership.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':');
        fields.next()?;
        fields.next().zip(fields.next())
    })
}

/// Which interface a hierarchy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy for each controller.
    V1,
    /// One for all.
    V2,
}

/// Where a controller has a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Of the hierarchy.
    pub version: Version,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// The process's group in it.
    pub path: String,
}

/// Of this process, for `controller`; `None` where the kernel shows none.
#[must_use]
pub fn hierarchy(controller: &str) -> Option<Hierarchy> {
    hierarchy_below(Path::new(ROOT), &fs::read_to_string("/proc/self/cgroup").unwrap_or_default(), controller)
}

fn hierarchy_below(root: &Path, membership: &str, controller: &str) -> Option<Hierarchy> {
    let has_it = |controllers: &str| controllers.split(',').any(|one| one == controller);
    if let Some((controllers, path)) = hierarchies(membership).find(|(controllers, _)| has_it(controllers)) {
        return Some(Hierarchy { version: Version::V1, mount: root.join(controllers), path: path.to_owned() });
    }
    let (_, path) = hierarchies(membership).find(|(controllers, _)| controllers.is_empty())?;
    Some(Hierarchy { version: Version::V2, mount: root.to_owned(), path: path.to_owned() })
}

/// The group whose weight decides how much CPU process `pid` gets among others, and that weight. `None` when it is weighed
/// thread by thread, or the process is gone.
#[must_use]
pub fn weighed_group(pid: u32) -> Option<(String, u64)> {
    weighed_group_below(Path::new(ROOT), &fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

/// The root of a hierarchy is no group to the scheduler, but what a container sees as the root may be one: in version 2 only
/// groups have a weight, in version 1 only the root has a `release_agent`. In version 2 a group that the controller was not
/// handed on to counts as part of the one above.
fn weighed_group_below(root: &Path, membership: &str) -> Option<(String, u64)> {
    let Hierarchy { version, mount, path } = hierarchy_below(root, membership, "cpu")?;
    let (file, root_file) = match version {
        Version::V1 => ("cpu.shares", Some("release_agent")),
        Version::V2 => ("cpu.weight", None),
    };
    let is_root = |directory: &Path| root_file.is_some_and(|file| directory.join(file).exists());
    upwards(&mount, &path).into_iter().filter(|directory| !is_root(directory)).find_map(|directory| {
        let weight = fs::read_to_string(directory.join(file)).ok()?.trim().parse().ok()?;
        Some((format!("/{}", directory.strip_prefix(&mount).ok()?.display()), weight))
    })
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

    use super::{Hierarchy, Room, Version, hierarchy_below, room_below, weighed_group_below};

    pub(super) fn write(root: &Path, files: &[(&str, &str)]) {
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
    fn a_controller_is_found_in_either_version() {
        let root = Path::new("/r");
        let of = |membership| hierarchy_below(root, membership, "cpu");
        let hierarchy =
            |version, mount: &str, path: &str| Some(Hierarchy { version, mount: mount.into(), path: path.to_owned() });
        assert_eq!(of("4:memory:/m\n3:cpu,cpuacct:/job\n0::/\n"), hierarchy(Version::V1, "/r/cpu,cpuacct", "/job"));
        assert_eq!(of("2:cpuacct:/x\n0::/a/b\n"), hierarchy(Version::V2, "/r", "/a/b"));
        assert_eq!(of("nonsense\n"), None);
        let memory = hierarchy_below(root, "4:memory:/m\n3:cpu,cpuacct:/job\n0::/\n", "memory");
        assert_eq!(memory, hierarchy(Version::V1, "/r/memory", "/m"));
    }

    #[test]
    fn the_nearest_group_with_a_weight_decides() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            &[
                ("a/cpu.weight", "100\n"),
                ("a/b/c/pids.max", "1\n"),
                ("cpu/cpu.shares", "1024\n"),
                ("cpu/release_agent", ""),
                ("cpu/x/cpu.shares", "512\n"),
            ],
        );
        let of = |membership| weighed_group_below(root.path(), membership);
        assert_eq!(of("0::/a/b/c\n"), Some(("/a".to_owned(), 100)));
        assert_eq!(of("0::/\n"), None);
        assert_eq!(of("1:cpu:/x\n0::/a\n"), Some(("/x".to_owned(), 512)));
        assert_eq!(of("1:cpu:/\n0::/a\n"), None);

        // As a container sees it: its own group where the root would be, and perhaps a path that is the host's.
        let inside = tempfile::tempdir().unwrap();
        write(inside.path(), &[("cpu.weight", "79\n"), ("cpu/cpu.shares", "2\n")]);
        let of = |membership| weighed_group_below(inside.path(), membership);
        assert_eq!(of("0::/\n"), Some(("/".to_owned(), 79)));
        assert_eq!(of("1:cpu:/docker/123\n0::/\n"), Some(("/".to_owned(), 2)));
    }

    #[test]
    fn without_groups_there_is_no_limit() {
        let root = tempfile::tempdir().unwrap();
        let none = Room { memory_bytes: u64::MAX, threads: u64::MAX };
        assert_eq!(room_below(root.path(), "0::/elsewhere\nnonsense\n"), none);
    }
}
