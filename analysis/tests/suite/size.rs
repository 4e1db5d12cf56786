//! `analysis size`: dynos for a load, from what runs measured.

use analysis::load::{Mixed, Results};
use analysis::size::{UTILISATION_MAX, burst_s, size, text};
use common::latency::Latency;
use common::plan::Plan;
use common::report::size::{Size, SizeDemand, SizeOption};
use common::report::{Depth, DepthAt, Phase, QueueReport, Run, RunResult, Second};

use crate::cli::{analysis, path, results_with, stderr, stdout};
use crate::support::{distribution, invalidate, named, plan, queue, run, runs};

/// A flash sale, ten times as fast: five permits of 300 ms, 600 orders a second for six seconds.
const SALE: &str = r#"
name = "sale"
[task]
kind = "order"
[load]
arrivals = "burst"
rate_per_s = 0
burst_rate_per_s = 600
burst_from_s = 0
burst_to_s = 6
duration_s = 60
warmup_s = 0
[workers]
count = 100
[repeat]
blocks = 6
[[variant]]
name = "async"
engine = "async"
"#;

fn demand() -> SizeDemand {
    SizeDemand {
        rate_per_s: 60.0,
        burst_s: burst_s(&plan(SALE)),
        drain_within_s: Some(300.0),
        price_per_month: Some(5.0),
        utilisation_max: UTILISATION_MAX,
    }
}

fn sized(change: impl FnMut(&mut Run)) -> Size {
    sized_of(&plan(SALE), runs(&plan(SALE), change), demand())
}

fn sized_of(plan: &Plan, runs: Vec<Run>, demand: SizeDemand) -> Size {
    size(&Results::new(plan.clone(), named(runs), Mixed::Refused).unwrap(), demand)
}

/// A minute with always something to do, in which `per_third` tasks of 300 ms are done every three seconds.
fn busy(run: &mut Run, per_third: u64) {
    run.queue = Some(queue());
    run.latency_us.service.mean = Some(300_000.0);
    let second = run.timeline[0].clone();
    let at = |t: u32| Second {
        t_s: f64::from(t),
        backlog: 3_000,
        completed: (per_third + u64::from(t % 3)) / 3,
        ..second.clone()
    };
    run.timeline = (1..=60).map(at).collect();
}

/// Orders that waited twelve times as long for a permit as they were paid.
fn reckoned(run: &mut Run) {
    run.latency_us.service.mean = Some(3_900_000.0);
    let mut wait = distribution(100, 1.0);
    wait.mean = Some(3_600_000.0);
    run.latency_us.spans.insert("permit_wait".to_owned(), wait);
}

#[track_caller]
fn only(sized: &Size) -> &SizeOption {
    let [option] = sized.options.as_slice() else { panic!("{sized:?}") };
    option
}

fn says(option: &SizeOption, sentence: &str) -> bool {
    option.assumptions.iter().any(|one| one.contains(sentence))
}

/// By the original's clock: 5/3 orders a second of one dyno.
#[test]
fn tasks_that_wait_show_what_a_dyno_can_do() {
    let sized = sized(|run| busy(run, 50));
    let option = only(&sized);
    assert!(option.measured && (option.capacity_per_s.value.unwrap() - 5.0 / 3.0).abs() < 0.001, "{option:?}");
    assert_eq!((option.capacity_per_s.n, option.capacity_per_s.low.is_some()), (6, true), "{option:?}");
    assert_eq!((option.sustain.value, option.sustain.cost_per_month), (40, Some(200.0)));
    assert_eq!((option.drain.unwrap().value, option.drain.unwrap().cost_per_month), (7, Some(35.0)));
    assert_eq!(option.limited_by, "the 5 permits of a dyno");
    let text = text(&sized);
    let title = "sale: dynos for 60 tasks/s, and for a burst of 60 s at that rate, drained within 300 s\n";
    assert!(text.starts_with(title) && text.contains("a payment takes 3 s and took 0.3 s in the runs"), "{text}");
    assert!(text.contains("assumed: to sustain the rate at most 90 % of what dynos can do are used"), "{text}");
    assert!(text.contains("assumed: the burst is drained by dynos that run when it begins, and use all"), "{text}");
    assert!(!text.contains("six runs") && !text.contains("in vain"), "{text}");
}

#[test]
fn otherwise_it_is_reckoned_from_what_a_task_took() {
    let sized = sized(reckoned);
    let option = only(&sized);
    assert!(!option.measured && option.assumptions[0].starts_with("no run had three whole seconds"), "{option:?}");
    assert!((option.capacity_per_s.value.unwrap() - 5.0 / 3.0).abs() < 1e-9, "{option:?}");
    assert!((option.task_s - 3.0).abs() < 1e-9, "{option:?}");
    assert_eq!((option.sustain.value, option.limited_by.as_str()), (40, "the 5 permits of a dyno"));
}

/// Whoever falls behind does what it can, however little its tasks take.
#[test]
fn no_more_is_reckoned_than_was_done_by_a_run_that_fell_behind() {
    let text = "name = \"jobs\"\n[task]\nkind = \"job\"\n[load]\nrate_per_s = 6000\nduration_s = 2\n[workers]\ncount = 10\n[repeat]\n\
                blocks = 6\n[[variant]]\nname = \"async\"\nengine = \"async\"\n";
    let plan = plan(text);
    let of = |result: RunResult, completed: f64, window_s: f64, retries: u64| {
        let fell = |run: &mut Run| {
            run.timeline.clear();
            run.queue = Some(QueueReport { retries, ..queue() });
            run.verdict.result = result;
            // One of six blocks keeps up.
            if run.block == 0 {
                run.verdict.result = RunResult::Ok;
            }
            let slope = Some(6000.0 - completed);
            (run.backlog.slope_per_s, run.backlog.slope_low_per_s) = (slope, slope);
            (run.rate_per_s.sent, run.rate_per_s.completed) = (6000.0, Some(completed));
            run.resources.window_s = window_s;
            run.latency_us.service.mean = Some(10.0);
            run.resources.workers.cpu_us_per_task = Some(10.0);
        };
        let sized = sized_of(&plan, runs(&plan, fell), SizeDemand { burst_s: None, drain_within_s: None, ..demand() });
        let option = only(&sized);
        assert!(!option.measured && option.capacity_per_s.n == 6, "{option:?}");
        option.capacity_per_s.value.unwrap()
    };
    let overloaded = RunResult::Overloaded;
    assert!((of(overloaded, 4300.0, 2.0, 0) - 4300.0).abs() < 1e-9);
    for (result, completed, window_s, retries) in [
        (RunResult::Ok, 4300.0, 2.0, 0),
        (overloaded, 5990.0, 2.0, 0),
        (overloaded, 4300.0, 0.3, 0),
        // These wait to be tried again.
        (overloaded, 5600.0, 2.0, 400),
    ] {
        let per_s = of(result, completed, window_s, retries);
        assert!(per_s > 100_000.0, "{result:?} {completed} {window_s} {retries}: {per_s}");
    }
}

/// An order takes three seconds, whatever is paid for dynos.
#[test]
fn what_no_dyno_can_do_has_no_number() {
    let within = |drain_within_s| {
        let plan = plan(SALE);
        sized_of(&plan, runs(&plan, reckoned), SizeDemand { drain_within_s: Some(drain_within_s), ..demand() })
    };
    let impossible = within(1.0);
    let option = only(&impossible);
    assert!(option.drain.is_none() && option.sustain.value == 40, "{option:?}");
    insta::assert_snapshot!(option.assumptions[0], @"IMPOSSIBLE: to be done within 1 s of the end of the burst, whose last task comes then and takes 3 s");
    assert!(!says(option, "the burst is drained"), "{option:?}");
    let text = text(&impossible);
    assert!(text.contains(" impossible ") && text.contains("assumed: IMPOSSIBLE: "), "{text}");
    // With a second to spare nearly nothing may wait: 3600 in 61 s.
    let possible = within(4.0);
    let option = only(&possible);
    assert!(option.drain.unwrap().value == 36 && !says(option, "IMPOSSIBLE"), "{option:?}");
}

/// Runs of a void block and of one that was repeated are no part of it, as they are none of a comparison.
#[test]
fn what_counts_is_complete_blocks() {
    let text = format!("{SALE}[[variant]]\nname = \"threads\"\nengine = \"threaded\"\n");
    let plan = plan(&text);
    let mut all = runs(&plan, |run| busy(run, 50));
    let stray = |block: u32, attempt: u32| {
        let mut runs = [0, 1].map(|variant| Run { attempt, ..run(&plan, 0, block, variant) });
        runs.iter_mut().for_each(|run| busy(run, 500));
        invalidate(&mut runs[1]);
        runs
    };
    // Block 0 is repeated; the last one never comes to be.
    all.iter_mut().filter(|run| run.block == 0).for_each(|run| run.attempt = 1);
    all.retain(|run| run.block != 5);
    all.extend(stray(0, 0).into_iter().chain(stray(5, 0)));
    let sized = sized_of(&plan, all, demand());
    for option in &sized.options {
        let capacity = option.capacity_per_s;
        assert!(capacity.n == 5 && (capacity.value.unwrap() - 5.0 / 3.0).abs() < 0.001, "{option:?}");
    }
    assert_eq!(sized.options.len(), 2);
    let text = analysis::size::text(&sized);
    assert!(text.contains("who wants to be sure takes the larger; it takes six runs\n"), "{text}");
}

/// Orders held too long are paid twice, and were done once.
#[test]
fn what_was_done_in_vain_is_no_capacity() {
    let in_vain = |share: u64| {
        sized(|run| {
            busy(run, 50);
            run.latency_us.service.mean = Some(300_000.0);
            run.counts.completed = 1_000 - 10 * share;
            run.queue = Some(QueueReport { duplicates: 500, duplicates_in_window: 10 * share, ..queue() });
        })
    };
    let (once, quarter) = (in_vain(0), in_vain(25));
    let (once, option) = (only(&once), only(&quarter));
    // Untimed tasks that were run again stand in no second, and so say nothing of these.
    assert!((once.capacity_per_s.value.unwrap() - 5.0 / 3.0).abs() < 0.001 && !says(once, "in vain"), "{once:?}");
    assert!((option.capacity_per_s.value.unwrap() - 0.75 * 5.0 / 3.0).abs() < 0.001, "{option:?}");
    // It takes permits all the same: a third more dynos leave about as many of them free as before.
    assert!(option.sustain.value >= 53 && option.wait_ms.unwrap() > once.wait_ms.unwrap() / 4.0, "{once:?} {option:?}");
    assert!(says(option, "in vain as in the runs, 25 % of their work"), "{option:?}");
}

/// A run ends before it has come to those that were put back.
#[test]
fn what_was_put_back_is_not_passed_over() {
    let sized = sized(|run| {
        busy(run, 50);
        run.queue = Some(QueueReport { claimed: 400, redeliveries: 100, ..queue() });
    });
    let sentence = "NOT TRUE: every task is done once: of what was claimed in the runs 25 % was held longer than queue.visibility_timeout_s \
                    = 30";
    assert!(says(only(&sized), sentence), "{sized:?}");
}

/// Seconds of a drain that was cut off: what the dynos did in them may come too late to be counted, or all at once.
#[test]
fn a_drain_says_nothing_by_seconds() {
    let sized = sized(|run| {
        busy(run, 50);
        for (second, completed) in run.timeline.iter_mut().rev().zip([70, 0, 0]) {
            (second.phase, second.completed) = (Phase::Drain, completed);
        }
    });
    let capacity = only(&sized).capacity_per_s.value.unwrap();
    assert!((capacity - 5.0 / 3.0).abs() < 0.005, "{sized:?}");
}

/// One run that was slow, or unlike the others, moves no mean wait: time at a task and how it varies are medians, as capacity is.
#[test]
fn waits_come_from_all_runs() {
    let text = SALE.replace("kind = \"order\"", "kind = \"job\"").replace("count = 100", "count = 1");
    let plan = plan(&text);
    // Half of the tasks take 10 ms, the others 30: Cs2 = 1/4.
    let usual = [10_000_000, 30_000_000];
    let of = |odd_block: Option<u32>| {
        let mut all = runs(&plan, |run| {
            let services = if odd_block == Some(run.block) { [1_000_000, 999_000_000] } else { usual };
            let mut service = Latency::new();
            (0..1_000).for_each(|task: usize| service.record(services[task % 2]));
            run.latency_us.service = service.distribution(0);
        });
        all.iter_mut().for_each(|run| run.resources.workers.cpu_us_per_task = Some(10.0));
        sized_of(&plan, all, SizeDemand { burst_s: None, drain_within_s: None, ..demand() })
    };
    let sized = of(None);
    let option = only(&sized);
    // 50 a second of one worker; 1.2 erlangs at two of them.
    assert_eq!((option.sustain.value, option.workers), (2, 1));
    let (task_s, cs2, wait_ms) = (option.task_s, option.cs2.unwrap(), option.wait_ms.unwrap());
    assert!((task_s - 0.02).abs() < 1e-4 && (cs2 - 0.25).abs() < 0.001, "{option:?}");
    // M/M/2 waits rho^2 / (1 - rho^2) services; with Cs2 = 1/4 five eighths of that.
    assert!((wait_ms - 0.36 / 0.64 * 20.0 * 0.625).abs() < 0.05, "{option:?}");
    assert!(
        says(option, "tasks come by chance (Poisson, Ca2 = 1)")
            && says(option, "services vary as they did in the runs"),
        "{option:?}"
    );
    assert!(!says(option, "burst"), "{option:?}");
    for odd_block in [0, 3] {
        assert_eq!(only(&of(Some(odd_block))).wait_ms, Some(wait_ms), "block {odd_block}");
    }
    let permits = self::sized(reckoned);
    assert_eq!(only(&permits).cs2, Some(0.0));
    assert!(says(only(&permits), "what holds one is a pause, which does not vary (Cs2 = 0)"), "{permits:?}");
}

/// A job is one operation: no clock sees it, and CPU is all that it takes.
#[test]
fn jobs_that_take_no_time_take_cpu() {
    let plan = plan(&SALE.replace("kind = \"order\"", "kind = \"job\""));
    let all = runs(&plan, |run| run.latency_us.service = distribution(1_000, 0.0));
    let sized = sized_of(&plan, all, SizeDemand { burst_s: None, drain_within_s: None, ..demand() });
    let option = only(&sized);
    // Two CPUs, 150 us a task.
    assert!((option.capacity_per_s.value.unwrap() - 2e6 / 150.0).abs() < 1e-6 && !option.measured, "{option:?}");
    assert_eq!((option.limited_by.as_str(), option.task_s, option.wait_ms), ("its CPU", 0.0, None), "{option:?}");
}

/// CPU of a task is that of all tasks over those that were not in vain; what workers do is the one and the other.
#[test]
fn what_was_done_in_vain_is_taken_off_once() {
    let plan = plan(&SALE.replace("kind = \"order\"", "kind = \"job\""));
    let of = |service_us: f64, share: u64| {
        let all = runs(&plan, |run| {
            run.latency_us.service.mean = Some(service_us);
            run.counts.completed = 1_000 - 10 * share;
            run.queue = Some(QueueReport { duplicates_in_window: 10 * share, ..queue() });
        });
        let sized = sized_of(&plan, all, SizeDemand { burst_s: None, drain_within_s: None, ..demand() });
        let option = only(&sized);
        (option.capacity_per_s.value.unwrap().round(), option.limited_by.clone())
    };
    // Two CPUs, 150 us a task; a hundred workers.
    assert_eq!(of(0.0, 0), (13_333.0, "its CPU".to_owned()));
    assert_eq!(of(0.0, 25), (13_333.0, "its CPU".to_owned()));
    assert_eq!(of(6_250.0, 0), (13_333.0, "its CPU".to_owned()));
    assert_eq!(of(6_250.0, 25), (12_000.0, "its workers".to_owned()));
}

/// There may be few permits, and something else that leaves half of them free.
#[test]
fn permits_limit_who_has_none_left() {
    let limited_by = |per_third: u64, in_vain: u64| {
        let sized = sized(|run| {
            busy(run, per_third);
            run.counts.completed = 1_000 - in_vain;
            run.queue = Some(QueueReport { duplicates_in_window: in_vain, ..queue() });
        });
        only(&sized).limited_by.clone()
    };
    assert_eq!([limited_by(50, 0), limited_by(50, 500)], ["the 5 permits of a dyno"; 2]);
    assert_eq!([limited_by(25, 0), limited_by(25, 500)], ["server CPU"; 2]);
}

/// Slots that are all taken while hardly any is at work: what a dyno lacks is the next claim, whatever else is busy.
#[test]
fn slots_that_wait_for_their_claims_are_told_from_busy_ones() {
    let plan = plan(&SALE.replace("kind = \"order\"", "kind = \"job\"").replace("count = 100", "count = 10"));
    let limited_by = |in_flight: u64, service_us: f64| {
        let depth = Depth { visible: 3_000, in_flight, ..Depth::default() };
        let all = runs(&plan, |run| {
            busy(run, 3_000);
            let depth = (0..600).map(|tenth| DepthAt { t_s: f64::from(tenth) / 10.0, depth }).collect();
            run.queue = Some(QueueReport { depth, ..queue() });
            run.latency_us.service.mean = Some(service_us);
        });
        only(&sized_of(&plan, all, demand())).limited_by.clone()
    };
    assert_eq!(limited_by(10, 0.0), "the way to the queue");
    // At 1000 a second ten of them are busy for 9 ms of 10.
    assert_eq!([limited_by(10, 9_000.0), limited_by(5, 0.0)], ["server CPU"; 2]);
}

/// Half of the payments took 10 ms less than 0.3 s, the others as much more: of three seconds that is a three hundredth.
#[test]
fn what_varies_beside_a_pause_is_not_scaled_with_it() {
    let plan = plan(&SALE.replace("count = 100", "count = 5"));
    let all = runs(&plan, |run| {
        let mut service = Latency::new();
        (0..1_000).for_each(|task| service.record(if task % 2 == 0 { 290_000_000 } else { 310_000_000 }));
        run.latency_us.service = service.distribution(0);
    });
    let sized = sized_of(&plan, all, demand());
    let option = only(&sized);
    assert!((option.task_s - 3.0).abs() < 0.001, "{option:?}");
    assert!((option.cs2.unwrap().sqrt() * 300.0 - 1.0).abs() < 0.02, "{option:?}");
}

#[test]
fn a_drain_needs_a_burst_and_what_is_printed_is_valid() {
    let dir = results_with(|_| {});
    let asked = ["size", path(dir.path()), "--target-rate", "1000", "--drain-within", "5m"];
    assert!(stderr(&analysis(&asked).code(2)).contains("--burst-for"));
    let all = [&asked[..], &["--burst-for", "90s", "--json"][..]].concat();
    let file = dir.path().join("size.json");
    std::fs::write(&file, stdout(&analysis(&all).success())).unwrap();
    let told = stdout(&analysis(&["validate", path(&file)]).success());
    assert_eq!(told, format!("{}: a valid size\n", file.display()));
}
