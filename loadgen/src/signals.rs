//! Ctrl-C and SIGTERM: the first asks for an orderly stop, the second ends the process (and with it all children).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use nix::sys::signal::{SigSet, Signal};

use crate::error::Interrupted;

/// Whether the user wants to stop.
#[derive(Debug, Clone)]
pub struct Interrupt {
    set: Arc<AtomicBool>,
    channel: Receiver<()>,
}

impl Interrupt {
    /// Blocks both signals in this and all later threads and waits for them in one of its own. Call it once, before any
    /// other thread exists.
    ///
    /// # Errors
    /// The system refuses the mask or the thread.
    pub fn install() -> anyhow::Result<Interrupt> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals.thread_block()?;
        let set = Arc::new(AtomicBool::new(false));
        let (first, channel) = bounded(1);
        let flag = Arc::clone(&set);
        thread::Builder::new().name("signals".into()).spawn(move || {
            while signals.wait().is_ok() {
                if flag.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                let _ = first.try_send(());
            }
        })?;
        Ok(Interrupt { set, channel })
    }

    /// Whether the user has asked to stop.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::Relaxed)
    }

    /// Receives once, when the user asks to stop.
    #[must_use]
    pub fn channel(&self) -> &Receiver<()> {
        &self.channel
    }

    /// # Errors
    /// [`Interrupted`] once the user has asked to stop.
    pub fn check(&self) -> Result<(), Interrupted> {
        if self.is_set() { Err(Interrupted) } else { Ok(()) }
    }
}
