//! When the slowest tasks ended: the largest value of each latency in every 50 ms of the window.
//!
//! A percentile whose exceedances all come from one stall says something about the stall. Tasks beyond it that are more
//! than [`BIN_NS`] apart are taken for independent of each other: they are different *clusters* [runs declustering: Leadbetter
//! 1983]. Percentiles are known only after the run, so that what is kept is the largest value of each bin: it is at or
//! beyond a percentile exactly where some task of the bin is.
//!
//! Bins never make more clusters than the instants themselves: two rows of bins are apart by a whole empty bin, so that the
//! last instant of the one and the first of the other are more than a bin apart, too. They can make fewer, by up to one bin at
//! either end: two instants 51 ms apart may lie in neighbouring bins.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::report::Spread;

/// Length of a bin, nanoseconds.
pub const BIN_NS: u64 = 50_000_000;

/// Whose largest values are kept. Response from send has its own, not response's: a late send lifts the one and not the
/// other, and with the threshold of the one the bins of the other would be too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// started - sent.
    QueueWait = 0,
    /// Waiting for connections.
    PoolWait = 1,
    /// ended - started.
    Service = 2,
    /// ended - intended.
    Response = 3,
    /// ended - sent.
    ResponseFromSend = 4,
}

impl Of {
    /// Number of latencies.
    pub const COUNT: usize = 5;
}

/// The largest values by bin, nanoseconds; response is 0 where no task ended. What ends after the window counts in the last
/// bin, so that the size is fixed before the window begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Peaks {
    bins: Vec<[u64; Of::COUNT]>,
}

/// Bins that a window has.
#[must_use]
pub fn window_bins(window: Duration) -> u64 {
    u64::try_from(window.as_nanos()).unwrap_or(u64::MAX).div_ceil(BIN_NS)
}

impl Peaks {
    /// For a window of this length.
    #[must_use]
    pub fn new(window: Duration) -> Peaks {
        Peaks { bins: vec![[0; Of::COUNT]; window_bins(window) as usize + 1] }
    }

    /// Takes the latencies of a task, by [`Of`], that ended so long after the window began.
    pub(crate) fn record(&mut self, since_start_ns: u64, latencies_ns: &[u64; Of::COUNT]) {
        let number = (since_start_ns / BIN_NS) as usize;
        let last = self.bins.len().saturating_sub(1);
        let Some(bin) = self.bins.get_mut(number.min(last)) else { return };
        for (largest, value) in bin.iter_mut().zip(latencies_ns) {
            *largest = (*largest).max(*value);
        }
    }

    /// Takes the larger of both in every bin.
    pub fn merge(&mut self, other: &Peaks) {
        self.bins.resize(self.bins.len().max(other.bins.len()), [0; Of::COUNT]);
        for (mine, theirs) in self.bins.iter_mut().zip(&other.bins) {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine = (*mine).max(*theirs);
            }
        }
    }

    /// The bins that hold a value of `threshold_ns` or more, and their clusters.
    #[must_use]
    pub fn spread(&self, of: Of, threshold_ns: u64) -> Spread {
        let mut spread = Spread::default();
        let mut within = false;
        for bin in &self.bins {
            let exceeds = bin[of as usize] >= threshold_ns && bin[Of::Response as usize] > 0;
            spread.bins += u32::from(exceeds);
            spread.clusters += u32::from(exceeds && !within);
            within = exceeds;
        }
        spread
    }
}

#[cfg(test)]
mod tests;
