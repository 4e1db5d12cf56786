//! The machine, as reports describe it.

use std::fs;

use common::plan::hex16;
use common::report::Host;
use dyno::limits;
use nix::unistd::{SysconfVar, sysconf};
use sha2::{Digest, Sha256};

/// Reads what `/proc` says now of a machine of which loadgen may use `cpus` CPUs; `load_average_end`, `mhz_end`,
/// `scheduling`, `placement`, `pacer_priority`, `compute_rounds_per_us` and `calibration` are filled in later.
#[must_use]
pub fn read(cpus: u32) -> Host {
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu_info
        .lines()
        .find_map(|line| line.strip_prefix("model name").or_else(|| line.strip_prefix("CPU part")))
        .and_then(|rest| rest.split_once(':'))
        .map_or_else(|| "unknown".to_owned(), |(_, model)| model.trim().to_owned());
    let memory_bytes = memory("MemTotal:").unwrap_or(0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    let arch = std::env::consts::ARCH.to_owned();
    // Memory in whole GiB: the kernel reserves a little more or less at every boot.
    let stable = format!("{model}\n{cpus}\n{}\n{kernel}\n{arch}", memory_bytes.div_ceil(1 << 30));
    Host {
        fingerprint: hex16(&Sha256::digest(stable)),
        cpu_model: model,
        cpus,
        memory_bytes,
        kernel,
        arch,
        load_average_start: load_average(),
        load_average_end: 0.0,
        idle: driver_and_governor("cpuidle/current_driver", "cpuidle/current_governor_ro"),
        frequency: driver_and_governor("cpu0/cpufreq/scaling_driver", "cpu0/cpufreq/scaling_governor"),
        mhz_start: mhz(),
        mhz_end: None,
        scheduling: String::new(),
        placement: Vec::new(),
        pacer_priority: String::new(),
        compute_rounds_per_us: None,
        calibration: None,
        huge_pages: limits::huge_pages().to_owned(),
    }
}

/// How many of the units that `/proc` counts CPU time in make a second.
#[must_use]
pub fn ticks_per_s() -> f64 {
    sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100) as f64
}

/// A line of `/proc/meminfo`, in bytes.
#[must_use]
pub fn memory(name: &str) -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Threads of all processes.
#[must_use]
pub fn threads_running() -> Option<u64> {
    // 0.20 0.18 0.12 1/80 11206
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').nth(3)?.split_once('/')?.1.parse().ok()
}

/// As `driver/governor`, from two files of the kernel's directory of CPUs.
fn driver_and_governor(driver: &str, governor: &str) -> Option<String> {
    let read = |file| fs::read_to_string(format!("/sys/devices/system/cpu/{file}")).ok();
    Some(format!("{}/{}", read(driver)?.trim(), read(governor)?.trim()))
}

/// Mean frequency of the CPUs now; arm64 does not show it here.
#[must_use]
pub fn mhz() -> Option<f64> {
    mean_mhz(&fs::read_to_string("/proc/cpuinfo").ok()?)
}

fn mean_mhz(cpu_info: &str) -> Option<f64> {
    let line = |line: &str| line.strip_prefix("cpu MHz")?.split_once(':')?.1.trim().parse::<f64>().ok();
    let all: Vec<f64> = cpu_info.lines().filter_map(line).collect();
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}

/// Of the last minute.
#[must_use]
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::mean_mhz;

    #[test]
    fn the_frequency_is_a_mean_or_not_to_be_seen() {
        for (cpu_info, expected) in [
            ("processor\t: 0\ncpu MHz\t\t: 2000.500\n\nprocessor\t: 1\ncpu MHz\t\t: 3000.500\n", Some(2500.5)),
            ("processor\t: 0\nBogoMIPS\t: 243.75\n", None),
            ("cpu MHz\t\t: unknown\n", None),
        ] {
            assert_eq!(mean_mhz(cpu_info), expected, "{cpu_info}");
        }
    }
}
