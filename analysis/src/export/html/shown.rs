//! Numbers on the page: each by a pointer into the JSON and a form.

use common::report::Failures;
use common::report::comparison::{Contrast, Estimate, OrderEffect, Ratio};
use common::report::prediction::Coefficient;
use minijinja::{Error, ErrorKind, HtmlEscape};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::format;
use crate::format::NOTHING;
use crate::metric::Unit;

/// How a value of the JSON is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown(Form);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One number with its unit.
    Quantity(Unit),
    /// `{value, low, high, n}`
    Estimate(Unit),
    /// `{value, low, high, n}` of differences, with their signs.
    EstimatePercent,
    /// Whole, in groups of three.
    Count,
    /// Three significant digits.
    Figure,
    /// The ratio of a whole contrast, with its interval.
    Contrast,
    /// `{value, low, high}`
    Ratio,
    P,
    Percent,
    /// Of a difference: with its sign.
    SignedPercent,
    /// `{value, low, high}` of a fitted law.
    Coefficient,
    /// Of a log ratio.
    PercentOfLog,
    /// `{value, low, high}` of log ratios.
    OrderEffect,
    /// Failed tasks by cause: all of them.
    Failures,
    /// As it stands there.
    Plain,
}

/// What templates call the forms.
const FORMS: [(&str, Form); 25] = [
    ("us", Form::Quantity(Unit::Micros)),
    ("us_per_s", Form::Quantity(Unit::MicrosPerSecond)),
    ("ms", Form::Quantity(Unit::Millis)),
    ("bytes", Form::Quantity(Unit::Bytes)),
    ("per_s", Form::Quantity(Unit::PerSecond)),
    ("number", Form::Quantity(Unit::Number)),
    ("estimate_us", Form::Estimate(Unit::Micros)),
    ("estimate_us_per_s", Form::Estimate(Unit::MicrosPerSecond)),
    ("estimate_ms", Form::Estimate(Unit::Millis)),
    ("estimate_bytes", Form::Estimate(Unit::Bytes)),
    ("estimate_per_s", Form::Estimate(Unit::PerSecond)),
    ("estimate_number", Form::Estimate(Unit::Number)),
    ("estimate_percent", Form::EstimatePercent),
    ("count", Form::Count),
    ("figure", Form::Figure),
    ("contrast", Form::Contrast),
    ("ratio", Form::Ratio),
    ("p", Form::P),
    ("percent", Form::Percent),
    ("signed_percent", Form::SignedPercent),
    ("coefficient", Form::Coefficient),
    ("percent_of_log", Form::PercentOfLog),
    ("order_effect", Form::OrderEffect),
    ("failures", Form::Failures),
    ("plain", Form::Plain),
];

impl Shown {
    /// The form that the page calls `name` (its attribute `data-as`).
    #[must_use]
    pub fn named(name: &str) -> Option<Shown> {
        FORMS.iter().find(|(form, _)| *form == name).map(|&(_, form)| Shown(form))
    }

    /// `value` as the page shows it; `None` when it is not of this form. What was not measured is a dash.
    #[must_use]
    pub fn text(self, value: &Value) -> Option<String> {
        if value.is_null() {
            return Some(NOTHING.to_owned());
        }
        match self.0 {
            Form::Quantity(unit) => value.as_f64().map(|value| format::quantity(unit, value)),
            Form::Estimate(unit) => parsed(value).map(|estimate: Estimate| format::estimate(unit, &estimate)),
            Form::EstimatePercent => parsed(value).map(|estimate: Estimate| format::estimate_percent(&estimate)),
            Form::Count => value.as_u64().map(format::grouped),
            Form::Figure => value.as_f64().map(|value| format::significant(value, 3)),
            Form::Contrast => parsed(value).map(|contrast: Contrast| format::ratio_of(&contrast)),
            Form::Ratio => parsed(value).map(|ratio: Ratio| format::ratio_with_interval(&ratio)),
            Form::P => value.as_f64().map(format::p_value),
            Form::Percent => value.as_f64().map(format::percent),
            Form::SignedPercent => value.as_f64().map(format::signed_percent),
            Form::Coefficient => parsed(value).map(|coefficient: Coefficient| format::coefficient(&coefficient)),
            Form::PercentOfLog => value.as_f64().map(format::percent_of_log),
            Form::OrderEffect => parsed(value).map(|effect: OrderEffect| format::order_effect(&effect)),
            Form::Failures => parsed(value).map(|failures: Failures| format::grouped(failures.total())),
            Form::Plain => match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            },
        }
    }
}

fn parsed<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

/// The number at `pointer` as an element that says where it comes from. An interval stands in an element of its own.
pub(super) fn span(document: &Value, pointer: &str, form: &str) -> Result<String, Error> {
    let shown = Shown::named(form).ok_or_else(|| invalid(format!("{form}: no such form")))?;
    let value = document.pointer(pointer).ok_or_else(|| invalid(format!("{pointer}: not in the JSON")))?;
    let text = shown.text(value).ok_or_else(|| invalid(format!("{pointer}: {value} is no {form}")))?;
    let text = super::escape::visible(&text);
    let text = match text.split_once(" [") {
        Some((value, interval)) => {
            format!("{} <small>[{}</small>", HtmlEscape(value), HtmlEscape(interval))
        }
        None => HtmlEscape(&text).to_string(),
    };
    Ok(format!("<span class=\"num\" data-json=\"{}\" data-as=\"{form}\">{text}</span>", HtmlEscape(pointer)))
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
