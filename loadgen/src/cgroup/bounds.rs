//! What control groups hold a process to, as the kernel says: read back for the report.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::report::Throttling;

use super::{Hierarchy, ROOT, Version, hierarchy_below, upwards};

/// What holds for one process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bounds {
    /// CPUs' worth of time in every period.
    pub cpu_quota: Option<f64>,
    /// Memory.
    pub memory_bytes: Option<u64>,
}

/// Of process `pid`, by the tightest of its groups; nothing when it is gone.
#[must_use]
pub fn bounds(pid: u32) -> Bounds {
    bounds_below(Path::new(ROOT), &membership(pid))
}

fn membership(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default()
}

/// Every group that holds a process in the hierarchy of `controller`, with the hierarchy's version.
fn groups(root: &Path, membership: &str, controller: &str) -> (Version, Vec<PathBuf>) {
    match hierarchy_below(root, membership, controller) {
        Some(Hierarchy { version, mount, path }) => (version, upwards(&mount, &path)),
        None => (Version::V2, Vec::new()),
    }
}

fn bounds_below(root: &Path, membership: &str) -> Bounds {
    let (version, directories) = groups(root, membership, "memory");
    let limit = |directory: &PathBuf| memory_limit(version, directory);
    let memory_bytes = directories.iter().filter_map(limit).min();
    let (version, directories) = groups(root, membership, "cpu");
    let quota = |directory: &PathBuf| cpu_quota(version, directory);
    let cpu_quota = directories.iter().filter_map(quota).min_by(f64::total_cmp);
    Bounds { cpu_quota, memory_bytes }
}

fn memory_limit(version: Version, directory: &Path) -> Option<u64> {
    let file = match version {
        Version::V1 => "memory.limit_in_bytes",
        Version::V2 => "memory.max",
    };
    // Version 1 says "no limit" by a number next to 2^63, version 2 by a word.
    number(&directory.join(file)).filter(|&limit| limit < 1 << 62)
}

/// Whether process `pid` can have more than its memory limit by swapping: no group forbids it.
#[must_use]
pub fn may_swap(pid: u32) -> bool {
    may_swap_below(Path::new(ROOT), &membership(pid))
}

fn may_swap_below(root: &Path, membership: &str) -> bool {
    let (version, directories) = groups(root, membership, "memory");
    let lowest = |file: &str| directories.iter().filter_map(|directory| number(&directory.join(file))).min();
    match version {
        // Of memory and swap together.
        Version::V1 => {
            let memory = directories.iter().filter_map(|directory| memory_limit(version, directory)).min();
            lowest("memory.memsw.limit_in_bytes").zip(memory).is_none_or(|(both, memory)| both > memory)
        }
        Version::V2 => lowest("memory.swap.max").is_none_or(|bytes| bytes > 0),
    }
}

fn cpu_quota(version: Version, directory: &Path) -> Option<f64> {
    let (quota_us, period_us) = match version {
        Version::V1 => {
            let read = |file: &str| number(&directory.join(file));
            (read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?)
        }
        Version::V2 => {
            let text = fs::read_to_string(directory.join("cpu.max")).ok()?;
            let (quota, period) = text.trim().split_once(' ')?;
            (quota.parse().ok()?, period.parse().ok()?)
        }
    };
    Some(quota_us as f64 / period_us as f64)
}

/// `None` for words, and for numbers below 0, which also say that there is no limit.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// What quotas have held back so far from these processes: by their groups and by those above, each counted once. `None` where
/// the kernel does not say.
#[must_use]
pub fn throttling(pids: &[u32]) -> Option<Throttling> {
    throttling_below(Path::new(ROOT), pids.iter().map(|&pid| membership(pid)))
}

fn throttling_below(root: &Path, memberships: impl Iterator<Item = String>) -> Option<Throttling> {
    let mut directories = BTreeSet::new();
    let mut version = Version::V2;
    for membership in memberships {
        let (of_controller, above) = groups(root, &membership, "cpu");
        version = of_controller;
        directories.extend(above);
    }
    let said = directories.iter().filter_map(|directory| throttling_of(version, directory));
    said.reduce(|a, b| Throttling { periods: a.periods + b.periods, throttled_us: a.throttled_us + b.throttled_us })
}

fn throttling_of(version: Version, directory: &Path) -> Option<Throttling> {
    let stat = fs::read_to_string(directory.join("cpu.stat")).ok()?;
    let throttled_us = match version {
        Version::V1 => field(&stat, "throttled_time")? / 1000,
        Version::V2 => field(&stat, "throttled_usec")?,
    };
    Some(Throttling { periods: field(&stat, "nr_throttled")?, throttled_us })
}

/// Processes of a group that were killed for want of memory; `None` where the kernel does not count them.
#[must_use]
pub fn oom_kills(version: Version, directory: &Path) -> Option<u64> {
    let file = match version {
        Version::V1 => "memory.oom_control",
        Version::V2 => "memory.events",
    };
    field(&fs::read_to_string(directory.join(file)).ok()?, "oom_kill")
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use common::report::Throttling;

    use super::super::Version;
    use super::super::tests::write;
    use super::{Bounds, bounds_below, may_swap_below, oom_kills, throttling_below};

    #[test]
    fn the_tightest_group_of_either_version_holds() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            &[
                ("a/memory.max", "4096\n"),
                ("a/cpu.max", "150000 100000\n"),
                ("a/b/memory.max", "max\n"),
                ("a/b/cpu.max", "max 100000\n"),
                ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
                ("memory/m/memory.limit_in_bytes", "8192\n"),
                ("cpu/cpu.cfs_quota_us", "-1\n"),
                ("cpu/cpu.cfs_period_us", "100000\n"),
                ("cpu/c/cpu.cfs_quota_us", "50000\n"),
                ("cpu/c/cpu.cfs_period_us", "100000\n"),
            ],
        );
        let of = |membership| bounds_below(root.path(), membership);
        assert_eq!(of("0::/a/b\n"), Bounds { cpu_quota: Some(1.5), memory_bytes: Some(4096) });
        assert_eq!(of("2:memory:/m\n1:cpu:/c\n0::/\n"), Bounds { cpu_quota: Some(0.5), memory_bytes: Some(8192) });
        assert_eq!(of("2:memory:/\n1:cpu:/\n0::/a\n"), Bounds::default());
        assert_eq!(of(""), Bounds::default());
    }

    #[test]
    fn swap_is_off_where_some_group_says_so() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            &[
                ("a/memory.swap.max", "0\n"),
                ("a/b/memory.swap.max", "max\n"),
                ("c/memory.swap.max", "4096\n"),
                ("d/memory.max", "4096\n"),
                ("memory/off/memory.limit_in_bytes", "4096\n"),
                ("memory/off/memory.memsw.limit_in_bytes", "4096\n"),
                ("memory/on/memory.limit_in_bytes", "4096\n"),
                ("memory/on/memory.memsw.limit_in_bytes", "9223372036854771712\n"),
                ("memory/silent/memory.limit_in_bytes", "4096\n"),
            ],
        );
        for (membership, may) in [
            ("0::/a/b\n", false),
            ("0::/c\n", true),
            ("0::/d\n", true),
            ("1:memory:/off\n", false),
            ("1:memory:/on\n", true),
            ("1:memory:/silent\n", true),
            ("", true),
        ] {
            assert_eq!(may_swap_below(root.path(), membership), may, "{membership}");
        }
    }

    #[test]
    fn what_is_held_back_is_summed_over_groups_each_counted_once() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            &[
                ("a/cpu.stat", "usage_usec 9\nnr_periods 5\nnr_throttled 1\nthrottled_usec 100\n"),
                ("a/b/cpu.stat", "nr_periods 5\nnr_throttled 2\nthrottled_usec 1000\n"),
                ("a/c/cpu.stat", "nr_periods 5\nnr_throttled 4\nthrottled_usec 10000\n"),
                ("cpu/x/cpu.stat", "nr_periods 5\nnr_throttled 3\nthrottled_time 7000\n"),
            ],
        );
        let of = |memberships: &[&str]| throttling_below(root.path(), memberships.iter().map(|&text| text.to_owned()));
        assert_eq!(of(&["0::/a/b\n", "0::/a/c\n"]), Some(Throttling { periods: 7, throttled_us: 11_100 }));
        assert_eq!(of(&["1:cpu:/x\n0::/a\n"]), Some(Throttling { periods: 3, throttled_us: 7 }));
        assert_eq!(of(&["0::/elsewhere\n"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn the_killed_are_counted() {
        let root = tempfile::tempdir().unwrap();
        write(
            root.path(),
            &[
                ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
                ("memory.events", "low 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 0\n"),
            ],
        );
        assert_eq!(oom_kills(Version::V1, root.path()), Some(2));
        assert_eq!(oom_kills(Version::V2, root.path()), Some(1));
        assert_eq!(oom_kills(Version::V2, &root.path().join("gone")), None);
    }
}
