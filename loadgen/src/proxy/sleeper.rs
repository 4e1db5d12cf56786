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
/// Waking up takes its time, and more on an idle virtual machine. The timer is set early by what nine wake-ups in ten take at
/// least, so that hardly any sleep ends before its instant; never by more than this.
const LEAD_NS_MAX: u64 = 100_000;
/// How fast that follows what is seen: up by one step after a later wake-up, down by nine after an earlier one, which is at
/// rest at the tenth percentile.
const LEAD_STEP_NS: u64 = 50;
/// What the timer of kernels without `epoll_pwait2` is called; callers never see it.
const TIMER: u64 = u64::MAX;

/// What waits: an epoll instance, and a clock.
pub struct Sleeper {
    epoll: Epoll,
    events: Vec<EpollEvent>,
    /// Kernels before 5.11, and containers that forbid `epoll_pwait2`: a timer, and the instant that it is set to.
    timer: Option<(TimerFd, u64)>,
    /// By how much the timer is set early.
    lead_ns: u64,
}

impl Sleeper {
    /// Waits for nothing yet.
    ///
    /// # Errors
    /// No more files.
    pub fn new() -> io::Result<Sleeper> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut sleeper = Sleeper { epoll, events: vec![EpollEvent::empty(); EVENTS_MAX], timer: None, lead_ns: 0 };
        if let Err(Errno::ENOSYS | Errno::EPERM) = sleeper.wait_for(Some(0)) {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            sleeper.use_timer(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?)?;
        }
        Ok(sleeper)
    }

    fn use_timer(&mut self, timer: TimerFd) -> io::Result<()> {
        self.epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, TIMER))?;
        self.timer = Some((timer, u64::MAX));
        Ok(())
    }

    /// Waits for this one too.
    ///
    /// # Errors
    /// The kernel has no memory, or too many are watched.
    pub fn watch(&self, file: impl AsFd, flags: EpollFlags, name: u64) -> io::Result<()> {
        Ok(self.epoll.add(file, EpollEvent::new(flags, name))?)
    }

    /// Blocks until something happens, or until about `until_ns` on `CLOCK_MONOTONIC`: the caller looks at the clock, and
    /// waits on if it was woken before. The number of events; see [`Sleeper::event`].
    ///
    /// # Errors
    /// A defect.
    pub fn wait(&mut self, until_ns: Option<u64>) -> io::Result<usize> {
        let Some(until_ns) = until_ns else { return self.wait_until(None, 0) };
        let now = now_ns();
        // What is nearer than that is slept to its end, and comes late: the rest would be spun away.
        let wake_ns = if until_ns > now + self.lead_ns { until_ns - self.lead_ns } else { until_ns };
        let count = self.wait_until(Some(wake_ns), now)?;
        if count == 0 && wake_ns > now {
            self.lead_ns = lead_after(self.lead_ns, now_ns().saturating_sub(wake_ns));
        }
        Ok(count)
    }

    fn wait_until(&mut self, wake_ns: Option<u64>, now_ns: u64) -> io::Result<usize> {
        let waited = match &mut self.timer {
            None => self.wait_for(wake_ns.map(|wake_ns| wake_ns.saturating_sub(now_ns))),
            Some((timer, set_ns)) => {
                let overdue = wake_ns.is_some_and(|wake_ns| wake_ns <= now_ns);
                if let Some(wake_ns) = wake_ns.filter(|wake_ns| !overdue && wake_ns != set_ns) {
                    *set_ns = wake_ns;
                    let at = TimeSpec::new((wake_ns / 1_000_000_000) as i64, (wake_ns % 1_000_000_000) as i64);
                    timer.set(Expiration::OneShot(at), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
                }
                let waited =
                    self.epoll.wait(&mut self.events, if overdue { EpollTimeout::ZERO } else { EpollTimeout::NONE });
                waited.map(|count| without_timer(&mut self.events[..count]))
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

/// How many of these events are not the timer's, which goes to their end.
fn without_timer(events: &mut [EpollEvent]) -> usize {
    let last = events.len();
    match events.iter().position(|event| event.data() == TIMER) {
        Some(at) => {
            events.swap(at, last - 1);
            last - 1
        }
        None => last,
    }
}

/// The lead after a wake-up that came `late_ns` after what the timer was set to.
fn lead_after(lead_ns: u64, late_ns: u64) -> u64 {
    if late_ns < lead_ns { lead_ns.saturating_sub(9 * LEAD_STEP_NS) } else { (lead_ns + LEAD_STEP_NS).min(LEAD_NS_MAX) }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use dyno::clock::now_ns;
    use nix::sys::epoll::EpollFlags;
    use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};

    use super::{LEAD_NS_MAX, Sleeper, lead_after};

    #[test]
    fn the_timer_is_early_by_what_hardly_any_wake_up_is_faster_than() {
        let settle = |late: &dyn Fn(u64) -> u64| (0..20_000).fold(0, |lead, turn| lead_after(lead, late(turn)));
        // From 10 to 110 us, evenly: a tenth of them are below 20 us.
        let lead = settle(&|turn| 10_000 + turn * 7_919 % 100_000);
        assert!((17_000..23_000).contains(&lead), "{lead}");
        assert_eq!(settle(&|_| 1_000_000), LEAD_NS_MAX);
        assert!(settle(&|_| 0) < 1_000);
    }

    /// With either kind of wait; that both come back at all is the point.
    #[test]
    fn an_instant_ends_a_wait_and_so_does_a_file() {
        let fallback = |sleeper: &mut Sleeper| {
            let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK).unwrap();
            sleeper.use_timer(timer).unwrap();
        };
        for setup in [&|_: &mut Sleeper| {}, &fallback as &dyn Fn(&mut Sleeper)] {
            let mut sleeper = Sleeper::new().unwrap();
            setup(&mut sleeper);
            let until_ns = now_ns() + 2_000_000;
            while now_ns() < until_ns {
                assert_eq!(sleeper.wait(Some(until_ns)).unwrap(), 0);
            }
            assert_eq!(sleeper.wait(Some(0)).unwrap(), 0);
            let (reader, writer) = nix::unistd::pipe().unwrap();
            sleeper.watch(&reader, EpollFlags::EPOLLIN, 7).unwrap();
            std::io::Write::write_all(&mut File::from(writer), b"x").unwrap();
            assert_eq!(sleeper.wait(None).unwrap(), 1);
            assert_eq!(sleeper.event(0).1, 7);
        }
    }
}
