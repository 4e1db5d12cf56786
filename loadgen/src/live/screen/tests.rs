use common::report::Depth;
use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::draw;
use crate::live::state::{View, Waiting};

fn view() -> View {
    let quantiles = |factor: f64| [500.0, 2500.0, 23_400.0, 136_900.0].map(|us| Some(us * factor));
    View {
        head: "run 3/20 async block 1 load.rate_per_s=500".to_owned(),
        phase: "window: 6 of 10 s, run 4 s left, bench 3 min".to_owned(),
        tasks: [("asked", "500/s"), ("achieved", "482/s"), ("completed", "4068"), ("failed", "3"), ("backlog", "12")]
            .map(|(name, value)| (name, value.to_owned())),
        waiting: Waiting::AtWorkers(vec![(12, 7), (3, 4), (0, 1)]),
        latency: [
            ("response, last second", [Some(490.0), Some(2400.0), None, Some(9999.0)]),
            ("service, last second", [Some(320.0), None, None, None]),
            ("response, window", quantiles(1.0)),
            ("service, window", quantiles(0.5)),
        ],
        curve_title: "response p90 by the second".to_owned(),
        curve: vec![Some(1000.0), Some(2000.0), None, Some(4000.0), Some(3000.0), Some(2500.0)],
        cpu: vec![("loadgen".to_owned(), Some(9.2)), ("redis".to_owned(), None), ("workers".to_owned(), Some(111.0))],
        failed: Vec::new(),
        validity: Some("on time 99.87 %, lateness p99 at most 1 ms, errors 0".to_owned()),
    }
}

fn screen(width: u16, height: u16, view: &View) -> TestBackend {
    let lines = ["run 1/20 threads to warm up, not kept: ok", "run 2/20 threads block 1: ok: 499/s, p90 2.40 ms"];
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, view, &lines.map(str::to_owned))).unwrap();
    terminal.backend().clone()
}

#[test]
fn on_a_usual_terminal() {
    assert_snapshot!(screen(80, 24, &view()), @r#"
    "run 3/20 async block 1 load.rate_per_s=500                      q: stop in order"
    "window: 6 of 10 s, run 4 s left, bench 3 min                                    "
    "tasks                      most tasks waiting        CPU, % of a core           "
    "asked           500/s      worker 12           7     loadgen        9           "
    "achieved        482/s      worker 3            4     redis          -           "
    "completed        4068      worker 0            1     workers      111           "
    "failed              3                                                           "
    "backlog            12                                                           "
    "latency, ms                    p50       p90       p99       max                "
    "response, last second         0.49      2.40         -     10.00                "
    "service, last second          0.32         -         -         -                "
    "response, window              0.50      2.50      23.4       137                "
    "service, window               0.25      1.25      11.7      68.5                "
    "ok so far                                                                       "
    "on time 99.87 %, lateness p99 at most 1 ms, errors 0                            "
    "response p90 by the second  now 2.50 ms, highest 4.00 ms                        "
    "  .█▂                                                                           "
    " ▄.██▇                                                                          "
    "▆█.███                                                                          "
    "results                                                                         "
    "run 1/20 threads to warm up, not kept: ok                                       "
    "run 2/20 threads block 1: ok: 499/s, p90 2.40 ms                                "
    "                                                                                "
    "                                                                                "
    "#);
}

#[test]
fn on_a_tiny_terminal() {
    let failed = vec!["invalid: 3 errors".to_owned(), "overloaded: worker 12 had 100 waiting".to_owned()];
    assert_snapshot!(screen(40, 10, &View { failed, ..view() }), @r#"
    "run 3/20 async block 1 load.rate_per_s=5"
    "window: 6 of 10 s, run 4 s left, bench 3"
    "invalid: 3 errors; overloaded: worker 12"
    "on time 99.87 %, lateness p99 at most 1 "
    "482/s of 500/s, backlog 12              "
    "completed 4068, failed 3                "
    "resp. p50 0.50 p90 2.50 p99 23.4 max 137"
    "serv. p50 0.25 p90 1.25 p99 11.7 max 68."
    "CPU % loadgen 9 redis - workers 111     "
    "waiting 12: 7 3: 4 0: 1                 "
    "#);
}

#[test]
fn before_anything_is_known() {
    let unknown = View {
        phase: "starting the dynos: bench 3 min left".to_owned(),
        tasks: view().tasks.map(|(name, _)| (name, "-".to_owned())),
        waiting: Waiting::AtWorkers(Vec::new()),
        latency: view().latency.map(|(name, _)| (name, [None; 4])),
        curve: Vec::new(),
        cpu: Vec::new(),
        validity: None,
        ..view()
    };
    assert_snapshot!(screen(72, 20, &unknown), @r#"
    "run 3/20 async block 1 load.rate_per_s=500              q: stop in order"
    "starting the dynos: bench 3 min left                                    "
    "tasks                   most tasks waiting      CPU, % of a core        "
    "asked               -   nobody waits                                    "
    "achieved            -                                                   "
    "completed           -                                                   "
    "failed              -                                                   "
    "backlog             -                                                   "
    "latency, ms                    p50       p90       p99       max        "
    "response, last second            -         -         -         -        "
    "service, last second             -         -         -         -        "
    "response, window                 -         -         -         -        "
    "service, window                  -         -         -         -        "
    "nothing is measured yet                                                 "
    "                                                                        "
    "response p90 by the second                                              "
    "                                                                        "
    "                                                                        "
    "results                                                                 "
    "run 2/20 threads block 1: ok: 499/s, p90 2.40 ms                        "
    "#);
}

#[test]
fn of_a_queue() {
    let depth = Depth { visible: 1234, in_flight: 20, delayed: 3, dead: 1 };
    let lines = |width, height| {
        let screen = screen(width, height, &View { waiting: Waiting::InQueue(depth), ..view() });
        let text = screen.to_string();
        text.lines().map(|line| line.trim_matches('"').trim_end().to_owned()).collect::<Vec<_>>()
    };
    let wide: Vec<String> = lines(80, 24)[2..7].iter().map(|line| line.chars().skip(27).take(22).collect()).collect();
    assert_eq!(
        wide,
        [
            "tasks in the queue    ",
            "visible          1234 ",
            "in flight          20 ",
            "delayed             3 ",
            "dead                1"
        ]
    );
    assert_eq!(lines(40, 10)[9], "waiting visible 1234 in flight 20 delaye");
}

/// Whatever the size: nothing panics.
#[test]
fn on_any_terminal() {
    for width in (0..120).step_by(7) {
        for height in 0..40 {
            screen(width, height, &view());
        }
    }
}
