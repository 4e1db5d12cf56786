//! The `document` task: fetch a document, add a mail to one of its flats, save everything, ping.
//!
//! Four sequential round trips in three spans, command for command what the original sends:
//! `GET root`; `EVALSHA` of a script that does `HGETALL` (left out while the root is nil);
//! `MULTI`, `SET root`, `RPUSH` one mail, `HSET` every flat, `EXEC` in one write; `PING`.
//! It never retries: its `RPUSH` is not idempotent. The one exception is `NOSCRIPT`, which the server raises before
//! anything ran.

use std::sync::Arc;

mod cursor;
mod lenient;
pub mod model;
mod prefill;

pub use prefill::prefill;

use crate::buffer::Buffer;
use crate::keys::{self, DocumentId};
use crate::plan;
use crate::random::{self, Stream};
use crate::request::{Replies, Request, RequestError};
use crate::resp::{Value, Values};
use crate::step::{Failure, Outcome, Reply, Span, Step};
use model::{Building, Flat, Mail};

/// The script of the second round trip: all fields of each hash that it is given.
pub const SCRIPT: &str =
    "local result = {}\nfor i, key in ipairs(KEYS) do result[i] = redis.call('HGETALL', key) end\nreturn result\n";

/// Offsets of a mail's text in its block: many texts from little memory.
const TEXT_OFFSETS: usize = 8192;

/// What all document tasks of a run share.
#[derive(Debug)]
pub struct DocumentWork {
    list_max: usize,
    text_chars: usize,
    /// `text_chars + TEXT_OFFSETS` printable characters that JSON need not escape.
    text: String,
    contents_seed: u64,
    script_sha: String,
}

impl DocumentWork {
    /// `seed` is the block's.
    #[must_use]
    pub fn new(task: &plan::Task, seed: u64) -> DocumentWork {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .";
        let text_seed = random::stream(seed, Stream::Text);
        let text_chars = task.text_chars();
        let text = (0..(text_chars + TEXT_OFFSETS) as u64)
            .map(|index| char::from(ALPHABET[random::below(random::mix(text_seed, index), 64) as usize]))
            .collect();
        DocumentWork {
            list_max: task.list_max as usize,
            text_chars,
            text,
            contents_seed: random::stream(seed, Stream::Contents),
            script_sha: redis::Script::new(SCRIPT).get_hash().to_owned(),
        }
    }

    fn flats_request(&self, document: &DocumentId) -> Request {
        Request::new().command("EVALSHA", [self.script_sha.as_bytes(), b"1", &keys::flats(document)])
    }

    /// Picks a flat among those that were there, adds a new one while there is room, and writes everything.
    fn save_request(&self, root: &Building, mut flats: Vec<Flat>, index: u64) -> Request {
        let bits = random::mix(self.contents_seed, index);
        let picked = random::below(bits, flats.len().max(1) as u64) as usize;
        if flats.len() < self.list_max {
            let id = keys::flat_id(random::mix(bits, 1));
            flats.push(Flat::new(flats.len() as u32, root.id, id, bits));
        }
        let mut request = Request::new().command("MULTI", []);
        set_root(&mut request, root);
        push_mail(&mut request, &keys::mail(&root.id, &flats[picked].id), &self.mail(index));
        set_flats(&mut request, &root.id, &flats);
        request.command("EXEC", [])
    }

    /// A mail that depends on seed and task index only.
    fn mail(&self, index: u64) -> Mail<'_> {
        let bits = random::mix(self.contents_seed, index);
        let offset = random::below(bits.rotate_left(32), TEXT_OFFSETS as u64) as usize;
        Mail { id: keys::flat_id(bits), text: &self.text[offset..offset + self.text_chars] }
    }
}

fn root_request(document: &DocumentId) -> Request {
    Request::new().command("GET", [&*keys::root(document)])
}

fn ping_request() -> Request {
    Request::new().command("PING", [])
}

/// The round trips of a task on the prefilled document of `worker`, as they would be sent.
pub(super) fn replayed(work: &DocumentWork, worker: u32) -> [Request; 4] {
    let id = keys::document_id(worker);
    let save = work.save_request(&Building::new(id), prefill::flats(work, worker), u64::from(worker));
    [root_request(&id), work.flats_request(&id), save, ping_request()]
}

/// What the server executes for a task on a prefilled document, each once; `HGETALL` in the script.
pub(super) const COMMANDS: [&str; 9] = ["get", "evalsha", "hgetall", "multi", "set", "rpush", "hset", "exec", "ping"];

/// Where a document task is: which reply it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Root,
    Flats,
    /// The script is being loaded again.
    Script,
    Saved,
    Ponged,
    Ended,
}

/// One document task.
#[derive(Debug)]
pub struct Document {
    work: Arc<DocumentWork>,
    id: DocumentId,
    index: u64,
    state: State,
    script_loaded: bool,
    root: Option<Building>,
}

impl Document {
    /// Task `index` on the document of `worker`.
    #[must_use]
    pub fn new(work: Arc<DocumentWork>, worker: u32, index: u64) -> Document {
        Document { work, id: keys::document_id(worker), index, state: State::Start, script_loaded: false, root: None }
    }

    /// See [`Task::resume`](super::Task::resume).
    pub fn resume(&mut self, reply: Reply) -> Step {
        let replies = match reply {
            Reply::Redis(Ok(replies)) => Ok(Some(replies)),
            Reply::Redis(Err(error)) => Err(error),
            _ => Ok(None),
        };
        let next = match (self.state, replies) {
            (State::Start, Ok(None)) => Ok(self.get_root()),
            (State::Root, Ok(Some(replies))) => self.take_root(&replies),
            (State::Flats, Ok(Some(replies))) => self.take_flats(&replies),
            (State::Flats, Err(error)) if error.is_noscript() && !self.script_loaded => Ok(self.load_script()),
            (State::Script, Ok(Some(_))) => Ok(self.get_flats()),
            (State::Saved, Ok(Some(replies))) => self.take_saved(&replies),
            (State::Ponged, Ok(Some(_))) => Ok(self.end(Outcome::Completed)),
            (_, Err(error)) => Ok(self.end(Outcome::Failed(error.failure()))),
            (_, Ok(_)) => Err(RequestError::unexpected("a reply that was not asked for")),
        };
        next.unwrap_or_else(|_| self.end(Outcome::Failed(Failure::ServerError)))
    }

    fn end(&mut self, outcome: Outcome) -> Step {
        self.state = State::Ended;
        Step::Done(outcome)
    }

    fn get_root(&mut self) -> Step {
        self.state = State::Root;
        Step::Redis(Span::Fetch, root_request(&self.id))
    }

    fn take_root(&mut self, replies: &Replies) -> Result<Step, RequestError> {
        match replies.single() {
            Some(Value::Nil) => {
                self.root = Some(Building::new(self.id));
                self.save(Vec::new())
            }
            Some(Value::Bulk(json)) => {
                self.root = Some(Building::decode(json)?);
                Ok(self.get_flats())
            }
            other => Err(RequestError::unexpected(format!("to GET: {other:?}"))),
        }
    }

    fn get_flats(&mut self) -> Step {
        self.state = State::Flats;
        Step::Redis(Span::Fetch, self.work.flats_request(&self.id))
    }

    fn load_script(&mut self) -> Step {
        self.state = State::Script;
        self.script_loaded = true;
        Step::Redis(Span::Fetch, Request::new().command("SCRIPT", [b"LOAD".as_slice(), SCRIPT.as_bytes()]))
    }

    fn take_flats(&mut self, replies: &Replies) -> Result<Step, RequestError> {
        let mut fields = one_hash(replies).ok_or_else(|| RequestError::unexpected("to EVALSHA: not one hash"))?;
        let mut flats = Vec::with_capacity(fields.left() / 2 + 1);
        while let Some(_name) = fields.next() {
            let Some(Value::Bulk(json)) = fields.next() else {
                return Err(RequestError::unexpected("to HGETALL: a field without a string"));
            };
            flats.push(Flat::decode(json)?);
        }
        flats.sort_unstable_by_key(|flat| flat.i);
        self.save(flats)
    }

    fn save(&mut self, flats: Vec<Flat>) -> Result<Step, RequestError> {
        let Some(root) = self.root.take() else { return Err(RequestError::unexpected("flats before the root")) };
        self.state = State::Saved;
        Ok(Step::Redis(Span::Save, self.work.save_request(&root, flats, self.index)))
    }

    fn take_saved(&mut self, replies: &Replies) -> Result<Step, RequestError> {
        match replies.values().last() {
            Some(Value::Array(results)) if results.left() == 3 => {
                self.state = State::Ponged;
                Ok(Step::Redis(Span::Ping, ping_request()))
            }
            _ => Err(RequestError::unexpected("to EXEC: not three results")),
        }
    }
}

/// The script answers with one array for each key that it was given: here one.
fn one_hash(replies: &Replies) -> Option<Values<'_>> {
    let Some(Value::Array(mut hashes)) = replies.single() else { return None };
    match (hashes.next(), hashes.left()) {
        (Some(Value::Array(fields)), 0) => Some(fields),
        _ => None,
    }
}

/// Appends the `SET` of a root.
fn set_root(request: &mut Request, root: &Building) {
    let mut json = Buffer::take();
    root.encode(&mut json);
    request.open("SET", 2);
    request.arg(&keys::root(&root.id));
    request.arg(json.contents());
}

/// Appends the `RPUSH` of a mail.
fn push_mail(request: &mut Request, key: &keys::Key, mail: &Mail<'_>) {
    let mut json = Buffer::take();
    mail.encode(&mut json);
    request.open("RPUSH", 2);
    request.arg(key);
    request.arg(json.contents());
}

/// Appends the `HSET` of all flats.
fn set_flats(request: &mut Request, document: &DocumentId, flats: &[Flat]) {
    request.open("HSET", 1 + 2 * flats.len());
    request.arg(&keys::flats(document));
    // A stop in a small buffer: the length of an argument stands before it.
    let mut json = Buffer::take();
    for flat in flats {
        json.clear();
        flat.encode(&mut json);
        request.arg(&flat.id);
        request.arg(json.contents());
    }
}

#[cfg(test)]
mod tests;
