//! Claims for all workers of a dyno over one connection, settles for them, and looks after the queue: a machine without I/O.
//!
//! Where workers claim for themselves it does the latter alone.

use std::sync::Arc;

use super::protocol::Upkept;
use super::{Brought, Entry, Fate, Held, Protocol, SCRIPTS, Settled, WAIT_MS_MAX, scripts};
use crate::plan::{Claim, QueueKind};
use crate::request::{Replies, Request, RequestError};
use crate::resp::Values;
use crate::worker::TRIES_MAX;

mod room;

use room::Room;

/// How often tasks whose pause is over are put back, and a list's dyno says that it lives.
const DUE_NS: u64 = 100_000_000;
/// Parts of the visibility timeout in which it is looked for tasks that are held too long.
const LOOKS_PER_TIMEOUT: u64 = 4;

/// What comes next.
#[derive(Debug)]
pub enum Turn {
    /// Send, collect every reply: [`Fetcher::replied`].
    Exchange(Request),
    /// Nothing until this instant, or until a worker is done with a task: [`Fetcher::settled`].
    Wait(u64),
}

/// The part of a request whose replies come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Scripts,
    Settle,
    Upkeep,
    GiveBack,
    Claim,
}

/// See the module.
#[derive(Debug)]
pub struct Fetcher {
    protocol: Arc<Protocol>,
    workers: u32,
    /// Places for tasks; none when workers claim for themselves.
    room: Room,
    /// To be told to the server.
    settled: Vec<Settled>,
    /// How many the claim under way is for.
    want: usize,
    /// Lists: for whom. What comes out of a stream goes to whoever then has the fewest.
    asked: Vec<u32>,
    /// What the request under way consists of.
    sections: Vec<Section>,
    /// Lists: how many are asked for at once. Twice as many as last time when all came, else one more than came: who asks for nothing
    /// costs as well.
    reach: usize,
    /// Lists: for whom claims were made that were not answered, each as often. What they brought stands with these workers, who do
    /// not know.
    unsure: Vec<u32>,
    /// Of these, who gives back in the request under way.
    giving_back: Vec<u32>,
    upkept: Upkept,
    due_ns: u64,
    all_ns: u64,
    /// The server has forgotten the scripts.
    forgotten: bool,
    /// Exchanges in a row without an answer.
    lost: u32,
}

impl Fetcher {
    /// For a dyno of `workers` workers, at `now_ns`.
    #[must_use]
    pub fn new(protocol: Arc<Protocol>, workers: u32, now_ns: u64) -> Fetcher {
        let places = match protocol.settings().claim {
            Claim::Fetcher => protocol.settings().room(workers),
            Claim::Worker => 0,
        };
        Fetcher {
            room: Room::new(workers, places),
            settled: Vec::new(),
            want: 0,
            asked: Vec::new(),
            sections: Vec::new(),
            reach: 1,
            unsure: Vec::new(),
            giving_back: Vec::new(),
            upkept: Upkept::default(),
            due_ns: now_ns,
            all_ns: now_ns,
            forgotten: false,
            lost: 0,
            workers,
            protocol,
        }
    }

    /// A worker is done with a task, and has room for another.
    pub fn settled(&mut self, settled: Settled) {
        self.room.give(settled.worker);
        if settled.fate != Fate::Let {
            self.settled.push(settled);
        }
    }

    /// What is to be done now.
    pub fn turn(&mut self, now_ns: u64) -> Turn {
        let mut request = self.settlement();
        if now_ns >= self.due_ns {
            let all = now_ns >= self.all_ns;
            request = self.protocol.upkeep_into(request, self.workers, all);
            self.sections.push(Section::Upkeep);
            self.due_ns = now_ns + DUE_NS;
            if all {
                let every_ns = (self.protocol.visibility_ms() * 1_000_000 / LOOKS_PER_TIMEOUT).max(DUE_NS);
                self.all_ns = now_ns + every_ns.min(1_000_000_000);
            }
        }
        request = self.give_back(request);
        self.want = self.room.free().min(self.protocol.settings().claim_max as usize);
        if self.protocol.settings().kind == QueueKind::List {
            self.want = self.want.min(self.reach);
            let room = &mut self.room;
            self.asked.extend((0..self.want).map_while(|_| room.take()));
        }
        if self.want > 0 {
            let wait_ms = (self.due_ns.saturating_sub(now_ns) / 1_000_000).clamp(1, WAIT_MS_MAX);
            request = self.protocol.claim(request, self.want, &self.asked, Some(wait_ms));
            self.sections.push(Section::Claim);
        }
        if self.sections.is_empty() { Turn::Wait(self.due_ns) } else { Turn::Exchange(request) }
    }

    /// Whatever stands with a worker that may not know of it goes back, once nothing else stands with it.
    fn give_back(&mut self, request: Request) -> Request {
        let (room, settled) = (&self.room, &self.settled);
        let knows_all = |worker: &u32| room.is_idle(*worker) && settled.iter().all(|one| one.worker != *worker);
        self.giving_back.clear();
        self.giving_back.extend(self.unsure.iter().copied().filter(knows_all));
        if self.giving_back.is_empty() {
            return request;
        }
        self.sections.push(Section::GiveBack);
        self.protocol.give_back(request, &self.giving_back)
    }

    /// What the server must know before the workers claim anything by themselves: whose worker holds what.
    #[must_use]
    pub fn first(&mut self) -> Request {
        self.sections.push(Section::Upkeep);
        self.protocol.upkeep_into(Request::new(), self.workers, false)
    }

    /// What is to be told when nothing is claimed any more; `None`: nothing, or nobody answers.
    #[must_use]
    pub fn last(&mut self) -> Option<Request> {
        let request = self.settlement();
        (!self.sections.is_empty() && self.lost < TRIES_MAX).then_some(request)
    }

    fn settlement(&mut self) -> Request {
        self.sections.clear();
        let mut request = Request::new();
        if self.forgotten {
            request = scripts(request);
            self.sections.push(Section::Scripts);
        }
        if !self.settled.is_empty() {
            self.sections.push(Section::Settle);
        }
        self.protocol.settle(request, &self.settled)
    }

    /// The replies to [`Turn::Exchange`]. Every claimed task goes to `hand_over`, with its worker.
    ///
    /// # Errors
    /// The server refuses what it was asked: nothing here can go on.
    pub fn replied(
        &mut self,
        result: Result<Replies, RequestError>,
        mut hand_over: impl FnMut(u32, Box<Entry>),
    ) -> Result<(), RequestError> {
        let replies = match result {
            Ok(replies) => replies,
            Err(error) => return self.not_answered(error),
        };
        self.lost = 0;
        let mut values = replies.values();
        for at in 0..self.sections.len() {
            self.section(self.sections[at], &mut values, &mut hand_over);
        }
        Ok(())
    }

    fn section(&mut self, section: Section, values: &mut Values<'_>, hand_over: &mut impl FnMut(u32, Box<Entry>)) {
        match section {
            Section::Scripts => {
                self.forgotten = false;
                // Their hashes, which are known.
                values.by_ref().take(SCRIPTS).for_each(drop);
            }
            Section::Settle => {
                self.protocol.settled(values, &self.settled);
                self.settled.clear();
            }
            Section::Upkeep => {
                if self.protocol.upkept(values, &mut self.upkept) {
                    self.all_ns = self.due_ns;
                }
            }
            Section::GiveBack => {
                self.protocol.given_back(values, self.giving_back.len());
                for worker in std::mem::take(&mut self.giving_back) {
                    self.unsure.retain(|&unsure| unsure != worker);
                    self.room.restore(worker);
                }
            }
            Section::Claim => {
                let brought = self.protocol.brought(values, self.want);
                self.hand_out(brought, hand_over);
            }
        }
    }

    /// Everything is told again, over another connection where this one broke.
    fn not_answered(&mut self, error: RequestError) -> Result<(), RequestError> {
        match error {
            _ if error.is_noscript() => self.forgotten = true,
            RequestError::Server { .. } => return Err(error),
            _ => {}
        }
        self.lost += 1;
        for worker in std::mem::take(&mut self.asked) {
            self.room.give(worker);
            self.room.withhold(worker);
            self.unsure.push(worker);
        }
        // Without a connection nothing was told.
        if error != RequestError::PoolTimeout {
            self.settled.iter_mut().for_each(|one| one.told = true);
        }
        Ok(())
    }

    fn hand_out(&mut self, brought: Vec<Brought>, hand_over: &mut impl FnMut(u32, Box<Entry>)) {
        self.reach = if brought.len() == self.want { 2 * self.want } else { brought.len() + 1 };
        let mut brought = brought.into_iter().peekable();
        for (place, worker) in std::mem::take(&mut self.asked).into_iter().enumerate() {
            match brought.next_if(|(at, _)| *at == place) {
                Some((_, one)) => self.hand(worker, one, hand_over),
                None => self.room.give(worker),
            }
        }
        // Of a stream. No more comes than there is room for.
        for (_, one) in brought {
            if let Some(worker) = self.room.take() {
                self.hand(worker, one, hand_over);
            }
        }
    }

    fn hand(&mut self, worker: u32, one: Result<Box<Entry>, Held>, hand_over: &mut impl FnMut(u32, Box<Entry>)) {
        match one {
            Ok(entry) => hand_over(worker, entry),
            Err(held) => {
                let foreign = self.protocol.foreign(worker, held);
                self.settled(foreign);
            }
        }
    }
}
