//! What loadgen itself can do on the host, so that readers see how far from it the plan stayed.

use common::report::{AtRate, Ceiling};

use crate::format::{NOTHING, grouped, quantity};
use crate::metric::Unit;

/// One line per engine.
pub(super) fn facts(ceilings: &[Ceiling]) -> Vec<String> {
    if ceilings.is_empty() {
        return vec!["generator: its ceiling is not known on this host (make calibrate)".to_owned()];
    }
    ceilings.iter().map(of_engine).collect()
}

fn of_engine(ceiling: &Ceiling) -> String {
    let Ceiling { engine, ceiling_per_s, at_least, at, measured_at, .. } = ceiling;
    let more = if *at_least { "at least " } else { "" };
    let at = if at.is_empty() {
        String::new()
    } else {
        format!(
            "; at {} tasks/s it is late by {} (p99) and takes {} of CPU a task",
            joined(at, |rate| Some(grouped(rate.rate_per_s.round() as u64))),
            joined(at, |rate| rate.lateness_p99_us.map(us)),
            joined(at, |rate| rate.cpu_us_per_task.map(us))
        )
    };
    let ceiling = grouped(ceiling_per_s.round() as u64);
    format!("generator: {more}{ceiling} tasks/s to the {engine} engine, calibrated {measured_at}{at}")
}

fn us(us: f64) -> String {
    quantity(Unit::Micros, us)
}

fn joined(at: &[AtRate], of: impl Fn(&AtRate) -> Option<String>) -> String {
    let each: Vec<String> = at.iter().map(|rate| of(rate).unwrap_or_else(|| NOTHING.to_owned())).collect();
    each.join(" / ")
}

#[cfg(test)]
mod tests {
    use common::plan::Engine;

    use super::*;

    fn at(rate_per_s: f64, lateness_p99_us: Option<f64>, cpu_us_per_task: f64) -> AtRate {
        AtRate {
            rate_per_s,
            lateness_p50_us: None,
            lateness_p90_us: None,
            lateness_p99_us,
            lateness_max_us: None,
            cpu_us_per_task: Some(cpu_us_per_task),
        }
    }

    #[test]
    fn says_how_much_it_can_send_how_late_and_for_how_much() {
        let mut ceiling = Ceiling {
            engine: Engine::Threaded,
            ceiling_per_s: 320_000.0,
            at_least: false,
            at: vec![at(1000.0, Some(52.96), 62.1), at(10_000.0, None, 26.06)],
            measured_at: "2026-11-26T03:21:49Z".to_owned(),
            build: String::new(),
            scheduling: String::new(),
            pacer_priority: String::new(),
        };
        assert_eq!(
            facts(std::slice::from_ref(&ceiling)),
            [
                "generator: 320 000 tasks/s to the threaded engine, calibrated 2026-11-26T03:21:49Z; at 1 000 / 10 000 tasks/s it is late \
              by 53 µs / - (p99) and takes 62.1 µs / 26.1 µs of CPU a task"
            ]
        );
        (ceiling.at_least, ceiling.at) = (true, Vec::new());
        assert_eq!(
            facts(&[ceiling]),
            ["generator: at least 320 000 tasks/s to the threaded engine, calibrated 2026-11-26T03:21:49Z"]
        );
        assert_eq!(facts(&[]), ["generator: its ceiling is not known on this host (make calibrate)"]);
    }
}
