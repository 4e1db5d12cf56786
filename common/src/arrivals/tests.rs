//! What every schedule holds to, whatever the process.

use proptest::prelude::{ProptestConfig, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{Schedule, schedule};
use crate::plan::Plan;

/// `[load]` is `load`; a trace `t.csv` is there for the plan that names it.
fn plan(load: &str, workers: &str) -> Plan {
    let text = format!(
        "name = \"t\"\n[task]\nkind = \"null\"\n[load]\n{load}\n[workers]\n{workers}\n[[variant]]\nname = \"a\"\nengine = \"async\"\n"
    );
    Plan::parse_with(&text, &[], &mut |_| Ok(TRACE.to_owned())).unwrap()
}

const TRACE: &str = "at_s\n0\n0.25\n0.25\n0.5\n1.75\n1.999999999\n";

fn made(load: &str, seed: u64) -> Schedule {
    schedule(&plan(load, "count = 7").cells[0].settings, seed)
}

/// The window's instants, in seconds since it began.
fn window_s(load: &str, seed: u64) -> Vec<f64> {
    let made = made(load, seed);
    made.arrivals[made.warmup..].iter().map(|at| (at.intended_ns - made.window_start_ns) as f64 / 1e9).collect()
}

/// A process whose rate changes over a window of 10 s.
struct Shape {
    load: &'static str,
    /// Tasks until t seconds, worked out by hand.
    until: fn(f64) -> f64,
}

const SHAPES: [Shape; 4] = [
    Shape {
        load: "arrivals = \"ramp\"\nrate_per_s = 200\nrate_end_per_s = 1000\nduration_s = 10\n",
        until: |t| 200.0 * t + 40.0 * t * t,
    },
    Shape {
        load: "arrivals = \"steps\"\nstep = [{ rate_per_s = 100, duration_s = 2.5 }, { rate_per_s = 900, duration_s = 2.5 }, \
               { rate_per_s = 0, duration_s = 1 }, { rate_per_s = 500, duration_s = 4 }]\nduration_s = 10\n",
        until: |t| 100.0 * t.min(2.5) + 900.0 * (t - 2.5).clamp(0.0, 2.5) + 500.0 * (t - 6.0).max(0.0),
    },
    Shape {
        load: "arrivals = \"burst\"\nrate_per_s = 300\nburst_rate_per_s = 1500\nburst_from_s = 4.3\nburst_to_s = 6\nduration_s = 10\n",
        until: |t| 300.0 * t + 1200.0 * (t - 4.3).clamp(0.0, 1.7),
    },
    Shape {
        load: "arrivals = \"sine\"\nrate_per_s = 600\namplitude = 1\nperiod_s = 4\nduration_s = 10\n",
        until: |t| {
            let turn = std::f64::consts::PI / 2.0;
            600.0 * (t + (1.0 - (turn * t).cos()) / turn)
        },
    },
];

/// Kolmogorov-Smirnov against the uniform law on [0, 1), 1 % level: D < 1.63 / sqrt(n).
#[track_caller]
fn check_uniform(mut values: Vec<f64>, what: &str) {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let distance =
        |(index, value): (usize, &f64)| (value - index as f64 / n).abs().max((value - (index as f64 + 1.0) / n).abs());
    let largest = values.iter().enumerate().map(distance).fold(0.0, f64::max);
    assert!(largest < 1.63 / n.sqrt(), "{what}: D = {largest}");
}

#[test]
fn the_count_is_exactly_rate_times_length() {
    for process in ["constant", "poisson"] {
        for (rate, seconds, count) in
            [(700.0, 1.0, 700), (1500.0, 1.0, 1500), (1500.0, 240.0, 360_000), (0.5, 4.0, 2), (999.9, 10.0, 9999)]
        {
            let load =
                format!("arrivals = \"{process}\"\nrate_per_s = {rate}\nduration_s = {seconds}\nwarmup_s = {seconds}");
            let made = made(&load, 1);
            assert_eq!((made.warmup, made.arrivals.len() - made.warmup), (count, count), "{load}");
        }
    }
}

#[test]
fn constant_arrivals_do_not_drift() {
    let at = made("arrivals = \"constant\"\nrate_per_s = 700\nduration_s = 240\nwarmup_s = 0", 1).arrivals;
    assert_eq!(at[700].intended_ns, 1_000_000_000);
    assert_eq!(at[699 * 240].intended_ns, 239_657_142_857);
}

#[test]
fn poisson_gaps_are_exponential_and_instants_uniform() {
    for seed in 1..=5 {
        let at = window_s("arrivals = \"poisson\"\nrate_per_s = 1000\nduration_s = 10", seed);
        assert_eq!(at.len(), 10_000);
        let law = at.windows(2).map(|pair| 1.0 - (-(pair[1] - pair[0]) * 1000.0).exp()).collect();
        check_uniform(law, &format!("gaps, seed {seed}"));
        check_uniform(at.iter().map(|at| at / 10.0).collect(), &format!("instants, seed {seed}"));
    }
}

#[test]
fn poisson_scatters_and_constant_does_not() {
    for seed in 1..=5 {
        let gaps = made("arrivals = \"poisson\"\nrate_per_s = 1000\nduration_s = 60", seed).gaps();
        assert!((gaps.cv.unwrap() - 1.0).abs() < 0.02, "{gaps:?}");
        // Standard errors sqrt(2 / bins): 0.018 and 0.058.
        assert!((gaps.dispersion_10ms.unwrap() - 1.0).abs() < 0.07, "{gaps:?}");
        assert!((gaps.dispersion_100ms.unwrap() - 1.0).abs() < 0.23, "{gaps:?}");
        let gaps = made("arrivals = \"constant\"\nrate_per_s = 1000\nduration_s = 60", seed).gaps();
        assert!(gaps.cv.unwrap() < 1e-6 && gaps.dispersion_10ms.unwrap() < 0.01, "{gaps:?}");
    }
}

/// Counts in each tenth of the window, and what the rate makes expect of it.
fn tenths(shape: &Shape, spacing: &str, seed: u64) -> Vec<(f64, f64)> {
    let at = window_s(&format!("{}spacing = \"{spacing}\"", shape.load), seed);
    let total = (shape.until)(10.0);
    assert_eq!(at.len() as f64, total.round(), "{}", shape.load);
    (0..10)
        .map(|tenth| {
            let (from, to) = (f64::from(tenth), f64::from(tenth + 1));
            let count = at.iter().filter(|at| (from..to).contains(at)).count();
            (count as f64, (shape.until)(to) - (shape.until)(from))
        })
        .collect()
}

#[test]
fn evenly_spaced_shapes_are_within_one_task_of_their_rate() {
    for shape in &SHAPES {
        for (count, expected) in tenths(shape, "constant", 1) {
            assert!((count - expected).abs() <= 1.0 + 1e-6, "{}: {count} for {expected}", shape.load);
        }
    }
}

#[test]
fn poisson_shapes_scatter_about_their_rate() {
    for shape in &SHAPES {
        for seed in 1..=5 {
            let tenths = tenths(shape, "poisson", seed);
            let total: f64 = tenths.iter().map(|(count, _)| count).sum();
            let squares = tenths.iter().map(|&(count, expected)| {
                // Exactly 0 where the rate is 0.
                let deviation = if expected.abs() < 1e-9 {
                    0.0
                } else {
                    (count - expected) / (expected * (1.0 - expected / total)).sqrt()
                };
                assert!(count == 0.0 || expected > 0.0);
                assert!(deviation.abs() < 4.0, "{} seed {seed}: {count} for {expected}", shape.load);
                deviation.powi(2)
            });
            // About chi-squared with 9 degrees of freedom: 33.7 is exceeded once in ten thousand.
            let squares: f64 = squares.sum();
            assert!(squares < 33.7, "{} seed {seed}: {squares}", shape.load);
            let at = window_s(shape.load, seed);
            check_uniform(at.iter().map(|&at| (shape.until)(at) / (shape.until)(10.0)).collect(), shape.load);
        }
    }
}

/// A shape that keeps one rate is the process without a shape, to the nanosecond that rounding may take.
#[test]
fn shapes_without_a_shape_are_constant_and_poisson() {
    let common = "duration_s = 3\nwarmup_s = 0.7\n";
    for spacing in ["constant", "poisson"] {
        let plain = made(&format!("{common}arrivals = \"{spacing}\"\nrate_per_s = 700"), 3);
        for shape in [
            "arrivals = \"ramp\"\nrate_per_s = 700\nrate_end_per_s = 700",
            "arrivals = \"burst\"\nrate_per_s = 700\nburst_rate_per_s = 700\nburst_from_s = 1\nburst_to_s = 2",
            "arrivals = \"steps\"\nstep = [{ rate_per_s = 700, duration_s = 3 }]",
        ] {
            let shaped = made(&format!("{common}{shape}\nspacing = \"{spacing}\""), 3);
            assert_eq!((shaped.warmup, shaped.arrivals.len()), (plain.warmup, plain.arrivals.len()), "{shape}");
            for (one, other) in shaped.arrivals.iter().zip(&plain.arrivals) {
                assert!(one.intended_ns.abs_diff(other.intended_ns) <= 1, "{shape}: {one:?} {other:?}");
            }
        }
    }
}

#[test]
fn the_warm_up_has_the_rate_with_which_the_window_begins() {
    let burst = "arrivals = \"burst\"\nrate_per_s = 10\nburst_rate_per_s = 400\nburst_from_s = 0\nburst_to_s = 1\nduration_s = 10\n";
    let trace = "arrivals = \"trace\"\ntrace = \"t.csv\"\nduration_s = 2\n";
    for (load, count) in [
        (SHAPES[0].load, 400),
        (SHAPES[1].load, 200),
        (SHAPES[2].load, 600),
        (SHAPES[3].load, 1200),
        (burst, 800),
        (trace, 6),
    ] {
        assert_eq!(made(&format!("{load}warmup_s = 2"), 1).warmup, count, "{load}");
    }
    let even = made(&format!("{}warmup_s = 2\nspacing = \"constant\"", SHAPES[0].load), 1);
    assert!(even.arrivals[..400].windows(2).all(|pair| pair[1].intended_ns - pair[0].intended_ns == 5_000_000));
}

#[test]
fn a_trace_is_replayed_as_it_is_in_every_block() {
    let load = "arrivals = \"trace\"\ntrace = \"t.csv\"\nduration_s = 2\nwarmup_s = 1";
    for seed in 1..4 {
        assert_eq!(window_s(load, seed), [0.0, 0.25, 0.25, 0.5, 1.75, 1.999_999_999]);
    }
}

#[test]
fn golden_fingerprints() {
    let window = "duration_s = 2\nwarmup_s = 0.5\nseed = 1\n";
    let ramp = "arrivals = \"ramp\"\nrate_per_s = 1000\nrate_end_per_s = 3000";
    let even_ramp = format!("{ramp}\nspacing = \"constant\"");
    let steps = "arrivals = \"steps\"\nstep = [{ rate_per_s = 500, duration_s = 1.5 }, { rate_per_s = 2000, duration_s = 0.5 }]";
    let burst = "arrivals = \"burst\"\nrate_per_s = 500\nburst_rate_per_s = 5000\nburst_from_s = 0.7\nburst_to_s = 0.9";
    let sine = "arrivals = \"sine\"\nrate_per_s = 1000\namplitude = 0.5\nperiod_s = 0.8";
    let golden = [
        ("rate_per_s = 1000\narrivals = \"constant\"", "count = 7", "18cb07791da53738"),
        ("rate_per_s = 1000\narrivals = \"poisson\"", "count = 7", "6f33e9768eb6e9bc"),
        ("rate_per_s = 1000\narrivals = \"poisson\"", "count = 7\ndynos = 2\nchoice = \"random\"", "c3183b764127d8a6"),
        (ramp, "count = 7", "ba97716655941250"),
        (&even_ramp, "count = 7", "f12ce7517e97ead2"),
        (steps, "count = 7", "db3cdcc08ddc1f09"),
        (burst, "count = 7", "83aaa322cb2c304d"),
        (sine, "count = 7", "c0cc0b1bedc5de57"),
        ("arrivals = \"trace\"\ntrace = \"t.csv\"", "count = 7", "4502765649c1db29"),
    ];
    let made: Vec<String> = golden
        .iter()
        .map(|(more, workers, _)| schedule(&plan(&format!("{window}{more}"), workers).cells[0].settings, 42).hash())
        .collect();
    assert_eq!(made, golden.map(|(_, _, hash)| hash));
}

#[test]
fn dynos_take_turns_even_when_their_sizes_differ() {
    let plan = plan(
        "rate_per_s = 100\nduration_s = 1\nwarmup_s = 0",
        "count = 150\ndynos = 2\n[[workers.override]]\ndyno = 1\ncount = 3",
    );
    let schedule = schedule(&plan.cells[0].settings, 1);
    assert!(schedule.arrivals.iter().enumerate().all(|(i, a)| a.dyno as usize == i % 2));
    assert!(schedule.arrivals.iter().all(|a| a.worker < if a.dyno == 0 { 150 } else { 3 }));
}

/// Any process but a trace: its keys without lengths, and the tasks of a second of warm-up and of `seconds` of window.
fn any_load(seconds: f64) -> impl Strategy<Value = (String, f64, f64)> {
    let rate = || prop_oneof![(1u32..50).prop_map(|hundreds| f64::from(hundreds) * 100.0), 1.0..5000.0];
    let spacing = || prop_oneof!["constant", "poisson"];
    let stationary = (spacing(), rate()).prop_map(move |(process, rate)| {
        (format!("arrivals = \"{process}\"\nrate_per_s = {rate}"), rate, rate * seconds)
    });
    let ramp = (spacing(), rate(), rate()).prop_map(move |(spacing, from, to)| {
        let load = format!("arrivals = \"ramp\"\nspacing = \"{spacing}\"\nrate_per_s = {from}\nrate_end_per_s = {to}");
        (load, from, (from + to) / 2.0 * seconds)
    });
    let steps = (spacing(), rate(), rate(), 0.1..0.9f64).prop_map(move |(spacing, first, second, share)| {
        let (first_s, second_s) = (share * seconds, (1.0 - share) * seconds);
        let load = format!(
            "arrivals = \"steps\"\nspacing = \"{spacing}\"\nstep = [{{ rate_per_s = {first}, duration_s = {first_s} }}, \
             {{ rate_per_s = 0, duration_s = {} }}, {{ rate_per_s = {second}, duration_s = {} }}]",
            second_s / 4.0,
            second_s - second_s / 4.0
        );
        (load, first, first * first_s + second * 0.75 * second_s)
    });
    let burst = (spacing(), rate(), rate(), 0.0..0.5f64, 0.1..0.5f64).prop_map(move |(spacing, base, burst, from, length)| {
        let (from_s, to_s) = (from * seconds, (from + length) * seconds);
        let load = format!(
            "arrivals = \"burst\"\nspacing = \"{spacing}\"\nrate_per_s = {base}\nburst_rate_per_s = {burst}\nburst_from_s = {from_s}\nburst_to_s = {to_s}"
        );
        let begin = if from_s == 0.0 { burst } else { base };
        (load, begin, base * seconds + (burst - base) * length * seconds)
    });
    let sine = (spacing(), rate(), 0.01..=1.0f64, 0.05..5.0f64).prop_map(move |(spacing, rate, amplitude, period)| {
        let load = format!(
            "arrivals = \"sine\"\nspacing = \"{spacing}\"\nrate_per_s = {rate}\namplitude = {amplitude}\nperiod_s = {period}"
        );
        let turn = std::f64::consts::TAU / period;
        (load, rate, rate * (seconds + amplitude / turn * (1.0 - (turn * seconds).cos())))
    });
    prop_oneof![stationary, ramp, steps, burst, sine]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    /// Every schedule is sorted, lies within its segments, names workers that exist, holds exactly as many tasks as its
    /// rate makes, is the same for the same seed and another for another block.
    #[test]
    fn schedules_are_ordered_bounded_and_exact(
        (load, warmup, window) in any_load(2.3), count in 1u32..50, dynos in 1u32..4, seed in 0u64..1000, random: bool,
    ) {
        let choice = if random { "random" } else { "round-robin" };
        let plan = plan(
            &format!("{load}\nduration_s = 2.3\nwarmup_s = 1"),
            &format!("count = {count}\ndynos = {dynos}\nchoice = \"{choice}\""),
        );
        let settings = &plan.cells[0].settings;
        let made = schedule(settings, seed);
        prop_assert_eq!(&made, &schedule(settings, seed));
        let chance = random && count > 1 || !load.contains("\"constant\"");
        if chance && made.arrivals.len() > 20 {
            prop_assert!(made.hash() != schedule(settings, seed + 1).hash());
        }
        let counts = [(made.warmup, warmup), (made.arrivals.len() - made.warmup, window)];
        for (count, tasks) in counts {
            prop_assert!((count as f64 - tasks).abs() <= 0.5 + 1e-6, "{count} for {tasks}");
        }
        prop_assert_eq!(settings.load.planned() + settings.load.warmup_planned(), made.arrivals.len() as u64);
        prop_assert!((settings.load.mean_rate_per_s() * 2.3 - window).abs() < 1e-6 * window);
        prop_assert!(made.arrivals.windows(2).all(|pair| pair[0].intended_ns <= pair[1].intended_ns));
        prop_assert!(made.arrivals[..made.warmup].iter().all(|a| a.intended_ns <= made.window_start_ns));
        prop_assert!(made.arrivals[made.warmup..].iter().all(|a| (made.window_start_ns..=made.window_end_ns).contains(&a.intended_ns)));
        prop_assert!(made.arrivals.iter().all(|a| a.worker < count && a.dyno < dynos));
    }
}
