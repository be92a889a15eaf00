//! The state machine on the session's own thread, after `switch_core_state_machine.c`.

use super::{Session, Table, far_end, free, inbound, unlist};
use crate::abi::{bridge, bug, log};
use crate::leg::state_name;
use crate::sip;
use freeswitch_sys::*;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Runs a session from `CS_INIT` to its end.
pub(super) fn run(session: &Arc<Session>) {
    let leg = &session.leg;
    leg.own_by_this_thread();
    while leg.state() != CS_DESTROY {
        let state = leg.state();
        if state != leg.running() || state >= CS_HANGUP {
            leg.run(state);
            handle(session, state);
            match state {
                CS_HANGUP => drop(leg.change(CS_REPORTING)),
                CS_REPORTING => drop(leg.change(CS_DESTROY)),
                _ => {}
            }
        }
        if leg.state() == leg.running() && leg.state() < CS_HANGUP {
            leg.sleep_until_changed();
        }
    }
    leg.close();
    destroy(session);
}

/// Ends a session that nobody can reach any more.
pub(super) fn destroy(session: &Arc<Session>) {
    unlist(session);
    session.leg.run(CS_DESTROY);
    handle(session, CS_DESTROY);
    bug::close_all(session);
    free(session);
}

/// Runs the endpoint's handler, then the module's in the order they were added, then what the
/// host does by itself. Each may stop those after it.
fn handle(session: &Arc<Session>, state: switch_channel_state_t) {
    log::write(
        SWITCH_LOG_DEBUG,
        format_args!("{} state {}", session.uuid, state_name(state)),
    );
    // The state as it is when the handlers begin: one that they move away from is not handled
    // any further. Destroying begins where the channel may be in any state.
    let begun = session.leg.state();
    far_end::endpoint_handler(session, state);
    let mut proceed = true;
    // A handler may add a table, which then runs too.
    let mut next = 0;
    while let Some(table) = table(session, next).filter(|_| proceed) {
        if let Some(handler) = handler_of(table, state) {
            // SAFETY: the module added the table with this function in it for sessions such
            // as this, which lives until `free`.
            proceed = unsafe { handler(session.handle()) } == SWITCH_STATUS_SUCCESS;
        }
        next += 1;
    }
    if proceed && session.leg.state() == begun {
        standard_action(session, state);
    }
}

fn table(session: &Session, index: usize) -> Option<Table> {
    session.hooks.tables.lock().get(index).copied()
}

fn handler_of(
    table: Table,
    state: switch_channel_state_t,
) -> Option<unsafe extern "C" fn(*mut switch_core_session_t) -> switch_status_t> {
    // SAFETY: the module promised that the table stays as it is while a channel has it.
    let table = unsafe { &*table.0 };
    match state {
        CS_INIT => table.on_init,
        CS_ROUTING => table.on_routing,
        CS_SOFT_EXECUTE => table.on_soft_execute,
        CS_EXECUTE => table.on_execute,
        CS_EXCHANGE_MEDIA => table.on_exchange_media,
        CS_PARK => table.on_park,
        CS_CONSUME_MEDIA => table.on_consume_media,
        CS_HIBERNATE => table.on_hibernate,
        CS_RESET => table.on_reset,
        CS_HANGUP => table.on_hangup,
        CS_REPORTING => table.on_reporting,
        CS_DESTROY => table.on_destroy,
        _ => None,
    }
}

/// What the host does in a state that no handler took over. There is a dialplan for calls that come in alone, so an
/// outgoing call that nobody routes waits for media, and one told to execute has nothing to.
fn standard_action(session: &Arc<Session>, state: switch_channel_state_t) {
    match state {
        CS_INIT => drop(session.leg.change(CS_ROUTING)),
        CS_ROUTING if session.is_inbound() => drop(session.leg.change(CS_EXECUTE)),
        CS_ROUTING if session.leg.is_answered() => {
            session.hang_up(SWITCH_CAUSE_NO_ROUTE_DESTINATION)
        }
        CS_ROUTING => drop(session.leg.change(CS_CONSUME_MEDIA)),
        CS_EXCHANGE_MEDIA => bridge::exchange_media(session),
        CS_EXECUTE if session.is_inbound() => {
            let data = session.dialplan.as_deref().unwrap_or_default();
            inbound::run_dialplan(session, data);
        }
        CS_EXECUTE => session.hang_up(SWITCH_CAUSE_NORMAL_CLEARING),
        _ => {}
    }
}

/// The variables that the host sets as the hangup begins.
pub(super) fn set_hangup_variables(session: &Session) {
    let cause = session.leg.cause();
    let name = sip::cause_name(cause).to_string_lossy();
    session.variables.set("hangup_cause", Some(&name));
    // What lies above Q.850's values is the host's own.
    let q850 = if cause <= SWITCH_CAUSE_INTERWORKING {
        cause
    } else {
        SWITCH_CAUSE_NORMAL_CLEARING
    };
    session
        .variables
        .set("hangup_cause_q850", Some(&q850.to_string()));
    set_audio_variables(session);
}

/// What the host has measured of the audio. No packet is lost here, and none comes late.
fn set_audio_variables(session: &Session) {
    let [came, sent] = &session.packets;
    for (name, value) in [
        (
            "in_media_packet_count",
            came.load(Ordering::Relaxed).to_string(),
        ),
        (
            "out_media_packet_count",
            sent.load(Ordering::Relaxed).to_string(),
        ),
        ("in_quality_percentage", "100.00".to_owned()),
        ("in_mos", "4.50".to_owned()),
    ] {
        let name = format!("rtp_audio_{name}");
        session.variables.set(&name, Some(&value));
    }
}
