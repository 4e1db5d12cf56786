//! CPUs: lists as the kernel writes them, and who gets which.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::str::FromStr;

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::error::Refused;

/// CPUs by number; written `0-3,6`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cpus(BTreeSet<u32>);

impl Cpus {
    /// Those that this process may use.
    ///
    /// # Errors
    /// The system does not say.
    pub fn allowed() -> nix::Result<Cpus> {
        let set = sched_getaffinity(Pid::from_raw(0))?;
        Ok(Cpus((0..CpuSet::count() as u32).filter(|&cpu| set.is_set(cpu as usize).unwrap_or(false)).collect()))
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.len() as u32
    }

    /// As the kernel takes them.
    ///
    /// # Errors
    /// A number beyond what the kernel's sets hold.
    pub fn set(&self) -> nix::Result<CpuSet> {
        let mut set = CpuSet::new();
        self.0.iter().try_for_each(|&cpu| set.set(cpu as usize))?;
        Ok(set)
    }
}

impl FromStr for Cpus {
    type Err = String;

    fn from_str(text: &str) -> Result<Cpus, String> {
        let wrong = || format!("{text:?} is no list of CPUs such as 0-3,6");
        let mut cpus = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.trim().parse::<u32>().ok().filter(|&cpu| (cpu as usize) < CpuSet::count());
            let (first, last) = (number(first).ok_or_else(wrong)?, number(last).ok_or_else(wrong)?);
            if first > last {
                return Err(wrong());
            }
            cpus.extend(first..=last);
        }
        Ok(Cpus(cpus))
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cpus = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = cpus.next() {
            let mut last = first;
            while let Some(next) = cpus.next_if_eq(&(last + 1)) {
                last = next;
            }
            match last - first {
                0 => write!(f, "{separator}{first}")?,
                _ => write!(f, "{separator}{first}-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

/// What `--pin` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// Nothing.
    None,
    /// CPUs of their own for all, where there are enough.
    Auto,
    /// These.
    Sets(Sets),
}

/// Who runs where; `None`: wherever loadgen was allowed to when it started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sets {
    /// The generator.
    pub loadgen: Option<Cpus>,
    /// The private server.
    pub redis: Option<Cpus>,
    /// Every dyno.
    pub dynos: Option<Cpus>,
}

impl FromStr for Pin {
    type Err = String;

    /// `none`, `auto`, or sets such as `loadgen=0/redis=1/dynos=2-3`.
    fn from_str(text: &str) -> Result<Pin, String> {
        match text {
            "none" => return Ok(Pin::None),
            "auto" => return Ok(Pin::Auto),
            _ => {}
        }
        let mut sets = Sets::default();
        for part in text.split('/') {
            let what = "none, auto, or sets such as loadgen=0/redis=1/dynos=2-3";
            let (name, cpus) = part.split_once('=').ok_or_else(|| format!("{part:?}: {what}"))?;
            let set = match name.trim() {
                "loadgen" => &mut sets.loadgen,
                "redis" => &mut sets.redis,
                "dynos" => &mut sets.dynos,
                _ => return Err(format!("{name:?}: {what}")),
            };
            if set.replace(cpus.parse()?).is_some() {
                return Err(format!("{name:?} is there twice"));
            }
        }
        Ok(Pin::Sets(sets))
    }
}

impl Pin {
    /// The sets on a machine that allows `allowed` CPUs, grouped into `cores`.
    ///
    /// # Errors
    /// A CPU that is not allowed.
    pub fn resolve(&self, allowed: &Cpus, cores: &[Cpus]) -> Result<Sets, Refused> {
        match self {
            Pin::None => Ok(Sets::default()),
            Pin::Auto => Ok(automatic(allowed, cores)),
            Pin::Sets(sets) => {
                for (name, set) in [("loadgen", &sets.loadgen), ("redis", &sets.redis), ("dynos", &sets.dynos)] {
                    if let Some(set) = set.as_ref().filter(|set| !set.0.is_subset(&allowed.0)) {
                        return Err(Refused(format!("--pin {name}={set}: loadgen may use the CPUs {allowed}")));
                    }
                }
                Ok(sets.clone())
            }
        }
    }
}

/// A core each for generator and server and the rest for the dynos where there are at least four cores; a CPU each where
/// there are at least four CPUs. With fewer nothing is pinned: a round trip that crosses cores can cost more than sharing
/// one.
fn automatic(allowed: &Cpus, cores: &[Cpus]) -> Sets {
    const LEAST: usize = 4;
    let single: Vec<Cpus> = allowed.0.iter().map(|&cpu| Cpus([cpu].into())).collect();
    let units = if cores.len() >= LEAST { cores } else { &single };
    match units {
        [loadgen, redis, dynos @ ..] if units.len() >= LEAST => Sets {
            loadgen: Some(loadgen.clone()),
            redis: Some(redis.clone()),
            dynos: Some(Cpus(dynos.iter().flat_map(|core| core.0.clone()).collect())),
        },
        _ => Sets::default(),
    }
}

/// The allowed CPUs by core: those that share one are no substitute for two.
#[must_use]
pub fn cores(allowed: &Cpus) -> Vec<Cpus> {
    let siblings = |cpu: u32| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        let listed = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        let Cpus(core) = listed.unwrap_or_else(|| Cpus([cpu].into()));
        Cpus(core.intersection(&allowed.0).copied().collect())
    };
    allowed.0.iter().map(|&cpu| siblings(cpu)).collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{Cpus, Pin, Sets};

    fn cpus(text: &str) -> Cpus {
        text.parse().unwrap()
    }

    #[test]
    fn lists_are_read_and_written_as_the_kernel_does() {
        for (text, written, count) in [("0", "0", 1), ("0-3,6", "0-3,6", 5), ("6,1,2,0", "0-2,6", 4), ("3-3", "3", 1)] {
            assert_eq!((cpus(text).to_string().as_str(), cpus(text).count()), (written, count));
        }
        for nonsense in ["", "a", "1-", "3-1", "0,,1", "99999"] {
            assert!(nonsense.parse::<Cpus>().unwrap_err().contains("no list of CPUs"), "{nonsense}");
        }
    }

    fn pinned(loadgen: &str, redis: &str, dynos: &str) -> Sets {
        Sets { loadgen: Some(cpus(loadgen)), redis: Some(cpus(redis)), dynos: Some(cpus(dynos)) }
    }

    #[test]
    fn what_is_asked_for_is_understood_or_refused() {
        assert_eq!("none".parse(), Ok(Pin::None));
        assert_eq!("auto".parse(), Ok(Pin::Auto));
        assert_eq!("loadgen=0/redis=1/dynos=2-3".parse(), Ok(Pin::Sets(pinned("0", "1", "2-3"))));
        for nonsense in ["all", "server=1", "redis=x", "redis=0/redis=1", ""] {
            assert!(nonsense.parse::<Pin>().is_err(), "{nonsense}");
        }
        let outside = Pin::Sets(pinned("0", "1", "7")).resolve(&cpus("0-3"), &[]).unwrap_err().to_string();
        assert_eq!(outside, "--pin dynos=7: loadgen may use the CPUs 0-3");
    }

    #[test]
    fn four_are_needed_for_everybody_to_have_their_own() {
        let single = |allowed: &str| cpus(allowed).0.iter().map(|&cpu| Cpus([cpu].into())).collect::<Vec<_>>();
        let auto = |allowed: &str, cores: &[Cpus]| Pin::Auto.resolve(&cpus(allowed), cores).unwrap();
        assert_eq!(auto("0-1", &single("0-1")), Sets::default());
        assert_eq!(auto("0-2", &single("0-2")), Sets::default());
        assert_eq!(auto("0-3", &single("0-3")), pinned("0", "1", "2-3"));
        assert_eq!(auto("2,4,6,8,9", &single("2,4,6,8,9")), pinned("2", "4", "6,8-9"));
        let cores = |text: &[&str]| text.iter().map(|text| cpus(text)).collect::<Vec<_>>();
        // Four CPUs on two cores: a CPU each. Eight on four: a core each.
        assert_eq!(auto("0-3", &cores(&["0,2", "1,3"])), pinned("0", "1", "2-3"));
        assert_eq!(auto("0-7", &cores(&["0,4", "1,5", "2,6", "3,7"])), pinned("0,4", "1,5", "2-3,6-7"));
        assert_eq!(Pin::None.resolve(&cpus("0-7"), &single("0-7")).unwrap(), Sets::default());
    }
}
