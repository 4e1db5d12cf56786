//! What a document looks like before its first task: `list_max` flats with one mail each.

use super::{DocumentWork, push_mail, set_flats, set_root};
use crate::keys;
use crate::random;
use crate::request::Request;
use crate::task::document::model::{Building, Flat};

/// Keeps the prefill's draws apart from those of tasks, whose indices are small.
const PREFILL: u64 = 1 << 63;
/// Flats in one request: bounds what is written before a reply is read.
const FLATS_PER_REQUEST: usize = 256;

/// The requests that write the document of `worker`: `SET` root, `RPUSH` one mail per flat, `HSET` all flats.
pub fn prefill(work: &DocumentWork, worker: u32) -> impl Iterator<Item = Request> {
    let document = keys::document_id(worker);
    let flats = flats(work, worker);
    let mut root = Request::new();
    set_root(&mut root, &Building::new(document));
    let chunks = (0..flats.len()).step_by(FLATS_PER_REQUEST).map(move |start| {
        let chunk = &flats[start..flats.len().min(start + FLATS_PER_REQUEST)];
        let mut request = Request::new();
        for flat in chunk {
            let mail = work.mail(PREFILL ^ (u64::from(worker) << 20) ^ u64::from(flat.i));
            push_mail(&mut request, &keys::mail(&document, &flat.id), &mail);
        }
        set_flats(&mut request, &document, chunk);
        request
    });
    std::iter::once(root).chain(chunks)
}

/// All flats of the document of `worker`, in order.
pub(super) fn flats(work: &DocumentWork, worker: u32) -> Vec<Flat> {
    let document = keys::document_id(worker);
    let flat = |i| {
        let bits = random::mix(random::mix(work.contents_seed, PREFILL ^ u64::from(worker)), u64::from(i));
        Flat::new(i, document, keys::flat_id(bits), bits)
    };
    (0..work.list_max as u32).map(flat).collect()
}
