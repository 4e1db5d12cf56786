//! The interval log beside a run says what the run says, to whoever reads HdrHistogram's format.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::report::{Distribution, Phase, RunResult};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use crate::support::loadgen;
use crate::support::runs::assert_run;

fn assert_percentiles(histogram: &Histogram<u64>, expected: &Distribution) {
    assert_eq!(histogram.len(), expected.n);
    for (p, us) in [(0.5, expected.p50), (0.9, expected.p90), (0.99, expected.p99), (1.0, expected.max)] {
        let value_us = histogram.value_at_quantile(p) as f64 / 1e3;
        assert!(us.is_some_and(|us| (value_us / us - 1.0).abs() < 0.002), "{p}: {value_us}, in the report {us:?}");
    }
}

#[test]
fn it_holds_what_the_report_holds() {
    let finished = loadgen(
        "run --engine async --workers 4 --dynos 2 --rate 100 --duration 2 --warmup 1 --list-max 3 --backlog-max 1000 \
         --set load.drain_s=60 --set slo.drain_within_s=60",
    );
    let run = assert_run(&finished, RunResult::Ok);
    let text = fs::read(finished.out().join("runs/c000-b000-a0-async.hlog")).unwrap();
    assert!(text.starts_with(b"#[Histogram log format version 1.3]\n"));
    let mut whole: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
    let mut base_s = None;
    for entry in IntervalLogIterator::new(&text) {
        let interval = match entry.unwrap() {
            LogEntry::Interval(interval) => interval,
            LogEntry::BaseTime(base) => {
                base_s = Some(base.as_secs());
                continue;
            }
            LogEntry::StartTime(_) => continue,
        };
        let bytes = BASE64.decode(interval.encoded_histogram()).unwrap();
        let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        assert!((interval.max() - histogram.max() as f64 / 1e6).abs() < 0.001);
        assert_eq!(interval.duration().as_secs(), 1);
        let tag = interval.tag().unwrap().as_str().to_owned();
        if tag == "response" {
            let second = &run.timeline[interval.start_timestamp().as_secs() as usize];
            assert_ne!(second.phase, Phase::WarmUp);
            let p50_us = histogram.value_at_quantile(0.5) as f64 / 1e3;
            assert!((p50_us / second.response_p50_us.unwrap() - 1.0).abs() < 0.002, "{second:?}");
        }
        whole.entry(tag).or_insert_with(|| Histogram::new(3).unwrap()).add(histogram).unwrap();
    }
    let latency = &run.latency_us;
    let expected = [
        ("lateness", &latency.lateness),
        ("queue_wait", &latency.queue_wait),
        ("response", &latency.response),
        ("service", &latency.service),
    ];
    assert_eq!(whole.keys().collect::<Vec<_>>(), expected.map(|(tag, _)| tag));
    expected.into_iter().for_each(|(tag, expected)| assert_percentiles(&whole[tag], expected));
    let started: jiff::Timestamp = run.started_at.parse().unwrap();
    assert!(base_s.is_some_and(|base_s| base_s.abs_diff(started.as_second() as u64) < 60));
}
