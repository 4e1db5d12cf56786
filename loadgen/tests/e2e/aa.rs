//! A/A: a variant against itself, what is kept of it, and what a later bench knows of it.

use std::fs;
use std::path::Path;

use analysis::aa::store;
use common::plan::{Engine, Plan};
use common::report::SCHEMA_VERSION;
use common::report::aa::{AaBench, AaKind, AaStore};
use common::report::comparison::Comparison;
use loadgen::redis_server::{self, Environment};

use crate::support::{Finished, Invocation};

/// Two variants, six blocks: the fewest of which there is a word.
const PLAN: &str = r#"name = "tiny"
question = "does A/A work?"
[task]
kind = "null"
[load]
rate_per_s = 40
duration_s = 0.2
warmup_s = 0
drain_s = 60
seed = 5
[workers]
count = 2
[slo]
drain_within_s = 60
[repeat]
blocks = 6
[[variant]]
name = "threads"
engine = "threaded"
[[variant]]
name = "async"
engine = "async"
"#;

/// Loadgen with a cache of its own, and with the server that it would find without one.
fn with_cache(cache: &Path, line: &str) -> Finished {
    let server = redis_server::find(&Environment::from_process(), &mut |_| ()).unwrap();
    Invocation::new(line)
        .file("p.toml", PLAN)
        .env("XDG_CACHE_HOME", cache.to_str().unwrap())
        .env("REDIS_SERVER_BIN", server.path.to_str().unwrap())
        .start()
        .finish()
}

fn comparison(finished: &Finished) -> Comparison {
    serde_json::from_slice(&fs::read(finished.out().join("comparison.json")).unwrap()).unwrap()
}

#[test]
fn a_variant_against_itself_is_kept_for_the_verdicts_to_come() {
    let cache = tempfile::tempdir().unwrap();
    let finished = with_cache(cache.path(), "bench p.toml --aa=async");
    let plan = Plan::parse(&fs::read_to_string(finished.out().join("plan.toml")).unwrap(), &[]).unwrap();
    assert!(plan.is_against_itself() && plan.name == "tiny-async", "{finished}");
    assert!(finished.runs.iter().all(|run| run.variant.engine == Engine::Async), "{finished}");
    let compared = comparison(&finished);
    assert!(compared.aa && compared.answer.variant.is_none(), "{finished}");
    assert!(compared.answer.sentence.starts_with("A/A, CPU per task of async-b against async-a: "), "{finished}");
    let path = store::path(&cache.path().join("headroom"), &compared.host.fingerprint);
    // On a machine that is busy with other things blocks may stay void, and such a bench is not kept.
    if !compared.complete {
        assert!(finished.stdout.contains("A/A: not kept"), "{finished}");
        assert!(!path.exists());
        return;
    }
    assert!(
        finished.stdout.contains(&format!("A/A: kept for the verdicts of this host: {}", path.display())),
        "{finished}"
    );
    let known = store::read(&path).unwrap();
    assert_eq!((known.benches.len(), known.benches[0].blocks), (1, 6));
    assert_eq!(known.benches[0].plan_hash, plan.hash);
    assert_eq!(known.benches[0].metrics["cpu_us_per_task"].log_ratios.len(), 6);
    assert!(!finished.out().join(store::NAME).exists(), "it is judged as if nothing were known");

    let later = with_cache(cache.path(), "bench p.toml --set repeat.blocks=1");
    assert_eq!(store::read(&later.out().join(store::NAME)).unwrap(), known, "{later}");
    let compared = comparison(&later);
    assert!(
        !compared.aa && compared.cells[0].contrasts.iter().all(|contrast| !contrast.calibrated),
        "nothing of threads: {later}"
    );
}

/// Of a series those are left out that this host has had: here all of them.
#[test]
fn a_series_goes_on_where_it_was_stopped() {
    let cache = tempfile::tempdir().unwrap();
    let line = "run --engine async --task null --workers 1 --rate 20 --duration 0.1 --warmup 0";
    let host = with_cache(cache.path(), line).run().host.fingerprint.clone();
    let plans = loadgen::aa::plans(&Plan::parse(PLAN, &[]).unwrap(), None, 2).unwrap();
    let had = plans.iter().map(|plan| AaBench {
        plan: plan.name.clone(),
        plan_hash: plan.hash.clone(),
        cell: 0,
        started_at: "2026-11-26T00:00:00Z".to_owned(),
        headroom: env!("CARGO_PKG_VERSION").to_owned(),
        scheduling: "of any kind".to_owned(),
        variant: plan.baseline.clone(),
        engine: plan.variants[0].engine,
        task: plan.cells[0].settings.task.kind,
        duration_s: 0.2,
        warmup_s: 0.0,
        blocks: 6,
        metrics: [].into(),
    });
    let known =
        AaStore { kind: AaKind::Aa, schema_version: SCHEMA_VERSION, host: host.clone(), benches: had.collect() };
    let path = store::path(&cache.path().join("headroom"), &host);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    store::write(&path, &known).unwrap();
    let finished = with_cache(cache.path(), "bench p.toml --aa --benches 2");
    assert_eq!((finished.code, finished.runs.len()), (Some(0), 0), "{finished}");
    for line in
        ["A/A bench 1/2: tiny-threads, which this host has had", "A/A bench 2/2: tiny-async, which this host has had"]
    {
        assert!(finished.stderr.contains(line), "{finished}");
    }
}

#[test]
fn an_aa_of_no_variant_is_refused() {
    let finished = Invocation::new("bench p.toml --aa=fibers").file("p.toml", PLAN).start().finish();
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{finished}");
    assert!(finished.stderr.contains("--aa = \"fibers\": one of threads, async"), "{finished}");
    let finished = Invocation::new("bench p.toml --benches 2").file("p.toml", PLAN).start().finish();
    assert_eq!(finished.code, Some(2), "{finished}");
}
