//! The statistics of a comparison. Pure: numbers in, numbers out; logarithms of ratios unless said otherwise.

pub mod binomial;
pub mod clopper_pearson;
pub mod decide;
pub mod fisher;
pub mod holm;
pub mod inversion;
pub mod level;
pub mod median;
pub mod normal;
pub mod order_effect;
pub mod pelt;
pub mod rank_sum;
pub mod sign;
pub mod signed_rank;
pub mod spread;
pub mod tost;

/// Middle of a sorted slice: the mean of the two middle values when their number is even; `None` when it is empty.
/// Opposite infinities in the middle give 0: they are taken as equally far away.
#[must_use]
pub fn middle(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    sorted.get(sorted.len() / 2 - 1).map(|&lower| mean_of_two(lower, upper))
}

/// The same of values in any order, none of which may be NaN.
#[must_use]
pub fn middle_of(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    middle(&values)
}

/// (a + b) / 2, where opposite infinities, taken as equally far away, give 0.
fn mean_of_two(a: f64, b: f64) -> f64 {
    if a.is_infinite() && a == -b { 0.0 } else { f64::midpoint(a, b) }
}
