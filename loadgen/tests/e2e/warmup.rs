//! How long a plan's variants take to become steady is looked for.

use common::report::warmup::Warmup;

use crate::support::{Invocation, loadgen};

/// Both settle well before the middle of the probe, or the machine is so busy that they do not: either way the file says what was
/// seen, and the last line and the exit code agree with it.
#[test]
fn a_probe_says_what_the_warm_up_has_to_be() {
    let site = tempfile::tempdir().unwrap();
    let plan = site.path().join("plan.toml");
    let text = r#"
        name = "probe"
        [task]
        kind = "document"
        list_max = 3
        payload_kb = 0.1
        [load]
        rate_per_s = 100
        duration_s = 1
        warmup_s = 30
        [workers]
        count = [1, 2]
        [[variant]]
        name = "threads"
        engine = "threaded"
        [[variant]]
        name = "async"
        engine = "async"
    "#;
    std::fs::write(&plan, text).unwrap();
    let finished = loadgen(&format!("warmup {} --cell 1 --probe-s 3 --set workers.backlog_max=10000", plan.display()));
    assert!(finished.code.is_some_and(|code| [0, 5].contains(&code)), "{finished}");
    let found: Warmup = serde_json::from_slice(&std::fs::read(finished.out().join("warmup.json")).unwrap()).unwrap();
    assert_eq!((found.plan.as_str(), found.cell, found.planned_s, found.probe_s), ("probe", 1, 30.0, 3.0));
    assert_eq!(found.parameters["workers.count"], 2);
    let names: Vec<&str> = found.variants.iter().map(|probe| probe.variant.name.as_str()).collect();
    assert_eq!(names, ["threads", "async"]);
    for probe in &found.variants {
        assert!((10..=12).contains(&probe.service_us.len()), "{probe:?}");
        assert!(probe.service_us.iter().all(|&us| us > 1.0), "{probe:?}");
        let (first, last) = (probe.segments[0], probe.segments[probe.segments.len() - 1]);
        assert_eq!((first.from_s, last.to_s), (0.0, probe.service_us.len() as f64 / 4.0));
    }
    match found.needed_s {
        Some(needed_s) => {
            assert!(needed_s <= 1.5);
            assert_eq!(finished.code, Some(0), "{}", finished.stderr);
            assert!(finished.stdout.contains("load.warmup_s = 30 is enough"), "{}", finished.stdout);
        }
        None => {
            assert!(found.variants.iter().any(|probe| probe.steady_from_s.is_none()));
            assert_eq!(finished.code, Some(5), "{}", finished.stderr);
            assert!(finished.stdout.contains("not steady within half of 3 s"), "{}", finished.stdout);
        }
    }
}

#[test]
fn plans_without_a_steady_state_are_refused() {
    let plans = concat!(env!("CARGO_MANIFEST_DIR"), "/../plans");
    for (line, expected) in [
        ("flash-sale.toml", "load.arrivals have no steady state: their rate changes by plan; use poisson or constant"),
        (
            "default.toml --set load.rate_per_s=10",
            "load.rate_per_s = 10: 2.5 tasks in a quarter of a second are too few",
        ),
        ("default.toml --cell 7", "--cell 7: the plan has 1 cells, counted from 0"),
        ("nowhere.toml", "nowhere.toml: No such file"),
    ] {
        let finished = Invocation::new(&format!("warmup {plans}/{line}")).start().finish();
        assert_eq!(finished.code, Some(2), "{line}");
        assert!(finished.stderr.contains(expected), "{line}: {}", finished.stderr);
    }
}
