//! Channels: state, hangup, digits, hooks.

use super::session::{self, Table};
use super::{die, log};
use crate::leg::{Change, state_name};
use crate::sip;
use freeswitch_sys::*;
use std::ffi::{c_char, c_int};

/// FreeSWITCH's `SWITCH_MAX_STATE_HANDLERS`, of which the last place is never given out.
const TABLES: usize = 29;

/// See [`freeswitch_sys::switch_channel_add_state_handler`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_channel_add_state_handler(
    channel: *mut switch_channel_t,
    state_handler: *const switch_state_handler_table_t,
) -> c_int {
    let session = session::of_channel(channel, "switch_channel_add_state_handler");
    let mut tables = session.hooks.tables.lock();
    let table = Table(state_handler);
    let index = tables
        .iter()
        .position(|known| *known == table)
        .unwrap_or_else(|| {
            tables.push(table);
            tables.len() - 1
        });
    if index >= TABLES {
        tables.pop();
        return -1;
    }
    c_int::try_from(index).unwrap_or(-1)
}

/// See [`freeswitch_sys::switch_channel_perform_hangup`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_channel_perform_hangup(
    channel: *mut switch_channel_t,
    _file: *const c_char,
    _func: *const c_char,
    _line: c_int,
    hangup_cause: switch_call_cause_t,
) -> switch_channel_state_t {
    let session = session::of_channel(channel, "switch_channel_perform_hangup");
    session.hang_up(hangup_cause);
    session.leg.state()
}

/// See [`freeswitch_sys::switch_channel_perform_set_state`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_channel_perform_set_state(
    channel: *mut switch_channel_t,
    _file: *const c_char,
    _func: *const c_char,
    _line: c_int,
    state: switch_channel_state_t,
) -> switch_channel_state_t {
    let session = session::of_channel(channel, "switch_channel_perform_set_state");
    match session.leg.change(state) {
        Change::Made { from } => {
            let uuid = session.uuid();
            let (from, state) = (state_name(from), state_name(state));
            log::write(
                SWITCH_LOG_DEBUG,
                format_args!("{uuid} state change {from} -> {state}"),
            );
        }
        Change::None => {}
        Change::Forbidden { from } => die(format_args!(
            "switch_channel_perform_set_state: invalid state change {} -> {} of {}",
            state_name(from),
            state_name(state),
            session.uuid()
        )),
    }
    session.leg.state()
}

/// See [`freeswitch_sys::switch_channel_get_state`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_channel_get_state(
    channel: *mut switch_channel_t,
) -> switch_channel_state_t {
    session::of_channel(channel, "switch_channel_get_state")
        .leg
        .state()
}

/// See [`freeswitch_sys::switch_channel_test_ready`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_channel_test_ready(
    channel: *mut switch_channel_t,
    check_ready: switch_bool_t,
    check_media: switch_bool_t,
) -> c_int {
    let session = session::of_channel(channel, "switch_channel_test_ready");
    let asked_media = check_media != SWITCH_FALSE;
    if asked_media && !session.leg.has_media() {
        return 0;
    }
    match check_ready {
        SWITCH_FALSE => c_int::from(asked_media),
        _ => c_int::from(session.leg.is_ready()),
    }
}

/// See [`freeswitch_sys::switch_channel_get_cause`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_channel_get_cause(
    channel: *mut switch_channel_t,
) -> switch_call_cause_t {
    session::of_channel(channel, "switch_channel_get_cause")
        .leg
        .cause()
}

/// See [`freeswitch_sys::switch_channel_cause2str`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_channel_cause2str(cause: switch_call_cause_t) -> *const c_char {
    sip::cause_name(cause).as_ptr()
}

/// See [`freeswitch_sys::switch_channel_has_dtmf`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_channel_has_dtmf(channel: *mut switch_channel_t) -> switch_size_t {
    session::of_channel(channel, "switch_channel_has_dtmf")
        .leg
        .digits()
}

/// See [`freeswitch_sys::switch_channel_dequeue_dtmf`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_channel_dequeue_dtmf(
    channel: *mut switch_channel_t,
    dtmf: *mut switch_dtmf_t,
) -> switch_status_t {
    let session = session::of_channel(channel, "switch_channel_dequeue_dtmf");
    match session.leg.pop_digit() {
        Some(digit) => {
            // SAFETY: the module passes a place for a digit.
            unsafe { *dtmf = digit };
            SWITCH_STATUS_SUCCESS
        }
        None => SWITCH_STATUS_FALSE,
    }
}

/// See [`freeswitch_sys::switch_core_event_hook_add_receive_message`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_event_hook_add_receive_message(
    session: *mut switch_core_session_t,
    receive_message: switch_receive_message_hook_t,
) -> switch_status_t {
    let session = session::of(session, "switch_core_event_hook_add_receive_message");
    let Some(hook) = receive_message else {
        die(format_args!("a null message hook"))
    };
    let mut hooks = session.hooks.messages.lock();
    if hooks.iter().any(|known| std::ptr::fn_addr_eq(*known, hook)) {
        return SWITCH_STATUS_FALSE;
    }
    hooks.push(hook);
    SWITCH_STATUS_SUCCESS
}

/// See [`freeswitch_sys::switch_core_event_hook_add_recv_dtmf`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_event_hook_add_recv_dtmf(
    session: *mut switch_core_session_t,
    recv_dtmf: switch_recv_dtmf_hook_t,
) -> switch_status_t {
    let session = session::of(session, "switch_core_event_hook_add_recv_dtmf");
    let Some(hook) = recv_dtmf else {
        die(format_args!("a null digit hook"))
    };
    let mut hooks = session.hooks.digits.lock();
    if hooks.iter().any(|known| std::ptr::fn_addr_eq(*known, hook)) {
        return SWITCH_STATUS_FALSE;
    }
    hooks.push(hook);
    SWITCH_STATUS_SUCCESS
}
