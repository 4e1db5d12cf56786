//! Where the processes of a run are: on which CPUs, and in whose share of them.
//!
//! Everything is asked for before a process begins, inherited by its threads, and read back from the kernel for the report.

use std::fmt;
use std::fs;
use std::sync::Arc;

use clap::ValueEnum;
use common::report::{Host, Placed};
use nix::sched::sched_setaffinity;
use nix::unistd::Pid;

use crate::cgroup;
use crate::child::Seat;
use crate::error::Refused;

mod cpus;
mod groups;

pub use cpus::{Cpus, Pin, Sets};

use groups::Groups;

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
    /// A worker process.
    Dyno(u32),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Loadgen => f.write_str("loadgen"),
            Part::Redis => f.write_str("redis"),
            Part::Dyno(number) => write!(f, "dyno-{number}"),
        }
    }
}

/// What is in force from here on. Dropping it leaves the control groups.
pub struct Placement {
    allowed: Cpus,
    sets: Sets,
    groups: Option<Groups>,
    sessions: bool,
}

impl Placement {
    /// Places loadgen itself. To be called before there are other threads, which inherit it.
    ///
    /// # Errors
    /// CPUs that loadgen may not use; control groups that were asked for by name and cannot be had.
    pub fn new(pin: &Pin, scheduling: Scheduling) -> anyhow::Result<Placement> {
        let allowed = Cpus::allowed()?;
        let sets = pin.resolve(&allowed, &cpus::cores(&allowed))?;
        let groups = match scheduling {
            Scheduling::Auto => Groups::enter().ok(),
            Scheduling::Cgroups => Some(Groups::enter().map_err(|error| {
                Refused(format!(
                    "--scheduling cgroups: {error:#}; use auto, or give loadgen a delegated group of its own"
                ))
            })?),
            Scheduling::Sessions | Scheduling::None => None,
        };
        let sessions = groups.is_none() && matches!(scheduling, Scheduling::Auto | Scheduling::Sessions);
        if let Some(cpus) = &sets.loadgen {
            sched_setaffinity(Pid::from_raw(0), &cpus.set()?)?;
        }
        Ok(Placement { allowed, sets, groups, sessions })
    }

    /// CPUs that loadgen could use before it placed itself.
    #[must_use]
    pub fn cpus(&self) -> u32 {
        self.allowed.count()
    }

    /// Whether runs whose processes were placed as in `earlier` may stand beside those of this loadgen.
    ///
    /// # Errors
    /// They may not; the message says what was in force then and now.
    pub fn agrees(&self, earlier: &Host) -> Result<(), Refused> {
        let of_loadgen = |placed: &&Placed| placed.process == Part::Loadgen.to_string();
        let now = read_back([(Part::Loadgen, std::process::id())]);
        let (Some(then), Some(now)) = (earlier.placement.iter().find(of_loadgen), now.first()) else { return Ok(()) };
        if (&then.cpus, then.weight) == (&now.cpus, now.weight) {
            return Ok(());
        }
        Err(Refused(format!(
            "--resume: measured with scheduling {:?}, and loadgen is on CPUs {} now, {}: repeat --pin and --scheduling of \
             that bench",
            earlier.scheduling,
            now.cpus,
            if now.weight.is_some() { "in a control group of its own" } else { "in no control group" }
        )))
    }

    /// What a process of this part is given when it is started.
    ///
    /// # Errors
    /// Its control group cannot be made.
    pub fn seat(&self, part: Part) -> anyhow::Result<Seat> {
        let own = match part {
            Part::Loadgen => &self.sets.loadgen,
            Part::Redis => &self.sets.redis,
            Part::Dyno(_) => &self.sets.dynos,
        };
        // Whoever has no set of its own does not inherit loadgen's.
        let pinned = self.sets != Sets::default();
        let cpus = pinned.then(|| own.as_ref().unwrap_or(&self.allowed).set()).transpose()?;
        let group = self.groups.as_ref().map(|groups| groups.open(&part.to_string())).transpose()?;
        Ok(Seat { cpus, group: group.map(Arc::new), session: self.sessions })
    }
}

/// What is in force for these processes, as the kernel says; those that are gone are left out.
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
        Some(Placed { process: part.to_string(), cpus, group, weight })
    });
    placed.collect()
}

/// `dynos` for each of them.
fn kind(process: &str) -> &str {
    if process.starts_with("dyno-") { "dynos" } else { process }
}

/// The same in words.
#[must_use]
pub fn in_words(placed: &[Placed]) -> String {
    let all_differ = |of: fn(&Placed) -> &Option<String>| {
        let mut seen: Vec<_> = placed.iter().map(of).collect();
        seen.sort();
        seen.dedup();
        seen.len() == placed.len()
    };
    let weights: Vec<_> = placed.iter().map(|placed| placed.weight).collect();
    let equal = weights.windows(2).all(|pair| pair[0] == pair[1]);
    let shares = match (all_differ(|placed| &placed.group), weights.first().copied().flatten()) {
        (true, Some(_)) if equal => "cgroups of equal weight",
        (true, None) if equal => "sessions of equal weight",
        (true, _) => "groups of different weight",
        (false, _) => "shared, thread by thread",
    };
    // Dynos are alike unless they were started by hand.
    let mut places: Vec<(&str, &str)> = placed.iter().map(|placed| (kind(&placed.process), &*placed.cpus)).collect();
    places.dedup();
    let everywhere = places.first().filter(|first| places.iter().all(|place| place.1 == first.1));
    let places = match everywhere {
        Some((_, cpus)) => format!("all on CPUs {cpus}"),
        None => places.iter().map(|(who, cpus)| format!("{who} on {cpus}")).collect::<Vec<_>>().join(", "),
    };
    format!("{shares}, {places}")
}

#[cfg(test)]
mod tests {
    use common::report::Placed;

    use super::in_words;

    fn placed(process: &str, cpus: &str, group: Option<&str>, weight: Option<u64>) -> Placed {
        Placed { process: process.to_owned(), cpus: cpus.to_owned(), group: group.map(str::to_owned), weight }
    }

    #[test]
    fn what_is_in_force_is_said_in_words() {
        let two = |a: (&str, Option<&str>, Option<u64>), b: (&str, Option<&str>, Option<u64>)| {
            in_words(&[placed("loadgen", a.0, a.1, a.2), placed("dyno-0", b.0, b.1, b.2)])
        };
        for (a, b, words) in [
            (("0-1", Some("/a"), Some(9)), ("0-1", Some("/b"), Some(9)), "cgroups of equal weight, all on CPUs 0-1"),
            (("0-1", Some("/s-1"), None), ("0-1", Some("/s-2"), None), "sessions of equal weight, all on CPUs 0-1"),
            (
                ("0", Some("/a"), Some(9)),
                ("1", Some("/b"), Some(8)),
                "groups of different weight, loadgen on 0, dynos on 1",
            ),
            (("0", Some("/a"), Some(9)), ("0", Some("/a"), Some(9)), "shared, thread by thread, all on CPUs 0"),
            (("0", None, None), ("0", None, None), "shared, thread by thread, all on CPUs 0"),
        ] {
            assert_eq!(two(a, b), words);
        }
    }
}
