//! Loadgen's side of the proxy: starts it, asks it, notices that it is gone.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde::de::DeserializeOwned;

use super::{Answer, Options, Question, Ready};
use crate::child::{self, ChildGuard, Seat};
use crate::dynos::binary;

/// How long it may take to listen.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// For [`DelayProxy::control`]: an answer that takes longer is not of the instant that was asked for.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(250);

/// A running proxy. Dropping it ends it.
pub struct DelayProxy {
    child: ChildGuard,
    control: Control,
    /// Where the dynos connect.
    pub address: SocketAddr,
    /// The scheduling class that it really has: `fifo-1`, `nice -10` or `normal`.
    pub priority: String,
}

/// The connection that a proxy is asked on, and lives by.
pub struct Control {
    lines: BufReader<UnixStream>,
    /// What went wrong with an earlier question, whose answer may still come.
    failed: Option<String>,
}

impl DelayProxy {
    /// Starts one on `seat`, from the main thread: see [`child::spawn`].
    ///
    /// # Errors
    /// It does not start.
    pub fn start(options: &Options, seat: &Seat) -> anyhow::Result<DelayProxy> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(binary("loadgen")?);
        command.arg("proxy").args(["--upstream", &options.upstream.to_string()]);
        command.args(["--rtt-us", &options.rtt_us.to_string(), "--jitter-us", &options.jitter_us.to_string()]);
        command.args(["--seed", &options.seed.to_string()]);
        command.args(options.real_time.then_some("--real-time"));
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        let child = child::spawn(&mut command, seat).with_context(|| format!("the delay proxy, {seat}"))?;
        // It holds the other end of the connection, which would otherwise never end.
        drop(command);
        let mut control = Control::new(ours, READY_WITHIN)?;
        let ready: Ready = control.hear().context("the delay proxy does not start; see its message above")?;
        Ok(DelayProxy { child, control, address: (Ipv4Addr::LOCALHOST, ready.port).into(), priority: ready.priority })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// A second hand on the connection, for whoever asks, and how long it may have to wait for an answer.
    ///
    /// # Errors
    /// No more files.
    pub fn control(&self, answer_within: Duration) -> anyhow::Result<Control> {
        Control::new(self.control.lines.get_ref().try_clone()?, answer_within)
    }

    /// How it ended, if it has ended by itself.
    pub fn lost(&mut self) -> Option<String> {
        Some(self.child.try_wait().ok()??.to_string())
    }
}

impl Control {
    fn new(stream: UnixStream, answer_within: Duration) -> anyhow::Result<Control> {
        stream.set_read_timeout(Some(answer_within))?;
        Ok(Control { lines: BufReader::new(stream), failed: None })
    }

    /// Asks, and waits for the answer. To be asked by one at a time.
    ///
    /// # Errors
    /// It is gone, or does not answer in time. A late answer must not be taken for the next one: from then on nothing is asked.
    pub fn ask(&mut self, question: Question) -> anyhow::Result<Answer> {
        if let Some(why) = &self.failed {
            anyhow::bail!("the delay proxy did not answer an earlier question: {why}");
        }
        let answer = self.lines.get_ref().write_all(&[question as u8]).map_err(Into::into).and_then(|()| self.hear());
        self.failed = answer.as_ref().err().map(|error: &anyhow::Error| format!("{error:#}"));
        answer
    }

    fn hear<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::super::{Answer, Question};
    use super::Control;

    /// Nobody answers the first question before it is given up.
    #[test]
    fn a_late_answer_is_nobodys() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut control = Control::new(ours, Duration::from_millis(1)).unwrap();
        assert!(control.ask(Question::Begin).is_err());
        let late = serde_json::to_string(&Answer { user_us: 7, ..Answer::default() }).unwrap();
        writeln!(theirs, "{late}").unwrap();
        let why = control.ask(Question::End).unwrap_err().to_string();
        assert!(why.starts_with("the delay proxy did not answer an earlier question: "), "{why}");
        let mut asked = [0; 2];
        assert_eq!((theirs.read(&mut asked).unwrap(), asked[0]), (1, Question::Begin as u8), "asked once");
    }
}
