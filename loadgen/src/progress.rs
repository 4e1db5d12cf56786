//! What is said while a bench runs: one live line on a terminal, plain lines elsewhere, nothing per task.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use common::report::Phase;
use indicatif::{ProgressBar, ProgressStyle};

/// The state of a run, once a second.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// Part of the run.
    pub phase: Phase,
    /// By the plan.
    pub asked_per_s: f64,
    /// Tasks that ended in the last second.
    pub achieved_per_s: f64,
    /// Sent and not finished.
    pub backlog: u64,
    /// Of the window so far.
    pub response: Tail,
}

/// The highest percentile of response that so many tasks allow: at least 30 must lie beyond it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tail {
    name: &'static str,
    us: Option<f64>,
}

impl Tail {
    /// Of `n` tasks; `percentile` gives microseconds.
    pub fn of(n: u64, percentile: impl FnOnce(f64) -> Option<f64>) -> Tail {
        let (name, p) = match n {
            3000.. => ("p99", 0.99),
            300.. => ("p90", 0.9),
            _ => ("p50", 0.5),
        };
        Tail { name, us: percentile(p) }
    }
}

impl std::fmt::Display for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.us {
            Some(us) => write!(f, "{} {:.2} ms", self.name, us / 1e3),
            None => write!(f, "{} -", self.name),
        }
    }
}

/// How often a bench says where its run stands when there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Says where a bench stands.
pub struct Progress {
    bar: Option<ProgressBar>,
    head: String,
    ends: Option<Instant>,
    /// When the last plain line about a run's state was written.
    said: Instant,
}

impl Progress {
    /// For stderr as it is: a terminal or not.
    #[must_use]
    pub fn new() -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar
        });
        Progress { bar, head: String::new(), ends: None, said: Instant::now() }
    }

    /// Run `number` (from 1) of `of` begins; the bench is expected to take `left` from here.
    pub fn begin(&mut self, number: u32, of: u32, what: &str, left: Duration) {
        self.head = format!("run {number}/{of} {what}");
        self.ends = Some(Instant::now() + left);
        match &self.bar {
            Some(bar) => bar.set_message(format!("{}: starting, {} left", self.head, minutes(left))),
            None => eprintln!("{}: starting, {} left", self.head, minutes(left)),
        }
    }

    /// Where the run stands.
    pub fn show(&mut self, live: &Live) {
        let now = Instant::now();
        if self.bar.is_none() && !is_due(self.said, now) {
            return;
        }
        let left = self.ends.map_or(Duration::ZERO, |ends| ends.saturating_duration_since(now));
        let phase = match live.phase {
            Phase::WarmUp => "warm-up",
            Phase::Window => "window",
            Phase::Drain => "drain",
        };
        let line = format!(
            "{}: {} left, {phase}, {:.0}/s asked, {:.0}/s done, backlog {}, {}",
            self.head,
            minutes(left),
            live.asked_per_s,
            live.achieved_per_s,
            live.backlog,
            live.response
        );
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.tick();
            }
            None => {
                eprintln!("{line}");
                self.said = now;
            }
        }
    }

    /// What is being done before the first arrival.
    pub fn stage(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {what}", self.head));
            bar.tick();
        }
    }

    /// A line that stays.
    pub fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// A run has ended.
    pub fn end(&mut self, result: &str) {
        self.line(&format!("{}: {result}", self.head));
    }

    /// Leaves the terminal as it was.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Progress::new()
    }
}

/// Whether another plain line is due: in short runs too, only not in every one.
fn is_due(said: Instant, now: Instant) -> bool {
    now.saturating_duration_since(said) >= PLAIN_EVERY
}

fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 100 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Tail, is_due};

    #[test]
    fn plain_lines_come_every_ten_seconds() {
        let said = Instant::now();
        let due = [0, 9, 10, 60].map(|seconds| is_due(said, said + Duration::from_secs(seconds)));
        assert_eq!(due, [false, false, true, true]);
    }

    #[test]
    fn the_percentile_follows_the_number_of_tasks() {
        let tail = |n| Tail::of(n, |p| Some(p * 1e5)).to_string();
        assert_eq!(
            [1, 299, 300, 2999, 3000].map(tail),
            ["p50 50.00 ms", "p50 50.00 ms", "p90 90.00 ms", "p90 90.00 ms", "p99 99.00 ms"]
        );
        assert_eq!(Tail::of(5000, |_| None).to_string(), "p99 -");
    }
}
