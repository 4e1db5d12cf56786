//! Passing on: what is due is written, until its receiver has no room, or is gone.

use std::io::{ErrorKind, Write};
use std::net::Shutdown;

use dyno::clock;

use super::super::due::{End, Head};
use super::super::pairs::Name;
use super::{FLOW_BYTES_MAX, Proxy};

/// A sender whose bytes waited for want of room is read again when so few wait.
const FLOW_BYTES_LOW: usize = FLOW_BYTES_MAX / 2;

impl Proxy {
    /// Passes on what is due.
    pub(super) fn deliver(&mut self) {
        let Some(next_ns) = self.queue.next_ns() else { return };
        let mut now_ns = clock::now_ns();
        if next_ns > now_ns + self.lead.ns() {
            return;
        }
        while let Some(name) = self.queue.pop(now_ns + self.lead.ns()) {
            now_ns = self.write(name, now_ns, true);
        }
    }

    /// Writes what is due at this end; returns the time. `punctual`: it was not its receiver that it waited for.
    pub(super) fn write(&mut self, name: Name, mut now_ns: u64, punctual: bool) -> u64 {
        loop {
            let Some((this, other)) = self.pairs.get(name) else { return now_ns };
            if this.full {
                return now_ns;
            }
            let (due_ns, end) = match this.flow.head(now_ns + self.lead.ns()) {
                Head::Empty => return now_ns,
                Head::Later(due_ns) => {
                    self.queue.push(due_ns, name);
                    return now_ns;
                }
                Head::Bytes(bytes) => match (&this.stream).write(bytes) {
                    Ok(count) => {
                        self.tally.bytes += count as u64;
                        (this.flow.passed(count), None)
                    }
                    // It says when it has room again.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        this.full = true;
                        return now_ns;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(_) => {
                        self.lose(name);
                        return now_ns;
                    }
                },
                Head::End(end) => (this.flow.passed(0), Some(end)),
            };
            now_ns = clock::now_ns();
            if let Some(due_ns) = due_ns {
                self.waiting -= 1;
                if end.is_none() {
                    self.tally.pieces += 1;
                    if punctual {
                        self.lateness.record(now_ns.saturating_sub(due_ns));
                        self.lead.saw(now_ns.wrapping_sub(due_ns).cast_signed());
                    }
                }
            }
            if end.is_some() {
                this.closed = true;
                let gone = this.stream.shutdown(Shutdown::Write).is_err();
                if end == Some(End::Broken) || other.closed {
                    self.close(name);
                    return now_ns;
                }
                if gone {
                    self.lose(name);
                    return now_ns;
                }
            } else if other.paused && this.flow.bytes() <= FLOW_BYTES_LOW {
                other.paused = false;
                self.again.push(name.other());
            }
        }
    }

    /// Nobody listens at this end any more: what waits for it is dropped. What had come from there is still passed on in its
    /// time, with the end behind it.
    fn lose(&mut self, name: Name) {
        let Some((this, other)) = self.pairs.get(name) else { return };
        this.closed = true;
        self.waiting -= this.flow.clear() as u64;
        if other.closed {
            self.close(name);
            return;
        }
        // Whatever went wrong: what can be read has an end from now on.
        let _ = this.stream.shutdown(Shutdown::Both);
        this.ending = true;
        other.paused = false;
        self.again.extend([name, name.other()]);
    }

    fn close(&mut self, name: Name) {
        self.waiting -= self.pairs.close(name) as u64;
    }
}
