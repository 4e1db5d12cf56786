//! Findings as parts of a sentence.

use common::plan::Metric;
use common::report::comparison::{Cause, Contrast};

use super::finding::{Finding, Kept, Word};
use crate::contrast::noise;
use crate::format::{counted, p_equals, p_name, percent, signed_percent_of_log};
use crate::metric::wording;

/// What stands behind a difference that is no reason to choose.
const SLIGHT: &str = ", which is no reason to choose: under 2 % two binaries may differ by their code layouts alone";

/// What one cell says of one contender, with its certainty.
pub(super) fn of_one(finding: &Finding<'_>, margin: f64) -> String {
    let Finding { contrast, baseline, contender, .. } = finding;
    let level = percent(finding.level.confidence);
    let kept = || {
        let (contender, baseline) = (kept_in(*contender), kept_in(*baseline));
        format!("{} kept up in {contender}, {} in {baseline}", contrast.contender, contrast.baseline)
    };
    let sure = |parts: Vec<String>| format!("({})", parts.join(", "));
    let blocks = blocks_of(contrast.n, finding.blocks_planned);
    let uncalibrated = (!contrast.calibrated).then(|| "uncalibrated".to_owned());
    match finding.word {
        Word::Better | Word::Worse => {
            let interval = change_interval(contrast).map(|interval| format!("{level} interval {interval}"));
            let p = finding.p().map(|p| p_equals(p_name(finding.is_adjusted()), p));
            let parts = interval.into_iter().chain(p).chain([blocks]).chain(uncalibrated).collect();
            format!("{} {}", difference(&[contrast]), sure(parts))
        }
        Word::SlightlyLess | Word::SlightlyMore => {
            let interval = change_interval(contrast).map(|interval| format!("{level} interval {interval}"));
            let p = finding.p().map(|p| p_equals(p_name(finding.is_adjusted()), p));
            let parts = interval.into_iter().chain(p).chain([blocks]).chain(uncalibrated).collect();
            format!("{}{SLIGHT} {}", difference(&[contrast]), sure(parts))
        }
        Word::Same => {
            let interval = signed_interval(contrast).map(|interval| format!("{level} interval {interval}"));
            let p = finding.p().map(|p| p_equals("p of a larger difference", p));
            let parts = interval.into_iter().chain(p).chain([blocks]).chain(uncalibrated).collect();
            format!("{} {}", no_difference(contrast, margin), sure(parts))
        }
        Word::KeepsUp | Word::FallsBehind | Word::NeitherKeepsUp => {
            let p = finding.p().map(|p| format!(" ({})", p_equals("p", p))).unwrap_or_default();
            let neither = if finding.word == Word::NeitherKeepsUp { "neither keeps up: " } else { "" };
            format!("{neither}{}{p}", kept())
        }
        Word::Unknown if contrast.cause == Some(Cause::Overload) => {
            let p = p_equals("p", finding.keeps_up.p_value);
            format!("cannot tell who keeps up: {} ({p})", kept())
        }
        Word::Unknown if contrast.cause == Some(Cause::Noise) => {
            let change = contrast.ratio.value.map(|ratio| format!("{} {}", contrast.contender, signed(ratio)));
            let interval = signed_interval(contrast).map(|interval| format!("{level} interval {interval}"));
            let p = finding.p().map(|p| p_equals(p_name(finding.is_adjusted()), p));
            let parts = change.into_iter().chain(interval).chain(p).chain([blocks]).collect();
            format!("{} {}: {}", cannot_tell(contrast), sure(parts), would_tell(finding, margin))
        }
        Word::Unknown => format!("{}: {}", cannot_tell(contrast), contrast.reason),
    }
}

/// What several cells say of one contender, all of them the same `word`; without certainty.
pub(super) fn of_several(word: Word, findings: &[&Finding<'_>], margin: f64, alone: bool) -> String {
    let Some(first) = findings.first() else { return String::new() };
    let contrasts: Vec<&Contrast> = findings.iter().map(|finding| finding.contrast).collect();
    let Contrast { baseline, contender, .. } = first.contrast;
    let sum = |of: fn(&Finding<'_>) -> Kept| {
        let kept = findings.iter().map(|finding| of(finding));
        kept.reduce(Kept::and).unwrap_or_default()
    };
    let (of_baseline, of_contender) = (sum(|finding| finding.baseline), sum(|finding| finding.contender));
    let more_often = |one: &str, other: &str, ok: Kept, not: Kept| {
        format!("{one} keeps up more often than {other} ({} of {} runs against {} of {})", ok.ok, ok.of, not.ok, not.of)
    };
    match word {
        Word::Better | Word::Worse => difference(&contrasts),
        Word::SlightlyLess | Word::SlightlyMore => {
            format!("{}, too little to choose by between two binaries,", difference(&contrasts))
        }
        Word::Same if alone => no_difference(first.contrast, margin),
        Word::Same => "no difference that matters".to_owned(),
        Word::KeepsUp => more_often(contender, baseline, of_contender, of_baseline),
        Word::FallsBehind => more_often(baseline, contender, of_baseline, of_contender),
        Word::NeitherKeepsUp => format!("neither {contender} nor {baseline} keeps up"),
        Word::Unknown if alone => cannot_tell(first.contrast),
        Word::Unknown => "cannot tell".to_owned(),
    }
}

/// What it would take, where the blocks scatter too much.
fn would_tell(finding: &Finding<'_>, margin: f64) -> String {
    match finding.blocks_needed() {
        Some(needed) => {
            let (blocks, more) = (counted(needed, "block"), noise::unadjusted(finding.family));
            format!("about {blocks} would tell {}{more}", noise::MOSTLY)
        }
        None => noise::beyond_numbers(finding.contrast, margin, finding.level.alpha),
    }
}

/// "7 of 10 blocks", "0 of 10 blocks (3 inconclusive)"
pub(super) fn kept_in(kept: Kept) -> String {
    let inconclusive = match kept.inconclusive() {
        0 => String::new(),
        runs => format!(" ({runs} inconclusive)"),
    };
    format!("{} of {}{inconclusive}", kept.ok, counted(kept.of.into(), "block"))
}

/// "10 blocks", "7 of 10 blocks"
fn blocks_of(n: u32, planned: u32) -> String {
    let blocks = counted(planned.into(), "block");
    if n == planned { blocks } else { format!("{n} of {blocks}") }
}

fn cannot_tell(contrast: &Contrast) -> String {
    let Contrast { baseline, contender, metric, .. } = contrast;
    format!("cannot tell {contender} and {baseline} apart in {}", wording(*metric).label)
}

fn no_difference(contrast: &Contrast, margin: f64) -> String {
    let Contrast { baseline, contender, metric, .. } = contrast;
    let label = wording(*metric).label;
    format!("no difference that matters in {label} between {contender} and {baseline}: within {}", percent(margin))
}

/// "async needs 12 % less CPU per task than threads", or "10 to 15 % less" where several say so.
fn difference(contrasts: &[&Contrast]) -> String {
    let Some(Contrast { baseline, contender, metric, .. }) = contrasts.first() else { return String::new() };
    let label = wording(*metric).label;
    let ratios: Vec<Option<f64>> = contrasts.iter().map(|contrast| contrast.ratio.value).collect();
    let change = changes(&ratios);
    let rises = ratios.iter().any(|ratio| ratio.is_none_or(|ratio| ratio > 1.0));
    let more = if rises { "more" } else { "less" };
    let fewer = if rises { "more" } else { "fewer" };
    match metric {
        Metric::CpuUsPerTask | Metric::RssMaxBytes => {
            format!("{contender} needs {change} {more} {label} than {baseline}")
        }
        Metric::WorkersCpuUsPerTask => {
            format!("the workers of {contender} need {change} {more} CPU per task than those of {baseline}")
        }
        Metric::RedisCpuUsPerTask => {
            format!("redis needs {change} {more} CPU per task with {contender} than with {baseline}")
        }
        Metric::CompletedPerS => format!("{contender} completes {change} {fewer} tasks a second than {baseline}"),
        Metric::Threads | Metric::Sockets | Metric::VoluntarySwitchesPerTask | Metric::InvoluntarySwitchesPerTask => {
            format!("{contender} has {change} {fewer} {label} than {baseline}")
        }
        _ => {
            let higher = if rises { "higher" } else { "lower" };
            format!("{label} of {contender} is {change} {higher} than that of {baseline}")
        }
    }
}

/// "12 %", "10 to 15 %"; a ratio without a value has no bound.
fn changes(ratios: &[Option<f64>]) -> String {
    let mut shares: Vec<f64> = ratios.iter().flatten().map(|ratio| (ratio - 1.0).abs()).collect();
    shares.sort_by(f64::total_cmp);
    match (shares.first(), shares.last()) {
        (Some(&low), Some(_)) if shares.len() < ratios.len() => format!("at least {}", percent(low)),
        (Some(&low), Some(&high)) => from_to(&percent(low), &percent(high)),
        _ => "unboundedly".to_owned(),
    }
}

/// "10 to 15 %"
fn from_to(low: &str, high: &str) -> String {
    if low == high { low.to_owned() } else { format!("{} to {high}", low.trim_end_matches(" %")) }
}

/// The interval of a difference whose direction was said: "9.3 to 15 %".
fn change_interval(contrast: &Contrast) -> Option<String> {
    let (low, high) = match (contrast.ratio.low, contrast.ratio.high) {
        (Some(low), Some(high)) if high < 1.0 => (1.0 - high, Some(1.0 - low)),
        (Some(low), high) => (low - 1.0, high.map(|high| high - 1.0)),
        (None, _) => return None,
    };
    let low = percent(low);
    Some(high.map_or_else(|| format!("{low} to unbounded"), |high| from_to(&low, &percent(high))))
}

/// "-0.6 % to +0.5 %"; `None` without an interval.
fn signed_interval(contrast: &Contrast) -> Option<String> {
    match (contrast.ratio.low, contrast.ratio.high) {
        (None, None) => None,
        (low, high) => {
            let bound = |ratio: Option<f64>| ratio.map_or_else(|| "unbounded".to_owned(), signed);
            Some(format!("{} to {}", bound(low), bound(high)))
        }
    }
}

/// A ratio as signed percent of change.
pub(super) fn signed(ratio: f64) -> String {
    signed_percent_of_log(ratio.ln())
}
