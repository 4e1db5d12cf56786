//! The live screen on a terminal (a pseudo-terminal here): it comes, its keys interrupt, and the terminal is given back.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use nix::libc;
use nix::pty::{Winsize, openpty};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::setsid;
use testkit::TestServer;

use crate::support::process::signal;
use crate::support::redis::hold_writes;
use crate::support::{LONG, binary};

const LEFT: &str = "\x1b[?1049l";

/// loadgen with a terminal of its own.
struct OnTerminal {
    child: std::process::Child,
    master: File,
    slave: OwnedFd,
    before: Termios,
    output: Receiver<Vec<u8>>,
    seen: String,
    _site: tempfile::TempDir,
}

impl OnTerminal {
    fn start(line: &str) -> OnTerminal {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(&size, None).unwrap();
        let before = tcgetattr(&terminal.slave).unwrap();
        let site = tempfile::tempdir().unwrap();
        let end = || Stdio::from(terminal.slave.try_clone().unwrap());
        let mut command = Command::new(binary("loadgen"));
        command.args(line.split_whitespace()).args(["--pin", "none", "--out"]).arg(site.path().join("out"));
        command.env_remove("REDIS_URL").env("TERM", "xterm").current_dir(site.path());
        command.stdin(end()).stdout(end()).stderr(end());
        let own_terminal = || {
            setsid()?;
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // SAFETY: a system call on integers.
            nix::errno::Errno::result(unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) })?;
            Ok(())
        };
        // SAFETY: three system calls on integers.
        unsafe { command.pre_exec(own_terminal) };
        let child = command.spawn().unwrap();
        let master = File::from(terminal.master);
        let (mut reader, (sender, output)) = (master.try_clone().unwrap(), channel());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        OnTerminal { child, master, slave: terminal.slave, before, output, seen: String::new(), _site: site }
    }

    fn await_text(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let bytes = self.output.recv_timeout(LONG).unwrap_or_else(|_| panic!("no {text:?} in:\n{}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn press(&mut self, key: &[u8]) {
        self.master.write_all(key).unwrap();
    }

    /// Waits for the end; returns the exit code and what came after the screen was left.
    fn finish(mut self) -> (Option<i32>, String) {
        self.await_text(LEFT);
        let code = self.child.wait().unwrap().code();
        assert!(tcgetattr(&self.slave).unwrap() == self.before, "the terminal is not as it was");
        while let Ok(bytes) = self.output.recv_timeout(std::time::Duration::from_millis(200)) {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        let (_, after) = self.seen.split_once(LEFT).unwrap();
        (code, after.to_owned())
    }
}

const ENDLESS: &str =
    "run --engine async --workers 2 --rate 50 --duration 600 --warmup 0 --list-max 3 --payload-kb 0.1";

#[test]
fn a_key_stops_the_run_in_order_and_what_was_said_stays() {
    for key in [b"q", b"\x03"] {
        let mut run = OnTerminal::start(ENDLESS);
        run.await_text("window:");
        run.press(key);
        let (code, after) = run.finish();
        assert_eq!(code, Some(130), "{after}");
        assert!(after.contains("stopping: no more arrivals"), "{after}");
        assert!(after.contains("verdict"), "{after}");
    }
}

/// Until a worker hangs in the server.
fn await_blocked(server: &TestServer) {
    let clients = || redis::cmd("INFO").arg("clients").query::<String>(&mut server.connection()).unwrap();
    while clients().contains("blocked_clients:0") {
        thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// What hangs in a server that takes no writes never ends: the second request does not wait for it.
#[test]
fn a_second_request_gives_the_terminal_back_and_ends() {
    for by_signal in [false, true] {
        let server = TestServer::start();
        let mut run = OnTerminal::start(&format!(
            "{ENDLESS} --backlog-max 100000 --set load.drain_s=600 --redis-url {}",
            server.url()
        ));
        run.await_text("window:");
        hold_writes(&server);
        await_blocked(&server);
        run.press(b"q");
        run.await_text("stopping");
        match by_signal {
            true => signal(run.child.id(), Signal::SIGTERM),
            false => run.press(b"q"),
        }
        let (code, after) = run.finish();
        assert_eq!(code, Some(130), "{after}");
        assert!(after.contains("stopping: no more arrivals") && !after.contains("verdict"), "{after}");
    }
}

#[test]
fn plain_lines_are_a_flag_away() {
    let mut run = OnTerminal::start(&format!("{ENDLESS} --no-live"));
    run.await_text("run 1/1 async: starting");
    run.press(b"\x03");
    run.await_text("loadgen: interrupted");
    assert_eq!(run.child.wait().unwrap().code(), Some(130));
    assert!(!run.seen.contains('\x1b'), "{}", run.seen);
}
