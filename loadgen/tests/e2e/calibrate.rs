//! What generator and transport can do is measured, kept, and held against plans.

use std::fs;
use std::path::Path;

use common::report::calibration::Calibration;
use loadgen::redis_server::{self, Environment};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Finished, Invocation};

const RUN: &str = "run --engine async --task null --workers 2 --duration 0.5 --warmup 0";

/// Loadgen with a cache of its own: what this host really can do is of no matter.
fn with_cache(cache: &Path, line: &str) -> Finished {
    in_cache(Invocation::new(line), cache).start().finish()
}

/// Keeps what it finds of the host there, and not in the user's own cache.
pub fn in_cache(invocation: Invocation, cache: &Path) -> Invocation {
    let server = redis_server::find(&Environment::from_process(), &mut |_| ()).unwrap();
    invocation.env("XDG_CACHE_HOME", cache.to_str().unwrap()).env("REDIS_SERVER_BIN", server.path.to_str().unwrap())
}

/// A cache in which this host is known to send `ceiling_per_s` tasks a second to async workers.
fn calibrated(cache: &TempDir, fingerprint: &str, ceiling_per_s: f64) {
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let hosts = cache.path().join("headroom/hosts");
    fs::create_dir_all(&hosts).unwrap();
    let ceiling = json!({
        "engine": "async", "ceiling_per_s": ceiling_per_s, "at_least": false, "at": [], "measured_at": "2026-11-25T12:00:00Z", "build": "another",
        "scheduling": "another", "pacer_priority": "normal",
    });
    let known = json!({ "ceilings": { "async": ceiling } });
    fs::write(hosts.join(format!("{fingerprint}-{build}.json")), known.to_string()).unwrap();
}

#[test]
fn plans_above_half_of_the_ceiling_are_refused_unless_forced() {
    let cache = tempfile::tempdir().unwrap();
    let unknown = with_cache(cache.path(), &format!("{RUN} --rate 150"));
    assert!(unknown.stderr.contains("no ceiling: "), "{unknown}");
    assert_eq!((&unknown.run().host.calibration, unknown.run().forced.len()), (&None, 0));

    calibrated(&cache, &unknown.run().host.fingerprint, 200.0);
    let refused = with_cache(cache.path(), &format!("{RUN} --rate 150"));
    assert_eq!(refused.code, Some(2), "{refused}");
    for words in ["load.rate_per_s = 150", "200 tasks a second", "at most 100", "--force"] {
        assert!(refused.stderr.contains(words), "no {words:?} in {refused}");
    }
    assert_eq!(refused.runs.len(), 0, "{refused}");

    let forced = with_cache(cache.path(), &format!("{RUN} --rate 150 --force"));
    assert!(forced.run().forced[0].contains("load.rate_per_s = 150"), "{forced}");
    assert!(forced.stdout.contains("FORCED: load.rate_per_s = 150"), "{forced}");

    let allowed = with_cache(cache.path(), &format!("{RUN} --rate 100"));
    let run = allowed.run();
    assert_eq!(run.forced.len(), 0, "{allowed}");
    assert_eq!(run.host.calibration.as_ref().map(|ceiling| ceiling.ceiling_per_s), Some(200.0));
    assert!(allowed.stderr.contains("calibrated with scheduling \"another\""), "{allowed}");
}

#[test]
fn what_calibrate_finds_is_written_and_kept() {
    let cache = tempfile::tempdir().unwrap();
    let finished = with_cache(
        cache.path(),
        "calibrate --engine async --max-rate 200 --trial-s 0.5 --rates 100 --pin none --force",
    );
    let bytes = fs::read(finished.out().join("calibration.json")).unwrap();
    let calibration: Calibration = serde_json::from_slice(&bytes).unwrap();
    let [engine] = calibration.engines.as_slice() else { panic!("{finished}") };
    assert!(!engine.trials.is_empty(), "{finished}");
    // On a machine that is busy with other things it may be that nothing passes, which is said and not kept.
    match &engine.ceiling {
        Some(ceiling) => {
            assert_eq!((finished.code, ceiling.ceiling_per_s), (Some(0), 200.0), "{finished}");
            assert!(finished.stdout.contains("async engine: at least 200 tasks a second"), "{finished}");
            let run = with_cache(cache.path(), &format!("{RUN} --rate 10"));
            assert_eq!(run.run().host.calibration.as_ref(), Some(ceiling), "{run}");
        }
        None => assert_eq!(finished.code, Some(5), "{finished}"),
    }
}
