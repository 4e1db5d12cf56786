//! What is said while a bench runs: one live line on a terminal, plain lines elsewhere, nothing per task.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// The state of a run, once a second.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// Negative in the warm-up.
    pub since_window_s: f64,
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

/// How often a run says where it stands when there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Says where a bench stands.
pub struct Progress {
    bar: Option<ProgressBar>,
    head: String,
    ends: Option<Instant>,
    /// When the last plain line about a run was written.
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
        self.said = Instant::now();
        self.ends = Some(self.said + left);
        match &self.bar {
            Some(bar) => bar.set_message(format!("{}: starting, {} left", self.head, minutes(left))),
            None => eprintln!("{}: starting, {} left", self.head, minutes(left)),
        }
    }

    /// Where the run stands.
    pub fn show(&mut self, live: &Live) {
        if self.bar.is_none() && self.said.elapsed() < PLAIN_EVERY {
            return;
        }
        let left = self.ends.map_or(Duration::ZERO, |ends| ends.saturating_duration_since(Instant::now()));
        let phase = if live.since_window_s < 0.0 { "warm-up" } else { "window" };
        let line = format!(
            "{}: {phase}, {:.0}/s asked, {:.0}/s done, backlog {}, {}, {} left",
            self.head,
            live.asked_per_s,
            live.achieved_per_s,
            live.backlog,
            live.response,
            minutes(left)
        );
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.tick();
            }
            None => {
                eprintln!("{line}");
                self.said = Instant::now();
            }
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

fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 100 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

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
