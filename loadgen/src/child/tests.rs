//! Children are real processes here (`sh`, `cat`); every wait is for an event.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use nix::unistd::getpgid;

use super::*;

const LONG: Duration = Duration::from_secs(30);

/// A shell that has run as far as `echo`, and what it said.
fn shell(script: &str) -> (ChildGuard, String) {
    let mut command = Command::new("sh");
    command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = spawn(&mut command, &Seat::default()).unwrap();
    let mut line = String::new();
    BufReader::new(child.take_stdout().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().to_owned())
}

#[test]
fn a_child_leads_its_own_group_and_blocks_no_signal() {
    STOPPING.into_iter().collect::<SigSet>().thread_block().unwrap();
    let (child, _) = shell("echo up; read -r line");
    assert_eq!(getpgid(Some(child.raw_pid())).unwrap(), child.raw_pid());
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
    assert_eq!(mask.trim(), "0000000000000000");
}

/// The terminal sends it to the whole process group, which a child leaves a moment after it has come into being.
#[test]
fn ctrl_c_before_a_child_has_left_our_group_is_not_its_own() {
    STOPPING.into_iter().collect::<SigSet>().thread_block().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "echo up"]).stdout(Stdio::piped());
    let interrupted = || Ok(nix::sys::signal::raise(Signal::SIGINT)?);
    // SAFETY: a system call on integers. It comes before what `spawn` does there.
    unsafe { command.pre_exec(interrupted) };
    let mut child = spawn(&mut command, &Seat::default()).unwrap();
    assert!(child.wait_timeout(LONG).unwrap().unwrap().success());
}

#[test]
fn terminate_is_obeyed_or_enforced() {
    let (mut obedient, _) = shell("echo up; read -r line");
    assert_eq!(obedient.try_wait().unwrap(), None);
    assert_eq!(obedient.terminate(LONG).unwrap().signal(), Some(libc::SIGTERM));

    let (mut stubborn, _) = shell("trap '' TERM; echo up; read -r line");
    assert_eq!(stubborn.terminate(Duration::from_millis(20)).unwrap().signal(), Some(libc::SIGKILL));
    assert_eq!(stubborn.terminate(LONG).unwrap().signal(), Some(libc::SIGKILL), "a second time is harmless");
}

#[test]
fn what_a_child_started_in_its_group_goes_with_it() {
    for end in [drop, |mut child: ChildGuard| assert!(!child.terminate(LONG).unwrap().success())] {
        let (child, grandchild) = shell("sleep 1000 >/dev/null & echo $!; wait");
        end(child);
        assert!(wait_for_exit(grandchild.parse().unwrap(), LONG).unwrap());
    }
}

#[test]
fn an_exit_is_awaited_and_its_status_kept() {
    let (mut child, _) = shell("echo up; read -r line; exit 7");
    assert_eq!(child.wait_timeout(Duration::ZERO).unwrap(), None);
    drop(child.take_stdin());
    let status = child.wait_timeout(Duration::MAX).unwrap().unwrap();
    assert_eq!(status.code(), Some(7));
    assert_eq!(child.try_wait().unwrap(), Some(status));
}

#[test]
fn dropping_the_guard_leaves_no_process() {
    let (child, _) = shell("echo up; read -r line");
    let pid = child.raw_pid();
    drop(child);
    assert_eq!(kill(pid, None), Err(Errno::ESRCH));
}

#[test]
fn a_child_dies_with_the_thread_that_spawned_it() {
    let (mut child, _) = std::thread::spawn(|| shell("echo up; read -r line")).join().unwrap();
    let status = child.wait_timeout(LONG).unwrap().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGKILL));
}

#[test]
fn a_child_whose_parent_is_another_process_does_not_start() {
    let mut command = Command::new("true");
    // SAFETY: as in `spawn`.
    unsafe { command.pre_exec(|| tie_to(Pid::from_raw(1))) };
    let error = command.spawn().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
}

/// A file that cannot be written stands for a group that does not take the process.
#[test]
fn only_the_group_that_weighs_has_to_take_it() {
    let refuses = Arc::new(File::open("/dev/null").unwrap());
    let spawned = |seat| spawn(&mut Command::new("true"), &seat).map(|mut child| child.wait_timeout(LONG).unwrap());
    let limited = spawned(Seat { limits: vec![Arc::clone(&refuses)], ..Seat::default() });
    assert!(limited.unwrap().unwrap().success());
    let weighed = spawned(Seat { group: Some(refuses), ..Seat::default() });
    assert_eq!(weighed.unwrap_err().raw_os_error(), Some(libc::EBADF));
}

#[test]
fn timeouts_round_up() {
    for (duration, expected) in [
        (Duration::ZERO, Some(0)),
        (Duration::from_nanos(1), Some(1)),
        (Duration::from_millis(20), Some(20)),
        (Duration::from_micros(20_001), Some(21)),
        (Duration::MAX, Some(i32::MAX.cast_unsigned().into())),
    ] {
        assert_eq!(whole_milliseconds(duration).as_millis().map(u128::from), expected);
    }
}
