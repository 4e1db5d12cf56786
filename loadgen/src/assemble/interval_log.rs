//! The latencies of a run by the second, as an HdrHistogram interval log: what its standard tools read.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use common::arrivals::Schedule;
use common::latency::Latency;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::Measured;
use crate::collect::SecondReports;
use crate::run::Spec;

/// Values are nanoseconds; the largest of an interval, which people read, stands there in milliseconds.
const MAX_VALUE_DIVISOR: f64 = 1e6;

/// Log format 1.3 with V2 histograms: a line for each second and tag in which anything was recorded, by when tasks ended
/// (`lateness`: were sent). Instants are relative to the begin of the warm-up.
///
/// # Errors
/// A histogram that cannot be serialised.
pub fn interval_log(spec: &Spec<'_>, schedule: &Schedule, measured: &Measured) -> anyhow::Result<Vec<u8>> {
    let (mut text, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let seconds = |ns: u64| ns as f64 / 1e9;
    let start_at = SystemTime::from(measured.start_at);
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!(
            " Headroom {}: plan {}, cell {}, block {}, attempt {}, variant {}",
            env!("CARGO_PKG_VERSION"),
            spec.plan.name,
            spec.cell.index,
            spec.block,
            spec.attempt,
            spec.variant.name
        ))
        .add_comment(&format!(
            " tasks of the window alone, from {:.3} to {:.3} s; values in ns, the third field in ms",
            seconds(schedule.window_start_ns),
            seconds(schedule.window_end_ns)
        ))
        .with_start_time(start_at)
        .with_base_time(start_at)
        .with_max_value_divisor(MAX_VALUE_DIVISOR)
        .begin_log_with(&mut text, &mut serializer)?;

    let lateness = measured.sends.lateness_by_second(schedule, measured.start_ns);
    let reports = &measured.collected.seconds;
    let last = reports.keys().chain(lateness.keys()).max().copied();
    let (no_reports, no_lateness) = (SecondReports::default(), Latency::new());
    for second in last.map_or(0..0, |last| 0..last + 1) {
        let reports = reports.get(&second).unwrap_or(&no_reports);
        let tagged = [
            ("response", &reports.response),
            ("service", &reports.service),
            ("queue_wait", &reports.queue_wait),
            ("lateness", lateness.get(&second).unwrap_or(&no_lateness)),
        ];
        for (tag, latency) in tagged.into_iter().filter(|(_, latency)| latency.n() > 0) {
            let start = Duration::from_secs(u64::from(second));
            log.write_histogram(latency.histogram(), start, Duration::from_secs(1), Tag::new(tag))
                .map_err(|error| anyhow::anyhow!("{error}"))
                .with_context(|| format!("the interval log, {tag} of second {second}"))?;
        }
    }
    Ok(text)
}
