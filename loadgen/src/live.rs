//! The live screen: a thread of its own draws, five times a second, what the run tells it.
//!
//! The run only sends what it knows anyway; histograms are merged and percentiles computed here, and the CPU of processes
//! is read here, so that the run's own thread does no more work for being watched.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::backlog::WorstBacklogs;
use common::report::{Depth, Failures, Phase};
use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::collect::SecondReports;
use crate::signals::Interrupt;

mod cpu;
mod screen;
mod state;
mod terminal;

pub use terminal::can_hold_a_screen;

use cpu::{Meter, Process};
use state::State;
use terminal::{Terminal, Writer};

/// Time between two frames.
pub const FRAME: Duration = Duration::from_millis(200);
/// Lines of the past that are looked for.
const LINES_MAX: usize = 100;

/// What a run is asked to do.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// By the plan, on average.
    pub asked_per_s: f64,
    /// Of the window.
    pub duration_s: f64,
    /// Whose CPU is shown.
    pub processes: Vec<Process>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Part of the run.
    pub phase: Phase,
    /// Seconds since the window began; negative before it.
    pub window_s: f64,
    /// By the plan, at this time.
    pub asked_per_s: f64,
    /// Timed tasks, warm-up included.
    pub sent: u64,
    /// Of these, ended in any way.
    pub ended: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Of the window.
    pub sent_in_window: u64,
    /// Of these, sent more than 1 ms after their instant.
    pub late: u64,
    /// Of the window.
    pub failures: Failures,
    /// Over all dynos.
    pub worst: WorstBacklogs,
    /// What is in the queue, where tasks wait in one.
    pub queue: Option<Depth>,
    /// The first worker that was overloaded, and how many tasks waited at it.
    pub overload: Option<(u32, u64)>,
}

/// What the screen is told.
pub enum News {
    /// A run begins.
    Begin {
        /// Which, and of how many.
        head: String,
        /// When all of them will have ended.
        ends: Instant,
    },
    /// What is being done before the first arrival.
    Stage(String),
    /// All processes stand.
    Load(Load),
    /// A second that all dynos have reported.
    Second(Box<SecondReports>),
    /// A few times a second.
    Standing(Box<Standing>),
}

/// The screen at work. Dropping it gives the terminal back.
pub struct Live {
    news: Option<Sender<News>>,
    thread: Option<JoinHandle<()>>,
    terminal: Terminal,
}

impl Live {
    /// Takes over the terminal.
    ///
    /// # Errors
    /// It cannot be taken over; it is as it was then.
    pub fn start(interrupt: &Interrupt) -> anyhow::Result<Live> {
        let terminal = Terminal::enter()?;
        let leaving = terminal.clone();
        interrupt.before_exit(move || leaving.leave_at_once());
        let (news, receiver) = unbounded();
        let (shown, interrupt) = (terminal.clone(), interrupt.clone());
        let mut live = Live { news: Some(news), thread: None, terminal };
        let thread = thread::Builder::new().name("live".into()).spawn(move || {
            // Without a screen the run goes on, and says what it has to say on stderr.
            if watch(&shown, &receiver, &interrupt).is_err() {
                shown.leave();
            }
        })?;
        live.thread = Some(thread);
        Ok(live)
    }

    /// Tells it.
    pub fn tell(&self, news: News) {
        if let Some(sender) = &self.news {
            // A screen that is gone shows nothing.
            let _ = sender.send(news);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.news = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.terminal.leave();
    }
}

/// Draws until nobody has anything to tell any more.
fn watch(terminal: &Terminal, news: &Receiver<News>, interrupt: &Interrupt) -> std::io::Result<()> {
    let mut screen = ratatui::Terminal::new(CrosstermBackend::new(Writer::new(terminal.clone())))?;
    let mut state = State::default();
    let mut meter = Meter::new(Vec::new(), Instant::now());
    let mut keys = true;
    loop {
        let frame = Instant::now() + FRAME;
        while keys {
            let left = frame.saturating_duration_since(Instant::now());
            match event::poll(left).and_then(|ready| if ready { event::read().map(Some) } else { Ok(None) }) {
                Ok(Some(Event::Key(key))) if stops(key) => interrupt.ask(),
                Ok(Some(_)) => {}
                Ok(None) => break,
                // No terminal to read from: signals still work.
                Err(_) => keys = false,
            }
        }
        thread::sleep(frame.saturating_duration_since(Instant::now()));
        loop {
            match news.try_recv() {
                Ok(News::Load(load)) => {
                    meter = Meter::new(load.processes.clone(), Instant::now());
                    state.take(News::Load(load));
                }
                Ok(news) => state.take(news),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Ok(()),
            }
        }
        let now = Instant::now();
        if let Some(cpu) = meter.read(now) {
            state.take_cpu(cpu);
        }
        let (view, lines) = (state.view(now), terminal.last_lines(LINES_MAX));
        screen.draw(|frame| screen::draw(frame, &view, &lines))?;
    }
}

/// The keys that ask a run to stop: `q`, and Ctrl-C, which raw mode makes a key.
fn stops(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('q') => !control,
            KeyCode::Char('c') => control,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::stops;

    #[test]
    fn two_keys_stop_a_run() {
        let pressed = |key, modifiers| stops(KeyEvent::new(KeyCode::Char(key), modifiers));
        assert!(pressed('q', KeyModifiers::NONE) && pressed('c', KeyModifiers::CONTROL));
        assert!(!pressed('c', KeyModifiers::NONE) && !pressed('q', KeyModifiers::CONTROL));
    }
}
