//! CPUs: lists as the kernel writes them, and who gets which.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::str::FromStr;
use std::thread;

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

    /// By number, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        self.0.iter().copied()
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.len() as u32
    }

    /// At most `count` of them, after the first `skipped`.
    #[must_use]
    pub fn part(&self, skipped: u32, count: u32) -> Cpus {
        Cpus(self.0.iter().copied().skip(skipped as usize).take(count as usize).collect())
    }

    /// Those that are in `other` too.
    #[must_use]
    pub fn shared_with(&self, other: &Cpus) -> Cpus {
        Cpus(self.0.intersection(&other.0).copied().collect())
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
    /// The delay proxy, in runs that have one.
    pub proxy: Option<Cpus>,
    /// Every dyno.
    pub dynos: Option<Cpus>,
}

impl Sets {
    /// Whether the delay proxy has been put on CPUs of the generator's.
    #[must_use]
    pub fn proxy_is_beside_loadgen(&self) -> bool {
        let both = self.proxy.as_ref().zip(self.loadgen.as_ref());
        both.is_some_and(|(proxy, loadgen)| proxy.shared_with(loadgen).count() > 0)
    }
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
                "proxy" => &mut sets.proxy,
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

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pin::None => f.write_str("none"),
            Pin::Auto => f.write_str("auto"),
            Pin::Sets(sets) => {
                let named = [
                    ("loadgen", &sets.loadgen),
                    ("redis", &sets.redis),
                    ("proxy", &sets.proxy),
                    ("dynos", &sets.dynos),
                ];
                let set = |(name, cpus): (&str, &Option<Cpus>)| Some(format!("{name}={}", cpus.as_ref()?));
                f.write_str(&named.into_iter().filter_map(set).collect::<Vec<_>>().join("/"))
            }
        }
    }
}

/// What loadgen starts, and can therefore place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// The server: not one that the user has named.
    pub redis: bool,
    /// The dynos: not those that the user starts.
    pub dynos: bool,
    /// The delay proxy: for some cell of the plan.
    pub proxy: bool,
}

/// The CPUs of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Those that loadgen may use.
    pub allowed: Cpus,
    /// The same by core.
    pub cores: Vec<Cpus>,
    /// How many threads can run at a time: fewer where a quota is in force.
    pub parallelism: u32,
}

impl Pin {
    /// The sets on a machine.
    ///
    /// # Errors
    /// A CPU that is not allowed, or that of a process that loadgen does not start.
    pub fn resolve(&self, machine: &Machine, started: Started) -> Result<Sets, Refused> {
        let sets = match self {
            Pin::None => return Ok(Sets::default()),
            Pin::Auto => return Ok(automatic(machine, started)),
            Pin::Sets(sets) => sets,
        };
        let named = [
            ("loadgen", &sets.loadgen, true, ""),
            ("proxy", &sets.proxy, true, ""),
            ("redis", &sets.redis, started.redis, "the server of --redis-url is not started here"),
            ("dynos", &sets.dynos, started.dynos, "with --listen dynos are not started here"),
        ];
        for (name, set, is_started, why_not) in named {
            let Some(set) = set else { continue };
            if !is_started {
                return Err(Refused(format!("--pin {name}={set}: {why_not}; place it yourself, with taskset")));
            }
            if !set.0.is_subset(&machine.allowed.0) {
                return Err(Refused(format!("--pin {name}={set}: loadgen may use the CPUs {}", machine.allowed)));
            }
        }
        Ok(sets.clone())
    }
}

/// A core each for generator and server and the rest for the dynos where there are at least four cores; a CPU each where
/// there are at least four CPUs. With fewer nothing is pinned: a round trip that crosses cores can cost more than sharing
/// one. Nor is anything pinned where a quota is in force, which does not care about CPUs. A delay proxy gets one as well where
/// there are five, in all cells of a plan that has any distance, so that dynos have the same CPUs at all of them; with four it
/// shares with the generator.
fn automatic(machine: &Machine, started: Started) -> Sets {
    const LEAST: usize = 4;
    let single: Vec<Cpus> = machine.allowed.0.iter().map(|&cpu| Cpus([cpu].into())).collect();
    let units = if machine.cores.len() >= LEAST { &machine.cores } else { &single };
    if units.len() < LEAST || machine.parallelism < machine.allowed.count() {
        return Sets::default();
    }
    let count = units.len();
    let mut units = units.iter();
    let loadgen = units.next().cloned();
    let redis = if started.redis { units.next().cloned() } else { None };
    let proxy = match started.proxy {
        true if count > LEAST => units.next().cloned(),
        true => loadgen.clone(),
        false => None,
    };
    let rest = Cpus(units.flat_map(|core| core.0.clone()).collect());
    Sets { loadgen, redis, proxy, dynos: started.dynos.then_some(rest) }
}

impl Machine {
    /// This one. To be called before loadgen places itself.
    ///
    /// # Errors
    /// The system does not say.
    pub fn read() -> nix::Result<Machine> {
        let allowed = Cpus::allowed()?;
        let parallelism = thread::available_parallelism().map_or(1, |count| count.get() as u32);
        Ok(Machine { cores: cores(&allowed), allowed, parallelism })
    }
}

/// The allowed CPUs by core: those that share one are no substitute for two.
fn cores(allowed: &Cpus) -> Vec<Cpus> {
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
    use super::{Cpus, Machine, Pin, Sets, Started};

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

    const ALL: Started = Started { redis: true, dynos: true, proxy: false };

    fn machine(allowed: &str, cores: &[&str]) -> Machine {
        let allowed = cpus(allowed);
        let cores = match cores {
            [] => allowed.0.iter().map(|&cpu| Cpus([cpu].into())).collect(),
            _ => cores.iter().map(|text| cpus(text)).collect(),
        };
        Machine { parallelism: allowed.count(), allowed, cores }
    }

    fn pinned(loadgen: &str, redis: &str, dynos: &str) -> Sets {
        Sets { loadgen: Some(cpus(loadgen)), redis: Some(cpus(redis)), proxy: None, dynos: Some(cpus(dynos)) }
    }

    #[test]
    fn what_is_asked_for_is_understood_or_refused() {
        assert_eq!("none".parse(), Ok(Pin::None));
        assert_eq!("auto".parse(), Ok(Pin::Auto));
        assert_eq!("loadgen=0/redis=1/dynos=2-3".parse(), Ok(Pin::Sets(pinned("0", "1", "2-3"))));
        for written in ["none", "auto", "loadgen=0/redis=1/dynos=2-3", "redis=1,3", "loadgen=0/proxy=0"] {
            assert_eq!(written.parse::<Pin>().unwrap().to_string(), written);
        }
        for nonsense in ["all", "server=1", "redis=x", "redis=0/redis=1", ""] {
            assert!(nonsense.parse::<Pin>().is_err(), "{nonsense}");
        }
        let refused = |pin: &str, started| {
            pin.parse::<Pin>().unwrap().resolve(&machine("0-3", &[]), started).unwrap_err().to_string()
        };
        assert_eq!(refused("dynos=7", ALL), "--pin dynos=7: loadgen may use the CPUs 0-3");
        for (pin, started) in
            [("redis=1", Started { redis: false, ..ALL }), ("dynos=1", Started { dynos: false, ..ALL })]
        {
            assert!(refused(pin, started).contains("not started here; place it yourself"), "{pin}");
        }
    }

    #[test]
    fn four_are_needed_for_everybody_to_have_their_own() {
        let auto = |machine: Machine, started| Pin::Auto.resolve(&machine, started).unwrap();
        assert_eq!(auto(machine("0-1", &[]), ALL), Sets::default());
        assert_eq!(auto(machine("0-2", &[]), ALL), Sets::default());
        assert_eq!(auto(machine("0-3", &[]), ALL), pinned("0", "1", "2-3"));
        assert_eq!(auto(machine("2,4,6,8,9", &[]), ALL), pinned("2", "4", "6,8-9"));
        // Four CPUs on two cores: a CPU each. Eight on four: a core each.
        assert_eq!(auto(machine("0-3", &["0,2", "1,3"]), ALL), pinned("0", "1", "2-3"));
        assert_eq!(auto(machine("0-7", &["0,4", "1,5", "2,6", "3,7"]), ALL), pinned("0,4", "1,5", "2-3,6-7"));
        // Two of eight by quota: which ones is the scheduler's affair.
        assert_eq!(auto(Machine { parallelism: 2, ..machine("0-7", &[]) }, ALL), Sets::default());
        // Nothing is kept free for who is not there.
        let without_server = auto(machine("0-3", &[]), Started { redis: false, ..ALL });
        assert_eq!(without_server, Sets { redis: None, ..pinned("0", "1", "1-3") });
        let without_dynos = auto(machine("0-3", &[]), Started { dynos: false, ..ALL });
        assert_eq!(without_dynos, Sets { dynos: None, ..pinned("0", "1", "1") });
        assert_eq!(Pin::None.resolve(&machine("0-7", &[]), ALL).unwrap(), Sets::default());
    }

    #[test]
    fn a_delay_proxy_has_its_own_where_there_are_five() {
        let auto = |machine: Machine| Pin::Auto.resolve(&machine, Started { proxy: true, ..ALL }).unwrap();
        let with_proxy = |proxy: &str, sets: Sets| Sets { proxy: Some(cpus(proxy)), ..sets };
        let five = auto(machine("0-4", &[]));
        assert_eq!(five, with_proxy("2", pinned("0", "1", "3-4")));
        assert!(!five.proxy_is_beside_loadgen());
        let four = auto(machine("0-3", &[]));
        assert_eq!(four, with_proxy("0", pinned("0", "1", "2-3")));
        assert!(four.proxy_is_beside_loadgen());
        // Four cores are shared out as cores.
        let cores = auto(machine("0-7", &["0,4", "1,5", "2,6", "3,7"]));
        assert_eq!(cores, with_proxy("0,4", pinned("0,4", "1,5", "2-3,6-7")));
        assert!(!auto(machine("0-1", &[])).proxy_is_beside_loadgen(), "nobody is pinned");
        let asked = |text: &str| match text.parse::<Pin>().unwrap() {
            Pin::Sets(sets) => sets.proxy_is_beside_loadgen(),
            pin => panic!("{pin:?}"),
        };
        assert!(asked("loadgen=0-1/proxy=1") && !asked("loadgen=0/proxy=1") && !asked("loadgen=0"));
    }
}
