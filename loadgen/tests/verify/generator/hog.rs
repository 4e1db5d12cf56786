//! A busy loop that has a CPU for itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use nix::libc;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Where there is no real-time priority, so many at the usual one take nearly everything.
const CROWD: usize = 40;

/// Busy until it is told to end.
pub struct Hog {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<&'static str>>,
}

impl Hog {
    /// On one CPU, before everything that loadgen does there.
    pub fn on(cpu: usize) -> Hog {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..CROWD)
            .map(|_| {
                let stop = Arc::clone(&stop);
                thread::spawn(move || {
                    let mut only = CpuSet::new();
                    only.set(cpu).unwrap();
                    sched_setaffinity(Pid::from_raw(0), &only).unwrap();
                    let parameter = libc::sched_param { sched_priority: 2 };
                    // SAFETY: plain values, and a pointer that outlives the call; 0 is the calling thread.
                    let first = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) } == 0;
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                    if first { "at real-time priority" } else { "in a crowd" }
                })
            })
            .collect();
        Hog { stop, threads }
    }

    /// Gives the CPU back, and says how it had it.
    pub fn end(self) -> &'static str {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).last().unwrap()
    }
}
