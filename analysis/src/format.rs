//! Numbers as people read them: sensible digits, and units that fit the size.

use common::report::comparison::{Contrast, Estimate, OrderEffect, Ratio};
use common::report::prediction::Coefficient;

use crate::metric::Unit;

/// Stands where there is no number.
pub(crate) const NOTHING: &str = "-";

/// "a, b and c"
pub(crate) fn listed(texts: &[String], last: &str) -> String {
    match texts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

/// `value` with `digits` significant digits; digits before the point are never rounded away.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    let magnitude = if value == 0.0 { 0 } else { value.abs().log10().floor() as i64 };
    let decimals = (digits as i64 - 1 - magnitude).clamp(0, 9) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A whole number in groups of three: `235 045`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// What `value` is divided by, and the unit's name after that.
pub(crate) fn unit_of(unit: Unit, value: f64) -> (f64, &'static str) {
    const KIB: f64 = 1024.0;
    match unit {
        Unit::Micros if value >= 1e6 => (1e6, " s"),
        Unit::Micros if value >= 1e3 => (1e3, " ms"),
        Unit::Micros => (1.0, " µs"),
        Unit::MicrosPerSecond if value >= 1e6 => (1e6, " s/s"),
        Unit::MicrosPerSecond if value >= 1e3 => (1e3, " ms/s"),
        Unit::MicrosPerSecond => (1.0, " µs/s"),
        Unit::Millis if value >= 1e3 => (1e3, " s"),
        Unit::Millis => (1.0, " ms"),
        Unit::Bytes if value >= KIB * KIB * KIB => (KIB * KIB * KIB, " GiB"),
        Unit::Bytes if value >= KIB * KIB => (KIB * KIB, " MiB"),
        Unit::Bytes => (KIB, " KiB"),
        Unit::PerSecond => (1.0, " /s"),
        Unit::Number => (1.0, ""),
    }
}

/// Rates differ in their fourth digit where it matters.
fn digits(unit: Unit) -> usize {
    if unit == Unit::PerSecond { 5 } else { 3 }
}

/// `1.52 ms`
pub(crate) fn quantity(unit: Unit, value: f64) -> String {
    let (divisor, name) = unit_of(unit, value);
    format!("{}{name}", significant(value / divisor, digits(unit)))
}

/// `1.52 ms [1.48, 1.6]`; the bounds in the unit of the value.
pub(crate) fn estimate(unit: Unit, estimate: &Estimate) -> String {
    if estimate.n == 0 {
        return NOTHING.to_owned();
    }
    let (divisor, _) = unit_of(unit, estimate.value.or(estimate.low).unwrap_or(0.0));
    let value = estimate.value.map_or_else(|| "unbounded".to_owned(), |value| quantity(unit, value));
    let bound = |value: f64| significant(value / divisor, digits(unit));
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => format!("{value} [{}, {}]", bound(low), bound(high)),
        (Some(low), None) => match estimate.value {
            Some(_) => format!("{value} [{}, unbounded]", bound(low)),
            None => format!("{value} [{}, unbounded]", quantity(unit, low)),
        },
        (None, _) => value,
    }
}

/// `-4.2 % [-6.1 %, -2 %]`
pub(crate) fn estimate_percent(estimate: &Estimate) -> String {
    let bounds = estimate
        .low
        .zip(estimate.high)
        .map_or_else(String::new, |(low, high)| format!(" [{}, {}]", signed_percent(low), signed_percent(high)));
    estimate.value.map_or_else(|| NOTHING.to_owned(), |value| format!("{}{bounds}", signed_percent(value)))
}

/// A ratio: three decimals, fewer when it is large, and as many as show that it is not 1 when it is not.
pub(crate) fn ratio(ratio: f64) -> String {
    let decimals = match ratio {
        r if r < 10.0 => (3..=6)
            .find(|&decimals| r == 1.0 || format!("{r:.decimals$}") != format!("{:.decimals$}", 1.0))
            .unwrap_or(3),
        r if r < 100.0 => 1,
        _ => 0,
    };
    format!("{ratio:.decimals$}")
}

/// A ratio, or that it has no bound.
pub(crate) fn ratio_or_unbounded(value: Option<f64>) -> String {
    value.map_or_else(|| "unbounded".to_owned(), ratio)
}

/// `0.880 [0.841, 0.932]`
pub(crate) fn ratio_with_interval(ratio: &Ratio) -> String {
    let value = ratio_or_unbounded(ratio.value);
    match (ratio.low, ratio.high) {
        (None, None) => value,
        (low, high) => format!("{value} [{}, {}]", ratio_or_unbounded(low), ratio_or_unbounded(high)),
    }
}

/// The ratio of a contrast that could be computed.
pub(crate) fn ratio_of(contrast: &Contrast) -> String {
    match contrast.p_value {
        Some(_) => ratio_with_interval(&contrast.ratio),
        None => NOTHING.to_owned(),
    }
}

/// `-0.09 % [-4.2 %, +2.6 %]`
pub(crate) fn order_effect(effect: &OrderEffect) -> String {
    let bounds = effect.low.zip(effect.high).map_or_else(String::new, |(low, high)| {
        format!(" [{}, {}]", signed_percent_of_log(low), signed_percent_of_log(high))
    });
    format!("{}{bounds}", signed_percent_of_log(effect.value))
}

/// A p value as it follows `p = `, or `p < 0.001` as a whole when it is smaller.
pub(crate) fn p_equals(name: &str, p: f64) -> String {
    if p < 0.001 { format!("{name} < 0.001") } else { format!("{name} = {}", p_value(p)) }
}

/// A p value by itself.
pub(crate) fn p_value(p: f64) -> String {
    match p {
        p if p < 0.001 => "<0.001".to_owned(),
        p if p < 0.1 => format!("{p:.3}"),
        p => format!("{p:.2}"),
    }
}

/// A share as percent, without sign: 0.12 is `12 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = 100.0 * share.abs();
    let decimals = match percent {
        p if p >= 9.95 => 0,
        p if p >= 0.995 => 1,
        _ => 2,
    };
    let text = format!("{percent:.decimals$}");
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// A log ratio as percent of change: 0.05 is `5.1 %`.
pub(crate) fn percent_of_log(log_ratio: f64) -> String {
    percent(log_ratio.abs().exp_m1())
}

/// A log ratio as signed percent of change.
pub(crate) fn signed_percent_of_log(log_ratio: f64) -> String {
    signed_percent(log_ratio.exp_m1())
}

/// A share that something is more or less by: -0.12 is `-12 %`; what rounds to nothing has no sign.
pub(crate) fn signed_percent(share: f64) -> String {
    let text = percent(share);
    match share {
        _ if text == "0 %" => text,
        share if share < 0.0 => format!("-{text}"),
        _ => format!("+{text}"),
    }
}

/// How a p is called: adjusted for a family of more than one contrast, or not.
pub(crate) fn p_name(is_adjusted: bool) -> &'static str {
    if is_adjusted { "adjusted p" } else { "p" }
}

/// `0.031 [0.02, 0.045]`
pub(crate) fn coefficient(coefficient: &Coefficient) -> String {
    let high = coefficient.high.map_or_else(|| "no end".to_owned(), |high| significant(high, 3));
    format!("{} [{}, {high}]", significant(coefficient.value, 3), significant(coefficient.low, 3))
}

/// At most `characters` of `text`, and dots in place of the rest.
pub(crate) fn excerpt(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// `1 block`, `2 blocks`.
pub(crate) fn counted(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {one}s", grouped(number)) }
}

#[cfg(test)]
mod tests {
    use common::report::comparison::Estimate;

    use super::{
        estimate, estimate_percent, grouped, p_value, percent, percent_of_log, quantity, ratio, signed_percent_of_log,
        significant,
    };
    use crate::metric::Unit;

    #[test]
    fn digits() {
        for (value, text) in [
            (0.0, "0"),
            (152.3, "152"),
            (1.524, "1.52"),
            (0.001_234, "0.00123"),
            (12_345.6, "12346"),
            (2.0, "2"),
            (-1.5, "-1.5"),
        ] {
            assert_eq!(significant(value, 3), text);
        }
        for (value, text) in [(0, "0"), (999, "999"), (1_000, "1 000"), (235_045, "235 045"), (1_234_567, "1 234 567")]
        {
            assert_eq!(grouped(value), text);
        }
    }

    #[test]
    fn units() {
        for (unit, value, text) in [
            (Unit::Micros, 0.5, "0.5 µs"),
            (Unit::Micros, 152.3, "152 µs"),
            (Unit::Micros, 1_524.0, "1.52 ms"),
            (Unit::Micros, 2_500_000.0, "2.5 s"),
            (Unit::MicrosPerSecond, 152.3, "152 µs/s"),
            (Unit::MicrosPerSecond, 1_524.0, "1.52 ms/s"),
            (Unit::MicrosPerSecond, 1_200_000.0, "1.2 s/s"),
            (Unit::Millis, 20.55, "20.6 ms"),
            (Unit::Millis, 1_524.0, "1.52 s"),
            (Unit::Bytes, 2_048.0, "2 KiB"),
            (Unit::Bytes, 33_554_432.0, "32 MiB"),
            (Unit::Bytes, 3_221_225_472.0, "3 GiB"),
            (Unit::PerSecond, 1_999.84, "1999.8 /s"),
            (Unit::Number, 130.0, "130"),
        ] {
            assert_eq!(quantity(unit, value), text);
        }
    }

    #[test]
    fn estimates() {
        let check = |value, low, high, n, text: &str| {
            assert_eq!(estimate(Unit::Micros, &Estimate { value, low, high, n }), text);
        };
        check(None, None, None, 0, "-");
        check(Some(152.3), None, None, 4, "152 µs");
        check(Some(1_520.0), Some(990.0), Some(1_600.0), 10, "1.52 ms [0.99, 1.6]");
        check(Some(1_520.0), Some(990.0), None, 10, "1.52 ms [0.99, unbounded]");
        check(None, Some(1_520.0), None, 10, "unbounded [1.52 ms, unbounded]");
        check(None, None, None, 10, "unbounded");
        let of = |value, low, high| estimate_percent(&Estimate { value, low, high, n: 10 });
        assert_eq!(of(Some(-0.042), Some(-0.061), Some(0.02)), "-4.2 % [-6.1 %, +2 %]");
        assert_eq!([of(Some(0.12), None, None), of(None, None, None)], ["+12 %", "-"]);
    }

    #[test]
    fn ratios_and_probabilities() {
        assert_eq!([0.88, 12.34, 123.4].map(ratio), ["0.880", "12.3", "123"]);
        assert_eq!(
            [0.12, 0.034, 0.0045, 1.4, -0.12, 0.05].map(percent),
            ["12 %", "3.4 %", "0.45 %", "140 %", "12 %", "5 %"]
        );
        assert_eq!(percent_of_log(1.03f64.ln()), "3 %");
        assert_eq!(signed_percent_of_log(-0.01), "-1 %");
        assert_eq!(signed_percent_of_log(-1e-9), "0 %");
        assert_eq!([0.0002, 0.0123, 0.5].map(p_value), ["<0.001", "0.012", "0.50"]);
    }
}
