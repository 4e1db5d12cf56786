//! The word of a contrast, and why.

use common::plan::Metric;
use common::report::comparison::{Cause, Contrast, ContrastVerdict, OrderEffect};

use super::Measured;
use crate::format::{counted, percent, percent_of_log, signed_percent_of_log};
use crate::stats::decide::{Decision, decide};

/// An order effect beyond this ratio is warned of.
const CARRY_OVER: f64 = 1.03;
/// Two binaries are two code layouts: smaller effects are not attributed to the variant.
const CODE_LAYOUT: f64 = 1.02;

/// The word for a decision about `metric`, whose log ratio stands beside that from send, where there is one. A reason stands
/// beside `Unknown` where the two contradict each other; without one it is noise.
///
/// Signs inside the margin are chance when the word is `same`; then only a difference beyond it contradicts.
pub(crate) fn word(
    metric: Metric,
    decision: Decision,
    [log_ratio, from_send]: [Option<f64>; 2],
    log_margin: f64,
) -> (ContrastVerdict, Option<String>) {
    let log_ratio = log_ratio.unwrap_or(0.0);
    let verdict = match decision {
        Decision::Same => ContrastVerdict::Same,
        Decision::Different if (log_ratio > 0.0) == metric.more_is_better() => ContrastVerdict::Better,
        Decision::Different => ContrastVerdict::Worse,
        Decision::Unknown => return (ContrastVerdict::Unknown, None),
    };
    let contradicts = |&from_send: &f64| {
        let matters = verdict != ContrastVerdict::Same || from_send.abs() > log_margin;
        log_ratio * from_send < 0.0 && matters
    };
    let Some(from_send) = from_send.filter(contradicts) else { return (verdict, None) };
    let reason = format!(
        "response changes by {}, response from send by {}: the generator made the difference",
        signed_percent_of_log(log_ratio),
        signed_percent_of_log(from_send)
    );
    (ContrastVerdict::Unknown, Some(reason))
}

impl Measured {
    /// Two-sided p of "no difference"; `None` where nothing may be concluded from it.
    pub(crate) fn p_value(&self) -> Option<f64> {
        self.contrast.p_value.filter(|_| self.contrast.cause.is_none())
    }

    /// p of "beyond the margin", likewise.
    pub(crate) fn p_same(&self) -> Option<f64> {
        self.contrast.p_same.filter(|_| self.contrast.cause.is_none())
    }

    /// Whether every block has a value of the metric.
    pub(crate) fn is_measured(&self) -> bool {
        self.contrast.p_value.is_some()
    }

    /// The contrast with its word, given the p values after adjustment for its family.
    pub(crate) fn judge(self, p_adjusted: Option<f64>, p_same_adjusted: Option<f64>) -> Contrast {
        let (verdict, cause, reason) = match self.contrast.cause {
            Some(cause) => (ContrastVerdict::Unknown, Some(cause), self.contrast.reason.clone()),
            None => self.word(p_adjusted, p_same_adjusted),
        };
        Contrast { p_adjusted, p_same_adjusted, verdict, cause, reason, ..self.contrast }
    }

    fn word(&self, p_adjusted: Option<f64>, p_same_adjusted: Option<f64>) -> (ContrastVerdict, Option<Cause>, String) {
        let decision = decide(p_adjusted, p_same_adjusted, self.interval, self.level.alpha);
        match word(self.contrast.metric, decision, [self.log_ratio, self.log_ratio_from_send], self.log_margin) {
            (ContrastVerdict::Unknown, None) => (ContrastVerdict::Unknown, Some(Cause::Noise), self.why_unknown()),
            (verdict, None) => (verdict, None, self.notes(verdict)),
            (verdict, Some(reason)) => (verdict, Some(Cause::Generator), reason),
        }
    }

    /// What the blocks could have shown, and how many more would show something.
    fn why_unknown(&self) -> String {
        let contrast = &self.contrast;
        let mut parts = Vec::new();
        if let Some(detectable) = contrast.detectable {
            parts.push(format!("differences of {} would have been seen", percent_of_log(detectable)));
        }
        let more_than_made = |needed: Option<u64>| needed.filter(|&needed| needed > u64::from(contrast.n));
        let margin = percent(self.log_margin.exp_m1());
        match (more_than_made(contrast.blocks_needed_better), more_than_made(contrast.blocks_needed_same)) {
            (Some(better), Some(same)) => parts.push(format!(
                "{} would be needed to show the observed difference, {} to show sameness within {margin}",
                counted(better, "block"),
                counted(same, "block")
            )),
            (Some(better), None) => {
                parts.push(format!("{} would be needed to show the observed difference", counted(better, "block")));
            }
            (None, Some(same)) => {
                parts.push(format!("{} would be needed to show sameness within {margin}", counted(same, "block")));
            }
            (None, None) => parts.push("the difference lies too close to the margin for these blocks".to_owned()),
        }
        parts.extend(self.carry_over());
        parts.join("; ")
    }

    /// What must be said beside a word.
    fn notes(&self, verdict: ContrastVerdict) -> String {
        let mut notes: Vec<String> = self.carry_over().into_iter().collect();
        if verdict != ContrastVerdict::Same
            && self.two_binaries
            && self.log_ratio.is_some_and(|log_ratio| log_ratio.abs() < CODE_LAYOUT.ln())
        {
            notes.push("under 2 %: two binaries are two code layouts, so not attributed to the variant".to_owned());
        }
        notes.join("; ")
    }
    /// A warning where it mattered which variant ran first.
    fn carry_over(&self) -> Option<String> {
        let OrderEffect { value, low: Some(low), high: Some(high) } = self.contrast.order_effect? else { return None };
        let beyond = value.abs() > CARRY_OVER.ln() && (low > 0.0 || high < 0.0);
        beyond.then(|| {
            format!(
                "carry-over: which variant ran first made {} ({} interval {} to {})",
                signed_percent_of_log(value),
                percent(self.level.confidence),
                signed_percent_of_log(low),
                signed_percent_of_log(high)
            )
        })
    }
}
