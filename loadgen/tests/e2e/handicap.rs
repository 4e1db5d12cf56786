//! A variant that is slower on purpose: it computes more, every report says so, and a resumed bench keeps to it.

use common::report::Run;

use crate::support::runs::assert_conserved;
use crate::support::{Finished, Invocation};

/// The same variant twice, one block of half a second.
const PLAN: &str = r#"name = "tiny"
[task]
kind = "synthetic"
payload_kb = 0.1
cpu_us = 50
[load]
rate_per_s = 20
duration_s = 0.5
warmup_s = 0.1
drain_s = 60
[workers]
count = 4
backlog_max = 1000
[slo]
drain_within_s = 60
[repeat]
blocks = 2
[[variant]]
name = "plain"
engine = "threaded"
connections = "own"
[[variant]]
name = "slow"
engine = "threaded"
connections = "own"
"#;

fn bench(flags: &str) -> Invocation {
    Invocation::new(&format!("bench p.toml {flags}")).file("p.toml", PLAN)
}

fn runs_of<'a>(finished: &'a Finished, variant: &str) -> Vec<&'a Run> {
    finished.runs.iter().filter(|run| run.variant.name == variant).collect()
}

#[test]
fn it_computes_more_and_every_report_says_so() {
    let finished = bench("--handicap slow=5000").start().finish();
    let (plain, slow) = (runs_of(&finished, "plain"), runs_of(&finished, "slow"));
    assert!(plain.len() >= 2 && slow.len() >= 2, "{finished}");
    for run in plain.iter().chain(&slow) {
        assert_conserved(run);
        assert_eq!(run.plan.settings.task.cpu_us, 50.0, "the plan stays what it is");
        assert!(run.forced.iter().any(|sentence| sentence.contains("--handicap")), "{:?}", run.forced);
        let exceedances = run.exceedances.unwrap();
        assert_eq!(exceedances.window_bins, 10);
        let response = exceedances.response.p50.unwrap();
        assert!((1..=11).contains(&response.bins) && response.clusters <= response.bins, "{response:?}");
    }
    assert!(
        plain.iter().all(|run| run.handicap_us.is_none()) && slow.iter().all(|run| run.handicap_us == Some(5000.0))
    );
    // A hundred times the rounds: whatever else the machine does, they take longer than these.
    let least =
        |runs: &[&Run]| runs.iter().filter_map(|run| run.latency_us.spans["compute"].p50).fold(f64::INFINITY, f64::min);
    assert!(least(&slow) > 5.0 * least(&plain), "{} and {}", least(&slow), least(&plain));
    assert!(finished.stdout.contains("FORCED: variant \"slow\" burns 5000 us"), "{finished}");

    let resumed = Invocation::after(finished, "bench p.toml --resume").start().finish();
    assert_eq!(resumed.code, Some(2), "{resumed}");
    assert!(resumed.stderr.contains("repeat --handicap of that bench"), "{resumed}");
}

#[test]
fn what_cannot_be_made_slower_is_refused() {
    for (flags, words) in [
        ("--handicap fast=5", ["--handicap fast=5: no such variant", "plain, slow"].as_slice()),
        ("--handicap slow", &["NAME=US"]),
        ("--handicap slow=0", &["more than 0"]),
        ("--handicap slow=5 --set task.kind=\"document\" --set task.cpu_us=", &["--handicap slow=5: task.kind"]),
    ] {
        let finished = bench(flags).without_out().start().finish();
        assert_eq!(finished.code, Some(2), "{finished}");
        for word in words {
            assert!(finished.stderr.contains(word), "no {word:?} in:\n{finished}");
        }
        assert!(!finished.work().join("results").exists(), "{finished}");
    }
}
