//! `comparison.json`.

use common::report::comparison::Comparison;

/// The comparison as indented JSON with a newline at the end.
///
/// # Errors
/// Never for a comparison made by this crate.
pub fn bytes(comparison: &Comparison) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(comparison)?;
    bytes.push(b'\n');
    Ok(bytes)
}
