//! Hands every task over at its intended instant, from a thread that does nothing else.
//!
//! It sleeps until the next instant with a timer slack of one nanosecond, at real-time priority where that is allowed;
//! it never spins, for on a small machine it would take a CPU from those whom it measures. All tasks that are due go
//! into one write, and after a write it sleeps at least [`QUANTUM_NS`]: arrivals that are denser than what a wake-up costs
//! share one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use common::arrivals::Schedule;
use crossbeam_channel::Sender;
use dyno::clock::{now_ns, sleep_until};
use nix::sched::CpuSet;

use crate::dispatch::{Flushed, Lane, PENDING_MAX};
use crate::priority::{Prompt, claim};
use crate::send_log::SendLog;

/// Shortest time between two writes: the most that a task is late on purpose. It is about what a wake-up and a write cost.
const QUANTUM_NS: u64 = 20_000;
/// The same after a write of many tasks, for then arrivals are dense: at most 7 000 wake-ups a second where that goes on,
/// however high the rate, and still a small part of what arrives in a hundredth of a second.
const QUANTUM_DENSE_NS: u64 = 140_000;
/// So many tasks in one write are dense.
const DENSE: usize = 4;
/// Longest sleep: how soon a stop is noticed.
const NAP_NS: u64 = 100_000_000;
/// How soon a blocked socket is tried again.
const RETRY_NS: u64 = 200_000;
/// How often it is looked, when everything is sent, whether something has to be sent again.
const ANSWER_NS: u64 = 5_000_000;
/// A task that is sent later than this is counted at once: on time is at least this, whatever the response.
pub const LATE_NS: u64 = 1_000_000;

/// What the pacer lets others see while it works.
#[derive(Debug, Default)]
pub struct Progress {
    /// Ends the pacer before its time.
    pub stop: AtomicBool,
    /// Tasks handed over, warm-up included.
    pub sent: AtomicU64,
    /// Of these, those of the window that were more than [`LATE_NS`] late.
    pub late: AtomicU64,
}

/// Why the pacer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacerEnd {
    /// Everything is sent.
    Done,
    /// It was told to.
    Stopped,
    /// A dyno left more than [`PENDING_MAX`] tasks in its hands.
    IntakeOverloaded {
        /// Which.
        dyno: u32,
        /// How many.
        pending: u64,
        /// Since when it has not taken everything: until then the generator was not kept from sending.
        at_ns: u64,
    },
    /// A dyno no longer takes tasks.
    DynoGone {
        /// Which.
        dyno: u32,
    },
}

/// A pacer at work.
pub struct Pacer {
    thread: JoinHandle<(Vec<Lane>, SendLog)>,
    /// What others see of it.
    pub progress: Arc<Progress>,
    /// The scheduling class it really has.
    pub prompt: Prompt,
    /// The CPUs that it may use once it is to stop.
    everywhere: CpuSet,
}

impl Pacer {
    /// Starts at `start_ns`; `ended` receives once. `everywhere`: the CPUs that it may use once it is to stop.
    ///
    /// # Errors
    /// No thread left.
    pub fn start(
        schedule: Arc<Schedule>,
        start_ns: u64,
        mut lanes: Vec<Lane>,
        ended: Sender<PacerEnd>,
        everywhere: CpuSet,
    ) -> anyhow::Result<Pacer> {
        let progress = Arc::new(Progress::default());
        let seen = Arc::clone(&progress);
        let (said, prompt) = crossbeam_channel::bounded(1);
        let thread = thread::Builder::new().name("pacer".into()).spawn(move || {
            let _ = said.send(claim());
            let mut log = SendLog::new(&schedule);
            let end = pace(&schedule, start_ns, &mut lanes, &mut log, &seen);
            log.bytes = lanes.iter().map(Lane::bytes_sent).sum();
            log.sent_again = lanes.iter().map(Lane::sent_again).sum();
            let _ = ended.send(end);
            // The lanes stay open until the dynos are told to stop: the end of one tells an intake that nothing more
            // will come.
            (lanes, log)
        })?;
        let prompt = prompt.recv()?;
        Ok(Pacer { thread, progress, prompt, everywhere })
    }

    /// Ends it before its time.
    pub fn stop(&self) {
        self.progress.stop.store(true, Ordering::Relaxed);
        // The number of a thread that has ended may soon be another's.
        if !self.thread.is_finished() {
            self.prompt.release(&self.everywhere);
        }
    }

    /// Waits for its end, and closes the lanes.
    ///
    /// # Errors
    /// It panicked.
    pub fn join(self) -> anyhow::Result<SendLog> {
        let (_lanes, log) = self.thread.join().map_err(|_| anyhow::anyhow!("the pacer panicked"))?;
        Ok(log)
    }
}

fn pace(schedule: &Schedule, start_ns: u64, lanes: &mut [Lane], log: &mut SendLog, progress: &Progress) -> PacerEnd {
    let mut next = 0;
    loop {
        if progress.stop.load(Ordering::Relaxed) {
            return PacerEnd::Stopped;
        }
        let now = now_ns();
        let before = next;
        while let Some(due_ns) = schedule.due_ns(next)
            && start_ns + due_ns <= now
        {
            lanes[schedule.arrivals[next].dyno as usize].stage(next as u32);
            next += 1;
        }
        let mut blocked = false;
        for (dyno, lane) in lanes.iter_mut().enumerate().filter(|(_, lane)| !lane.is_idle()) {
            let (mut count, mut late) = (0, 0);
            let flushed = lane.flush(schedule, start_ns, now_ns, |index, sent_ns| {
                log.sent(index, sent_ns);
                count += 1;
                let due_ns = start_ns + schedule.due_ns(index as usize).unwrap_or(0);
                late += u64::from(index as usize >= schedule.warmup && sent_ns > due_ns + LATE_NS);
            });
            progress.sent.fetch_add(count, Ordering::Relaxed);
            if late > 0 {
                progress.late.fetch_add(late, Ordering::Relaxed);
            }
            match flushed {
                Flushed::All => {}
                Flushed::Blocked if lane.pending() > PENDING_MAX => {
                    let pending = lane.pending() as u64;
                    let at_ns = lane.blocked_since_ns().unwrap_or(now);
                    return PacerEnd::IntakeOverloaded { dyno: dyno as u32, pending, at_ns };
                }
                Flushed::Blocked | Flushed::Broken => blocked = true,
                Flushed::Gone => return PacerEnd::DynoGone { dyno: dyno as u32 },
            }
        }
        let due_ns = schedule.due_ns(next).map(|due_ns| start_ns + due_ns);
        match wake_ns(now, due_ns, blocked, next - before) {
            Some(wake_ns) => sleep_until(wake_ns),
            None if lanes.iter_mut().all(Lane::is_answered) => return PacerEnd::Done,
            None => sleep_until(now + ANSWER_NS),
        }
    }
}

/// When to look again, after the `staged` tasks that were due at `now_ns` have been written; `None`: never. The next task is
/// due at `due_ns`, and a socket that is `blocked` is tried again.
fn wake_ns(now_ns: u64, due_ns: Option<u64>, blocked: bool, staged: usize) -> Option<u64> {
    let quantum_ns = if staged >= DENSE { QUANTUM_DENSE_NS } else { QUANTUM_NS };
    let retry_ns = blocked.then_some(now_ns + RETRY_NS);
    let due_ns = due_ns.map(|due_ns| due_ns.clamp(now_ns + quantum_ns, now_ns + NAP_NS));
    due_ns.into_iter().chain(retry_ns).min()
}

#[cfg(test)]
mod tests {
    use super::{DENSE, NAP_NS, QUANTUM_DENSE_NS, QUANTUM_NS, RETRY_NS, wake_ns};

    #[test]
    fn arrivals_that_are_dense_share_a_wake_up_and_others_have_their_own() {
        let now = 1_000_000_000;
        let cases = [
            (Some(now + 1), false, 1, Some(now + QUANTUM_NS)),
            (Some(now + 1), false, DENSE - 1, Some(now + QUANTUM_NS)),
            (Some(now + 1), false, DENSE, Some(now + QUANTUM_DENSE_NS)),
            // Due while the others were being written.
            (Some(now - 1), false, 1, Some(now + QUANTUM_NS)),
            (Some(now + QUANTUM_NS + 1), false, 1, Some(now + QUANTUM_NS + 1)),
            (Some(now + 10 * NAP_NS), false, 0, Some(now + NAP_NS)),
            (Some(now + 10 * NAP_NS), true, 0, Some(now + RETRY_NS)),
            (Some(now + 1), true, 1, Some(now + QUANTUM_NS)),
            (None, true, 0, Some(now + RETRY_NS)),
            (None, false, 1, None),
        ];
        for (due_ns, blocked, staged, expected) in cases {
            assert_eq!(wake_ns(now, due_ns, blocked, staged), expected, "{due_ns:?} {blocked} {staged}");
        }
    }
}
