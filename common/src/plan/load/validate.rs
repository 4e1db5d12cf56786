//! Which loads there can be.

use serde::Serialize;

use super::{ArrivalProcess, Load};
use crate::plan::PlanError;
use crate::plan::validate::{positive, rate};

/// More than this many tasks are a typing mistake.
const TASKS_MAX: f64 = 100_000_000.0;
/// Steps that fill the window but for this are as good as equal: sums of decimal fractions are not exact.
const STEPS_WITHIN_S: f64 = 1e-6;

/// The name that plans and reports use.
fn name(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Load {
    /// Every key by itself, with its neighbours, and with the process.
    pub(in crate::plan) fn validate(&self) -> Result<(), PlanError> {
        self.validate_keys()?;
        self.validate_rates()?;
        positive("load.duration_s", self.duration_s, 86_400.0, "seconds")?;
        positive("load.drain_s", self.drain_s, 3_600.0, "seconds")?;
        if !(self.warmup_s >= 0.0 && self.warmup_s <= 3_600.0) {
            return Err(PlanError::value("load.warmup_s", self.warmup_s, "seconds from 0 to 3600"));
        }
        self.validate_burst()?;
        self.validate_sine()?;
        self.validate_steps()?;
        self.validate_trace()?;
        self.validate_count()
    }

    /// Each process has keys of its own, and needs them.
    fn validate_keys(&self) -> Result<(), PlanError> {
        use ArrivalProcess::{Burst, Constant, Poisson, Ramp, Sine, Steps, Trace};
        let number = |value: Option<f64>| value.map(|value| value.to_string());
        let steps = (!self.steps.is_empty()).then(|| format!("[{} tables]", self.steps.len()));
        let keys: [(&str, Option<String>, &[ArrivalProcess]); 9] = [
            ("rate_per_s", number(self.rate_per_s), &[Constant, Poisson, Ramp, Burst, Sine]),
            ("rate_end_per_s", number(self.rate_end_per_s), &[Ramp]),
            ("burst_rate_per_s", number(self.burst_rate_per_s), &[Burst]),
            ("burst_from_s", number(self.burst_from_s), &[Burst]),
            ("burst_to_s", number(self.burst_to_s), &[Burst]),
            ("amplitude", number(self.amplitude), &[Sine]),
            ("period_s", number(self.period_s), &[Sine]),
            ("step", steps, &[Steps]),
            ("trace", self.trace.as_ref().map(|trace| format!("{:?}", trace.file())), &[Trace]),
        ];
        for (key, value, of) in keys {
            let key = format!("load.{key}");
            match value {
                Some(value) if !of.contains(&self.arrivals) => return Err(self.foreign(&key, value, of)),
                None if of.contains(&self.arrivals) => {
                    return Err(PlanError::Key { key, message: "missing, and it has no default".to_owned() });
                }
                _ => {}
            }
        }
        match &self.spacing {
            Some(spacing) if !self.arrivals.is_shaped() => {
                Err(self.foreign("load.spacing", name(spacing), &[Ramp, Steps, Burst, Sine]))
            }
            _ => Ok(()),
        }
    }

    fn foreign(&self, key: &str, value: String, of: &[ArrivalProcess]) -> PlanError {
        let of: Vec<String> = of.iter().map(name).collect();
        let expected = format!("load.arrivals = {} has no such key, only {}", name(&self.arrivals), of.join(", "));
        PlanError::value(key, value, expected)
    }

    /// A rate that changes may be 0 for a while, and one that does not from beginning to end: that is an idle load. A sine swings
    /// by a share of its rate.
    fn validate_rates(&self) -> Result<(), PlanError> {
        let may_be_0 = self.arrivals != ArrivalProcess::Sine;
        let own = [
            ("load.rate_per_s", self.rate_per_s, may_be_0),
            ("load.rate_end_per_s", self.rate_end_per_s, true),
            ("load.burst_rate_per_s", self.burst_rate_per_s, true),
        ];
        let steps = self.steps.iter().map(|step| ("load.step.rate_per_s", Some(step.rate_per_s), true));
        own.into_iter()
            .chain(steps)
            .try_for_each(|(key, value, may_be_0)| value.map_or(Ok(()), |value| rate(key, value, may_be_0)))
    }

    fn validate_burst(&self) -> Result<(), PlanError> {
        let (Some(from_s), Some(to_s)) = (self.burst_from_s, self.burst_to_s) else { return Ok(()) };
        if !(from_s >= 0.0 && from_s < self.duration_s) {
            let expected = format!("seconds from 0 to the end of the window, {}", self.duration_s);
            return Err(PlanError::value("load.burst_from_s", from_s, expected));
        }
        if !(to_s > from_s && to_s <= self.duration_s) {
            let expected =
                format!("seconds above load.burst_from_s, {from_s}, and at most the window's {}", self.duration_s);
            return Err(PlanError::value("load.burst_to_s", to_s, expected));
        }
        Ok(())
    }

    fn validate_sine(&self) -> Result<(), PlanError> {
        let (Some(amplitude), Some(period_s)) = (self.amplitude, self.period_s) else { return Ok(()) };
        positive("load.period_s", period_s, 86_400.0, "seconds")?;
        if !(amplitude > 0.0 && amplitude <= 1.0) {
            let expected = "a share of load.rate_per_s above 0 and at most 1, such as 0.5";
            return Err(PlanError::value("load.amplitude", amplitude, expected));
        }
        Ok(())
    }

    fn validate_steps(&self) -> Result<(), PlanError> {
        for step in &self.steps {
            positive("load.step.duration_s", step.duration_s, 86_400.0, "seconds")?;
        }
        let steps_s: f64 = self.steps.iter().map(|step| step.duration_s).sum();
        if !self.steps.is_empty() && (steps_s - self.duration_s).abs() > STEPS_WITHIN_S {
            let expected = format!("the steps last {steps_s} s and must fill the window: {steps_s} would do");
            return Err(PlanError::value("load.duration_s", self.duration_s, expected));
        }
        Ok(())
    }

    fn validate_trace(&self) -> Result<(), PlanError> {
        let last_s = self.trace.as_ref().and_then(|trace| trace.last_s()).unwrap_or(0.0);
        if last_s >= self.duration_s {
            let enough_s = last_s.floor() + 1.0;
            let expected = format!("the last task of load.trace comes at {last_s} s: {enough_s} would do");
            return Err(PlanError::value("load.duration_s", self.duration_s, expected));
        }
        Ok(())
    }

    /// The keys of its rates.
    fn rates(&self) -> String {
        let keys = [
            ("load.rate_per_s", self.rate_per_s.is_some()),
            ("load.rate_end_per_s", self.rate_end_per_s.is_some()),
            ("load.burst_rate_per_s", self.burst_rate_per_s.is_some()),
            ("load.step.rate_per_s", !self.steps.is_empty()),
        ];
        keys.into_iter().filter(|(_, given)| *given).map(|(key, _)| key).collect::<Vec<_>>().join(" or ")
    }

    fn validate_count(&self) -> Result<(), PlanError> {
        if self.is_idle() {
            return Ok(());
        }
        let window = self.tasks_of_window();
        let mean_per_s = self.mean_rate_per_s();
        if window == 0.0 {
            return Err(PlanError::value("load.arrivals", name(&self.arrivals), "no task ever comes at these rates"));
        }
        if window < 1.0 {
            let no_task = format!("at {mean_per_s} tasks a second the window holds no task");
            let expected = if self.arrivals.is_stationary() {
                format!("{no_task}; at least {} s would do", 1.0 / mean_per_s)
            } else {
                // The mean of another window is another one.
                format!("{no_task}; raise {}", self.rates())
            };
            return Err(PlanError::value("load.duration_s", self.duration_s, expected));
        }
        let tasks = window + self.warmup_rate_per_s() * self.warmup_s;
        if tasks > TASKS_MAX {
            let expected =
                format!("{tasks:.0} tasks in {} s; at most {TASKS_MAX} in a run", self.duration_s + self.warmup_s);
            return Err(match self.rate_per_s {
                Some(rate_per_s) => PlanError::value("load.rate_per_s", rate_per_s, expected),
                None => PlanError::value("load.duration_s", self.duration_s, expected),
            });
        }
        Ok(())
    }
}
