//! Tasks in the system whenever somebody looked: their trend over the window, and Little's law. Pure.

/// What one dyno had before it at one instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    /// Seconds since the window began.
    pub(super) at_s: f64,
    /// Tasks sent and not finished.
    pub(super) tasks: u64,
}

/// Student's t with 8 degrees of freedom, 95 %, one side.
const T_95_8: f64 = 1.859_548;

/// A slope with its one-sided 95 % bounds, a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trend {
    pub(super) slope: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Least squares through the means of ten equal parts of a window of `window_s` seconds, which are nearly independent where
/// single samples are not (batch means: Conway 1963). `None` when a dyno did not look in one of them. `seen`: by dyno.
pub(super) fn trend(seen: &[Vec<Seen>], window_s: f64) -> Option<Trend> {
    let means = batch_means(seen, window_s, 10)?;
    let batch_s = window_s / 10.0;
    let mean = means.iter().sum::<f64>() / 10.0;
    let at = |batch: usize| (batch as f64 - 4.5) * batch_s;
    let along: f64 = (0..10).map(|batch| at(batch).powi(2)).sum();
    let slope = means.iter().enumerate().map(|(batch, value)| at(batch) * (value - mean)).sum::<f64>() / along;
    let rest: f64 = means.iter().enumerate().map(|(batch, value)| (value - mean - slope * at(batch)).powi(2)).sum();
    let margin = T_95_8 * (rest / 8.0 / along).sqrt();
    Some(Trend { slope, low: slope - margin, high: slope + margin })
}

/// Mean number of tasks in the system over the window, and its standard error from 20 batches. `seen`: by dyno.
pub(super) fn mean(seen: &[Vec<Seen>], window_s: f64) -> Option<(f64, f64)> {
    const BATCHES: usize = 20;
    let means = batch_means(seen, window_s, BATCHES)?;
    let mean = means.iter().sum::<f64>() / BATCHES as f64;
    let variance = means.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (BATCHES - 1) as f64;
    Some((mean, (variance / BATCHES as f64).sqrt()))
}

/// The mean of every part of the window, all dynos together: dynos need not look at the same instants.
fn batch_means(seen: &[Vec<Seen>], window_s: f64, batches: usize) -> Option<Vec<f64>> {
    let mut means = vec![0.0; batches];
    for of_dyno in seen {
        let mut sums = vec![(0.0, 0u32); batches];
        for one in of_dyno.iter().filter(|one| (0.0..window_s).contains(&one.at_s)) {
            let (sum, count) = &mut sums[((one.at_s / window_s * batches as f64) as usize).min(batches - 1)];
            *sum += one.tasks as f64;
            *count += 1;
        }
        for (mean, (sum, count)) in means.iter_mut().zip(sums) {
            if count == 0 {
                return None;
            }
            *mean += sum / f64::from(count);
        }
    }
    Some(means)
}

#[cfg(test)]
mod tests {
    use super::{Seen, mean, trend};

    /// One dyno that looks a hundred times in 10 s.
    fn dyno(tasks: impl Fn(u64) -> u64) -> Vec<Seen> {
        (0..100).map(|i| Seen { at_s: i as f64 / 10.0, tasks: tasks(i) }).collect()
    }

    #[test]
    fn the_slope_of_a_straight_line_is_its_slope_and_dynos_add_up() {
        let one = trend(&[dyno(|i| 10 + 3 * i)], 10.0).unwrap();
        assert!((one.slope - 30.0).abs() < 1e-9 && (one.high - one.low).abs() < 1e-6, "{one:?}");
        let two = trend(&[dyno(|i| 10 + 3 * i), dyno(|i| 1000 - 2 * i)], 10.0).unwrap();
        assert!((two.slope - 10.0).abs() < 1e-9, "{two:?}");
        assert_eq!(trend(&[dyno(|i| i), dyno(|i| i).split_off(10)], 10.0), None);
        assert_eq!(trend(&[Vec::new()], 10.0), None);
    }

    /// Computed with scipy.stats.linregress over the ten means 0, 4, 0, 4, ...: slope 0.1212, standard error 0.2424.
    #[test]
    fn the_bounds_are_those_of_the_regression() {
        let zigzag = trend(&[dyno(|i| 4 * (i / 10 % 2))], 10.0).unwrap();
        assert!((zigzag.slope - 0.121_212).abs() < 1e-5, "{zigzag:?}");
        assert!((zigzag.high - zigzag.slope - 1.859_548 * 0.242_424).abs() < 1e-5, "{zigzag:?}");
    }

    #[test]
    fn the_mean_is_over_the_window_and_its_error_over_batches() {
        let (flat, error) = mean(&[dyno(|_| 7), dyno(|_| 1)], 10.0).unwrap();
        assert_eq!((flat, error), (8.0, 0.0));
        let (zigzag, error) = mean(&[dyno(|i| 2 * (i / 5 % 2))], 10.0).unwrap();
        assert!((zigzag - 1.0).abs() < 1e-9 && (error - (20.0f64 / 19.0 / 20.0).sqrt()).abs() < 1e-9, "{error}");
    }
}
