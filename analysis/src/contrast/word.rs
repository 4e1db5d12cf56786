//! The word of a contrast, and why.

use common::plan::{Metric, Variant};
use common::report::comparison::{Cause, Contrast, ContrastVerdict, OrderEffect};

use super::{Measured, noise};
use crate::format::{counted, percent, signed_percent_of_log, significant};
use crate::stats::decide::{Decision, decide};

/// An order effect beyond this ratio is warned of.
const CARRY_OVER: f64 = 1.03;
/// Two binaries are two code layouts: smaller effects are not attributed to the variant.
const CODE_LAYOUT: f64 = 1.02;

/// What the family of a contrast makes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Adjusted {
    /// p of "no difference"; `None` where nothing may be concluded.
    pub(crate) p: Option<f64>,
    /// p of "beyond the margin", likewise.
    pub(crate) p_same: Option<f64>,
    /// What `p` would be if the blocks of every contrast in the family spoke as clearly as so many can.
    pub(crate) p_least: Option<f64>,
    /// Contrasts in the family.
    pub(crate) family: u32,
}

/// Whether two variants are two binaries, whose code lies at different addresses whatever it does.
pub(crate) fn two_binaries(one: &Variant, other: &Variant) -> bool {
    (one.engine, one.allocator) != (other.engine, other.allocator)
}

/// Whether a difference of two binaries is so small that their code layouts alone may make it.
pub(crate) fn is_layout(log_ratio: f64) -> bool {
    log_ratio.abs() < CODE_LAYOUT.ln()
}

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

    /// The smallest p that so many blocks can give, likewise.
    pub(crate) fn p_least(&self) -> Option<f64> {
        self.p_least.filter(|_| self.contrast.cause.is_none())
    }

    /// Whether every block has a value of the metric.
    pub(crate) fn is_measured(&self) -> bool {
        self.contrast.p_value.is_some()
    }

    /// The contrast as a family of its own.
    pub(crate) fn judge_alone(self) -> Contrast {
        let (p, p_same, p_least) = (self.p_value(), self.p_same(), self.p_least());
        self.judge(Adjusted { p, p_same, p_least, family: 1 })
    }

    /// The contrast with its word.
    pub(crate) fn judge(mut self, adjusted: Adjusted) -> Contrast {
        self.contrast.p_adjusted = adjusted.p;
        self.contrast.p_same_adjusted = adjusted.p_same;
        let (verdict, cause, reason) = match self.contrast.cause {
            Some(cause) => (ContrastVerdict::Unknown, Some(cause), self.contrast.reason.clone()),
            None => self.word(adjusted),
        };
        if cause == Some(Cause::FewBlocks) {
            // What a test by itself would find these blocks do not, nor would fewer than the family takes.
            self.contrast.detectable = None;
            let least = u64::from(self.level.blocks_min_of(adjusted.family as usize));
            let needed = &mut self.contrast;
            for needed in [&mut needed.blocks_needed_better, &mut needed.blocks_needed_same] {
                *needed = needed.map(|needed| needed.max(least));
            }
        }
        Contrast { verdict, cause, reason, ..self.contrast }
    }

    fn word(&self, adjusted: Adjusted) -> (ContrastVerdict, Option<Cause>, String) {
        let alpha = self.level.alpha;
        let decision = decide(adjusted.p, adjusted.p_same, self.interval, alpha);
        let unknown = |cause, reason| (ContrastVerdict::Unknown, Some(cause), reason);
        match word(self.contrast.metric, decision, [self.log_ratio, self.log_ratio_from_send], self.log_margin) {
            (ContrastVerdict::Unknown, None) => match adjusted.p_least.filter(|&least| least > alpha) {
                Some(least) => unknown(Cause::FewBlocks, self.few_blocks(least, adjusted.family)),
                None => unknown(Cause::Noise, self.why_unknown(adjusted.family)),
            },
            (verdict, None) => (verdict, None, self.notes(verdict)),
            (_, Some(reason)) => unknown(Cause::Generator, reason),
        }
    }

    /// That no difference could have been shown, whatever it is.
    fn few_blocks(&self, least: f64, family: u32) -> String {
        format!(
            "{} cannot show a difference here: adjusted for {family} contrasts p can be no less than {}; at least {} a cell \
             are needed",
            counted(self.contrast.n.into(), "block"),
            significant(least, 2),
            counted(self.level.blocks_min_of(family as usize).into(), "block")
        )
    }

    /// What the blocks could have shown, and how many more would show something.
    fn why_unknown(&self, family: u32) -> String {
        let why = noise::why(&self.contrast, self.log_margin.exp_m1(), self.level.alpha, family);
        [Some(why), self.carry_over()].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// What must be said beside a word.
    fn notes(&self, verdict: ContrastVerdict) -> String {
        let mut notes: Vec<String> = self.carry_over().into_iter().collect();
        if verdict != ContrastVerdict::Same && self.two_binaries && self.log_ratio.is_some_and(is_layout) {
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
