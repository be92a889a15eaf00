//! What is done to a session's audio: keys sent, a way silenced.

use super::log;
use super::session::{self, far_end};
use super::text;
use freeswitch_sys::*;
use std::ffi::{c_char, c_int};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The most characters that the host takes at once.
const MOST_KEYS: usize = 99;
/// How long a key takes, with the pause after it.
const KEY: Duration = Duration::from_millis(250);

/// See [`freeswitch_sys::switch_core_session_send_dtmf_string`]. Nobody hears them, but for a callee that
/// sends them back.
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_send_dtmf_string(
    session: *mut switch_core_session_t,
    dtmf_string: *const c_char,
) -> switch_status_t {
    let session = session::of(session, "switch_core_session_send_dtmf_string");
    // SAFETY: the module passes null or a C string.
    let keys = unsafe { text::copied(dtmf_string) }.unwrap_or_default();
    if keys.is_empty() || keys.len() > MOST_KEYS || session.leg.is_down() {
        return SWITCH_STATUS_FALSE;
    }
    log::write(
        SWITCH_LOG_INFO,
        format_args!("{} sends the keys {keys}", session.uuid()),
    );
    let mut after = Duration::ZERO;
    for key in keys.bytes() {
        match key {
            b'w' => after += Duration::from_millis(500),
            b'W' => after += Duration::from_secs(1),
            b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D' => {
                after += KEY;
                far_end::heard(&session, key, after);
            }
            _ => {}
        }
    }
    SWITCH_STATUS_SUCCESS
}

/// See [`freeswitch_sys::switch_ivr_session_audio`]. The next packets are silent.
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_ivr_session_audio(
    session: *mut switch_core_session_t,
    cmd: *const c_char,
    direction: *const c_char,
    level: c_int,
) -> switch_status_t {
    let session = session::of(session, "switch_ivr_session_audio");
    // SAFETY: the module passes C strings.
    let (cmd, direction) = unsafe { (text::copied(cmd), text::copied(direction)) };
    let [read, write] = match direction.as_deref() {
        Some("read") => [true, false],
        Some("write") => [false, true],
        Some("both") => [true, true],
        _ => [false, false],
    };
    if cmd.as_deref() != Some("mute") || !session.leg.has_media() || session.leg.is_down() {
        return SWITCH_STATUS_FALSE;
    }
    for (meant, silenced) in [read, write].into_iter().zip(&session.silenced) {
        if meant {
            silenced.store(level != 0, Ordering::Relaxed);
        }
    }
    let [read, write] = &session.silenced;
    log::write(
        SWITCH_LOG_INFO,
        format_args!(
            "{} silenced: what it says {}, what it hears {}",
            session.uuid(),
            read.load(Ordering::Relaxed),
            write.load(Ordering::Relaxed)
        ),
    );
    SWITCH_STATUS_SUCCESS
}
