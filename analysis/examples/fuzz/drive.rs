//! Everything that `analysis` does with the reports of a results directory, from memory.

use std::path::{Path, PathBuf};

use analysis::load::{self, Mixed, Results};
use analysis::validate::Schemas;
use analysis::{comparison, diff, export, show, size, tables};
use common::plan::Plan;
use common::report::Run;
use common::report::size::SizeDemand;
use rand::{Rng, RngExt};
use serde_json::Value;

use crate::mutate::{apply, changes, scramble};

/// A bench: its plan and the reports of its runs.
pub struct Bench {
    pub plan: Plan,
    pub runs: Vec<Value>,
}

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A changed report was refused.
    Refused,
    /// All were read, and refused as a whole.
    Mixed,
    /// They were compared.
    Compared,
}

/// The texts of the reports after changes: of one of them, of a few, or of all alike; now and then by byte.
pub fn changed(rng: &mut impl Rng, bench: &Bench) -> Vec<Vec<u8>> {
    let changes = changes(rng);
    // One of so many is changed.
    let share: f64 = *[1.0, 0.5, 1.0 / bench.runs.len() as f64].get(rng.random_range(0..3)).unwrap_or(&1.0);
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for run in &bench.runs {
        let mut run = run.clone();
        if rng.random_bool(share) {
            changes.iter().for_each(|change| apply(change, &mut run));
        }
        texts.push(run.to_string().into_bytes());
    }
    if rng.random_bool(0.1) {
        let one = rng.random_range(0..texts.len());
        texts[one] = scramble(rng, &String::from_utf8_lossy(&texts[one]));
    }
    texts
}

/// Reads, compares, prints and exports. Panics where a promise is broken.
pub fn drive(bench: &Bench, schemas: &Schemas, texts: &[Vec<u8>]) -> Fate {
    let mut runs: Vec<(PathBuf, Run)> = Vec::new();
    let (mut refused, mut all_valid) = (false, true);
    for (i, bytes) in texts.iter().enumerate() {
        let path = PathBuf::from(format!("{i}.json"));
        let Ok(text) = std::str::from_utf8(bytes) else {
            refused = true;
            continue;
        };
        // What is valid can be read.
        let valid = schemas.check(&path, text).is_ok_and(|report| report.violations.is_empty());
        all_valid &= valid;
        match load::run_of(&path, text) {
            Ok(run) => {
                harmless(&show::text(&run));
                runs.push((path, run));
            }
            Err(error) => {
                assert!(!valid, "valid, and cannot be read: {error}");
                harmless(&analysis::escape::line(&error.to_string()));
                refused = true;
            }
        }
    }
    let Ok(results) = Results::new(bench.plan.clone(), runs, Mixed::Forced) else {
        return if refused { Fate::Refused } else { Fate::Mixed };
    };
    let compared = comparison(&results, None);
    harmless(&tables::terminal(&compared));
    harmless(&String::from_utf8_lossy(&export::markdown::bytes(&compared)));
    harmless(&String::from_utf8_lossy(&export::csv::bytes(results.runs()).expect("runs have a CSV")));
    let json = export::json::bytes(&compared).expect("a comparison has JSON");
    sound(schemas, "comparison.json", &json, all_valid);
    export::html::bytes(&compared, &json).expect("a comparison has a page");
    let demand = SizeDemand {
        rate_per_s: 60.0,
        burst_s: Some(60.0),
        drain_within_s: Some(300.0),
        price_per_month: Some(5.0),
        utilisation_max: size::UTILISATION_MAX,
    };
    let sized = size::size(&results, demand);
    harmless(&size::text(&sized));
    sound(schemas, "size.json", &export::json::bytes(&sized).expect("a size has JSON"), all_valid);
    // Half of the blocks against the other half, and against the bench as it was.
    let untouched = bench.runs.iter().enumerate().filter_map(|(i, run)| {
        let run: Run = serde_json::from_value(run.clone()).ok()?;
        Some((PathBuf::from(format!("{i}.json")), run))
    });
    if let Ok(before) = Results::new(bench.plan.clone(), untouched.collect(), Mixed::Forced)
        && let Ok(diff) = diff::diff(&before, &results, Mixed::Forced)
    {
        harmless(&diff::terminal(&diff));
        sound(schemas, "diff.json", &export::json::bytes(&diff).expect("a diff has JSON"), all_valid);
    }
    if refused { Fate::Refused } else { Fate::Compared }
}

/// Nothing that a terminal would obey.
fn harmless(text: &str) {
    let obeyed = text.chars().find(|&c| c.is_control() && c != '\n');
    assert_eq!(obeyed, None, "in {text:?}");
}

/// Whatever is written can be read; of runs that add up it is what its schema says, and adds up.
fn sound(schemas: &Schemas, name: &str, bytes: &[u8], of_valid: bool) {
    let text = String::from_utf8_lossy(bytes);
    let report = schemas.check(Path::new(name), &text).unwrap_or_else(|error| panic!("{error}"));
    assert!(!of_valid || report.violations.is_empty(), "{name}: {:#?}", report.violations);
}
