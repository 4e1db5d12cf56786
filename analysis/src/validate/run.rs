//! What the figures of a run must add up to.

use common::latency::Latency;
use common::report::{Distribution, Run, RunResult, Severity};

use super::{Checks, ROUNDING, Violation, token};

pub(super) fn violations(run: &Run) -> Vec<Violation> {
    let mut checks = Checks::default();
    checks.counts("/counts", &run.counts);
    let latencies = &run.latency_us;
    for (name, latency) in [
        ("lateness", &latencies.lateness),
        ("queue_wait", &latencies.queue_wait),
        ("pool_wait", &latencies.pool_wait),
        ("service", &latencies.service),
        ("response", &latencies.response),
        ("response_from_send", &latencies.response_from_send),
    ] {
        distribution(&mut checks, &format!("/latency_us/{name}"), latency);
    }
    if let Some(batch_wait) = &latencies.batch_wait {
        distribution(&mut checks, "/latency_us/batch_wait", batch_wait);
    }
    for (span, latency) in &latencies.spans {
        distribution(&mut checks, &format!("/latency_us/spans/{}", token(span)), latency);
    }
    vitals(&mut checks, run);
    for (i, pair) in run.timeline.windows(2).enumerate() {
        checks.check(pair[0].t_s < pair[1].t_s, format!("/timeline/{}/t_s", i + 1), || {
            format!("{}, but the second before ends at {}", pair[1].t_s, pair[0].t_s)
        });
    }
    for (i, second) in run.timeline.iter().enumerate() {
        let percentiles = [
            ("response_p50_us", second.response_p50_us),
            ("response_p90_us", second.response_p90_us),
            ("response_p99_us", second.response_p99_us),
            ("response_max_us", second.response_max_us),
        ];
        checks.ascending(&format!("/timeline/{i}"), &percentiles);
    }
    rate(&mut checks, run);
    judgement(&mut checks, run);
    checks.violations
}

/// Percentiles never decrease, those among the unbounded come last, and the histogram holds as many values as are said.
fn distribution(checks: &mut Checks, pointer: &str, distribution: &Distribution) {
    let Distribution { n, unbounded, p50, p90, p99, p99_9, max, .. } = *distribution;
    let percentiles = [("p50", p50), ("p90", p90), ("p99", p99), ("p99_9", p99_9), ("max", max)];
    checks.ascending(pointer, &percentiles);
    for pair in percentiles.windows(2) {
        let ((below, low), (above, high)) = (pair[0], pair[1]);
        checks.check(low.is_some() || high.is_none(), format!("{pointer}/{above}"), || {
            format!("a number, but {below} is null")
        });
    }
    checks.check(unbounded == 0 || max.is_none(), format!("{pointer}/max"), || {
        format!("a number, but {unbounded} tasks have no bound")
    });
    checks.check(n > 0 || (p50.is_none() && distribution.mean.is_none()), format!("{pointer}/n"), || {
        "0, but there are values".to_owned()
    });
    if !distribution.hdr_v2.is_empty() {
        let recorded = Latency::decode(&distribution.hdr_v2, 0).map(|latency| latency.n());
        checks.check(recorded == Ok(n), format!("{pointer}/hdr_v2"), || match recorded {
            Ok(recorded) => format!("a histogram of {recorded} values, but n is {n}"),
            Err(why) => format!("not a histogram: {why}"),
        });
    }
}

fn vitals(checks: &mut Checks, run: &Run) {
    let workers = &run.workers;
    for (name, entries) in [
        ("cycles", workers.cycles.len()),
        ("backlog_max", workers.backlog_max.len()),
        ("busy_ns", workers.busy_ns.len()),
    ] {
        checks.check(entries == workers.count as usize, format!("/workers/{name}"), || {
            format!("{entries} entries, but there are {} workers", workers.count)
        });
    }
}

fn rate(checks: &mut Checks, run: &Run) {
    let window_s = run.resources.window_s;
    let (Some(completed), Some(tasks)) = (run.rate_per_s.completed, run.resources.tasks) else { return };
    let expected = tasks as f64 / window_s;
    let near = !expected.is_finite() || (completed - expected).abs() <= ROUNDING * expected.abs().max(1.0);
    checks.check(near, "/rate_per_s/completed", || {
        format!("{completed}, but resources has {tasks} tasks in {window_s} s")
    });
}

/// `valid`, the checks and the verdict say the same.
fn judgement(checks: &mut Checks, run: &Run) {
    let validity = &run.validity;
    let failed = validity.checks.iter().find(|check| !check.ok && check.severity == Severity::Invalid);
    checks.check(validity.valid == failed.is_none(), "/validity/valid", || match failed {
        Some(check) => format!("true, but the check {:?} failed", check.name),
        None => "false, but no check that makes a run invalid failed".to_owned(),
    });
    let result = run.verdict.result;
    checks.check(validity.valid == (result != RunResult::Invalid), "/verdict/result", || {
        format!("{result}, but validity.valid is {}", validity.valid)
    });
    for (i, pressure) in run.pressure.iter().enumerate() {
        checks
            .check(pressure.share >= 0.0, format!("/pressure/{i}/share"), || format!("{} is below 0", pressure.share));
    }
}
