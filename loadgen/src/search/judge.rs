//! Whether a trial passed. Pure.

use common::plan::Settings;
use common::report::{Run, RunResult, Verdict};
use common::verdict::{TAIL_MIN, beyond};

/// What a trial's verdict rests on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    verdict: &'a Verdict,
    /// Tasks whose response is known, or known to be unbounded.
    responses: u64,
    /// Whether the backlog was watched throughout the window.
    backlog: bool,
}

impl<'a> Seen<'a> {
    /// In this run.
    pub(super) fn of(run: &'a Run) -> Seen<'a> {
        let response = &run.latency_us.response;
        Seen {
            verdict: &run.verdict,
            responses: response.n + response.unbounded,
            backlog: run.backlog.slope_low_per_s.is_some(),
        }
    }

    /// Whether the variant kept up, as far as a short window tells; `None`: it says nothing.
    ///
    /// A short window seldom shows that a backlog surely does not grow, where it shows that one does: of all that makes a run
    /// `inconclusive` this alone passes. An objective that is not settled and a backlog that nobody saw are no success.
    pub(super) fn passed(self, settings: &Settings) -> Option<bool> {
        match self.verdict.result {
            RunResult::Invalid => None,
            RunResult::Overloaded => Some(false),
            RunResult::Ok => Some(true),
            RunResult::Inconclusive => {
                let settled = settings.slo.response_p99_ms.is_none() || beyond(self.responses, 0.99) >= TAIL_MIN;
                (settled && self.backlog).then_some(true)
            }
        }
    }

    /// What there is to say of it.
    pub(super) fn reason(self) -> String {
        match self.verdict.result {
            RunResult::Ok => String::new(),
            RunResult::Overloaded | RunResult::Invalid | RunResult::Inconclusive => self.verdict.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use common::plan::{Plan, Settings};
    use common::report::{RunResult, Verdict};

    use super::Seen;

    fn settings(slo: &str) -> Settings {
        let plan = format!(
            "name = \"t\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 1\nduration_s = 1\n[slo]\n{slo}\n[workers]\ncount = 1\n\
             [[variant]]\nname = \"a\"\nengine = \"async\"\n"
        );
        Plan::parse(&plan, &[]).unwrap().cells.remove(0).settings
    }

    #[test]
    fn only_a_slope_that_cannot_be_told_passes_unshown() {
        let (without, with) = (settings(""), settings("response_p99_ms = 10"));
        let check = |result, responses, backlog, settings: &Settings, expected: Option<bool>| {
            let verdict = Verdict { result, reason: "because".to_owned(), remedy: String::new(), bottleneck: None };
            let seen = Seen { verdict: &verdict, responses, backlog };
            assert_eq!(seen.passed(settings), expected, "{result} {responses} {backlog}");
            // A reason is never lost.
            assert_eq!(seen.reason(), if result == RunResult::Ok { "" } else { "because" });
        };
        for settings in [&without, &with] {
            check(RunResult::Ok, 5000, true, settings, Some(true));
            check(RunResult::Overloaded, 5000, true, settings, Some(false));
            check(RunResult::Overloaded, 10, false, settings, Some(false));
            check(RunResult::Invalid, 5000, true, settings, None);
            check(RunResult::Inconclusive, 5000, true, settings, Some(true));
            check(RunResult::Inconclusive, 5000, false, settings, None);
        }
        check(RunResult::Inconclusive, 2999, true, &with, None);
        check(RunResult::Inconclusive, 3000, true, &with, Some(true));
        check(RunResult::Inconclusive, 2999, true, &without, Some(true));
    }
}
