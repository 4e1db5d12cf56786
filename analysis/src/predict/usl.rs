//! The Universal Scalability Law (Gunther 1993, 2007), X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)), by least
//! squares on throughput with sigma, kappa >= 0. Pure.
//!
//! With a = 1 / lambda, b = sigma / lambda, c = kappa / lambda it is X = N / (a + b (N - 1) + c N (N - 1)), and a, b, c >= 0 is
//! all that is asked of them.

use common::report::prediction::{Coefficient, ScalabilityLaw};

use super::least_squares::{Curve, fit};

/// Different numbers of workers that a fit needs: three coefficients, and one more that could contradict them.
pub const WORKERS_MIN: usize = 4;
/// Doublings or halvings after which an interval has no end.
const DOUBLINGS: u32 = 60;

/// The law that fits `points` (workers, throughput) best; `None` with fewer than [`WORKERS_MIN`] different numbers of workers, or
/// where a throughput is not positive.
///
/// Intervals are those of the profile: a coefficient belongs to the 95 % interval when the best fit with it held there has at
/// most 1 + t^2 / (n - 3) times the least sum of squares, with t the 97.5 % point of Student's t (Bates and Watts 1988, 6.1).
/// Unlike estimate +- t standard errors they respect the constraints, and say so when a coefficient may be anything from 0 on.
#[must_use]
pub fn law(points: &[(f64, f64)]) -> Option<ScalabilityLaw> {
    let mut workers: Vec<f64> = points.iter().map(|&(workers, _)| workers).collect();
    workers.sort_by(f64::total_cmp);
    workers.dedup();
    let positive = |&(workers, throughput): &(f64, f64)| workers >= 1.0 && throughput > 0.0 && throughput.is_finite();
    if workers.len() < WORKERS_MIN || !points.iter().all(positive) {
        return None;
    }
    let best = fit(points, &Curve { offset: |_| 0.0, bases: &[&one, &others, &pairs] })?;
    let &[a, b, c] = best.coefficients.as_slice() else { return None };
    let (lambda, sigma, kappa) = (1.0 / a, b / a, c / a);
    if !lambda.is_finite() {
        return None;
    }
    let freedom = (points.len() - 3) as f64;
    let limit = best.squares * (1.0 + student_t(freedom).powi(2) / freedom);
    let within = |squares: Option<f64>| squares.is_some_and(|squares| squares <= limit);
    let with_lambda = |lambda: f64| {
        let curve = Curve { offset: |_| 1.0 / lambda, bases: &[&others, &pairs] };
        within(fit(points, &curve).map(|fit| fit.squares))
    };
    let with_sigma = |sigma: f64| {
        let first = |workers: f64| 1.0 + sigma * others(workers);
        within(fit(points, &Curve { offset: |_| 0.0, bases: &[&first, &pairs] }).map(|fit| fit.squares))
    };
    let with_kappa = |kappa: f64| {
        let first = |workers: f64| 1.0 + kappa * pairs(workers);
        within(fit(points, &Curve { offset: |_| 0.0, bases: &[&first, &others] }).map(|fit| fit.squares))
    };
    let mut law = ScalabilityLaw {
        lambda_per_s: interval(lambda, lambda, with_lambda),
        // First steps where the estimate is 0: less would hardly be seen.
        sigma: interval(sigma, 1e-3, with_sigma),
        kappa: interval(kappa, 1e-6, with_kappa),
        peak_workers: None,
        peak_per_s: None,
        runs: u32::try_from(points.len()).unwrap_or(u32::MAX),
    };
    // Where kappa may be 0 there may be no peak.
    if law.kappa.low > 0.0 {
        let peak = ((1.0 - sigma).max(0.0) / kappa).sqrt().max(1.0);
        law.peak_workers = Some(peak);
        law.peak_per_s = Some(throughput(&law, peak));
    }
    Some(law)
}

/// X(N) by `law`.
#[must_use]
pub fn throughput(law: &ScalabilityLaw, workers: f64) -> f64 {
    let (lambda, sigma, kappa) = (law.lambda_per_s.value, law.sigma.value, law.kappa.value);
    lambda * workers / (1.0 + sigma * others(workers) + kappa * pairs(workers))
}

fn one(_: f64) -> f64 {
    1.0
}

/// Workers besides oneself.
fn others(workers: f64) -> f64 {
    workers - 1.0
}

/// Pairs of workers, each counted from both sides.
fn pairs(workers: f64) -> f64 {
    workers * (workers - 1.0)
}

/// From the smallest to the largest value at which `within` holds, around `value`, where it does; the least is 0.
fn interval(value: f64, step: f64, within: impl Fn(f64) -> bool) -> Coefficient {
    // Between one that is within and one that is not, to 40 halvings.
    let edge = |mut inside: f64, mut outside: f64| {
        for _ in 0..40 {
            let middle = f64::midpoint(inside, outside);
            if within(middle) { inside = middle } else { outside = middle }
        }
        inside
    };
    let low = if value == 0.0 || within(0.0) { 0.0 } else { edge(value, 0.0) };
    let beyond = (0..DOUBLINGS).map(|doubling| value + step.max(value) * f64::from(doubling).exp2());
    let outside = beyond.into_iter().find(|&beyond| !within(beyond));
    Coefficient { value, low, high: outside.map(|outside| edge(value, outside)) }
}

/// The 97.5 % point of Student's t: exact for one and two degrees of freedom, beyond that within 0.2 % by an expansion about
/// the normal distribution (Abramowitz and Stegun 1964, 26.7.5).
fn student_t(freedom: f64) -> f64 {
    if freedom < 1.5 {
        return (0.475 * std::f64::consts::PI).tan();
    }
    if freedom < 2.5 {
        return 0.95 * (2.0f64 / (1.0 - 0.95 * 0.95)).sqrt();
    }
    let z: f64 = 1.959_963_985;
    let powers = |coefficients: &[f64]| coefficients.iter().fold(0.0, |sum, coefficient| sum * z * z + coefficient) * z;
    z + powers(&[1.0, 1.0]) / (4.0 * freedom)
        + powers(&[5.0, 16.0, 3.0]) / (96.0 * freedom.powi(2))
        + powers(&[3.0, 19.0, 17.0, -15.0]) / (384.0 * freedom.powi(3))
        + powers(&[79.0, 776.0, 1482.0, -1920.0, -945.0]) / (92_160.0 * freedom.powi(4))
}

#[cfg(test)]
mod tests;
