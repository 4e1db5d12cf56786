//! A rate of arrivals over time, its integral and the inverse of that: what turns a process of rate 1 into one of any
//! rate. Pure.

use std::f64::consts::TAU;

/// Tasks a second, as a function of the seconds since the window began.
#[derive(Debug, Clone, PartialEq)]
pub enum Rate {
    /// Straight lines, one after another; it may jump between them.
    Lines(Vec<Line>),
    /// `mean_per_s x (1 + amplitude x sin(2 pi t / period_s))`.
    Sine {
        /// Over whole periods, tasks a second; above 0.
        mean_per_s: f64,
        /// Above 0, at most 1.
        amplitude: f64,
        /// Seconds, above 0.
        period_s: f64,
        /// Where it ends, seconds.
        length_s: f64,
    },
}

/// A part of the window in which the rate is a straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    from_s: f64,
    length_s: f64,
    begin_per_s: f64,
    end_per_s: f64,
    /// Tasks of the lines before it.
    before: f64,
}

impl Line {
    fn end_s(&self) -> f64 {
        self.from_s + self.length_s
    }

    fn slope(&self) -> f64 {
        (self.end_per_s - self.begin_per_s) / self.length_s
    }

    fn tasks(&self) -> f64 {
        (self.begin_per_s + self.end_per_s) / 2.0 * self.length_s
    }
}

/// Newton's method doubles its digits in each round; where the rate touches 0 it needs more, and halving the interval
/// gains a bit in each.
const ROUNDS_MAX: u32 = 64;
/// Instants are nanoseconds.
const PRECISION_S: f64 = 1e-10;

impl Rate {
    /// Lines of (length in seconds, rate at its begin, rate at its end), from 0 on; those without length are left out.
    #[must_use]
    pub fn lines(lines: &[(f64, f64, f64)]) -> Rate {
        let (mut from_s, mut before) = (0.0, 0.0);
        let mut all = Vec::new();
        for &(length_s, begin_per_s, end_per_s) in lines.iter().filter(|line| line.0 > 0.0) {
            let line = Line { from_s, length_s, begin_per_s, end_per_s, before };
            from_s = line.end_s();
            before += line.tasks();
            all.push(line);
        }
        Rate::Lines(all)
    }

    /// Tasks a second at `t_s`, which lies within the window.
    #[must_use]
    pub fn at(&self, t_s: f64) -> f64 {
        match self {
            Rate::Lines(lines) => {
                let line = lines.iter().find(|line| t_s < line.end_s()).or(lines.last());
                line.map_or(0.0, |line| line.begin_per_s + line.slope() * (t_s - line.from_s))
            }
            Rate::Sine { mean_per_s, amplitude, period_s, .. } => {
                mean_per_s * (1.0 + amplitude * (TAU * t_s / period_s).sin())
            }
        }
    }

    /// Tasks from 0 to `t_s`: the integral.
    #[must_use]
    pub fn tasks_until(&self, t_s: f64) -> f64 {
        match self {
            Rate::Lines(lines) => lines.iter().find(|line| t_s < line.end_s()).map_or_else(
                || self.tasks(),
                |line| {
                    let since_s = t_s - line.from_s;
                    line.before + (line.begin_per_s + line.slope() * since_s / 2.0) * since_s
                },
            ),
            Rate::Sine { mean_per_s, amplitude, period_s, .. } => {
                let turn = TAU / period_s;
                mean_per_s * (t_s + amplitude / turn * (1.0 - (turn * t_s).cos()))
            }
        }
    }

    /// The highest rate; of a sine that of a crest, whether the window holds one or not.
    #[must_use]
    pub fn peak(&self) -> f64 {
        match self {
            Rate::Lines(lines) => lines.iter().map(|line| line.begin_per_s.max(line.end_per_s)).fold(0.0, f64::max),
            Rate::Sine { mean_per_s, amplitude, .. } => mean_per_s * (1.0 + amplitude),
        }
    }

    /// Tasks of the whole window.
    #[must_use]
    pub fn tasks(&self) -> f64 {
        match self {
            Rate::Lines(lines) => lines.last().map_or(0.0, |line| line.before + line.tasks()),
            Rate::Sine { length_s, .. } => self.tasks_until(*length_s),
        }
    }

    /// When `tasks` have come, in seconds: the inverse of [`tasks_until`](Self::tasks_until). Where the rate is 0 for a
    /// while, the end of that while.
    #[must_use]
    pub fn instant_of(&self, tasks: f64) -> f64 {
        match self {
            Rate::Lines(lines) => {
                let position = lines.partition_point(|line| line.before + line.tasks() <= tasks);
                match lines.get(position) {
                    // The root of a quadratic, in the form that subtracts nothing and holds for a slope of 0 too.
                    Some(line) => {
                        let rest = tasks - line.before;
                        let root = (line.begin_per_s.powi(2) + 2.0 * line.slope() * rest).max(0.0).sqrt();
                        line.from_s + if rest > 0.0 { 2.0 * rest / (line.begin_per_s + root) } else { 0.0 }
                    }
                    None => lines.iter().rfind(|line| line.tasks() > 0.0).map_or(0.0, Line::end_s),
                }
            }
            Rate::Sine { mean_per_s, amplitude, period_s, length_s } => {
                // 1 - cos lies between 0 and 2.
                let latest = (tasks / mean_per_s).min(*length_s);
                let earliest = (tasks / mean_per_s - amplitude * period_s * 2.0 / TAU).max(0.0);
                self.search(tasks, earliest, latest)
            }
        }
    }

    /// Newton's method, kept between `low` and `high` by bisection.
    fn search(&self, tasks: f64, mut low: f64, mut high: f64) -> f64 {
        let mut t_s = low + (high - low) / 2.0;
        for _ in 0..ROUNDS_MAX {
            let excess = self.tasks_until(t_s) - tasks;
            if excess > 0.0 {
                high = t_s;
            } else {
                low = t_s;
            }
            let newton = t_s - excess / self.at(t_s);
            let next = if low < newton && newton < high { newton } else { low + (high - low) / 2.0 };
            if (next - t_s).abs() < PRECISION_S {
                return next;
            }
            t_s = next;
        }
        t_s
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, Strategy, prop_assert, prop_oneof, proptest};

    use super::Rate;

    fn lines() -> impl Strategy<Value = Rate> {
        proptest::collection::vec((0.01..20.0, 0u32..3000, 0u32..3000), 1..6).prop_map(|lines| {
            Rate::lines(&lines.iter().map(|&(s, a, b)| (s, f64::from(a), f64::from(b))).collect::<Vec<_>>())
        })
    }

    fn sine() -> impl Strategy<Value = Rate> {
        (1.0..3000.0, 0.01..=1.0, 0.05..30.0, 0.1..60.0).prop_map(|(mean_per_s, amplitude, period_s, length_s)| {
            Rate::Sine { mean_per_s, amplitude, period_s, length_s }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        /// The inverse of the integral is its inverse, to a millionth of a task, and never goes back by as much as a
        /// nanosecond.
        #[test]
        fn the_inverse_inverts(rate in prop_oneof![lines(), sine()], shares in proptest::collection::vec(0.0..1.0f64, 1..20)) {
            let mut shares = shares;
            shares.sort_by(f64::total_cmp);
            let mut before = 0.0;
            for share in shares {
                let tasks = share * rate.tasks();
                let t_s = rate.instant_of(tasks);
                prop_assert!((rate.tasks_until(t_s) - tasks).abs() < 1e-5, "{} against {tasks}", rate.tasks_until(t_s));
                prop_assert!(t_s > before - 1e-9, "{t_s} after {before}");
                before = t_s;
            }
        }

        /// The integral is what the midpoint rule makes of the rate.
        #[test]
        fn the_integral_is_of_the_rate(rate in prop_oneof![lines(), sine()], from in 0.0..0.5f64) {
            let end_s = match &rate { Rate::Lines(lines) => lines.last().unwrap().end_s(), Rate::Sine { length_s, .. } => *length_s };
            let (from_s, n) = (from * end_s, 20_000);
            let step_s = (end_s - from_s) / f64::from(n);
            let sum: f64 = (0..n).map(|i| rate.at(from_s + (f64::from(i) + 0.5) * step_s) * step_s).sum();
            let integral = rate.tasks() - rate.tasks_until(from_s);
            // At each of up to five jumps of up to 3000/s one step may be on the wrong side.
            prop_assert!((sum - integral).abs() < 1e-3 + 1e-4 * integral + 15_000.0 * step_s, "{sum} against {integral}");
        }
    }

    #[test]
    fn nothing_arrives_while_the_rate_is_0() {
        let rate =
            Rate::lines(&[(1.0, 0.0, 0.0), (1.0, 10.0, 10.0), (2.0, 0.0, 0.0), (1.0, 5.0, 5.0), (1.0, 0.0, 0.0)]);
        let instants = [0.0, 5.0, 9.999, 10.0, 15.0].map(|tasks| (rate.instant_of(tasks) * 1e4).round() / 1e4);
        assert_eq!(instants, [1.0, 1.5, 1.9999, 4.0, 5.0]);
        assert_eq!([0.5, 1.0, 3.9, 4.0, 6.0].map(|t_s| rate.at(t_s)), [0.0, 10.0, 0.0, 5.0, 0.0]);
    }
}
