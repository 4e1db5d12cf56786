//! Reads what a private server prints: keeps it in `redis.log`, remembers its end, and tells when the server is ready.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What Redis (all versions) and Valkey say last, after the port is bound and everything is loaded.
const READY: &str = "Ready to accept connections";
/// Lines of the log that are kept in memory for error messages.
const LINES_KEPT: usize = 200;

/// The first thing of interest that a server did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// It accepts connections.
    Ready,
    /// It closed its output: it has ended or is about to.
    Ended,
    /// Neither of the two in time.
    Silent,
}

/// The thread that reads a server's output until its end.
pub(super) struct ServerLog {
    tail: Arc<Mutex<VecDeque<String>>>,
    ready: Receiver<()>,
    reader: Option<JoinHandle<()>>,
}

impl ServerLog {
    /// Starts reading; every line also goes to `file`.
    pub(super) fn follow(output: PipeReader, file: File) -> std::io::Result<Self> {
        let (signal, ready) = mpsc::channel();
        let tail = Arc::new(Mutex::new(VecDeque::with_capacity(LINES_KEPT)));
        let for_reader = Arc::clone(&tail);
        let reader = thread::Builder::new()
            .name("redis-log".to_owned())
            .spawn(move || read(output, file, &for_reader, signal))?;
        let reader = Some(reader);
        Ok(Self { tail, ready, reader })
    }

    /// Waits for the server to be ready or to end.
    pub(super) fn wait_ready(&self, timeout: Duration) -> Start {
        match self.ready.recv_timeout(timeout) {
            Ok(()) => Start::Ready,
            Err(RecvTimeoutError::Disconnected) => Start::Ended,
            Err(RecvTimeoutError::Timeout) => Start::Silent,
        }
    }

    /// The last lines, at most `count` of them and at most 200, each with its newline.
    pub(super) fn tail(&self, count: usize) -> String {
        let lines = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = lines.len().saturating_sub(count);
        lines.iter().skip(skipped).flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// Reads to the end; only after the server has ended.
    pub(super) fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            // It holds nothing that a panic of it could spoil.
            let _ = reader.join();
        }
    }
}

fn read(output: PipeReader, mut file: File, tail: &Mutex<VecDeque<String>>, ready: Sender<()>) {
    let mut output = BufReader::new(output);
    let mut ready = Some(ready);
    let mut line = Vec::new();
    loop {
        line.clear();
        match output.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        // A full disk must not stop the reading: a server that cannot print stands still.
        let _ = file.write_all(&line);
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let is_ready = text.contains(READY);
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if tail.len() == LINES_KEPT {
            tail.pop_front();
        }
        tail.push_back(text);
        drop(tail);
        if is_ready && let Some(ready) = &ready {
            // Nobody listens any more once the first signal has come.
            let _ = ready.send(());
        }
        if is_ready {
            ready = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(text: &str) -> (ServerLog, tempfile::NamedTempFile) {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let log = ServerLog::follow(reader, file.reopen().unwrap()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        (log, file)
    }

    #[test]
    fn readiness_and_end_are_told_apart() {
        for (text, expected) in [
            ("1:M * Ready to accept connections tcp\n", Start::Ready),
            ("1:M * Ready to accept connections\nmore\n", Start::Ready),
            ("bind: Address already in use\n", Start::Ended),
            ("", Start::Ended),
        ] {
            let (log, _file) = follow(text);
            assert_eq!(log.wait_ready(Duration::from_secs(30)), expected, "{text:?}");
        }
        let (reader, _writer) = std::io::pipe().unwrap();
        let silent = ServerLog::follow(reader, tempfile::tempfile().unwrap()).unwrap();
        assert_eq!(silent.wait_ready(Duration::from_millis(1)), Start::Silent);
    }

    #[test]
    fn the_file_holds_everything_and_the_tail_its_end() {
        let text: String = (0..500).map(|number| format!("line {number}\n")).collect();
        let (mut log, file) = follow(&text);
        log.finish();
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), text);
        assert_eq!(log.tail(2), "line 498\nline 499\n");
        assert_eq!(log.tail(usize::MAX).lines().count(), LINES_KEPT);
    }
}
