//! How long a trial takes, and how low a rate it can judge. Pure.

use common::plan::Settings;
use common::verdict::TAIL_MIN;

/// Tasks of a trial, at the least: fewer say nothing of a rate.
const TASKS_MIN: f64 = 30.0;
/// A trial is prolonged up to so many times what was asked for.
const TIMES_MAX: f64 = 10.0;
/// Tasks that an objective for the 99th percentile of response takes; one more, for a rate times a duration is rounded.
const OBJECTIVE_TASKS: f64 = TAIL_MIN / 0.01 + 1.0;

/// Windows of the trials of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Windows {
    trial_s: f64,
    /// Whether there is an objective for the 99th percentile.
    objective: bool,
}

impl Windows {
    /// For trials of `trial_s` seconds under these settings.
    pub(super) fn new(trial_s: f64, settings: &Settings) -> Windows {
        Windows { trial_s, objective: settings.slo.response_p99_ms.is_some() }
    }

    /// Seconds of a trial at this rate: as asked, or as many as settle the objective.
    pub(super) fn of_s(self, rate_per_s: f64) -> f64 {
        if self.objective { self.trial_s.max(OBJECTIVE_TASKS / rate_per_s) } else { self.trial_s }
    }

    /// The lowest rate that a trial can judge, tasks a second.
    pub(super) fn least_per_s(self) -> f64 {
        if self.objective { OBJECTIVE_TASKS / (TIMES_MAX * self.trial_s) } else { TASKS_MIN / self.trial_s }
    }

    /// Why trials cannot judge a rate below the lowest, and what would do.
    pub(super) fn why(self) -> String {
        let Windows { trial_s, .. } = self;
        if self.objective {
            format!(
                "{TAIL_MIN} tasks beyond the 99th percentile, which slo.response_p99_ms is settled by, take more than {TIMES_MAX} times \
                 --trial-s {trial_s} below {:.1} tasks a second: a longer --trial-s, or no slo.response_p99_ms",
                self.least_per_s()
            )
        } else {
            format!(
                "a trial of --trial-s {trial_s} has fewer than {TASKS_MIN} tasks below {:.1} tasks a second: a longer --trial-s",
                self.least_per_s()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use common::plan::Plan;
    use common::verdict::{TAIL_MIN, beyond};

    use super::Windows;

    fn windows(trial_s: f64, slo: &str) -> Windows {
        let plan = format!(
            "name = \"t\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 1\nduration_s = 1\n[slo]\n{slo}\n[workers]\ncount = 1\n\
             [[variant]]\nname = \"a\"\nengine = \"async\"\n"
        );
        Windows::new(trial_s, &Plan::parse(&plan, &[]).unwrap().cells[0].settings)
    }

    #[test]
    fn an_objective_has_its_tasks_in_every_trial_that_is_made() {
        let of = windows(2.0, "response_p99_ms = 10");
        assert!((of.least_per_s() - 150.05).abs() < 1e-9);
        for rate_per_s in [of.least_per_s(), 151.0, 700.0, 1499.0, 1500.0, 1501.0, 1e5] {
            let length_s = of.of_s(rate_per_s);
            let planned = (rate_per_s * length_s).round() as u64;
            assert!(beyond(planned, 0.99) >= TAIL_MIN, "{rate_per_s}: {planned} in {length_s} s");
            assert!((2.0..=20.0 + 1e-9).contains(&length_s), "{rate_per_s}: {length_s} s");
        }
        assert!((of.of_s(1e5) - 2.0).abs() < 1e-9);
        let why = of.why();
        for part in ["slo.response_p99_ms", "--trial-s 2", "below 150.1 tasks"] {
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn without_one_every_trial_is_as_long_as_asked_and_has_some_tasks() {
        let of = windows(0.5, "");
        assert_eq!((of.of_s(60.0), of.of_s(1e6), of.least_per_s()), (0.5, 0.5, 60.0));
        assert!(of.why().contains("--trial-s 0.5 has fewer than 30 tasks below 60.0"), "{}", of.why());
    }
}
