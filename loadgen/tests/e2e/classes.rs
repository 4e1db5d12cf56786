//! Dynos of a class, and a server with a bound: what a report says of them is what the kernel and the server say. What can be
//! had depends on the machine; what is said must be so everywhere.

use std::fs;

use common::plan::DynoClass;
use common::report::Ended;
use loadgen::placement::Cpus;
use testkit::TestServer;

use crate::support::process::await_children;
use crate::support::runs::{assert_conserved, failures};
use crate::support::{loadgen, start};

const MIB: u64 = 1 << 20;

/// The memory limit of a process's own group, read without any of loadgen's code; `None`: none.
fn memory_limit(pid: u32) -> Option<u64> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path_of = |controllers: &str| groups.lines().find_map(|line| line.split_once(':')?.1.strip_prefix(controllers));
    let file = match (path_of("memory:"), path_of(":")) {
        (Some(path), _) => format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"),
        (None, path) => format!("/sys/fs/cgroup{}/memory.max", path?),
    };
    fs::read_to_string(file).ok()?.trim().parse().ok().filter(|&limit: &u64| limit < 1 << 62)
}

fn cpus(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_owned()
}

/// How many CPUs dynos can have at a time: fewer than this process may use where a quota is in force.
fn cpus_at_a_time() -> u32 {
    let parallelism = std::thread::available_parallelism().unwrap().get() as u32;
    Cpus::allowed().unwrap().count().min(parallelism)
}

#[test]
fn what_is_said_of_dynos_is_what_the_kernel_says() {
    let run = start(
        "run --task null --engine async --workers 2 --dynos 2 --rate 50 --duration 2 --warmup 0 --pin none \
         --set dyno.class=custom --set dyno.vcpus=1 --set dyno.memory_mb=300",
    );
    let dynos: Vec<u32> = await_children(run.pid(), "workers-", 2).iter().map(|dyno| dyno.pid).collect();
    let seen: Vec<_> = dynos.iter().map(|&pid| (cpus(pid), memory_limit(pid))).collect();
    let finished = run.finish();
    let run = finished.run();
    assert_conserved(run);
    let said: Vec<_> = run.host.placement.iter().filter(|placed| placed.process.starts_with("dyno-")).collect();
    let limits = run.dyno.as_ref().unwrap();
    let mut said_cpus: Vec<_> = said.iter().map(|placed| placed.cpus.clone()).collect();
    let mut seen_cpus: Vec<_> = seen.iter().map(|(cpus, _)| cpus.clone()).collect();
    said_cpus.sort_unstable();
    seen_cpus.sort_unstable();
    assert_eq!(said_cpus, seen_cpus, "{limits:?}");
    assert_eq!((limits.vcpus_asked, limits.memory_asked_bytes), (1, 300 * MIB));
    if cpus_at_a_time() > 1 {
        assert_ne!(said[0].cpus, said[1].cpus, "each its own");
        assert_eq!((limits.vcpus, limits.scale), (Some(1.0), Some(1.0)));
    } else {
        assert!(limits.scale > Some(1.0), "less than two for two: {limits:?}");
    }
    for ((_, seen), said) in seen.iter().zip(&said) {
        // A group above may be tighter than the dyno's own.
        assert!(seen.is_none() || said.memory_limit_bytes <= *seen, "{seen:?} {said:?}");
    }
    let limited = seen.iter().all(|(_, limit)| *limit == Some(300 * MIB));
    assert_eq!(limits.memory_limit_bytes == Some(300 * MIB), limited, "{limits:?}");
    assert_eq!(limits.label.contains("memory not limited"), !limited, "{limits:?}");
    assert!(finished.stdout.contains(&limits.label), "{finished}");
}

#[test]
fn a_smaller_machine_is_never_called_the_class() {
    let finished = loadgen(
        "run --task null --engine threaded --rate 50 --duration 0.3 --warmup 0 --set dyno.class=performance-2xl --set workers.count=",
    );
    let run = finished.run();
    let limits = run.dyno.as_ref().unwrap();
    assert_eq!((limits.class, limits.vcpus_asked), (DynoClass::Performance2xl, 16));
    assert_eq!(run.workers.count, 63, "the class has a worker count");
    let allowed = cpus_at_a_time();
    if allowed < 16 {
        assert!(limits.label.starts_with("performance-2xl scaled 1:"), "{limits:?}");
        assert_eq!(limits.scale, limits.vcpus.map(|vcpus| 16.0 / vcpus));
    }
    assert!(limits.vcpus.unwrap() <= f64::from(allowed.min(16)));
}

#[test]
fn a_dyno_beyond_its_memory_ends_the_run_and_says_so() {
    // Nobody takes a task, and every one that waits takes memory: of this many several times the limit.
    let finished = loadgen(
        "run --force --task synthetic --engine async --workers 4 --backlog-max 100000000 --rate 50000 --duration 40 --warmup 0 \
         --set task.redis_round_trips=0 --set task.sleep_ms=2000 --set load.drain_s=0.5 \
         --set dyno.class=custom --set dyno.vcpus=1 --set dyno.memory_mb=24",
    );
    let run = finished.run();
    assert_conserved(run);
    let limited = run.dyno.as_ref().unwrap().memory_limit_bytes == Some(24 * MIB);
    match &run.ended {
        Ended::DynoLost { dyno: 0, status: Some(status), .. } => {
            assert!(
                status.contains("signal: 9") && status.contains("killed: out of memory (limit 24 MiB)"),
                "{status}"
            );
            assert!(run.verdict.reason.contains("out of memory (limit 24 MiB)"), "{:?}", run.verdict);
            assert_eq!(finished.code, Some(4), "{finished}");
        }
        // A dyno that is too slow to take them in leaves them in loadgen's hands.
        Ended::Overloaded => assert_eq!(run.backlog.overload.as_ref().unwrap().worker, None),
        ended => assert!(!limited, "{ended:?}"),
    }
}

#[test]
fn a_server_out_of_memory_ends_the_run_with_the_figures() {
    let server = TestServer::start_with(&["--maxmemory", "12mb"]);
    let finished = loadgen(&format!(
        "run --engine async --workers 2 --list-max 3 --payload-kb 20 --rate 400 --duration 600 --redis-url redis://{}/0",
        server.addr()
    ));
    let run = finished.run();
    assert_conserved(run);
    assert_eq!(finished.code, Some(4), "{finished}");
    assert!(matches!(run.ended, Ended::ServerFull { .. }), "{:?}", run.ended);
    assert!(run.redis_work.request_errors["out_of_memory"] > 0, "{:?}", run.redis_work);
    assert!(failures(run).contains(&"server memory"), "{:?}", run.validity);
    assert_eq!(run.redis_server.maxmemory_bytes, Some(12 * MIB));
    let reason = &run.verdict.reason;
    assert!(reason.contains("the server was out of memory at") && reason.contains("of 12582912 bytes"), "{reason}");
}

#[test]
fn a_server_too_small_for_the_documents_is_refused() {
    let server = TestServer::start_with(&["--maxmemory", "3mb"]);
    let finished = loadgen(&format!(
        "run --engine async --workers 10 --payload-kb 50 --rate 10 --duration 1 --redis-url redis://{}/0",
        server.addr()
    ));
    assert_eq!(finished.code, Some(2), "{finished}");
    assert!(finished.stderr.contains("no memory left for the documents: raise its maxmemory"), "{finished}");
}

#[test]
fn a_server_that_throws_documents_away_makes_the_run_invalid() {
    let server = TestServer::start_with(&["--maxmemory", "6mb", "--maxmemory-policy", "allkeys-random"]);
    let finished = loadgen(&format!(
        "run --engine async --workers 4 --list-max 3 --payload-kb 20 --rate 400 --duration 4 --grow --backlog-max 100000 \
         --redis-url redis://{}/0",
        server.addr()
    ));
    let run = finished.run();
    let evicted: u64 = {
        let info: String = redis::cmd("INFO").arg("stats").query(&mut server.connection()).unwrap();
        info.lines().find_map(|line| line.strip_prefix("evicted_keys:")).unwrap().trim().parse().unwrap()
    };
    assert!(evicted > 0, "40 MB into 6");
    assert_eq!(run.redis_server.evicted_keys, Some(evicted));
    assert_eq!(run.redis_server.maxmemory_policy.as_deref(), Some("allkeys-random"));
    assert!(failures(run).contains(&"evictions"), "{:?}", run.validity);
    assert!(run.validity.checks.iter().any(|check| check.name == "eviction policy" && !check.ok));
    assert_eq!(finished.code, Some(4), "{finished}");
}

#[test]
fn a_run_that_cannot_fit_is_told_what_would() {
    let finished = loadgen("run --engine async --rate 10000 --duration 9000 --grow");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{finished}");
    for word in ["GiB of memory", "are available: load.duration_s = ", " or load.rate_per_s = ", "would fit"] {
        assert!(finished.stderr.contains(word), "{finished}");
    }
}
