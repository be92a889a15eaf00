//! What runs on a call's own channel: state handlers, and the hooks that see answers and keys.

use super::entry;
use super::guard::guard;
use super::media::{ChannelLeg, key_of};
use super::names;
use super::session::{Channel, Session};
use super::text::from_c;
use super::transfer;
use crate::call::{Attended, Call, LegFacts};
use crate::engine::Engine;
use crate::host::HangupCause;
use freeswitch_sys as sys;
use iradialer_core::call::EndedBy;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::{DigitSource, DtmfWay, Quality};
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::Arc;
use std::time::Duration;

/// Kept by every channel it was added to, so it must never move or go (H5). Sticky: a transfer clears
/// a channel's other handlers, and with them the call's last event.
static HANDLERS: sys::switch_state_handler_table = sys::switch_state_handler_table {
    on_routing: Some(on_routing),
    on_execute: Some(on_execute),
    on_park: Some(on_park),
    on_reporting: Some(on_reporting),
    on_destroy: Some(on_destroy),
    flags: sys::SSH_FLAG_STICKY as c_int,
    ..sys::switch_state_handler_table::EMPTY
};

/// How long the end of a call waits for its recordings to be on the disk.
const DISK: Duration = Duration::from_secs(3);

/// Digits are timed in samples of 8 kHz.
const SAMPLES_PER_MS: u32 = 8;

/// Adds handlers and hooks to a session that was made and not launched, or on the session's own thread to one
/// that came in.
pub fn attach(session: Session<'_>) -> bool {
    // SAFETY: H4, H12: the session is ours, or this is its thread; H5: the table is static and the code stays mapped.
    unsafe {
        sys::switch_channel_add_state_handler(session.channel().as_ptr(), &raw const HANDLERS) >= 0
            && sys::switch_core_event_hook_add_receive_message(session.as_ptr(), Some(on_message))
                == sys::SWITCH_STATUS_SUCCESS
            && sys::switch_core_event_hook_add_recv_dtmf(session.as_ptr(), Some(on_key))
                == sys::SWITCH_STATUS_SUCCESS
    }
}

/// The session's call, with the engine it belongs to. `None` once the module has let go of it.
fn call_of(session: Session<'_>) -> Option<(Arc<Engine>, Arc<Call>)> {
    let engine = entry::engine()?;
    let call = engine.registry.attempt(session.attempt()?)?;
    Some((engine, call))
}

/// A state handler's body. A panic hangs the call up: its state is not to be trusted any more.
fn handle(
    name: &str,
    session: *mut sys::switch_core_session_t,
    body: impl FnOnce(Session<'_>) -> sys::switch_status_t,
) -> sys::switch_status_t {
    // SAFETY: H2: the host's hooks get a session that is valid until they return.
    let Some(session) = (unsafe { Session::lent(session) }) else {
        return sys::SWITCH_STATUS_SUCCESS;
    };
    let status = guard(name, None, || Some(body(session)));
    status.unwrap_or_else(|| {
        guard(name, (), || {
            if let Some((_, call)) = call_of(session) {
                call.end_by(EndedBy::Switch);
                call.fault(format!("a fault in the module: {name}"));
            }
            session.channel().hang_up(HangupCause::Fault);
        });
        sys::SWITCH_STATUS_FALSE
    })
}

/// The endpoint has sent the INVITE; from here the session sleeps, in this state, until something happens:
/// each other state that it went through would cost the host an event with all that it knows of the
/// channel. A channel that comes here again was transferred by an operator, and is the dialplan's.
unsafe extern "C" fn on_routing(session: *mut sys::switch_core_session_t) -> sys::switch_status_t {
    handle("on_routing", session, |session| {
        let Some((engine, call)) = call_of(session) else {
            return let_go(session);
        };
        if call.flow_has_begun() {
            return sys::SWITCH_STATUS_SUCCESS;
        }
        engine.leg_invited(&call);
        // An answer that came before this state is seen here, and one that comes later by `answered`.
        if call.is_answered() {
            session.channel().set_state(sys::CS_EXECUTE);
        }
        sys::SWITCH_STATUS_FALSE
    })
}

/// The module was unloaded and has reported the call as ended: nobody would ever end this channel.
fn let_go(session: Session<'_>) -> sys::switch_status_t {
    session.channel().hang_up(HangupCause::Unload);
    sys::SWITCH_STATUS_FALSE
}

/// The call is answered: its flow runs here, on the session's own thread, to its end, or what live requests
/// ask for is done until it is hung up.
unsafe extern "C" fn on_execute(session: *mut sys::switch_core_session_t) -> sys::switch_status_t {
    handle("on_execute", session, |session| {
        let Some((engine, call)) = call_of(session) else {
            return let_go(session);
        };
        if !call.begin_flow() {
            return match call.come_back() {
                true => attend(session, engine, &call),
                false => sys::SWITCH_STATUS_SUCCESS,
            };
        }
        if call.command.dtmf == DtmfWay::Inband {
            listen_for_tones(session, &call);
        }
        if call.command.bridge_to.is_some() {
            drop(engine);
            return transfer::meet(session, &call);
        }
        engine.record_as_asked(&call);
        attend(session, engine, &call)
    })
}

fn attend(session: Session<'_>, engine: Arc<Engine>, call: &Arc<Call>) -> sys::switch_status_t {
    let recordings = engine.recordings.clone();
    // Not held for as long as the call lasts.
    drop(engine);
    match call.attend(&mut ChannelLeg::new(session, call, recordings)) {
        Attended::Over(Some(cause)) => session.channel().hang_up(cause),
        Attended::Over(None) => {}
        Attended::StepAside(seat) => transfer::step_aside(session, seat),
    }
    sys::SWITCH_STATUS_FALSE
}

/// A channel that another call's thread was connected with goes back to its desk. One that is parked by
/// somebody else is the host's.
unsafe extern "C" fn on_park(session: *mut sys::switch_core_session_t) -> sys::switch_status_t {
    handle("on_park", session, |session| {
        let Some((_, call)) = call_of(session) else {
            return let_go(session);
        };
        if !call.is_expected() {
            return sys::SWITCH_STATUS_SUCCESS;
        }
        session.channel().set_state(sys::CS_EXECUTE);
        sys::SWITCH_STATUS_FALSE
    })
}

/// Has the host find keys in the audio.
fn listen_for_tones(session: Session<'_>, call: &Call) {
    // SAFETY: H2, H6: on the session's own thread.
    let status = unsafe { sys::switch_ivr_inband_dtmf_session(session.as_ptr()) };
    if status != sys::SWITCH_STATUS_SUCCESS {
        call.fault(format!("dtmf: the switch finds no tones (status {status})"));
    }
}

unsafe extern "C" fn on_reporting(
    session: *mut sys::switch_core_session_t,
) -> sys::switch_status_t {
    handle("on_reporting", session, |session| {
        if let Some((engine, call)) = call_of(session) {
            call.end_recordings(DISK);
            engine.leg_ended(&call, facts(session.channel()));
        }
        sys::SWITCH_STATUS_SUCCESS
    })
}

unsafe extern "C" fn on_destroy(session: *mut sys::switch_core_session_t) -> sys::switch_status_t {
    handle("on_destroy", session, |session| {
        if let (Some(engine), Some(attempt)) = (entry::engine(), session.attempt()) {
            engine.leg_gone(attempt);
            names::forget(attempt);
        }
        sys::SWITCH_STATUS_SUCCESS
    })
}

/// Sees 180, 183 and 200, on the session's thread or the SIP stack's, and that the host connects the call
/// with another one and parts them, whoever asked for it.
unsafe extern "C" fn on_message(
    session: *mut sys::switch_core_session_t,
    message: *mut sys::switch_core_session_message_t,
) -> sys::switch_status_t {
    handle("on_message", session, |session| {
        // SAFETY: H2: the message is valid until the hook returns.
        let Some(message) = (unsafe { message.as_ref() }) else {
            return sys::SWITCH_STATUS_SUCCESS;
        };
        match message.message_id {
            sys::SWITCH_MESSAGE_RING_EVENT => ringing(session, false),
            sys::SWITCH_MESSAGE_PROGRESS_EVENT => ringing(session, true),
            sys::SWITCH_MESSAGE_ANSWER_EVENT => answered(session),
            // Those with a number are of the host's own, while it does something else in between.
            sys::SWITCH_MESSAGE_INDICATE_BRIDGE if message.numeric_arg == 0 => {
                // SAFETY: H2: null or a string that is valid until the hook returns.
                let peer = unsafe { from_c(message.string_arg) };
                bridged(session, peer.as_deref().unwrap_or_default());
            }
            sys::SWITCH_MESSAGE_INDICATE_UNBRIDGE if message.numeric_arg == 0 => {
                if let Some((_, call)) = call_of(session) {
                    call.unbridged();
                }
            }
            _ => {}
        }
        sys::SWITCH_STATUS_SUCCESS
    });
    // Whatever became of it, the message goes on to the endpoint.
    sys::SWITCH_STATUS_SUCCESS
}

fn ringing(session: Session<'_>, early_media: bool) {
    if let Some((engine, call)) = call_of(session) {
        engine.leg_ringing(&call, early_media);
    }
}

fn bridged(session: Session<'_>, peer: &str) {
    let (Some((engine, call)), Ok(peer)) = (call_of(session), CallUuid::parse("peer", peer)) else {
        return;
    };
    // Channels are known by their attempts.
    let other = engine.registry.attempt(names::attempt_of(peer));
    call.bridged(other.map_or(peer, |other| other.command.call_uuid));
}

fn answered(session: Session<'_>) {
    let Some((engine, call)) = call_of(session) else {
        return;
    };
    engine.leg_answered(&call, sip_facts(session.channel()));
    // One on its way to this state looks for itself in `on_routing`.
    if session.channel().state() == sys::CS_ROUTING {
        session.channel().set_state(sys::CS_EXECUTE);
    }
}

/// Sees each key before it is queued, so that it is reported when it is pressed.
unsafe extern "C" fn on_key(
    session: *mut sys::switch_core_session_t,
    dtmf: *const sys::switch_dtmf_t,
    direction: sys::switch_dtmf_direction_t,
) -> sys::switch_status_t {
    handle("on_key", session, |session| {
        // SAFETY: H2: the digit is valid until the hook returns.
        let dtmf = unsafe { dtmf.as_ref() }.filter(|_| direction == sys::SWITCH_DTMF_RECV);
        let key = dtmf.and_then(key_of);
        if let (Some(dtmf), Some(key), Some((_, call))) = (dtmf, key, call_of(session)) {
            let source = match dtmf.source {
                sys::SWITCH_DTMF_RTP => DigitSource::Rtp,
                sys::SWITCH_DTMF_ENDPOINT => DigitSource::Info,
                sys::SWITCH_DTMF_INBAND_AUDIO => DigitSource::Inband,
                _ => DigitSource::Unknown,
            };
            if !call.key(key, dtmf.duration / SAMPLES_PER_MS, source) {
                // Nobody is to take it from the queue either.
                return sys::SWITCH_STATUS_FALSE;
            }
        }
        sys::SWITCH_STATUS_SUCCESS
    })
}

fn facts(channel: Channel<'_>) -> LegFacts {
    // Without any answer to the INVITE there is only the status that the SIP stack ended it with.
    let status = |name| channel.variable(name).and_then(|text| text.parse().ok());
    // The host refuses a redirect on our behalf, and says that it has cancelled the call itself.
    if channel.variable("sip_redirect_contact_0").is_some() {
        let cause = channel.variable("proto_specific_hangup_cause");
        return LegFacts {
            cause: channel.cause(),
            sip_status: cause.and_then(|text| text.strip_prefix("sip:")?.parse().ok()),
            ..LegFacts::default()
        };
    }
    let refused = status("sip_invite_failure_status");
    let disposition = channel.variable("sip_hangup_disposition");
    // The SIP stack makes an answer of its own where none comes, with a status and a phrase like a
    // carrier's; but it came from nowhere.
    let made_up = disposition.as_deref() == Some("recv_refuse")
        && channel.variable("sip_reply_host").is_none();
    let phrase = channel
        .variable("sip_invite_failure_phrase")
        // An answer that came without a phrase is an answer.
        .or_else(|| refused.map(|_| String::new()));
    LegFacts {
        cause: channel.cause(),
        sip_status: refused.or_else(|| status("sip_term_status")),
        sip_phrase: phrase.filter(|_| !made_up),
        by_switch: disposition.is_some_and(|how| how.starts_with("send_")),
        quality: quality(channel),
    }
}

/// What the host has measured of the packets that came; none where none came.
fn quality(channel: Channel<'_>) -> Option<Quality> {
    let packets = |name| channel.variable(name)?.parse::<u64>().ok();
    let measured = |name| channel.variable(name)?.parse::<f64>().ok();
    let packets_in = packets("rtp_audio_in_media_packet_count").filter(|packets| *packets > 0)?;
    Some(Quality {
        mos: measured("rtp_audio_in_mos")?,
        quality: measured("rtp_audio_in_quality_percentage")?,
        packets_in,
        packets_out: packets("rtp_audio_out_media_packet_count").unwrap_or(0),
    })
}

/// What is known of a call that is answered.
pub fn sip_facts(channel: Channel<'_>) -> BTreeMap<String, String> {
    [
        ("call_id", "sip_call_id"),
        // Of a call that came in; the other of one that was placed.
        ("network_ip", "sip_network_ip"),
        ("network_ip", "sip_reply_host"),
        ("media_ip", "remote_media_ip"),
        ("codec", "read_codec"),
        ("to_tag", "sip_to_tag"),
    ]
    .into_iter()
    .filter_map(|(name, variable)| Some((name.to_owned(), channel.variable(variable)?)))
    .collect()
}
