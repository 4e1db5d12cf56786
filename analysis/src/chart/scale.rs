//! Axes: from a value to its place, and where the ticks stand with which words.

use crate::format::{significant, unit_of};
use crate::metric::Unit;

/// From values to places between 0 and 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    kind: Kind,
    /// Of what `kind` makes of values.
    low: f64,
    high: f64,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Linear,
    /// Natural logarithm.
    Log,
    /// log10(1 / (1 - p)), p in percent: every nine is as wide as the one before.
    Tail,
    /// Logarithm, where 0 has a place of its own left of the smallest positive value.
    LogFromZero {
        zero: f64,
    },
}

/// A mark of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// From 0 to 1.
    pub(super) at: f64,
    pub(super) label: String,
}

/// A range at least this wide is drawn on a logarithmic axis.
const LOG_FROM: f64 = 20.0;
/// Swept values this far apart as well: they were chosen by factors.
const SWEPT_LOG_FROM: f64 = 8.0;

impl Scale {
    /// From `low` to `high`, which may be equal.
    pub(super) fn linear(low: f64, high: f64) -> Scale {
        Scale { kind: Kind::Linear, low, high: if high > low { high } else { low + 1.0 } }
    }

    /// From 0 to the first round value that is not below `high`.
    pub(super) fn from_zero(unit: Unit, high: f64) -> Scale {
        let divisor = unit_of(unit, high).0;
        let step = round_step(high / divisor / 5.0) * divisor;
        Scale::linear(0.0, if step > 0.0 { (high / step - 1e-9).ceil() * step } else { 1.0 })
    }

    /// Logarithmic; both positive.
    pub(super) fn log(low: f64, high: f64) -> Scale {
        let high = if high > low { high } else { low * 2.0 };
        Scale { kind: Kind::Log, low: low.ln(), high: high.ln() }
    }

    /// For `values` of a metric: from 0, or logarithmic between round values when they are far apart. `None` without any.
    pub(super) fn of(unit: Unit, values: impl Iterator<Item = f64> + Clone) -> Option<Scale> {
        let values = values.filter(|value| value.is_finite());
        let (low, high) = (values.clone().reduce(f64::min)?, values.reduce(f64::max)?);
        if low > 0.0 && high / low >= LOG_FROM {
            let round = |value: f64, up: bool| {
                let decade = 10f64.powf(value.log10().floor());
                let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
                let fits = |step: &f64| if up { *step >= value * 0.999 } else { *step <= value * 1.001 };
                if up { steps.into_iter().find(fits) } else { steps.into_iter().rev().find(fits) }.unwrap_or(value)
            };
            return Some(Scale::log(round(low, false), round(high, true)));
        }
        Some(Scale::from_zero(unit, high))
    }

    /// For percentiles, from 0 to `highest` percent.
    pub(super) fn tail(highest: f64) -> Scale {
        Scale { kind: Kind::Tail, low: 0.0, high: nines(highest).max(1.0) }
    }

    /// For the values of a swept key, none negative: logarithmic when they are far apart, with a place for 0.
    pub(super) fn swept(values: &[f64]) -> Scale {
        let (low, high) =
            (values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(0.0, f64::max));
        let positive = values.iter().copied().filter(|&value| value > 0.0).fold(f64::INFINITY, f64::min);
        if low < 0.0 || !positive.is_finite() || high / positive < SWEPT_LOG_FROM {
            return Scale::linear(low.min(high), high);
        }
        if low > 0.0 {
            return Scale::log(low, high);
        }
        // As far from the smallest value as if there were one more beneath it.
        let room = (high / positive).ln() / (values.len() as f64 - 2.0).max(1.0);
        let zero = positive.ln() - room;
        Scale { kind: Kind::LogFromZero { zero }, low: zero, high: high.ln() }
    }

    /// The place of `value`; at the nearer end when it lies outside.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = match self.kind {
            Kind::Linear => value,
            Kind::Log if value > 0.0 => value.ln(),
            Kind::Log => self.low,
            Kind::Tail => nines(value),
            Kind::LogFromZero { zero } if value <= 0.0 => zero,
            Kind::LogFromZero { .. } => value.ln(),
        };
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Whether the distance from 0 is not to scale.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.kind, Kind::LogFromZero { .. })
    }

    /// Round values within the range, `most` at most and two at least where the range has them; of a percentile axis 50 and
    /// the nines.
    pub(super) fn ticks(&self, unit: Unit, most: usize) -> Vec<Tick> {
        let most = most.max(2);
        match self.kind {
            Kind::Linear => self.labelled(unit, &even(self.low, self.high, unit, most)),
            Kind::Log | Kind::LogFromZero { .. } => {
                let (low, high) = (self.low.exp(), self.high.exp());
                if high / low < 4.0 {
                    return self.labelled(unit, &even(low, high, unit, most));
                }
                let sets = [[1.0, 2.0, 5.0].as_slice(), &[1.0, 3.0], &[1.0]].map(|steps| decades(low, high, steps, 1));
                let sparse = (2..12).map(|every| decades(low, high, &[1.0], every));
                let fits = |ticks: &Vec<f64>| ticks.len() <= most;
                self.labelled(unit, &sets.into_iter().chain(sparse).find(fits).unwrap_or_default())
            }
            Kind::Tail => {
                let nines = (1..10).map(|nines| 100.0 - 100.0 / 10f64.powi(nines));
                let inside = [0.0, 50.0].into_iter().chain(nines).filter(|&p| self::nines(p) <= self.high + 1e-9);
                inside.map(|p| Tick { at: self.at(p), label: percentile(p) }).collect()
            }
        }
    }

    /// Ticks at `values`, in the words of `unit` where these tell them apart.
    pub(super) fn labelled(&self, unit: Unit, values: &[f64]) -> Vec<Tick> {
        let largest = values.iter().copied().fold(0.0, f64::max);
        let (divisor, name) = unit_of(unit, largest);
        let in_one_unit = matches!(self.kind, Kind::Linear) || matches!(unit, Unit::PerSecond | Unit::Number);
        let text = |&value: &f64| match value {
            0.0 => "0".to_owned(),
            value if in_one_unit => format!("{}{name}", plain(value / divisor)),
            value => {
                let (divisor, name) = unit_of(unit, value * 1.000_001);
                format!("{}{name}", plain(value / divisor))
            }
        };
        values.iter().map(|value| Tick { at: self.at(*value), label: text(value) }).collect()
    }
}

/// `value` without the noise of its last digits.
fn plain(value: f64) -> String {
    significant(value, 6)
}

/// `99.9 %`; enough digits for the nines.
pub(super) fn percentile(percent: f64) -> String {
    format!("{} %", significant(percent, 9))
}

/// How many nines: 90 % has one, 99 % two.
fn nines(percent: f64) -> f64 {
    -(1.0 - percent / 100.0).max(1e-12).log10()
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `least`; 0 for 0.
fn round_step(least: f64) -> f64 {
    if least <= 0.0 || !least.is_finite() {
        return 0.0;
    }
    let decade = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|step| step * decade)
        .into_iter()
        .find(|&step| step >= least * 0.999_999)
        .unwrap_or(10.0 * decade)
}

/// Multiples of a round step of the unit in which `high` is shown.
fn even(low: f64, high: f64, unit: Unit, most: usize) -> Vec<f64> {
    let divisor = unit_of(unit, high).0;
    let (low, high) = (low / divisor, high / divisor);
    let mut step = round_step((high - low) / most as f64);
    if step <= 0.0 {
        return Vec::new();
    }
    let inside = |step: f64| ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
    while inside(step).1 - inside(step).0 >= most as i64 {
        step = round_step(step * 1.01);
    }
    let (first, last) = inside(step);
    (first..=last).map(|i| i as f64 * step * divisor).collect()
}

/// `steps` times every `every`th power of ten, within the range.
fn decades(low: f64, high: f64, steps: &[f64], every: i32) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    (first..=last)
        .filter(|decade| decade.rem_euclid(every) == 0)
        .flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)))
        .filter(|&value| value >= low * 0.999_999 && value <= high * 1.000_001)
        .collect()
}

#[cfg(test)]
mod tests;
