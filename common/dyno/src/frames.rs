//! What both intakes do with the bytes of the dispatch connection.

use common::wire::{Dispatch, WireError};

use crate::Shared;

/// Bytes taken from the socket at once: 2048 tasks.
const CHUNK: usize = 64 * 1024;

/// Collects bytes until they are tasks, and applies the backlog rule to each.
#[derive(Debug)]
pub struct Frames {
    bytes: Vec<u8>,
    filled: usize,
    workers: u32,
    overload_said: bool,
}

impl Frames {
    /// For a dyno of `workers` workers.
    #[must_use]
    pub fn new(workers: u32) -> Frames {
        Frames { bytes: vec![0; CHUNK], filled: 0, workers, overload_said: false }
    }

    /// Where the next bytes go.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// `count` more bytes stand in [`Frames::space`]: every whole task among them goes to `hand_over`.
    ///
    /// # Errors
    /// Bytes that are no task: the connection is beyond repair.
    pub fn arrived(
        &mut self,
        count: usize,
        shared: &Shared,
        mut hand_over: impl FnMut(Dispatch),
    ) -> Result<(), WireError> {
        self.filled += count;
        let (frames, rest) = self.bytes[..self.filled].as_chunks::<{ Dispatch::LEN }>();
        for frame in frames {
            let task = Dispatch::decode(frame, self.workers)?;
            if let Err(backlog) = shared.waiting.arrive(task.worker)
                && !std::mem::replace(&mut self.overload_said, true)
            {
                shared.overloaded(task.worker, backlog);
            }
            hand_over(task);
        }
        let taken = self.filled - rest.len();
        self.bytes.copy_within(taken..self.filled, 0);
        self.filled -= taken;
        Ok(())
    }
}
