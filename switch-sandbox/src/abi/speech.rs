//! A speech engine, `sandbox`: each character of a text is 60 ms of a hum whose pitch is the character's own, as
//! the voice `high` or `low` has it.

use super::handles::Handles;
use super::{log, text};
use freeswitch_sys::*;
use parking_lot::Mutex;
use std::ffi::{c_char, c_uint, c_void};
use std::sync::Arc;

/// The handles that are open.
pub static SPOKEN: Handles<Mutex<Spoken>> = Handles::of("speech handle");

/// The name of the one engine.
const ENGINE: &str = "sandbox";
const CHARACTER_MS: u32 = 60;

/// What a handle has to say.
pub struct Spoken {
    rate: u32,
    /// Hz of the lowest character.
    pitch: u32,
    samples: Vec<i16>,
}

impl Spoken {
    fn say(&mut self, text: &str) {
        let each = self.rate * CHARACTER_MS / 1_000;
        for character in text.chars() {
            let period = self.rate / (self.pitch + u32::from(character) % 64 * 4);
            let swing = |at: u32| {
                if at % period < period / 2 {
                    4_000
                } else {
                    -4_000
                }
            };
            self.samples.extend((0..each).map(swing));
        }
    }
}

/// See [`freeswitch_sys::switch_core_speech_open`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_speech_open(
    sh: *mut switch_speech_handle_t,
    module_name: *const c_char,
    voice_name: *const c_char,
    rate: c_uint,
    _interval: c_uint,
    channels: c_uint,
    flags: *mut switch_speech_flag_t,
    pool: *mut switch_memory_pool_t,
) -> switch_status_t {
    // SAFETY: the module passes null or C strings.
    let (name, voice) = unsafe { (text::copied(module_name), text::copied(voice_name)) };
    let name = name.unwrap_or_default();
    if sh.is_null() || flags.is_null() || name.is_empty() {
        return SWITCH_STATUS_FALSE;
    }
    if name != ENGINE {
        let line = format_args!("Invalid speech module [{name}]!");
        log::write(SWITCH_LOG_ERROR, line);
        return SWITCH_STATUS_GENERR;
    }
    super::pool::POOLS.get(pool, "switch_core_speech_open");
    let pitch = match voice.as_deref() {
        Some("high") => 400,
        Some("low" | "default") => 200,
        _ => return SWITCH_STATUS_FALSE,
    };
    if channels != 1 {
        return SWITCH_STATUS_FALSE;
    }
    let spoken = Spoken {
        rate,
        pitch,
        samples: Vec::new(),
    };
    SPOKEN.insert_at(sh, Arc::new(Mutex::new(spoken)));
    SWITCH_STATUS_SUCCESS
}

/// See [`freeswitch_sys::switch_core_speech_feed_tts`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_speech_feed_tts(
    sh: *mut switch_speech_handle_t,
    text: *const c_char,
    _flags: *mut switch_speech_flag_t,
) -> switch_status_t {
    let spoken = SPOKEN.get(sh, "switch_core_speech_feed_tts");
    // SAFETY: the module passes null or a C string.
    let text = unsafe { text::copied(text) }.unwrap_or_default();
    if text.trim().is_empty() {
        return SWITCH_STATUS_FALSE;
    }
    spoken.lock().say(&text);
    SWITCH_STATUS_SUCCESS
}

/// See [`freeswitch_sys::switch_core_speech_read_tts`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_speech_read_tts(
    sh: *mut switch_speech_handle_t,
    data: *mut c_void,
    datalen: *mut switch_size_t,
    _flags: *mut switch_speech_flag_t,
) -> switch_status_t {
    let spoken = SPOKEN.get(sh, "switch_core_speech_read_tts");
    let samples = &mut spoken.lock().samples;
    // SAFETY: the module passes the length of its buffer, in bytes.
    let room = unsafe { *datalen } / size_of::<i16>();
    let few: Vec<i16> = samples.drain(..room.min(samples.len())).collect();
    // SAFETY: the buffer has room for that many.
    unsafe {
        data.cast::<i16>()
            .copy_from_nonoverlapping(few.as_ptr(), few.len());
        *datalen = few.len() * size_of::<i16>();
    }
    match few.is_empty() {
        true => SWITCH_STATUS_BREAK,
        false => SWITCH_STATUS_SUCCESS,
    }
}

/// See [`freeswitch_sys::switch_core_speech_close`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_speech_close(
    sh: *mut switch_speech_handle_t,
    _flags: *mut switch_speech_flag_t,
) -> switch_status_t {
    SPOKEN.remove(sh, "switch_core_speech_close");
    SWITCH_STATUS_SUCCESS
}
