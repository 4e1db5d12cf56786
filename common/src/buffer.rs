//! Byte buffers that are used again: they belong to the thread that drops them, not to a worker.
//!
//! A request or a reply of some tens of kilobytes would otherwise be allocated, touched for the first time and freed
//! for every task. Ten thousand async workers on two threads need no more buffers than there are requests under way.

use std::cell::RefCell;

/// Buffers that a thread keeps: a request and a reply, and as many again for what overlaps.
const KEPT: usize = 4;
/// A buffer that has grown beyond this is given back to the allocator.
const KEPT_BYTES: usize = 1 << 20;
/// The first size of a buffer. Small: thousands of workers may hold a request each while they wait for a connection.
const SIZE_MIN: usize = 256;

thread_local! {
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes in memory that is used again.
///
/// The vector within is initialised up to its length; the first `filled` bytes are contents, the rest is room.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    /// An empty one: one that this thread has used before, if there is one.
    #[must_use]
    pub fn take() -> Buffer {
        let bytes = FREE.try_with(|free| free.borrow_mut().pop()).ok().flatten().unwrap_or_default();
        Buffer { bytes, filled: 0 }
    }

    /// One that holds no memory.
    #[must_use]
    pub fn none() -> Buffer {
        Buffer { bytes: Vec::new(), filled: 0 }
    }

    /// The contents.
    #[must_use]
    pub fn contents(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Forgets the contents.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Appends `bytes`.
    pub fn extend(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        if end > self.bytes.len() {
            self.grow(end);
        }
        self.bytes[self.filled..end].copy_from_slice(bytes);
        self.filled = end;
    }

    /// Where the next bytes may be read to; at least `wanted` and never empty. [`Buffer::advance`] says how many came.
    pub fn space(&mut self, wanted: usize) -> &mut [u8] {
        let wanted = wanted.max(1);
        if self.filled + wanted > self.bytes.len() {
            self.grow(self.filled + wanted);
        }
        &mut self.bytes[self.filled..]
    }

    /// `count` bytes of [`Buffer::space`] are contents now.
    pub fn advance(&mut self, count: usize) {
        self.filled = (self.filled + count).min(self.bytes.len());
    }

    #[cold]
    fn grow(&mut self, needed: usize) {
        self.bytes.resize(needed.max(2 * self.bytes.len()).max(SIZE_MIN), 0);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if !(1..=KEPT_BYTES).contains(&self.bytes.len()) {
            return;
        }
        let bytes = std::mem::take(&mut self.bytes);
        // A thread that is ending keeps nothing.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < KEPT {
                free.push(bytes);
            }
        });
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Buffer {
        let mut copy = Buffer::take();
        copy.extend(self.contents());
        copy
    }
}

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer::take()
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, KEPT, KEPT_BYTES};

    #[test]
    fn what_was_in_it_before_is_not_in_it() {
        let mut first = Buffer::take();
        first.extend(b"something long");
        let memory = first.contents().as_ptr();
        drop(first);
        let mut second = Buffer::take();
        assert_eq!(second.contents(), b"");
        second.extend(b"short");
        assert_eq!((second.contents(), second.contents().as_ptr()), (b"short".as_slice(), memory));
    }

    #[test]
    fn bytes_that_are_read_in_parts_follow_each_other() {
        let mut buffer = Buffer::take();
        for part in [b"abc".as_slice(), &[b'x'; 10_000], b"def"] {
            buffer.space(part.len())[..part.len()].copy_from_slice(part);
            buffer.advance(part.len());
        }
        assert_eq!(buffer.contents().len(), 10_006);
        assert!(buffer.contents().starts_with(b"abcx") && buffer.contents().ends_with(b"xdef"));
        assert!(!buffer.space(0).is_empty());
    }

    #[test]
    fn a_thread_keeps_few_and_none_that_is_large() {
        let free = || super::FREE.with(|free| free.borrow().len());
        let mut large = Buffer::take();
        large.space(KEPT_BYTES + 1);
        drop(large);
        assert_eq!(free(), 0);
        let many: Vec<Buffer> = (0..KEPT + 3)
            .map(|_| {
                let mut buffer = Buffer::take();
                buffer.extend(b"x");
                buffer
            })
            .collect();
        drop(many);
        assert_eq!(free(), KEPT);
    }
}
