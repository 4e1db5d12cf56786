//! Ticks by tables, and what holds of all of them.

use proptest::prelude::{prop_assert, proptest};

use super::{Scale, Tick};
use crate::metric::Unit;

fn labels(ticks: &[Tick]) -> String {
    ticks.iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>().join(", ")
}

#[test]
fn round_ticks_in_units_that_fit() {
    let of = |unit, values: &[f64], most| labels(&Scale::of(unit, values.iter().copied()).unwrap().ticks(unit, most));
    for (unit, values, most, expected) in [
        (Unit::Micros, [251.0, 240.0].as_slice(), 6, "0, 100 µs, 200 µs, 300 µs"),
        (Unit::Micros, &[1_300.0, 700.0], 6, "0, 0.5 ms, 1 ms, 1.5 ms"),
        (Unit::Micros, &[180.0, 4_200.0], 6, "100 µs, 200 µs, 500 µs, 1 ms, 2 ms, 5 ms"),
        (Unit::Micros, &[180.0, 4_200.0], 4, "100 µs, 300 µs, 1 ms, 3 ms"),
        (Unit::Micros, &[100.0, 7e6], 6, "100 µs, 1 ms, 10 ms, 100 ms, 1 s, 10 s"),
        (Unit::Bytes, &[15.7 * 1_048_576.0, 40.0 * 1_048_576.0], 6, "0, 10 MiB, 20 MiB, 30 MiB, 40 MiB"),
        (Unit::PerSecond, &[599.4, 1_000.2], 6, "0, 500 /s, 1000 /s, 1500 /s"),
        (Unit::Number, &[0.0, 0.0], 6, "0, 0.2, 0.4, 0.6, 0.8, 1"),
    ] {
        assert_eq!(of(unit, values, most), expected, "{values:?}");
    }
    assert_eq!(Scale::of(Unit::Micros, [f64::INFINITY].into_iter()), None);
}

#[test]
fn ratios_close_to_one() {
    assert_eq!(labels(&Scale::log(0.9, 1.0 / 0.9).ticks(Unit::Number, 6)), "0.9, 0.95, 1, 1.05, 1.1");
    assert_eq!(labels(&Scale::log(0.4, 2.5).ticks(Unit::Number, 6)), "0.5, 1, 2");
}

#[test]
fn every_nine_is_as_wide_as_the_one_before() {
    let scale = Scale::tail(99.95);
    assert_eq!(labels(&scale.ticks(Unit::Number, 6)), "0 %, 50 %, 90 %, 99 %, 99.9 %");
    let width = |from, to| scale.at(to) - scale.at(from);
    assert!((width(90.0, 99.0) - width(99.0, 99.9)).abs() < 1e-9);
}

#[test]
fn swept_values() {
    let check = |values: &[f64], broken: bool, middle: f64| {
        let scale = Scale::swept(values);
        assert_eq!(scale.is_broken(), broken, "{values:?}");
        assert!((scale.at(values[1]) - middle).abs() < 0.01, "{values:?}: {}", scale.at(values[1]));
    };
    check(&[1.0, 10.0, 100.0], false, 0.5);
    check(&[1_000.0, 2_000.0, 3_000.0], false, 0.5);
    check(&[0.0, 10.0, 1_000.0], true, 0.5);
    check(&[0.0, 1.0, 2.0], false, 0.5);
    let far = [0.0, 200.0, 1_200.0, 5_000.0];
    assert_eq!(labels(&Scale::swept(&far).labelled(Unit::Micros, &far)), "0, 200 µs, 1.2 ms, 5 ms");
}

proptest! {
    /// Ticks lie inside, rise, have different words, and are no more than asked for.
    #[test]
    fn ticks(low in 1e-3..1e9, factor in 1.0..1e6, most in 2usize..12, unit in 0..5usize, kind in 0..3) {
        let unit = [Unit::Micros, Unit::Millis, Unit::Bytes, Unit::PerSecond, Unit::Number][unit];
        let scale = match kind {
            0 => Scale::of(unit, [low, low * factor].into_iter()).unwrap(),
            1 => Scale::log(low, low * factor),
            _ => Scale::linear(low, low * factor),
        };
        let ticks = scale.ticks(unit, most);
        prop_assert!(ticks.len() <= most, "{ticks:?}");
        prop_assert!(ticks.iter().all(|tick| (0.0..=1.0).contains(&tick.at)), "{ticks:?}");
        prop_assert!(ticks.windows(2).all(|pair| pair[0].at < pair[1].at), "{ticks:?}");
        let mut labels: Vec<&str> = ticks.iter().map(|tick| tick.label.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        prop_assert!(labels.len() == ticks.len(), "{ticks:?}");
    }

    /// Places follow the order of values, on every kind of axis.
    #[test]
    fn places(a in 0.0..1e6, b in 0.0..1e6) {
        let (a, b) = (f64::min(a, b), f64::max(a, b));
        let of_percent = |value: f64| value / 1e6 * 99.99;
        for scale in [Scale::linear(0.0, 1e6), Scale::log(1.0, 1e6), Scale::swept(&[0.0, 1.0, 1e6])] {
            prop_assert!(scale.at(a) <= scale.at(b));
        }
        let tail = Scale::tail(99.99);
        prop_assert!(tail.at(of_percent(a)) <= tail.at(of_percent(b)));
    }
}
