//! Reads a text of which it is known what should come next.

use crate::keys::{DocumentId, FlatId, Inline};

/// What is left of a text. Everything that is not there as expected is `None`, and the cursor stays where it was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Cursor<'a> {
        Cursor(text)
    }

    pub(super) fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    /// One of a few words, none of which begins another.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        all: impl IntoIterator<Item = T>,
        name: fn(T) -> &'static str,
    ) -> Option<T> {
        all.into_iter().find(|&one| self.literal(name(one).as_bytes()).is_some())
    }

    /// A decimal number without a sign, without leading zeros.
    pub(super) fn number(&mut self) -> Option<u32> {
        let digits = self.run(|byte| byte.is_ascii_digit())?;
        if digits.len() > 1 && digits[0] == b'0' {
            return None;
        }
        digits.iter().try_fold(0u32, |number, digit| number.checked_mul(10)?.checked_add(u32::from(digit - b'0')))
    }

    /// The digits of a document's id.
    pub(super) fn digits(&mut self) -> Option<DocumentId> {
        let digits = self.run(|byte| byte.is_ascii_digit())?;
        (digits.len() <= 10).then(|| Inline::of(&[digits]))
    }

    /// The id of a flat.
    pub(super) fn hex(&mut self) -> Option<FlatId> {
        let (id, rest) = self.0.split_first_chunk()?;
        if !id.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte)) {
            return None;
        }
        self.0 = rest;
        Some(*id)
    }

    /// `value`, if nothing is left.
    pub(super) fn end<T>(&self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }

    /// The rest.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }

    fn run(&mut self, belongs: impl Fn(&u8) -> bool) -> Option<&'a [u8]> {
        let length = self.0.iter().position(|byte| !belongs(byte)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at_checked(length).filter(|(run, _)| !run.is_empty())?;
        self.0 = rest;
        Some(run)
    }
}
