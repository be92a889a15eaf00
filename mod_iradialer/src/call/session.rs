//! What an answered call's own thread does: runs its flow, or works off what live requests ask for.

use super::Call;
use super::running::{facts, transferred};
use crate::desk::At;
use crate::host::HangupCause;
use crate::pairing::{Seat, Turn};
use crate::prompts::Sounds;
use crate::transfer::Manner;
use iradialer_core::flow::{
    self, Flow, FlowEndWhy, Leg, LegEnd, Report, Reporter, Sound, Transferred,
};
use iradialer_core::live::EventSubject;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{EventBody, TransferResult};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A leg that live requests can be done on.
pub trait SessionLeg: Leg {
    /// What it plays from now on is found here.
    fn give_sounds(&mut self, sounds: Arc<Sounds>);

    /// Waits for one frame of audio, with nothing to do. Keys that came are kept for the next question where
    /// `keep_keys` says so; else they have been reported, and that is all.
    fn idle(&mut self, keep_keys: bool) -> Result<(), LegEnd>;

    /// Has somebody dialled, or the carrier asked to, and is connected with them. Says what came of it, where
    /// that is known, also of a leg that has ended.
    fn hand_over(&mut self, manner: Manner) -> (Option<Transferred>, Result<(), LegEnd>);

    /// Is connected with a channel that waits for it, until one of the two is hung up.
    fn bridge_with(&mut self, attempt: CallUuid) -> Result<(), LegEnd>;

    /// Sends a channel that has stepped aside back to its desk.
    fn send_back(&mut self, attempt: CallUuid);
}

/// What becomes of a call's channel when its thread has no more to do at its desk.
pub enum Attended {
    /// It is hung up, for this reason, or is already.
    Over(Option<HangupCause>),
    /// Another call's thread is to take it. It comes back to its desk.
    StepAside(Seat),
}

/// Something a live request asks of a call's session.
pub struct Job {
    /// What.
    pub work: Work,
    /// The audio of what it plays.
    pub sounds: Arc<Sounds>,
    /// Where its events are sent too.
    pub event_subject: Option<EventSubject>,
}

/// What a live request asks for.
pub enum Work {
    /// To play a sound.
    Play {
        /// The sound.
        sound: Sound,
        /// How many times, from 1.
        times: u32,
        /// Whether a key ends it. The key is kept for the request that follows.
        stop_on_key: bool,
    },
    /// To ask for digits: a flow of one node ([`Flow::asking`]).
    Ask(Box<Flow>),
    /// To have it connected with somebody.
    Transfer(Manner),
    /// To have it connected with another live call.
    Join(Seat),
}

impl Call {
    /// Does on the answered leg what there is to do.
    pub fn attend(&self, leg: &mut dyn SessionLeg) -> Attended {
        if let Some(flow) = self.flow() {
            self.desk.be_at(At::Flow);
            return Attended::Over(self.run(flow, leg));
        }
        self.desk.be_at(At::Desk);
        loop {
            let done = match self.desk.take() {
                Some(job) => self.work_off(job, leg),
                // Someone may type ahead into what was asked for together with what is playing, but what was
                // pressed while nothing was asked is no answer to what is asked much later.
                None => leg.idle(self.desk.load().waiting > 0).map(|()| None),
            };
            match done {
                Ok(Some(seat)) => return Attended::StepAside(seat),
                Ok(None) | Err(LegEnd::Stopped) => {}
                Err(LegEnd::HungUp) => return Attended::Over(None),
                Err(LegEnd::Fault(what)) => return Attended::Over(self.fail(what)),
            }
        }
    }

    /// Waits for the other call of a pair, and is connected with it. Returns the seat where it is this one
    /// that steps aside.
    fn join(&self, seat: Seat, leg: &mut dyn SessionLeg) -> Result<Option<Seat>, LegEnd> {
        let joined = loop {
            match seat.poll() {
                Turn::Wait => {}
                Turn::Over => break Ok(()),
                Turn::Bridge(other) => break leg.bridge_with(other),
                Turn::StepAside => {
                    self.comes_back.store(true, Ordering::SeqCst);
                    self.desk.done();
                    return Ok(Some(seat));
                }
            }
            if let Err(end) = leg.idle(false) {
                break Err(end);
            }
        };
        if let Some(other) = seat.leave() {
            leg.send_back(other);
        }
        self.desk.done();
        joined.map(|()| None)
    }

    /// Whether its thread is expected at its desk.
    pub fn is_expected(&self) -> bool {
        self.comes_back.load(Ordering::SeqCst)
    }

    /// Its thread is there again, whether the two were connected or not; false where it was not expected.
    pub fn come_back(&self) -> bool {
        // The host may tell the other one first.
        self.bridge_over();
        self.comes_back.swap(false, Ordering::SeqCst)
    }

    /// Does what was asked for. Returns the seat of a call that is to step aside.
    fn work_off(&self, job: Job, leg: &mut dyn SessionLeg) -> Result<Option<Seat>, LegEnd> {
        leg.give_sounds(job.sounds);
        let (outcome, end) = match job.work {
            Work::Play {
                sound,
                times,
                stop_on_key,
            } => self.play(&sound, times, stop_on_key, leg),
            Work::Ask(flow) => self.ask(&flow, leg),
            Work::Transfer(manner) => hand_over(manner, leg),
            Work::Join(seat) => return self.join(seat, leg),
        };
        // Asked of the desk: who was told that it would be stopped must not hear that it was done.
        let stopped = self.desk.done();
        let is_over = matches!(end, Err(LegEnd::HungUp | LegEnd::Fault(_)));
        if is_over && !outcome.has_come_about() {
            return end.map(|()| None);
        }
        let body = match (stopped, outcome) {
            (Some(dropped), outcome) => outcome.stopped(dropped),
            (None, outcome) => outcome.0,
        };
        self.emit_to(&mut self.progress.lock(), body, job.event_subject.as_ref());
        match is_over {
            true => end.map(|()| None),
            false => Ok(None),
        }
    }

    /// Tells of what was stopped before its turn came, and of the `dropped` that waited behind it.
    pub fn was_not_begun(&self, job: Job, dropped: u32) {
        let outcome = match job.work {
            Work::Play { sound, .. } => played(&sound, 0, None),
            Work::Ask(flow) => not_collected(&flow),
            Work::Transfer(manner) => not_transferred(&manner),
            // Its seat tells the other one.
            Work::Join(_) => return,
        };
        let body = outcome.stopped(dropped);
        self.emit_to(&mut self.progress.lock(), body, job.event_subject.as_ref());
    }

    fn play(
        &self,
        sound: &Sound,
        times: u32,
        stop_on_key: bool,
        leg: &mut dyn SessionLeg,
    ) -> (Outcome, Result<(), LegEnd>) {
        let started_us = self.host.steady_us();
        let (mut interrupted_by, mut end) = (None, Ok(()));
        for _ in 0..times {
            match leg.play(std::slice::from_ref(sound), stop_on_key) {
                Ok(played) => interrupted_by = played.interrupted_by,
                Err(why) => end = Err(why),
            }
            if interrupted_by.is_some() || end.is_err() || self.desk.stop_wanted() {
                break;
            }
        }
        let played_ms = self.host.steady_us().saturating_sub(started_us) / 1000;
        (played(sound, played_ms, interrupted_by), end)
    }

    fn ask(&self, flow: &Flow, leg: &mut dyn SessionLeg) -> (Outcome, Result<(), LegEnd>) {
        let mut asked = Asked {
            call: self,
            outcome: not_collected(flow),
        };
        let end = flow::run(flow, &facts(&self.command), &(), leg, &mut asked);
        let why = match end.why {
            FlowEndWhy::Done => Ok(()),
            FlowEndWhy::HungUp => Err(LegEnd::HungUp),
            FlowEndWhy::Stopped => Err(LegEnd::Stopped),
            FlowEndWhy::Fault(what) => Err(LegEnd::Fault(what)),
        };
        (asked.outcome, why)
    }
}

fn hand_over(manner: Manner, leg: &mut dyn SessionLeg) -> (Outcome, Result<(), LegEnd>) {
    let stopped = not_transferred(&manner);
    let destination = manner.destination().to_string();
    let (outcome, end) = leg.hand_over(manner);
    let outcome = outcome.map(|outcome| Outcome(transferred(None, destination, outcome)));
    (outcome.unwrap_or(stopped), end)
}

fn played(sound: &Sound, played_ms: u64, interrupted_by: Option<char>) -> Outcome {
    Outcome(EventBody::PlayDone {
        node: None,
        prompt: flow::shown(sound),
        played_ms,
        interrupted_by,
    })
}

fn not_collected(flow: &Flow) -> Outcome {
    Outcome(EventBody::DtmfCollected {
        node: None,
        var_name: flow.sets().into_iter().next().unwrap_or("").to_owned(),
        digits: String::new(),
        valid: false,
        tries: 0,
    })
}

fn not_transferred(manner: &Manner) -> Outcome {
    let stopped = Transferred::Failed("another request has stopped it".to_owned());
    Outcome(transferred(None, manner.destination().to_string(), stopped))
}

/// The event that tells of what was done.
struct Outcome(EventBody);

impl Outcome {
    /// Whether it is told though the leg has ended: the two were connected.
    fn has_come_about(&self) -> bool {
        let result = TransferResult::Done;
        matches!(&self.0, EventBody::Transferred { result: is, .. } if *is == result)
    }

    /// The event that tells that it was stopped.
    fn stopped(self, dropped: u32) -> EventBody {
        let (prompt, played_ms) = match self.0 {
            EventBody::PlayDone {
                prompt, played_ms, ..
            } => (prompt, played_ms),
            EventBody::DtmfCollected { var_name, .. } => (var_name, 0),
            other => return other,
        };
        EventBody::PlayStopped {
            prompt,
            played_ms,
            dropped,
        }
    }
}

/// Keeps what came of asking until it is known whether it was stopped.
struct Asked<'a> {
    call: &'a Call,
    outcome: Outcome,
}

impl Reporter for Asked<'_> {
    fn report(&mut self, report: Report) {
        if let Report::DtmfCollected {
            var_name,
            digits,
            valid,
            tries,
            ..
        } = report
        {
            self.outcome = Outcome(EventBody::DtmfCollected {
                node: None,
                var_name,
                digits,
                valid,
                tries,
            });
        }
    }

    fn at_node(&mut self, _node: &str) {}

    fn set(&mut self, name: &str, value: &str) {
        let variables = &mut self.call.progress.lock().variables;
        variables.insert(name.to_owned(), value.to_owned());
    }
}
