//! Limits that the plan did not ask for, and those that it asked for and could not get.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use common::report::RunResult;
use loadgen::cgroup;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::support::Invocation;
use crate::support::runs::{assert_conserved, assert_run};
use crate::validity::failed;

/// A container whose quota nobody told the plan of.
#[test]
fn a_quota_that_the_plan_did_not_ask_for_is_noticed() {
    let group = Quota::of_a_fifth();
    let busy =
        "--engine async --task synthetic --set task.cpu_us=2000 --set task.redis_round_trips=0 --workers 4 --rate 200";
    let run = format!("run {busy} --duration 3 --warmup 0.5 --backlog-max 1000000");
    let finished = Invocation::new(&run).first(group.joining()).start().finish();
    let run = finished.run();
    assert_conserved(run);
    println!("throttled: {:?}, {}", failed(run), run.verdict.reason);
    assert!(failed(run).contains(&"throttled"), "{:?} {:?}", failed(run), run.resources.throttling);
}

/// A control group with a fifth of a CPU; removed when the test ends.
struct Quota(PathBuf);

impl Quota {
    fn of_a_fifth() -> Quota {
        let home = cgroup::hierarchy("cpu").unwrap();
        let group = home.mount.join(home.path.trim_start_matches('/')).join(format!("test-{}", std::process::id()));
        let (file, text) = match home.version {
            cgroup::Version::V1 => ("cpu.cfs_quota_us", "20000"),
            cgroup::Version::V2 => ("cpu.max", "20000 100000"),
        };
        let made = fs::create_dir(&group);
        assert!(made.is_ok(), "no control groups here, which this test needs (root): {} {made:?}", group.display());
        let quota = Quota(group);
        let limited = fs::write(quota.0.join(file), text);
        assert!(limited.is_ok(), "no quotas here, which this test needs: {file} {limited:?}");
        quota
    }

    /// Makes a process one of it.
    fn joining(&self) -> impl FnMut() -> io::Result<()> + Send + Sync + 'static {
        let mut members = File::options().write(true).open(self.0.join("cgroup.procs")).unwrap();
        // Nought means who writes it.
        move || members.write_all(b"0")
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Where no control group can be made nobody limits the dynos' memory, which is said and does not void what was measured.
#[test]
fn memory_that_could_not_be_limited_is_said() {
    let run = "run --engine async --task null --workers 2 --rate 50 --duration 2 --warmup 0.5 \
               --set dyno.class=custom --set dyno.vcpus=1 --set dyno.memory_mb=300";
    let finished = Invocation::new(run).first(without_control_groups()).start().finish();
    let run = assert_run(&finished, RunResult::Ok);
    println!("dyno memory: {:?}, {:?}", failed(run), run.dyno);
    assert!(failed(run).contains(&"dyno memory"), "{:?} {:?}", failed(run), run.dyno);
    let dyno = run.dyno.as_ref().unwrap();
    assert!(dyno.memory_limit_bytes.is_none() && dyno.label.contains("memory not limited"), "{dyno:?}");
}

/// Makes a process see them, and able to make none: in a mount namespace of its own.
fn without_control_groups() -> impl FnMut() -> io::Result<()> + Send + Sync + 'static {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points: Vec<PathBuf> = mounts
        .lines()
        .filter_map(|line| line.split_once(" - "))
        .filter(|(_, kind)| kind.starts_with("cgroup"))
        .map(|(mount, _)| PathBuf::from(mount.split(' ').nth(4).unwrap()))
        .collect();
    assert!(!points.is_empty(), "no control groups here, which this test needs");
    move || {
        const NOTHING: Option<&str> = None;
        unshare(CloneFlags::CLONE_NEWNS)?;
        mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)?;
        let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        points.iter().try_for_each(|point| Ok(mount(NOTHING, point, NOTHING, read_only, NOTHING)?))
    }
}
