//! Transfers on channels: a leg that waits for another and is connected with it, the other one, and a leg
//! that the carrier is asked to connect (SIP REFER).

use super::entry;
use super::media::ChannelLeg;
use super::playback::Output;
use super::session::Session;
use super::switch::steady_us;
use super::text::{FILE, FUNC, c_string};
use crate::audio::ringback::Ringback;
use crate::call::{Call, SessionLeg};
use crate::desk::At;
use crate::host::HangupCause;
use crate::pairing::Seat;
use crate::transfer::Manner;
use crate::transfer::course::{Next, Wanted};
use freeswitch_sys as sys;
use iradialer_core::call::EndedBy;
use iradialer_core::flow::{Leg, LegEnd, Transfer, Transferred};
use iradialer_core::value::{CallUuid, DialNumber};
use std::ptr::{null, null_mut};
use std::sync::Arc;

/// How long a carrier may take to say what came of a REFER, µs. One that has accepted it and says no more is
/// believed.
const DEFLECTED_WITHIN_US: u64 = 10_000_000;
/// What the SIP stack notes of a REFER: the status it was answered with, and the last one of its NOTIFYs.
const REFER_STATUS: &str = "sip_refer_status_code";
const TARGET_STATUS: &str = "sip_refer_target_status_code";

/// Has the host park a channel when its bridge is over, and not hang it up.
const PARK_AFTER_BRIDGE: &str = "park_after_bridge";

/// On the thread of a call that is to be connected by another one's thread: it goes where that one finds it, and
/// comes back to its desk when that is over, by way of `CS_PARK`.
pub fn step_aside(session: Session<'_>, seat: Seat) {
    let channel = session.channel();
    channel.set_variable(PARK_AFTER_BRIDGE, "true");
    // In this order: once it is said to be aside the other thread moves it on from there.
    channel.set_state(sys::CS_CONSUME_MEDIA);
    if !seat.stepped_aside() {
        send_back(session);
    }
}

/// Sends a channel that has stepped aside back. Not to the state it may still be running in, which the host would
/// take for no change.
pub fn send_back(session: Session<'_>) {
    session.channel().set_state(sys::CS_PARK);
}

/// On the thread of a call that another one waits for, once it is answered: it hears what it is to hear, and
/// goes where the other one finds it.
pub fn meet(session: Session<'_>, call: &Arc<Call>) -> sys::switch_status_t {
    let channel = session.channel();
    call.desk.be_at(At::Bridge);
    match ChannelLeg::new(session, call, None).play(&call.command.whisper, false) {
        Ok(_) | Err(LegEnd::Stopped) => {}
        Err(LegEnd::HungUp) => return sys::SWITCH_STATUS_FALSE,
        Err(LegEnd::Fault(what)) => {
            call.end_by(EndedBy::Switch);
            call.fault(what);
            channel.hang_up(HangupCause::Fault);
            return sys::SWITCH_STATUS_FALSE;
        }
    }
    // In this order: once it is said to be ready the other thread moves it on from there.
    channel.set_state(sys::CS_CONSUME_MEDIA);
    if !entry::engine().is_some_and(|engine| engine.transfers.ready(call)) {
        call.end_by(EndedBy::Peer);
        channel.hang_up(HangupCause::Request);
    }
    sys::SWITCH_STATUS_FALSE
}

impl ChannelLeg<'_> {
    /// A flow's step.
    pub(super) fn transfer_in_flow(&mut self, transfer: &Transfer) -> Result<Transferred, LegEnd> {
        let destination = transfer.destination.clone();
        let manner = match transfer.deflect {
            true => Manner::Refer(destination),
            false => Manner::Dial(Wanted {
                destination,
                from_number: None,
                trunk: None,
                timeout_s: u16::try_from(transfer.timeout_s).unwrap_or(u16::MAX),
                whisper: transfer.whisper.clone(),
            }),
        };
        match self.hand_over(manner) {
            // The interpreter does not hear of what a hangup ended.
            (Some(outcome @ Transferred::Done { .. }), Err(end)) => {
                let to = transfer.destination.as_str().to_owned();
                self.call.transferred(transfer.node.clone(), to, outcome);
                Err(end)
            }
            (Some(outcome), Ok(())) => Ok(outcome),
            (_, Err(end)) => Err(end),
            (None, Ok(())) => Err(LegEnd::HungUp),
        }
    }

    /// Has the number dialled, and is connected with it. Meanwhile ringback is heard where the codec is of
    /// G.711, else silence; keys that are pressed are reported, and mean nothing.
    pub(super) fn connect(&mut self, wanted: Wanted) -> (Option<Transferred>, Result<(), LegEnd>) {
        let failed = |why: String| (Some(Transferred::Failed(why)), Ok(()));
        let Some(engine) = entry::engine() else {
            return failed("the switch is being shut down".to_owned());
        };
        let mut course = match engine.transfer(self.call, wanted) {
            Ok(course) => course,
            Err(why) => return failed(why),
        };
        // Not held for as long as somebody waits, or is connected.
        drop(engine);
        let output = Output::of(self.session);
        let mut ringback = Ringback::default();
        loop {
            if let Err(end) = self.alive() {
                return (None, Err(end));
            }
            match course.poll() {
                Next::Wait => {}
                Next::Over(outcome) => return (Some(outcome), Ok(())),
                Next::Bridge(attempt) => {
                    let outcome = match self.bridge(attempt) {
                        Some(ms) => Transferred::Done { ms },
                        None => course.not_connected(),
                    };
                    return (Some(outcome), self.alive());
                }
            }
            if let Err(end) = self.wait_a_frame() {
                return (None, Err(end));
            }
            self.drop_keys();
            if let Some(output) = &output {
                output.send(ringback.next(output.law, output.packet()));
            }
        }
    }

    /// Connects the leg with the channel of another attempt until one of the two is hung up, which ends the
    /// other one's where it was this leg. Returns for how many ms; `None` where they never were.
    pub(super) fn bridge(&mut self, attempt: CallUuid) -> Option<u64> {
        let other = Session::locate(attempt)?;
        // An operator's default for every channel would end the call with the other side's.
        let channel = self.session.channel();
        channel.set_variable("hangup_after_bridge", "false");
        // Left from when it was the other side of one.
        channel.set_variable(PARK_AFTER_BRIDGE, "false");
        let call = self.call;
        let of_other = entry::engine().and_then(|engine| engine.registry.attempt(attempt));
        call.joins(of_other.as_deref());
        // SAFETY: H2, H3, H6, H9: on the session's own thread, the other session is kept, and nothing of ours
        // is called back.
        unsafe {
            sys::switch_ivr_multi_threaded_bridge(
                self.session.as_ptr(),
                other.session().as_ptr(),
                None,
                null_mut(),
                null_mut(),
            );
        }
        drop(other);
        call.bridge_over()
    }

    /// Asks the carrier to connect the leg with the number (SIP REFER), if the routers let it. Once it has, it hangs the
    /// leg up or leaves that to the flow.
    pub(super) fn deflect(
        &mut self,
        number: &DialNumber,
    ) -> (Option<Transferred>, Result<(), LegEnd>) {
        let failed = |why: &str| Some(Transferred::Failed(why.to_owned()));
        let number = match self.permitted(number) {
            Ok(Ok(number)) => number,
            Ok(Err(refused)) => return (Some(refused), Ok(())),
            Err(end) => return (None, Err(end)),
        };
        let channel = self.session.channel();
        let Some(target) = refer_to(&number, channel.variable("sip_to_host")) else {
            return (failed("the trunk's domain is not known"), Ok(()));
        };
        for old in [REFER_STATUS, TARGET_STATUS] {
            channel.set_variable(old, "");
        }
        // Else the SIP stack waits for the outcome by itself, without reading audio, and hangs up whatever it is.
        channel.set_variable("sip_refer_continue_after_reply", "true");
        let begun_us = steady_us();
        if !self.send_refer(&target) {
            let why = "the host sends no REFER on this channel";
            return (failed(why), self.alive());
        }
        loop {
            let status = |name| channel.variable(name).and_then(|text| text.parse().ok());
            let (refer, target): (Option<u16>, Option<u16>) =
                (status(REFER_STATUS), status(TARGET_STATUS));
            let ms = steady_us().saturating_sub(begun_us) / 1_000;
            let is_late = ms * 1_000 > DEFLECTED_WITHIN_US;
            let outcome = match (refer, target) {
                (_, Some(200..=299)) => Some(Transferred::Done { ms: 0 }),
                (_, Some(486 | 600)) => Some(Transferred::Busy),
                (_, Some(408 | 480 | 487)) => Some(Transferred::NoAnswer),
                (_, Some(status)) => Some(Transferred::Failed(format!(
                    "the carrier could not connect them: {status}"
                ))),
                (Some(status @ 300..), None) => Some(Transferred::Failed(format!(
                    "the carrier refused to transfer: {status}"
                ))),
                (Some(200..=299), None) if is_late => Some(Transferred::Done { ms: 0 }),
                (_, None) if is_late => Some(Transferred::Failed(
                    "the carrier did not answer the REFER".to_owned(),
                )),
                _ => None,
            };
            if outcome.is_some() {
                return (outcome, Ok(()));
            }
            if let Err(end) = self.alive().and_then(|()| self.wait_a_frame()) {
                // A carrier that has taken the call over may end this leg without a word.
                let is_taken = matches!(status(REFER_STATUS), Some(200..=299));
                return (is_taken.then_some(Transferred::Done { ms: 0 }), Err(end));
            }
            self.drop_keys();
        }
    }

    /// The number that the carrier may be asked for.
    fn permitted(
        &mut self,
        number: &DialNumber,
    ) -> Result<Result<DialNumber, Transferred>, LegEnd> {
        let Some(engine) = entry::engine() else {
            let why = "the switch is being shut down".to_owned();
            return Ok(Err(Transferred::Failed(why)));
        };
        let mut permission = engine.may_refer(self.call, number.clone());
        // Not held for as long as somebody waits.
        drop(engine);
        loop {
            if let Some(answer) = permission.poll() {
                return Ok(answer);
            }
            self.alive().and_then(|()| self.wait_a_frame())?;
            self.drop_keys();
        }
    }

    fn send_refer(&self, target: &str) -> bool {
        let target = c_string(target);
        let mut message = sys::switch_core_session_message_t {
            from: FILE.as_ptr().cast_mut(),
            message_id: sys::SWITCH_MESSAGE_INDICATE_DEFLECT,
            numeric_arg: 0,
            string_arg: target.as_ptr(),
            string_arg_size: 0,
            pointer_arg: null_mut(),
            pointer_arg_size: 0,
            numeric_reply: 0,
            string_reply: null_mut(),
            string_reply_size: 0,
            pointer_reply: null_mut(),
            pointer_reply_size: 0,
            flags: 0,
            _file: null(),
            _func: null(),
            _line: 0,
            string_array_arg: [null(); 10],
            delivery_time: 0,
        };
        // SAFETY: H2, H6: on the session's own thread; message and target outlive the call, and the endpoint
        // copies what it sends.
        let status = unsafe {
            sys::switch_core_session_perform_receive_message(
                self.session.as_ptr(),
                &raw mut message,
                FILE.as_ptr(),
                FUNC.as_ptr(),
                0,
            )
        };
        status == sys::SWITCH_STATUS_SUCCESS
    }
}

/// The target of a REFER: the number, which is from an allow-list, at the host that the call was sent to.
fn refer_to(number: &DialNumber, host: Option<String>) -> Option<String> {
    let host = host?;
    let is_host = !host.is_empty()
        && host.len() <= 255
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
    is_host.then(|| format!("<sip:{number}@{host}>"))
}
