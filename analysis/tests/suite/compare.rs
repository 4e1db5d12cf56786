//! From runs to words: effects, families, notes, recommendations.

use common::plan::Metric;
use common::report::Run;
use common::report::comparison::{Cause, Contrast, ContrastVerdict};

use crate::support::{
    CPU, PLAN, bench, check_word, compare, contrast, invalidate, is_async, overload, plan, plan_with, runs, scale_cpu,
    scatter,
};

#[test]
fn words_follow_the_effect() {
    for (factor, noise, verdict, cause) in [
        (0.8, 0.03, ContrastVerdict::Better, None),
        (1.25, 0.03, ContrastVerdict::Worse, None),
        (1.0, 0.005, ContrastVerdict::Same, None),
        (1.01, 0.002, ContrastVerdict::Same, None),
        (1.0, 0.2, ContrastVerdict::Unknown, Some(Cause::Noise)),
    ] {
        let comparison = compare(&plan(PLAN), bench(factor, noise));
        check_word(&comparison, CPU, verdict, cause);
        assert!(comparison.complete);
        assert!(comparison.cells[0].contrasts.iter().all(|contrast| !contrast.calibrated));
    }
}

#[test]
fn more_is_better_for_rates_only() {
    let faster = runs(&plan(PLAN), |run| {
        let factor = if is_async(run) { 1.2 } else { 1.0 };
        run.rate_per_s.completed = run.rate_per_s.completed.map(|rate| rate * factor);
    });
    check_word(&compare(&plan(PLAN), faster), Metric::CompletedPerS, ContrastVerdict::Better, None);
}

#[test]
fn numbers_of_a_clear_effect() {
    let contrast = contrast(&compare(&plan(PLAN), bench(0.8, 0.03)), CPU).clone();
    let Contrast { ratio, n, .. } = contrast;
    assert!((ratio.value.unwrap() - 0.8).abs() < 0.02);
    assert!(ratio.low.unwrap() < ratio.value.unwrap() && ratio.value.unwrap() < ratio.high.unwrap());
    assert!(ratio.high.unwrap() < 1.0);
    assert_eq!(n, 10);
    // All ten differences have one sign: 2 / 2^10. One contrast is the whole family.
    assert!((contrast.p_value.unwrap() - 2.0 / 1024.0).abs() < 1e-12);
    assert_eq!(contrast.p_value, contrast.p_adjusted);
    assert!(contrast.p_same.unwrap() > 0.99);
    assert!(contrast.noise_floor.unwrap() > 0.0);
    assert!((contrast.detectable.unwrap() / contrast.noise_floor.unwrap() - 1.03).abs() < 1e-9);
}

#[test]
fn swapping_baseline_and_contender_inverts_ratio_and_interval() {
    let forward = plan_with(&["baseline=threads"]);
    let backward = plan_with(&["baseline=async"]);
    let of = |plan: &common::plan::Plan| {
        let runs = runs(plan, |run| scale_cpu(run, scatter(run, 0.1) * if is_async(run) { 0.8 } else { 1.0 }));
        contrast(&compare(plan, runs), CPU).clone()
    };
    let (a, b) = (of(&forward), of(&backward));
    assert_eq!((a.baseline.as_str(), b.baseline.as_str()), ("threads", "async"));
    let inverse = |x: Option<f64>, y: Option<f64>| assert!((x.unwrap() * y.unwrap() - 1.0).abs() < 1e-9);
    inverse(a.ratio.value, b.ratio.value);
    inverse(a.ratio.low, b.ratio.high);
    inverse(a.ratio.high, b.ratio.low);
    assert_eq!(a.p_value, b.p_value);
    assert_eq!((a.verdict, b.verdict), (ContrastVerdict::Better, ContrastVerdict::Worse));
    assert!((a.order_effect.unwrap().value - b.order_effect.unwrap().value).abs() < 1e-9);
}

#[test]
fn the_primary_contrasts_of_all_cells_are_one_family() {
    let text = PLAN.replace("rate_per_s = 1000", "rate_per_s = [1000, 2000]")
        + "[[variant]]\nname = \"shared\"\nengine = \"async\"\nconnections = \"shared\"\n";
    let plan = plan(&text);
    let comparison =
        compare(&plan, runs(&plan, |run| scale_cpu(run, scatter(run, 0.01) * if is_async(run) { 0.9 } else { 1.0 })));
    assert_eq!(comparison.cells.len(), 2);
    for cell in &comparison.cells {
        let primary: Vec<&Contrast> = cell.contrasts.iter().filter(|contrast| contrast.primary).collect();
        assert_eq!(primary.iter().map(|contrast| contrast.contender.as_str()).collect::<Vec<_>>(), ["async", "shared"]);
        assert!((primary[0].p_value.unwrap() - 2.0 / 1024.0).abs() < 1e-12);
        // Two of the four are this clear: the first is multiplied by 4, the second may not be smaller.
        assert!((primary[0].p_adjusted.unwrap() - 8.0 / 1024.0).abs() < 1e-12);
        let secondary: Vec<&Contrast> = cell.contrasts.iter().filter(|contrast| !contrast.primary).collect();
        assert!(secondary.iter().all(|contrast| contrast.p_value == contrast.p_adjusted));
        assert_eq!(cell.recommendation.variant.as_deref(), Some("async"));
        assert_eq!(cell.keeps_up.len(), 2);
    }
}

#[test]
fn carry_over_and_code_layout_are_noted() {
    let plan = plan_with(&["repeat.blocks=20"]);
    let carried = runs(&plan, |run| {
        let second = if run.position == 1 { 1.08 } else { 1.0 };
        scale_cpu(run, scatter(run, 0.01) * second * if is_async(run) { 0.5 } else { 1.0 });
    });
    let comparison = compare(&plan, carried);
    let effect = contrast(&comparison, CPU).order_effect.unwrap();
    assert!((effect.value - 1.08f64.ln()).abs() < 0.02, "{effect:?}");
    assert!(effect.low.unwrap() > 0.03 && contrast(&comparison, CPU).reason.starts_with("carry-over"));

    let slight = plan_with(&["repeat.blocks=20", "repeat.margin=0.001"]);
    // Beside `unknown` too: there it may be what made the blocks scatter.
    let noisy = runs(&slight, |run| {
        let second = if run.position == 1 { 1.08 } else { 1.0 };
        scale_cpu(run, scatter(run, 0.01) * second);
    });
    let comparison = compare(&slight, noisy);
    check_word(&comparison, CPU, ContrastVerdict::Unknown, Some(Cause::Noise));
    assert!(contrast(&comparison, CPU).reason.contains("; carry-over"), "{}", contrast(&comparison, CPU).reason);

    let runs = runs(&slight, |run| scale_cpu(run, scatter(run, 0.001) * if is_async(run) { 0.985 } else { 1.0 }));
    let comparison = compare(&slight, runs);
    check_word(&comparison, CPU, ContrastVerdict::Better, None);
    insta::assert_snapshot!(contrast(&comparison, CPU).reason, @"under 2 %: two binaries are two code layouts, so not attributed to the variant");
}

#[test]
fn recommendations() {
    let sentence = |runs: Vec<Run>| {
        let recommendation = &compare(&plan(PLAN), runs).cells[0].recommendation;
        format!("{}: {}", recommendation.variant.as_deref().unwrap_or("-"), recommendation.sentence)
    };
    insta::assert_snapshot!(sentence(bench(0.88, 0.03)), @"async: async needs 12 % less CPU per task than threads (95 % interval 9.3 to 15 %, p = 0.002, 10 blocks, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(sentence(bench(1.4, 0.03)), @"threads: async needs 40 % more CPU per task than threads (95 % interval 35 to 44 %, p = 0.002, 10 blocks, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(sentence(bench(1.0, 0.005)), @"-: no difference that matters in CPU per task between async and threads: within 3 % (95 % interval -0.61 % to +0.51 %, p of a larger difference < 0.001, 10 blocks, uncalibrated); both kept up in every block");
    insta::assert_snapshot!(sentence(bench(1.02, 0.15)), @"-: cannot tell async and threads apart in CPU per task (async +1.5 %, 95 % interval -15 % to +19 %, p = 0.85, 10 blocks): about 793 blocks would tell in four cases of five; both kept up in every block");
    let mut overloaded = bench(1.0, 0.01);
    overloaded.iter_mut().filter(|run| run.block < 8 && is_async(run)).for_each(overload);
    insta::assert_snapshot!(sentence(overloaded), @"threads: async kept up in 2 of 10 blocks, threads in 10 of 10 blocks (p = 0.008)");
    let mut void = bench(1.0, 0.01);
    void.iter_mut().filter(|run| run.block < 4).for_each(invalidate);
    insta::assert_snapshot!(sentence(void), @"-: cannot tell async and threads apart in CPU per task: 4 attempts void of 10 blocks planned; at most 20 % may be; threads kept up in 6 of 6 blocks and async in 6 of 6 blocks");
}

#[test]
fn a_single_variant_is_described() {
    let text = PLAN.split("[[variant]]\nname = \"async\"").next().unwrap();
    let comparison = compare(&plan(text), runs(&plan(text), |_| {}));
    let cell = &comparison.cells[0];
    assert!(cell.contrasts.is_empty() && cell.keeps_up.is_empty());
    assert_eq!(cell.variants[0].metrics["cpu_us_per_task"].value, Some(200.0));
    insta::assert_snapshot!(cell.recommendation.sentence, @"one variant only, nothing to compare: threads kept up in 10 of 10 blocks");
}
