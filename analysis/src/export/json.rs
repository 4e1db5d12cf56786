//! `comparison.json`, and other reports.

use serde::Serialize;

/// The report as indented JSON with a newline at the end.
///
/// # Errors
/// Never for a report made by this crate.
pub fn bytes(report: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(report)?;
    bytes.push(b'\n');
    Ok(bytes)
}
