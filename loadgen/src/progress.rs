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
    pub response_p99_us: Option<f64>,
}

/// Says where a bench stands.
pub struct Progress {
    bar: Option<ProgressBar>,
    head: String,
    ends: Option<Instant>,
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
        Progress { bar, head: String::new(), ends: None }
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
        let Some(bar) = &self.bar else { return };
        let left = self.ends.map_or(Duration::ZERO, |ends| ends.saturating_duration_since(Instant::now()));
        let p99 = live.response_p99_us.map_or("-".to_owned(), |us| format!("{:.2} ms", us / 1e3));
        let phase = if live.since_window_s < 0.0 { "warm-up" } else { "window" };
        bar.set_message(format!(
            "{}: {phase}, {:.0}/s asked, {:.0}/s done, backlog {}, p99 {p99}, {} left",
            self.head,
            live.asked_per_s,
            live.achieved_per_s,
            live.backlog,
            minutes(left)
        ));
        bar.tick();
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
