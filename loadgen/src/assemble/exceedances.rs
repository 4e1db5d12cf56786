//! How the slowest tasks lie in time: the largest values by bin, held against the percentiles.

use std::time::Duration;

use common::latency::Latency;
use common::peaks::{Of, Peaks, window_bins};
use common::plan::Load;
use common::report::{Exceedances, Tails};

use crate::collect::Collected;

/// By what all dynos say; `None` when one was lost before it did. `unbounded` tasks have no value at all, `unfinished` of them
/// no wait either.
pub fn of(load: &Load, collected: &Collected, unbounded: u64, unfinished: u64) -> Option<Exceedances> {
    let mut peaks = Peaks::default();
    for dyno in &collected.dynos {
        peaks.merge(&dyno.last.as_ref()?.peaks);
    }
    let all = &collected.histograms;
    let tails = |of, latency: &Latency, unbounded| {
        let spread = |p| latency.at_or_beyond_ns(p, unbounded).map(|threshold_ns| peaks.spread(of, threshold_ns));
        Tails { p50: spread(0.5), p90: spread(0.9), p99: spread(0.99), p99_9: spread(0.999) }
    };
    Some(Exceedances {
        window_bins: u32::try_from(window_bins(Duration::from_secs_f64(load.duration_s))).unwrap_or(u32::MAX),
        queue_wait: tails(Of::QueueWait, &all.queue_wait, unfinished),
        pool_wait: tails(Of::PoolWait, &all.pool_wait, unbounded),
        service: tails(Of::Service, &all.service, unbounded),
        response: tails(Of::Response, &all.response, unbounded),
        response_from_send: tails(Of::ResponseFromSend, &all.response_from_send, unbounded),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::plan::{Plan, TaskKind};
    use common::recorder::{Histograms, Record, Recorder};
    use common::report::Spread;
    use common::step::{Outcome, Span};
    use common::wire::{Final, FromDyno, TaskPhase};

    use super::of;
    use crate::clocks::Clock;
    use crate::collect::Collected;

    const PLAN: &str = "name = \"t\"\n[task]\nkind = \"null\"\n[load]\nrate_per_s = 1\nduration_s = 1\n[workers]\n\
                        count = 1\ndynos = 2\n[[variant]]\nname = \"a\"\nengine = \"async\"\n";

    /// Two dynos, a task every millisecond in turn; one in ten is slow, in two rows of which each dyno has one: at 100 ms and
    /// at 700 ms.
    fn two_dynos() -> Collected {
        let mut collected = Collected::new(&[Clock::Shared; 2], 0);
        for dyno in 0..2 {
            let recorder = Recorder::new(2, 1, Span::of(TaskKind::Null), Duration::from_secs(1));
            recorder.window_begins(5_000_000_000);
            for ms in (0..1000u64).filter(|ms| ms % 2 == u64::from(dyno)) {
                let slow = (100..150).contains(&ms) && dyno == 0 || (700..800).contains(&ms) && dyno == 1;
                let ended_ns = 5_000_000_000 + ms * 1_000_000;
                let record = Record {
                    intended_ns: ended_ns - if slow { 9_000_000 } else { 1_000_000 },
                    sent_ns: ended_ns - 1_000_000,
                    started_ns: ended_ns - 1_000_000,
                    ended_ns,
                    settled_ns: ended_ns,
                    pool_wait_ns: 0,
                    spans_ns: [0; Span::COUNT],
                    phase: TaskPhase::Window,
                    outcome: Outcome::Completed,
                };
                recorder.settle(0, &record);
            }
            collected.take(dyno, FromDyno::Delta(Box::new(recorder.collect(1, &mut Histograms::default()))));
            collected.take(dyno, FromDyno::Final(Final { peaks: recorder.peaks(), ..Final::default() }));
        }
        collected
    }

    #[test]
    fn what_all_dynos_say_is_held_against_the_percentiles_of_all() {
        let load = Plan::parse(PLAN, &[]).unwrap().cells[0].settings.load.clone();
        let exceedances = of(&load, &two_dynos(), 0, 0).unwrap();
        let everywhere = Some(Spread { bins: 20, clusters: 1 });
        let slow = Some(Spread { bins: 3, clusters: 2 });
        assert_eq!(exceedances.window_bins, 20);
        let response = exceedances.response;
        assert_eq!([response.p50, response.p90, response.p99, response.p99_9], [everywhere, everywhere, slow, slow]);
        // The generator was late; from the send all were alike.
        assert_eq!(exceedances.response_from_send.p99, everywhere);
        assert_eq!(exceedances.queue_wait.p99, everywhere);
        // A percentile among those without a value has no exceedances with one.
        assert_eq!(of(&load, &two_dynos(), 10, 0).unwrap().response.p99, slow);
        assert_eq!(of(&load, &two_dynos(), 11, 0).unwrap().response.p99, None);
        assert_eq!(of(&load, &two_dynos(), 11, 0).unwrap().queue_wait.p99, everywhere);
    }

    #[test]
    fn a_lost_dyno_takes_the_instants_of_its_slowest_tasks_with_it() {
        let load = Plan::parse(PLAN, &[]).unwrap().cells[0].settings.load.clone();
        let mut collected = two_dynos();
        collected.dynos[1].last = None;
        assert_eq!(of(&load, &collected, 0, 0), None);
    }
}
