//! The names of the document store, ids and keys, as the original writes them; and the synthetic task's. None of them is
//! allocated.

use std::ops::Deref;

/// A short text in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Inline<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

/// Long enough for every key.
pub type Key = Inline<64>;

impl<const N: usize> Inline<N> {
    /// The parts, one after the other; what does not fit is cut off.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Inline<N> {
        let mut text = Inline { bytes: [0; N], length: 0 };
        for part in parts {
            debug_assert!(text.length + part.len() <= N, "a key that is too long");
            let fits = part.len().min(N - text.length);
            text.bytes[text.length..text.length + fits].copy_from_slice(&part[..fits]);
            text.length += fits;
        }
        text
    }
}

impl<const N: usize> Deref for Inline<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl<const N: usize> std::fmt::Debug for Inline<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self))
    }
}

/// Decimal digits: `10000` plus the worker's number, so five of them up to worker 89 999.
pub type DocumentId = Inline<10>;

/// Twelve hex digits.
pub type FlatId = [u8; 12];

/// The document of `worker`, counted over all dynos.
#[must_use]
pub fn document_id(worker: u32) -> DocumentId {
    let number = 10_000 + u64::from(worker);
    Inline::of(&[itoa::Buffer::new().format(number).as_bytes()])
}

/// The upper 48 of the random `bits`.
#[must_use]
pub fn flat_id(bits: u64) -> FlatId {
    std::array::from_fn(|place| b"0123456789abcdef"[(bits >> (60 - 4 * place)) as usize & 15])
}

const BUILDING: &[u8] = b"test:building:";

/// The root's key.
#[must_use]
pub fn root(document: &DocumentId) -> Key {
    Inline::of(&[BUILDING, document])
}

/// The key of the hash of flats.
#[must_use]
pub fn flats(document: &DocumentId) -> Key {
    Inline::of(&[BUILDING, document, b":flats"])
}

/// The key of a flat's list of mails.
#[must_use]
pub fn mail(document: &DocumentId, flat: &FlatId) -> Key {
    Inline::of(&[BUILDING, document, b":flats:", flat, b":mail"])
}

/// The key that synthetic tasks of `worker`, counted over all dynos, set.
#[must_use]
pub fn synthetic(worker: u32) -> Key {
    Inline::of(&[b"test:synthetic:", itoa::Buffer::new().format(worker).as_bytes()])
}

/// The queue: a stream, or a list.
pub const QUEUE: &[u8] = b"test:queue";
/// Tasks that wait for their next attempt, by the instant at which they are due.
pub const QUEUE_DELAYED: &[u8] = b"test:queue:delayed";
/// The stream of those that nobody will try again.
pub const QUEUE_DEAD: &[u8] = b"test:queue:dead";
/// Results by the number of the task.
pub const QUEUE_RESULTS: &[u8] = b"test:queue:results";
/// What claims were told that ended otherwise than with a result: `retry`, `dead`, or `vain`, where another had settled the task. By what
/// was claimed, and by whom.
pub const QUEUE_TOLD: &[u8] = b"test:queue:told";
/// What every consumer has done for the queue besides its own tasks.
pub const QUEUE_UPKEEP: &[u8] = b"test:queue:upkeep";
/// How many tasks were ever put into the queue by whoever fills it.
pub const QUEUE_SENT: &[u8] = b"test:queue:sent";
/// Lists: who claims, and with how many workers. With a consumer's name behind it: there as long as that one lives.
pub const QUEUE_CONSUMERS: &[u8] = b"test:queue:consumers";

/// The list of what `worker` of the dyno that claims as `consumer` holds.
#[must_use]
pub fn queue_held(consumer: &str, worker: u32) -> Key {
    Inline::of(&[b"test:queue:held:", consumer.as_bytes(), b":", itoa::Buffer::new().format(worker).as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::{document_id, flat_id, flats, mail, root, synthetic};

    #[test]
    fn keys_are_the_originals() {
        let document = document_id(7);
        assert_eq!(*root(&document), *b"test:building:10007");
        assert_eq!(*flats(&document), *b"test:building:10007:flats");
        assert_eq!(*mail(&document, b"899ab2027227"), *b"test:building:10007:flats:899ab2027227:mail");
        assert_eq!(*document_id(u32::MAX), *b"4294977295");
        assert_eq!(*synthetic(u32::MAX), *b"test:synthetic:4294967295");
        assert_eq!(
            *mail(&document_id(u32::MAX), b"899ab2027227"),
            *b"test:building:4294977295:flats:899ab2027227:mail"
        );
    }

    #[test]
    fn ids_of_flats_are_the_upper_bits_in_hex() {
        assert_eq!(flat_id(0x899a_b202_7227_ffff), *b"899ab2027227");
        assert_eq!(flat_id(0x0000_0000_000f_0000), *b"00000000000f");
    }
}
