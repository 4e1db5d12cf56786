//! A/A: what benches of a variant against itself say of the instrument. Everything that such a bench finds is of the
//! instrument's own making, since there is nothing to find.

use common::report::comparison::{Answer, AnswerKind, Cause, Certainty, Contrast, ContrastVerdict, Level};

use crate::format::{p_equals, p_name, percent, ratio_or_unbounded};
use crate::metric::wording;
use crate::stats;

mod bench;
pub(crate) mod pool;
pub mod store;
pub mod summary;
mod text;

pub use bench::benches;
pub use text::text;

/// Error rate of an A/A bench, and of the intervals over all of them.
const ALPHA: f64 = 0.05;

/// What A/A cells, and all of them together, answer in place of recommending something.
pub(crate) fn answers(
    cells: Vec<Answer>,
    overall: Answer,
    contrasts: &[Vec<Contrast>],
    level: stats::level::Level,
) -> (Vec<Answer>, Answer) {
    let is_adjusted = contrasts.iter().flatten().filter(|contrast| contrast.primary).count() > 1;
    let primary = |contrasts: &Vec<Contrast>| {
        let primary = contrasts.iter().find(|contrast| contrast.primary)?;
        Some(sentence(primary, level.confidence, is_adjusted))
    };
    // None of a cell in which nothing is asked: that keeps what is said of it.
    let sentences: Vec<Option<String>> = contrasts.iter().map(primary).collect();
    let together = match sentences.as_slice() {
        [Some(only)] => only.clone(),
        several => {
            let numbered = several.iter().enumerate();
            let numbered = numbered.filter_map(|(cell, said)| Some(format!("cell {cell}: {}", said.as_ref()?)));
            numbered.collect::<Vec<_>>().join("; ")
        }
    };
    let answer = |(cell, sentence): (Answer, Option<String>)| match sentence {
        Some(sentence) => in_place(cell, sentence),
        None => cell,
    };
    (cells.into_iter().zip(sentences).map(answer).collect(), in_place(overall, together))
}

/// `sentence` in place of what an answer recommends.
pub(crate) fn in_place(answer: Answer, sentence: String) -> Answer {
    Answer {
        sentence,
        kind: AnswerKind::Unknown,
        variant: None,
        tied: Vec::new(),
        certainty: answer.certainty.map(|certainty| Certainty { level: Level::None, ..certainty }),
        would_change: Vec::new(),
        ..answer
    }
}

fn sentence(contrast: &Contrast, confidence: f64, is_adjusted: bool) -> String {
    let label = wording(contrast.metric).label;
    let what = format!("A/A, {label} of {} against {}", contrast.contender, contrast.baseline);
    if contrast.cause.is_some_and(|cause| cause != Cause::Noise) {
        return format!("{what}: whether there would be an alarm cannot be told: {}", contrast.reason);
    }
    let said = match contrast.verdict {
        ContrastVerdict::Better | ContrastVerdict::Worse => "ALARM, a difference was found where there is none",
        ContrastVerdict::Same => "no alarm, and the same within the margin",
        ContrastVerdict::Unknown => "no alarm",
    };
    let [value, low, high] = [contrast.ratio.value, contrast.ratio.low, contrast.ratio.high].map(ratio_or_unbounded);
    let numbers = contrast.p_adjusted.map_or_else(String::new, |p| {
        let (level, p) = (percent(confidence), p_equals(p_name(is_adjusted), p));
        format!(" (ratio {value}, {level} interval {low} to {high}, {p})")
    });
    format!("{what}: {said}{numbers}")
}
