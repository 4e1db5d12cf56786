//! Settling: what becomes of a task, and how the server is told.

use super::{Fate, GROUP, Protocol, QueueTotals, Settled, args, name, number};
use crate::keys;
use crate::plan::QueueKind;
use crate::request::Request;
use crate::resp::{Value, Values};
use crate::step::{Failure, Outcome};

/// Acknowledged alike: of the window or not, told before or not.
const ALIKE: [(bool, bool); 4] = [(true, false), (false, false), (true, true), (false, true)];

// What the script answers: whether the claim stood, and whether the work was of use.
const IN_VAIN: u64 = 0;
const STOOD: u64 = 1;
const KEPT: u64 = 2;

impl Protocol {
    /// What a failed attempt leads to: another one after a pause, twice as long each time, or an end.
    #[must_use]
    pub fn after_failure(&self, attempts: u32, why: &'static str) -> Fate {
        if attempts + 1 >= self.settings.attempts_max {
            return Fate::Dead(why);
        }
        Fate::Retry(self.settings.pause_ms(attempts).round() as u64)
    }

    /// Whether the server is told by one command for all like it.
    fn acknowledged(&self, settled: &Settled) -> bool {
        self.settings.kind == QueueKind::Stream
            && !self.settings.record_results
            && matches!(settled.fate, Fate::Done(_))
    }

    /// Those that are acknowledged together: alike in what must be known of duplicates among them.
    fn together<'a>(
        &self,
        settled: &'a [Settled],
        (in_window, told): (bool, bool),
    ) -> impl Iterator<Item = &'a Settled> + Clone {
        let alike = move |one: &&Settled| one.in_window == in_window && one.told == told && self.acknowledged(one);
        settled.iter().filter(alike)
    }

    /// Settles all of `settled`.
    #[must_use]
    pub fn settle(&self, mut request: Request, settled: &[Settled]) -> Request {
        for alike in ALIKE {
            let together = self.together(settled, alike);
            let count = together.clone().count();
            if count > 0 {
                request.open("XACK", 2 + count);
                request.arg(keys::QUEUE);
                request.arg(GROUP.as_bytes());
                together.filter_map(|one| one.held.id.as_ref()).for_each(|id| request.arg(id));
            }
        }
        for one in settled.iter().filter(|one| !self.acknowledged(one)) {
            request = self.settle_one(request, one);
        }
        request
    }

    fn settle_one(&self, mut request: Request, one: &Settled) -> Request {
        let held_by = self.held_by(one.worker);
        let place: &[u8] = match self.settings.kind {
            QueueKind::Stream => keys::QUEUE,
            QueueKind::List => &held_by,
        };
        let id = one.held.id.as_deref().unwrap_or(&one.held.bytes);
        let mut again;
        let (mut of_pause, mut of_index) = (itoa::Buffer::new(), itoa::Buffer::new());
        let result;
        let (fate, more): (&[u8], [&[u8]; 2]) = match one.fate {
            Fate::Let => return request,
            Fate::Done(_) if !self.settings.record_results => {
                // Who takes what came first settles the oldest, which is at the end.
                return request.command("LREM", [place, b"-1", &*one.held.bytes]);
            }
            Fate::Done(value) => {
                result = value.map_or_else(|| "-".to_owned(), |value| value.to_string());
                (b"done", [result.as_bytes(), b""])
            }
            Fate::Retry(pause_ms) => {
                again = one.held.bytes.to_vec();
                again[24..28].copy_from_slice(&(one.attempts + 1).to_le_bytes());
                (b"retry", [of_pause.format(pause_ms).as_bytes(), &again])
            }
            Fate::Dead(why) => (b"dead", [why.as_bytes(), b""]),
        };
        let index = one.index.map_or("-", |index| of_index.format(index));
        let keys = [place, keys::QUEUE_DELAYED, keys::QUEUE_DEAD, keys::QUEUE_RESULTS, keys::QUEUE_TOLD];
        request.open("EVALSHA", 2 + keys.len() + 8);
        request.arg(self.settle_sha.as_bytes());
        number(&mut request, keys.len() as u64);
        args(&mut request, &keys);
        let claimed_by = format!("{}:{}:{}", self.consumer, one.worker, one.attempts);
        args(&mut request, &[name(self.settings.kind), id, &one.held.bytes, claimed_by.as_bytes()]);
        args(&mut request, &[fate, index.as_bytes(), more[0], more[1]]);
        request
    }

    /// Reads the replies to [`Protocol::settle`] off `values`, and counts what they mean.
    pub fn settled(&self, values: &mut Values<'_>, settled: &[Settled]) {
        let mut seen = QueueTotals { let_go: settled.len() as u64, ..QueueTotals::default() };
        let mut integer = || match values.next() {
            Some(Value::Int(integer)) => u64::try_from(integer).unwrap_or(0),
            _ => 0,
        };
        for alike @ (in_window, told) in ALIKE {
            let together = self.together(settled, alike).count() as u64;
            let stand = if together > 0 { integer().min(together) } else { 0 };
            // Whoever was told before may well be the one that settled it.
            if !told {
                seen.stale += together - stand;
                seen.in_vain(Outcome::Completed, in_window, together - stand);
            }
        }
        for one in settled.iter().filter(|one| !self.acknowledged(one) && one.fate != Fate::Let) {
            let answer = match integer() {
                // As above; scripts remember whom they told what.
                _ if one.told && matches!(one.fate, Fate::Done(_)) && !self.settings.record_results => STOOD,
                answer => answer,
            };
            seen.stale += u64::from([IN_VAIN, KEPT].contains(&answer));
            match (one.fate, answer) {
                (Fate::Retry(_), STOOD) => seen.retries += 1,
                // An attempt that was to be followed by another has not ended.
                (Fate::Retry(_), _) => {}
                (Fate::Dead(_), STOOD) => seen.dead += 1,
                (_, STOOD | KEPT) => {}
                _ => seen.in_vain(one.outcome, one.in_window, 1),
            }
        }
        self.counters.add(&seen);
    }
}

impl QueueTotals {
    fn in_vain(&mut self, outcome: Outcome, in_window: bool, count: u64) {
        self.duplicates += count;
        if !in_window {
            return;
        }
        self.duplicates_in_window += count;
        match outcome {
            Outcome::Completed => {}
            Outcome::Rejected => self.duplicates_rejected += count,
            Outcome::Failed(Failure::Timeout) => self.duplicates_timeout += count,
            Outcome::Failed(Failure::Disconnected) => self.duplicates_disconnected += count,
            Outcome::Failed(Failure::ServerError) => self.duplicates_server_error += count,
            Outcome::Failed(Failure::PoolTimeout) => self.duplicates_pool_timeout += count,
        }
    }
}
