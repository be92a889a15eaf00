//! The host's own speech engines, which its modules bring.

use super::leg::Pool;
use super::text::c_string;
use crate::audio::RATE;
use freeswitch_sys as sys;
use std::ffi::{c_char, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

/// The longest text's audio, samples: 5 minutes.
const MOST_SAMPLES: usize = 300 * RATE as usize;
/// What is read at once, samples: 20 ms.
const PACKET: usize = RATE as usize / 50;
/// An engine that gives nothing so many times has nothing.
const MOST_EMPTY: usize = 1_000;

/// Whether the module is being unloaded.
static LEAVING: AtomicBool = AtomicBool::new(false);

/// Says whether the module is being unloaded, which no text is worth waiting for.
pub fn leave(leaving: bool) {
    LEAVING.store(leaving, Ordering::SeqCst);
}

/// A handle that is open, closed when dropped.
struct Open<'p> {
    handle: Box<sys::switch_speech_handle_t>,
    _pool: &'p Pool,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut flags = sys::SWITCH_SPEECH_FLAG_NONE;
        // SAFETY: H10: it was opened, and is closed once, before its pool goes.
        unsafe { sys::switch_core_speech_close(&raw mut *self.handle, &raw mut flags) };
    }
}

/// The text as samples at 8 kHz. The engine may take as long as it likes.
pub fn speak(engine: &str, voice: &str, text: &str) -> Result<Vec<i16>, String> {
    let pool = Pool::new().ok_or("the switch has no memory")?;
    let mut spoken = open(&pool, engine, voice)?;
    // What begins with a brace would be taken for settings of the engine.
    let text = c_string(text.trim_start_matches([' ', '{']));
    let mut flags = sys::SWITCH_SPEECH_FLAG_NONE;
    // SAFETY: H10: the handle is open, and the text is copied.
    let status = unsafe {
        sys::switch_core_speech_feed_tts(&raw mut *spoken.handle, text.as_ptr(), &raw mut flags)
    };
    if status != sys::SWITCH_STATUS_SUCCESS {
        return Err(format!(
            "engine {engine} does not take the text (status {status})"
        ));
    }
    let (mut samples, mut empty) = (Vec::new(), 0);
    while samples.len() < MOST_SAMPLES && empty < MOST_EMPTY {
        if LEAVING.load(Ordering::SeqCst) {
            return Err("the module is being unloaded".to_owned());
        }
        let mut packet = [0i16; PACKET];
        let mut len = size_of_val(&packet);
        let mut flags = sys::SWITCH_SPEECH_FLAG_BLOCKING;
        // SAFETY: H10: the handle is open; `packet` has room for `len` bytes.
        let status = unsafe {
            sys::switch_core_speech_read_tts(
                &raw mut *spoken.handle,
                packet.as_mut_ptr().cast::<c_void>(),
                &raw mut len,
                &raw mut flags,
            )
        };
        if status != sys::SWITCH_STATUS_SUCCESS {
            break;
        }
        empty = if len == 0 { empty + 1 } else { 0 };
        samples.extend_from_slice(&packet[..(len / 2).min(PACKET)]);
    }
    Ok(samples)
}

fn open<'p>(pool: &'p Pool, engine: &str, voice: &str) -> Result<Open<'p>, String> {
    let mut handle = Box::new(sys::switch_speech_handle_t {
        speech_interface: null_mut(),
        flags: 0,
        name: null_mut(),
        rate: 0,
        speed: 0,
        samples: 0,
        channels: 0,
        real_channels: 0,
        voice: [0 as c_char; 80],
        engine: null_mut(),
        param: null_mut(),
        memory_pool: null_mut(),
        resampler: null_mut(),
        buffer: null_mut(),
        dbuf: null_mut(),
        dbuflen: 0,
        samplerate: 0,
        native_rate: 0,
        private_info: null_mut(),
    });
    let (name, voice) = (c_string(engine), c_string(voice));
    let mut flags = sys::SWITCH_SPEECH_FLAG_NONE;
    // SAFETY: H1, H10: the handle is all zero and stays where it is until it is closed, and so does the pool.
    let status = unsafe {
        sys::switch_core_speech_open(
            &raw mut *handle,
            name.as_ptr(),
            voice.as_ptr(),
            RATE,
            20,
            1,
            &raw mut flags,
            pool.0,
        )
    };
    match status {
        sys::SWITCH_STATUS_SUCCESS => Ok(Open {
            handle,
            _pool: pool,
        }),
        sys::SWITCH_STATUS_GENERR => Err(format!("the switch has no speech engine \"{engine}\"")),
        status => Err(format!("engine {engine} does not begin (status {status})")),
    }
}
