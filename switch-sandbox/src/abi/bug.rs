//! Media bugs that tap a session's packets, after `switch_core_media_bug.c`.

use super::handles::Handles;
use super::session::{self, Session};
use freeswitch_sys::*;
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// All bugs, by the pointer that the module has of each.
pub static BUGS: Handles<Bug> = Handles::of("media bug");

/// One bug of one session.
pub struct Bug {
    session: AtomicPtr<switch_core_session_t>,
    callback: switch_media_bug_callback_t,
    user_data: AtomicUsize,
    flags: switch_media_bug_flag_t,
    /// The packet that its callback is called for.
    read: AtomicPtr<switch_frame_t>,
    written: AtomicPtr<switch_frame_t>,
}

impl Bug {
    fn call(self: &Arc<Self>, kind: switch_abc_type_t) -> bool {
        let Some(callback) = self.callback else {
            return true;
        };
        let handle = Arc::as_ptr(self).cast::<switch_media_bug_t>().cast_mut();
        let data = std::ptr::with_exposed_provenance_mut(self.user_data.load(Ordering::SeqCst));
        // SAFETY: the module's callback with what it gave for it; the bug is in the table meanwhile.
        unsafe { callback(handle, data, kind) == SWITCH_TRUE }
    }
}

/// Has each bug that taps this way see a packet, and removes those that have seen enough.
pub fn show(session: &Arc<Session>, kind: switch_abc_type_t, frame: *mut switch_frame_t) {
    let flag = match kind {
        SWITCH_ABC_TYPE_TAP_NATIVE_READ => SMBF_TAP_NATIVE_READ,
        _ => SMBF_TAP_NATIVE_WRITE,
    };
    let bugs = session.hooks.bugs.lock().clone();
    for bug in bugs.iter().filter(|bug| bug.flags & flag != 0) {
        let place = match flag {
            SMBF_TAP_NATIVE_READ => &bug.read,
            _ => &bug.written,
        };
        place.store(frame, Ordering::SeqCst);
        let goes_on = bug.call(kind);
        place.store(std::ptr::null_mut(), Ordering::SeqCst);
        if !goes_on {
            session
                .hooks
                .bugs
                .lock()
                .retain(|other| !Arc::ptr_eq(other, bug));
            close(bug);
        }
    }
}

/// Ends every bug of a session that is being destroyed.
pub fn close_all(session: &Session) {
    let bugs = std::mem::take(&mut *session.hooks.bugs.lock());
    bugs.iter().for_each(close);
}

fn close(bug: &Arc<Bug>) {
    bug.call(SWITCH_ABC_TYPE_CLOSE);
    BUGS.remove(Arc::as_ptr(bug).cast_mut(), "the bug's end");
}

/// See [`freeswitch_sys::switch_core_media_bug_add`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_media_bug_add(
    session: *mut switch_core_session_t,
    _function: *const c_char,
    _target: *const c_char,
    callback: switch_media_bug_callback_t,
    user_data: *mut c_void,
    _stop_time: time_t,
    flags: switch_media_bug_flag_t,
    new_bug: *mut *mut switch_media_bug_t,
) -> switch_status_t {
    let session = session::of(session, "switch_core_media_bug_add");
    if !session.leg.has_media() || session.leg.is_down() {
        return SWITCH_STATUS_FALSE;
    }
    let bug = Arc::new(Bug {
        session: AtomicPtr::new(session.handle()),
        callback,
        user_data: AtomicUsize::new(user_data.expose_provenance()),
        flags,
        read: AtomicPtr::default(),
        written: AtomicPtr::default(),
    });
    let handle = BUGS.insert::<switch_media_bug_t>(bug.clone());
    if !bug.call(SWITCH_ABC_TYPE_INIT) {
        BUGS.remove(handle, "switch_core_media_bug_add");
        return SWITCH_STATUS_GENERR;
    }
    session.hooks.bugs.lock().push(bug);
    // SAFETY: the module passes a place for the pointer.
    unsafe { *new_bug = handle };
    SWITCH_STATUS_SUCCESS
}

/// See [`freeswitch_sys::switch_core_media_bug_get_session`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_media_bug_get_session(
    bug: *mut switch_media_bug_t,
) -> *mut switch_core_session_t {
    let bug = BUGS.get(bug, "switch_core_media_bug_get_session");
    bug.session.load(Ordering::SeqCst)
}

/// See [`freeswitch_sys::switch_core_media_bug_get_native_read_frame`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_media_bug_get_native_read_frame(
    bug: *mut switch_media_bug_t,
) -> *mut switch_frame_t {
    let bug = BUGS.get(bug, "switch_core_media_bug_get_native_read_frame");
    bug.read.load(Ordering::SeqCst)
}

/// See [`freeswitch_sys::switch_core_media_bug_get_native_write_frame`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_media_bug_get_native_write_frame(
    bug: *mut switch_media_bug_t,
) -> *mut switch_frame_t {
    let bug = BUGS.get(bug, "switch_core_media_bug_get_native_write_frame");
    bug.written.load(Ordering::SeqCst)
}

/// See [`freeswitch_sys::switch_ivr_inband_dtmf_session`]. The callees' tones are found from now on.
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_ivr_inband_dtmf_session(
    session: *mut switch_core_session_t,
) -> switch_status_t {
    let session = session::of(session, "switch_ivr_inband_dtmf_session");
    if !session.leg.has_media() || session.leg.is_down() {
        return SWITCH_STATUS_FALSE;
    }
    match session.finds_tones.swap(true, Ordering::SeqCst) {
        true => SWITCH_STATUS_GENERR,
        false => SWITCH_STATUS_SUCCESS,
    }
}
