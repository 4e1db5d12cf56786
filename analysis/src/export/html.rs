//! `report.html`: one file that answers first, then shows why, and asks nobody for anything.
//!
//! The page is filled from the JSON itself, which it also holds: a number gets there only through [`Shown`], by a pointer
//! into that JSON. Everything else is text, and escaped.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::report::comparison::Comparison;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, context};
use sha2::{Digest, Sha256};

mod beside;
mod cells;
mod drawings;
mod embed;
mod escape;
mod metrics;
mod notices;
mod shown;

pub(crate) use escape::visible;
pub use shown::Shown;

use crate::chart;

const STYLE: &str = include_str!("../../templates/style.css");
const SCRIPT: &str = include_str!("../../templates/script.js");

/// Every template, by the name under which others include it; the names end in `.html`, which switches escaping on.
const TEMPLATES: [(&str, &str); 15] = [
    ("report.html", include_str!("../../templates/report.html")),
    ("macros.html", include_str!("../../templates/macros.html")),
    ("answer.html", include_str!("../../templates/answer.html")),
    ("charts.html", include_str!("../../templates/charts.html")),
    ("cells.html", include_str!("../../templates/cells.html")),
    ("headroom.html", include_str!("../../templates/headroom.html")),
    ("scalability.html", include_str!("../../templates/scalability.html")),
    ("cost_lines.html", include_str!("../../templates/cost_lines.html")),
    ("queue.html", include_str!("../../templates/queue.html")),
    ("predicted.html", include_str!("../../templates/predicted.html")),
    ("published.html", include_str!("../../templates/published.html")),
    ("validity.html", include_str!("../../templates/validity.html")),
    ("environment.html", include_str!("../../templates/environment.html")),
    ("plan.html", include_str!("../../templates/plan.html")),
    ("reading.html", include_str!("../../templates/reading.html")),
];

/// The page of `comparison`, whole. `json` is `comparison.json` as it is written: the page holds it, and gives it back byte
/// for byte.
///
/// # Errors
/// Never for a comparison made by this crate: a template that asks for what is not there.
pub fn bytes(comparison: &Comparison, json: &[u8]) -> Result<Vec<u8>, Error> {
    let bad_json = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let document: serde_json::Value = serde_json::from_slice(json).map_err(bad_json)?;
    let style = format!("{}{STYLE}", chart::STYLE);
    let page = context! {
        c => Serde(&document),
        cells => Serde(cells::views(comparison)),
        beside => Serde(beside::Beside::new(comparison)),
        failed => Serde(notices::failed(comparison)),
        unsteady => notices::unsteady(comparison),
        charts => Serde(drawings::Drawings::new(comparison)),
        primary => metrics::about(comparison.primary).label,
        style_hash => hash(&style),
        style => Value::from_safe_string(style),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        script_hash => hash(SCRIPT),
        json => Value::from_safe_string(embed::script_safe(&String::from_utf8_lossy(json))),
    };
    let text = environment(document)?.get_template("report.html")?.render(page)?;
    Ok(text.into_bytes())
}

fn environment(document: serde_json::Value) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_formatter(escape::formatter);
    environment.add_function("num", move |pointer: &str, form: &str| {
        shown::span(&document, pointer, form).map(Value::from_safe_string)
    });
    environment.add_filter("pointer", |key: &str| key.replace('~', "~0").replace('/', "~1"));
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// What a Content-Security-Policy calls `text`, an inline style or script.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}
