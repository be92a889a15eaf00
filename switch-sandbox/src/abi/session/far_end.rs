//! The SIP endpoint: sends the INVITE, plays the callee's script, delivers what comes of it,
//! after `mod_sofia`.

use super::{Session, inbound, states};
use crate::abi::{log, message};
use crate::callee::{self, Act, KeyWay};
use crate::ear::Ear;
use crate::host::host;
use crate::leg::Answered;
use crate::sip;
use freeswitch_sys::*;
use std::ffi::c_char;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A digit's length as most phones send it, in samples at 8 kHz.
const DIGIT_SAMPLES: u32 = 2000;

/// What the endpoint does first in a state.
pub(super) fn endpoint_handler(session: &Arc<Session>, state: switch_channel_state_t) {
    match state {
        CS_INIT => invite(session),
        CS_HANGUP => {
            states::set_hangup_variables(session);
            say_goodbye(session);
        }
        _ => {}
    }
}

/// Sends the INVITE, once: the callee's script begins.
fn invite(session: &Arc<Session>) {
    if session.invited.swap(true, Ordering::SeqCst) {
        return;
    }
    if session.is_inbound() {
        return schedule(session, 0, host().clock.now_us());
    }
    *host()
        .invites
        .lock()
        .entry(session.number.clone())
        .or_default() += 1;
    if let Some(invite_log) = &host().invite_log {
        let variable = |name: &str| session.variables.get(name).unwrap_or_default();
        let (call, trunk) = (variable("ira_call_uuid"), variable("sip_gateway_name"));
        invite_log.note(&session.uuid, &call, &session.number, &trunk);
    }
    log::write(
        SWITCH_LOG_INFO,
        format_args!("{} INVITE {}", session.uuid, session.number),
    );
    let now_us = host().clock.now_us();
    let header = session.variables.get("sip_h_X-Callee");
    let script = || {
        let told = callee::script_told(&session.number, header.as_deref());
        told.unwrap_or_else(|| host().carriers.invited(&session.number, now_us))
    };
    session.script.get_or_init(script);
    schedule(session, 0, now_us);
}

/// Has the script's step `index` come, for a call that was invited at `invited_us`.
fn schedule(session: &Arc<Session>, index: usize, invited_us: i64) {
    let script = session.script.get();
    let Some(step) = script.and_then(|script| script.0.get(index).copied()) else {
        return;
    };
    let at_us = invited_us + i64::try_from(step.at.as_micros()).unwrap_or(i64::MAX / 2);
    let waiting = Arc::downgrade(session);
    host().network.at(session.lane, at_us, move || {
        come(&waiting, index, invited_us, step.act)
    });
}

fn come(session: &Weak<Session>, index: usize, invited_us: i64, act: Act) {
    let Some(session) = session.upgrade() else {
        return;
    };
    // What a message finds no living call for is dropped; so is the rest of the script.
    if !session.leg.hold(false) {
        return;
    }
    deliver(&session, act);
    session.leg.release();
    schedule(&session, index + 1, invited_us);
}

fn deliver(session: &Arc<Session>, act: Act) {
    log::write(
        SWITCH_LOG_DEBUG,
        format_args!("{} far end: {act:?}", session.uuid),
    );
    if act != Act::GiveUp && !session.is_inbound() {
        let variables = &session.variables;
        variables.set("sip_reply_host", Some("127.0.0.1"));
        if variables.get("sip_call_id").is_none() {
            let call_id = uuid::Uuid::new_v4().to_string();
            variables.set("sip_call_id", Some(&call_id));
        }
    }
    match act {
        Act::Ring => {
            if session.leg.mark_ringing() {
                send_message(session, SWITCH_MESSAGE_RING_EVENT);
            }
        }
        Act::EarlyMedia => {
            if session.leg.mark_early_media() {
                agree_on_codec(session);
                session
                    .variables
                    .set("endpoint_disposition", Some("EARLY MEDIA"));
                send_message(session, SWITCH_MESSAGE_PROGRESS_EVENT);
            }
        }
        Act::Answer => drop(answer(session)),
        Act::Press(key, way) => press(session, key, way),
        Act::Speak(speaks) => session.speaks.store(speaks, Ordering::Relaxed),
        Act::HangUp if session.is_inbound() && !session.leg.is_answered() => {
            inbound::cancel(session)
        }
        Act::HangUp => end(session, 200, "recv_bye"),
        Act::Refuse(status) => refuse(session, status, sip::phrase_of(status)),
        Act::TooFast => refuse(session, 503, "Trunk CPS limit exceeded"),
        Act::GiveUp => end_of_patience(session),
    }
}

/// The call is answered, by the far end or by this side.
pub(super) fn answer(session: &Arc<Session>) -> Answered {
    agree_on_codec(session);
    let answered = session.leg.mark_answered();
    if answered == Answered::Now {
        session
            .variables
            .set("endpoint_disposition", Some("ANSWER"));
        send_message(session, SWITCH_MESSAGE_ANSWER_EVENT);
    }
    answered
}

/// What an answer with a description of its media makes known.
fn agree_on_codec(session: &Session) {
    for (name, value) in [
        ("read_codec", "PCMU"),
        ("write_codec", "PCMU"),
        ("rtp_use_codec_ptime", "20"),
    ] {
        session.variables.set(name, Some(value));
    }
}

fn refuse(session: &Arc<Session>, status: u16, phrase: &str) {
    let variables = &session.variables;
    variables.set("sip_invite_failure_status", Some(&status.to_string()));
    variables.set("sip_invite_failure_phrase", Some(phrase));
    end(session, status, "recv_refuse");
}

/// The far end ended the call by a BYE (`status` 200) or a final answer.
fn end(session: &Arc<Session>, status: u16, disposition: &str) {
    session
        .variables
        .set("sip_hangup_disposition", Some(disposition));
    terminated(session, status);
}

/// The transaction timed out. As on the real switch its SIP stack makes up an answer, with a status and
/// a phrase like a carrier's, which comes from no address.
fn end_of_patience(session: &Arc<Session>) {
    session.variables.set("sip_reply_host", None);
    refuse(session, 408, "Request Timeout");
}

fn terminated(session: &Arc<Session>, status: u16) {
    session.far_end_gone.store(true, Ordering::SeqCst);
    let cause = sip::cause_of(status);
    session
        .variables
        .set("sip_term_status", Some(&status.to_string()));
    session.variables.set(
        "proto_specific_hangup_cause",
        Some(&format!("sip:{status}")),
    );
    session
        .variables
        .set("sip_term_cause", Some(&cause.to_string()));
    session.hang_up(cause);
}

/// Sends BYE or CANCEL, unless the far end has gone or never heard of the call.
fn say_goodbye(session: &Session) {
    if session.far_end_gone.swap(true, Ordering::SeqCst) || !session.invited.load(Ordering::SeqCst)
    {
        return;
    }
    let variables = &session.variables;
    if session.leg.is_answered() {
        variables.set("sip_hangup_disposition", Some("send_bye"));
    } else if session.is_inbound() {
        variables.set("sip_hangup_disposition", Some("send_refuse"));
    } else {
        variables.set("sip_hangup_disposition", Some("send_cancel"));
        variables.set("sip_invite_failure_status", Some("487"));
        variables.set("sip_invite_failure_phrase", Some("CANCEL"));
    }
}

/// The far end gets a key, so long from now. One that sends keys back presses it.
pub fn heard(session: &Arc<Session>, key: u8, after: Duration) {
    if !callee::sends_back(&session.number) {
        return;
    }
    let at_us = host().clock.now_us() + i64::try_from(after.as_micros()).unwrap_or(i64::MAX / 2);
    let waiting = Arc::downgrade(session);
    host().network.at(session.lane, at_us, move || {
        let Some(session) = waiting.upgrade() else {
            return;
        };
        if session.leg.hold(false) {
            press(&session, key, KeyWay::Rtp);
            session.leg.release();
        }
    });
}

/// Offers a digit to the hooks and queues it if they all let it pass.
fn press(session: &Arc<Session>, key: u8, way: KeyWay) {
    let finds_tones = session.finds_tones.load(Ordering::SeqCst);
    match way {
        KeyWay::Rtp => come_as(session, key, SWITCH_DTMF_RTP),
        KeyWay::Info => come_as(session, key, SWITCH_DTMF_ENDPOINT),
        KeyWay::Tone if finds_tones => come_as(session, key, SWITCH_DTMF_INBAND_AUDIO),
        KeyWay::Tone => {}
        KeyWay::RtpAndTone => {
            come_as(session, key, SWITCH_DTMF_RTP);
            press(session, key, KeyWay::Tone);
        }
    }
}

fn come_as(session: &Arc<Session>, key: u8, source: switch_dtmf_source_t) {
    let digit = switch_dtmf_t {
        digit: key as c_char,
        duration: DIGIT_SAMPLES,
        flags: 0,
        source,
    };
    let _one_at_a_time = session.digit_order.lock();
    let hooks = session.hooks.digits.lock().clone();
    for hook in hooks {
        // SAFETY: the module added the hook to this session, which is held; the digit lives
        // until the hook returns.
        let status = unsafe { hook(session.handle(), &raw const digit, SWITCH_DTMF_RECV) };
        if status != SWITCH_STATUS_SUCCESS {
            return;
        }
    }
    session.leg.push_digit(digit);
}

/// Has the hooks see what the far end did.
fn send_message(session: &Arc<Session>, message_id: switch_core_session_message_types_t) {
    message::send(session, message_id, None);
}

/// A packet is sent to the far end.
pub fn send_audio(session: &Session, packet: &[u8]) {
    session.packets[1].fetch_add(1, Ordering::Relaxed);
    let Some(dir) = host().listens_in.get() else {
        return;
    };
    let mut ear = session.ear.lock();
    if ear.is_none() {
        let call = session.variables.get("ira_call_uuid");
        let opened = Ear::open(dir, call.as_deref().unwrap_or(&session.uuid));
        *ear = opened.map_err(|error| cannot_keep(session, &error)).ok();
    }
    let [_, is_deaf] = &session.silenced;
    if let Some(ear) = ear.as_mut()
        && let Err(error) = ear.hear(packet, is_deaf.load(Ordering::Relaxed))
    {
        cannot_keep(session, &error);
    }
}

fn cannot_keep(session: &Session, error: &std::io::Error) {
    let uuid = &session.uuid;
    let what = format_args!("{uuid} what its far end hears can't be kept: {error}");
    log::write(SWITCH_LOG_ERROR, what);
}

/// A key is sent to the far end.
pub fn send_key(session: &Arc<Session>, digit: switch_dtmf_t) {
    let key = char::from(digit.digit as u8);
    log::write(
        SWITCH_LOG_INFO,
        format_args!("{} the far end hears key {key}", session.uuid),
    );
    session.keys_heard.lock().push(key);
}

/// A REFER is sent to the far end, which does with it what its number stands for.
pub fn refer(session: &Arc<Session>, target: &str) {
    log::write(
        SWITCH_LOG_INFO,
        format_args!("{} REFER {target}", session.uuid),
    );
    let now_us = host().clock.now_us();
    for (step, answered) in callee::refer_of(&session.number, target) {
        let waiting = Arc::downgrade(session);
        let at_us = now_us + i64::try_from(step.as_micros()).unwrap_or(i64::MAX / 2);
        host().network.at(session.lane, at_us, move || {
            if let Some(session) = waiting.upgrade() {
                refer_answered(&session, answered);
            }
        });
    }
}

fn refer_answered(session: &Arc<Session>, answered: callee::Refer) {
    if !session.leg.hold(false) {
        return;
    }
    let name = match answered {
        callee::Refer::Status(_) => "sip_refer_status_code",
        callee::Refer::Target(_) => "sip_refer_target_status_code",
    };
    let (callee::Refer::Status(status) | callee::Refer::Target(status)) = answered;
    session.variables.set(name, Some(&status.to_string()));
    session.leg.release();
}
