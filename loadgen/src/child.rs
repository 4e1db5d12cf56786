//! Child processes that cannot outlive loadgen: own process group, SIGKILL when loadgen dies, reaped by a guard.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpid, getppid, setsid, write};

use crate::signals::STOPPING;

/// How often a child is looked at where its end cannot be awaited: kernels before 5.3, and containers that forbid `pidfd_open`.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// What a child is given before it begins, and its threads inherit. By default: as its parent, but for the process group.
#[derive(Debug, Clone, Default)]
pub struct Seat {
    /// The CPUs that it may use.
    pub cpus: Option<CpuSet>,
    /// The `cgroup.procs` of the control group that weighs it, which it has to get into.
    pub group: Option<Arc<File>>,
    /// Those of groups that limit it, in other hierarchies: as far as they take it. What came of it, the kernel says.
    pub limits: Vec<Arc<File>>,
    /// Whether it gets a session of its own, and not only a process group.
    pub session: bool,
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = if self.group.is_none() { "in no control group of its own" } else { "in a control group" };
        let cpus = if self.cpus.is_some() { "pinned" } else { "not pinned" };
        write!(f, "{group}, {cpus}")
    }
}

/// Starts `command` on `seat`, in a process group of its own, with an empty signal mask, so that it dies (SIGKILL) when its
/// parent dies.
///
/// In production this is to be called from the main thread: the kernel sends the signal when the *thread* that spawned the child
/// ends, not when the process does. The process group keeps the terminal's Ctrl-C away from the child; the mask is emptied
/// because loadgen blocks SIGINT and SIGTERM in all its threads and a child inherits that.
///
/// # Errors
/// What [`Command::spawn`] returns, which does not name the program: the caller does.
pub fn spawn(command: &mut Command, seat: &Seat) -> io::Result<ChildGuard> {
    let parent = getpid();
    let seat = seat.clone();
    if !seat.session {
        command.process_group(0);
    }
    let prepare = move || {
        tie_to(parent)?;
        sit_down(&seat)?;
        take_signals()
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; these make system calls, allocate nothing and
    // take no lock.
    unsafe { command.pre_exec(prepare) };
    Ok(ChildGuard { child: command.spawn()?, status: None })
}

/// Runs in the child, between fork and exec.
fn tie_to(parent: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // A parent that died before the line above sends no signal any more: whoever adopted this process is not the parent.
    if getppid() != parent {
        return Err(Errno::ESRCH.into());
    }
    Ok(())
}

/// Runs in the child, between fork and exec, when it has left its parent's process group.
fn take_signals() -> io::Result<()> {
    for signal in STOPPING {
        // What was sent to that group in between is pending here, and would end the child now: ignoring a signal drops it.
        for action in [SigHandler::SigIgn, SigHandler::SigDfl] {
            // SAFETY: a system call; no handler is installed, which would have to be async-signal-safe.
            unsafe { nix::sys::signal::signal(signal, action) }?;
        }
    }
    SigSet::empty().thread_set_mask()?;
    Ok(())
}

/// Runs in the child, between fork and exec. A session brings a process group with it.
fn sit_down(seat: &Seat) -> io::Result<()> {
    if seat.session {
        setsid()?;
    }
    // 0: whoever writes.
    if let Some(group) = &seat.group {
        write(group, b"0")?;
    }
    for group in &seat.limits {
        let _ = write(group, b"0");
    }
    if let Some(cpus) = &seat.cpus {
        sched_setaffinity(Pid::from_raw(0), cpus)?;
    }
    Ok(())
}

/// A child process that ends with its owner: dropping the guard sends SIGKILL to its process group and reaps it.
#[derive(Debug)]
pub struct ChildGuard {
    child: Child,
    /// Set once the child is reaped; from then on its pid may belong to somebody else and gets no signal.
    status: Option<ExitStatus>,
}

impl ChildGuard {
    /// The process id, which is also the id of the child's process group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The write end of the child's stdin, once, if it was piped.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// The read end of the child's stdout, once, if it was piped.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// The read end of the child's stderr, once, if it was piped.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// The exit status if the child has ended, without waiting. What it left behind in its process group is killed.
    ///
    /// # Errors
    /// When the kernel does not know the child, because something else in this process reaped it.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() && self.has_ended()? {
            self.kill_and_reap()?;
        }
        Ok(self.status)
    }

    /// Waits at most `timeout` for the child to end; `None` when it is still running. Otherwise as
    /// [`try_wait`](Self::try_wait).
    ///
    /// # Errors
    /// As [`try_wait`](Self::try_wait).
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() && self.await_end(timeout)? {
            self.kill_and_reap()?;
        }
        Ok(self.status)
    }

    /// Ends the child: SIGTERM, up to `grace` to obey, then SIGKILL to its whole process group; reaps it.
    ///
    /// # Errors
    /// As [`try_wait`](Self::try_wait).
    pub fn terminate(&mut self, grace: Duration) -> io::Result<ExitStatus> {
        if let Some(status) = self.try_wait()? {
            return Ok(status);
        }
        // Only the child, not its group: it is the one that knows the order in which to stop what it started.
        kill(self.raw_pid(), Signal::SIGTERM)?;
        self.await_end(grace)?;
        self.kill_and_reap()
    }

    fn raw_pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Whether the child has ended; leaves it to be reaped, so that its group id stays its own.
    fn has_ended(&self) -> io::Result<bool> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.raw_pid()), flags)? {
            WaitStatus::StillAlive => Ok(false),
            _ => Ok(true),
        }
    }

    fn await_end(&self, timeout: Duration) -> io::Result<bool> {
        if let Ok(ended) = wait_for_exit(self.pid(), timeout) {
            return Ok(ended);
        }
        let deadline = Instant::now().checked_add(timeout);
        while !self.has_ended()? {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(false);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        Ok(true)
    }

    fn kill_and_reap(&mut self) -> io::Result<ExitStatus> {
        // Both may find nobody: a child that has ended, or one that left its group. Neither is a failure.
        let _ = killpg(self.raw_pid(), Signal::SIGKILL);
        let _ = self.child.kill();
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        if self.status.is_none() {
            // Nobody is left to tell, and a child that cannot be reaped dies with this process.
            let _ = self.kill_and_reap();
        }
    }
}

/// Waits at most `timeout` for any process, child or not, to end; whether it did. A process that nobody knows has ended.
///
/// # Errors
/// When the kernel has no `pidfd_open` (before 5.3) or forbids it.
pub fn wait_for_exit(pid: u32, timeout: Duration) -> io::Result<bool> {
    let Some(pidfd) = open_pidfd(pid)? else {
        return Ok(true);
    };
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&pidfd, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    let deadline = Instant::now().checked_add(timeout);
    let mut events = [EpollEvent::empty()];
    loop {
        let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
        match epoll.wait(&mut events, whole_milliseconds(left)) {
            Ok(0) if left.is_zero() => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Rounded up, because rounding down would spin through the last millisecond.
fn whole_milliseconds(duration: Duration) -> EpollTimeout {
    let milliseconds = duration.as_nanos().div_ceil(1_000_000);
    EpollTimeout::try_from(milliseconds).unwrap_or(EpollTimeout::MAX)
}

/// A file descriptor that becomes readable when the process ends; `None` when there is no such process.
fn open_pidfd(pid: u32) -> io::Result<Option<OwnedFd>> {
    // SAFETY: a system call on two integers; it touches no memory of this process.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    match Errno::result(answer) {
        Ok(descriptor) => {
            let descriptor = i32::try_from(descriptor).map_err(io::Error::other)?;
            // SAFETY: the kernel has just made this descriptor for us (close-on-exec) and nothing else owns it.
            Ok(Some(unsafe { OwnedFd::from_raw_fd(descriptor) }))
        }
        Err(Errno::ESRCH) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests;
