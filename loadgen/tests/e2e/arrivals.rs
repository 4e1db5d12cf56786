//! Arrivals from the plan to the report: what `loadgen arrivals` shows is what a bench sends, and results hold all that
//! it takes to go on.

use std::fs;

use common::plan::Plan;

use crate::support::Invocation;
use crate::support::runs::assert_conserved;

fn plan(load: &str) -> String {
    format!(
        "name = \"tiny\"\n[task]\nkind = \"null\"\n[load]\n{load}\nwarmup_s = 0.1\ndrain_s = 60\n[workers]\ncount = 2\n\
         backlog_max = 1000\n[slo]\ndrain_within_s = 60\n[repeat]\nblocks = 2\n[[variant]]\nname = \"a\"\nengine = \"async\"\n"
    )
}

#[test]
fn what_is_shown_is_what_a_bench_sends() {
    let ramp = plan("arrivals = \"ramp\"\nrate_per_s = 20\nrate_end_per_s = 180\nduration_s = 0.5");
    let bench = Invocation::new("bench p.toml").file("p.toml", &ramp).start().finish();
    let of_block = |block: u32| {
        let run = bench.runs.iter().find(|run| run.block == block).unwrap();
        assert_conserved(run);
        assert_eq!((run.counts.planned, run.counts.warmup, run.rate_per_s.asked), (50, 2, 100.0));
        run.arrivals_hash.clone()
    };
    let hashes = [of_block(0), of_block(1)];
    assert_ne!(hashes[0], hashes[1], "other arrivals in every block");
    let shown = Invocation::new("arrivals p.toml --block 1").file("p.toml", &ramp).without_out().start().finish();
    assert_eq!(shown.code, Some(0), "{shown}");
    for word in
        ["ramp, Poisson about the rate", "50 in the window of 0.5 s, 2 in the warm-up", "100 /s", hashes[1].as_str()]
    {
        assert!(shown.stdout.contains(word), "no {word:?} in:\n{shown}");
    }
    assert_eq!(shown.files().len(), 1, "{shown}");
    let csv = Invocation::after(shown, "arrivals p.toml --block 1 --csv -").without_out().start().finish();
    assert_eq!((csv.code, csv.stdout.lines().count()), (Some(0), 1 + 52), "{csv}");
}

#[test]
fn results_hold_the_trace_that_they_were_made_from() {
    let text = plan("arrivals = \"trace\"\ntrace = \"t.csv\"\nduration_s = 0.5");
    let trace: String = (0..20).map(|task| format!("{}\n", f64::from(task) * 0.02)).collect();
    let bench = Invocation::new("bench p.toml").file("p.toml", &text).file("t.csv", &trace).start().finish();
    // On a busy machine a block may be void: it is repeated.
    assert!(bench.runs.len() >= 2, "{bench}");
    for run in &bench.runs {
        assert_conserved(run);
        assert_eq!((run.counts.planned, run.counts.warmup), (20, 4));
        assert_eq!(run.plan.settings.load.trace.as_ref().map(|trace| trace.file()), Some("t.csv"));
    }
    let stored = bench.out().join("plan.toml");
    let plan = Plan::parse(&fs::read_to_string(&stored).unwrap(), &[]).unwrap();
    assert_eq!(plan.hash, bench.runs[0].plan_hash);
    let runs = bench.runs.len();
    fs::remove_file(bench.work().join("t.csv")).unwrap();
    let line = format!("bench {} --resume", stored.display());
    let resumed = Invocation::after(bench, &line).start().finish();
    assert!(matches!(resumed.code, Some(0 | 4)) && resumed.runs.len() >= runs, "{resumed}");
    assert!(resumed.runs.iter().all(|run| run.plan_hash == plan.hash && run.counts.planned == 20), "{resumed}");
}
