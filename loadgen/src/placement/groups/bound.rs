//! Limits of a group: CPUs, CPU time, memory. Each is had or not by itself; what was had is read back from the kernel later.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::super::allotment::Allotment;
use super::{Groups, HANDED_ON, PROCESSES, hands_on, sweep, write};
use crate::cgroup::{self, Hierarchy, Version};

/// Length of a quota's period, which is the kernel's default: shorter ones cost more and are not kept more exactly.
const PERIOD_US: u64 = 100_000;

/// What came of it.
#[derive(Debug, Default)]
pub struct Bound {
    /// Where a process writes itself in besides the group that weighs it: version 1 has a hierarchy for every controller.
    pub files: Vec<File>,
    /// Whether the quota holds.
    pub quota: bool,
    /// What could not be had, and why.
    pub shortages: Vec<String>,
}

impl Groups {
    /// Limits the group `name`, which [`open`](Groups::open) has made. `hierarchy`: where a controller has this process.
    pub fn bind(&self, name: &str, given: &Allotment, hierarchy: &dyn Fn(&str) -> Option<Hierarchy>) -> Bound {
        let mut bound = Bound::default();
        let weighed = self.home.join(self.name(name));
        match quota(self.version, &weighed, given.quota) {
            Ok(()) => bound.quota = given.quota.is_some(),
            // None was asked for and none can be had.
            Err(_) if given.quota.is_none() => {}
            Err(error) => bound.shortages.push(format!("no quota of CPU time: {error:#}")),
        }
        let mut limit = |controller: &str, what: &str, set: &dyn Fn(Version, &Path) -> anyhow::Result<()>| {
            let limited = self.group_for(controller, name, hierarchy).and_then(|(version, directory)| {
                set(version, &directory)?;
                Ok(directory)
            });
            let file = limited.and_then(|directory| match directory == weighed {
                true => Ok(None),
                false => processes(&directory).map(Some),
            });
            match file {
                Ok(file) => bound.files.extend(file),
                Err(error) => bound.shortages.push(format!("{what}: {error:#}")),
            }
        };
        limit("cpuset", "CPUs by affinity alone", &|version, group| cpuset(version, group, given));
        limit("memory", "memory not limited", &|version, group| memory(version, group, given.memory_bytes));
        bound
    }

    /// Processes of the group `name` that were killed so far for want of memory.
    pub fn oom_kills(&self, name: &str, hierarchy: &dyn Fn(&str) -> Option<Hierarchy>) -> Option<u64> {
        let (version, home) = self.home_for("memory", hierarchy)?;
        cgroup::oom_kills(version, &home.join(self.name(name)))
    }

    /// Where groups with this controller are made. A hierarchy of another version than that of `cpu` has it only in version 1.
    fn home_for(&self, controller: &str, hierarchy: &dyn Fn(&str) -> Option<Hierarchy>) -> Option<(Version, PathBuf)> {
        match (hierarchy(controller)?, self.version) {
            (Hierarchy { version: Version::V1, mount, path }, _) => {
                Some((Version::V1, mount.join(path.trim_start_matches('/'))))
            }
            (_, Version::V2) => Some((Version::V2, self.home.clone())),
            _ => None,
        }
    }

    /// The group `name` with this controller, made where there is none yet.
    fn group_for(
        &self,
        controller: &str,
        name: &str,
        hierarchy: &dyn Fn(&str) -> Option<Hierarchy>,
    ) -> anyhow::Result<(Version, PathBuf)> {
        let found = self.home_for(controller, hierarchy);
        let (version, home) = found.with_context(|| format!("no control groups for {controller}"))?;
        if version == Version::V2 {
            self.hand_on(controller)?;
        } else if self.others.borrow_mut().insert(home.clone()) {
            sweep(&home);
        }
        Ok((version, self.make_in(&home, name)?))
    }

    pub(super) fn hand_on(&self, controller: &str) -> anyhow::Result<()> {
        let by_us = self.handed_on.borrow().iter().any(|one| one == controller);
        if !by_us && !hands_on(&self.home, controller) {
            write(&self.home.join(HANDED_ON), &format!("+{controller}"))?;
            self.handed_on.borrow_mut().push(controller.to_owned());
        }
        Ok(())
    }
}

pub(super) fn processes(directory: &Path) -> anyhow::Result<File> {
    let path = directory.join(PROCESSES);
    File::options().write(true).open(&path).with_context(|| path.display().to_string())
}

/// `None` takes an earlier one back.
fn quota(version: Version, group: &Path, cpus: Option<f64>) -> anyhow::Result<()> {
    let quota_us = cpus.map(|cpus| (cpus * PERIOD_US as f64).round() as u64);
    match version {
        Version::V1 => {
            write(&group.join("cpu.cfs_period_us"), &PERIOD_US.to_string())?;
            write(&group.join("cpu.cfs_quota_us"), &quota_us.map_or("-1".to_owned(), |us| us.to_string()))
        }
        Version::V2 => {
            let quota = quota_us.map_or("max".to_owned(), |us| us.to_string());
            write(&group.join("cpu.max"), &format!("{quota} {PERIOD_US}"))
        }
    }
}

fn cpuset(version: Version, group: &Path, given: &Allotment) -> anyhow::Result<()> {
    if version == Version::V1 {
        // A new group of version 1 has no memory nodes, and takes no process without.
        let above = group.parent().unwrap_or(group).join("cpuset.mems");
        let nodes = fs::read_to_string(&above).with_context(|| above.display().to_string())?;
        write(&group.join("cpuset.mems"), nodes.trim())?;
    }
    write(&group.join("cpuset.cpus"), &given.cpus.to_string())
}

/// Without swap, where that can be said: a dyno that swaps is neither within its memory nor out of it.
fn memory(version: Version, group: &Path, bytes: u64) -> anyhow::Result<()> {
    let bytes = bytes.to_string();
    match version {
        Version::V1 => {
            // The limit may never be above that of memory and swap together, which an earlier run may have left lower.
            let with_swap = group.join("memory.memsw.limit_in_bytes");
            let _ = fs::write(&with_swap, "-1");
            write(&group.join("memory.limit_in_bytes"), &bytes)?;
            let _ = fs::write(&with_swap, &bytes);
        }
        Version::V2 => {
            write(&group.join("memory.max"), &bytes)?;
            let _ = fs::write(group.join("memory.swap.max"), "0");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::tests::{hierarchy, text};
    use super::super::{Groups, PROCESSES};
    use super::{Allotment, Bound};
    use crate::cgroup::{Hierarchy, Version};

    const GIVEN: &str = "0-1";

    fn given(quota: Option<f64>) -> Allotment {
        Allotment { cpus: GIVEN.parse().unwrap(), quota, memory_bytes: 64 << 20 }
    }

    /// The group `dyno-0` at `group`, with the file that the kernel would put into it.
    fn bind(groups: &Groups, at: &[&Path], given: &Allotment, of: &dyn Fn(&str) -> Option<Hierarchy>) -> Bound {
        for group in at {
            fs::create_dir_all(group).unwrap();
            fs::write(group.join(PROCESSES), "").unwrap();
        }
        groups.bind("dyno-0", given, of)
    }

    #[test]
    fn version_2_has_all_limits_in_one_group() {
        let root = tempfile::tempdir().unwrap();
        let (home, pid) = (root.path().join("scope"), std::process::id());
        let all = hierarchy(Version::V2, root.path(), "/scope");
        let groups = Groups::enter_below(all.clone(), pid).unwrap();
        let group = home.join(format!("headroom-{pid}-dyno-0"));
        let bound = bind(&groups, &[&group], &given(Some(1.5)), &|_| all.clone());
        assert_eq!((bound.files.len(), bound.quota, bound.shortages), (0, true, Vec::new()));
        let said = |file: &str| text(group.join(file));
        assert_eq!(said("cpu.max"), "150000 100000");
        assert_eq!((said("cpuset.cpus"), said("memory.max")), ("0-1".to_owned(), "67108864".to_owned()));
        assert_eq!(said("memory.swap.max"), "0");
        assert!(!bind(&groups, &[&group], &given(None), &|_| all.clone()).quota);
        assert_eq!(said("cpu.max"), "max 100000");
        fs::write(group.join("memory.events"), "oom_kill 1\n").unwrap();
        assert_eq!(groups.oom_kills("dyno-0", &|_| all.clone()), Some(1));
        // On files that keep only what was written last: the last of `+cpu`, `+cpuset`, `+memory`.
        assert_eq!(text(home.join("cgroup.subtree_control")), "+memory");
        assert_eq!(*groups.handed_on.borrow(), ["cpu", "cpuset", "memory"]);
        drop(groups);
        assert_eq!(text(home.join("cgroup.subtree_control")), "-memory");
    }

    #[test]
    fn version_1_has_a_group_for_every_controller() {
        let root = tempfile::tempdir().unwrap();
        let pid = std::process::id();
        let of = |controller: &str| hierarchy(Version::V1, &root.path().join(controller), "/job");
        let groups = Groups::enter_below(of("cpu"), pid).unwrap();
        let at = |controller: &str| root.path().join(controller).join(format!("job/headroom-{pid}-dyno-0"));
        let (cpu, cpuset, memory) = (at("cpu"), at("cpuset"), at("memory"));
        fs::create_dir_all(cpuset.parent().unwrap()).unwrap();
        fs::write(cpuset.parent().unwrap().join("cpuset.mems"), "0\n").unwrap();
        let bound = bind(&groups, &[&cpu, &cpuset, &memory], &given(None), &of);
        assert_eq!((bound.files.len(), bound.quota, bound.shortages), (2, false, Vec::new()));
        assert_eq!(text(cpu.join("cpu.cfs_quota_us")), "-1");
        assert_eq!((text(cpuset.join("cpuset.cpus")), text(cpuset.join("cpuset.mems"))), ("0-1".into(), "0".into()));
        assert_eq!(text(memory.join("memory.limit_in_bytes")), "67108864");
        assert_eq!(text(memory.join("memory.memsw.limit_in_bytes")), "67108864");
        bind(&groups, &[&cpu], &given(Some(0.5)), &of);
        assert_eq!(
            (text(cpu.join("cpu.cfs_quota_us")), text(cpu.join("cpu.cfs_period_us"))),
            ("50000".into(), "100000".into())
        );
    }

    #[test]
    fn what_cannot_be_had_is_said_and_the_rest_is_had() {
        let root = tempfile::tempdir().unwrap();
        let pid = std::process::id();
        let of = |controller: &str| match controller {
            "cpuset" => None,
            _ => hierarchy(Version::V1, &root.path().join(controller), "/"),
        };
        let groups = Groups::enter_below(of("cpu"), pid).unwrap();
        let group = root.path().join(format!("memory/headroom-{pid}-dyno-0"));
        // What cannot be written stands for what the kernel refuses.
        fs::create_dir_all(group.join("memory.limit_in_bytes")).unwrap();
        let cpu = root.path().join(format!("cpu/headroom-{pid}-dyno-0"));
        let bound = bind(&groups, &[&cpu], &given(Some(1.0)), &of);
        assert!(bound.quota && bound.files.is_empty());
        let [cpuset, memory] = bound.shortages.as_slice() else { panic!("{bound:?}") };
        assert_eq!(cpuset, "CPUs by affinity alone: no control groups for cpuset");
        assert!(memory.starts_with("memory not limited: ") && memory.contains("memory.limit_in_bytes"), "{memory}");
    }
}
