//! Whether a report is what its schema says, and adds up.

use std::cell::OnceCell;
use std::path::Path;

use common::report::aa::AaStore;
use common::report::calibration::Calibration;
use common::report::diff::Diff;
use common::report::search::Search;
use common::report::size::Size;
use common::report::warmup::Warmup;
use jsonschema::Validator;
use serde_json::Value;

use crate::format::excerpt;
use crate::load::{LoadError, file};

mod comparison;
mod run;

/// The kinds of reports with their schemas, which are generated from the types.
const SCHEMAS: [(&str, &str); 8] = [
    ("run", include_str!("../../docs/schema/run.schema.json")),
    ("comparison", include_str!("../../docs/schema/comparison.schema.json")),
    ("calibration", include_str!("../../docs/schema/calibration.schema.json")),
    ("warmup", include_str!("../../docs/schema/warmup.schema.json")),
    ("diff", include_str!("../../docs/schema/diff.schema.json")),
    ("search", include_str!("../../docs/schema/search.schema.json")),
    ("size", include_str!("../../docs/schema/size.schema.json")),
    ("aa", include_str!("../../docs/schema/aa.schema.json")),
];
/// Violations of one file that are told one by one.
const TOLD_MAX: usize = 50;
/// Characters of a violation, which quotes what it is about.
const MESSAGE_MAX: usize = 200;

/// How far a figure may be from what it is made of, as a share: it was rounded on the way.
const ROUNDING: f64 = 1e-6;

/// Something in a report that should not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where, as a JSON pointer (RFC 6901); empty for the whole.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

/// What came of looking at a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What it says it is.
    pub kind: &'static str,
    /// By the schema, or, where there is nothing, by what the figures must add up to. The first 50.
    pub violations: Vec<Violation>,
    /// How many more there are.
    pub untold: usize,
}

/// The schemas of all kinds, each made ready when it is first needed.
#[derive(Debug, Default)]
pub struct Schemas {
    ready: [OnceCell<Result<Validator, String>>; SCHEMAS.len()],
}

impl Schemas {
    /// Looks at the report in the file at `path`: at its kind and version, then by the schema of its kind, then at what no
    /// schema can say (counts that add up, percentiles in order, ...).
    ///
    /// # Errors
    /// A file that cannot be read, is too large, no JSON, or of an unknown kind or another version.
    pub fn check_file(&self, path: &Path) -> Result<Report, LoadError> {
        self.check(path, &file::text(path)?)
    }

    /// The same of a report in `text`; `path` is for messages.
    ///
    /// # Errors
    /// As [`Schemas::check_file`], but for the file system.
    pub fn check(&self, path: &Path, text: &str) -> Result<Report, LoadError> {
        let kind = file::kind_of(path, text, &SCHEMAS.map(|(kind, _)| kind))?;
        let json = |error| LoadError::Json { path: path.to_owned(), kind, error };
        let value: Value = serde_json::from_str(text).map_err(json)?;
        let mut violations = self.by_schema(kind, &value);
        if violations.is_empty() {
            violations = by_arithmetic(kind, value).map_err(json)?;
        }
        let untold = violations.len().saturating_sub(TOLD_MAX);
        violations.truncate(TOLD_MAX);
        Ok(Report { kind, violations, untold })
    }

    fn by_schema(&self, kind: &str, value: &Value) -> Vec<Violation> {
        let Some(((_, schema), ready)) = SCHEMAS.iter().zip(&self.ready).find(|((name, _), _)| *name == kind) else {
            return Vec::new();
        };
        let validator = ready.get_or_init(|| {
            let schema: Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
            jsonschema::validator_for(&schema).map_err(|error| error.to_string())
        });
        match validator {
            Ok(validator) => validator
                .iter_errors(value)
                .map(|error| violation(error.instance_path().to_string(), &error.to_string()))
                .collect(),
            Err(error) => vec![violation(String::new(), &format!("the schema of a {kind} cannot be used: {error}"))],
        }
    }
}

/// What no schema can say. A schema accepts numbers that none of the types holds.
fn by_arithmetic(kind: &str, value: Value) -> serde_json::Result<Vec<Violation>> {
    Ok(match kind {
        "run" => run::violations(&serde_json::from_value(value)?),
        "comparison" => comparison::violations(&serde_json::from_value(value)?),
        "diff" => serde_json::from_value::<Diff>(value).map(|_| Vec::new())?,
        "search" => serde_json::from_value::<Search>(value).map(|_| Vec::new())?,
        "size" => serde_json::from_value::<Size>(value).map(|_| Vec::new())?,
        "aa" => serde_json::from_value::<AaStore>(value).map(|_| Vec::new())?,
        "warmup" => serde_json::from_value::<Warmup>(value).map(|_| Vec::new())?,
        _ => serde_json::from_value::<Calibration>(value).map(|_| Vec::new())?,
    })
}

fn violation(pointer: String, message: &str) -> Violation {
    Violation { pointer, message: excerpt(message, MESSAGE_MAX) }
}

/// Collects what does not hold.
#[derive(Debug, Default)]
struct Checks {
    violations: Vec<Violation>,
}

impl Checks {
    /// Unless `holds`, `message` is what is wrong at `pointer`.
    fn check(&mut self, holds: bool, pointer: impl Into<String>, message: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(violation(pointer.into(), &message()));
        }
    }

    /// planned = sent + missed, sent = completed + failed + unfinished.
    fn counts(&mut self, pointer: &str, counts: &common::report::Counts) {
        let failed = counts.failed.total();
        let (sent, missed) = (counts.sent, counts.missed);
        let whole = sum(&[sent, missed]);
        self.check(whole == counts.planned.into(), format!("{pointer}/planned"), || {
            format!("{} planned, but {sent} sent and {missed} missed", counts.planned)
        });
        let whole = sum(&[counts.completed, failed, counts.unfinished]);
        self.check(whole == sent.into(), format!("{pointer}/sent"), || {
            format!(
                "{sent} sent, but {} completed, {failed} failed and {} unfinished",
                counts.completed, counts.unfinished
            )
        });
        self.check(counts.rejected <= counts.completed, format!("{pointer}/rejected"), || {
            format!("{} rejected, which are completed ones, of which there are {}", counts.rejected, counts.completed)
        });
    }

    /// Each value is at least the one before; `None` is no value.
    fn ascending(&mut self, pointer: &str, values: &[(&str, Option<f64>)]) {
        let known: Vec<(&str, f64)> =
            values.iter().filter_map(|&(name, value)| value.map(|value| (name, value))).collect();
        for pair in known.windows(2) {
            let ((below, low), (above, high)) = (pair[0], pair[1]);
            self.check(low <= high, format!("{pointer}/{above}"), || format!("{high}, but {below} is {low}"));
        }
    }

    /// A share or a probability.
    fn share(&mut self, pointer: &str, value: Option<f64>) {
        self.check(value.is_none_or(|value| (0.0..=1.0).contains(&value)), pointer, || {
            format!("{}, but it is from 0 to 1", value.unwrap_or_default())
        });
    }
}

fn sum(parts: &[u64]) -> u128 {
    parts.iter().map(|&part| u128::from(part)).sum()
}

/// A key as it stands in a JSON pointer.
fn token(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
