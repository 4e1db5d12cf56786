//! Asks dynos with a clock of their own what time it is.

use std::io::Write;
use std::time::Duration;

use common::wire::{FromDyno, ToDyno, encode_message};
use crossbeam_channel::{after, select};
use dyno::clock::now_ns;

use super::{Dynos, Event};
use crate::clocks::{Clock, Estimate};
use crate::error::{Interrupted, Refused};
use crate::signals::Interrupt;

/// Questions to a dyno before the run; the one that was answered quickest is believed.
const QUESTIONS: usize = 50;
/// How long their answers may take altogether.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

impl Dynos {
    /// Asks `dyno` what time it is; the answer is an event. A dyno that is gone says so by another.
    pub fn ask_clock(&self, dyno: u32) {
        if let Some(mut control) = self.controls.get(dyno as usize) {
            let _ = control.write_all(&encode_message(&ToDyno::Clock { asked_ns: now_ns() }));
        }
    }

    /// Asks every dyno whose clock is not loadgen's; returns how many they are.
    pub fn ask_clocks(&self) -> usize {
        let apart = (0..).zip(&self.clocks).filter(|(_, clock)| matches!(clock, Clock::Apart { .. }));
        apart.map(|(dyno, _)| self.ask_clock(dyno)).count()
    }

    /// How far the clock of `dyno`, which is ready and has nothing to do, is from loadgen's.
    pub(super) fn compare_clock(&self, dyno: u32, interrupt: &Interrupt) -> anyhow::Result<Clock> {
        let give_up = after(ANSWERS_WITHIN);
        let mut best: Option<Estimate> = None;
        let mut answers = 0;
        self.ask_clock(dyno);
        loop {
            select! {
                recv(self.events) -> event => match event? {
                    Event::Clock(of, answer) if of == dyno => {
                        let estimate = Estimate::of(answer);
                        let before = best.map_or(estimate, |best| best.or(estimate));
                        answers += 1;
                        if answers == QUESTIONS {
                            return Ok(Clock::Apart { before, during: None });
                        }
                        best = Some(before);
                        self.ask_clock(dyno);
                    }
                    Event::Message(_, message) => if let FromDyno::Fatal(why) = *message {
                        return Err(Refused(format!("a dyno cannot go on: {why}")).into());
                    },
                    Event::Clock(..) => {}
                    Event::Gone(dyno) => anyhow::bail!("dyno {dyno} ended before the run; see its message above"),
                },
                recv(interrupt.channel()) -> _ => return Err(Interrupted.into()),
                recv(give_up) -> _ => anyhow::bail!(
                    "dyno {dyno} answered {answers} of {QUESTIONS} questions about its clock within {} s: the network between \
                     the machines is too slow to compare clocks over it",
                    ANSWERS_WITHIN.as_secs()
                ),
            }
        }
    }
}
