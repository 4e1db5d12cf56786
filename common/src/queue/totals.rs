//! What a dyno counts of its queue.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::report::Depth;

/// What a dyno has seen of its queue since it started, all phases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueTotals {
    /// Claims that were answered.
    pub claims: u64,
    /// Of these, claims that brought nothing.
    pub empty_claims: u64,
    /// Tasks that they brought.
    pub claimed: u64,
    /// Tasks that its workers are done with, in any way.
    pub let_go: u64,
    /// Failed attempts after which there was another.
    pub retries: u64,
    /// Tasks put among the dead by its workers.
    pub dead: u64,
    /// Of these, entries that are no task.
    pub foreign: u64,
    /// Tasks that were held too long, by anybody, and put back by this dyno.
    pub redeliveries: u64,
    /// Of these, tasks that no worker of this dyno was ever given: the answer to their claim was lost.
    pub given_back: u64,
    /// Tasks that were held too long, and tried so often that they were put among the dead instead.
    pub given_up: u64,
    /// Tasks whose pause was over, put back by this dyno.
    pub due_again: u64,
    /// Entries that are no task, held too long and put among the dead by this dyno.
    pub foreign_given_up: u64,
    /// Tasks that were held too long and whose result had been kept meanwhile: taken out by this dyno.
    pub needless: u64,
    /// Tasks that were held too long when this dyno was done with them: they had been put back, or others had them.
    pub stale: u64,
    /// Attempts that were a task's last and in vain: somebody else had settled it, or will.
    pub duplicates: u64,
    /// Of these, attempts at tasks of the window.
    pub duplicates_in_window: u64,
    /// Of these, attempts at which the handler said no.
    pub duplicates_rejected: u64,
    /// Of those of the window, attempts that failed for want of a reply.
    pub duplicates_timeout: u64,
    /// Likewise, by a connection that broke.
    pub duplicates_disconnected: u64,
    /// Likewise, by an error of the server.
    pub duplicates_server_error: u64,
    /// Likewise, for want of a connection.
    pub duplicates_pool_timeout: u64,
}

impl QueueTotals {
    /// How many of `sent` tasks still have to be settled: nobody has, or all who have were too late and it is to be done again.
    #[must_use]
    pub fn left(&self, sent: u64) -> u64 {
        let (more, less) =
            (sent + self.foreign + self.retries + self.stale, self.let_go + self.given_up + self.needless);
        more.saturating_sub(less)
    }

    /// How many its workers are at or have before them, whatever became of the claim meanwhile.
    #[must_use]
    pub fn at_workers(&self) -> u64 {
        self.claimed.saturating_sub(self.let_go + self.given_back)
    }

    /// Of the duplicates of the window, attempts that failed.
    #[must_use]
    pub fn duplicates_failed(&self) -> u64 {
        let by_connection = self.duplicates_timeout + self.duplicates_disconnected + self.duplicates_pool_timeout;
        by_connection + self.duplicates_server_error
    }

    /// How many are claimed and not let go. What was let go too late had gone back before.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        let back = self.redeliveries + self.given_up + self.foreign_given_up + self.needless;
        (self.claimed + self.stale).saturating_sub(self.let_go + back)
    }

    /// What is in the queue, when `sent` tasks have been put into it. What is between two of these never shows as less than nothing: they are
    /// not seen at the same instant. A claim of which nobody knows, because its answer was lost or its dyno was, is missing until its tasks
    /// have ended: what has ended and what was sent are known all the same.
    #[must_use]
    pub fn depth(&self, sent: u64) -> Depth {
        let in_flight = self.in_flight();
        let delayed = self.retries.saturating_sub(self.due_again);
        Depth {
            visible: self.left(sent).saturating_sub(in_flight + delayed),
            in_flight,
            delayed,
            dead: self.dead + self.given_up + self.foreign_given_up,
        }
    }
}

macro_rules! counters {
    ($($name:ident),*) => {
        /// [`QueueTotals`] as they are counted.
        #[derive(Debug, Default)]
        pub struct QueueCounters {
            $($name: AtomicU64),*
        }

        impl QueueCounters {
            /// Adds what was seen.
            pub fn add(&self, seen: &QueueTotals) {
                $(if seen.$name > 0 {
                    self.$name.fetch_add(seen.$name, Ordering::Relaxed);
                })*
            }

            /// So far.
            #[must_use]
            pub fn totals(&self) -> QueueTotals {
                QueueTotals { $($name: self.$name.load(Ordering::Relaxed)),* }
            }
        }

        impl QueueTotals {
            /// Adds what another dyno has seen.
            pub fn merge(&mut self, other: &QueueTotals) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counters!(
    claims,
    empty_claims,
    claimed,
    let_go,
    retries,
    dead,
    foreign,
    redeliveries,
    given_back,
    given_up,
    due_again,
    foreign_given_up,
    needless,
    stale,
    duplicates,
    duplicates_in_window,
    duplicates_rejected,
    duplicates_timeout,
    duplicates_disconnected,
    duplicates_server_error,
    duplicates_pool_timeout
);

#[cfg(test)]
mod tests {
    use super::QueueTotals;
    use crate::report::Depth;

    #[test]
    fn everything_that_was_sent_is_somewhere() {
        // Ten were sent: six claimed, of which two are done, one is tried again later, one was held too long and is back.
        let seen = QueueTotals { claimed: 6, let_go: 3, retries: 1, redeliveries: 1, ..QueueTotals::default() };
        assert_eq!(seen.depth(10), Depth { visible: 5, in_flight: 2, delayed: 1, dead: 0 });
        // The one is due again, and claimed; another was no task.
        let seen = QueueTotals { claimed: 8, let_go: 4, due_again: 1, foreign: 1, dead: 1, ..seen };
        assert_eq!(seen.depth(10), Depth { visible: 5, in_flight: 3, delayed: 0, dead: 1 });
        // Another whose claim nobody knows of was put back, claimed again, and is done.
        let seen = QueueTotals { claimed: 1, let_go: 1, redeliveries: 1, ..QueueTotals::default() };
        assert_eq!(seen.depth(1), Depth::default());
        // Held too long, and back, when its result was kept: it is to be done again, unless that is noticed.
        let seen = QueueTotals { claimed: 1, let_go: 1, redeliveries: 1, stale: 1, ..QueueTotals::default() };
        assert_eq!(seen.depth(1), Depth { visible: 1, ..Depth::default() });
        let seen = QueueTotals { claimed: 2, ..seen };
        assert_eq!(seen.depth(1), Depth { in_flight: 1, ..Depth::default() });
        assert_eq!((QueueTotals { let_go: 2, ..seen }).depth(1), Depth::default());
        assert_eq!((QueueTotals { needless: 1, ..seen }).depth(1), Depth::default());
        // Claimed before anybody knew that it was sent.
        assert_eq!((QueueTotals { claimed: 2, ..QueueTotals::default() }).depth(1).visible, 0);
    }

    #[test]
    fn what_was_put_back_is_still_with_its_worker() {
        // Two claimed, of which one was held too long: back in the queue, and taken out of it when the other's result was kept.
        let seen = QueueTotals { claimed: 2, redeliveries: 1, needless: 1, ..QueueTotals::default() };
        assert_eq!((seen.in_flight(), seen.at_workers()), (0, 2));
        let seen = QueueTotals { let_go: 2, stale: 1, ..seen };
        assert_eq!(seen.at_workers(), 0);
        // No worker ever had what was given back.
        let seen = QueueTotals { claimed: 1, redeliveries: 1, given_back: 1, ..QueueTotals::default() };
        assert_eq!((seen.in_flight(), seen.at_workers()), (0, 0));
    }
}
