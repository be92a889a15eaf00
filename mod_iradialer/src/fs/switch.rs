//! The switch as a whole: its log, its clock, its version; and [`Host`] for the engine.

use super::session::Session;
use super::speech;
use super::text::{FILE, FUNC, c_string, from_c, take_c};
use super::{leg, tap};
use crate::call::Call;
use crate::host::{CreateError, HangupCause, Host, Level, PreparedLeg, Way};
use crate::taping::Laws;
use freeswitch_sys as sys;
use iradialer_core::value::CallUuid;
use once_cell::sync::Lazy;
use std::sync::Arc;
use std::time::Instant;

/// A variable that only a host with a faster clock than the wall's sets.
const CLOCK_RATE_VARIABLE: &str = "sandbox_clock_rate";

static CLOCK_RATE: Lazy<f64> = Lazy::new(|| {
    let rate = core_variable(CLOCK_RATE_VARIABLE).and_then(|text| text.parse::<f64>().ok());
    rate.filter(|rate| (1.0..=1000.0).contains(rate))
        .unwrap_or(1.0)
});

const GONE: &str = "the call's channel is gone";

/// FreeSWITCH, as the engine sees it.
pub struct Switch;

impl Host for Switch {
    fn create_leg(&self, call: &Arc<Call>) -> Result<Box<dyn PreparedLeg>, CreateError> {
        leg::create(call)
    }

    fn hang_up(&self, attempt: CallUuid, cause: HangupCause) {
        if let Some(located) = Session::locate(attempt) {
            located.session().channel().hang_up(cause);
        }
    }

    /// The host finds no session whose channel is down.
    fn is_up(&self, attempt: CallUuid) -> bool {
        Session::locate(attempt)
            .is_some_and(|located| located.session().channel().state() < sys::CS_HANGUP)
    }

    fn laws(&self, attempt: CallUuid) -> Result<Laws, String> {
        tap::laws(attempt)
    }

    fn tap(&self, attempt: CallUuid, tape: u64) -> Result<(), String> {
        tap::tap(attempt, tape)
    }

    fn send_keys(&self, attempt: CallUuid, keys: &str) -> Result<(), String> {
        let located = Session::locate(attempt).ok_or(GONE)?;
        located.session().send_keys(keys)
    }

    fn silence(&self, attempt: CallUuid, way: Way, on: bool) -> Result<(), String> {
        let located = Session::locate(attempt).ok_or(GONE)?;
        located.session().silence(way, on)
    }

    fn now_us(&self) -> u64 {
        now_us()
    }

    fn steady_us(&self) -> u64 {
        steady_us()
    }

    fn clock_rate(&self) -> f64 {
        *CLOCK_RATE
    }

    fn version(&self) -> String {
        // SAFETY: H1; the string is static.
        unsafe { from_c(sys::switch_version_full()) }.unwrap_or_default()
    }

    fn speak(&self, engine: &str, voice: &str, text: &str) -> Result<Vec<i16>, String> {
        speech::speak(engine, voice, text)
    }

    fn log(&self, level: Level, line: &str) {
        log(level, line);
    }
}

static LOADED: Lazy<Instant> = Lazy::new(Instant::now);

/// See [`Host::steady_us`].
pub fn steady_us() -> u64 {
    (LOADED.elapsed().as_micros() as f64 * *CLOCK_RATE) as u64
}

/// Microseconds since the Unix epoch.
pub fn now_us() -> u64 {
    // SAFETY: H1: callable from any thread while the module is loaded.
    let us = u64::try_from(unsafe { sys::switch_time_now() }).unwrap_or(0);
    us.saturating_add_signed(iradialer_core::failpoint::clock_offset_us())
}

/// Writes a line to the host's log.
pub fn log(level: Level, line: &str) {
    let level = match level {
        Level::Info => sys::SWITCH_LOG_INFO,
        Level::Warning => sys::SWITCH_LOG_WARNING,
        Level::Error => sys::SWITCH_LOG_ERROR,
    };
    let line = c_string(line);
    // SAFETY: H1, and H7: the format is ours and takes one string.
    unsafe {
        sys::switch_log_printf(
            sys::SWITCH_CHANNEL_ID_LOG,
            FILE.as_ptr(),
            FUNC.as_ptr(),
            0,
            std::ptr::null(),
            level,
            c"iradialer: %s\n".as_ptr(),
            line.as_ptr(),
        );
    }
}

/// A global variable of the host.
pub fn core_variable(name: &str) -> Option<String> {
    let name = c_string(name);
    // SAFETY: H1; the copy is ours to free.
    unsafe { take_c(sys::switch_core_get_variable_dup(name.as_ptr())) }
}
