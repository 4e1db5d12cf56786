//! `[load]`: how many tasks come, and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::trace::Trace;
use crate::rate::Rate;

mod validate;

/// How intended instants are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArrivalProcess {
    /// Evenly spaced.
    Constant,
    /// Independent of each other, given their number.
    Poisson,
    /// The rate goes evenly from one value to another.
    Ramp,
    /// One rate after another.
    Steps,
    /// A higher, or lower, rate for a while.
    Burst,
    /// The rate swings about its mean.
    Sine,
    /// Recorded instants.
    Trace,
}

impl ArrivalProcess {
    /// Whether the rate is the same all the time: only then does a backlog that grows mean that the workers are too slow.
    #[must_use]
    pub fn is_stationary(self) -> bool {
        matches!(self, ArrivalProcess::Constant | ArrivalProcess::Poisson)
    }

    /// Whether the plan says how its rate goes: its tasks can then be spaced in either way.
    #[must_use]
    pub fn is_shaped(self) -> bool {
        !self.is_stationary() && self != ArrivalProcess::Trace
    }
}

/// How the tasks of a shaped process lie about its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// As even as the rate allows.
    Constant,
    /// Independent of each other, given their number.
    Poisson,
}

/// `[[load.step]]`
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadStep {
    /// Tasks a second, over all dynos.
    pub rate_per_s: f64,
    /// How long, in seconds.
    pub duration_s: f64,
}

/// `[load]`. Keys that only some processes have are `None` with the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Tasks a second, over all dynos: all the time, or (ramp) when the window begins, (burst) outside the burst, (sine) on
    /// average over a period. 0 all the time is an idle load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_s: Option<f64>,
    /// Process of the arrivals.
    #[serde(default = "Load::default_arrivals")]
    pub arrivals: ArrivalProcess,
    /// Ramp: the rate when the window ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_end_per_s: Option<f64>,
    /// Burst: the rate within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst_rate_per_s: Option<f64>,
    /// Burst: its begin, seconds since the window began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst_from_s: Option<f64>,
    /// Burst: its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst_to_s: Option<f64>,
    /// Sine: the largest difference from `rate_per_s`, as a share of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amplitude: Option<f64>,
    /// Sine: seconds from one crest to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_s: Option<f64>,
    /// Steps: they fill the window.
    #[serde(default, rename = "step", skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<LoadStep>,
    /// Trace: the instants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub trace: Option<Trace>,
    /// Ramp, steps, burst, sine: how tasks lie about the rate; Poisson unless the plan says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spacing: Option<Spacing>,
    /// Length of the window.
    pub duration_s: f64,
    /// Length of the warm-up before it, at the rate with which the window begins (trace: at its mean rate).
    #[serde(default = "Load::default_warmup_s")]
    pub warmup_s: f64,
    /// Longest wait after the last arrival for tasks to end; what has not ended by then is `unfinished`.
    #[serde(default = "Load::default_drain_s")]
    pub drain_s: f64,
    /// Seed of everything random.
    #[serde(default = "Load::default_seed")]
    pub seed: u64,
}

impl Load {
    /// How long the burst lasts, seconds; `None` where arrivals are none.
    #[must_use]
    pub fn burst_s(&self) -> Option<f64> {
        Some(self.burst_to_s? - self.burst_from_s?)
    }

    fn default_arrivals() -> ArrivalProcess {
        ArrivalProcess::Poisson
    }
    fn default_warmup_s() -> f64 {
        1.0
    }
    fn default_drain_s() -> f64 {
        10.0
    }
    fn default_seed() -> u64 {
        1
    }

    /// Fills in what the plan leaves out, and the instants of its trace.
    pub(super) fn complete(&mut self, traces: &BTreeMap<String, Arc<[u64]>>) {
        if self.arrivals.is_shaped() {
            self.spacing.get_or_insert(Spacing::Poisson);
        }
        if let Some(trace) = &mut self.trace {
            trace.fill(traces);
        }
    }

    /// The rate over the window; `None` of a trace, which has instants instead.
    #[must_use]
    pub fn rate(&self) -> Option<Rate> {
        let of = |key: Option<f64>| key.unwrap_or(0.0);
        let (rate_per_s, length_s) = (of(self.rate_per_s), self.duration_s);
        match self.arrivals {
            ArrivalProcess::Constant | ArrivalProcess::Poisson => {
                Some(Rate::lines(&[(length_s, rate_per_s, rate_per_s)]))
            }
            ArrivalProcess::Ramp => Some(Rate::lines(&[(length_s, rate_per_s, of(self.rate_end_per_s))])),
            ArrivalProcess::Steps => {
                let step = |step: &LoadStep| (step.duration_s, step.rate_per_s, step.rate_per_s);
                Some(Rate::lines(&self.steps.iter().map(step).collect::<Vec<_>>()))
            }
            ArrivalProcess::Burst => {
                let (burst_per_s, from_s, to_s) =
                    (of(self.burst_rate_per_s), of(self.burst_from_s), of(self.burst_to_s));
                Some(Rate::lines(&[
                    (from_s, rate_per_s, rate_per_s),
                    (to_s - from_s, burst_per_s, burst_per_s),
                    (length_s - to_s, rate_per_s, rate_per_s),
                ]))
            }
            ArrivalProcess::Sine => Some(Rate::Sine {
                mean_per_s: rate_per_s,
                amplitude: of(self.amplitude),
                period_s: of(self.period_s),
                length_s,
            }),
            ArrivalProcess::Trace => None,
        }
    }

    /// Whether nothing is asked: dynos are connected and idle, and the window measures what that costs.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.arrivals.is_stationary() && self.rate_per_s == Some(0.0)
    }

    /// Tasks of the window, before they are rounded: the integral of the rate.
    fn tasks_of_window(&self) -> f64 {
        self.rate().map_or_else(|| self.trace.as_ref().map_or(0, Trace::len) as f64, |rate| rate.tasks())
    }

    /// Tasks of the window: the integral of the rate, rounded. Of a trace 0 when the load was read from a report, which
    /// names the trace and does not hold it.
    #[must_use]
    pub fn planned(&self) -> u64 {
        self.tasks_of_window().round() as u64
    }

    /// Tasks of the warm-up.
    #[must_use]
    pub fn warmup_planned(&self) -> u64 {
        (self.warmup_rate_per_s() * self.warmup_s).round() as u64
    }

    /// The mean over the window.
    #[must_use]
    pub fn mean_rate_per_s(&self) -> f64 {
        match self.rate_per_s {
            // As it was asked, to the last digit.
            Some(rate_per_s) if self.arrivals.is_stationary() => rate_per_s,
            _ => self.tasks_of_window() / self.duration_s,
        }
    }

    /// The highest rate of the window; of a trace, the most tasks that come in one second of it.
    #[must_use]
    pub fn peak_rate_per_s(&self) -> f64 {
        match (self.rate(), self.rate_per_s) {
            (Some(_), Some(rate_per_s)) if self.arrivals.is_stationary() => rate_per_s,
            (Some(rate), _) => rate.peak(),
            (None, _) => {
                (0..self.duration_s.ceil() as u64).map(|second| self.rate_at(second as f64)).fold(0.0, f64::max)
            }
        }
    }

    /// The rate during the warm-up.
    #[must_use]
    pub fn warmup_rate_per_s(&self) -> f64 {
        self.rate().map_or_else(|| self.mean_rate_per_s(), |rate| rate.at(0.0))
    }

    /// The rate `t_s` seconds after the window began; before that the warm-up's. Of a trace what comes in that second.
    #[must_use]
    pub fn rate_at(&self, t_s: f64) -> f64 {
        if t_s < 0.0 {
            return self.warmup_rate_per_s();
        }
        match (self.rate(), &self.trace) {
            (Some(rate), _) => rate.at(t_s.min(self.duration_s)),
            (None, Some(trace)) => trace.count_between(t_s.floor(), t_s.floor() + 1.0) as f64,
            (None, None) => 0.0,
        }
    }
}
