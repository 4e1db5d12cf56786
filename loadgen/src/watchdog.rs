//! Watches every CPU while a run is measured: does it come back every millisecond, and is it as fast as it was?
//!
//! A thread on each CPU sleeps until the next millisecond and notes how late it woke; now and then it times a fixed piece of
//! work. Both together take 1.4 % of a CPU here (ADR 28), the same for every variant. What it finds is judged by
//! [`common::verdict`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use analysis::stats::middle_of;
use anyhow::Context;
use common::compute::Work;
use common::report::WatchedCpu;
use crossbeam_channel::unbounded;
use dyno::clock::{now_ns, sleep_until};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::priority::{Prompt, claim};

const TICK_NS: u64 = 1_000_000;
/// How soon a stop is noticed before the window.
const NAP_NS: u64 = 20_000_000;
/// Ticks between two pieces of work.
const TICKS_PER_WORK: u64 = 25;
/// 20 to 50 microseconds of today's processors.
const WORK: Work = Work { seed: 1, rounds: 16_000 };

/// At work until it is told to stop, or the window is over.
pub struct Watchdog {
    threads: Vec<JoinHandle<Option<WatchedCpu>>>,
    /// By thread.
    prompt: Vec<Prompt>,
    stop: Arc<AtomicBool>,
    everywhere: CpuSet,
}

impl Watchdog {
    /// Watches `cpus`, which this process may use, from the first to the second instant of `window_ns`, on `CLOCK_MONOTONIC`.
    ///
    /// # Errors
    /// No thread left.
    pub fn start(cpus: &[u32], window_ns: (u64, u64)) -> anyhow::Result<Watchdog> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut everywhere = CpuSet::new();
        cpus.iter().try_for_each(|&cpu| everywhere.set(cpu as usize))?;
        let (say, said) = unbounded();
        let watch = |&cpu: &u32| {
            let (stop, say) = (Arc::clone(&stop), say.clone());
            thread::Builder::new().name(format!("watch-{cpu}")).spawn(move || {
                let mut only = CpuSet::new();
                let pinned = only.set(cpu as usize).and_then(|()| sched_setaffinity(Pid::from_raw(0), &only));
                let _ = say.send(claim());
                // A CPU that was taken away meanwhile cannot be watched.
                pinned.ok().and_then(|()| watch(cpu, window_ns, &stop))
            })
        };
        let threads = cpus.iter().map(watch).collect::<Result<_, _>>().context("a thread for every CPU")?;
        let prompt = said.iter().take(cpus.len()).collect();
        Ok(Watchdog { threads, prompt, stop, everywhere })
    }

    /// Ends it: the scheduling class that its threads had, and what each has seen; nothing when the window never began.
    ///
    /// # Errors
    /// A thread panicked.
    pub fn finish(mut self) -> anyhow::Result<(String, Vec<WatchedCpu>)> {
        self.let_go();
        let mut all = Vec::new();
        for thread in std::mem::take(&mut self.threads) {
            all.extend(thread.join().map_err(|_| anyhow::anyhow!("a watching thread panicked"))?);
        }
        Ok((self.prompt.pop().map_or_else(String::new, |prompt| prompt.class), all))
    }
}

impl Watchdog {
    /// Its threads end, whoever has their CPUs.
    fn let_go(&self) {
        self.stop.store(true, Ordering::Relaxed);
        let at_work = self.threads.iter().any(|thread| !thread.is_finished());
        self.prompt.iter().filter(|_| at_work).for_each(|prompt| prompt.release(&self.everywhere));
    }
}

impl Drop for Watchdog {
    /// A run that fails leaves no thread behind that is always on time.
    fn drop(&mut self) {
        self.let_go();
    }
}

fn watch(cpu: u32, window_ns: (u64, u64), stop: &AtomicBool) -> Option<WatchedCpu> {
    while now_ns() < window_ns.0 {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        sleep_until(window_ns.0.min(now_ns() + NAP_NS));
    }
    // Since the window began, whenever this thread was first let onto its CPU.
    let mut ticks = Ticks::from(window_ns.0);
    let mut works = Vec::new();
    while ticks.due_ns < window_ns.1 && !stop.load(Ordering::Relaxed) {
        sleep_until(ticks.due_ns);
        ticks.woke(now_ns());
        if ticks.count.is_multiple_of(TICKS_PER_WORK) {
            let begun_ns = now_ns();
            std::hint::black_box(WORK.run());
            works.push((now_ns() - begun_ns) as f64 / 1e3);
        }
    }
    // A CPU that never came back, until this thread was let go of.
    ticks.ended(window_ns.1.min(now_ns()));
    // By order, not by instant: the halves of a window that was cut short are halves too.
    let half = works.len() / 2;
    let (before, after) = (middle_of(works[..half].to_vec()), middle_of(works[half..].to_vec()));
    Some(WatchedCpu {
        cpu,
        ticks: ticks.count,
        late_ms: ticks.late_ns as f64 / 1e6,
        worst_ms: ticks.worst_ns as f64 / 1e6,
        yardstick_us: middle_of(works),
        yardstick_shift: before.zip(after).map(|(before, after)| after / before),
    })
}

/// Wakes at whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    due_ns: u64,
    count: u64,
    /// Beyond a millisecond, all together.
    late_ns: u64,
    worst_ns: u64,
}

impl Ticks {
    fn from(now_ns: u64) -> Ticks {
        Ticks { due_ns: now_ns + TICK_NS, count: 0, late_ns: 0, worst_ns: 0 }
    }

    /// The CPU came back at `now_ns`. Ticks that it missed are part of this one's lateness.
    fn woke(&mut self, now_ns: u64) {
        let late_ns = now_ns.saturating_sub(self.due_ns);
        self.count += 1;
        self.worst_ns = self.worst_ns.max(late_ns);
        self.late_ns += late_ns.saturating_sub(TICK_NS);
        self.due_ns += TICK_NS * (late_ns / TICK_NS + 1);
    }

    /// Watching is over at `now_ns`. A tick that is due by then was missed.
    fn ended(&mut self, now_ns: u64) {
        if self.due_ns <= now_ns {
            self.woke(now_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use dyno::clock::now_ns;

    use super::{Ticks, Watchdog};

    #[test]
    fn only_what_is_later_than_a_millisecond_counts() {
        let mut ticks = Ticks::from(0);
        for now_ns in [1_050_000, 2_900_000, 3_000_000, 9_500_000, 10_000_000] {
            ticks.woke(now_ns);
        }
        // Due at 4 ms and back at 9.5: the ticks from 5 to 9 are in its lateness, the next one is due at 10.
        assert_eq!(ticks, Ticks { due_ns: 11_000_000, count: 5, late_ns: 4_500_000, worst_ns: 5_500_000 });
    }

    #[test]
    fn a_cpu_that_is_away_until_the_end_is_late_all_the_time() {
        let mut away = Ticks::from(0);
        away.ended(3_000_000_000);
        assert_eq!((away.count, away.late_ns, away.worst_ns), (1, 2_998_000_000, 2_999_000_000));
        // Its last tick is still to come.
        let mut there = Ticks::from(0);
        there.woke(1_000_000);
        there.ended(1_900_000);
        assert_eq!((there.count, there.late_ns), (1, 0));
    }

    #[test]
    fn it_ends_when_it_is_told_and_says_nothing_of_a_window_that_never_began() {
        let far = now_ns() + 3_600_000_000_000;
        let (_, seen) = Watchdog::start(&[0], (far, far + 1)).unwrap().finish().unwrap();
        assert_eq!(seen, []);
        let now = now_ns();
        let (class, seen) = Watchdog::start(&[0], (now, now + 100_000_000)).unwrap().finish().unwrap();
        assert!(!class.is_empty() && seen.len() <= 1, "{class} {seen:?}");
    }
}
