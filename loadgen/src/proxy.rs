//! The network between dynos and server, where a plan asks for one: a process that passes every byte on after half a round
//! trip, in either direction. It is a process of its own, so that what it costs is nobody else's, and it is one thread.
//!
//! [`due`] is what waits, and until when: pure. [`serve`] is the process: sockets, and sleeping until something is due.
//! [`process`] is loadgen's side of it, and [`distance`] measures what it adds.

pub mod distance;
pub mod due;
mod pairs;
pub mod process;
mod reader;
pub mod serve;
mod sleeper;

use std::net::SocketAddr;

use clap::Args;
use serde::{Deserialize, Serialize};

/// `loadgen proxy`: what loadgen starts it with. Standard input is a connection to loadgen; its end is the proxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct Options {
    /// The server
    #[arg(long, value_name = "ADDR")]
    pub upstream: SocketAddr,
    /// Microseconds that a round trip takes longer
    #[arg(long)]
    pub rtt_us: u32,
    /// Microseconds that it takes longer still, at most
    #[arg(long)]
    pub jitter_us: u32,
    /// Of the jitter
    #[arg(long)]
    pub seed: u64,
    /// Asks for real-time priority: not where it would keep the pacer waiting
    #[arg(long)]
    pub real_time: bool,
}

/// The first line that a proxy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// The scheduling class that it really has.
    pub priority: String,
}

/// What a proxy is asked, in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Question {
    /// Begin to count anew; the answer holds no counts.
    Begin = b'b',
    /// What has been counted.
    End = b'e',
}

/// What it answers, in one line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// User time since it started, microseconds.
    pub user_us: u64,
    /// System time since it started, microseconds.
    pub sys_us: u64,
    /// Since the last [`Question::Begin`]; none in the answer to that.
    pub tally: Option<Tally>,
}

/// What a proxy counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Pieces passed on: what one read took. A round trip of a small request is two. Ends of connections are none.
    pub pieces: u64,
    /// Bytes passed on.
    pub bytes: u64,
    /// Connections at the end.
    pub connections: u64,
    /// Most pieces that waited at once.
    pub queue_max: u64,
    /// When pieces were passed on, less when they were due, or 0: a packed histogram. Those whose receiver had no room are not
    /// in it.
    pub lateness: String,
    /// Values that the histogram does not hold.
    pub lateness_beyond: u64,
}
