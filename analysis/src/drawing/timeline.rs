//! The runs of a variant, second by second.

use std::collections::BTreeMap;

use common::report::drawing::{Moment, Spread, Timeline};
use common::report::{Depth, DepthAt, Phase, Second};

use crate::metric::TAIL_TASKS_PRINTED;
use crate::stats::middle_of;

/// More moments than this cannot be told apart on a page, and make the file large.
const MOMENTS_MAX: usize = 120;

/// A second, and what was in the queue in it.
type Seen<'a> = (&'a Second, &'a [DepthAt]);

/// Lays `runs` over each other, each its seconds and what was in its queue, if it had one; they have one plan, so that their seconds are
/// the same. `None` without any second.
///
/// In runs longer than [`MOMENTS_MAX`] seconds a moment stands for several: its values are those of every run in every one
/// of these seconds, so that no spike is lost from the band.
pub(crate) fn timeline(runs: &[(&[Second], &[DepthAt])]) -> Option<Timeline> {
    let longest = runs.iter().map(|(seconds, _)| seconds.len()).max().filter(|&seconds| seconds > 0)?;
    let step = longest.div_ceil(MOMENTS_MAX);
    // By phase and place in it, so that no moment lies in two phases.
    let mut moments: BTreeMap<(u8, usize), Vec<Seen<'_>>> = BTreeMap::new();
    for (seconds, depth) in runs {
        for phase in [Phase::WarmUp, Phase::Window, Phase::Drain] {
            for (i, second) in seconds.iter().filter(|second| second.phase == phase).enumerate() {
                moments.entry((phase as u8, i / step)).or_default().push((second, within(depth, second)));
            }
        }
    }
    let moments = moments.into_values().filter_map(|seconds| moment(&seconds)).collect();
    Some(Timeline { step_s: u32::try_from(step).unwrap_or(u32::MAX), moments })
}

/// What was seen in a second.
fn within<'a>(depth: &'a [DepthAt], second: &Second) -> &'a [DepthAt] {
    let until = |t_s: f64| depth.partition_point(|at| at.t_s <= t_s);
    depth.get(until(second.t_s - 1.0)..until(second.t_s)).unwrap_or_default()
}

fn moment(seconds: &[Seen<'_>]) -> Option<Moment> {
    let (last, _) = seconds.iter().max_by(|a, b| a.0.t_s.total_cmp(&b.0.t_s))?;
    let of =
        |value: fn(&Second) -> Option<f64>| spread(seconds.iter().filter_map(|(second, _)| value(second)).collect());
    let in_queue = |value: fn(&Depth) -> u64| {
        spread(seconds.iter().flat_map(|(_, depth)| depth.iter()).map(|at| value(&at.depth) as f64).collect())
    };
    Some(Moment {
        t_s: last.t_s,
        phase: last.phase,
        sent_per_s: of(|second| Some(second.sent as f64)),
        completed_per_s: of(|second| Some(second.completed as f64)),
        backlog: of(|second| Some(second.backlog as f64)),
        visible: in_queue(|depth| depth.visible),
        in_flight: in_queue(|depth| depth.in_flight),
        response_p50_us: of(|second| second.response_p50_us).filter(|_| has_tail(seconds, 0.5)),
        response_p99_us: of(|second| second.response_p99_us).filter(|_| has_tail(seconds, 0.99)),
    })
}

/// Whether enough tasks of `seconds`, all together, lie beyond the percentile `p` for it to be shown.
fn has_tail(seconds: &[Seen<'_>], p: f64) -> bool {
    let tasks: u64 = seconds.iter().map(|(second, _)| second.completed + second.failed).sum();
    tasks as f64 * (1.0 - p) >= TAIL_TASKS_PRINTED as f64 - 1e-9
}

fn spread(values: Vec<f64>) -> Option<Spread> {
    let n = u32::try_from(values.len()).unwrap_or(u32::MAX);
    let (low, high) = (values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?);
    Some(Spread { median: middle_of(values)?, low, high, n })
}

#[cfg(test)]
mod tests {
    use common::report::drawing::Timeline;
    use common::report::{Depth, DepthAt, Phase, Second};

    use super::MOMENTS_MAX;

    /// A run with so many seconds of warm-up, window and drain; its p99 in second i of the window is `p99_us(i)`.
    fn seconds(warm_up: usize, window: usize, drain: usize, p99_us: impl Fn(usize) -> f64) -> Vec<Second> {
        (0..warm_up + window + drain)
            .map(|i| {
                let phase = match i {
                    i if i < warm_up => Phase::WarmUp,
                    i if i < warm_up + window => Phase::Window,
                    _ => Phase::Drain,
                };
                let inside = phase == Phase::Window;
                Second {
                    t_s: i as f64 + 1.0 - warm_up as f64,
                    phase,
                    sent: 1_100,
                    completed: 1_000,
                    failed: 0,
                    backlog: i as u64,
                    response_p50_us: inside.then_some(500.0),
                    response_p90_us: None,
                    response_p99_us: inside.then(|| p99_us(i - warm_up)),
                    response_max_us: None,
                    service_p50_us: None,
                }
            })
            .collect()
    }

    fn of(runs: Vec<Vec<Second>>) -> Option<Timeline> {
        super::timeline(&runs.iter().map(|run| (run.as_slice(), [].as_slice())).collect::<Vec<_>>())
    }

    #[test]
    fn what_was_in_the_queue_is_that_of_all_tenths_of_a_second() {
        let run = seconds(1, 2, 0, |_| 1.0);
        let at = |t_s: f64, visible: u64| DepthAt { t_s, depth: Depth { visible, ..Depth::default() } };
        let depth = [at(-0.5, 7), at(0.1, 1), at(0.2, 3), at(1.0, 8), at(1.5, 9)];
        let timeline = super::timeline(&[(&run, &depth), (&run, &[])]).unwrap();
        let seen: Vec<_> =
            timeline.moments.iter().map(|one| one.visible.map(|seen| (seen.low, seen.median, seen.high))).collect();
        assert_eq!(seen, [Some((7.0, 7.0, 7.0)), Some((1.0, 3.0, 8.0)), Some((9.0, 9.0, 9.0))]);
        assert_eq!(of(vec![run]).unwrap().moments[1].visible, None);
    }

    #[test]
    fn median_and_band_over_runs() {
        let run = |p99_us: f64| seconds(1, 3, 1, move |_| p99_us);
        let timeline = of(vec![run(3_000.0), run(1_000.0), run(2_000.0)]).unwrap();
        assert_eq!(timeline.step_s, 1);
        let shape: Vec<_> = timeline.moments.iter().map(|moment| (moment.t_s, moment.phase)).collect();
        assert_eq!(
            shape,
            [
                (0.0, Phase::WarmUp),
                (1.0, Phase::Window),
                (2.0, Phase::Window),
                (3.0, Phase::Window),
                (4.0, Phase::Drain)
            ]
        );
        assert_eq!(timeline.moments[0].response_p99_us, None);
        let p99 = timeline.moments[2].response_p99_us.unwrap();
        assert_eq!((p99.median, p99.low, p99.high, p99.n), (2_000.0, 1_000.0, 3_000.0, 3));
    }

    /// Three runs of 1000 tasks have 30 beyond p99 in a second, two have 20; 3 of 300 a second is no p99.
    #[test]
    fn a_percentile_of_few_tasks_is_not_drawn() {
        let shown = |runs: usize| {
            let timeline = of(vec![seconds(0, 2, 0, |_| 1_000.0); runs]).unwrap();
            (timeline.moments[0].response_p50_us.is_some(), timeline.moments[0].response_p99_us.is_some())
        };
        assert_eq!([1, 2, 3].map(shown), [(true, false), (true, false), (true, true)]);
    }

    #[test]
    fn a_run_that_ended_early_is_missing_later() {
        let timeline = of(vec![seconds(0, 4, 0, |_| 1.0), seconds(0, 2, 0, |_| 2.0)]).unwrap();
        let runs: Vec<u32> = timeline.moments.iter().map(|moment| moment.backlog.unwrap().n).collect();
        assert_eq!(runs, [2, 2, 1, 1]);
    }

    #[test]
    fn long_runs_keep_their_spikes_and_their_phases() {
        let run = seconds(5, 600, 2, |second| if second == 333 { 9e6 } else { 1_000.0 });
        let timeline = of(vec![run]).unwrap();
        assert_eq!(timeline.step_s, 6);
        assert!(timeline.moments.len() <= MOMENTS_MAX + 3);
        let highest = timeline.moments.iter().filter_map(|moment| moment.response_p99_us).map(|p99| p99.high);
        assert_eq!(highest.fold(0.0, f64::max), 9e6);
        let medians = timeline.moments.iter().filter_map(|moment| moment.response_p99_us).map(|p99| p99.median);
        assert_eq!(medians.fold(0.0, f64::max), 1_000.0);
        assert!(timeline.moments.windows(2).all(|pair| pair[0].t_s < pair[1].t_s));
        assert_eq!(timeline.moments[0].t_s, 0.0, "the warm-up is a moment of its own");
    }

    #[test]
    fn nothing_to_draw() {
        assert_eq!(of(Vec::new()), None);
        assert_eq!(of(vec![Vec::new()]), None);
    }
}
