use std::time::{Duration, Instant};

use common::backlog::{WorkerBacklog, WorstBacklogs};
use common::report::{Depth, Failures, Phase};

use super::{Curve, State, View, Waiting};
use crate::collect::SecondReports;
use crate::live::{Load, News, Standing};

const LOAD: Load = Load { asked_per_s: 1000.0, duration_s: 10.0, processes: Vec::new() };

fn standing(window_s: f64) -> Standing {
    Standing {
        phase: if window_s < 0.0 { Phase::WarmUp } else { Phase::Window },
        window_s,
        asked_per_s: 1000.0,
        sent: 0,
        ended: 0,
        failed: 0,
        sent_in_window: 0,
        late: 0,
        failures: Failures::default(),
        worst: WorstBacklogs::default(),
        queue: None,
        overload: None,
    }
}

/// `count` tasks of as many microseconds.
fn second(count: u64, us: u64) -> SecondReports {
    let mut second = SecondReports { dynos: 1, completed: count, ..SecondReports::default() };
    (0..count).for_each(|_| {
        second.response.record(us * 1000);
        second.service.record(us * 500);
    });
    second
}

fn state(news: Vec<News>) -> View {
    let (mut state, now) = (State::default(), Instant::now());
    state.take(News::Begin { head: "run 2/4 async block 0".to_owned(), ends: now + Duration::from_secs(30) });
    state.take(News::Load(LOAD));
    news.into_iter().for_each(|news| state.take(news));
    state.view(now)
}

fn stand(standing: Standing) -> News {
    News::Standing(Box::new(standing))
}

#[test]
fn before_anything_is_known_nothing_is_claimed() {
    let view = state(vec![News::Stage("starting the dynos".to_owned())]);
    assert_eq!(view.phase, "starting the dynos: bench 30 s left");
    assert_eq!(view.tasks.each_ref().map(|(_, value)| value.as_str()), ["-"; 5]);
    assert_eq!((view.failed.len(), view.validity), (0, None));
    assert!(view.latency.iter().all(|(_, quantiles)| *quantiles == [None; 4]) && view.curve.is_empty());
}

#[test]
fn rates_are_of_the_last_second() {
    let worst = WorstBacklogs([WorkerBacklog { worker: 7, waiting: 3 }; _]);
    let look = |window_s: f64| {
        let ended = (window_s * 1000.0) as u64;
        stand(Standing { sent: ended + 12, ended, failed: 2, worst, ..standing(window_s) })
    };
    let mut news = vec![look(1.0)];
    news.extend((0..20).map(|step| look(3.0 + f64::from(step) / 5.0)));
    let view = state(news);
    assert_eq!(view.tasks.map(|(_, value)| value), ["1000/s", "1000/s", "6798", "2", "12"]);
    assert_eq!(view.waiting, Waiting::AtWorkers(vec![(7, 3); 5]));
    let depth = Depth { visible: 3, in_flight: 2, delayed: 1, dead: 0 };
    let queued = state(vec![stand(Standing { worst, queue: Some(depth), ..standing(1.0) })]);
    assert_eq!(queued.waiting, Waiting::InQueue(depth));
    assert_eq!(view.phase, "window: 7 of 10 s, run 3 s left, bench 30 s");
}

/// At least 30 tasks lie beyond a percentile that is shown; the warm-up is in none.
#[test]
fn percentiles_need_tasks_beyond_them() {
    let reports = [second(0, 0), second(1000, 2000), second(400, 4000), second(1600, 6000)];
    let view = state(reports.map(|second| News::Second(Box::new(second))).into());
    let shown = view.latency.map(|(_, quantiles)| quantiles.map(|us| us.map(|us| (us / 100.0).round() / 10.0)));
    assert_eq!(
        shown,
        [
            [Some(6.0), Some(6.0), None, Some(6.0)],
            [Some(3.0), Some(3.0), None, Some(3.0)],
            [Some(6.0), Some(6.0), Some(6.0), Some(6.0)],
            [Some(3.0), Some(3.0), Some(3.0), Some(3.0)],
        ]
    );
    assert_eq!(view.curve_title, "response p90 by the second");
    assert_eq!(
        view.curve.iter().map(|us| us.map(|us| (us / 100.0).round())).collect::<Vec<_>>(),
        [Some(20.0), Some(40.0), Some(60.0)]
    );
}

/// Tasks that failed are slower than all others: they leave no percentile where they would be it, and no maximum.
#[test]
fn failed_tasks_stand_behind_all_others() {
    let reports = SecondReports { failed: 200, ..second(1000, 2000) };
    let view = state(vec![News::Second(Box::new(reports))]);
    assert_eq!(view.latency[2].1.map(|us| us.is_some()), [true, false, false, false]);
}

#[test]
fn the_curve_takes_the_highest_percentile_and_the_shortest_steps_that_the_rate_allows() {
    let curve = |asked_per_s, duration_s| {
        let curve = Curve::new(&Load { asked_per_s, duration_s, ..Load::default() });
        (curve.name, curve.step_s)
    };
    assert_eq!(curve(10_000.0, 5.0), ("p99", 1));
    assert_eq!(curve(1000.0, 5.0), ("p90", 1));
    assert_eq!(curve(1000.0, 240.0), ("p99", 4));
    assert_eq!(curve(100.0, 5.0), ("p50", 1));
    assert_eq!(curve(1.0, 5.0), ("p50", 66));
}

#[test]
fn what_already_failed_is_named() {
    let failed = |standing| state(vec![stand(standing)]).failed;
    let fine = Standing { sent: 1000, sent_in_window: 1000, late: 10, ..standing(1.0) };
    assert_eq!(failed(fine), Vec::<String>::new());
    assert_eq!(state(vec![stand(fine)]).validity.unwrap(), "on time 99 %, lateness p99 at most 1 ms, errors 0");
    assert_eq!(failed(Standing { late: 11, ..fine }), ["invalid: the generator is late"]);
    let failures = Failures { timeout: 2, disconnected: 1, server_error: 2, pool_timeout: 1 };
    assert_eq!(failed(Standing { failures, ..fine }), ["invalid: 3 errors", "overloaded: 3 tasks timed out"]);
    let overload = Some((4, 100));
    assert_eq!(failed(Standing { overload, ..fine }), ["overloaded: worker 4 had 100 waiting"]);
    // Where half of all responses take 40 ms, 2 ms is on time, and nobody has counted that.
    let slow = state(vec![News::Second(Box::new(second(100, 40_000))), stand(Standing { late: 500, ..fine })]);
    assert_eq!(
        (slow.failed.len(), slow.validity.unwrap().as_str()),
        (0, "on time 50 %, lateness p99 over 1 ms, errors 0")
    );
}
