//! Many contrasts and few blocks: what no bench of so many can show.

use std::fs;
use std::path::{Path, PathBuf};

use analysis::load::{Mixed, Results};
use analysis::too_few_blocks;
use common::plan::Plan;
use common::report::Run;
use common::report::comparison::{Cause, Comparison, ContrastVerdict, Lever};

use crate::support::{
    CPU, PLAN, check_word, compare, contrast, is_async, named, plan, plan_with, runs, scale_cpu, scatter,
};

/// Five cells, one contender.
fn sweep(blocks: u32) -> Plan {
    plan_with(&["workers.count=[1, 4, 28, 100, 500]", &format!("repeat.blocks={blocks}")])
}

/// Async needs half of the CPU, in every block.
fn half(plan: &Plan) -> Vec<Run> {
    runs(plan, |run| scale_cpu(run, scatter(run, 0.01) * if is_async(run) { 0.5 } else { 1.0 }))
}

/// Seven blocks that agree have p = 2 / 2^7 in each of five cells, and 5 times that is above 0.05.
#[test]
fn blocks_that_can_show_nothing_are_not_called_noise() {
    let few = compare(&sweep(7), half(&sweep(7)));
    assert_eq!((few.family, few.blocks_min), (5, 8));
    check_word(&few, CPU, ContrastVerdict::Unknown, Some(Cause::FewBlocks));
    let shown = contrast(&few, CPU);
    assert!(shown.noise_floor.is_some() && shown.detectable.is_none(), "nothing is detectable: {shown:#?}");
    assert_eq!((shown.blocks_needed_better, shown.blocks_needed_same), (Some(8), Some(8)));
    insta::assert_snapshot!(shown.reason, @"7 blocks cannot show a difference here: adjusted for 5 contrasts p can be no less than 0.078; at least 8 blocks a cell are needed");
    insta::assert_snapshot!(few.answer.sentence, @"cannot tell async and threads apart in CPU per task in any of the 5 cells (smallest adjusted p = 0.078, 7 blocks a cell): 7 blocks cannot show a difference here: adjusted for 5 contrasts p can be no less than 0.078; at least 8 blocks a cell are needed; both kept up in every block");
    let blocks = few.answer.would_change.iter().find(|change| change.lever == Lever::Blocks).unwrap();
    assert_eq!(blocks.figure, Some(8.0), "{blocks:?}");
    let text = analysis::tables::terminal(&few);
    assert!(text.contains("scouting: ") && !text.contains("noise"), "{text}");
    // Of secondary metrics, each by itself, a word is possible.
    let workers = common::plan::Metric::WorkersCpuUsPerTask;
    check_word(&few, workers, ContrastVerdict::Better, None);

    let enough = compare(&sweep(8), half(&sweep(8)));
    let words = |comparison: &Comparison| {
        let primary = comparison.cells.iter().flat_map(|cell| &cell.contrasts).filter(|contrast| contrast.primary);
        primary.map(|contrast| contrast.verdict).collect::<Vec<_>>()
    };
    assert_eq!(words(&enough), [ContrastVerdict::Better; 5]);
    assert!(!analysis::tables::terminal(&enough).contains("scouting: "));
}

#[test]
fn an_extension_is_for_cells_with_too_few_blocks_as_well() {
    let plan = plan_with(&["workers.count=[1, 4, 28, 100, 500]", "repeat.blocks=8", "repeat.extend_to=16"]);
    let undecided =
        |runs: Vec<Run>| analysis::undecided(&Results::new(plan.clone(), named(runs), Mixed::Refused).unwrap());
    assert_eq!(undecided(half(&plan)), [0, 1, 2, 3, 4], "p is at least 5 x 2 / 2^8, and 0.03 is asked");
}

#[test]
fn a_plan_with_too_few_blocks_is_told_so_before_it_is_run() {
    let told = |plan: &Plan| too_few_blocks(plan);
    insta::assert_snapshot!(told(&sweep(6)).unwrap(), @"repeat.blocks = 6: no difference can be shown, however large; that takes 8 or more, because p is adjusted for 5 cells (workers.count) x 1 contender. This bench scouts; for verdicts: --set repeat.blocks=10, or fewer cells");
    insta::assert_snapshot!(told(&plan_with(&["repeat.blocks=2"])).unwrap(), @"repeat.blocks = 2: no difference can be shown, however large; that takes 6 or more. This bench scouts; for verdicts: --set repeat.blocks=10");
    let far = "redis.rtt_us=[0, 200, 1200, 5000, 50000]";
    let extended = |to: &str| plan_with(&["workers.count=[1, 4, 28, 100, 500]", far, "repeat.blocks=8", to]);
    insta::assert_snapshot!(told(&extended("repeat.extend_to=10")).unwrap(), @"repeat.extend_to = 10: no difference can be shown, however large; that takes 11 or more, because p is adjusted for 25 cells (redis.rtt_us, workers.count) x 1 contender. This bench scouts; for verdicts: --set repeat.extend_to=12, or fewer cells");
    for enough in [sweep(8), plan(PLAN), plan_with(&["repeat.blocks=6"]), extended("repeat.extend_to=12")] {
        assert_eq!(told(&enough), None);
    }
    let single = plan(PLAN.split("[[variant]]\nname = \"async\"").next().unwrap());
    assert_eq!(told(&single), None, "nothing is compared");
}

fn plans() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plans")
}

/// But for those that say in their comments that they scout, and the recorded runs, which are about who keeps up.
#[test]
fn the_shipped_plans_have_enough_blocks_for_a_verdict() {
    let mut scouts = Vec::new();
    for entry in fs::read_dir(plans()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let mut read = |file: &str| fs::read_to_string(plans().join(file)).map_err(|error| error.to_string());
        let plan = Plan::parse_with(&fs::read_to_string(&path).unwrap(), &[], &mut read).unwrap();
        if plan.published.is_empty() && too_few_blocks(&plan).is_some() {
            scouts.push(plan.name);
        }
    }
    scouts.sort();
    assert_eq!(scouts, ["floor", "smoke"]);
}
