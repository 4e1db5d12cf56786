//! On which CPUs the processes of a run are and in whose share of them: as asked for, and as the report says.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use common::report::{Placed, Run, RunResult};
use loadgen::cgroup;
use loadgen::placement::Cpus;
use nix::sys::signal::Signal;

use crate::support::process::await_children;
use crate::support::runs::assert_run;
use crate::support::{loadgen, start};

const SHORT: &str = "run --task null --workers 4 --dynos 2 --rate 100 --duration 0.3 --warmup 0 --backlog-max 1000 \
                     --set load.drain_s=60 --set slo.drain_within_s=60";

fn run(line: &str) -> Run {
    assert_run(&loadgen(&format!("{SHORT} {line}")), RunResult::Ok).clone()
}

/// The groups of loadgen that are there, in the hierarchies of this process in which it makes some.
fn groups_of(pid: u32) -> Vec<PathBuf> {
    let homes = ["cpu", "cpuset", "memory"].into_iter().filter_map(cgroup::hierarchy);
    let homes: BTreeSet<PathBuf> = homes.map(|one| one.mount.join(one.path.trim_start_matches('/'))).collect();
    let groups = homes.iter().flat_map(|home| fs::read_dir(home).into_iter().flatten().map(|entry| entry.unwrap()));
    let ours = groups.filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("headroom-{pid}-")));
    ours.map(|entry| entry.path()).collect()
}

#[test]
fn every_process_is_in_the_report_and_as_it_was_asked_for() {
    let names = |run: &Run| run.host.placement.iter().map(|placed| placed.process.clone()).collect::<Vec<_>>();
    let distinct = |placed: &[Placed]| {
        placed.iter().enumerate().all(|(at, one)| placed[..at].iter().all(|other| other.group != one.group))
    };
    let best = run("--engine async");
    assert_eq!(names(&best), ["loadgen", "redis", "dyno-0", "dyno-1"]);
    let words = best.host.scheduling.split(',').next().unwrap();
    // What can be had depends on the machine; what is said must be so.
    assert_eq!(words.ends_with("of equal weight"), distinct(&best.host.placement), "{:?}", best.host);

    let threads = run("--engine async --scheduling none");
    assert!(threads.host.scheduling.starts_with("shared, thread by thread"), "{:?}", threads.host);
    assert!(!distinct(&threads.host.placement));

    let sessions = run("--engine threaded --scheduling sessions");
    let autogroups = fs::read_to_string("/proc/sys/kernel/sched_autogroup_enabled").is_ok_and(|on| on.trim() == "1");
    let said = sessions.host.scheduling.starts_with("sessions of equal weight");
    let in_a_group = cgroup::weighed_group(std::process::id()).is_some();
    assert_eq!(said, autogroups && !in_a_group, "{:?}", sessions.host);
}

#[test]
fn pinned_processes_are_where_they_were_put_and_size_themselves_by_it() {
    let allowed = Cpus::allowed().unwrap().to_string();
    let first = allowed.split([',', '-']).next().unwrap();
    let pinned = run(&format!("--engine async --pin redis={first}/dynos={first}"));
    let of = |name: &str| &pinned.host.placement.iter().find(|placed| placed.process == name).unwrap().cpus;
    assert_eq!((of("redis").as_str(), of("dyno-0").as_str(), of("dyno-1").as_str()), (first, first, first));
    assert_eq!(*of("loadgen"), allowed);
    // Each dyno: main, control, the runtime's own thread, and one worker of tokio for its one CPU.
    assert_eq!(pinned.resources.workers.threads, Some(2 * 4));
    // The machine is the same, whatever part of it is used.
    assert_eq!(pinned.host.fingerprint, run("--engine async --pin none").host.fingerprint);
}

#[test]
fn no_group_stays_behind() {
    // Limits may need groups in more hierarchies than weights do.
    for limits in ["", "--set dyno.class=custom --set dyno.vcpus=1 --set dyno.memory_mb=300"] {
        let finished = start(&format!("{SHORT} --engine async {limits}"));
        let pid = finished.pid();
        finished.finish();
        assert_eq!(groups_of(pid), Vec::<PathBuf>::new(), "{limits}");

        // One that is killed cannot clear up; the next one does.
        let killed = start(&format!("run --task null --engine async --workers 2 --rate 10 --duration 600 {limits}"));
        let pid = killed.pid();
        await_children(pid, "workers-", 1);
        killed.signal(Signal::SIGKILL);
        killed.finish_with_orphans();
        run(&format!("--engine async {limits}"));
        assert_eq!(groups_of(pid), Vec::<PathBuf>::new(), "{limits}");
    }
}
