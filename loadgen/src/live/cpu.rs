//! CPU of processes over the last second, as the kernel counts it.

use std::fs;
use std::time::{Duration, Instant};

use crate::host;

/// What a process is called, and which it is; several may have one name.
pub type Process = (String, u32);

/// How often they are looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Looks at processes, once a second.
pub struct Meter {
    processes: Vec<Process>,
    ticks_per_s: f64,
    looked: Instant,
    ticks: Vec<Option<u64>>,
}

impl Meter {
    /// Of `processes`, from now on.
    #[must_use]
    pub fn new(processes: Vec<Process>, now: Instant) -> Meter {
        let ticks = look(&processes);
        Meter { processes, ticks_per_s: host::ticks_per_s(), looked: now, ticks }
    }

    /// By name, in % of a core since the last look, once a second has passed; `None` for processes that are not to be
    /// seen.
    pub fn read(&mut self, now: Instant) -> Option<Vec<(String, Option<f64>)>> {
        let passed = now.saturating_duration_since(self.looked);
        if passed < EVERY {
            return None;
        }
        let ticks = look(&self.processes);
        let mut shares: Vec<(String, Option<f64>)> = Vec::new();
        for ((name, _), (now, before)) in self.processes.iter().zip(ticks.iter().zip(&self.ticks)) {
            let spent = now.zip(*before).map(|(now, before)| now.saturating_sub(before) as f64 / self.ticks_per_s);
            let share = spent.map(|spent_s| 100.0 * spent_s / passed.as_secs_f64());
            match shares.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum = sum.zip(share).map(|(sum, share)| sum + share),
                None => shares.push((name.clone(), share)),
            }
        }
        (self.looked, self.ticks) = (now, ticks);
        Some(shares)
    }
}

fn look(processes: &[Process]) -> Vec<Option<u64>> {
    let stat = |pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    processes.iter().map(|&(_, pid)| ticks(&stat(pid)?)).collect()
}

/// User and system time out of `/proc/<pid>/stat`: the 14th and 15th field, the second being a name in parentheses that
/// may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Meter, ticks};

    #[test]
    fn a_name_may_hold_anything() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 70 30 5 6 20 0 3 0 100 1000 10";
        assert_eq!(ticks(stat), Some(100));
        assert_eq!(ticks("42 (a) S 1"), None);
    }

    #[test]
    fn processes_of_one_name_are_one_and_those_that_are_gone_are_not_zero() {
        let now = Instant::now();
        let own = std::process::id();
        let processes = [("workers", own), ("redis", u32::MAX), ("workers", own)];
        let mut meter = Meter::new(processes.map(|(name, pid)| (name.to_owned(), pid)).to_vec(), now);
        assert_eq!(meter.read(now + Duration::from_millis(900)), None);
        let shares = meter.read(now + Duration::from_secs(1)).unwrap();
        assert_eq!(
            shares.iter().map(|(name, share)| (name.as_str(), share.is_some())).collect::<Vec<_>>(),
            [("workers", true), ("redis", false)]
        );
    }
}
