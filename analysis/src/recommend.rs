//! What to take from a cell, in one sentence with its certainty.

use common::plan::{Metric, Variant};
use common::report::RunResult;
use common::report::comparison::{Cause, Contrast, ContrastVerdict, KeepsUp, Recommendation};

use crate::blocks::Blocks;
use crate::contrast::ALPHA;
use crate::format::{counted, p_equals, percent, ratio_or_unbounded};
use crate::metric::wording;

/// Stands beside every word until an A/A bench of the host is known.
const UNCALIBRATED: &str = "uncalibrated: no A/A bench on this host";

/// The recommendation of a cell with `contrasts` of all metrics; the primary ones speak.
pub(crate) fn recommend(
    baseline: &str,
    margin: f64,
    blocks: &Blocks<'_>,
    variants: &[Variant],
    contrasts: &[Contrast],
    keeps_up: &[KeepsUp],
) -> Recommendation {
    let primary: Vec<&Contrast> = contrasts.iter().filter(|contrast| contrast.primary).collect();
    if primary.is_empty() {
        let sentence = format!("one variant only, nothing to compare: {}", kept_up(baseline, blocks, variants));
        return Recommendation { variant: None, sentence };
    }
    let mut clauses: Vec<String> = primary
        .iter()
        .zip(keeps_up)
        .map(|(contrast, keeps_up)| match contrast.cause {
            Some(Cause::Overload) => {
                let (p, baseline) = (keeps_up.p_value, kept_up(&contrast.baseline, blocks, variants));
                format!("{}, {baseline} ({})", kept_up(&contrast.contender, blocks, variants), p_equals("p", p))
            }
            Some(_) => cannot_tell(contrast),
            None => claim(contrast, margin),
        })
        .collect();
    if primary.iter().any(|contrast| contrast.cause.is_none() && !contrast.calibrated) {
        clauses.push(UNCALIBRATED.to_owned());
    }
    Recommendation { variant: winner(baseline, &primary, keeps_up), sentence: clauses.join("; ") }
}

/// The variant to take, if one stands out.
fn winner(baseline: &str, primary: &[&Contrast], keeps_up: &[KeepsUp]) -> Option<String> {
    // A variant that keeps up where the other does not needs no cheaper tasks.
    let more_often = keeps_up.iter().zip(primary).find(|(keeps_up, contrast)| {
        contrast.cause == Some(Cause::Overload)
            && keeps_up.p_value <= ALPHA
            && keeps_up.only_contender > keeps_up.only_baseline
    });
    if let Some((keeps_up, _)) = more_often {
        return Some(keeps_up.contender.clone());
    }
    let gain = |contrast: &Contrast| {
        let ratio = contrast.ratio.value.unwrap_or(f64::INFINITY);
        if contrast.metric.more_is_better() { -ratio } else { ratio }
    };
    let better = primary.iter().filter(|contrast| contrast.verdict == ContrastVerdict::Better);
    if let Some(best) = better.min_by(|a, b| gain(a).total_cmp(&gain(b))) {
        return Some(best.contender.clone());
    }
    let behind = |(contrast, keeps_up): (&&Contrast, &KeepsUp)| match contrast.cause {
        Some(Cause::Overload) => keeps_up.p_value <= ALPHA && keeps_up.only_baseline > keeps_up.only_contender,
        _ => contrast.verdict == ContrastVerdict::Worse,
    };
    primary.iter().zip(keeps_up).all(behind).then(|| baseline.to_owned())
}

/// "async kept up in 9 of 10 blocks"
fn kept_up(name: &str, blocks: &Blocks<'_>, variants: &[Variant]) -> String {
    let runs = variants.iter().zip(&blocks.variants).find(|(variant, _)| variant.name == name);
    let runs = runs.map(|(_, runs)| runs.valid.as_slice()).unwrap_or_default();
    let ok = runs.iter().filter(|run| run.verdict.result == RunResult::Ok).count();
    format!("{name} kept up in {ok} of {}", counted(runs.len() as u64, "block"))
}

fn cannot_tell(contrast: &Contrast) -> String {
    let subject = format!("{} against {}", contrast.contender, contrast.baseline);
    let numbers = match (contrast.cause, contrast.ratio.value) {
        (Some(Cause::Noise), Some(_)) => {
            format!(" ({})", certainty(contrast, "p", contrast.p_value, contrast.p_adjusted))
        }
        _ => String::new(),
    };
    format!("cannot tell, {subject}{numbers}: {}", contrast.reason)
}

/// "async needs 12 % less CPU per task than threads (ratio 0.880, ...)"
fn claim(contrast: &Contrast, margin: f64) -> String {
    let Contrast { baseline, contender, .. } = contrast;
    let label = wording(contrast.metric).label;
    let mut text = match contrast.verdict {
        ContrastVerdict::Same => format!(
            "no difference that matters in {label} between {contender} and {baseline} (within {}; {})",
            percent(margin),
            certainty(contrast, "p of a larger difference", contrast.p_same, contrast.p_same_adjusted)
        ),
        _ => format!(
            "{} ({})",
            difference(contrast, label),
            certainty(contrast, "p", contrast.p_value, contrast.p_adjusted)
        ),
    };
    if !contrast.reason.is_empty() {
        text.push_str("; ");
        text.push_str(&contrast.reason);
    }
    text
}

fn difference(contrast: &Contrast, label: &str) -> String {
    let Contrast { baseline, contender, metric, ratio, .. } = contrast;
    let change = ratio.value.map_or_else(|| "unboundedly".to_owned(), |ratio| percent(ratio - 1.0));
    let rises = ratio.value.is_none_or(|ratio| ratio > 1.0);
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

/// "ratio 0.880, 95 % interval 0.841 to 0.932, p = 0.004, 10 blocks"
fn certainty(contrast: &Contrast, name: &str, plain: Option<f64>, adjusted: Option<f64>) -> String {
    let mut parts = vec![format!("ratio {}", ratio_or_unbounded(contrast.ratio.value))];
    if contrast.p_value.is_some() && u64::from(contrast.n) >= crate::stats::spread::BLOCKS_MIN {
        let bounds = [contrast.ratio.low, contrast.ratio.high].map(ratio_or_unbounded);
        parts.push(format!("95 % interval {} to {}", bounds[0], bounds[1]));
    }
    if let Some(p) = adjusted {
        let name = if adjusted == plain { name.to_owned() } else { format!("adjusted {name}") };
        parts.push(p_equals(&name, p));
    }
    parts.push(counted(contrast.n.into(), "block"));
    parts.join(", ")
}
