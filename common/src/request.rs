//! What goes to the server and what comes back: opaque to tasks and drivers.
//!
//! A request is the bytes that go to the socket, written once into one buffer. Replies are the bytes that came from it,
//! or redis-rs's values where one of its own clients is in use.

use std::sync::Arc;

use redis::Pipeline;

use crate::buffer::Buffer;
use crate::resp::{Scanner, Value, Values};

mod error;

pub use error::{RequestError, RequestErrorKind};

/// One or more commands that are sent in one write and answered one by one.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// RESP2 arrays of bulk strings.
    bytes: Bytes,
    commands: usize,
}

#[derive(Debug, Clone)]
enum Bytes {
    Own(Buffer),
    /// Encoded once, sent often.
    Frozen(Arc<[u8]>),
}

impl Default for Bytes {
    fn default() -> Bytes {
        Bytes::Own(Buffer::take())
    }
}

impl Bytes {
    fn contents(&self) -> &[u8] {
        match self {
            Bytes::Own(buffer) => buffer.contents(),
            Bytes::Frozen(bytes) => bytes,
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        match self {
            Bytes::Own(buffer) => buffer.extend(bytes),
            Bytes::Frozen(frozen) => *frozen = [&frozen[..], bytes].concat().into(),
        }
    }
}

impl Request {
    /// No commands yet.
    #[must_use]
    pub fn new() -> Request {
        Request::default()
    }

    /// The same request, to be cloned without copying its bytes.
    #[must_use]
    pub fn frozen(self) -> Request {
        Request { bytes: Bytes::Frozen(self.bytes().into()), commands: self.commands }
    }

    /// Appends a command: its name and arguments.
    #[must_use]
    pub fn command<'a, I>(mut self, name: &str, args: I) -> Request
    where
        I: IntoIterator<Item = &'a [u8], IntoIter: ExactSizeIterator>,
    {
        let args = args.into_iter();
        self.open(name, args.len());
        args.for_each(|arg| self.arg(arg));
        self
    }

    /// Begins a command of `args` arguments, which must follow by [`Request::arg`]: for what is encoded as it goes.
    pub fn open(&mut self, name: &str, args: usize) {
        self.commands += 1;
        self.length(b'*', args + 1);
        self.arg(name.as_bytes());
    }

    /// Appends an argument of the command that was opened last.
    pub fn arg(&mut self, arg: &[u8]) {
        self.length(b'$', arg.len());
        self.bytes.extend(arg);
        self.bytes.extend(b"\r\n");
    }

    fn length(&mut self, kind: u8, length: usize) {
        self.bytes.extend(&[kind]);
        self.bytes.extend(itoa::Buffer::new().format(length).as_bytes());
        self.bytes.extend(b"\r\n");
    }

    /// The bytes on the wire (RESP2).
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.contents()
    }

    /// Its bytes are on their way: their buffer may be used for the replies of others meanwhile.
    pub fn written(&mut self) {
        self.bytes = Bytes::Own(Buffer::none());
    }

    /// How many replies will come.
    #[must_use]
    pub fn replies(&self) -> usize {
        self.commands
    }

    /// The commands with their arguments, names first.
    pub fn commands(&self) -> impl Iterator<Item = Vec<&[u8]>> {
        let mut rest = self.bytes.contents();
        std::iter::from_fn(move || {
            let count = take_length(&mut rest)?;
            (0..count).map(|_| take_arg(&mut rest)).collect()
        })
    }

    /// For clients that encode by themselves. Taking the commands apart again is a cost of such a client.
    #[must_use]
    pub fn pipeline(&self) -> Pipeline {
        let mut pipeline = Pipeline::with_capacity(self.commands);
        for command in self.commands() {
            let mut cmd = redis::Cmd::new();
            for arg in command {
                cmd.arg(arg);
            }
            pipeline.add_command(cmd);
        }
        pipeline
    }
}

/// The number behind `*` or `$`, up to the end of its line.
fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let end = rest.iter().position(|&byte| byte == b'\r')?;
    let length = str::from_utf8(rest.get(1..end)?).ok()?.parse().ok()?;
    *rest = rest.get(end + 2..)?;
    Some(length)
}

fn take_arg<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(rest)?;
    let arg = rest.get(..length)?;
    *rest = rest.get(length + 2..)?;
    Some(arg)
}

/// The replies to a [`Request`], in order, none of them an error.
#[derive(Debug)]
pub struct Replies(Source);

#[derive(Debug)]
enum Source {
    Bytes { buffer: Buffer, replies: usize },
    Tree(Vec<redis::Value>),
}

impl Replies {
    /// Takes what one of redis-rs's clients collected.
    ///
    /// # Errors
    /// The first error among the replies, at any depth: an `EXEC` reports its commands' errors inside its array.
    pub fn of_tree(values: Vec<redis::Value>) -> Result<Replies, RequestError> {
        match values.iter().find_map(first_error) {
            Some(error) => Err(error),
            None => Ok(Replies(Source::Tree(values))),
        }
    }

    /// One value per command.
    #[must_use]
    pub fn values(&self) -> Values<'_> {
        match &self.0 {
            Source::Bytes { buffer, replies } => Values::of_bytes(buffer.contents(), *replies),
            Source::Tree(values) => Values::of_tree(values),
        }
    }

    /// The value, where there is just one.
    #[must_use]
    pub fn single(&self) -> Option<Value<'_>> {
        let mut values = self.values();
        values.next().filter(|_| values.left() == 0)
    }
}

/// Replies on their way: what a connection reads until a request is answered.
#[derive(Debug)]
pub struct Incoming {
    buffer: Buffer,
    scanner: Scanner,
    replies: usize,
}

/// What is asked of a socket at once, unless a reply is known to be longer: a small reply fits, and a worker that waits
/// holds no more than this.
const READ_MIN: usize = 4096;

impl Incoming {
    /// Nothing has come yet of so many replies.
    #[must_use]
    pub fn new(replies: usize) -> Incoming {
        Incoming { buffer: Buffer::take(), scanner: Scanner::new(replies), replies }
    }

    /// Where the next bytes from the socket go; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        self.buffer.space(self.scanner.wanted().max(READ_MIN))
    }

    /// `count` more bytes stand in [`Incoming::space`]; `true` when all replies are there. None means that the server
    /// has hung up.
    ///
    /// # Errors
    /// The connection is at its end, or beyond repair.
    pub fn arrived(&mut self, count: usize) -> Result<bool, RequestError> {
        if count == 0 {
            return Err(RequestError::Disconnected("the server closed the connection".to_owned()));
        }
        self.buffer.advance(count);
        let complete = self.scanner.advance(self.buffer.contents())?;
        if complete && self.scanner.length_of_replies() != self.buffer.contents().len() {
            return Err(RequestError::Disconnected("the server said more than it was asked".to_owned()));
        }
        Ok(complete)
    }

    /// The replies, once [`Incoming::arrived`] has found them complete.
    ///
    /// # Errors
    /// The first error among them, at any depth.
    pub fn replies(self) -> Result<Replies, RequestError> {
        match self.scanner.error(self.buffer.contents()) {
            Some(line) => Err(RequestError::of_line(line)),
            None => Ok(Replies(Source::Bytes { buffer: self.buffer, replies: self.replies })),
        }
    }
}

fn first_error(value: &redis::Value) -> Option<RequestError> {
    match value {
        redis::Value::ServerError(error) => Some(RequestError::Server {
            code: error.code().to_owned(),
            message: error.details().unwrap_or_default().to_owned(),
        }),
        redis::Value::Array(values) => values.iter().find_map(first_error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::{Incoming, Replies, Request, RequestError};

    /// The replies to one request, in pieces of at most `piece` bytes.
    fn receive(bytes: &[u8], replies: usize, piece: usize) -> Result<Replies, RequestError> {
        let mut incoming = Incoming::new(replies);
        for part in bytes.chunks(piece) {
            incoming.space()[..part.len()].copy_from_slice(part);
            if incoming.arrived(part.len())? {
                return incoming.replies();
            }
        }
        incoming.arrived(0).map(|_| unreachable!("the end is an error"))
    }

    #[test]
    fn what_a_connection_reads_becomes_replies_or_the_reason_why_not() {
        for piece in [1, 3, 1000] {
            let refused = |bytes: &[u8], replies| receive(bytes, replies, piece).unwrap_err();
            assert_eq!(receive(b"+OK\r\n:3\r\n", 2, piece).unwrap().values().left(), 2);
            let in_exec = b"+OK\r\n*2\r\n:1\r\n-WRONGTYPE no list\r\n";
            let wrong = RequestError::Server { code: "WRONGTYPE".into(), message: "no list".into() };
            assert_eq!(refused(in_exec, 2), wrong);
            assert!(refused(b"-NOSCRIPT\r\n", 1).is_noscript());
            assert!(refused(b"+O", 1).breaks_connection());
            assert!(refused(b"hello", 1).breaks_connection());
        }
        assert!(receive(b"+OK\r\n+more", 1, 100).unwrap_err().breaks_connection());
    }

    proptest! {
        /// The bytes are those of redis-rs's own encoder, and can be taken apart again.
        #[test]
        fn requests_are_encoded_as_redis_rs_does(commands in proptest::collection::vec(proptest::collection::vec(any::<Vec<u8>>(), 0..4), 1..4)) {
            let mut request = Request::new();
            for args in &commands {
                request = request.command("HSET", args.iter().map(Vec::as_slice));
            }
            prop_assert_eq!(request.pipeline().get_packed_pipeline(), request.bytes());
            prop_assert_eq!(request.replies(), commands.len());
            let frozen = request.clone().frozen();
            prop_assert_eq!(frozen.bytes(), request.bytes());
            let [longer, expected] = [frozen, request.clone()].map(|request| request.command("PING", []));
            prop_assert_eq!(longer.bytes(), expected.bytes());
            let taken: Vec<Vec<Vec<u8>>> = request.commands().map(|command| command[1..].iter().map(|arg| arg.to_vec()).collect()).collect();
            prop_assert_eq!(taken, commands);
        }
    }
}
