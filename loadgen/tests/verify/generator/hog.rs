//! A busy loop that comes first on a CPU.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dyno::clock::{now_ns, sleep_until};
use nix::libc;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl;
use nix::unistd::Pid;

/// Where there is no real-time priority, so many at the usual one take nearly everything.
const CROWD: usize = 40;
/// What [`Hog::end`] says where it really came first.
pub const REAL_TIME: &str = "at real-time priority";

/// Busy until it is told to end.
pub struct Hog {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<&'static str>>,
}

impl Hog {
    /// All of one CPU, before everything that loadgen does there.
    pub fn on(cpu: usize) -> Hog {
        Hog::start(cpu, CROWD, std::hint::spin_loop)
    }

    /// In bursts that are as long as the pauses between them: whatever runs there at a usual priority, or loadgen's own, has half
    /// of the CPU left, and is often interrupted.
    pub fn in_bursts(cpu: usize, length: Duration) -> Hog {
        let length_ns = length.as_nanos() as u64;
        Hog::start(cpu, 1, move || {
            let end_ns = now_ns() + length_ns;
            while now_ns() < end_ns {
                std::hint::spin_loop();
            }
            sleep_until(end_ns + length_ns);
        })
    }

    fn start(cpu: usize, threads: usize, turn: impl Fn() + Copy + Send + 'static) -> Hog {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..threads)
            .map(|_| {
                let stop = Arc::clone(&stop);
                thread::spawn(move || {
                    let mut only = CpuSet::new();
                    only.set(cpu).unwrap();
                    sched_setaffinity(Pid::from_raw(0), &only).unwrap();
                    // As loadgen's own threads, which sleep to the microsecond.
                    let _ = prctl::set_timerslack(1);
                    let parameter = libc::sched_param { sched_priority: 2 };
                    // SAFETY: plain values, and a pointer that outlives the call; 0 is the calling thread.
                    let first = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameter) } == 0;
                    while !stop.load(Ordering::Relaxed) {
                        turn();
                    }
                    if first { REAL_TIME } else { "in a crowd" }
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
