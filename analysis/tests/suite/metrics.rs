//! What a run says of each metric.

use analysis::metric::{DESCRIBED, Percentile, Value, value};
use common::plan::Metric;

use crate::support::{PLAN, overload, plan, run};

#[test]
fn values() {
    let run = run(&plan(PLAN), 0, 0, 0);
    for (metric, expected) in [
        (Metric::CpuUsPerTask, 200.0),
        (Metric::WorkersCpuUsPerTask, 150.0),
        (Metric::RedisCpuUsPerTask, 50.0),
        (Metric::CompletedPerS, 1_000.0),
        (Metric::ResponseP50Us, 900.0),
        (Metric::ResponseP90Us, 1_800.0),
        (Metric::ResponseP99Us, 3_600.0),
        (Metric::ResponseFromSendP99Us, 3_520.0),
        (Metric::ServiceP50Us, 800.0),
        (Metric::ServiceP99Us, 3_200.0),
        (Metric::QueueWaitP99Us, 200.0),
        (Metric::PoolWaitP99Us, 8.0),
        (Metric::FetchMeanUs, 360.0),
        (Metric::SaveMeanUs, 480.0),
        (Metric::PingMeanUs, 120.0),
        (Metric::RssMaxBytes, 41_943_040.0),
        (Metric::VoluntarySwitchesPerTask, 4.0),
        (Metric::InvoluntarySwitchesPerTask, 0.1),
        (Metric::Threads, 30.0),
        (Metric::Sockets, 29.0),
    ] {
        match value(&run, metric) {
            Value::Finite(value) => assert!((value - expected).abs() < 1e-9, "{metric:?}: {value}"),
            other => panic!("{metric:?}: {other:?}"),
        }
    }
}

#[test]
fn what_was_not_measured_is_absent() {
    let mut run = run(&plan(PLAN), 0, 0, 0);
    run.resources.redis.cpu_us_per_task = None;
    (run.resources.tasks, run.rate_per_s.completed) = (None, None);
    run.latency_us.spans.remove("fetch");
    run.latency_us.spans.get_mut("save").unwrap().mean = None;
    for metric in [
        Metric::CpuUsPerTask,
        Metric::RedisCpuUsPerTask,
        Metric::CompletedPerS,
        Metric::VoluntarySwitchesPerTask,
        Metric::FetchMeanUs,
        Metric::SaveMeanUs,
    ] {
        assert_eq!(value(&run, metric), Value::Absent, "{metric:?}");
    }
}

#[test]
fn a_percentile_is_printed_from_thirty_tasks_beyond_it_and_contrasted_from_fifty() {
    for (metric, printed, contrasted) in
        [(Metric::ServiceP50Us, 60, 100), (Metric::ResponseP90Us, 300, 500), (Metric::ServiceP99Us, 3_000, 5_000)]
    {
        let percentile = Percentile::of(metric).unwrap();
        let of = |n: u64, unbounded: u64| {
            let mut run = run(&plan(PLAN), 0, 0, 0);
            for distribution in [&mut run.latency_us.service, &mut run.latency_us.response] {
                distribution.n = n;
                distribution.unbounded = unbounded;
            }
            run
        };
        assert_eq!(value(&of(printed - 1, 0), metric), Value::Absent);
        assert_ne!(value(&of(printed, 0), metric), Value::Absent);
        assert_ne!(value(&of(printed - 10, 10), metric), Value::Absent, "unbounded tasks count");
        assert!(!percentile.has_tasks(&of(contrasted - 1, 0)));
        assert!(percentile.has_tasks(&of(contrasted, 0)));
    }
}

#[test]
fn a_percentile_among_the_unbounded_is_unbounded() {
    let mut run = run(&plan(PLAN), 0, 0, 0);
    run.latency_us.response.p99 = None;
    assert_eq!(value(&run, Metric::ResponseP99Us), Value::Absent);
    run.latency_us.response.unbounded = 200;
    assert_eq!(value(&run, Metric::ResponseP99Us), Value::Unbounded);
}

#[test]
fn described_figures() {
    let mut run = run(&plan(PLAN), 0, 0, 0);
    let read = |run: &common::report::Run| DESCRIBED.map(|(name, read)| (name, read(run)));
    assert_eq!(
        read(&run),
        [
            ("sent", Some(10_000.0)),
            ("completed", Some(10_000.0)),
            ("sent_per_s", Some(1_000.0)),
            ("uptime_s", Some(11.0025)),
            ("service_mean_us", Some(960.0))
        ]
    );
    overload(&mut run);
    assert_eq!(read(&run)[3], ("uptime_s", Some(4.2)));
}
