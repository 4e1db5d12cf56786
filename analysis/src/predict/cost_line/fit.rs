//! CPU per second = idle + slope x rate, over blocks. Pure.

use common::report::comparison::Estimate;

use crate::predict::least_squares::linear;
use crate::stats::middle_of;
use crate::stats::signed_rank::Walsh;

/// Different rates that a line needs: two coefficients, and one more that could contradict them.
pub(crate) const RATES_MIN: usize = 3;

/// A line through what several blocks have at the same rates.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// CPU per second at rate 0.
    pub idle: Estimate,
    /// CPU of one task.
    pub slope: Estimate,
    /// By rate: what the line says.
    pub predicted: Vec<f64>,
    /// By rate: predicted / measured - 1.
    pub residuals: Vec<Estimate>,
}

/// The line through `blocks`, each of which holds the CPU per second at every one of `rates` (tasks a second, all different).
/// `None` with fewer than three rates, without blocks, and where a value is not above 0.
///
/// Every block has a line of its own, by weighted least squares: CPU scatters by a share of itself, so that the distances of a
/// rate are measured in the median over all blocks at that rate (weights 1 / variance: Aitken 1936). With equal weights the
/// scatter at the highest rate would bury what is used at 0. The weights are those of the rate and not of the run, since a run
/// that happens to be cheap would else weigh more. Then every coefficient is one number a block, and gets the estimate and the
/// exact interval that ratios get, Hodges-Lehmann and signed ranks with error rate `alpha` (one summary for each unit: Matthews,
/// Altman, Campbell, Royston 1990). Residuals of one fit to all runs would say how runs scatter within it and nothing of its
/// coefficients where the line is none; a bootstrap misses with so few blocks. No coefficient is kept from being negative: an
/// idle cost below 0 is a finding, too.
///
/// A residual is a block's too, against its own line. With straight lines its centre is 0 at every rate, so that an interval
/// without 0 contradicts them.
#[must_use]
pub fn line(rates: &[f64], blocks: &[Vec<f64>], alpha: f64) -> Option<Line> {
    let usable = |&cpu: &f64| cpu > 0.0 && cpu.is_finite();
    let whole = blocks.iter().all(|block| block.len() == rates.len() && block.iter().all(usable));
    if rates.len() < RATES_MIN || !whole {
        return None;
    }
    let medians = (0..rates.len()).map(|rate| middle_of(blocks.iter().map(|block| block[rate]).collect()));
    let medians: Vec<f64> = medians.collect::<Option<_>>()?;
    let of_block = |block: &Vec<f64>| {
        let row = |((&rate, &median), &cpu): ((&f64, &f64), &f64)| vec![1.0 / median, rate / median, cpu / median];
        match linear(&rates.iter().zip(&medians).zip(block).map(row).collect::<Vec<_>>())?.as_slice() {
            &[idle, slope] => Some((idle, slope)),
            _ => None,
        }
    };
    let lines: Vec<(f64, f64)> = blocks.iter().map(of_block).collect::<Option<_>>()?;
    let idle = location(lines.iter().map(|line| line.0), alpha);
    let slope = location(lines.iter().map(|line| line.1), alpha);
    let (at_0, per_task) = idle.value.zip(slope.value)?;
    let residual = |(i, &rate): (usize, &f64)| {
        let each = lines.iter().zip(blocks).map(|((idle, slope), block)| (idle + slope * rate) / block[i] - 1.0);
        location(each, alpha)
    };
    Some(Line {
        idle,
        slope,
        predicted: rates.iter().map(|rate| at_0 + per_task * rate).collect(),
        residuals: rates.iter().enumerate().map(residual).collect(),
    })
}

/// Hodges-Lehmann estimate with its interval, where there are values enough for one.
fn location(values: impl Iterator<Item = f64>, alpha: f64) -> Estimate {
    let values: Vec<f64> = values.collect();
    let walsh = Walsh::new(&values);
    let interval = walsh.interval(alpha);
    Estimate {
        value: walsh.estimate(),
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        n: u32::try_from(values.len()).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests;
