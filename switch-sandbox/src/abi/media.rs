//! Media: frames and prompts, paced by the host's clock. What goes out is heard by whoever listens; of what the
//! far end says there is whether it speaks.

use super::session::{self, Session, far_end};
use super::text;
use super::{bug, log};
use crate::host::host;
use crate::leg::Woken;
use crate::sound;
use freeswitch_sys::*;
use std::ffi::{c_char, c_int};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The length of a frame of audio.
const FRAME_US: i64 = 20_000;
/// Bytes of G.711 in it, and samples.
const PACKET: u32 = 160;
/// A reader that is later than this starts anew: frames it slept through are lost, as they are
/// from a jitter buffer.
const LATE_US: i64 = 200_000;
/// FreeSWITCH's limit of prompts played from inside a prompt's callback.
const NESTED: c_int = 25;

/// A frame of silence. The module only passes pointers to it on; it is larger than the host's
/// structure, so that even a reader of that would find memory.
#[repr(C, align(16))]
struct Frame([u8; 1024]);
static SILENCE: Frame = Frame([0; 1024]);

fn silence() -> *mut switch_frame_t {
    (&raw const SILENCE).cast::<switch_frame_t>().cast_mut()
}

/// See [`freeswitch_sys::switch_core_session_read_frame`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_read_frame(
    session: *mut switch_core_session_t,
    frame: *mut *mut switch_frame_t,
    flags: switch_io_flag_t,
    _stream_id: c_int,
) -> switch_status_t {
    let session = session::of(session, "switch_core_session_read_frame");
    let (status, read) = read(&session, flags);
    // SAFETY: the module passes a place for the pointer.
    unsafe { *frame = read };
    status
}

fn read(session: &Arc<Session>, flags: switch_io_flag_t) -> (switch_status_t, *mut switch_frame_t) {
    let leg = &session.leg;
    if leg.is_down() {
        return (SWITCH_STATUS_FALSE, std::ptr::null_mut());
    }
    if !leg.has_media() {
        if leg.state() == CS_HIBERNATE {
            return (SWITCH_STATUS_SUCCESS, silence());
        }
        let uuid = session.uuid();
        log::write(SWITCH_LOG_ERROR, format_args!("{uuid} has no read codec."));
        session.hang_up(SWITCH_CAUSE_INCOMPATIBLE_DESTINATION);
        return (SWITCH_STATUS_FALSE, std::ptr::null_mut());
    }
    let due_us = next_frame(session);
    if flags & SWITCH_IO_FLAG_NOBLOCK != 0 && due_us > host().clock.now_us() {
        return (SWITCH_STATUS_BREAK, silence());
    }
    match leg.wait(host().clock.instant(due_us), false) {
        Woken::State if leg.is_down() => (SWITCH_STATUS_FALSE, std::ptr::null_mut()),
        Woken::State => (SWITCH_STATUS_BREAK, silence()),
        Woken::Time | Woken::Digit => {
            session
                .next_frame_us
                .store(due_us + FRAME_US, Ordering::Relaxed);
            let is_voice = session.speaks.load(Ordering::Relaxed);
            session.packet_came();
            let frame = session.heard.packet(codec(), is_voice);
            bug::show(session, SWITCH_ABC_TYPE_TAP_NATIVE_READ, frame);
            let [is_mute, _] = &session.silenced;
            let frame = match is_voice && is_mute.load(Ordering::Relaxed) {
                true => session.heard.packet(codec(), false),
                false => frame,
            };
            (SWITCH_STATUS_SUCCESS, frame)
        }
    }
}

/// Waits for the next frame, and sends it to the far end of `other`. False: the session reads no more.
pub fn pass(session: &Arc<Session>, other: &Arc<Session>) -> bool {
    let (status, frame) = read(session, SWITCH_IO_FLAG_NONE);
    if status == SWITCH_STATUS_SUCCESS && !other.leg.is_down() {
        bug::show(other, SWITCH_ABC_TYPE_TAP_NATIVE_WRITE, frame);
        // SAFETY: what was read just now, on this thread.
        unsafe { send(other, frame) };
    }
    status != SWITCH_STATUS_FALSE
}

/// When the next frame is due, on the host's clock.
fn next_frame(session: &Session) -> i64 {
    let now_us = host().clock.now_us();
    let due_us = session.next_frame_us.load(Ordering::Relaxed);
    if due_us < now_us - LATE_US {
        // On whole milliseconds, as the real one's timer is: sessions wake together, not one by one.
        (now_us + FRAME_US + 999) / 1_000 * 1_000
    } else {
        due_us
    }
}

/// The codec of every channel. The module only passes the pointer on.
static CODEC: Frame = Frame([0; 1024]);

/// See [`freeswitch_sys::switch_core_session_get_write_codec`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_get_write_codec(
    session: *mut switch_core_session_t,
) -> *mut switch_codec_t {
    let session = session::of(session, "switch_core_session_get_write_codec");
    match session.leg.has_media() {
        true => codec(),
        false => std::ptr::null_mut(),
    }
}

fn codec() -> *mut switch_codec_t {
    (&raw const CODEC).cast::<switch_codec_t>().cast_mut()
}

/// See [`freeswitch_sys::switch_core_session_write_frame`]. It has to be what the codec sends: G.711 of 20 ms.
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_session_write_frame(
    session: *mut switch_core_session_t,
    frame: *mut switch_frame_t,
    _flags: switch_io_flag_t,
    _stream_id: c_int,
) -> switch_status_t {
    let session = session::of(session, "switch_core_session_write_frame");
    if session.leg.is_down() {
        return SWITCH_STATUS_FALSE;
    }
    // SAFETY: the module passes a frame of its own.
    let given = unsafe { frame.as_ref() };
    let fits = given.is_some_and(|frame| {
        !frame.data.is_null()
            && frame.datalen == PACKET
            && frame.buflen >= PACKET
            && frame.samples == PACKET
    });
    if !fits || given.is_none_or(|frame| frame.codec != codec()) || !session.leg.has_media() {
        log::write(
            SWITCH_LOG_ERROR,
            format_args!("{} has received a bad frame", session.uuid()),
        );
        session.hang_up(SWITCH_CAUSE_DESTINATION_OUT_OF_ORDER);
        return SWITCH_STATUS_FALSE;
    }
    bug::show(&session, SWITCH_ABC_TYPE_TAP_NATIVE_WRITE, frame);
    // SAFETY: the module's frame, whose data it holds until this returns.
    unsafe { send(&session, frame) };
    SWITCH_STATUS_SUCCESS
}

/// Sends a packet to the far end.
///
/// # Safety
/// The frame is null, or it and its data live until this returns.
unsafe fn send(session: &Session, frame: *const switch_frame_t) {
    // SAFETY: the caller's promise.
    let packet = unsafe { frame.as_ref().filter(|frame| !frame.data.is_null()) };
    let Some(packet) = packet else { return };
    // SAFETY: as above; a frame has so many bytes of data.
    let bytes =
        unsafe { std::slice::from_raw_parts(packet.data.cast::<u8>(), packet.datalen as usize) };
    far_end::send_audio(session, bytes);
}

/// See [`freeswitch_sys::switch_ivr_parse_all_events`]. Signalling comes on threads of its own
/// here, so nothing ever waits for the session's.
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_ivr_parse_all_events(
    session: *mut switch_core_session_t,
) -> switch_status_t {
    session::of(session, "switch_ivr_parse_all_events");
    SWITCH_STATUS_SUCCESS
}

/// See [`freeswitch_sys::switch_ivr_play_file`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_ivr_play_file(
    session: *mut switch_core_session_t,
    _fh: *mut switch_file_handle_t,
    file: *const c_char,
    args: *mut switch_input_args_t,
) -> switch_status_t {
    let session = session::of(session, "switch_ivr_play_file");
    // SAFETY: the module passes null or a C string.
    let name = unsafe { text::copied(file) }.unwrap_or_default();
    if name.is_empty() || !session.leg.has_media() || !session.leg.is_ready() {
        return SWITCH_STATUS_FALSE;
    }
    let length = match sound::duration(&absolute(&session, &name)) {
        Ok(length) => length,
        Err(error) => {
            log::write(
                SWITCH_LOG_ERROR,
                format_args!("{} {name}: {error}", session.uuid()),
            );
            return SWITCH_STATUS_NOTFOUND;
        }
    };
    let begun_us = host().clock.now_us();
    let length_us = length.and_then(|length| i64::try_from(length.as_micros()).ok());
    let end_us = length_us.map_or(i64::MAX, |length_us| begun_us.saturating_add(length_us));
    // SAFETY: the module passes null or its arguments, which live until this returns.
    let status = unsafe { nested(args, || play_until(&session, end_us, args)) };
    let played_ms = (host().clock.now_us().min(end_us) - begun_us) / 1000;
    session
        .variables
        .set("playback_ms", Some(&played_ms.to_string()));
    session
        .variables
        .set("playback_seconds", Some(&(played_ms / 1000).to_string()));
    status
}

/// A relative file name is looked for below the channel's `sound_prefix`.
fn absolute(session: &Session, name: &str) -> String {
    if name.starts_with(['/', '{']) || name.contains("://") {
        return name.to_owned();
    }
    match session.variables.get("sound_prefix") {
        Some(prefix) => format!("{prefix}/{name}"),
        None => name.to_owned(),
    }
}

/// Plays inside of what `args` already play, up to the host's limit.
///
/// # Safety
/// `args` is null or points to arguments that live through `play`.
unsafe fn nested(
    args: *mut switch_input_args_t,
    play: impl FnOnce() -> switch_status_t,
) -> switch_status_t {
    if args.is_null() {
        return play();
    }
    // SAFETY: the caller promises living arguments; no reference to them is kept over `play`,
    // whose callbacks may use them.
    unsafe {
        if (*args).loops >= NESTED {
            log::write(
                SWITCH_LOG_ERROR,
                format_args!("RECURSION ERROR! too many nested prompts"),
            );
            return SWITCH_STATUS_FALSE;
        }
        (*args).loops += 1;
        let status = play();
        (*args).loops -= 1;
        status
    }
}

/// Waits out a prompt, offering digits as they come.
fn play_until(
    session: &Arc<Session>,
    end_us: i64,
    args: *mut switch_input_args_t,
) -> switch_status_t {
    let clock = &host().clock;
    // SAFETY: null, or living arguments (see `nested`).
    let frame_callback = unsafe { args.as_ref() }.and_then(|args| args.read_frame_callback);
    loop {
        if !session.leg.is_ready() {
            return SWITCH_STATUS_FALSE;
        }
        if !args.is_null() {
            let status = offer_digit(session, args);
            if status != SWITCH_STATUS_SUCCESS {
                return status;
            }
        }
        let now_us = clock.now_us();
        if now_us >= end_us {
            return SWITCH_STATUS_SUCCESS;
        }
        // Only who watches frames has to be woken for each.
        let until_us = if frame_callback.is_some() {
            end_us.min(now_us + FRAME_US)
        } else {
            end_us
        };
        let woken = session.leg.wait(clock.instant(until_us), !args.is_null());
        if woken == Woken::State && session.leg.is_down() {
            // The real one is nearly always reading a frame then, and leaves its loop with the
            // status it had: a prompt that a hangup cut off looks like one that ended.
            return SWITCH_STATUS_SUCCESS;
        }
        if let Some(callback) = frame_callback.filter(|_| woken == Woken::Time) {
            // SAFETY: the module's callback, its arguments, its session, on its thread.
            let status = unsafe { callback(session.handle(), silence(), (*args).user_data) };
            if status != SWITCH_STATUS_SUCCESS {
                return status;
            }
        }
    }
}

/// Gives one waiting digit to the callback or the buffer. A digit that nobody is there for
/// ends the prompt.
fn offer_digit(session: &Arc<Session>, args: *mut switch_input_args_t) -> switch_status_t {
    let Some(mut digit) = session.leg.pop_digit() else {
        return SWITCH_STATUS_SUCCESS;
    };
    // SAFETY: living arguments (see `nested`), read before the callback runs.
    let (callback, buf, buflen) = unsafe { ((*args).input_callback, (*args).buf, (*args).buflen) };
    match callback {
        // SAFETY: the module's callback with its own buffer; the digit lives until it returns.
        Some(callback) => unsafe {
            let input = (&raw mut digit).cast();
            callback(session.handle(), input, SWITCH_INPUT_TYPE_DTMF, buf, buflen)
        },
        None => {
            if !buf.is_null() {
                // SAFETY: a buffer without a callback takes one digit.
                unsafe { buf.cast::<c_char>().write(digit.digit) };
            }
            SWITCH_STATUS_BREAK
        }
    }
}
