//! What the server and loadgen used between the two instants of the window.

use std::fs;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::report::{Throttling, Usage};
use common::wire::ProcessUsage;
use crossbeam_channel::{Receiver, Sender, bounded};
use dyno::clock::now_ns;
use dyno::usage::number;

use crate::cgroup;
use crate::host;
use crate::monitor::{Monitor, ServerCpu};
use crate::proxy::process::Control;
use crate::proxy::{Question, Tally};

/// A server that takes longer to state its CPU time has not stated it for the instant that was asked.
const REDIS_ANSWER_NS_MAX: u64 = 250_000_000;

/// Both at one instant.
#[derive(Debug, Clone)]
struct Sample {
    at_ns: u64,
    redis_cpu: Option<ServerCpu>,
    redis: Option<ProcessUsage>,
    loadgen: ProcessUsage,
    cpus: Option<CpuTimes>,
    proxy: Option<(ProcessUsage, Option<Tally>)>,
    throttling: Option<Throttling>,
}

/// What was used over the window, or by a run that ended before it.
#[derive(Debug, Clone, Default)]
pub struct WindowUsage {
    /// Between the two samples.
    pub seconds: f64,
    /// The server.
    pub redis: Usage,
    /// Loadgen.
    pub loadgen: Usage,
    /// The CPUs; `None` where the kernel does not say.
    pub cpus: Option<CpuTimes>,
    /// The delay proxy; `None` when there is none.
    pub proxy: Option<Usage>,
    /// What it passed on; `None` when it did not answer at both ends.
    pub tally: Option<Tally>,
    /// What quotas held back from the dynos.
    pub throttling: Option<Throttling>,
}

/// Seconds of some CPUs together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CpuTimes {
    /// At work, for whomever.
    pub busy_s: f64,
    /// Wanted by somebody here, and given to others by the hypervisor.
    pub steal_s: f64,
}

/// What a run used until it ended.
#[derive(Debug, Clone)]
pub enum Sampled {
    /// It ended in its warm-up.
    BeforeWindow(WindowUsage),
    /// Of the window, or what there was of it.
    Window(WindowUsage),
}

/// Takes a sample at each end of the window, from a thread of its own; one at once, for runs that do not come so far.
pub struct Sampler {
    thread: JoinHandle<(Monitor, Sampled)>,
    stop: Sender<()>,
}

impl Sampler {
    /// `redis_pid`: the server's process, if it is on this machine; `cpus`: those that a run may use; `dynos`: processes of dynos that are on
    /// this machine; `proxy`: the delay
    /// proxy's process, if there is one.
    ///
    /// # Errors
    /// No thread left.
    pub fn start(
        mut monitor: Monitor,
        redis_pid: Option<u32>,
        cpus: Vec<u32>,
        dynos: Vec<u32>,
        start_ns: u64,
        mut proxy: Option<(u32, Control)>,
        window_ns: (u64, u64),
    ) -> anyhow::Result<Sampler> {
        let (stop, stopped) = bounded(1);
        let thread = thread::Builder::new().name("sampler".into()).spawn(move || {
            // A stop is said once.
            let never = wait_until(start_ns, &stopped);
            let mut look = |question| sample(&mut monitor, redis_pid, proxy.as_mut(), question, &cpus, &dynos);
            let mut before = look(Question::Begin);
            let early = never || wait_until(window_ns.0, &stopped);
            if !early {
                before = look(Question::Begin);
                wait_until(window_ns.1, &stopped);
            }
            let usage = between(before, look(Question::End));
            (monitor, if early { Sampled::BeforeWindow(usage) } else { Sampled::Window(usage) })
        })?;
        Ok(Sampler { thread, stop })
    }

    /// The run has ended: takes the second sample now if the window has not.
    pub fn stop(&self) {
        let _ = self.stop.try_send(());
    }

    /// Gives the monitor back.
    ///
    /// # Errors
    /// The sampling thread died.
    pub fn finish(self) -> anyhow::Result<(Monitor, Sampled)> {
        self.thread.join().map_err(|_| anyhow::anyhow!("the sampling thread panicked"))
    }
}

/// Whether it was stopped before the instant.
fn wait_until(instant_ns: u64, stopped: &Receiver<()>) -> bool {
    let wait = Duration::from_nanos(instant_ns.saturating_sub(now_ns()));
    stopped.recv_timeout(wait).is_ok()
}

fn sample(
    monitor: &mut Monitor,
    redis_pid: Option<u32>,
    proxy: Option<&mut (u32, Control)>,
    question: Question,
    cpus: &[u32],
    dynos: &[u32],
) -> Sample {
    let at_ns = now_ns();
    let loadgen = dyno::usage::of_this_process();
    let proxy = proxy.and_then(|(pid, control)| of_proxy(*pid, control, question));
    let redis = redis_pid.and_then(of_process);
    let cpus = fs::read_to_string("/proc/stat").ok().and_then(|stat| cpu_times(&stat, cpus));
    // The answer of a server that hangs belongs to another instant.
    let asked_ns = now_ns();
    let redis_cpu = monitor.cpu().ok().filter(|_| now_ns() - asked_ns < REDIS_ANSWER_NS_MAX);
    Sample { at_ns, redis_cpu, redis, loadgen, cpus, throttling: cgroup::throttling(dynos), proxy }
}

fn between(before: Sample, after: Sample) -> WindowUsage {
    let mut redis = match (&before.redis, &after.redis) {
        (Some(before), Some(after)) => difference(before, after),
        _ => Usage::default(),
    };
    if let (Some(before), Some(after)) = (before.redis_cpu, after.redis_cpu) {
        redis.cpu_user_s = Some(after.user_s - before.user_s);
        redis.cpu_sys_s = Some(after.sys_s - before.sys_s);
    }
    let (proxy, tally) = match (before.proxy, after.proxy) {
        (Some((before, _)), Some((after, tally))) => (Some(difference(&before, &after)), tally),
        _ => (None, None),
    };
    WindowUsage {
        seconds: after.at_ns.saturating_sub(before.at_ns) as f64 / 1e9,
        redis,
        loadgen: difference(&before.loadgen, &after.loadgen),
        cpus: before.cpus.zip(after.cpus).map(|(before, after)| CpuTimes {
            busy_s: after.busy_s - before.busy_s,
            steal_s: after.steal_s - before.steal_s,
        }),
        proxy,
        tally,
        // Groups that went with their dyno are missing from the second.
        throttling: before.throttling.zip(after.throttling).map(|(before, after)| Throttling {
            periods: after.periods.saturating_sub(before.periods),
            throttled_us: after.throttled_us.saturating_sub(before.throttled_us),
        }),
    }
}

/// Of these CPUs, from the text of `/proc/stat`.
fn cpu_times(stat: &str, cpus: &[u32]) -> Option<CpuTimes> {
    let ticks_per_s = host::ticks_per_s();
    let mut sum = CpuTimes::default();
    for cpu in cpus {
        // user nice system idle iowait irq softirq steal; guests are in user.
        let line = stat.lines().find_map(|line| line.strip_prefix(&format!("cpu{cpu} ")))?;
        let times: Vec<f64> = line.split(' ').take(8).map(|time| time.parse().ok()).collect::<Option<_>>()?;
        let [user, nice, system, _idle, _iowait, irq, softirq, steal] = times[..] else { return None };
        sum.busy_s += (user + nice + system + irq + softirq) / ticks_per_s;
        sum.steal_s += steal / ticks_per_s;
    }
    Some(sum)
}

/// What a process used between two of its reports; CPU per task is left to the caller.
#[must_use]
pub fn difference(before: &ProcessUsage, after: &ProcessUsage) -> Usage {
    let seconds = |before: u64, after: u64| Some(after.saturating_sub(before) as f64 / 1e6);
    Usage {
        cpu_user_s: seconds(before.user_us, after.user_us),
        cpu_sys_s: seconds(before.sys_us, after.sys_us),
        cpu_us_per_task: None,
        rss_max_bytes: Some(after.rss_max_bytes),
        threads: Some(after.threads),
        voluntary_switches: Some(after.voluntary_switches.saturating_sub(before.voluntary_switches)),
        involuntary_switches: Some(after.involuntary_switches.saturating_sub(before.involuntary_switches)),
        sockets: Some(after.sockets),
    }
}

/// The proxy states its own CPU, at the instant at which it begins or ends to count; the rest is looked up.
fn of_proxy(pid: u32, control: &mut Control, question: Question) -> Option<(ProcessUsage, Option<Tally>)> {
    let answer = control.ask(question).ok()?;
    let usage = ProcessUsage { user_us: answer.user_us, sys_us: answer.sys_us, ..of_process(pid)? };
    Some((usage, answer.tally))
}

/// Another process of this machine, CPU left out: it states its own.
fn of_process(pid: u32) -> Option<ProcessUsage> {
    let mut usage = ProcessUsage::default();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    usage.rss_max_bytes = number(&status, "VmHWM:").unwrap_or(0) * 1024;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let Ok(status) = fs::read_to_string(thread.path().join("status")) else { continue };
        usage.threads += 1;
        usage.voluntary_switches += number(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        usage.involuntary_switches += number(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
    }
    usage.sockets = dyno::usage::sockets(pid);
    Some(usage)
}

#[cfg(test)]
mod tests {
    use super::{CpuTimes, cpu_times};

    #[test]
    fn times_of_cpus_are_added_up_and_a_missing_one_is_no_zero() {
        let stat = "cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 10 50 900 5 1 2 30 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\ncpu10 7 0 0 0 0 0 0 1 0 0\nintr 5\n";
        let times = |cpus: &[u32]| cpu_times(stat, cpus);
        assert_eq!(times(&[0]), Some(CpuTimes { busy_s: 1.63, steal_s: 0.3 }));
        assert_eq!(times(&[10, 1]), Some(CpuTimes { busy_s: 0.07, steal_s: 0.01 }));
        assert_eq!((times(&[2]), cpu_times("", &[0])), (None, None));
    }
}
