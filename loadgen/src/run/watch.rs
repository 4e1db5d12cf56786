//! Follows a run from its start to its end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::arrivals::Schedule;
use common::backlog::{WorkerBacklog, WorstBacklogs};
use common::plan::OnOverload;
use common::report::{Ended, Phase};
use common::wire::{FromDyno, TaskPhase};
use crossbeam_channel::{Receiver, after, never, select, tick};
use dyno::clock::now_ns;

use super::Spec;
use crate::clocks::Clock;
use crate::collect::{Collected, OverloadReport};
use crate::dynos::{Dynos, Event};
use crate::enqueued::Refusal;
use crate::live::Standing;
use crate::pacer::{Pacer, PacerEnd};
use crate::progress::Progress;
use crate::signals::Interrupt;

/// How often server and proxy are looked after, and the dynos asked for their time.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a dyno is asked for its time when a run is over, and how long that may take for all of them.
const LAST_ANSWERS: usize = 20;
const LAST_ANSWERS_WITHIN: Duration = Duration::from_millis(250);
/// How long the dynos may take for their last word.
const LAST_WORD_WITHIN: Duration = Duration::from_secs(5);

pub(super) struct Watch<'a> {
    spec: &'a Spec<'a>,
    schedule: &'a Schedule,
    /// Of a queue.
    refusal: Refusal,
    start_ns: u64,
    pub(super) collected: Collected,
    /// Tasks that the counters hold besides the timed ones.
    untimed: u64,
    /// Whether tasks wait in a queue.
    is_queued: bool,
    /// When the latest counters came.
    seen: Seen,
    /// Seconds since the start that have been shown.
    shown: u32,
}

/// What had been sent and what had ended, at one instant.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    at_ns: u64,
    sent: u64,
    done: u64,
}

/// How a run came to its end.
pub(super) struct End {
    pub(super) ended: Ended,
    /// Everything that was sent had ended before the drain came to its bound.
    pub(super) drained: bool,
}

/// What one look at a run's sources brought.
enum News {
    Dyno(Event),
    Pacer(PacerEnd),
    Interrupt,
    Overdue,
    DrainBound,
    Clock,
    Show,
}

/// What a run is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    interrupted: bool,
    /// The pacer has nothing more to send.
    all_sent: bool,
    sent: u64,
    done: u64,
    window_over: bool,
}

impl Waiting {
    /// Everything that was sent has ended, and nothing more can come within the window. An interrupted run does not
    /// wait for its window.
    fn is_over(self) -> bool {
        self.all_sent && self.done >= self.sent && (self.window_over || self.interrupted)
    }
}

impl<'a> Watch<'a> {
    /// `refusal`: of the queue, if there is one.
    pub(super) fn new(
        spec: &'a Spec<'a>,
        schedule: &'a Schedule,
        refusal: Refusal,
        start_ns: u64,
        clocks: &[Clock],
    ) -> Watch<'a> {
        let untimed = u64::from(spec.cell.settings.workers.total());
        Watch {
            spec,
            schedule,
            refusal,
            start_ns,
            collected: Collected::new(clocks, start_ns),
            untimed,
            is_queued: spec.cell.settings.queue.is_some(),
            seen: Seen::default(),
            shown: 0,
        }
    }

    /// Seconds since the window began.
    pub(super) fn seconds(&self, at_ns: u64) -> f64 {
        (at_ns as f64 - (self.start_ns + self.schedule.window_start_ns) as f64) / 1e9
    }

    pub(super) fn until_end(
        &mut self,
        dynos: &Dynos,
        lost: &mut dyn FnMut(f64) -> Option<Ended>,
        pacer: &Pacer,
        pacer_end: &Receiver<PacerEnd>,
        interrupt: &Interrupt,
        progress: &mut Progress,
    ) -> anyhow::Result<End> {
        let settings = &self.spec.cell.settings;
        let stop_at_overload = settings.workers.on_overload == OnOverload::Stop;
        let window_end_ns = self.start_ns + self.schedule.window_end_ns;
        let (clock, frames) = (tick(LOOK_EVERY), tick(progress.every()));
        let (mut pacer_end, mut interrupts, mut drain_bound) =
            (pacer_end.clone(), interrupt.channel().clone(), never());
        // A generator that gets no CPU must not keep a run from ending.
        let bound = Duration::from_nanos(window_end_ns.saturating_sub(now_ns()))
            + Duration::from_secs_f64(settings.load.drain_s);
        let mut overdue = after(bound);
        let (mut all_sent, mut interrupted) = (false, false);
        let early = |ended| Ok(End { ended, drained: false });
        loop {
            let news = select! {
                recv(dynos.events) -> event => News::Dyno(event?),
                recv(pacer_end) -> end => News::Pacer(end?),
                recv(interrupts) -> _ => News::Interrupt,
                recv(overdue) -> _ => News::Overdue,
                recv(drain_bound) -> _ => News::DrainBound,
                recv(clock) -> _ => News::Clock,
                recv(frames) -> _ => News::Show,
            };
            match news {
                News::Dyno(Event::Message(dyno, message)) => self.take(dyno, *message, pacer),
                News::Dyno(Event::Clock(dyno, answer)) => self.collected.take_answer(dyno, answer),
                // The other end is the server: whoever reads the queue's answers knows why.
                News::Pacer(PacerEnd::DynoGone { .. }) if settings.queue.is_some() => pacer_end = never(),
                // A dyno that takes no more tasks says so on its control connection too.
                News::Dyno(Event::Gone(dyno)) | News::Pacer(PacerEnd::DynoGone { dyno }) => {
                    return early(self.lost(dyno));
                }
                News::Pacer(PacerEnd::IntakeOverloaded { dyno, pending, at_ns }) => {
                    self.collected.overloaded(OverloadReport { at_ns, dyno, worker: None, backlog: pending });
                    return early(Ended::Overloaded);
                }
                News::Pacer(PacerEnd::Done | PacerEnd::Stopped) => {
                    all_sent = true;
                    (pacer_end, overdue) = (never(), never());
                    let left_ns = if interrupted { 0 } else { window_end_ns.saturating_sub(now_ns()) };
                    drain_bound = after(Duration::from_nanos(left_ns) + Duration::from_secs_f64(settings.load.drain_s));
                }
                News::Interrupt => {
                    // No more arrivals; what was sent may end within the drain bound.
                    pacer.stop();
                    interrupts = never();
                    interrupted = true;
                    progress.line("stopping: no more arrivals, waiting for what was sent; Ctrl-C again to kill");
                }
                News::Overdue => {
                    progress.line("the generator has not sent everything long after the window: stopping it");
                    pacer.stop();
                    overdue = never();
                }
                News::DrainBound => return early(if interrupted { Ended::Interrupted } else { Ended::Complete }),
                News::Clock => {
                    if let Some(ended) = lost(self.seconds(now_ns())) {
                        return early(ended);
                    }
                    dynos.ask_clocks();
                }
                News::Show => {
                    self.show(all_sent, pacer, progress);
                }
            }
            if let Some((error, at_ns)) = self.refusal.get() {
                let at_s = self.seconds(*at_ns);
                let refused = || match error.is_out_of_memory() {
                    true => Ended::ServerFull { at_s },
                    false => Ended::QueueLost { at_s, why: error.to_string() },
                };
                // A server that has ended answers nobody.
                return early(lost(at_s).unwrap_or_else(refused));
            }
            // What comes after it is another test than the plan's, and every further task would fail.
            if self.collected.server_is_full() {
                return early(Ended::ServerFull { at_s: self.seconds(now_ns()) });
            }
            if stop_at_overload && self.collected.overload.is_some() {
                return early(Ended::Overloaded);
            }
            if let Some((dyno, why)) = &self.collected.broken {
                progress.line(&format!("dyno {dyno} cannot go on: {why}"));
                return early(Ended::DynoLost { dyno: *dyno, at_s: self.seconds(now_ns()), status: None });
            }
            let sent = pacer.progress.sent.load(Ordering::Relaxed);
            let window_over = now_ns() > window_end_ns;
            if (Waiting { interrupted, all_sent, sent, done: self.done(sent), window_over }).is_over() {
                let ended = if interrupted { Ended::Interrupted } else { Ended::Complete };
                return Ok(End { ended, drained: true });
            }
        }
    }

    fn take(&mut self, dyno: u32, message: FromDyno, pacer: &Pacer) {
        let counters = matches!(message, FromDyno::Counters(_));
        self.collected.take(dyno, message);
        if counters {
            // Together: what is sent until somebody looks is not yet in the counters.
            let sent = pacer.progress.sent.load(Ordering::Relaxed);
            self.seen = Seen { at_ns: now_ns(), sent, done: self.done(sent) };
        }
    }

    fn lost(&mut self, dyno: u32) -> Ended {
        let at_ns = now_ns();
        self.collected.gone(dyno, at_ns);
        Ended::DynoLost { dyno, at_s: self.seconds(at_ns), status: None }
    }

    /// Of `sent` timed tasks, those that have ended, by the latest counters; out of a queue, those that are settled for good.
    fn done(&self, sent: u64) -> u64 {
        match self.is_queued {
            true => sent.saturating_sub(self.collected.queue().left(sent + self.untimed)),
            false => self.collected.ended().0.saturating_sub(self.untimed),
        }
    }

    fn show(&mut self, all_sent: bool, pacer: &Pacer, progress: &mut Progress) {
        let (seen, dynos) = (self.seen, self.collected.dynos.len());
        if seen.at_ns == 0 {
            return;
        }
        while let Some(second) = self.collected.seconds.get(&self.shown).filter(|second| second.dynos >= dynos) {
            progress.second(second);
            self.shown += 1;
        }
        let window_s = self.seconds(seen.at_ns);
        let counts = self.collected.counts(TaskPhase::Window);
        let standing = Standing {
            phase: match window_s {
                ..0.0 => Phase::WarmUp,
                // Who has nothing to send has sent all of it from the beginning on.
                _ if all_sent && seen.sent > 0 => Phase::Drain,
                _ => Phase::Window,
            },
            window_s,
            asked_per_s: self.spec.cell.settings.load.rate_at(window_s),
            sent: seen.sent,
            ended: seen.done,
            failed: self.collected.ended().1,
            sent_in_window: pacer.progress.sent.load(Ordering::Relaxed).saturating_sub(self.schedule.warmup as u64),
            late: pacer.progress.late.load(Ordering::Relaxed),
            failures: counts.failed,
            worst: self.worst(),
            queue: self.is_queued.then(|| self.collected.queue().depth(seen.sent + self.untimed)),
            overload: self
                .collected
                .overload
                .and_then(|first| Some((self.number(first.dyno, first.worker?), first.backlog))),
        };
        progress.show(&standing, &self.collected.histograms.response);
    }

    /// The number of a dyno's worker over all dynos.
    fn number(&self, dyno: u32, worker: u32) -> u32 {
        self.spec.cell.settings.workers.first_of(dyno) + worker
    }

    /// Where most tasks wait, over all dynos.
    fn worst(&self) -> WorstBacklogs {
        let mut worst = WorstBacklogs::default();
        for (dyno, reports) in (0..).zip(&self.collected.dynos) {
            for WorkerBacklog { worker, waiting } in reports.counters.last().iter().flat_map(|last| last.worst.iter()) {
                worst.add(WorkerBacklog { worker: self.number(dyno, worker), waiting });
            }
        }
        worst
    }

    /// What a dyno says once nothing more is sent to it.
    fn hear(&mut self, event: Event) {
        match event {
            Event::Message(dyno, message) => self.collected.take(dyno, *message),
            Event::Clock(dyno, answer) => self.collected.take_answer(dyno, answer),
            Event::Gone(dyno) => self.collected.gone(dyno, now_ns()),
        }
    }

    /// Compares clocks once more, as often as it can in a moment, now that the dynos have less to do.
    pub(super) fn last_answers(&mut self, dynos: &Dynos) {
        let give_up = after(LAST_ANSWERS_WITHIN);
        // As many as there are dynos: each answer is followed by one more question.
        let mut questions = LAST_ANSWERS * dynos.ask_clocks();
        while questions > 0 {
            select! {
                recv(dynos.events) -> event => match event {
                    Ok(Event::Clock(dyno, answer)) => {
                        self.collected.take_answer(dyno, answer);
                        dynos.ask_clock(dyno);
                        questions -= 1;
                    }
                    Ok(event) => self.hear(event),
                    Err(_) => return,
                },
                recv(give_up) -> _ => return,
            }
        }
    }

    /// Collects until every dyno has said its last word.
    pub(super) fn last_words(&mut self, dynos: &Dynos) {
        let give_up = after(LAST_WORD_WITHIN);
        while !self.collected.complete() {
            select! {
                recv(dynos.events) -> event => match event {
                    Ok(event) => self.hear(event),
                    Err(_) => return,
                },
                recv(give_up) -> _ => {
                    // Connected and silent is as good as gone.
                    (0..self.collected.dynos.len() as u32).for_each(|dyno| self.collected.gone(dyno, now_ns()));
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Waiting;

    #[test]
    fn a_run_is_over_when_nothing_is_under_way_and_nothing_can_come() {
        let over = Waiting { interrupted: false, all_sent: true, sent: 7, done: 7, window_over: true };
        let cases = [
            (over, true),
            (Waiting { done: 6, ..over }, false),
            (Waiting { all_sent: false, ..over }, false),
            (Waiting { window_over: false, ..over }, false),
            (Waiting { window_over: false, interrupted: true, ..over }, true),
            (Waiting { done: 6, interrupted: true, ..over }, false),
        ];
        for (waiting, expected) in cases {
            assert_eq!(waiting.is_over(), expected, "{waiting:?}");
        }
    }
}
