//! Intended instants of warm-up and window, by process.

use rand::SeedableRng;
use rand_distr::{Distribution, Exp1};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::plan::{ArrivalProcess, Load, Spacing};
use crate::rate::Rate;

/// Of the warm-up, from 0 on, ascending, in nanoseconds: at one rate, spaced as the window is.
pub(super) fn of_warmup(load: &Load, seed: u64) -> Vec<u64> {
    let even = load.arrivals == ArrivalProcess::Constant || load.spacing == Some(Spacing::Constant);
    let spacing = if even { Spacing::Constant } else { Spacing::Poisson };
    at_one_rate(spacing, load.warmup_rate_per_s(), load.warmup_s, load.warmup_planned(), seed)
}

/// Of the window, from its begin on, ascending, in nanoseconds.
pub(super) fn of_window(load: &Load, seed: u64) -> Vec<u64> {
    let count = load.planned();
    match (load.arrivals, load.rate(), &load.trace) {
        (ArrivalProcess::Constant, ..) => {
            at_one_rate(Spacing::Constant, load.mean_rate_per_s(), load.duration_s, count, seed)
        }
        (ArrivalProcess::Poisson, ..) => {
            at_one_rate(Spacing::Poisson, load.mean_rate_per_s(), load.duration_s, count, seed)
        }
        (_, Some(rate), _) => {
            let spacing = load.spacing.unwrap_or(Spacing::Poisson);
            along(&rate, spacing, load.duration_s, count, seed)
        }
        (_, None, trace) => trace.as_ref().map_or_else(Vec::new, |trace| trace.instants_ns().to_vec()),
    }
}

/// `count` instants in `[0, length_s)`.
fn at_one_rate(spacing: Spacing, rate_per_s: f64, length_s: f64, count: u64, seed: u64) -> Vec<u64> {
    match spacing {
        Spacing::Constant => (0..count).map(|index| (index as f64 * 1e9 / rate_per_s) as u64).collect(),
        Spacing::Poisson => uniform(count, length_s * 1e9, seed).into_iter().map(|at_ns| at_ns as u64).collect(),
    }
}

/// `count` instants whose density is `rate`: a process of rate 1, its instants taken through the inverse of the integral
/// of the rate (time rescaling: Cinlar 1975; for a fixed count Lewis and Shedler 1979). Evenly spaced, arrival
/// i comes when the integral reaches i.
fn along(rate: &Rate, spacing: Spacing, length_s: f64, count: u64, seed: u64) -> Vec<u64> {
    let tasks = match spacing {
        Spacing::Constant => (0..count).map(|index| index as f64).collect(),
        Spacing::Poisson => uniform(count, rate.tasks(), seed),
    };
    let mut before = 0;
    let ascending = |tasks: f64| {
        // Rounding, and the search for a root, may step back by less than a nanosecond.
        before = ((rate.instant_of(tasks).min(length_s) * 1e9) as u64).max(before);
        before
    };
    tasks.into_iter().map(ascending).collect()
}

/// `count` independent uniform numbers in `[0, length)`, ascending: given their number, the arrivals of a Poisson process
/// have this law, and so have the ratios of partial sums of exponential gaps (Devroye 1986, V.2.1). So the gaps are
/// exponential and the count is the plan's.
fn uniform(count: u64, length: f64, seed: u64) -> Vec<f64> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut sum = 0.0;
    let mut sums: Vec<f64> = (0..=count)
        .map(|_| {
            let gap: f64 = Exp1.sample(&mut random);
            sum += gap;
            sum
        })
        .collect();
    let scale = length / sum;
    sums.pop();
    sums.iter_mut().for_each(|at| *at *= scale);
    sums
}
