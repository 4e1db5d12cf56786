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
/// An answer that takes longer is not of the instant that was asked for.
const ANSWER_WITHIN: Duration = Duration::from_millis(250);

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
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        let child = child::spawn(&mut command, seat).with_context(|| format!("the delay proxy, {seat}"))?;
        // It holds the other end of the connection, which would otherwise never end.
        drop(command);
        let mut control = Control { lines: BufReader::new(ours) };
        control.lines.get_ref().set_read_timeout(Some(READY_WITHIN))?;
        let ready: Ready = control.hear().context("the delay proxy does not start; see its message above")?;
        control.lines.get_ref().set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(DelayProxy { child, control, address: (Ipv4Addr::LOCALHOST, ready.port).into(), priority: ready.priority })
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// A second hand on the connection, for whoever asks.
    ///
    /// # Errors
    /// No more files.
    pub fn control(&self) -> anyhow::Result<Control> {
        Ok(Control { lines: BufReader::new(self.control.lines.get_ref().try_clone()?) })
    }

    /// How it ended, if it has ended by itself.
    pub fn lost(&mut self) -> Option<String> {
        Some(self.child.try_wait().ok()??.to_string())
    }
}

impl Control {
    /// Asks, and waits for the answer. To be asked by one at a time.
    ///
    /// # Errors
    /// It is gone, or does not answer in time: a late answer must not be taken for the next one, so that nothing may be asked
    /// afterwards.
    pub fn ask(&mut self, question: Question) -> anyhow::Result<Answer> {
        self.lines.get_ref().write_all(&[question as u8])?;
        self.hear()
    }

    fn hear<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}
