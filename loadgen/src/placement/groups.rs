//! Control groups of equal weight, made beside loadgen's own and gone with it.
//!
//! The scheduler weighs threads, and 28 of them outweigh a server's one. In groups of their own the processes are weighed
//! instead. Version 1 has a hierarchy for the controller `cpu`; in version 2 a group that hands the controller on may hold no
//! processes, so that loadgen has to leave its own first, and be the only one in it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use crate::cgroup::{self, Hierarchy, Version};

mod bound;

pub use bound::Bound;

/// Groups of this process, named after it.
#[derive(Debug)]
pub struct Groups {
    /// The group that loadgen was started in, and goes back to.
    origin: PathBuf,
    /// Where its groups are made: there, or the nearest above that hands the controller on.
    home: PathBuf,
    version: Version,
    prefix: String,
    /// Version 2: the controllers that were handed on by us, and have to be taken back.
    handed_on: RefCell<Vec<String>>,
    /// Version 1: where groups were made in other hierarchies than that of `cpu`.
    others: RefCell<BTreeSet<PathBuf>>,
}

/// What the names of all our groups begin with; the process follows.
const PREFIX: &str = "headroom-";
/// Lists the processes of a group, and takes new ones.
const PROCESSES: &str = "cgroup.procs";
/// How much of every second threads at real-time priority may work, by version 1.
const REAL_TIME: &str = "cpu.rt_runtime_us";
/// The controllers that a group of version 2 hands on.
const HANDED_ON: &str = "cgroup.subtree_control";
/// How often, and how long apart, an empty group is removed: a process that has been reaped may still be on its way out.
const REMOVALS: u32 = 20;
const REMOVAL_PAUSE: Duration = Duration::from_millis(5);

impl Groups {
    /// Moves loadgen into a group of its own, in the hierarchy that the kernel shows for it.
    ///
    /// # Errors
    /// The system does not allow it; everything is as before.
    pub fn enter() -> anyhow::Result<Groups> {
        Groups::enter_below(cgroup::hierarchy("cpu"), std::process::id())
    }

    fn enter_below(hierarchy: Option<Hierarchy>, pid: u32) -> anyhow::Result<Groups> {
        let Hierarchy { version, mount, path } = hierarchy.context("the kernel shows no control groups")?;
        let origin = mount.join(path.trim_start_matches('/'));
        let first = Groups::enter_at(&origin, &origin, version, pid);
        if version == Version::V1 || first.is_ok() {
            return first;
        }
        // Others are in this group, so that it cannot hand the controller on. Root may use one above that does.
        let above = origin.ancestors().skip(1).take_while(|above| above.starts_with(&mount));
        let mut above = above.filter(|above| hands_on(above, "cpu"));
        above.find_map(|home| Groups::enter_at(&origin, home, version, pid).ok()).map_or(first, Ok)
    }

    fn enter_at(origin: &Path, home: &Path, version: Version, pid: u32) -> anyhow::Result<Groups> {
        let prefix = format!("{PREFIX}{pid}-");
        let (handed_on, others) = (RefCell::default(), RefCell::default());
        let groups = Groups { origin: origin.to_owned(), home: home.to_owned(), version, prefix, handed_on, others };
        sweep(home);
        // Whatever fails from here on, dropping puts everything back.
        let own = groups.make("loadgen")?;
        write(&own.join(PROCESSES), &pid.to_string())?;
        if version == Version::V2 {
            groups.hand_on("cpu")?;
        }
        groups.weigh(&own)?;
        if version == Version::V1 {
            groups.let_be_real_time(&own);
        }
        Ok(groups)
    }

    /// Where a process of the group `name` writes itself in.
    ///
    /// # Errors
    /// The group cannot be made.
    pub fn open(&self, name: &str) -> anyhow::Result<File> {
        let directory = self.make(name)?;
        self.weigh(&directory)?;
        bound::processes(&directory)
    }

    /// What a group is called.
    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn make(&self, name: &str) -> anyhow::Result<PathBuf> {
        self.make_in(&self.home, name)
    }

    fn make_in(&self, home: &Path, name: &str) -> anyhow::Result<PathBuf> {
        let directory = home.join(self.name(name));
        match fs::create_dir(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(error).with_context(|| directory.display().to_string())
            }
            _ => Ok(directory),
        }
    }

    /// The same weight for all.
    fn weigh(&self, directory: &Path) -> anyhow::Result<()> {
        match self.version {
            Version::V1 => write(&directory.join("cpu.shares"), "1024"),
            Version::V2 => write(&directory.join("cpu.weight"), "100"),
        }
    }

    /// Kernels that ration real-time work by group give a new one none, and the pacer wants some. Where there is none to be
    /// had it runs at the next best priority, and the report says so.
    fn let_be_real_time(&self, own: &Path) {
        let read = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<i64>().ok();
        if let Some(runtime_us) = read(self.home.join(REAL_TIME)) {
            // Below 0 there is no limit.
            let share_us = if runtime_us < 0 { runtime_us } else { runtime_us / 10 * 9 };
            let _ = fs::write(own.join(REAL_TIME), share_us.to_string());
        }
    }
}

impl Drop for Groups {
    /// Goes back. Groups that still hold somebody stay, and are swept by whoever comes next.
    fn drop(&mut self) {
        let is_own = |name: &str| name.starts_with(&self.prefix);
        // Another loadgen may live by what this one has handed on.
        if ours(&self.home).all(|(_, name)| is_own(&name)) {
            for controller in self.handed_on.borrow().iter() {
                let _ = fs::write(self.home.join(HANDED_ON), format!("-{controller}"));
            }
        }
        let _ = fs::write(self.origin.join(PROCESSES), std::process::id().to_string());
        let others = self.others.borrow();
        let homes = others.iter().chain([&self.home]);
        for (directory, _) in homes.flat_map(|home| ours(home)).filter(|(_, name)| is_own(name)) {
            hand_back_real_time(&directory);
            let is_busy = || fs::remove_dir(&directory).is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy);
            (0..REMOVALS).take_while(|_| is_busy()).for_each(|_| thread::sleep(REMOVAL_PAUSE));
        }
    }
}

/// Removes the groups of processes that are no more: a loadgen that was killed could not.
fn sweep(home: &Path) {
    for (directory, name) in ours(home) {
        let pid = name.trim_start_matches(PREFIX).split('-').next().and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            hand_back_real_time(&directory);
            let _ = fs::remove_dir(directory);
        }
    }
}

/// A group that is removed keeps its ration of real-time work until the kernel has forgotten it, which takes a moment: whoever starts
/// within that would get none.
fn hand_back_real_time(directory: &Path) {
    let ration = File::options().write(true).truncate(true).open(directory.join(REAL_TIME));
    // Groups of others than the pacer have none, nor has any of version 2.
    let _ = ration.and_then(|mut ration| ration.write_all(b"0"));
}

/// Whether the groups in this one have this controller.
fn hands_on(group: &Path, controller: &str) -> bool {
    let controllers = fs::read_to_string(group.join(HANDED_ON)).unwrap_or_default();
    controllers.split_whitespace().any(|one| one == controller)
}

/// The groups that some loadgen has made, with their names.
fn ours(home: &Path) -> impl Iterator<Item = (PathBuf, String)> {
    let entries = fs::read_dir(home).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| Some((entry.path(), entry.file_name().into_string().ok()?)));
    named.filter(|(_, name)| name.starts_with(PREFIX))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::Groups;
    use crate::cgroup::{Hierarchy, Version};

    pub(super) fn hierarchy(version: Version, mount: &Path, path: &str) -> Option<Hierarchy> {
        fs::create_dir_all(mount.join(path.trim_start_matches('/'))).unwrap();
        Some(Hierarchy { version, mount: mount.to_owned(), path: path.to_owned() })
    }

    pub(super) fn text(path: impl AsRef<Path>) -> String {
        fs::read_to_string(path).unwrap()
    }

    /// On files that look like the kernel's: what is written where, and what is put back.
    #[test]
    fn version_2_hands_the_controller_on_and_takes_it_back() {
        let root = tempfile::tempdir().unwrap();
        let (home, pid) = (root.path().join("scope"), std::process::id());
        let groups = Groups::enter_below(hierarchy(Version::V2, root.path(), "/scope"), pid).unwrap();
        assert_eq!(text(home.join(format!("headroom-{pid}-loadgen/cgroup.procs"))), pid.to_string());
        assert_eq!(text(home.join("cgroup.subtree_control")), "+cpu");
        fs::create_dir(home.join(format!("headroom-{pid}-redis"))).unwrap();
        fs::write(home.join(format!("headroom-{pid}-redis/cgroup.procs")), "").unwrap();
        drop(groups.open("redis").unwrap());
        for name in ["loadgen", "redis"] {
            assert_eq!(text(home.join(format!("headroom-{pid}-{name}/cpu.weight"))), "100");
        }
        drop(groups);
        assert_eq!(text(home.join("cgroup.subtree_control")), "-cpu");
        assert_eq!(text(home.join("cgroup.procs")), pid.to_string());
    }

    #[test]
    fn version_2_leaves_a_controller_that_was_handed_on_before() {
        let root = tempfile::tempdir().unwrap();
        let hierarchy = hierarchy(Version::V2, root.path(), "/");
        fs::write(root.path().join("cgroup.subtree_control"), "cpu memory\n").unwrap();
        drop(Groups::enter_below(hierarchy, std::process::id()).unwrap());
        assert_eq!(text(root.path().join("cgroup.subtree_control")), "cpu memory\n");
    }

    /// Two at once: who ends first leaves the other its weights.
    #[test]
    fn the_controller_stays_while_another_loadgen_needs_it() {
        let root = tempfile::tempdir().unwrap();
        let groups = Groups::enter_below(hierarchy(Version::V2, root.path(), "/"), std::process::id()).unwrap();
        fs::create_dir(root.path().join("headroom-1-redis")).unwrap();
        drop(groups);
        assert_eq!(text(root.path().join("cgroup.subtree_control")), "+cpu");
    }

    /// Where others are in its group, loadgen uses one above that hands the controller on.
    #[test]
    fn version_2_goes_up_where_its_own_group_is_shared() {
        let root = tempfile::tempdir().unwrap();
        let pid = std::process::id();
        let hierarchy = hierarchy(Version::V2, root.path(), "/slice/scope");
        fs::write(root.path().join("slice/cgroup.subtree_control"), "cpu\n").unwrap();
        // What cannot be written stands for what the kernel refuses.
        fs::create_dir(root.path().join("slice/scope/cgroup.subtree_control")).unwrap();
        let groups = Groups::enter_below(hierarchy, pid).unwrap();
        assert_eq!(text(root.path().join(format!("slice/headroom-{pid}-loadgen/cpu.weight"))), "100");
        drop(groups);
        assert_eq!(text(root.path().join("slice/scope/cgroup.procs")), pid.to_string());
        assert_eq!(text(root.path().join("slice/cgroup.subtree_control")), "cpu\n");
    }

    #[test]
    fn version_1_leaves_room_for_real_time() {
        let root = tempfile::tempdir().unwrap();
        let hierarchy = hierarchy(Version::V1, root.path(), "/job");
        fs::write(root.path().join("job/cpu.rt_runtime_us"), "950000\n").unwrap();
        let pid = std::process::id();
        let groups = Groups::enter_below(hierarchy, pid).unwrap();
        let own = root.path().join(format!("job/headroom-{pid}-loadgen"));
        assert_eq!(
            (text(own.join("cpu.shares")), text(own.join("cpu.rt_runtime_us"))),
            ("1024".into(), "855000".into())
        );
        // Nothing is kept beyond the end.
        drop(groups);
        assert_eq!(text(own.join("cpu.rt_runtime_us")), "0");
    }

    #[test]
    fn without_groups_it_says_why_and_groups_of_the_dead_are_swept() {
        assert!(Groups::enter_below(None, 1).unwrap_err().to_string().contains("no control groups"));
        let root = tempfile::tempdir().unwrap();
        let missing = Hierarchy { version: Version::V1, mount: root.path().to_owned(), path: "/elsewhere".to_owned() };
        let why = format!("{:#}", Groups::enter_below(Some(missing), 1).unwrap_err());
        assert!(why.contains("elsewhere/headroom-1-loadgen: No such file"), "{why}");
        // No process has number 0, and this one lives.
        let (dead, alive) = ("headroom-0-redis".to_owned(), format!("headroom-{}-redis", std::process::id()));
        for name in [&dead, &alive] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let hierarchy = hierarchy(Version::V1, root.path(), "/");
        std::mem::forget(Groups::enter_below(hierarchy, 1).unwrap());
        assert!(!root.path().join(&dead).exists() && root.path().join(&alive).exists());
    }
}
