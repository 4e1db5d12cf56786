//! What this process has used so far.

use std::fs;

use common::wire::ProcessUsage;
use nix::sys::resource::{UsageWho, getrusage};

/// CPU and context switches by `getrusage`, the rest from `/proc`; `ended` is left to the caller.
#[must_use]
pub fn of_this_process() -> ProcessUsage {
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() as u64 * 1_000_000 + time.tv_usec() as u64;
    let mut usage = ProcessUsage::default();
    if let Ok(used) = getrusage(UsageWho::RUSAGE_SELF) {
        usage.user_us = micros(used.user_time());
        usage.sys_us = micros(used.system_time());
        usage.voluntary_switches = used.voluntary_context_switches() as u64;
        usage.involuntary_switches = used.involuntary_context_switches() as u64;
    }
    // After the CPU: what looking costs is in nobody's figure. Not ru_maxrss: a child inherits its parent's.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    usage.rss_max_bytes = number(&status, "VmHWM:").unwrap_or(0) * 1024;
    usage.threads = number(&status, "Threads:").unwrap_or(0);
    usage.sockets = sockets(std::process::id());
    usage
}

/// Memory of this process that is no file's: heaps and stacks, exact. `None` where the kernel does not say (before 4.14).
#[must_use]
pub fn anonymous_bytes() -> Option<u64> {
    // Not RssAnon of /proc/self/status: its counters are kept per CPU, and added up only now and then.
    let mappings = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    Some(number(&mappings, "Anonymous:")? * 1024)
}

/// The number in a line of `/proc/<pid>/status`.
#[must_use]
pub fn number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Open sockets of a process.
#[must_use]
pub fn sockets(pid: u32) -> u64 {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return 0 };
    // The link of a socket reads `socket:[inode]`.
    let is_socket = |file: &fs::DirEntry| {
        fs::read_link(file.path()).is_ok_and(|to| to.as_os_str().as_encoded_bytes().starts_with(b"socket:"))
    };
    files.flatten().filter(is_socket).count() as u64
}
