//! What the screen shows, from what it was told. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use common::latency::{Latency, microseconds};
use common::report::{Depth, Phase};
use common::verdict::{ON_TIME_MIN, TAIL_MIN, beyond, on_time_limit_us};

use super::{Load, News, Standing};
use crate::collect::SecondReports;
use crate::progress::Remaining;

/// Points of the curve that are kept: more than any terminal is wide.
const POINTS_MAX: usize = 1000;

/// p50, p90, p99 and the largest in microseconds; `None` where too few tasks lie beyond, or one of those that failed would
/// be it.
pub type Quantiles = [Option<f64>; 4];

/// Everything that is known of a bench at work.
#[derive(Default)]
pub struct State {
    head: String,
    ends: Option<Instant>,
    stage: String,
    load: Load,
    /// Of the last second or a little more, oldest first.
    standings: VecDeque<Standing>,
    second: Quantities,
    window: Quantities,
    curve: Curve,
    cpu: Vec<(String, Option<f64>)>,
}

/// Latencies of some time.
#[derive(Default)]
struct Quantities {
    response: Latency,
    service: Latency,
    failed: u64,
}

impl Quantities {
    fn add(&mut self, second: &SecondReports) {
        self.response.merge(&second.response);
        self.service.merge(&second.service);
        self.failed += second.failed;
    }

    fn quantiles(&self) -> [Quantiles; 2] {
        [&self.response, &self.service].map(|latency| {
            let all = latency.n() + self.failed;
            let percentile =
                |p: f64| latency.percentile_ns(p, self.failed).filter(|_| enough(all, p)).map(microseconds);
            let max = latency.max_ns().filter(|_| self.failed == 0).map(microseconds);
            [percentile(0.5), percentile(0.9), percentile(0.99), max]
        })
    }
}

fn enough(tasks: u64, p: f64) -> bool {
    beyond(tasks, p) >= TAIL_MIN
}

/// A percentile of response over time: the highest, and the shortest steps, that the rate allows.
#[derive(Default)]
struct Curve {
    name: &'static str,
    p: f64,
    step_s: u32,
    /// Of the step under way, and how many seconds it has.
    step: Quantities,
    seconds: u32,
    /// Microseconds; `None` where too few tasks completed.
    points: VecDeque<Option<f64>>,
}

impl Curve {
    /// A step takes a second, or a twentieth of the window if that is more.
    fn new(load: &Load) -> Curve {
        let longest_s = (load.duration_s / 20.0).max(1.0);
        // A tenth more than enough: a Poisson second may have fewer.
        let step_s = |p: f64| (1.1 * TAIL_MIN / (1.0 - p) / load.asked_per_s).ceil().max(1.0);
        let all = [("p99", 0.99), ("p90", 0.9), ("p50", 0.5)];
        let (name, p) = all.into_iter().find(|&(_, p)| step_s(p) <= longest_s).unwrap_or(("p50", 0.5));
        Curve { name, p, step_s: step_s(p).min(3600.0) as u32, ..Curve::default() }
    }

    fn add(&mut self, second: &SecondReports) {
        self.step.add(second);
        self.seconds += 1;
        if self.seconds < self.step_s {
            return;
        }
        let step = std::mem::take(&mut self.step);
        self.seconds = 0;
        let all = step.response.n() + step.failed;
        let point = step.response.percentile_ns(self.p, step.failed).filter(|_| enough(all, self.p));
        self.points.push_back(point.map(microseconds));
        if self.points.len() > POINTS_MAX {
            self.points.pop_front();
        }
    }
}

/// Where tasks wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waiting {
    /// Pushed ones: workers with most of them, number and tasks.
    AtWorkers(Vec<(u32, u32)>),
    /// What is in the queue.
    InQueue(Depth),
}

impl Waiting {
    /// What waits, or where, and how many tasks.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, u64)> {
        match self {
            Waiting::AtWorkers(workers) => {
                workers.iter().map(|(worker, waiting)| (format!("worker {worker}"), (*waiting).into())).collect()
            }
            Waiting::InQueue(Depth { visible, in_flight, delayed, dead }) => {
                let rows = [("visible", visible), ("in flight", in_flight), ("delayed", delayed), ("dead", dead)];
                rows.map(|(name, tasks)| (name.to_owned(), *tasks)).into()
            }
        }
    }
}

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Which run, and of how many.
    pub head: String,
    /// What is going on, and how long it will take.
    pub phase: String,
    /// Asked, achieved, completed, failed, backlog: as text; `-` when not known.
    pub tasks: [(&'static str, String); 5],
    /// Where tasks wait.
    pub waiting: Waiting,
    /// Response and service of the last second, then of the window.
    pub latency: [(&'static str, Quantiles); 4],
    /// What the curve is of.
    pub curve_title: String,
    /// Microseconds, oldest first.
    pub curve: Vec<Option<f64>>,
    /// % of a core, by name.
    pub cpu: Vec<(String, Option<f64>)>,
    /// What has already failed; empty: nothing.
    pub failed: Vec<String>,
    /// What validity hangs on, so far; `None` before the window.
    pub validity: Option<String>,
}

impl State {
    /// Takes in what it is told.
    pub fn take(&mut self, news: News) {
        match news {
            News::Begin { head, ends } => *self = State { head, ends: Some(ends), ..State::default() },
            News::Stage(stage) => self.stage = stage,
            News::Load(load) => {
                self.curve = Curve::new(&load);
                self.load = load;
            }
            News::Second(second) => {
                // Before the window nothing is recorded.
                if self.window.response.n() + second.response.n() > 0 {
                    self.curve.add(&second);
                    self.window.add(&second);
                }
                self.second = Quantities::default();
                self.second.add(&second);
            }
            News::Standing(standing) => {
                self.standings.push_back(*standing);
                // Two that are a second apart: what lies before them is over.
                while self.standings.get(1).is_some_and(|second| standing.window_s - second.window_s >= 1.0) {
                    self.standings.pop_front();
                }
            }
        }
    }

    /// What processes used.
    pub fn take_cpu(&mut self, cpu: Vec<(String, Option<f64>)>) {
        self.cpu = cpu;
    }

    /// As of `now`.
    #[must_use]
    pub fn view(&self, now: Instant) -> View {
        let standing = self.standings.back();
        let [last_response, last_service] = self.second.quantiles();
        let [response, service] = self.window.quantiles();
        let number = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
        let rate = |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{rate:.0}/s"));
        let (failed, validity) = self.validity(response[0]);
        View {
            head: self.head.clone(),
            phase: self.phase(now),
            tasks: [
                ("asked", rate(standing.map(|s| s.asked_per_s))),
                ("achieved", rate(self.achieved_per_s())),
                ("completed", number(standing.map(|s| s.ended.saturating_sub(s.failed)))),
                ("failed", number(standing.map(|s| s.failed))),
                ("backlog", number(standing.map(|s| s.sent.saturating_sub(s.ended)))),
            ],
            waiting: match standing {
                Some(Standing { queue: Some(depth), .. }) => Waiting::InQueue(*depth),
                _ => Waiting::AtWorkers(
                    standing.iter().flat_map(|s| s.worst.iter()).map(|b| (b.worker, b.waiting)).collect(),
                ),
            },
            latency: [
                ("response, last second", last_response),
                ("service, last second", last_service),
                ("response, window", response),
                ("service, window", service),
            ],
            curve_title: match self.curve.step_s {
                0 => "response over time".to_owned(),
                1 => format!("response {} by the second", self.curve.name),
                step_s => format!("response {} by {step_s} s", self.curve.name),
            },
            curve: self.curve.points.iter().copied().collect(),
            cpu: self.cpu.clone(),
            failed,
            validity,
        }
    }

    fn phase(&self, now: Instant) -> String {
        let bench = Remaining(self.ends.map_or(Duration::ZERO, |ends| ends.saturating_duration_since(now)));
        let Some(standing) = self.standings.back() else { return format!("{}: bench {bench} left", self.stage) };
        let left = Remaining(Duration::from_secs_f64((self.load.duration_s - standing.window_s).max(0.0)));
        match standing.phase {
            Phase::WarmUp => format!("warm-up: run {left} left, bench {bench}"),
            Phase::Window => {
                let begun_s = standing.window_s.max(0.0);
                format!("window: {begun_s:.0} of {} s, run {left} left, bench {bench}", self.load.duration_s)
            }
            Phase::Drain => format!("drain: bench {bench} left"),
        }
    }

    fn achieved_per_s(&self) -> Option<f64> {
        let (first, last) = (self.standings.front()?, self.standings.back()?);
        let passed_s = last.window_s - first.window_s;
        (passed_s > 0.5).then(|| last.ended.saturating_sub(first.ended) as f64 / passed_s)
    }

    /// What has failed, and what there is to say in any case. The verdict looks at more, when the run has ended.
    fn validity(&self, response_p50_us: Option<f64>) -> (Vec<String>, Option<String>) {
        let Some(standing) = self.standings.back().filter(|standing| standing.sent_in_window > 0) else {
            return (Vec::new(), None);
        };
        let mut failed = Vec::new();
        if let Some((worker, waiting)) = standing.overload {
            failed.push(format!("overloaded: worker {worker} had {waiting} waiting"));
        }
        let on_time = 1.0 - standing.late as f64 / standing.sent_in_window as f64;
        // Where response is slow, the limit is above 1 ms, and what is counted here decides nothing.
        if on_time < ON_TIME_MIN && on_time_limit_us(response_p50_us) <= 1000.0 {
            failed.push("invalid: the generator is late".to_owned());
        }
        let causes = &standing.failures;
        let errors = causes.server_error + causes.disconnected;
        if errors > 0 {
            failed.push(format!("invalid: {errors} errors"));
        }
        let timeouts = causes.timeout + causes.pool_timeout;
        if timeouts > 0 {
            failed.push(format!("overloaded: {timeouts} tasks timed out"));
        }
        let lateness = if on_time >= ON_TIME_MIN { "at most 1 ms" } else { "over 1 ms" };
        // Cut, not rounded: 100 % is all of them.
        let percent = (on_time * 1e4).floor() / 1e2;
        (failed, Some(format!("on time {percent} %, lateness p99 {lateness}, errors {errors}")))
    }
}

#[cfg(test)]
mod tests;
