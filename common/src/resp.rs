//! RESP2, the server's side: where replies end, and what stands in them, without a copy.
//!
//! A [`Scanner`] follows replies through a buffer that fills as bytes arrive; when all are there they can be looked at
//! as [`Value`]s that borrow from it. Every length is checked by the scanner, so that looking is cheap and cannot fail.

/// Follows the replies to one request through the bytes that have arrived so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanner {
    /// Bytes that are understood.
    at: usize,
    /// Values still to come, those inside arrays included. No stack is needed: an array of n is n values more.
    open: usize,
    /// Bytes that must arrive before there is anything new to understand; 0: unknown.
    wanted: usize,
    /// Where the first error reply begins, at any depth: an `EXEC` has its commands' errors in its array.
    error_at: Option<usize>,
}

/// Bytes that are no RESP2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not RESP2 at byte {at}: {what}")]
pub struct Malformed {
    /// Offset from the first reply.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// A bulk string may be this long, as the protocol has it.
const BULK_MAX: i64 = 512 << 20;
/// An array may have this many elements, as in the server.
const ARRAY_MAX: i64 = 1 << 20;
/// A line without its end is nonsense beyond this.
const LINE_MAX: usize = 64 << 10;

impl Scanner {
    /// Before the first byte of `replies` replies.
    #[must_use]
    pub fn new(replies: usize) -> Scanner {
        Scanner { at: 0, open: replies, wanted: 0, error_at: None }
    }

    /// Goes on through `bytes`, which begin with the first reply; `true` when all replies are there.
    ///
    /// # Errors
    /// What is no RESP2; the connection is beyond repair.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<bool, Malformed> {
        while self.open > 0 {
            let Some(end) = self.line_end(bytes)? else { return Ok(false) };
            let line = &bytes[self.at + 1..end];
            let next = end + 2;
            match bytes[self.at] {
                b'+' | b':' => self.at = next,
                b'-' => {
                    self.error_at.get_or_insert(self.at);
                    self.at = next;
                }
                b'$' => match self.length(line, BULK_MAX)? {
                    None => self.at = next,
                    Some(length) => {
                        let end = next + length + 2;
                        if end > bytes.len() {
                            self.wanted = end - bytes.len();
                            return Ok(false);
                        }
                        if bytes[end - 2..end] != *b"\r\n" {
                            return Err(self.malformed("a bulk string that does not end where it should"));
                        }
                        self.at = end;
                    }
                },
                b'*' => {
                    self.open += self.length(line, ARRAY_MAX)?.unwrap_or(0);
                    self.at = next;
                }
                _ => return Err(self.malformed("an unknown kind of reply")),
            }
            self.open -= 1;
        }
        Ok(true)
    }

    /// Bytes that must arrive before [`Scanner::advance`] can do anything; 0 when that is not known.
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// Bytes that the replies take.
    #[must_use]
    pub fn length_of_replies(&self) -> usize {
        self.at
    }

    /// The text of the first error reply, without its `-`.
    #[must_use]
    pub fn error<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let line = bytes.get(self.error_at? + 1..)?;
        line.split(|&byte| byte == b'\r').next()
    }

    fn line_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        self.wanted = 0;
        let Some(line) = bytes.get(self.at..) else { return Ok(None) };
        match line.iter().position(|&byte| byte == b'\r') {
            Some(length) if length + 1 < line.len() => match line[length + 1] {
                b'\n' if length > 0 => Ok(Some(self.at + length)),
                _ => Err(self.malformed("a line that does not end in CR LF")),
            },
            None if line.len() > LINE_MAX => Err(self.malformed("a line without an end")),
            _ => Ok(None),
        }
    }

    fn length(&self, digits: &[u8], max: i64) -> Result<Option<usize>, Malformed> {
        match number(digits) {
            Some(-1) => Ok(None),
            Some(length @ 0..) if length <= max => Ok(Some(length as usize)),
            _ => Err(self.malformed("a length that is none")),
        }
    }

    fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { at: self.at, what }
    }
}

/// A decimal number, perhaps with a sign.
fn number(digits: &[u8]) -> Option<i64> {
    let (negative, digits) = match digits {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0i64, |value, &digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        value.checked_mul(10)?.checked_add(i64::from(digit))
    })?;
    Some(if negative { -value } else { value })
}

/// One value, borrowed from the bytes it arrived in or from redis-rs's own values.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// A null bulk string or array.
    Nil,
    /// An integer.
    Int(i64),
    /// A simple string, such as `OK`.
    Status(&'a [u8]),
    /// An error reply, without its `-`.
    Error(&'a [u8]),
    /// A bulk string.
    Bulk(&'a [u8]),
    /// An array.
    Array(Values<'a>),
    /// What no RESP2 server sends.
    Unknown,
}

/// The values of an array or of a whole reply, one after the other.
#[derive(Debug, Clone)]
pub struct Values<'a>(Source<'a>);

#[derive(Debug, Clone)]
enum Source<'a> {
    /// Bytes that a scanner has been through.
    Bytes {
        rest: &'a [u8],
        left: usize,
        /// The array that was handed out last, whose elements stand at the head of `rest`: they are skipped only when
        /// somebody asks for what follows.
        nested: usize,
    },
    Tree(std::slice::Iter<'a, redis::Value>),
}

impl<'a> Values<'a> {
    /// The first `replies` values of `bytes`, which a [`Scanner`] has found complete.
    #[must_use]
    pub fn of_bytes(bytes: &'a [u8], replies: usize) -> Values<'a> {
        Values(Source::Bytes { rest: bytes, left: replies, nested: 0 })
    }

    /// redis-rs's values.
    #[must_use]
    pub fn of_tree(values: &'a [redis::Value]) -> Values<'a> {
        Values(Source::Tree(values.iter()))
    }

    /// How many are still to come.
    #[must_use]
    pub fn left(&self) -> usize {
        match &self.0 {
            Source::Bytes { left, .. } => *left,
            Source::Tree(values) => values.len(),
        }
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        match &mut self.0 {
            Source::Tree(values) => values.next().map(of_redis),
            Source::Bytes { left: 0, .. } => None,
            Source::Bytes { rest, left, nested } => {
                for _ in 0..std::mem::take(nested) {
                    skip(rest)?;
                }
                *left -= 1;
                let value = one(rest)?;
                if let Value::Array(Values(Source::Bytes { left: elements, .. })) = &value {
                    *nested = *elements;
                }
                Some(value)
            }
        }
    }
}

fn of_redis(value: &redis::Value) -> Value<'_> {
    match value {
        redis::Value::Nil => Value::Nil,
        redis::Value::Int(number) => Value::Int(*number),
        redis::Value::BulkString(bytes) => Value::Bulk(bytes),
        redis::Value::Array(values) => Value::Array(Values::of_tree(values)),
        redis::Value::SimpleString(text) => Value::Status(text.as_bytes()),
        redis::Value::Okay => Value::Status(b"OK"),
        redis::Value::ServerError(error) => Value::Error(error.code().as_bytes()),
        _ => Value::Unknown,
    }
}

/// The value at the head of `rest`, which is moved behind it; of an array, behind its header. `None` only for bytes
/// that no scanner has been through.
fn one<'a>(rest: &mut &'a [u8]) -> Option<Value<'a>> {
    let end = rest.iter().position(|&byte| byte == b'\r')?;
    let (kind, line) = rest.get(..end)?.split_first()?;
    let body = rest.get(end + 2..)?;
    *rest = body;
    Some(match kind {
        b'+' => Value::Status(line),
        b'-' => Value::Error(line),
        b':' => Value::Int(number(line)?),
        b'$' => match usize::try_from(number(line)?) {
            Err(_) => Value::Nil,
            Ok(length) => {
                *rest = body.get(length + 2..)?;
                Value::Bulk(body.get(..length)?)
            }
        },
        b'*' => match usize::try_from(number(line)?) {
            Err(_) => Value::Nil,
            Ok(left) => Value::Array(Values(Source::Bytes { rest: body, left, nested: 0 })),
        },
        _ => Value::Unknown,
    })
}

fn skip(rest: &mut &[u8]) -> Option<()> {
    let mut open = 1usize;
    while open > 0 {
        if let Value::Array(values) = one(rest)? {
            open += values.left();
        }
        open -= 1;
    }
    Some(())
}

#[cfg(test)]
mod tests;
