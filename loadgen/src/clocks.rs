//! The clocks of dynos that do not read loadgen's: how far apart they are, and instants from one to the other. Pure.
//!
//! A question that is asked at one instant of loadgen's clock and whose answer comes at another was read by the dyno
//! somewhere between the two. So the dyno's clock, less the middle of the two, is the offset, and half of the time between
//! them is the most that it can be wrong by, however unequal the two ways are [Cristian 1989].

use common::latency::microseconds;
use common::report::ClockOffset;
use common::wire::{Counters, Dispatch, FromDyno, ToDyno};

/// A dyno's clock less loadgen's. Zero where they are the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offset {
    ns: i64,
}

impl Offset {
    /// An instant of loadgen's, for the dyno.
    #[must_use]
    pub fn to_dyno(self, at_ns: u64) -> u64 {
        at_ns.wrapping_add_signed(self.ns)
    }

    /// An instant of the dyno's, for loadgen: exactly what [`Offset::to_dyno`] was given.
    #[must_use]
    pub fn to_loadgen(self, at_ns: u64) -> u64 {
        at_ns.wrapping_sub_signed(self.ns)
    }

    /// A task as the dyno is told of it.
    #[must_use]
    pub fn task(self, task: Dispatch) -> Dispatch {
        Dispatch { intended_ns: self.to_dyno(task.intended_ns), sent_ns: self.to_dyno(task.sent_ns), ..task }
    }

    /// What the dyno is told.
    #[must_use]
    pub fn told(self, message: &ToDyno) -> ToDyno {
        match message {
            ToDyno::Start { start_ns, window_start_ns, window_end_ns } => ToDyno::Start {
                start_ns: self.to_dyno(*start_ns),
                window_start_ns: self.to_dyno(*window_start_ns),
                window_end_ns: self.to_dyno(*window_end_ns),
            },
            // Loadgen's own, which comes back as it was.
            ToDyno::Clock { .. } | ToDyno::Assign(_) | ToDyno::Refuse(_) | ToDyno::Stop => message.clone(),
        }
    }

    /// What the dyno has said.
    #[must_use]
    pub fn said(self, mut message: FromDyno) -> FromDyno {
        match &mut message {
            FromDyno::Counters(Counters { due_ns, taken_ns, totals, looks, worst: _, queue: _ }) => {
                *due_ns = self.to_loadgen(*due_ns);
                *taken_ns = self.to_loadgen(*taken_ns);
                looks.iter_mut().for_each(|look| look.taken_ns = self.to_loadgen(look.taken_ns));
                // 0 is no instant: nothing has ended yet.
                if totals.last_ended_ns > 0 {
                    totals.last_ended_ns = self.to_loadgen(totals.last_ended_ns);
                }
            }
            FromDyno::Delta(delta) => delta.at_ns = self.to_loadgen(delta.at_ns),
            FromDyno::Overload { at_ns, .. } => *at_ns = self.to_loadgen(*at_ns),
            FromDyno::Hello(_)
            | FromDyno::Dispatch { .. }
            | FromDyno::Ready
            | FromDyno::Fatal(_)
            | FromDyno::Clock { .. }
            | FromDyno::Memory(_)
            | FromDyno::Usage { .. }
            | FromDyno::Final(_) => {}
        }
        message
    }
}

/// A question and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// When it was asked, on loadgen's clock.
    pub asked_ns: u64,
    /// When it was read, on the dyno's.
    pub at_ns: u64,
    /// When the answer came, on loadgen's.
    pub received_ns: u64,
}

/// An offset, and how far it can be from the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// The middle of what is possible.
    pub offset: Offset,
    /// Half of it.
    pub uncertainty_ns: u64,
}

impl Estimate {
    /// By one answer.
    #[must_use]
    pub fn of(answer: Answer) -> Estimate {
        let between_ns = answer.received_ns.saturating_sub(answer.asked_ns);
        let middle_ns = answer.asked_ns + between_ns / 2;
        Estimate {
            offset: Offset { ns: answer.at_ns.wrapping_sub(middle_ns).cast_signed() },
            uncertainty_ns: between_ns.div_ceil(2),
        }
    }

    /// The better of two.
    #[must_use]
    pub fn or(self, other: Estimate) -> Estimate {
        if other.uncertainty_ns < self.uncertainty_ns { other } else { self }
    }

    /// How far the offset has certainly moved until `later` was made, whatever this one is worth: 0 when what was found
    /// here is still possible.
    fn drift_ns(self, later: Estimate) -> i64 {
        let moved_ns = later.offset.ns.saturating_sub(self.offset.ns);
        let beyond_doubt_ns = moved_ns.unsigned_abs().saturating_sub(later.uncertainty_ns);
        moved_ns.signum().saturating_mul(i64::try_from(beyond_doubt_ns).unwrap_or(i64::MAX))
    }
}

/// What is known of a dyno's clock.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    /// It is loadgen's.
    #[default]
    Shared,
    /// It is another.
    Apart {
        /// By which everything is converted.
        before: Estimate,
        /// By the answers during the run.
        during: Option<During>,
    },
}

/// Answers during a run.
#[derive(Debug, Clone, Copy)]
pub struct During {
    /// Of the best of them.
    uncertainty_ns: u64,
    /// The farthest from zero.
    drift_ns: i64,
}

impl Clock {
    /// What its instants are converted by.
    #[must_use]
    pub fn offset(&self) -> Offset {
        match self {
            Clock::Shared => Offset::default(),
            Clock::Apart { before, .. } => before.offset,
        }
    }

    /// One more answer, during the run.
    pub fn answered(&mut self, answer: Answer) {
        let Clock::Apart { before, during } = self else { return };
        let later = Estimate::of(answer);
        let drift_ns = before.drift_ns(later);
        let seen = during.get_or_insert(During { uncertainty_ns: later.uncertainty_ns, drift_ns });
        seen.uncertainty_ns = seen.uncertainty_ns.min(later.uncertainty_ns);
        if drift_ns.unsigned_abs() > seen.drift_ns.unsigned_abs() {
            seen.drift_ns = drift_ns;
        }
    }

    /// As it stands in the report of a run; nothing of a shared one.
    #[must_use]
    pub fn report(&self, dyno: u32) -> Option<ClockOffset> {
        let Clock::Apart { before, during } = self else { return None };
        let during_ns = during.map_or(0, |during| during.uncertainty_ns);
        Some(ClockOffset {
            dyno,
            offset_us: before.offset.ns as f64 / 1e3,
            uncertainty_us: microseconds(before.uncertainty_ns.max(during_ns)),
            drift_us: during.map(|during| during.drift_ns as f64 / 1e3),
        })
    }
}

#[cfg(test)]
mod tests;
