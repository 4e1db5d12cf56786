//! Counters and histograms of a dyno, sharded so that no worker waits for another.
//!
//! A worker writes to the shard `worker % shards`, of which there is one per CPU, behind a lock that is nearly always
//! free. Once a second the reporter swaps each shard's histograms against empty ones and sends what it took: a
//! [`Delta`]. Counters are totals since the start, taken under the same lock, so that in every delta the counts and
//! the histograms agree. The largest values by bin ([`Peaks`]) stay in the shards until the end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::latency::Latency;
use crate::peaks::{Of, Peaks};
use crate::report::Failures;
use crate::request::RequestErrorKind;
use crate::step::{Failure, Outcome, Span};
use crate::wire::TaskPhase;

/// One ended task, all instants on `CLOCK_MONOTONIC` in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// When the plan wanted it sent.
    pub intended_ns: u64,
    /// When it was sent.
    pub sent_ns: u64,
    /// When a worker began it.
    pub started_ns: u64,
    /// When it ended.
    pub ended_ns: u64,
    /// When its worker had told the queue so, where workers do that; else the same.
    pub settled_ns: u64,
    /// Waiting for connections, all together.
    pub pool_wait_ns: u64,
    /// Time of each span, pool wait excluded; position = `Span as usize`.
    pub spans_ns: [u64; Span::COUNT],
    /// Which part of the run it belongs to.
    pub phase: TaskPhase,
    /// How it ended.
    pub outcome: Outcome,
}

impl Record {
    /// By [`Of`]. A failed task is beyond every value, but for its wait, which has one.
    pub(crate) fn latencies_ns(&self) -> [u64; Of::COUNT] {
        let queue_wait = self.started_ns.saturating_sub(self.sent_ns);
        if let Outcome::Failed(_) = self.outcome {
            return [queue_wait, u64::MAX, u64::MAX, u64::MAX, u64::MAX];
        }
        let until_end = |from_ns: u64| self.ended_ns.saturating_sub(from_ns);
        [
            queue_wait,
            self.pool_wait_ns,
            until_end(self.started_ns),
            until_end(self.intended_ns),
            until_end(self.sent_ns),
        ]
    }
}

/// Ended tasks of one phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseCounts {
    /// Rejected ones included.
    pub completed: u64,
    /// Completed with a handler that said no.
    pub rejected: u64,
    /// By cause.
    pub failed: Failures,
}

impl PhaseCounts {
    /// Ended in any way.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.completed + self.failed.total()
    }

    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Completed => self.completed += 1,
            Outcome::Rejected => {
                self.completed += 1;
                self.rejected += 1;
            }
            Outcome::Failed(Failure::Timeout) => self.failed.timeout += 1,
            Outcome::Failed(Failure::Disconnected) => self.failed.disconnected += 1,
            Outcome::Failed(Failure::ServerError) => self.failed.server_error += 1,
            Outcome::Failed(Failure::PoolTimeout) => self.failed.pool_timeout += 1,
        }
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &PhaseCounts) {
        self.completed += other.completed;
        self.rejected += other.rejected;
        self.failed.add(&other.failed);
    }
}

/// The histograms of the window's completed tasks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histograms {
    /// started - sent, of failed tasks too.
    pub queue_wait: Latency,
    /// Waiting for connections.
    pub pool_wait: Latency,
    /// ended - started.
    pub service: Latency,
    /// ended - intended.
    pub response: Latency,
    /// ended - sent.
    pub response_from_send: Latency,
    /// By span.
    pub spans: [Latency; Span::COUNT],
    /// Exact sum of ended - sent.
    pub response_from_send_sum_ns: u128,
}

impl Histograms {
    /// The histograms by the name they have on the wire and in reports.
    fn named(&self) -> impl Iterator<Item = (&'static str, &Latency)> {
        let fixed = [
            ("queue_wait", &self.queue_wait),
            ("pool_wait", &self.pool_wait),
            ("service", &self.service),
            ("response", &self.response),
            ("response_from_send", &self.response_from_send),
        ];
        fixed.into_iter().chain(Span::ALL.into_iter().map(|span| (span.name(), &self.spans[span as usize])))
    }

    fn named_mut(&mut self) -> impl Iterator<Item = (&'static str, &mut Latency)> {
        let fixed = [
            ("queue_wait", &mut self.queue_wait),
            ("pool_wait", &mut self.pool_wait),
            ("service", &mut self.service),
            ("response", &mut self.response),
            ("response_from_send", &mut self.response_from_send),
        ];
        fixed.into_iter().chain(Span::ALL.map(Span::name).into_iter().zip(&mut self.spans))
    }

    fn record(&mut self, record: &Record, latencies_ns: &[u64; Of::COUNT], spans: &[Span]) {
        let &[queue_wait, pool_wait, service, response, from_send] = latencies_ns;
        self.queue_wait.record(queue_wait);
        if let Outcome::Failed(_) = record.outcome {
            return;
        }
        self.pool_wait.record(pool_wait);
        self.service.record(service);
        self.response.record(response);
        self.response_from_send.record(from_send);
        self.response_from_send_sum_ns += u128::from(from_send);
        for &span in spans {
            self.spans[span as usize].record(record.spans_ns[span as usize]);
        }
    }

    /// Adds everything that `other` holds.
    pub fn merge(&mut self, other: &Histograms) {
        for ((_, mine), (_, theirs)) in self.named_mut().zip(other.named()) {
            mine.merge(theirs);
        }
        self.response_from_send_sum_ns += other.response_from_send_sum_ns;
    }

    fn clear(&mut self) {
        self.named_mut().for_each(|(_, latency)| latency.clear());
        self.response_from_send_sum_ns = 0;
    }
}

/// What one shard holds.
#[derive(Debug)]
struct Shard {
    counts: [PhaseCounts; TaskPhase::COUNT],
    request_errors: [u64; RequestErrorKind::COUNT],
    histograms: Histograms,
    peaks: Peaks,
    window_start_ns: u64,
    last_ended_ns: u64,
    busy_ns: u64,
    /// Of workers `shard`, `shard + shards`, ...
    workers: Vec<WorkerTotals>,
}

#[derive(Debug, Clone, Copy, Default)]
struct WorkerTotals {
    cycles: u64,
    busy_ns: u64,
}

/// A shard alone on its cache lines (two: adjacent ones are fetched together).
#[derive(Debug)]
#[repr(align(128))]
struct Padded(Mutex<Shard>);

/// The recorder of a dyno.
#[derive(Debug)]
pub struct Recorder {
    shards: Vec<Padded>,
    workers: u32,
    spans: Box<[Span]>,
}

/// Tasks ended so far, all phases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// In any way.
    pub ended: u64,
    /// Of these, failed.
    pub failed: u64,
    /// When the last of them ended, on `CLOCK_MONOTONIC`; 0 before the first.
    pub last_ended_ns: u64,
    /// Service time of all of them together, but for the untimed ones.
    pub busy_ns: u64,
}

/// What happened since the last delta, and the totals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delta {
    /// The end of the second that it covers, on `CLOCK_MONOTONIC`; of the last one, when it was taken.
    pub at_ns: u64,
    /// Totals by phase; position = `TaskPhase as usize`.
    pub counts: [PhaseCounts; TaskPhase::COUNT],
    /// Totals of failed requests by kind; position = `RequestErrorKind as usize`.
    pub request_errors: [u64; RequestErrorKind::COUNT],
    /// Histograms since the last delta: name -> (HdrHistogram V2 in base64, values beyond the largest). Empty ones are
    /// left out.
    pub histograms: BTreeMap<String, (String, u64)>,
    /// Exact sum of ended - sent since the last delta.
    pub response_from_send_sum_ns: u64,
}

impl Delta {
    /// The histograms as values.
    ///
    /// # Errors
    /// A name or a text that no recorder writes.
    pub fn decode(&self) -> Result<Histograms, String> {
        let mut all = Histograms::default();
        for (name, (text, beyond)) in &self.histograms {
            let (_, mine) = all
                .named_mut()
                .find(|(known, _)| known == name)
                .ok_or_else(|| format!("histogram {name:?} is not known"))?;
            *mine = Latency::decode(text, *beyond)?;
        }
        all.response_from_send_sum_ns = u128::from(self.response_from_send_sum_ns);
        Ok(all)
    }
}

impl Recorder {
    /// For `workers` workers, spread over `shards` shards (one per CPU is right), the spans that their tasks have, and a
    /// window of this length.
    #[must_use]
    pub fn new(shards: usize, workers: u32, spans: impl Into<Box<[Span]>>, window: Duration) -> Recorder {
        let shards = shards.max(1);
        let of_shard = (workers as usize).div_ceil(shards);
        let shard = || Shard {
            counts: Default::default(),
            request_errors: Default::default(),
            histograms: Histograms::default(),
            peaks: Peaks::new(window),
            window_start_ns: 0,
            last_ended_ns: 0,
            busy_ns: 0,
            workers: vec![WorkerTotals::default(); of_shard],
        };
        Recorder { shards: (0..shards).map(|_| Padded(Mutex::new(shard()))).collect(), workers, spans: spans.into() }
    }

    fn shard(&self, index: usize) -> MutexGuard<'_, Shard> {
        // Counters that a panicking thread left behind are still counters.
        self.shards[index].0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of_worker(&self, worker: u32) -> MutexGuard<'_, Shard> {
        self.shard(worker as usize % self.shards.len())
    }

    /// Says when the window begins, before any of its tasks.
    pub fn window_begins(&self, start_ns: u64) {
        for index in 0..self.shards.len() {
            self.shard(index).window_start_ns = start_ns;
        }
    }

    /// Records a task that ended at `worker`.
    pub fn settle(&self, worker: u32, record: &Record) {
        let shards = self.shards.len();
        let mut shard = self.of_worker(worker);
        shard.counts[record.phase as usize].count(record.outcome);
        shard.last_ended_ns = shard.last_ended_ns.max(record.ended_ns);
        if record.phase == TaskPhase::Untimed {
            return;
        }
        // A worker that tells the queue by itself is not free before it has.
        let busy_ns = record.settled_ns.saturating_sub(record.started_ns);
        shard.busy_ns += busy_ns;
        let totals = &mut shard.workers[worker as usize / shards];
        totals.cycles += 1;
        totals.busy_ns += busy_ns;
        if record.phase == TaskPhase::Window {
            let Shard { histograms, peaks, window_start_ns, .. } = &mut *shard;
            let latencies_ns = record.latencies_ns();
            histograms.record(record, &latencies_ns, &self.spans);
            peaks.record(record.ended_ns.saturating_sub(*window_start_ns), &latencies_ns);
        }
    }

    /// Counts a failed request of `worker`.
    pub fn request_failed(&self, worker: u32, kind: RequestErrorKind) {
        self.of_worker(worker).request_errors[kind as usize] += 1;
    }

    /// The totals of all phases.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for index in 0..self.shards.len() {
            let shard = self.shard(index);
            for counts in &shard.counts {
                totals.ended += counts.ended();
                totals.failed += counts.failed.total();
            }
            totals.last_ended_ns = totals.last_ended_ns.max(shard.last_ended_ns);
            totals.busy_ns += shard.busy_ns;
        }
        totals
    }

    /// Everything since the last call. `spare` is where the shards' histograms go: kept by the caller, so that no lock
    /// is held while they are merged or cleared.
    pub fn collect(&self, at_ns: u64, spare: &mut Histograms) -> Delta {
        let mut counts = [PhaseCounts::default(); TaskPhase::COUNT];
        let mut request_errors = [0; RequestErrorKind::COUNT];
        let mut taken = Histograms::default();
        for index in 0..self.shards.len() {
            spare.clear();
            let mut shard = self.shard(index);
            std::mem::swap(&mut shard.histograms, spare);
            for (sum, counts) in counts.iter_mut().zip(&shard.counts) {
                sum.add(counts);
            }
            for (sum, errors) in request_errors.iter_mut().zip(&shard.request_errors) {
                *sum += errors;
            }
            drop(shard);
            taken.merge(spare);
        }
        let histograms = taken
            .named()
            .filter(|(_, latency)| latency.n() + latency.beyond() > 0)
            .map(|(name, latency)| (name.to_owned(), (latency.pack(), latency.beyond())))
            .collect();
        let response_from_send_sum_ns = u64::try_from(taken.response_from_send_sum_ns).unwrap_or(u64::MAX);
        Delta { at_ns, counts, request_errors, histograms, response_from_send_sum_ns }
    }

    /// The largest values by bin of all tasks of the window so far.
    #[must_use]
    pub fn peaks(&self) -> Peaks {
        let mut all = Peaks::default();
        for index in 0..self.shards.len() {
            all.merge(&self.shard(index).peaks);
        }
        all
    }

    /// Timed tasks ended and nanoseconds in them, per worker.
    #[must_use]
    pub fn per_worker(&self) -> (Vec<u64>, Vec<u64>) {
        let shards = self.shards.len();
        (0..self.workers)
            .map(|worker| {
                let totals = self.of_worker(worker).workers[worker as usize / shards];
                (totals.cycles, totals.busy_ns)
            })
            .unzip()
    }
}

#[cfg(test)]
mod tests;
