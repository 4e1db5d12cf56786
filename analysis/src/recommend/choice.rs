//! Which variant to take, by what was shown and nothing else.

use common::plan::Variant;
use common::report::comparison::{AnswerKind, Contrast};

use super::finding::{Finding, Word};

/// The kind of an answer, and whom it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) kind: AnswerKind,
    /// The one to take.
    pub(super) variant: Option<String>,
    /// Without one: those that are as good as each other, as far as that was shown.
    pub(super) tied: Vec<String>,
}

impl Choice {
    fn of(kind: AnswerKind, mut names: Vec<String>) -> Choice {
        match names.len() {
            0 | 1 => Choice { kind, variant: names.pop(), tied: Vec::new() },
            _ => Choice { kind, variant: None, tied: names },
        }
    }

    /// From one cell.
    pub(super) fn in_cell(baseline: &str, findings: &[Finding<'_>]) -> Choice {
        let with = |words: &[Word]| {
            let found = findings.iter().filter(|finding| words.contains(&finding.word));
            found.collect::<Vec<_>>()
        };
        let names = |findings: &[&Finding<'_>]| {
            let names = findings.iter().map(|finding| finding.contrast.contender.clone());
            names.collect::<Vec<_>>()
        };
        // Who keeps up where the baseline does not needs no cheaper tasks.
        let ahead = with(&[Word::KeepsUp]);
        if !ahead.is_empty() {
            return Choice::of(AnswerKind::KeepsUp, names(&ahead));
        }
        let better = with(&[Word::Better]);
        if !better.is_empty() {
            let beaten = |one: &Contrast| better.iter().any(|other| is_beyond(other.contrast, one));
            let left: Vec<&Finding<'_>> = better.iter().copied().filter(|one| !beaten(one.contrast)).collect();
            return Choice::of(AnswerKind::Wins, names(&left));
        }
        let behind = with(&[Word::Worse, Word::FallsBehind]).len();
        match findings.len() {
            0 => Choice::of(AnswerKind::KeepsUp, Vec::new()),
            all if all == with(&[Word::NeitherKeepsUp]).len() => Choice::of(AnswerKind::KeepsUp, Vec::new()),
            all if all == behind => {
                let by_metric = !with(&[Word::Worse]).is_empty();
                let kind = if by_metric { AnswerKind::Wins } else { AnswerKind::KeepsUp };
                Choice::of(kind, vec![baseline.to_owned()])
            }
            all if all == behind + with(&[Word::Same]).len() => {
                let same = [vec![baseline.to_owned()], names(&with(&[Word::Same]))].concat();
                Choice::of(AnswerKind::Same, same)
            }
            // A difference that is not attributed to a variant chooses none either.
            _ => Choice::of(AnswerKind::Unknown, Vec::new()),
        }
    }

    /// From the choices of all cells: theirs where they agree.
    pub(super) fn overall(cells: &[Choice], variants: &[Variant]) -> Choice {
        let Some((first, rest)) = cells.split_first() else { return Choice::of(AnswerKind::Unknown, Vec::new()) };
        if rest.iter().all(|one| one == first) {
            return first.clone();
        }
        // The same variant for different reasons.
        let agreed = variants
            .iter()
            .find(|variant| cells.iter().all(|choice| choice.variant.as_deref() == Some(variant.name.as_str())));
        match agreed {
            Some(variant) => Choice::of(AnswerKind::Wins, vec![variant.name.clone()]),
            None => Choice::of(AnswerKind::ByCell, Vec::new()),
        }
    }
}

/// Whether the interval of `one` lies wholly on the better side of that of `other`: both are ratios to the same baseline in
/// the same blocks, so that this is stricter than a contrast of the two.
fn is_beyond(one: &Contrast, other: &Contrast) -> bool {
    let (less, more) = if one.metric.more_is_better() { (other, one) } else { (one, other) };
    less.ratio.high.zip(more.ratio.low).is_some_and(|(high, low)| high < low)
}
