//! Sessions and channels the host lends.

use super::names;
use super::text::{FILE, FUNC, c_string, from_c};
use crate::host::{HangupCause, Way};
use freeswitch_sys as sys;
use iradialer_core::flow;
use iradialer_core::value::CallUuid;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A session that stays valid for `'a`: a hook's, or one that was [located](Session::locate).
#[derive(Clone, Copy)]
pub struct Session<'a> {
    pointer: NonNull<sys::switch_core_session_t>,
    lent: PhantomData<&'a sys::switch_core_session_t>,
}

/// A session found by its UUID and kept from being destroyed until this is dropped.
pub struct Located(NonNull<sys::switch_core_session_t>);

impl Located {
    /// The session, for as long as it is kept.
    pub fn session(&self) -> Session<'_> {
        Session {
            pointer: self.0,
            lent: PhantomData,
        }
    }
}

impl Drop for Located {
    fn drop(&mut self) {
        // SAFETY: H3: `locate` took the read lock that this gives back, once.
        unsafe { sys::switch_core_session_rwunlock(self.0.as_ptr()) };
    }
}

impl<'a> Session<'a> {
    /// The session behind a pointer that the host gave a hook; `None` for null.
    ///
    /// # Safety
    /// The session stays valid for `'a` (H2).
    pub unsafe fn lent(pointer: *mut sys::switch_core_session_t) -> Option<Session<'a>> {
        NonNull::new(pointer).map(|pointer| Session {
            pointer,
            lent: PhantomData,
        })
    }

    /// Finds the live session of an attempt.
    pub fn locate(attempt: CallUuid) -> Option<Located> {
        let uuid = c_string(&names::channel_of(attempt).to_string());
        // SAFETY: H1.
        let pointer = unsafe {
            sys::switch_core_session_perform_locate(uuid.as_ptr(), FILE.as_ptr(), FUNC.as_ptr(), 0)
        };
        NonNull::new(pointer).map(Located)
    }

    /// The host's pointer.
    pub fn as_ptr(self) -> *mut sys::switch_core_session_t {
        self.pointer.as_ptr()
    }

    /// The attempt it is of, if its UUID has our form.
    pub fn attempt(self) -> Option<CallUuid> {
        self.channel_uuid().map(names::attempt_of)
    }

    /// The UUID that the host has for it, if that has our form.
    pub fn channel_uuid(self) -> Option<CallUuid> {
        // SAFETY: H2; the string is the session's own.
        let text = unsafe { from_c(sys::switch_core_session_get_uuid(self.as_ptr())) };
        CallUuid::parse("uuid", &text?).ok()
    }

    /// Has keys sent to the far end, as [`crate::host::Host::send_keys`] says.
    pub fn send_keys(self, keys: &str) -> Result<(), String> {
        let keys = c_string(keys);
        // SAFETY: H3; callable from any thread, and the string is copied.
        match unsafe { sys::switch_core_session_send_dtmf_string(self.as_ptr(), keys.as_ptr()) } {
            sys::SWITCH_STATUS_SUCCESS => Ok(()),
            status => Err(format!("the switch sends no keys (status {status})")),
        }
    }

    /// Silences one way of its audio, or lets it be heard again.
    pub fn silence(self, way: Way, on: bool) -> Result<(), String> {
        let direction = match way {
            Way::FromFarEnd => c"read",
            Way::ToFarEnd => c"write",
        };
        // SAFETY: H3; callable from any thread, and the strings are static.
        let status = unsafe {
            sys::switch_ivr_session_audio(
                self.as_ptr(),
                c"mute".as_ptr(),
                direction.as_ptr(),
                i32::from(on),
            )
        };
        match status {
            sys::SWITCH_STATUS_SUCCESS => Ok(()),
            status => Err(format!(
                "the switch does not change its audio (status {status})"
            )),
        }
    }

    /// Its channel.
    pub fn channel(self) -> Channel<'a> {
        // SAFETY: H2; a session always has a channel, which lives as long.
        let pointer = unsafe { sys::switch_core_session_get_channel(self.as_ptr()) };
        Channel {
            pointer,
            lent: PhantomData,
        }
    }
}

/// A session's channel.
#[derive(Clone, Copy)]
pub struct Channel<'a> {
    pointer: *mut sys::switch_channel_t,
    lent: PhantomData<&'a sys::switch_channel_t>,
}

impl Channel<'_> {
    /// The host's pointer.
    pub fn as_ptr(self) -> *mut sys::switch_channel_t {
        self.pointer
    }

    /// Sets a variable, taken as it is.
    pub fn set_variable(self, name: &str, value: &str) {
        let (name, value) = (c_string(name), c_string(value));
        // SAFETY: H2; both strings are copied.
        unsafe {
            sys::switch_channel_set_variable_var_check(
                self.pointer,
                name.as_ptr(),
                value.as_ptr(),
                sys::SWITCH_FALSE,
            )
        };
    }

    /// A variable's value.
    pub fn variable(self, name: &str) -> Option<String> {
        let name = c_string(name);
        // SAFETY: H2; the copy is in the session's pool and stays as long as the session.
        unsafe {
            from_c(sys::switch_channel_get_variable_dup(
                self.pointer,
                name.as_ptr(),
                sys::SWITCH_TRUE,
                -1,
            ))
        }
    }

    /// The state it is in, `CS_*`.
    pub fn state(self) -> sys::switch_channel_state_t {
        // SAFETY: H2.
        unsafe { sys::switch_channel_get_state(self.pointer) }
    }

    /// Asks for a state; the session's thread wakes for it. A channel that is hanging up stays so.
    pub fn set_state(self, state: sys::switch_channel_state_t) {
        // SAFETY: H2; callable from any thread.
        unsafe {
            sys::switch_channel_perform_set_state(
                self.pointer,
                FILE.as_ptr(),
                FUNC.as_ptr(),
                0,
                state,
            )
        };
    }

    /// Whether it is up, and media with it.
    pub fn is_ready(self) -> bool {
        // SAFETY: H2.
        unsafe {
            sys::switch_channel_test_ready(self.pointer, sys::SWITCH_TRUE, sys::SWITCH_FALSE) != 0
        }
    }

    /// Answers a call that came in. False where it is hung up, before or by this.
    pub fn answer(self) -> bool {
        // SAFETY: H2: on the session's own thread.
        let status = unsafe {
            sys::switch_channel_perform_answer(self.pointer, FILE.as_ptr(), FUNC.as_ptr(), 0)
        };
        status == sys::SWITCH_STATUS_SUCCESS && self.state() < sys::CS_HANGUP
    }

    /// Hangs up; the first cause counts.
    pub fn hang_up(self, cause: HangupCause) {
        let cause = match cause {
            HangupCause::Flow(flow::HangupCause::Normal) | HangupCause::Request => {
                sys::SWITCH_CAUSE_NORMAL_CLEARING
            }
            HangupCause::Flow(flow::HangupCause::Busy) => sys::SWITCH_CAUSE_USER_BUSY,
            HangupCause::Flow(flow::HangupCause::Rejected) => sys::SWITCH_CAUSE_CALL_REJECTED,
            HangupCause::Flow(flow::HangupCause::TemporaryFailure) => {
                sys::SWITCH_CAUSE_NORMAL_TEMPORARY_FAILURE
            }
            HangupCause::NoAnswer => sys::SWITCH_CAUSE_NO_ANSWER,
            HangupCause::Cancel => sys::SWITCH_CAUSE_ORIGINATOR_CANCEL,
            HangupCause::MaxDuration => sys::SWITCH_CAUSE_ALLOTTED_TIMEOUT,
            HangupCause::Unload => sys::SWITCH_CAUSE_MANAGER_REQUEST,
            HangupCause::Fault => sys::SWITCH_CAUSE_NORMAL_TEMPORARY_FAILURE,
            HangupCause::UnknownNumber => sys::SWITCH_CAUSE_UNALLOCATED_NUMBER,
            HangupCause::Congestion => sys::SWITCH_CAUSE_SWITCH_CONGESTION,
        };
        // SAFETY: H2; callable from any thread.
        unsafe {
            sys::switch_channel_perform_hangup(self.pointer, FILE.as_ptr(), FUNC.as_ptr(), 0, cause)
        };
    }

    /// The host's name of why it was hung up.
    pub fn cause(self) -> String {
        // SAFETY: H2; the name is static.
        unsafe {
            from_c(sys::switch_channel_cause2str(
                sys::switch_channel_get_cause(self.pointer),
            ))
        }
        .unwrap_or_default()
    }
}
