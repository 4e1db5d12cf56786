//! Hands every task over at its intended instant, from a thread that does nothing else.
//!
//! It sleeps until the next instant with a timer slack of one nanosecond, at real-time priority where that is allowed;
//! it never spins, for on a small machine it would take a CPU from those whom it measures. All tasks that are due go
//! into one write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use common::arrivals::Schedule;
use crossbeam_channel::Sender;
use dyno::clock::now_ns;
use nix::libc;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};

use crate::dispatch::{Flushed, Lane, PENDING_MAX};

/// Longest sleep: how soon a stop is noticed.
const NAP_NS: u64 = 20_000_000;
/// How soon a blocked socket is tried again.
const RETRY_NS: u64 = 200_000;

/// What the pacer lets others see while it works.
#[derive(Debug)]
pub struct Progress {
    /// Ends the pacer before its time.
    pub stop: AtomicBool,
    /// Tasks handed over, warm-up included.
    pub sent: AtomicU64,
    /// Of the warm-up.
    pub sent_warmup: AtomicU64,
    /// By second since the start.
    pub sent_by_second: Vec<AtomicU64>,
    /// Instant of the last hand-over.
    pub last_sent_ns: AtomicU64,
}

impl Progress {
    /// For a run of `schedule`.
    #[must_use]
    pub fn new(schedule: &Schedule) -> Progress {
        // What is late is sent after the window: some seconds more.
        let seconds = schedule.window_end_ns.div_ceil(1_000_000_000) as usize + 60;
        Progress {
            stop: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            sent_warmup: AtomicU64::new(0),
            sent_by_second: (0..seconds).map(|_| AtomicU64::new(0)).collect(),
            last_sent_ns: AtomicU64::new(0),
        }
    }

    fn sent(&self, warmup: bool, since_start_ns: u64) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        if warmup {
            self.sent_warmup.fetch_add(1, Ordering::Relaxed);
        }
        let second = (since_start_ns / 1_000_000_000) as usize;
        let last = self.sent_by_second.len() - 1;
        self.sent_by_second[second.min(last)].fetch_add(1, Ordering::Relaxed);
    }
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
        /// When.
        at_ns: u64,
    },
    /// A dyno no longer takes tasks.
    DynoGone {
        /// Which.
        dyno: u32,
    },
}

/// A pacer at work; the lanes come back when it ends, for closing them tells the intakes that nothing more will come.
pub struct Pacer {
    thread: JoinHandle<Vec<Lane>>,
    /// What others see of it.
    pub progress: Arc<Progress>,
    /// The scheduling class it really has.
    pub priority: String,
}

impl Pacer {
    /// Starts at `start_ns`; `ended` receives once.
    ///
    /// # Errors
    /// No thread left.
    pub fn start(
        schedule: Arc<Schedule>,
        start_ns: u64,
        mut lanes: Vec<Lane>,
        ended: Sender<PacerEnd>,
    ) -> anyhow::Result<Pacer> {
        let progress = Arc::new(Progress::new(&schedule));
        let seen = Arc::clone(&progress);
        let (said, priority) = crossbeam_channel::bounded(1);
        let thread = thread::Builder::new().name("pacer".into()).spawn(move || {
            let _ = said.send(claim_priority());
            let _ = ended.send(pace(&schedule, start_ns, &mut lanes, &seen));
            lanes
        })?;
        let priority = priority.recv()?;
        Ok(Pacer { thread, progress, priority })
    }

    /// Waits for its end.
    #[must_use]
    pub fn join(self) -> Vec<Lane> {
        self.thread.join().unwrap_or_default()
    }
}

fn pace(schedule: &Schedule, start_ns: u64, lanes: &mut [Lane], progress: &Progress) -> PacerEnd {
    let mut next = 0;
    loop {
        if progress.stop.load(Ordering::Relaxed) {
            return PacerEnd::Stopped;
        }
        let now = now_ns();
        while let Some(arrival) = schedule.arrivals.get(next)
            && start_ns + arrival.intended_ns <= now
        {
            lanes[arrival.dyno as usize].stage(next as u32);
            next += 1;
        }
        let mut blocked = false;
        for (dyno, lane) in lanes.iter_mut().enumerate() {
            let flushed = lane.flush(schedule, start_ns, now_ns, |index, sent_ns| {
                progress.sent((index as usize) < schedule.warmup, sent_ns.saturating_sub(start_ns));
                progress.last_sent_ns.store(sent_ns, Ordering::Relaxed);
            });
            match flushed {
                Flushed::All => {}
                Flushed::Blocked if lane.pending() > PENDING_MAX => {
                    let pending = lane.pending() as u64;
                    return PacerEnd::IntakeOverloaded { dyno: dyno as u32, pending, at_ns: now_ns() };
                }
                Flushed::Blocked => blocked = true,
                Flushed::Gone => return PacerEnd::DynoGone { dyno: dyno as u32 },
            }
        }
        let due = schedule.arrivals.get(next).map(|arrival| start_ns + arrival.intended_ns);
        let wake = match (due, blocked) {
            (None, false) => return PacerEnd::Done,
            (Some(due), false) => due.min(now_ns() + NAP_NS),
            (due, true) => due.unwrap_or(u64::MAX).min(now_ns() + RETRY_NS),
        };
        sleep_until(wake);
    }
}

/// Returns at once when the instant has passed.
fn sleep_until(instant_ns: u64) {
    let request = TimeSpec::new((instant_ns / 1_000_000_000) as i64, (instant_ns % 1_000_000_000) as i64);
    // Interrupted by a signal: the loop comes back.
    let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &request);
}

/// The best scheduling class this thread may have, and what it got.
fn claim_priority() -> String {
    // Has no effect on real-time threads, which have no slack anyway.
    let _ = nix::sys::prctl::set_timerslack(1);
    let parameter = libc::sched_param { sched_priority: 1 };
    // SAFETY: both calls take plain values, and the pointer outlives the call; 0 is the calling thread.
    unsafe {
        if libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) == 0 {
            return "fifo-1".to_owned();
        }
        if libc::setpriority(libc::PRIO_PROCESS, libc::gettid() as libc::id_t, -10) == 0 {
            return "nice -10".to_owned();
        }
    }
    "normal".to_owned()
}
