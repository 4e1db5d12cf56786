//! What is known of this host, kept per host and build: how fast it computes, and how much generator and transport can do.
//!
//! A plan speaks of microseconds of CPU and a task does a number of rounds, so that the work is the same whatever the
//! clock does meanwhile. What a round takes depends on the processor alone. It is measured when it is first needed; the
//! ceilings are measured by `loadgen calibrate`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use analysis::{cache, export};
use common::compute::Work;
use common::plan::Engine;
use common::report::Ceiling;
use serde_json::{Map, Value, json};

use crate::redis_server::Environment;

/// Rounds of one measurement: some milliseconds.
const ROUNDS: u64 = 2_000_000;
/// Measurements; the fastest counts, for everything else that happens makes them slower.
const TIMES: u32 = 20;

const COMPUTE: &str = "compute_rounds_per_us";
const CEILINGS: &str = "ceilings";

/// The file about one host, and about programs that are optimised as this one: a debug build has another.
#[derive(Debug, Clone)]
pub struct HostFile {
    /// `None` when there is no cache directory.
    path: Option<PathBuf>,
}

impl HostFile {
    /// Of the host with this fingerprint.
    #[must_use]
    pub fn of(fingerprint: &str) -> HostFile {
        HostFile {
            path: Environment::from_process().cache_dir.map(|cache| cache::host_file(&cache, fingerprint, ".json")),
        }
    }

    /// Rounds of [`Work`] in a microsecond, as kept or measured now.
    #[must_use]
    pub fn rounds_per_us(&self) -> f64 {
        if let Some(known) = self.read().get(COMPUTE).and_then(Value::as_f64).filter(|rounds| *rounds > 0.0) {
            return known;
        }
        let measured = measure();
        // A cache that cannot be written costs another measurement next time.
        let _ = self.keep(|known| {
            known.insert(COMPUTE.to_owned(), json!(measured));
        });
        measured
    }

    /// What `loadgen calibrate` has found with this engine.
    #[must_use]
    pub fn ceiling(&self, engine: Engine) -> Option<Ceiling> {
        let known = self.read();
        let ceiling = known.get(CEILINGS)?.get(engine.to_string())?;
        serde_json::from_value(ceiling.clone()).ok().filter(|ceiling: &Ceiling| ceiling.ceiling_per_s > 0.0)
    }

    /// Keeps what was found, in place of what was known of that engine; returns the file.
    ///
    /// # Errors
    /// There is no cache directory, or the file system refuses.
    pub fn keep_ceiling(&self, ceiling: &Ceiling) -> io::Result<&Path> {
        let value = serde_json::to_value(ceiling)?;
        self.keep(|known| {
            let ceilings = known.entry(CEILINGS).or_insert_with(|| json!({}));
            if !ceilings.is_object() {
                *ceilings = json!({});
            }
            ceilings[ceiling.engine.to_string()] = value;
        })
    }

    /// Nothing when there is no such file, or nonsense in it.
    fn read(&self) -> Map<String, Value> {
        let bytes = self.path.as_ref().and_then(|path| fs::read(path).ok()).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Changes what is known and leaves the rest.
    fn keep(&self, change: impl FnOnce(&mut Map<String, Value>)) -> io::Result<&Path> {
        let path = self.path.as_deref().ok_or_else(|| io::Error::other("neither XDG_CACHE_HOME nor HOME is set"))?;
        let mut known = self.read();
        change(&mut known);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let mut json = serde_json::to_vec_pretty(&known)?;
        json.push(b'\n');
        export::replace(path, &json)?;
        Ok(path)
    }
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
    use common::plan::Engine;
    use common::report::Ceiling;
    use tempfile::TempDir;

    use analysis::cache;

    use super::HostFile;

    fn file(text: &str) -> (TempDir, HostFile) {
        let cache = tempfile::tempdir().unwrap();
        let path = cache::host_file(cache.path(), "0123456789abcdef", ".json");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        (cache, HostFile { path: Some(path) })
    }

    fn ceiling(engine: Engine, ceiling_per_s: f64) -> Ceiling {
        Ceiling {
            engine,
            ceiling_per_s,
            at_least: false,
            at: Vec::new(),
            measured_at: "2026-11-25T12:00:00Z".to_owned(),
            build: "a build".to_owned(),
            scheduling: "shared".to_owned(),
            pacer_priority: "normal".to_owned(),
        }
    }

    #[test]
    fn every_figure_is_kept_beside_the_others() {
        let (_cache, file) = file("{\"compute_rounds_per_us\": 412.5, \"of a later version\": 1}");
        assert_eq!(file.ceiling(Engine::Async), None);
        file.keep_ceiling(&ceiling(Engine::Async, 1e5)).unwrap();
        file.keep_ceiling(&ceiling(Engine::Threaded, 5e4)).unwrap();
        file.keep_ceiling(&ceiling(Engine::Async, 2e5)).unwrap();
        assert_eq!(file.ceiling(Engine::Async), Some(ceiling(Engine::Async, 2e5)));
        assert_eq!(file.ceiling(Engine::Threaded), Some(ceiling(Engine::Threaded, 5e4)));
        assert_eq!(file.rounds_per_us(), 412.5);
        assert!(file.read().contains_key("of a later version"));
    }

    #[test]
    fn nonsense_counts_as_nothing_and_is_replaced() {
        for text in ["?", "", "[]", "{\"compute_rounds_per_us\": 0, \"ceilings\": {\"async\": 3}}", "{\"ceilings\": 7}"]
        {
            let (_cache, file) = file(text);
            assert_eq!(file.ceiling(Engine::Async), None, "{text}");
            file.keep_ceiling(&ceiling(Engine::Async, 1e5)).unwrap();
            let measured = file.rounds_per_us();
            assert!(measured > 0.0, "{text}");
            assert_eq!(file.rounds_per_us(), measured, "{text}");
            assert_eq!(file.ceiling(Engine::Async), Some(ceiling(Engine::Async, 1e5)), "{text}");
        }
    }

    #[test]
    fn without_a_cache_nothing_is_known() {
        let file = HostFile { path: None };
        assert_eq!(file.ceiling(Engine::Async), None);
        assert!(file.keep_ceiling(&ceiling(Engine::Async, 1e5)).is_err());
        assert!(file.rounds_per_us() > 0.0);
    }
}
