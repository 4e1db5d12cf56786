//! How fast this host computes: measured once, kept per host and build.
//!
//! A plan speaks of microseconds of CPU and a task does a number of rounds, so that the work is the same whatever the
//! clock does meanwhile. What a round takes depends on the processor alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use analysis::export;
use common::compute::Work;
use serde_json::json;

use crate::redis_server::Environment;

/// Rounds of one measurement: some milliseconds.
const ROUNDS: u64 = 2_000_000;
/// Measurements; the fastest counts, for everything else that happens makes them slower.
const TIMES: u32 = 20;

/// Rounds of [`Work`] in a microsecond of this host, from the cache or measured now.
#[must_use]
pub fn rounds_per_us(fingerprint: &str) -> f64 {
    let path = Environment::from_process().cache_dir.map(|cache| path(&cache, fingerprint));
    if let Some(known) = path.as_deref().and_then(read) {
        return known;
    }
    let measured = measure();
    // A cache that cannot be written costs another measurement next time.
    let _ = path.map(|path| write(&path, measured));
    measured
}

/// Of this host, and of programs that are optimised as this one: a round takes three times as long where they are not.
fn path(cache: &Path, fingerprint: &str) -> PathBuf {
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    cache.join("hosts").join(format!("{fingerprint}-{build}.json"))
}

fn read(path: &Path) -> Option<f64> {
    let host: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    host["compute_rounds_per_us"].as_f64().filter(|rounds| *rounds > 0.0)
}

fn write(path: &Path, rounds_per_us: f64) -> std::io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    export::replace(path, format!("{}\n", json!({ "compute_rounds_per_us": rounds_per_us })).as_bytes())
}

fn measure() -> f64 {
    let fastest = (0..TIMES)
        .map(|seed| {
            let begun = Instant::now();
            std::hint::black_box(Work { seed: u64::from(seed), rounds: ROUNDS }.run());
            begun.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    ROUNDS as f64 / (fastest * 1e6)
}

#[cfg(test)]
mod tests {
    use super::{path, read, write};

    #[test]
    fn what_is_kept_is_read_again_and_nonsense_is_measured_anew() {
        let cache = tempfile::tempdir().unwrap();
        let path = path(cache.path(), "0123456789abcdef");
        assert_eq!(read(&path), None);
        write(&path, 412.5).unwrap();
        assert_eq!(read(&path), Some(412.5));
        std::fs::write(&path, "{\"compute_rounds_per_us\": 0}").unwrap();
        assert_eq!(read(&path), None);
        std::fs::write(&path, "?").unwrap();
        assert_eq!(read(&path), None);
    }

    #[test]
    fn a_host_computes() {
        assert!(super::measure() > 0.0);
    }
}
