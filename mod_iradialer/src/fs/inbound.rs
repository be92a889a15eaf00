//! The dialplan's application `iradialer`: takes a call that came in, answers it, and has it run its flow where
//! every call does, in the session's state machine. In the dialplan the host would not unload the module as
//! long as the call lasts.

use super::guard::guard;
use super::session::{Channel, Session};
use super::switch::log;
use super::text::from_c;
use super::{entry, handlers, names};
use crate::call::Call;
use crate::engine::{Engine, Incoming, NotTaken};
use crate::host::{HangupCause, Level};
use freeswitch_sys as sys;
use std::ffi::{CStr, c_char};
use std::sync::Arc;

/// The application's name.
pub const NAME: &CStr = c"iradialer";
/// What `show application` says of it.
pub const SHORT: &CStr = c"Runs a flow on a call that came in";
/// The same at length.
pub const LONG: &CStr = c"Answers a call that came in and runs a flow on it: the one named, or the one that \
the gateway has for the number that was called. A call that can't be taken is refused before it is answered.";
/// How it is used.
pub const SYNTAX: &CStr = c"[flow=<name>] [tenant=<name>] [campaign=<name>]";

/// Runs the application.
pub unsafe extern "C" fn run(session: *mut sys::switch_core_session_t, data: *const c_char) {
    // SAFETY: H12: the session is valid until the application returns.
    let Some(session) = (unsafe { Session::lent(session) }) else {
        return;
    };
    // SAFETY: the host's string, which may be null.
    let data = unsafe { from_c(data) }.unwrap_or_default();
    let done = guard("iradialer application", false, || {
        begin(session, data);
        true
    });
    if !done {
        session.channel().hang_up(HangupCause::Fault);
    }
}

fn begin(session: Session<'_>, data: String) {
    let channel = session.channel();
    let incoming = incoming(channel, data);
    let (to, from) = (incoming.to.clone(), incoming.from.clone());
    if let Err(NotTaken { cause, why }) = take(session, &incoming) {
        let level = match cause {
            HangupCause::Cancel => Level::Info,
            HangupCause::Fault => Level::Error,
            _ => Level::Warning,
        };
        log(
            level,
            &format!("a call from {from} to {to} is not taken: {why}"),
        );
        channel.hang_up(cause);
    }
}

fn incoming(channel: Channel<'_>, data: String) -> Incoming {
    let variable = |name| channel.variable(name).unwrap_or_default();
    let by = channel.variable("sip_gateway");
    Incoming {
        data,
        to: variable("destination_number"),
        from: variable("caller_id_number"),
        by: by.or_else(|| channel.variable("sofia_profile_name")),
    }
}

fn take(session: Session<'_>, incoming: &Incoming) -> Result<(), NotTaken> {
    let channel = session.channel();
    let fault = |why: &str| NotTaken {
        cause: HangupCause::Fault,
        why: why.to_owned(),
    };
    let engine = entry::engine().ok_or_else(|| NotTaken {
        cause: HangupCause::Congestion,
        why: "the module is not loaded".to_owned(),
    })?;
    let named = session.channel_uuid();
    let uuid = named.ok_or_else(|| fault("its channel has no UUID"))?;
    if channel.variable("direction").as_deref() == Some("outbound") {
        return Err(fault("the application is for calls that come in"));
    }
    if engine.registry.attempt(names::attempt_of(uuid)).is_some() {
        return Err(fault("it has been taken before"));
    }
    let call = engine.take_in(incoming, &|| channel.state() < sys::CS_HANGUP)?;
    let attempt = call.command.attempt_id;
    names::give(uuid, attempt);
    if !handlers::attach(session) {
        names::forget(attempt);
        let why = "the switch takes no handlers for it";
        engine.give_back(&call, why);
        return Err(fault(why));
    }
    answer(channel, &engine, &call);
    Ok(())
}

fn answer(channel: Channel<'_>, engine: &Engine, call: &Arc<Call>) {
    // As on a channel of our own making.
    channel.set_variable("rtp_timer_name", "soft");
    channel.set_variable("ira_call_uuid", &call.command.call_uuid.to_string());
    engine.begin_inbound(call);
    // One that has hung up meanwhile ends in its handlers.
    if channel.answer() {
        // It may have been answered before, in the dialplan, with nobody there to see it.
        engine.leg_answered(call, handlers::sip_facts(channel));
        channel.set_state(sys::CS_ROUTING);
    }
}
