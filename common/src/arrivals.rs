//! Arrivals: the whole schedule of a run, computed before it, from the plan's load and a block's seed alone.

use sha2::{Digest, Sha256};

use crate::plan::{Choice, Settings, hex16};
use crate::random::{self, Stream};

mod batches;
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
    /// Warm-up first, then the window. Where tasks wait in a queue all are those of the first worker: nobody knows who will claim
    /// them.
    pub arrivals: Vec<Arrival>,
    /// By arrival, when its batch is due, nanoseconds since the start of the run; empty where tasks are pushed one by one.
    pub batch_due_ns: Vec<u64>,
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

    let batch_due_ns = settings.queue.as_ref().map_or_else(Vec::new, |queue| {
        batches::due(&instants, queue.batch_max as usize, nanoseconds(queue.batch_delay_ms / 1e3))
    });
    let choice_seed = random::stream(block_seed, Stream::Choice);
    let pushed = settings.queue.is_none();
    let dynos = if pushed { u64::from(settings.workers.dynos) } else { 1 };
    let arrivals = instants
        .into_iter()
        .zip(0u64..)
        .map(|(intended_ns, index)| {
            let dyno = (index % dynos) as u32;
            let workers = if pushed { u64::from(settings.workers.count_of(dyno)) } else { 1 };
            let worker = match settings.workers.choice {
                Choice::RoundRobin => (index / dynos) % workers,
                Choice::Random => random::below(random::mix(choice_seed, index), workers),
            };
            Arrival { intended_ns, dyno, worker: worker as u32 }
        })
        .collect();
    Schedule { arrivals, batch_due_ns, warmup, window_start_ns, window_end_ns }
}

impl Schedule {
    /// When arrival `index` is to be sent, nanoseconds since the start of the run: at its instant, or with its batch.
    #[must_use]
    pub fn due_ns(&self, index: usize) -> Option<u64> {
        let arrival = self.arrivals.get(index)?;
        Some(self.batch_due_ns.get(index).copied().unwrap_or(arrival.intended_ns))
    }

    /// [`Schedule::due_ns`] of every arrival.
    pub fn dues_ns(&self) -> impl Iterator<Item = u64> {
        (0..self.arrivals.len()).filter_map(|index| self.due_ns(index))
    }

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
