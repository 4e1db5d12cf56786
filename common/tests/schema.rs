//! The JSON Schemas in `docs/schema/` are those of the types, and what the types write is valid by them.

#![recursion_limit = "512"] // `json!` takes a run apart token by token
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and this one reads files; the crate does not"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use common::plan::Metric;
use common::report::Run;
use common::report::aa::AaStore;
use common::report::calibration::Calibration;
use common::report::comparison::Comparison;
use common::report::diff::Diff;
use common::report::search::Search;
use common::report::size::Size;
use common::report::warmup::Warmup;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const UPDATE: &str = "UPDATE_SCHEMAS";

/// The schema of what is written: keys that are always there are required, even where a reader would do without.
fn schema<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../docs/schema", name].iter().collect()
}

/// `docs/schema/<name>` is the schema of `T`, byte for byte.
#[track_caller]
fn check_committed<T: JsonSchema>(name: &str) {
    let text = format!("{}\n", serde_json::to_string_pretty(&schema::<T>()).unwrap());
    let path = path(name);
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/schema/{name} is not the schema of the types. If the change is meant: is SCHEMA_VERSION to be raised, does \
         docs/report.md say it? Then: {UPDATE}=1 cargo test -p common --test schema"
    );
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    check_committed::<Run>("run.schema.json");
    check_committed::<Comparison>("comparison.schema.json");
    check_committed::<Calibration>("calibration.schema.json");
    check_committed::<Warmup>("warmup.schema.json");
    check_committed::<Diff>("diff.schema.json");
    check_committed::<Search>("search.schema.json");
    check_committed::<Size>("size.schema.json");
    check_committed::<AaStore>("aa.schema.json");
}

/// Names of all properties in a schema, at any depth.
fn properties(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(keys) => {
            if let Some(Value::Object(properties)) = keys.get("properties") {
                names.extend(properties.keys().cloned());
            }
            keys.values().for_each(|value| properties(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| properties(value, names)),
        _ => {}
    }
}

#[test]
fn every_field_is_explained() {
    let document = fs::read_to_string(path("../report.md")).unwrap();
    let words: BTreeSet<&str> =
        document.split('`').flat_map(|text| text.split('.')).filter(|word| !word.contains(' ')).collect();
    let mut names = BTreeSet::new();
    properties(schema::<Run>().as_value(), &mut names);
    properties(schema::<Comparison>().as_value(), &mut names);
    properties(schema::<Calibration>().as_value(), &mut names);
    properties(schema::<Warmup>().as_value(), &mut names);
    properties(schema::<Diff>().as_value(), &mut names);
    properties(schema::<Search>().as_value(), &mut names);
    properties(schema::<Size>().as_value(), &mut names);
    properties(schema::<AaStore>().as_value(), &mut names);
    let missing: Vec<&String> = names.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/report.md does not explain {missing:?}");
}

#[test]
fn every_metric_is_explained() {
    let document = fs::read_to_string(path("../report.md")).unwrap();
    let (_, table) = document.split_once("| metric | unit | derived from a run as |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let named: BTreeSet<&str> = table.split('`').collect();
    let missing: Vec<&str> = Metric::ALL.map(Metric::name).into_iter().filter(|name| !named.contains(name)).collect();
    assert!(missing.is_empty(), "docs/report.md does not explain the metrics {missing:?}");
}

/// `value` is what `T` writes, and its schema accepts it; without any one of its keys it does not.
#[track_caller]
fn check_valid<T: JsonSchema + Serialize + DeserializeOwned>(value: &Value) {
    let typed: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&typed).unwrap(), value, "what is read is not what is written");
    let validator = jsonschema::validator_for(schema::<T>().as_value()).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    for key in value.as_object().unwrap().keys() {
        let mut without = value.clone();
        without.as_object_mut().unwrap().remove(key);
        assert!(!validator.is_valid(&without), "valid without {key}");
    }
    let mut other = value.clone();
    other["kind"] = json!("other");
    assert!(!validator.is_valid(&other), "valid with kind \"other\"");
}

#[test]
fn a_run_is_valid() {
    check_valid::<Run>(&run());
}

#[test]
fn a_comparison_is_valid() {
    check_valid::<Comparison>(&comparison());
}

#[test]
fn a_calibration_is_valid() {
    check_valid::<Calibration>(&calibration());
}

#[test]
fn a_warm_up_is_valid() {
    check_valid::<Warmup>(&warmup());
}

#[test]
fn a_search_is_valid() {
    check_valid::<Search>(&search());
}

#[test]
fn a_size_is_valid() {
    check_valid::<Size>(&size());
}

#[test]
fn a_diff_is_valid() {
    check_valid::<Diff>(&diff());
}

#[test]
fn a_store_of_aa_results_is_valid() {
    check_valid::<AaStore>(&aa_store());
}

fn search() -> Value {
    let estimate = json!({"value": 1000.0, "low": null, "high": null, "n": 1});
    let trial = json!({
        "search": 0, "rate_per_s": 1000.0, "duration_s": 2.0, "result": "invalid", "passed": null, "reason": "failed checks: on time",
    });
    let at_least = json!({
        "end": "at-least", "lower_per_s": 985.0, "upper_per_s": null, "inversions": 0, "reason": "above half of the ceiling",
    });
    json!({
        "kind": "search", "schema_version": 1, "plan": "t", "plan_hash": "0123456789abcdef", "host": host(), "trial_s": 2.0, "step": 1.03,
        "searches": 1,
        "cells": [{
            "index": 0, "parameters": {"workers.count": 1},
            "variants": [{
                "variant": variant(), "rate_per_s": estimate, "at_least_per_s": null,
                "found": [{"end": "bracketed", "lower_per_s": 985.0, "upper_per_s": 1015.0, "inversions": 0, "reason": ""}, at_least],
                "trials": [trial], "confirmation": [], "confirmed": null, "bottleneck": "server-cpu",
            }],
            "contrasts": [{
                "baseline": "threads", "contender": "async", "ratio": {"value": 1.1, "low": null, "high": null}, "p_value": null, "n": 1,
            }],
        }],
        "enough": [{
            "variant": "threads", "key": "workers.count", "value": 1, "rate_per_s": 1000.0, "most_tried": false, "best_value": 2,
            "best_per_s": 1010.0, "because": null,
        }],
    })
}

fn size() -> Value {
    let dynos = json!({"value": 2, "low": 1, "high": 3, "cost_per_month": null});
    json!({
        "kind": "size", "schema_version": 1, "plan": "t", "host_fingerprint": "0123456789abcdef",
        "demand": {
            "rate_per_s": 60.0, "burst_s": 60.0, "drain_within_s": 300.0, "price_per_month": 5.0, "utilisation_max": 0.9,
        },
        "options": [{
            "variant": "threads", "parameters": {}, "workers": 5,
            "capacity_per_s": {"value": 1.6, "low": null, "high": null, "n": 3}, "measured": true, "limited_by": "its workers",
            "sustain": dynos, "drain": null, "task_s": 3.0, "wait_ms": null, "cs2": null, "server_per_s": 5000.0,
            "assumptions": ["the server bears it"],
        }],
    })
}

fn variant() -> Value {
    json!({
        "name": "threads", "engine": "threaded", "executor": "dedicated", "connections": "own", "client": "blocking",
        "pool_size": null, "checkout": null, "pool_threads": null, "stack_kib": 256, "cpu_placement": null, "allocator": "mimalloc",
    })
}

fn host() -> Value {
    json!({
        "fingerprint": "0123456789abcdef", "cpu_model": "a CPU", "cpus": 2, "memory_bytes": 1, "kernel": "6.18",
        "arch": "x86_64", "load_average_start": 0.5, "load_average_end": 0.5, "idle": "haltpoll/haltpoll", "frequency": null, "mhz_start": 2596.1, "mhz_end": null, "scheduling": "shared",
        "placement": [{"process": "loadgen", "cpus": "0-1", "group": null, "weight": null, "cpu_quota": null, "memory_limit_bytes": null}],
        "pacer_priority": "normal", "huge_pages": "off", "compute_rounds_per_us": null, "calibration": null,
    })
}

fn redis_server() -> Value {
    json!({
        "product": "redis", "version": "7.0.15", "allocator": "jemalloc-5.2.1", "io_threads": null,
        "maxmemory_bytes": 0, "maxmemory_policy": "noeviction", "private": true, "origin": "path", "keys_start": 0,
        "keys_end": 4, "used_memory_start_bytes": 1, "used_memory_end_bytes": 2, "evicted_keys": null,
    })
}

fn dyno() -> Value {
    json!({
        "label": "performance-l scaled 1:4", "class": "performance-l", "limit": "cpuset", "vcpus_asked": 8, "vcpus": 2.0,
        "scale": 4.0, "cpus_shared": true, "memory_asked_bytes": 1, "memory_limit_bytes": null,
    })
}

fn counts() -> Value {
    json!({
        "planned": 1, "sent": 1, "missed": 0, "completed": 1, "rejected": 0,
        "failed": {"timeout": 0, "disconnected": 0, "server_error": 0, "pool_timeout": 0}, "unfinished": 0, "warmup": 0,
    })
}

fn versions() -> Value {
    json!({"headroom": "0.1.0", "workers": "workers-threaded 0.1.0", "loadgen": "loadgen 0.1.0"})
}

fn plan() -> Value {
    json!({
        "name": "t",
        "question": "",
        "task": {"kind": "document", "list_max": 1, "payload_kb": 5.0, "prefill": true, "redis_round_trips": 1, "cpu_us": 0.0, "sleep_ms": 0.0, "permits": null, "fail_share": 0.0, "time_scale": 0.1},
        "load": {
            "rate_per_s": 1.0, "arrivals": "poisson", "duration_s": 1.0, "warmup_s": 0.0, "drain_s": 10.0, "seed": 1,
        },
        "workers": {
            "count": 1, "dynos": 1, "backlog_max": 100, "choice": "random", "order": "lifo", "on_overload": "stop",
        },
        "dyno": {"class": "performance-l", "vcpus": 8, "memory_mb": 14336, "limit": "cpuset"},
        "slo": {"response_p99_ms": null, "drain_within_s": 1.0},
        "redis": {"connect_timeout_s": 1.0, "response_timeout_s": 5.0, "checkout_timeout_s": 5.0, "rtt_us": 1200, "jitter_us": 0},
    })
}

fn pacing() -> Value {
    json!({
        "windows": 100, "windows_within": 1.0, "dispersion_10ms": {"planned": 1.0, "sent": 1.0},
        "dispersion_100ms": {"planned": null, "sent": null},
    })
}

fn exceedances() -> Value {
    let spread = json!({"bins": 3, "clusters": 2});
    let tails = json!({"p50": spread, "p90": spread, "p99": spread, "p99_9": null});
    json!({
        "window_bins": 20, "queue_wait": tails, "pool_wait": tails, "service": tails, "response": tails,
        "response_from_send": tails,
    })
}

fn queue(latency: &Value) -> Value {
    let depth = json!({"visible": 1, "in_flight": 2, "delayed": 3, "dead": 4});
    json!({
        "enqueue_us": latency, "reconnects": 0, "sent_again": 0, "claims": 2, "empty_claims": 1, "claimed": 1, "retries": 0, "redeliveries": 0, "duplicates": 0, "duplicates_in_window": 0,
        "dead": 4, "foreign": 0, "peak": depth,
        "depth": [{"t_s": -0.5, "visible": 1, "in_flight": 2, "delayed": 3, "dead": 4}],
        "left": {"visible": null, "in_flight": 0, "delayed": 0, "dead": 4, "duplicates": 0},
        "results": {"expected": 1, "right": 1, "wrong": 0, "missing": 0, "sum": 1.5, "sum_expected": 1.5},
    })
}

fn queue_summary() -> Value {
    let estimate = json!({"value": 1.5, "low": null, "high": null, "n": 1});
    json!({
        "enqueue_p50_us": estimate, "enqueue_p99_us": estimate, "pick_up_p50_us": estimate, "pick_up_p99_us": estimate,
        "tasks_per_claim": estimate, "empty_claims_share": estimate, "commands_per_task": estimate, "peak_visible": estimate,
        "peak_in_flight": estimate, "drain_ms": estimate, "retries": 0, "redeliveries": 0, "duplicates": 0, "dead": 0, "foreign": 0,
        "results_expected": 1, "results_right": null,
    })
}

/// The smallest run: one task, nothing optional measured.
fn run() -> Value {
    let latency = json!({
        "n": 1, "unbounded": 0, "mean": 1.5, "p50": 1.5, "p90": 1.5, "p99": 1.5, "p99_9": 1.5, "max": 1.5, "hdr_v2": "",
    });
    let usage = json!({
        "cpu_user_s": null, "cpu_sys_s": null, "cpu_us_per_task": null, "rss_max_bytes": null, "threads": null,
        "voluntary_switches": null, "involuntary_switches": null, "sockets": null,
    });
    json!({
        "kind": "run",
        "schema_version": 1,
        "plan": plan(),
        "forced": [],
        "handicap_us": 2.5,
        "plan_hash": "0123456789abcdef",
        "arrivals_hash": "0123456789abcdef",
        "cell": {"index": 0, "parameters": {}},
        "block": 0,
        "position": 0,
        "attempt": 0,
        "variant": variant(),
        "started_at": "2026-11-23T12:00:00Z",
        "versions": versions(),
        "host": host(),
        "clocks": [{"dyno": 0, "offset_us": -1.5, "uncertainty_us": 0.5, "drift_us": null}],
        "redis_server": redis_server(),
        "dyno": dyno(),
        "ended": {"how": "dyno-lost", "dyno": 0, "at_s": 0.5, "status": null},
        "counts": counts(),
        "rate_per_s": {"asked": 1.0, "sent": 1.0, "completed": 1.0},
        "latency_us": {
            "lateness": latency, "batch_wait": null, "queue_wait": latency, "pool_wait": latency, "service": latency,
            "response": latency, "response_from_send": latency, "spans": {"fetch": latency},
        },
        "exceedances": exceedances(),
        "pacing": pacing(),
        "backlog": {
            "max": 1, "limit": 100, "max_work_s": null, "total_max": 1, "slope_per_s": null, "slope_low_per_s": null,
            "slope_high_per_s": null, "drain_ms": null,
            "overload": {"at_s": -0.5, "dyno": 0, "worker": null, "backlog": 100},
        },
        "little": {"looks": 550, "in_system": 1.0, "standard_error": 0.1, "rate_times_time": 1.0, "ends": 0.1},
        "steady": {"first_third_p50_us": 1.0, "last_third_p50_us": 1.0},
        "workers": {"count": 1, "dynos": 1, "cycles": [1], "backlog_max": [1], "busy_ns": [1500]},
        "startup": {"server_ms": 1.0, "prefill_ms": 1.0, "dynos_ms": 1.0, "untimed_ms": 1.0, "memory": {"base_bytes": 1, "idle_bytes": 3, "bytes_per_worker": 2.0}},
        "resources": {"window_s": 1.0, "tasks": 1, "workers": usage, "redis": usage, "loadgen": usage, "proxy": null, "throttling": {"periods": 0, "throttled_us": 0}},
        "machine": {
            "priority": "fifo-1", "busy_s": 1.0, "others_share": 0.01, "steal_s": null,
            "cpus": [{
                "cpu": 0, "ticks": 1000, "late_ms": 0.0, "worst_ms": 0.1, "yardstick_us": 40.0, "yardstick_shift": 1.0,
            }],
        },
        "redis_work": {
            "tasks": 1, "commands_per_task": {"get": 1.0}, "command_us_per_task": {"get": 0.5},
            "bytes_in_per_task": null, "bytes_out_per_task": null, "request_errors": {}, "reconnects": 0,
        },
        "queue": queue(&latency),
        "network": {
            "asked_rtt_us": 1200, "jitter_us": 0, "priority": "normal", "direct_us": latency, "through_us": latency,
            "added_us": null, "passed_on": {"pieces": 2, "bytes": 1, "connections": 1, "queue_max": 1, "lateness_us": latency},
        },
        "timeline": [{
            "t_s": 1.0, "phase": "window", "sent": 1, "completed": 1, "failed": 0, "backlog": 0, "response_p50_us": null,
            "response_p90_us": null, "response_p99_us": null, "response_max_us": null, "service_p50_us": null,
        }],
        "pressure": [{"resource": "server-cpu", "share": 0.5}],
        "validity": {
            "valid": true,
            "checks": [{
                "name": "on time", "ok": true, "severity": "invalid", "value": 1.0, "limit": 0.99, "remedy": "",
            }],
        },
        "verdict": {"result": "ok", "reason": "all 1 tasks completed", "remedy": "", "bottleneck": {"resource": "server-cpu", "share": 0.5}},
    })
}

fn ceiling() -> Value {
    json!({
        "engine": "async", "ceiling_per_s": 1.0, "at_least": false, "measured_at": "2026-11-25T12:00:00Z", "build": "loadgen 0.1.0",
        "scheduling": "shared", "pacer_priority": "normal",
        "at": [{
            "rate_per_s": 1.0, "lateness_p50_us": 1.5, "lateness_p90_us": 1.5, "lateness_p99_us": 1.5, "lateness_max_us": 1.5,
            "cpu_us_per_task": null,
        }],
    })
}

/// The smallest calibration: one engine, one trial.
fn calibration() -> Value {
    json!({
        "kind": "calibration",
        "schema_version": 1,
        "host": host(),
        "workers": 4,
        "trial_s": 2.0,
        "engines": [{
            "engine": "async",
            "ceiling": ceiling(),
            "trials": [{
                "purpose": "search", "rate_per_s": 1.0, "passed": true, "reason": "", "lateness_p99_us": null,
                "cpu_us_per_task": null,
            }],
        }],
    })
}

/// The smallest probe of a warm-up: one variant.
fn warmup() -> Value {
    json!({
        "kind": "warmup", "schema_version": 1, "plan": "t", "plan_hash": "0123456789abcdef", "cell": 0, "parameters": {},
        "host": host(), "planned_s": 1.0, "probe_s": 0.5, "needed_s": null,
        "variants": [{
            "variant": variant(), "result": "ok", "service_us": [250.5, 251.5],
            "segments": [{"from_s": 0.0, "to_s": 0.5, "mean_us": 251.0}], "steady_from_s": null,
        }],
    })
}

/// The smallest diff that has one of everything.
fn diff() -> Value {
    let side = json!({
        "plan_hash": "0123456789abcdef", "started_first": "2026-11-25T12:00:00Z", "started_last": "2026-11-25T12:02:00Z",
        "versions": versions(), "host": host(), "redis_server": redis_server(),
    });
    let estimate = json!({"value": 300.0, "low": null, "high": null, "n": 4});
    let ratio = json!({"value": 1.0, "low": null, "high": null});
    let runs = json!({"ok": 4, "overloaded": 0, "invalid": 0, "inconclusive": 0});
    json!({
        "kind": "diff",
        "schema_version": 1,
        "plan": "t",
        "question": "",
        "primary": "cpu_us_per_task",
        "margin": 0.03,
        "alpha": 0.05,
        "forced": [],
        "old": side,
        "new": side,
        "yardstick": {"old": estimate, "new": estimate, "ratio": ratio, "p_value": 1.0},
        "caveats": ["not made side by side"],
        "cells": [{
            "index": 0,
            "parameters": {"load.rate_per_s": 100},
            "variants": [{
                "variant": "threads",
                "runs_old": runs,
                "runs_new": runs,
                "kept_up": {
                    "ok_old": 4, "n_old": 4, "ok_new": 4, "n_new": 4, "p_value": 1.0, "p_adjusted": 1.0,
                    "verdict": "unknown",
                },
                "changes": [{
                    "metric": "cpu_us_per_task", "primary": true, "old": estimate, "new": estimate, "ratio": ratio,
                    "p_value": null, "p_adjusted": null, "p_same": null, "p_same_adjusted": null, "noise_floor": null,
                    "detectable": null, "verdict": "unknown", "cause": "few-blocks", "reason": "3 old runs",
                }],
            }],
            "relative": [{
                "metric": "cpu_us_per_task", "baseline": "threads", "contender": "async", "old": ratio, "new": ratio,
                "change": ratio, "p_value": 1.0,
            }],
        }],
        "regression": false,
    })
}

fn contrast() -> Value {
    json!({
        "metric": "cpu_us_per_task", "primary": true, "baseline": "threads", "contender": "async",
        "ratio": {"value": 1.0, "low": null, "high": null}, "p_value": null, "p_adjusted": null, "p_same": null,
        "p_same_adjusted": null, "noise_floor": null, "detectable": null, "blocks_needed_better": null,
        "blocks_needed_same": null, "order_effect": {"value": 0.0, "low": null, "high": null}, "n": 1,
        "calibrated": true,
        "aa": {"benches": 1, "blocks": 10, "ratio": {"value": 1.0, "low": 0.99, "high": 1.01}, "noise_floor": null}, "verdict": "unknown", "cause": "few-blocks", "reason": "1 block",
    })
}

/// One A/A bench in which one metric was measured.
fn aa_store() -> Value {
    json!({
        "kind": "aa",
        "schema_version": 1,
        "host": "0123456789abcdef",
        "benches": [{
            "plan": "t-async", "plan_hash": "0123456789abcdef", "cell": 0, "started_at": "2026-11-23T12:00:00Z",
            "headroom": "0.1.0", "scheduling": "shared", "variant": "async", "engine": "async", "task": "document",
            "duration_s": 2.0, "warmup_s": 0.5, "blocks": 1,
            "metrics": {"cpu_us_per_task": {
                "primary": true, "alarm": false, "ratio": {"value": 1.0, "low": null, "high": null}, "p_value": 1.0,
                "noise_floor": null, "log_ratios": [0.0],
            }},
        }],
    })
}

fn prediction() -> Value {
    json!({
        "block": 0, "utilisation": 0.5,
        "models": [{
            "model": "simulation", "assumes": "little", "reason": "",
            "figures": {"queue_wait_mean_us": {"predicted": 1.0, "measured": 2.0, "residual": -0.5}},
        }, {"model": "common-queue", "assumes": "much", "figures": null, "reason": "overloaded"}],
        "bounds": {
            "at_most_per_s": 1000.0, "bound_by": "server-cpu", "completed_per_s": 500.0, "used": 0.5, "assumes": "little",
            "resources": [{"resource": "server-cpu", "units": 1.0, "demand_us": 1000.0, "at_most_per_s": 1000.0}],
        },
        "finding": "",
    })
}

fn scalability() -> Value {
    let coefficient = json!({"value": 0.1, "low": 0.0, "high": null});
    json!({
        "parameters": {"redis.rtt_us": 200}, "variant": "threads",
        "points": [{
            "workers": 1, "runs": 2, "limited": 1, "completed_per_s": 100.0, "predicted_per_s": 101.0, "residual": 0.01,
        }],
        "law": {
            "lambda_per_s": coefficient, "sigma": coefficient, "kappa": coefficient, "peak_workers": null,
            "peak_per_s": null, "runs": 4,
        },
        "reason": "",
    })
}

fn cost_line() -> Value {
    let estimate = json!({"value": 0.1, "low": null, "high": null, "n": 4});
    json!({
        "parameters": {"redis.rtt_us": 200}, "variant": "threads", "process": "workers",
        "points": [{
            "rate_per_s": 0.0, "runs": 4, "overloaded": 0, "cpu_us_per_s": estimate, "predicted_cpu_us_per_s": 0.1,
            "residual": estimate,
        }],
        "line": {"idle_cpu_us_per_s": estimate, "cpu_us_per_task": estimate},
        "reason": "", "finding": "",
    })
}

/// The smallest comparison that has one of everything.
fn answer() -> Value {
    json!({
        "sentence": "cannot tell",
        "kind": "unknown",
        "variant": null,
        "tied": [],
        "certainty": {
            "level": "none", "cell": 0, "metric": "cpu_us_per_task", "baseline": "threads", "contender": "async", "p": null,
            "interval": {"value": 1.1, "low": null, "high": null}, "blocks": 1, "adjusted": false, "calibrated": false,
        },
        "held": [{"variant": "threads", "cells": [0], "sentence": "threads kept up"}],
        "headroom": [{
            "variant": "threads", "parameters": {"workers.count": 28}, "asked_per_s": 100.0, "held_per_s": null, "factor": null,
            "failed_per_s": 100.0, "failed_runs_ok": 0, "failed_runs": 1, "failed_runs_overloaded": 1, "others_share": 0.02,
            "runs_ok": 0, "runs": 1,
            "estimate": {"factor": 2.2, "resource": "server-cpu", "share": 0.4, "machine_share": null}, "sentence": "did not hold",
        }],
        "limited_by": [{"variant": "threads", "resource": "server-cpu", "share": 0.97, "runs": 1, "of": 1}],
        "would_change": [{"lever": "blocks", "variant": "async", "sentence": "more blocks", "figure": 12.0}],
        "doubts": ["incomplete"],
        "notes": ["uncalibrated"],
    })
}

fn comparison() -> Value {
    json!({
        "kind": "comparison",
        "schema_version": 1,
        "plan": "t",
        "question": "",
        "plan_hash": "0123456789abcdef",
        "primary": "cpu_us_per_task",
        "margin": 0.03,
        "alpha": 0.05,
        "level": 0.95,
        "looks": 1,
        "family": 1,
        "blocks_min": 6,
        "blocks_planned": 10,
        "extend_to": null,
        "extended": false,
        "complete": false,
        "forced": [],
        "aa": false,
        "host": host(), "ceilings": [ceiling()],
        "redis_server": redis_server(),
        "versions": versions(),
        "answer": answer(),
        "cells": [{
            "index": 0,
            "parameters": {"load.rate_per_s": 100},
            "dyno": dyno(),
            "distance": {"asked_rtt_us": 1200, "jitter_us": 0, "added_us": 1230.5},
            "look": 1,
            "blocks_planned": 10,
            "blocks": 1,
            "blocks_void": 0,
            "variants": [{
                "variant": variant(),
                "runs": {"ok": 1, "overloaded": 0, "invalid": 0, "inconclusive": 0},
                "counts": counts(),
                "steady": {"n": 6, "ratio": {"value": 1.0, "low": 0.9, "high": 1.1}, "state": "unknown"},
                "checks_failed": {"lateness": 1},
                "metrics": {"cpu_us_per_task": {"value": 300.0, "low": null, "high": null, "n": 1}},
                "response_curve": {"n": 90, "unbounded": 1, "points": [{"percentile": 50.0, "us": 900.0, "beyond": 45}]},
                "timeline": {
                    "step_s": 1,
                    "moments": [{
                        "t_s": 1.0, "phase": "window", "sent_per_s": {"median": 90.0, "low": 90.0, "high": 90.0, "n": 1},
                        "completed_per_s": null, "backlog": null, "visible": null, "in_flight": null, "response_p50_us": null, "response_p99_us": null
                    }]
                },
                "prediction": prediction(),
                "queue": queue_summary(),
            }],
            "contrasts": [contrast()],
            "controls": [contrast()],
            "keeps_up": [{
                "baseline": "threads", "contender": "async", "only_baseline": 0, "only_contender": 0, "p_value": 1.0,
            }],
            "recommendation": answer(),
        }],
        "scalability": [scalability()],
        "cost_lines": [cost_line()],
        "published": [{
            "source": "x", "dyno": null, "workers": 5, "cpus": null, "result": "success", "sent": 1, "completed": 1, "uptime_s": 1.0,
            "real_per_s": null, "drain_min": null, "peak": null, "task_ms": null, "fetch_ms": null, "save_ms": null, "ping_ms": null,
        }],
        "claims": [{
            "source": "x", "workers": 5, "figure": "real_per_s", "claimed": 1.83, "allowed": 1.6666, "cell": 0,
            "measured": [{"variant": "threads", "value": null}],
            "word": "impossible", "reason": "5 at once, 3 s each, are at most 1.667 a second",
        }],
        "checks": [{"name": "on time", "severity": "invalid", "runs": 2, "failed": 1, "remedy": "lower the rate"}],
        "plan_toml": "name = \"t\"\n",
    })
}
