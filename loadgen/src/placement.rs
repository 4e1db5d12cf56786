//! Where the processes of a run are: on which CPUs, and in whose share of them.
//!
//! Everything is asked for before a process begins, inherited by its threads, and read back from the kernel for the report.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::sync::Arc;

use anyhow::Context;
use clap::ValueEnum;
use common::plan::{CpuLimit, Dyno, Settings};
use common::report::Placed;
use nix::sched::sched_setaffinity;
use nix::unistd::Pid;

use crate::cgroup;
use crate::child::Seat;
use crate::error::Refused;

mod allotment;
mod cpus;
mod groups;
mod had;

pub use cpus::{Cpus, Machine, Pin, Sets, Started};
pub use had::dyno_limits;

use allotment::allot;
use groups::{Bound, Groups};

/// How processes are to share CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scheduling {
    /// The best that the system allows
    Auto,
    /// A control group of equal weight for every process
    Cgroups,
    /// A session for every process, which kernels with autogroups weigh equally
    Sessions,
    /// Thread by thread
    None,
}

/// A process of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// This one.
    Loadgen,
    /// The private server.
    Redis,
    /// The delay proxy.
    Proxy,
    /// A worker process.
    Dyno(u32),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Loadgen => f.write_str("loadgen"),
            Part::Redis => f.write_str("redis"),
            Part::Proxy => f.write_str("proxy"),
            Part::Dyno(number) => write!(f, "dyno-{number}"),
        }
    }
}

/// What is in force from here on. Dropping it leaves the control groups.
pub struct Placement {
    machine: Machine,
    sets: Sets,
    groups: Option<Groups>,
    sessions: bool,
    /// Why there are no control groups, until somebody has been told.
    shortage: RefCell<Option<String>>,
    /// What dynos could not be limited by, until somebody has been told, and what that was.
    unlimited: RefCell<(Option<String>, bool)>,
    /// Processes killed for want of memory in a dyno's group before its latest run.
    killed_before: RefCell<BTreeMap<u32, u64>>,
}

impl Placement {
    /// Places loadgen itself. To be called before there are other threads, which inherit it.
    ///
    /// # Errors
    /// CPUs that cannot be had; control groups that were asked for by name and cannot be had.
    pub fn new(pin: &Pin, scheduling: Scheduling, started: Started) -> anyhow::Result<Placement> {
        let machine = Machine::read().context("the CPUs that loadgen may use")?;
        let sets = pin.resolve(&machine, started)?;
        let (groups, shortage) = match scheduling {
            Scheduling::Auto | Scheduling::Cgroups => match Groups::enter() {
                Ok(groups) => (Some(groups), None),
                Err(error) if scheduling == Scheduling::Auto => (None, Some(format!("{error:#}"))),
                Err(error) => {
                    let what_would_do = "use auto, or start loadgen alone in a delegated group";
                    return Err(Refused(format!("--scheduling cgroups: {error:#}; {what_would_do}")).into());
                }
            },
            Scheduling::Sessions | Scheduling::None => (None, None),
        };
        let sessions = groups.is_none() && matches!(scheduling, Scheduling::Auto | Scheduling::Sessions);
        if let Some(cpus) = &sets.loadgen {
            sched_setaffinity(Pid::from_raw(0), &cpus.set()?).with_context(|| format!("--pin loadgen={cpus}"))?;
        }
        let (unlimited, killed_before) = (RefCell::default(), RefCell::default());
        Ok(Placement { machine, sets, groups, sessions, shortage: RefCell::new(shortage), unlimited, killed_before })
    }

    /// Threads that can run at a time where loadgen was started, before it placed itself.
    #[must_use]
    pub fn cpus(&self) -> u32 {
        self.machine.parallelism
    }

    /// The CPUs that a run may use, whoever uses them.
    #[must_use]
    pub fn allowed(&self) -> &Cpus {
        &self.machine.allowed
    }

    /// Whether the delay proxy has been put on CPUs of the generator's: at the same real-time priority as the pacer it would
    /// keep the pacer waiting.
    #[must_use]
    pub fn proxy_is_beside_loadgen(&self) -> bool {
        self.sets.proxy_is_beside_loadgen()
    }

    /// Why processes are not weighed equally although they should be; once. `placed` is what is in force.
    pub fn shortage(&self, placed: &[Placed]) -> Option<String> {
        let why = self.shortage.take()?;
        let equal = matches!(shares(placed), Shares::Cgroups | Shares::Sessions);
        let words = in_words(placed);
        (!equal).then(|| format!("scheduling: {words}; no control groups ({why}): see `One run by hand` in the README"))
    }

    /// What a process of this part is given when it is started.
    ///
    /// # Errors
    /// Its control group cannot be made.
    pub fn seat(&self, part: Part) -> anyhow::Result<Seat> {
        let own = match part {
            Part::Loadgen => &self.sets.loadgen,
            Part::Redis => &self.sets.redis,
            Part::Proxy => &self.sets.proxy,
            Part::Dyno(_) => &self.sets.dynos,
        };
        // Whoever has no set of its own does not inherit loadgen's.
        let pinned = self.sets != Sets::default();
        let cpus = pinned.then(|| own.as_ref().unwrap_or(&self.machine.allowed).set()).transpose()?;
        let group = self.groups.as_ref().map(|groups| groups.open(&part.to_string())).transpose()?;
        Ok(Seat { cpus, group: group.map(Arc::new), limits: Vec::new(), session: self.sessions })
    }

    /// What dyno `number` of a run is given, its limits included: as far as they can be had. What they came to is read back.
    ///
    /// # Errors
    /// As [`seat`](Placement::seat).
    pub fn dyno_seat(&self, number: u32, settings: &Settings) -> anyhow::Result<Seat> {
        let part = Part::Dyno(number);
        let mut seat = self.seat(part)?;
        let Some(asked) = &settings.dyno else { return Ok(seat) };
        let place = self.sets.dynos.as_ref().unwrap_or(&self.machine.allowed);
        let share = |asked: &Dyno| allot(asked, number, settings.workers.dynos, place, self.machine.parallelism);
        let bound = match &self.groups {
            Some(groups) => groups.bind(&part.to_string(), &share(asked), &cgroup::hierarchy),
            None => Bound {
                shortages: vec!["memory not limited, CPUs by affinity alone: no control groups".to_owned()],
                ..Bound::default()
            },
        };
        // Where there is no quota to be had, so many CPUs are the next best.
        let limit = if bound.quota { CpuLimit::Quota } else { CpuLimit::Cpuset };
        seat.cpus = Some(share(&Dyno { limit, ..asked.clone() }).cpus.set()?);
        seat.limits.extend(bound.files.into_iter().map(Arc::new));
        if let Some(killed) = self.oom_kills(number) {
            self.killed_before.borrow_mut().insert(number, killed);
        }
        if !bound.shortages.is_empty() {
            self.unlimited.borrow_mut().0.get_or_insert(bound.shortages.join("; "));
        }
        Ok(seat)
    }

    /// What dynos could not be limited by, and why; once.
    pub fn unlimited(&self) -> Option<String> {
        let (why, told) = &mut *self.unlimited.borrow_mut();
        let why = why.take().filter(|_| !*told)?;
        *told = true;
        Some(format!("limits of dynos: {why}: see `Dynos of a class` in the README"))
    }

    fn oom_kills(&self, dyno: u32) -> Option<u64> {
        self.groups.as_ref()?.oom_kills(&Part::Dyno(dyno).to_string(), &cgroup::hierarchy)
    }

    /// Whether dyno `number` was killed for want of memory since it was given its seat.
    #[must_use]
    pub fn ran_out_of_memory(&self, number: u32) -> bool {
        let before = self.killed_before.borrow().get(&number).copied();
        before.zip(self.oom_kills(number)).is_some_and(|(before, now)| now > before)
    }
}

/// What is in force for these processes of this machine, as the kernel says. Those that are gone are left out.
#[must_use]
pub fn read_back(processes: impl IntoIterator<Item = (Part, u32)>) -> Vec<Placed> {
    let autogroups = fs::read_to_string("/proc/sys/kernel/sched_autogroup_enabled").is_ok_and(|on| on.trim() == "1");
    let placed = processes.into_iter().filter_map(|(part, pid)| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let cpus = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim().to_owned();
        let (group, weight) = cgroup::weighed_group(pid).unzip();
        // /autogroup-123 nice 0
        let session = || Some(fs::read_to_string(format!("/proc/{pid}/autogroup")).ok()?.split(' ').next()?.to_owned());
        let group = group.or_else(|| if autogroups { session() } else { None });
        let cgroup::Bounds { cpu_quota, memory_bytes: memory_limit_bytes } = cgroup::bounds(pid);
        Some(Placed { process: part.to_string(), cpus, group, weight, cpu_quota, memory_limit_bytes })
    });
    placed.collect()
}

/// What shares of the CPUs are given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shares {
    Cgroups,
    Sessions,
    /// Groups, but not of equal weight.
    Different,
    Threads,
}

fn shares(placed: &[Placed]) -> Shares {
    let mut groups: Vec<_> = placed.iter().map(|placed| placed.group.as_deref()).collect();
    groups.sort_unstable();
    groups.dedup();
    // Weights are shares among those of the same group only.
    let above = |group: &Option<&str>| group.and_then(|group| Some(group.rsplit_once('/')?.0.to_owned()));
    let siblings = groups.windows(2).all(|pair| above(&pair[0]) == above(&pair[1]));
    let alike = placed.windows(2).all(|pair| pair[0].weight == pair[1].weight);
    match placed.first().and_then(|first| first.weight) {
        _ if groups.len() < placed.len() => Shares::Threads,
        Some(_) if alike && siblings => Shares::Cgroups,
        None if alike => Shares::Sessions,
        _ => Shares::Different,
    }
}

/// `dynos` for each of them.
fn kind(process: &str) -> &str {
    if process.starts_with("dyno-") { "dynos" } else { process }
}

/// The same in words.
#[must_use]
pub fn in_words(placed: &[Placed]) -> String {
    let shares = match shares(placed) {
        Shares::Cgroups => "cgroups of equal weight",
        Shares::Sessions => "sessions of equal weight",
        Shares::Different => "groups of different weight",
        Shares::Threads => "shared, thread by thread",
    };
    let server = if placed.iter().any(|placed| placed.process == Part::Redis.to_string()) {
        ""
    } else {
        " (without the server)"
    };
    // Dynos are numbered as they arrive, so that it is chance which of them is where. The proxy is not in it: what is said of a
    // bench holds for its cells without a distance, too.
    let of_all = placed.iter().filter(|placed| placed.process != Part::Proxy.to_string());
    let mut places: Vec<(&str, &str)> = of_all.map(|placed| (kind(&placed.process), &*placed.cpus)).collect();
    let dynos = places.iter().position(|place| place.0 == "dynos").unwrap_or(places.len());
    places[dynos..].sort_unstable();
    places.dedup();
    let everywhere = places.first().filter(|first| places.iter().all(|place| place.1 == first.1));
    let places = match everywhere {
        Some((_, cpus)) => format!("all on CPUs {cpus}"),
        None => {
            let same = places.chunk_by(|one, next| one.0 == next.0);
            let on = |places: &[(&str, &str)]| places.iter().map(|place| place.1).collect::<Vec<_>>().join(" and ");
            same.map(|places| format!("{} on {}", places[0].0, on(places))).collect::<Vec<_>>().join(", ")
        }
    };
    format!("{shares}{server}, {places}")
}

#[cfg(test)]
mod tests {
    use common::report::Placed;

    use super::in_words;

    fn placed(process: &str, cpus: &str, group: Option<&str>, weight: Option<u64>) -> Placed {
        let group = group.map(str::to_owned);
        Placed {
            process: process.to_owned(),
            cpus: cpus.to_owned(),
            group,
            weight,
            cpu_quota: None,
            memory_limit_bytes: None,
        }
    }

    #[test]
    fn what_is_in_force_is_said_in_words() {
        let three = |cpus: [&str; 3], groups: [Option<&str>; 3], weights: [Option<u64>; 3]| {
            let processes = ["loadgen", "redis", "dyno-0"];
            in_words(&[0, 1, 2].map(|at| placed(processes[at], cpus[at], groups[at], weights[at])))
        };
        let (same, apart) = (["0-1"; 3], ["0", "1", "2-3"]);
        let (own, sessions) = ([Some("/a"), Some("/b"), Some("/c")], [Some("/s-1"), Some("/s-2"), Some("/s-3")]);
        let nested = [Some("/a"), Some("/b"), Some("/other/c")];
        for (cpus, groups, weights, words) in [
            (same, own, [Some(9); 3], "cgroups of equal weight, all on CPUs 0-1"),
            (same, sessions, [None; 3], "sessions of equal weight, all on CPUs 0-1"),
            (
                apart,
                own,
                [Some(9), Some(9), Some(8)],
                "groups of different weight, loadgen on 0, redis on 1, dynos on 2-3",
            ),
            (same, nested, [Some(9); 3], "groups of different weight, all on CPUs 0-1"),
            (same, [Some("/a"), Some("/b"), Some("/a")], [Some(9); 3], "shared, thread by thread, all on CPUs 0-1"),
            (same, [None; 3], [None; 3], "shared, thread by thread, all on CPUs 0-1"),
        ] {
            assert_eq!(three(cpus, groups, weights), words);
        }
        let without_server = [placed("loadgen", "0", Some("/a"), Some(9)), placed("dyno-0", "1", Some("/b"), Some(9))];
        assert_eq!(in_words(&without_server), "cgroups of equal weight (without the server), loadgen on 0, dynos on 1");
        // Whichever of them came first.
        for dynos in [["1-2", "3"], ["3", "1-2"]] {
            let apart = [
                placed("loadgen", "0", None, None),
                placed("dyno-0", dynos[0], None, None),
                placed("dyno-1", dynos[1], None, None),
            ];
            assert!(in_words(&apart).ends_with("loadgen on 0, dynos on 1-2 and 3"), "{}", in_words(&apart));
        }
    }
}
