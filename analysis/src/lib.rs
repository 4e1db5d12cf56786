//! Compares the runs of a bench: reads a results directory, applies the recipe of `docs/method.md`, writes
//! `comparison.json`, `comparison.md`, `report.html` and `runs.csv`.
//!
//! [`compare()`] reads and computes, [`write()`] writes, [`tables::terminal`] prints, [`show::text`] prints one run.

use std::path::Path;

use common::report::comparison::Comparison;

pub mod aa;
mod beside;
mod blocks;
pub mod cache;
pub mod chart;
mod claims;
mod compare;
mod contrast;
mod controls;
pub mod diff;
mod drawing;
pub mod escape;
pub mod export;
mod format;
mod keeps_up;
pub mod load;
pub mod metric;
pub mod predict;
mod queue;
mod recommend;
pub mod show;
pub mod size;
pub mod stats;
mod steady;
pub mod tables;
pub mod validate;
pub mod warmup;

pub use compare::{comparison, too_few_blocks, undecided};
pub use export::write;

/// Reads the results in `dir` (`plan.toml`, `runs/*.json`, and `aa.json` where there is one) and compares their variants.
///
/// # Errors
/// The first file that cannot be read or, unless `mixed` lets it through, does not belong to the others.
pub fn compare(dir: &Path, mixed: load::Mixed) -> Result<(load::Results, Comparison), load::LoadError> {
    let results = load::directory(dir, mixed)?;
    let aa = aa::store::beside(dir, &results)?;
    let comparison = comparison(&results, aa.as_ref());
    Ok((results, comparison))
}
