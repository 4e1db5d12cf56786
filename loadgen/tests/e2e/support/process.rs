//! Processes, by what `/proc` says of them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{LONG, Loadgen};

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// The first 15 characters of its program's name.
    pub name: String,
    parent: u32,
}

impl Process {
    /// The process of this id; `None` when it has ended: one that is dead and not yet reaped (by whoever adopted it) runs no more.
    pub fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in brackets and may itself hold some.
        let (head, tail) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = tail.split_whitespace().collect();
        let [state, parent, ..] = fields.as_slice() else { return None };
        let ended = matches!(*state, "Z" | "X");
        (!ended).then_some(Self { pid, name, parent: parent.parse().ok()? })
    }

    fn all() -> impl Iterator<Item = Self> {
        let entries = fs::read_dir("/proc").unwrap().map(Result::unwrap);
        entries.filter_map(|entry| Self::read(entry.file_name().to_str()?.parse().ok()?))
    }

    /// Its arguments, each ended by a zero; or the title that it gave itself.
    pub fn command_line(&self) -> Option<String> {
        fs::read_to_string(format!("/proc/{}/cmdline", self.pid)).ok()
    }
}

/// What works in a directory or below it: all that a loadgen has started, in whichever group or session.
pub fn of_site(directory: &Path) -> Vec<Process> {
    let directory = directory.canonicalize().unwrap();
    let works_there = |process: &Process| {
        fs::read_link(format!("/proc/{}/cwd", process.pid)).is_ok_and(|at| at.starts_with(&directory))
    };
    Process::all().filter(works_there).collect()
}

/// Children whose name begins with `name`.
pub fn children(parent: u32, name: &str) -> Vec<Process> {
    Process::all().filter(|process| process.parent == parent && process.name.starts_with(name)).collect()
}

/// Blocks until `parent` has `count` children whose name begins with `name`: starting has no event to wait for.
pub fn await_children(parent: u32, name: &str, count: usize) -> Vec<Process> {
    until(&format!("{count} x {name}"), || Some(children(parent, name)).filter(|found| found.len() == count))
}

/// Looks until there is something; only for what nobody announces.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

/// Sends a signal to a process that is there.
pub fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

/// Blocks until the process has taken every signal that was sent to it: a second one of the same kind would be merged
/// with the first.
pub fn await_taken(pid: u32) {
    until("the signal to be taken", || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let pending = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"))?;
        pending.trim().chars().all(|digit| digit == '0').then_some(())
    });
}

/// The private server of a run, and where it listens.
pub fn private_server(run: &Loadgen) -> (Process, SocketAddr) {
    until("the private server", || {
        children(run.pid(), "").into_iter().find_map(|child| {
            // Both Redis and Valkey call themselves so once they have read their settings.
            let title = child.command_line()?;
            let address = title.split([' ', '\0']).nth(1)?.parse().ok()?;
            Some((child, address))
        })
    })
}
