//! Hears both sides of a call for its recording: packets as they come and go, nothing decoded.

use super::entry;
use super::guard::guard;
use super::playback::law_of;
use super::session::Session;
use super::switch::steady_us;
use crate::recordings::Side;
use crate::taping::Laws;
use freeswitch_sys as sys;
use iradialer_core::value::CallUuid;
use std::ffi::{CStr, c_void};
use std::ptr::null;

/// What the bug is called in the host's lists.
const NAME: &CStr = c"iradialer_record";
/// The longest packet, bytes of G.711: 120 ms.
const MOST: u32 = 960;

/// How a call's audio is coded.
pub fn laws(attempt: CallUuid) -> Result<Laws, String> {
    let located = Session::locate(attempt).ok_or(ENDED)?;
    let channel = located.session().channel();
    let law = |name: &str| {
        law_of(channel, name).ok_or_else(|| {
            let codec = channel.variable(name).unwrap_or_default();
            format!("expected a call of PCMU or PCMA, got {codec:?} ({name})")
        })
    };
    Ok(Laws {
        person: law("read_codec")?,
        switch: law("write_codec")?,
    })
}

const ENDED: &str = "the call has ended";

/// Has every packet of a call come to its [`crate::call::Call::hear`], under this number.
pub fn tap(attempt: CallUuid, tape: u64) -> Result<(), String> {
    let located = Session::locate(attempt).ok_or(ENDED)?;
    let mut bug = std::ptr::null_mut();
    // SAFETY: H1, H3: kept meanwhile; H9: the code stays mapped, and the number is no pointer that anybody
    // follows.
    let status = unsafe {
        sys::switch_core_media_bug_add(
            located.session().as_ptr(),
            NAME.as_ptr(),
            null(),
            Some(on_packet),
            std::ptr::without_provenance_mut(tape as usize),
            0,
            sys::SMBF_TAP_NATIVE_READ | sys::SMBF_TAP_NATIVE_WRITE,
            &raw mut bug,
        )
    };
    match status {
        sys::SWITCH_STATUS_SUCCESS => Ok(()),
        status => Err(format!("the switch gives no audio (status {status})")),
    }
}

/// Takes a packet; one that belongs to no recording any more ends the bug.
unsafe extern "C" fn on_packet(
    bug: *mut sys::switch_media_bug_t,
    tape: *mut c_void,
    kind: sys::switch_abc_type_t,
) -> sys::switch_bool_t {
    guard("on_packet", sys::SWITCH_FALSE, || {
        // SAFETY: H9: the bug is valid until the callback returns, and so is the frame of its kind.
        let (side, frame) = unsafe {
            match kind {
                sys::SWITCH_ABC_TYPE_TAP_NATIVE_READ => (
                    Side::Person,
                    sys::switch_core_media_bug_get_native_read_frame(bug),
                ),
                sys::SWITCH_ABC_TYPE_TAP_NATIVE_WRITE => (
                    Side::Switch,
                    sys::switch_core_media_bug_get_native_write_frame(bug),
                ),
                _ => return sys::SWITCH_TRUE,
            }
        };
        // SAFETY: H2, H9.
        let session = unsafe { Session::lent(sys::switch_core_media_bug_get_session(bug)) };
        let attempt = session.and_then(Session::attempt);
        let call = entry::engine().and_then(|engine| engine.registry.attempt(attempt?));
        let (Some(call), Some(frame)) = (
            call,
            // SAFETY: H9.
            unsafe { frame.as_ref() },
        ) else {
            return sys::SWITCH_FALSE;
        };
        // SAFETY: H9: the frame has so many bytes.
        let packet = unsafe { bytes_of(frame) };
        match call.hear(tape.addr() as u64, side, packet, steady_us()) {
            true => sys::SWITCH_TRUE,
            false => sys::SWITCH_FALSE,
        }
    })
}

/// The bytes of a frame of G.711; none of one that is something else.
///
/// # Safety
/// The frame is the host's, and valid.
pub unsafe fn bytes_of(frame: &sys::switch_frame_t) -> &[u8] {
    if frame.data.is_null() || frame.datalen > MOST || frame.datalen != frame.samples {
        return &[];
    }
    // SAFETY: by the caller's word its data is as long as it says.
    unsafe { std::slice::from_raw_parts(frame.data.cast::<u8>(), frame.datalen as usize) }
}
