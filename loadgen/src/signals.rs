//! Ctrl-C and SIGTERM: the first asks for an orderly stop, the second ends the process (and with it all children).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use nix::sys::signal::{SigSet, Signal};

use crate::error::Interrupted;

/// What asks for a stop.
pub const STOPPING: [Signal; 2] = [Signal::SIGINT, Signal::SIGTERM];

type Act = Box<dyn Fn() + Send>;

/// Whether the user wants to stop.
#[derive(Clone)]
pub struct Interrupt {
    set: Arc<AtomicBool>,
    first: Sender<()>,
    channel: Receiver<()>,
    before_exit: Arc<Mutex<Option<Act>>>,
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("set", &self.set).finish_non_exhaustive()
    }
}

impl Interrupt {
    /// Blocks both signals in this and all later threads and waits for them in one of its own. Call it once, before any
    /// other thread exists.
    ///
    /// # Errors
    /// The system refuses the mask or the thread.
    pub fn install() -> anyhow::Result<Interrupt> {
        let signals: SigSet = STOPPING.into_iter().collect();
        signals.thread_block()?;
        let (first, channel) = bounded(1);
        let interrupt = Interrupt { set: Arc::default(), first, channel, before_exit: Arc::default() };
        let asked = interrupt.clone();
        thread::Builder::new().name("signals".into()).spawn(move || {
            while signals.wait().is_ok() {
                asked.ask();
            }
        })?;
        Ok(interrupt)
    }

    /// The user asks to stop, by a signal or by a key: the first time in order, the second time this does not return.
    pub fn ask(&self) {
        if self.set.swap(true, Ordering::Relaxed) {
            if let Some(before_exit) = &*self.before_exit.lock().unwrap_or_else(PoisonError::into_inner) {
                before_exit();
            }
            std::process::exit(130);
        }
        let _ = self.first.try_send(());
    }

    /// What the second request still does before it ends the process.
    pub fn before_exit(&self, act: impl Fn() + Send + 'static) {
        *self.before_exit.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(act));
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
