//! Starts loadgen as a user would, in a session and a directory of its own, and collects everything it leaves behind.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use common::report::Run;
use loadgen::child::wait_for_exit;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::setsid;
use tempfile::TempDir;

#[path = "support/process.rs"]
pub mod process;
#[path = "support/redis.rs"]
pub mod redis;
#[path = "support/runs.rs"]
pub mod runs;

/// Far beyond what anything here takes: reaching it means that something hangs.
pub const LONG: Duration = Duration::from_secs(120);

/// Runs loadgen to its end with `--out` in a temporary directory. `line` is split at white space.
///
/// Panics when a process that it has started is left.
pub fn loadgen(line: &str) -> Finished {
    Invocation::new(line).start().finish()
}

/// As [`loadgen`], but returns at once.
pub fn start(line: &str) -> Loadgen {
    Invocation::new(line).start()
}

/// The path of a binary: all three stand side by side.
pub fn binary(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_BIN_EXE_loadgen")).with_file_name(name);
    assert!(path.is_file(), "{} is missing: build it with `cargo build -p {name}`", path.display());
    path
}

/// A command line of loadgen and where it will run.
pub struct Invocation {
    command: Command,
    site: TempDir,
    out: bool,
}

impl Invocation {
    pub fn new(line: &str) -> Self {
        let site = tempfile::tempdir().unwrap();
        fs::create_dir(site.path().join("work")).unwrap();
        Self::at(site, line)
    }

    fn at(site: TempDir, line: &str) -> Self {
        let mut command = Command::new(binary("loadgen"));
        command.args(line.split_whitespace());
        // Many run at once: pinned, all of them would be on the same CPUs.
        if ["run ", "bench "].iter().any(|command| line.starts_with(command)) && !line.contains("--pin") {
            command.args(["--pin", "none"]);
        }
        command.env_remove("REDIS_URL").current_dir(site.path().join("work"));
        Self { command, site, out: true }
    }

    /// In the directories of an earlier one.
    pub fn after(earlier: Finished, line: &str) -> Self {
        Self::at(earlier.site, line)
    }

    /// Writes a file into the working directory.
    pub fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.site.path().join("work").join(name), text).unwrap();
        self
    }

    /// Without `--out`: results go to `results/` in the working directory.
    pub fn without_out(mut self) -> Self {
        self.out = false;
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Hard limit of open files, as `ulimit -Hn`.
    pub fn files_max(self, files: u64) -> Self {
        self.first(move || Ok(setrlimit(Resource::RLIMIT_NOFILE, files, files)?))
    }

    /// What its process does before it is loadgen: system calls only.
    pub fn first(mut self, call: impl FnMut() -> io::Result<()> + Send + Sync + 'static) -> Self {
        // SAFETY: nothing but system calls.
        unsafe { self.command.pre_exec(call) };
        self
    }

    pub fn start(mut self) -> Loadgen {
        if self.out {
            self.command.arg("--out").arg(self.site.path().join("out"));
        }
        Loadgen::spawn(&mut self.command, self.site)
    }
}

/// loadgen, or a dyno started by hand, at work. It is killed when the test ends.
pub struct Loadgen {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    site: TempDir,
}

impl Loadgen {
    fn spawn(command: &mut Command, site: TempDir) -> Self {
        let detach = || {
            setsid()?;
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            Ok(())
        };
        // SAFETY: two system calls on integers.
        unsafe { command.pre_exec(detach) };
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (Lines::of(child.stdout.take().unwrap()), Lines::of(child.stderr.take().unwrap()));
        Self { child, stdout, stderr, site }
    }

    /// The directory in which it and all that it starts work.
    pub fn site(&self) -> &Path {
        self.site.path()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Blocks until a line of stderr contains `text`; returns the line.
    pub fn await_stderr(&mut self, text: &str) -> String {
        let deadline = Instant::now() + LONG;
        while let Some(line) = self.stderr.next(deadline) {
            if line.contains(text) {
                return line;
            }
        }
        panic!("stderr never said {text:?}:\n{}", self.stderr.seen);
    }

    pub fn signal(&self, signal: Signal) {
        process::signal(self.pid(), signal);
    }

    /// Waits for its end, however it comes.
    pub fn await_end(&mut self) {
        assert!(wait_for_exit(self.pid(), LONG).unwrap(), "it does not end");
    }

    /// Waits for its end. Whatever it has started must have ended before it.
    pub fn finish(mut self) -> Finished {
        self.await_end();
        let left = process::of_site(self.site());
        assert!(left.is_empty(), "left behind: {left:?}");
        self.reap()
    }

    /// Waits for its end, and for that of all it has started: those whom the kernel kills in its place die after it.
    pub fn finish_with_orphans(mut self) -> Finished {
        self.await_end();
        for orphan in process::of_site(self.site()) {
            assert!(wait_for_exit(orphan.pid, LONG).unwrap(), "{orphan:?} outlives loadgen");
        }
        assert_eq!(process::of_site(self.site()), []);
        self.reap()
    }

    fn reap(&mut self) -> Finished {
        let status = self.child.wait().unwrap();
        // The end of both pipes: nobody holds them any more.
        let (stdout, stderr) = (self.stdout.rest(), self.stderr.rest());
        let site = std::mem::replace(&mut self.site, tempfile::tempdir().unwrap());
        let mut finished = Finished { code: status.code(), stdout, stderr, runs: Vec::new(), site };
        finished.runs = runs::read(&finished.out());
        finished
    }
}

impl Drop for Loadgen {
    fn drop(&mut self) {
        // Both fail when it has ended, which is how it should be.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("it said:\n{}{}", self.stdout.so_far(), self.stderr.so_far());
        }
    }
}

/// A worker binary started by hand.
pub fn worker(name: &str, address: &str) -> Loadgen {
    worker_by(Command::new(binary(name)), address)
}

/// The same by a command that ends in the name of the binary.
pub fn worker_by(mut command: Command, address: &str) -> Loadgen {
    let site = tempfile::tempdir().unwrap();
    command.args(["--connect", address]).current_dir(site.path());
    Loadgen::spawn(&mut command, site)
}

/// What a run of loadgen has left.
pub struct Finished {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// `runs/*.json`, by file name.
    pub runs: Vec<Run>,
    site: TempDir,
}

impl Finished {
    /// The directory of the results.
    pub fn out(&self) -> PathBuf {
        let out = self.site.path().join("out");
        if out.exists() { out } else { self.work().join("results/latest") }
    }

    /// Its working directory.
    pub fn work(&self) -> PathBuf {
        self.site.path().join("work")
    }

    /// The only run.
    pub fn run(&self) -> &Run {
        let [run] = self.runs.as_slice() else { panic!("{} runs:\n{self}", self.runs.len()) };
        run
    }

    /// Every file that was written, as text.
    pub fn files(&self) -> Vec<(PathBuf, String)> {
        let mut files = Vec::new();
        let mut directories = vec![self.site.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    directories.push(entry.path());
                } else if entry.file_type().unwrap().is_file() {
                    let bytes = fs::read(entry.path()).unwrap();
                    files.push((entry.path(), String::from_utf8_lossy(&bytes).into_owned()));
                }
            }
        }
        files
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "code {:?}\nstdout:\n{}\nstderr:\n{}", self.code, self.stdout, self.stderr)
    }
}

/// The lines of a pipe, read as they come so that it never fills up.
struct Lines {
    receiver: Receiver<String>,
    seen: String,
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { receiver, seen: String::new() }
    }

    /// `None` at the end of the pipe.
    fn next(&mut self, deadline: Instant) -> Option<String> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        match self.receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                writeln!(self.seen, "{line}").unwrap();
                Some(line)
            }
            Err(Disconnected) => None,
            Err(Timeout) => panic!("nothing more was said, and the pipe stays open:\n{}", self.seen),
        }
    }

    /// What was said so far.
    fn so_far(&mut self) -> &str {
        self.seen.extend(self.receiver.try_iter().map(|line| line + "\n"));
        &self.seen
    }

    fn rest(&mut self) -> String {
        let deadline = Instant::now() + LONG;
        while self.next(deadline).is_some() {}
        self.seen.clone()
    }
}
