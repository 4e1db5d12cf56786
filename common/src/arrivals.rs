//! Arrivals: the whole schedule of a run, computed before it, from the plan's load and a block's seed alone.

use sha2::{Digest, Sha256};

use crate::plan::{Choice, Settings, hex16};
use crate::random::{self, Stream};

mod gaps;
mod instants;

pub use gaps::{Gaps, dispersion};

/// One planned task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Nanoseconds since the start of the run (of its warm-up).
    pub intended_ns: u64,
    /// Which dyno.
    pub dyno: u32,
    /// Which of its workers, from 0.
    pub worker: u32,
}

/// All arrivals of a run, by intended instant; arrival i is task i.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Warm-up first, then the window.
    pub arrivals: Vec<Arrival>,
    /// How many of them belong to the warm-up.
    pub warmup: usize,
    /// Length of the warm-up: the window begins here.
    pub window_start_ns: u64,
    /// Its end.
    pub window_end_ns: u64,
}

/// The schedule of a run: as many arrivals as the load plans, in the warm-up and in the window.
#[must_use]
pub fn schedule(settings: &Settings, block_seed: u64) -> Schedule {
    let load = &settings.load;
    let window_start_ns = nanoseconds(load.warmup_s);
    let window_end_ns = window_start_ns + nanoseconds(load.duration_s);
    let mut instants = instants::of_warmup(load, random::stream(block_seed, Stream::WarmUp));
    let warmup = instants.len();
    let window = instants::of_window(load, random::stream(block_seed, Stream::Window));
    instants.extend(window.into_iter().map(|instant| instant + window_start_ns));

    let choice_seed = random::stream(block_seed, Stream::Choice);
    let dynos = u64::from(settings.workers.dynos);
    let arrivals = instants
        .into_iter()
        .zip(0u64..)
        .map(|(intended_ns, index)| {
            let dyno = (index % dynos) as u32;
            let workers = u64::from(settings.workers.count_of(dyno));
            let worker = match settings.workers.choice {
                Choice::RoundRobin => (index / dynos) % workers,
                Choice::Random => random::below(random::mix(choice_seed, index), workers),
            };
            Arrival { intended_ns, dyno, worker: worker as u32 }
        })
        .collect();
    Schedule { arrivals, warmup, window_start_ns, window_end_ns }
}

impl Schedule {
    /// SHA-256 over every arrival, in hex, 16 digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for arrival in &self.arrivals {
            hash.update(arrival.intended_ns.to_le_bytes());
            hash.update(arrival.dyno.to_le_bytes());
            hash.update(arrival.worker.to_le_bytes());
        }
        hex16(&hash.finalize())
    }

    /// How the arrivals of the window follow each other.
    #[must_use]
    pub fn gaps(&self) -> Gaps {
        let window: Vec<u64> = self.arrivals[self.warmup..].iter().map(|arrival| arrival.intended_ns).collect();
        Gaps::of(&window, self.window_start_ns..self.window_end_ns)
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

#[cfg(test)]
mod tests;
