//! A comparison for the page: two cells, and names that would like to be more than text.

use common::plan::{CpuLimit, DynoClass, Engine, Plan};
use common::report::comparison::{
    AaPool, Claim, ClaimFigure, ClaimWord, Comparison, Distance, Estimate, MeasuredClaim, QueueSummary, Ratio,
    Steadiness, SteadyState,
};
use common::report::drawing::Spread;
use common::report::prediction::{Coefficient, ScalabilityLaw};
use common::report::{AtRate, Ceiling, DynoLimits, Placed, Run, Severity};

use crate::support::{PLAN, check, compare, invalidate, is_async, overload, runs, scale_cpu, scatter};

/// Ends a script, begins one, breaks out of attributes and out of comments, and turns text around.
pub(crate) const HOSTILE: &str =
    "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=2'>\"'--><!--\u{202e}&\u{2028}";

/// A sweep of two cells with published figures and a failed check.
pub(crate) fn sweep() -> Comparison {
    const PUBLISHED: &str =
        "[published]\nsource = \"a write-up\"\nresult = \"success\"\nsent = 201335\ntask_ms = 8.6\n";
    let plan = Plan::parse(&format!("{PLAN}{PUBLISHED}"), &["workers.count=[28, 100]".to_owned()]).unwrap();
    let runs = runs(&plan, |run: &mut Run| {
        scale_cpu(run, scatter(run, 0.03) * if is_async(run) { 0.85 } else { 1.0 });
        let failed = is_async(run) && run.cell.index == 1;
        run.validity.checks.push(check("steal", !failed, Severity::Warning));
    });
    let mut comparison = compare(&plan, runs);
    furnish(&mut comparison);
    comparison
}

fn queue() -> QueueSummary {
    let of = |value| Estimate { value: Some(value), low: Some(value / 2.0), high: Some(2.0 * value), n: 10 };
    QueueSummary {
        enqueue_p50_us: of(80.0),
        enqueue_p99_us: of(300.0),
        pick_up_p50_us: of(150.0),
        pick_up_p99_us: of(900.0),
        tasks_per_claim: of(3.5),
        empty_claims_share: of(0.2),
        commands_per_task: of(1.3),
        peak_visible: of(40.0),
        peak_in_flight: of(100.0),
        drain_ms: of(12.0),
        retries: 4,
        redeliveries: 3,
        duplicates: 2,
        dead: 1,
        foreign: 0,
        results_expected: Some(3000),
        results_right: Some(2999),
    }
}

/// Adds what only some benches have.
fn furnish(comparison: &mut Comparison) {
    let process = "dyno-0".to_owned();
    let memory_limit_bytes = Some(14 << 30);
    comparison.host.placement = vec![Placed {
        process,
        cpus: "0-1".to_owned(),
        group: None,
        weight: Some(1024),
        cpu_quota: Some(1.5),
        memory_limit_bytes,
    }];
    comparison.host.idle = Some("intel_idle/menu".to_owned());
    comparison.host.frequency = Some("intel_pstate/powersave".to_owned());
    (comparison.host.mhz_start, comparison.host.mhz_end) = (Some(2_400.0), Some(3_100.0));
    comparison.ceilings = vec![Ceiling {
        engine: Engine::Async,
        ceiling_per_s: 320_000.0,
        at_least: true,
        at: vec![AtRate {
            rate_per_s: 10_000.0,
            lateness_p50_us: Some(18.0),
            lateness_p90_us: Some(31.2),
            lateness_p99_us: Some(104.0),
            lateness_max_us: None,
            cpu_us_per_task: Some(26.1),
        }],
        measured_at: "2026-11-25T22:04:22Z".to_owned(),
        build: "test".to_owned(),
        scheduling: "own sessions".to_owned(),
        pacer_priority: "fifo-1".to_owned(),
    }];
    let even = Ratio { value: Some(1.0), low: Some(0.98), high: Some(1.02) };
    let pool = AaPool { benches: 2, blocks: 20, ratio: even, noise_floor: Some(0.03) };
    comparison.cells[0].contrasts[0].aa = Some(pool);
    let cell = &mut comparison.cells[1];
    cell.blocks_void = 1;
    cell.distance = Some(Distance { asked_rtt_us: 1200, jitter_us: 100, added_us: Some(1234.0) });
    cell.dyno = Some(DynoLimits {
        label: "performance-l scaled 1:4".to_owned(),
        class: DynoClass::PerformanceL,
        limit: CpuLimit::Quota,
        vcpus_asked: 8,
        vcpus: Some(2.0),
        scale: Some(4.0),
        cpus_shared: Some(true),
        memory_asked_bytes: 14 << 30,
        memory_limit_bytes,
    });
    let unsteady = Ratio { value: Some(1.4), low: Some(1.2), high: Some(1.6) };
    cell.variants[0].steady = Some(Steadiness { n: 10, ratio: unsteady, state: SteadyState::Unsteady });
    let claim = |figure, claimed, value| Claim {
        source: "a write-up".to_owned(),
        workers: 28,
        figure,
        claimed,
        allowed: Some(5.0 / 3.0),
        cell: Some(0),
        measured: vec![MeasuredClaim { variant: "async".to_owned(), value }],
        word: ClaimWord::Impossible,
        reason: "5 at once, 3 s each, are at most 1.667 a second".to_owned(),
    };
    comparison.claims = vec![
        claim(ClaimFigure::RealPerS, 1.83, Some(1.66)),
        claim(ClaimFigure::DrainMin, 43.0, Some(28.6)),
        claim(ClaimFigure::Peak, 2858.0, None),
    ];
    let summary = &mut comparison.cells[0].variants[0];
    summary.queue = Some(queue());
    for moment in summary.timeline.iter_mut().flat_map(|timeline| &mut timeline.moments) {
        moment.visible = Some(Spread { median: 3.0, low: 1.0, high: 5.0, n: 100 });
        moment.in_flight = moment.visible;
    }
    let coefficient = |value| Coefficient { value, low: 0.5 * value, high: None };
    comparison.scalability[0].law = Some(ScalabilityLaw {
        lambda_per_s: coefficient(900.0),
        sigma: coefficient(0.02),
        kappa: coefficient(0.000_1),
        peak_workers: Some(99.0),
        peak_per_s: Some(20_000.0),
        runs: 20,
    });
}

/// One variant and nothing to compare it with.
pub(crate) fn alone() -> Comparison {
    let plan = Plan::parse(&PLAN[..PLAN.rfind("[[variant]]").unwrap()], &[]).unwrap();
    compare(&plan, runs(&plan, |_| {}))
}

/// Three variants, of which one never kept up and one was never measured right.
pub(crate) fn troubled() -> Comparison {
    let text = format!("{PLAN}[[variant]]\nname = \"own\"\nengine = \"async\"\nconnections = \"own\"\n");
    let plan = Plan::parse(&text, &["repeat.blocks=6".to_owned()]).unwrap();
    let runs = runs(&plan, |run| match run.variant.name.as_str() {
        "async" => overload(run),
        "own" => invalidate(run),
        _ => {}
    });
    compare(&plan, runs)
}

/// The same with [`HOSTILE`] wherever a user or a machine can put text.
pub(crate) fn hostile() -> Comparison {
    let mut comparison = sweep();
    let hostile = || HOSTILE.to_owned();
    comparison.plan = hostile();
    comparison.question = hostile();
    comparison.plan_toml.push_str(HOSTILE);
    comparison.forced = vec![hostile()];
    comparison.answer.sentence = hostile();
    comparison.answer.doubts.push(format!("forced: {HOSTILE}"));
    comparison.answer.notes.push(hostile());
    for headroom in &mut comparison.answer.headroom {
        headroom.parameters.insert(hostile(), serde_json::Value::String(hostile()));
        (headroom.variant, headroom.sentence) = (hostile(), hostile());
    }
    comparison.host.cpu_model = hostile();
    comparison.redis_server.origin = hostile();
    comparison.published[0].source = hostile();
    (comparison.claims[0].source, comparison.claims[0].reason) = (hostile(), hostile());
    comparison.checks[0].remedy = hostile();
    for cell in &mut comparison.cells {
        cell.parameters.insert(hostile(), serde_json::Value::String(hostile()));
        cell.recommendation.sentence = hostile();
        let renamed = cell.variants[1].variant.name.clone();
        cell.variants[1].variant.name = hostile();
        cell.variants[1].checks_failed.insert(hostile(), 3);
        for contrast in cell.contrasts.iter_mut().filter(|contrast| contrast.contender == renamed) {
            contrast.contender = hostile();
            contrast.reason = hostile();
        }
    }
    comparison
}
