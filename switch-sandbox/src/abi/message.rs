//! Messages to a session: the endpoint acts on them, and the hooks see them.

use super::session::{self, Session, far_end};
use super::text;
use freeswitch_sys::*;
use std::ffi::{CStr, c_char, c_int};
use std::sync::Arc;

/// Who sends the host's own messages.
const FROM: &CStr = c"switch-sandbox";

/// See [`freeswitch_sys::switch_core_session_perform_receive_message`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_perform_receive_message(
    session: *mut switch_core_session_t,
    message: *mut switch_core_session_message_t,
    _file: *const c_char,
    _func: *const c_char,
    _line: c_int,
) -> switch_status_t {
    let session = session::of(session, "switch_core_session_perform_receive_message");
    if !session.leg.hold(true) {
        return SWITCH_STATUS_FALSE;
    }
    // SAFETY: the module passes a message that lives until this returns.
    let status = unsafe {
        act(&session, &*message);
        show(&session, message)
    };
    session.leg.release();
    status
}

/// What the endpoint does about a message.
///
/// # Safety
/// The message's text is null or a C string.
unsafe fn act(session: &Arc<Session>, message: &switch_core_session_message_t) {
    if session.leg.is_down() {
        return;
    }
    if message.message_id == SWITCH_MESSAGE_INDICATE_DEFLECT {
        // SAFETY: the caller's promise.
        let target = unsafe { text::copied(message.string_arg) };
        far_end::refer(session, target.as_deref().unwrap_or_default());
    }
}

/// Has the hooks see a message, until one of them objects.
///
/// # Safety
/// The message lives until this returns.
unsafe fn show(
    session: &Arc<Session>,
    message: *mut switch_core_session_message_t,
) -> switch_status_t {
    let hooks = session.hooks.messages.lock().clone();
    for hook in hooks {
        // SAFETY: the module added the hook to this session, which is held.
        let status = unsafe { hook(session.handle(), message) };
        if status != SWITCH_STATUS_SUCCESS {
            return status;
        }
    }
    SWITCH_STATUS_SUCCESS
}

/// A message of the host's own, to a session that is held.
pub fn send(
    session: &Arc<Session>,
    message_id: switch_core_session_message_types_t,
    string: Option<&CStr>,
) {
    let mut message = switch_core_session_message_t {
        from: FROM.as_ptr().cast_mut(),
        message_id,
        numeric_arg: 0,
        string_arg: string.map_or(std::ptr::null(), CStr::as_ptr),
        string_arg_size: 0,
        pointer_arg: std::ptr::null_mut(),
        pointer_arg_size: 0,
        numeric_reply: 0,
        string_reply: std::ptr::null_mut(),
        string_reply_size: 0,
        pointer_reply: std::ptr::null_mut(),
        pointer_reply_size: 0,
        flags: 0,
        _file: FROM.as_ptr(),
        _func: FROM.as_ptr(),
        _line: 0,
        string_array_arg: [std::ptr::null(); 10],
        delivery_time: 0,
    };
    // SAFETY: the message lives until the hooks have returned.
    unsafe { show(session, &raw mut message) };
}
