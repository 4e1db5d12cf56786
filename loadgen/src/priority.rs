//! Threads that must be on time, and how they are let go of.

use nix::libc;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::{Pid, gettid};

/// A thread that asked for the best scheduling class it may have.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// What it got: `fifo-1`, `nice -10` or `normal`.
    pub class: String,
    thread: Pid,
}

/// Asks for the calling thread.
#[must_use]
pub fn claim() -> Prompt {
    // Has no effect on real-time threads, which have no slack anyway.
    let _ = nix::sys::prctl::set_timerslack(1);
    let parameter = libc::sched_param { sched_priority: 1 };
    // SAFETY: both calls take plain values, and the pointer outlives the call; 0 is the calling thread.
    let class = unsafe {
        if libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) == 0 {
            "fifo-1"
        } else if libc::setpriority(libc::PRIO_PROCESS, libc::gettid() as libc::id_t, -10) == 0 {
            "nice -10"
        } else {
            "normal"
        }
    };
    Prompt { class: class.to_owned(), thread: gettid() }
}

impl Prompt {
    /// It need not be on time any more, and is to end: whoever has taken its CPU away at a higher priority must not keep it
    /// from noticing. From now on it may run on any of `cpus`, as one of many.
    pub fn release(&self, cpus: &CpuSet) {
        let _ = sched_setaffinity(self.thread, cpus);
        let parameter = libc::sched_param { sched_priority: 0 };
        // SAFETY: the call takes plain values, and the pointer outlives it. A thread that has ended is no longer known by its
        // number, and nothing happens.
        unsafe { libc::sched_setscheduler(self.thread.as_raw(), libc::SCHED_OTHER, &raw const parameter) };
    }
}
