//! Waiting for sockets until an instant, to the nanosecond.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use dyno::clock::now_ns;
use nix::errno::Errno;
use nix::libc;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// Most events of one look.
const EVENTS_MAX: usize = 256;
/// What the timer of kernels without `epoll_pwait2` is called; callers never see it.
const TIMER: u64 = u64::MAX;

/// What waits: an epoll instance, and a clock.
pub struct Sleeper {
    epoll: Epoll,
    events: Vec<EpollEvent>,
    /// Kernels before 5.11, and containers that forbid `epoll_pwait2`: a timer, and the instant that it is set to.
    timer: Option<(TimerFd, u64)>,
}

impl Sleeper {
    /// Waits for nothing yet.
    ///
    /// # Errors
    /// No more files.
    pub fn new() -> io::Result<Sleeper> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut sleeper = Sleeper { epoll, events: vec![EpollEvent::empty(); EVENTS_MAX], timer: None };
        if let Err(Errno::ENOSYS | Errno::EPERM) = sleeper.wait_for(Some(0)) {
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC)?;
            sleeper.epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, TIMER))?;
            sleeper.timer = Some((timer, u64::MAX));
        }
        Ok(sleeper)
    }

    /// Waits for this one too.
    ///
    /// # Errors
    /// The kernel has no memory, or too many are watched.
    pub fn watch(&self, file: impl AsFd, flags: EpollFlags, name: u64) -> io::Result<()> {
        Ok(self.epoll.add(file, EpollEvent::new(flags, name))?)
    }

    /// Blocks until something happens, or until `until_ns` on `CLOCK_MONOTONIC`. The number of events; see
    /// [`Sleeper::event`].
    ///
    /// # Errors
    /// A defect.
    pub fn wait(&mut self, until_ns: Option<u64>) -> io::Result<usize> {
        let waited = match &mut self.timer {
            None => {
                let left_ns = until_ns.map(|until_ns| until_ns.saturating_sub(now_ns()));
                self.wait_for(left_ns)
            }
            Some((timer, set_ns)) => {
                let overdue = until_ns.is_some_and(|until_ns| until_ns <= now_ns());
                if let Some(until_ns) = until_ns.filter(|until_ns| !overdue && until_ns != set_ns) {
                    *set_ns = until_ns;
                    let at = TimeSpec::new((until_ns / 1_000_000_000) as i64, (until_ns % 1_000_000_000) as i64);
                    timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
                }
                self.epoll.wait(&mut self.events, if overdue { EpollTimeout::ZERO } else { EpollTimeout::NONE })
            }
        };
        match waited {
            Ok(count) => Ok(count),
            Err(Errno::EINTR) => Ok(0),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Event `at` of the last wait: what happened, to whom.
    #[must_use]
    pub fn event(&self, at: usize) -> (EpollFlags, u64) {
        (self.events[at].events(), self.events[at].data())
    }

    /// One system call, where the kernel has it: no timer to be set.
    fn wait_for(&mut self, left_ns: Option<u64>) -> Result<usize, Errno> {
        let left = left_ns.map(|ns| libc::timespec {
            tv_sec: (ns / 1_000_000_000) as libc::time_t,
            tv_nsec: (ns % 1_000_000_000) as libc::c_long,
        });
        let left = left.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: EpollEvent is a transparent epoll_event; the pointers are to as many of them as is said and to a timespec
        // that outlives the call, or null, which means that there is no limit; no signal mask is given.
        let answer = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.0.as_raw_fd(),
                self.events.as_mut_ptr().cast::<libc::epoll_event>(),
                EVENTS_MAX as libc::c_int,
                left,
                std::ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        Errno::result(answer).map(|count| count as usize)
    }
}
