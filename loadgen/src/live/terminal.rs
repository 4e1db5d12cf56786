//! The terminal while the screen is on it: raw mode, its other screen, and everything that is said on stderr meanwhile.
//!
//! What this process and its children write to stderr would spoil the screen, and would be gone with it. Until the screen
//! is left, the descriptor leads to a file in memory; what that holds is written to the terminal afterwards.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{dup2_stderr, getpgrp, tcgetpgrp};
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};

/// As much of the end of what was said as is looked at for lines.
const TAIL_BYTES: u64 = 16 * 1024;
/// How long a frame may hold up the way out.
const LEAVE_TRIES: u32 = 40;
const LEAVE_PAUSE: Duration = Duration::from_millis(5);

/// Whether stderr is a terminal that can hold a screen, and is this process's to use: one in the background would be
/// stopped by it.
#[must_use]
pub fn can_hold_a_screen() -> bool {
    let stderr = io::stderr();
    stderr.is_terminal()
        && std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
        && tcgetpgrp(stderr.as_fd()).is_ok_and(|group| group == getpgrp())
        && size().is_ok()
}

/// The screen on the terminal. Clones are the same one; who leaves it first, does.
#[derive(Clone)]
pub struct Terminal(Arc<Inner>);

struct Inner {
    tty: File,
    /// What was said on stderr.
    said: File,
    /// Held by whoever writes to the terminal.
    left: Mutex<bool>,
}

impl Terminal {
    /// Takes over the terminal behind stderr. A panic of any thread leaves it again before its message.
    ///
    /// # Errors
    /// The terminal or the kernel refuses; nothing is changed then.
    pub fn enter() -> io::Result<Terminal> {
        let tty = File::from(io::stderr().as_fd().try_clone_to_owned()?);
        let said = File::from(memfd_create("stderr", MFdFlags::MFD_CLOEXEC)?);
        enable_raw_mode()?;
        let terminal = Terminal(Arc::new(Inner { tty, said, left: Mutex::new(false) }));
        let taken = execute!(&terminal.0.tty, EnterAlternateScreen, Hide)
            .and_then(|()| dup2_stderr(&terminal.0.said).map_err(io::Error::from));
        if let Err(error) = taken {
            terminal.leave();
            return Err(error);
        }
        let (in_panic, hook) = (terminal.clone(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            in_panic.leave_at_once();
            hook(panic);
        }));
        Ok(terminal)
    }

    /// Gives the terminal back, and what was said meanwhile with it. Only the first call does anything.
    pub fn leave(&self) {
        self.restore(self.left());
    }

    /// The same on the way out, where nothing is waited for longer than a frame takes: a terminal that takes nothing holds one
    /// up for ever.
    pub fn leave_at_once(&self) {
        for _ in 0..LEAVE_TRIES {
            match self.0.left.try_lock() {
                Ok(left) => return self.restore(left),
                Err(_) => thread::sleep(LEAVE_PAUSE),
            }
        }
    }

    fn restore(&self, mut left: MutexGuard<'_, bool>) {
        if std::mem::replace(&mut *left, true) {
            return;
        }
        // Whatever of it fails: the rest is still worth doing, and there is nobody to tell.
        let _ = disable_raw_mode();
        let _ = execute!(&self.0.tty, LeaveAlternateScreen, Show);
        let _ = dup2_stderr(&self.0.tty);
        let _ = self.said(u64::MAX).and_then(|said| (&self.0.tty).write_all(&said));
    }

    /// The last `count` lines that were said, newest last.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        let said = self.said(TAIL_BYTES).unwrap_or_default();
        let text = String::from_utf8_lossy(&said);
        let mut lines: Vec<String> = text.lines().rev().take(count).map(str::to_owned).collect();
        lines.reverse();
        lines
    }

    /// The last bytes that were said, at most `bytes`.
    fn said(&self, bytes: u64) -> io::Result<Vec<u8>> {
        let length = self.0.said.metadata()?.len();
        let begin = length.saturating_sub(bytes);
        let mut said = vec![0; (length - begin) as usize];
        // By position: who writes, children included, shares one file offset with this descriptor.
        self.0.said.read_exact_at(&mut said, begin)?;
        Ok(said)
    }

    fn left(&self) -> MutexGuard<'_, bool> {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Collects a frame and writes it in one go, if the screen is still there.
pub struct Writer {
    terminal: Terminal,
    frame: Vec<u8>,
}

impl Writer {
    /// To `terminal`.
    #[must_use]
    pub fn new(terminal: Terminal) -> Writer {
        Writer { terminal, frame: Vec::new() }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let frame = std::mem::take(&mut self.frame);
        let left = self.terminal.left();
        if *left { Ok(()) } else { (&self.terminal.0.tty).write_all(&frame) }
    }
}
