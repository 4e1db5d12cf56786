//! What is said while a bench runs: on a screen where there is a terminal, else in plain lines; nothing per task.

use std::time::{Duration, Instant};

use common::latency::{Latency, microseconds};
use common::plan::Settings;
use common::report::Phase;

use crate::collect::SecondReports;
use crate::error::Refused;
use crate::live::{self, Live, Load, News, Standing};
use crate::placement::Part;
use crate::signals::Interrupt;

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

/// How often a bench says where its run stands when there is no screen.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// How often it is told where its run stands then.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Says where a bench stands.
pub struct Progress {
    kind: Kind,
    head: String,
    ends: Option<Instant>,
}

enum Kind {
    Plain(Plain),
    /// The screen comes with the first run.
    Waiting(Interrupt),
    Live(Live),
}

/// What plain lines are made from besides what is told.
#[derive(Default)]
struct Plain {
    /// When the last line about a run's state was written.
    said: Option<Instant>,
    /// What was told last.
    told: Option<Standing>,
}

impl Progress {
    /// Plain lines on stderr.
    #[must_use]
    pub fn plain() -> Progress {
        Progress { kind: Kind::Plain(Plain::default()), head: String::new(), ends: None }
    }

    /// A screen, or plain lines; when nothing is `asked`, a screen where there is a terminal for it. Its keys interrupt
    /// by `interrupt`.
    ///
    /// # Errors
    /// A screen is asked for, and there is no terminal.
    pub fn new(asked: Option<bool>, interrupt: &Interrupt) -> Result<Progress, Refused> {
        let possible = live::can_hold_a_screen();
        if asked == Some(true) && !possible {
            let why = "--live: stderr is no terminal, or not this process's to draw on; leave it out for plain lines";
            return Err(Refused(why.to_owned()));
        }
        let kind =
            if asked.unwrap_or(possible) { Kind::Waiting(interrupt.clone()) } else { Kind::Plain(Plain::default()) };
        Ok(Progress { kind, ..Progress::plain() })
    }

    /// Run `number` (from 1) of `of` begins; the bench is expected to take `left` from here.
    pub fn begin(&mut self, number: u32, of: u32, what: &str, left: Duration) {
        self.head = format!("run {number}/{of} {what}");
        let ends = Instant::now() + left;
        self.ends = Some(ends);
        if let Kind::Waiting(interrupt) = &self.kind {
            self.kind = match Live::start(interrupt) {
                Ok(live) => Kind::Live(live),
                Err(error) => {
                    eprintln!("no live screen: {error:#}");
                    Kind::Plain(Plain::default())
                }
            };
        }
        match &mut self.kind {
            Kind::Live(live) => {
                live.tell(News::Begin { head: self.head.clone(), ends });
                live.tell(News::Stage("starting the server".to_owned()));
            }
            Kind::Plain(plain) => {
                *plain = Plain { said: Some(Instant::now()), ..Plain::default() };
                eprintln!("{}: starting, {} left", self.head, Remaining(left));
            }
            Kind::Waiting(_) => {}
        }
    }

    /// What is being done before the first arrival.
    pub fn stage(&self, what: &str) {
        self.tell(|| News::Stage(what.to_owned()));
    }

    /// All processes of the run stand: what it is to do, and whose CPU it is.
    pub fn load(&self, settings: &Settings, processes: Vec<(Part, u32)>) {
        let (asked_per_s, duration_s) = (settings.load.mean_rate_per_s(), settings.load.duration_s);
        let processes = processes.into_iter().map(|(part, pid)| match part {
            // All of them are one line.
            Part::Dyno(_) => ("workers".to_owned(), pid),
            part => (part.to_string(), pid),
        });
        self.tell(|| News::Load(Load { asked_per_s, duration_s, processes: processes.collect() }));
    }

    /// How often it is worth to say where a run stands.
    #[must_use]
    pub fn every(&self) -> Duration {
        if let Kind::Live(_) = self.kind { live::FRAME } else { TOLD_EVERY }
    }

    /// A second that all dynos have reported.
    pub fn second(&self, reports: &SecondReports) {
        self.tell(|| News::Second(Box::new(reports.clone())));
    }

    /// Where the run stands; `response` is of the window so far.
    pub fn show(&mut self, standing: &Standing, response: &Latency) {
        self.tell(|| News::Standing(Box::new(*standing)));
        let Kind::Plain(plain) = &mut self.kind else { return };
        let now = Instant::now();
        let told = plain.told.replace(*standing);
        if plain.said.is_some_and(|said| !is_due(said, now)) {
            return;
        }
        plain.said = Some(now);
        let left = self.ends.map_or(Duration::ZERO, |ends| ends.saturating_duration_since(now));
        let phase = match standing.phase {
            Phase::WarmUp => "warm-up",
            Phase::Window => "window",
            Phase::Drain => "drain",
        };
        let achieved_per_s = told.map_or(0.0, |told| {
            standing.ended.saturating_sub(told.ended) as f64 / (standing.window_s - told.window_s).max(0.1)
        });
        eprintln!(
            "{}: {} left, {phase}, {:.0}/s asked, {achieved_per_s:.0}/s done, backlog {}, {}",
            self.head,
            Remaining(left),
            standing.asked_per_s,
            standing.sent.saturating_sub(standing.ended),
            Tail::of(response.n(), |p| response.percentile_ns(p, 0).map(microseconds))
        );
    }

    /// A line that stays. On the screen it is among the last lines, and on the terminal when that is left.
    pub fn line(&self, line: &str) {
        eprintln!("{line}");
    }

    /// A run has ended.
    pub fn end(&mut self, result: &str) {
        self.line(&format!("{}: {result}", self.head));
    }

    /// Gives the terminal back, with all lines that were said; from here on lines are plain.
    pub fn finish(&mut self) {
        self.kind = Kind::Plain(Plain::default());
    }

    fn tell(&self, news: impl FnOnce() -> News) {
        if let Kind::Live(live) = &self.kind {
            live.tell(news());
        }
    }
}

/// Whether another plain line is due: in short runs too, only not in every one.
fn is_due(said: Instant, now: Instant) -> bool {
    now.saturating_duration_since(said) >= PLAIN_EVERY
}

/// Time that is left, as people say it.
#[derive(Debug, Clone, Copy)]
pub struct Remaining(pub Duration);

impl std::fmt::Display for Remaining {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_secs() {
            seconds if seconds < 100 => write!(f, "{seconds} s"),
            seconds => write!(f, "{} min", seconds.div_ceil(60)),
        }
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
