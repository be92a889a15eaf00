//! The host itself: version, time, global variables, tab completion.

use super::text;
use crate::host::host;
use freeswitch_sys::*;
use std::ffi::{CStr, c_char};

/// What the sandbox calls itself.
pub const VERSION: &CStr = match CStr::from_bytes_with_nul(
    concat!("switch-sandbox-", env!("CARGO_PKG_VERSION"), "\0").as_bytes(),
) {
    Ok(version) => version,
    Err(_) => panic!("the version holds no NUL"),
};

/// See [`freeswitch_sys::switch_console_set_complete`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_console_set_complete(string: *const c_char) -> switch_status_t {
    // SAFETY: the module passes null or a C string.
    let command = unsafe { text::copied(string) }.unwrap_or_default();
    match host().completions.lock().set(&command) {
        true => SWITCH_STATUS_SUCCESS,
        false => SWITCH_STATUS_FALSE,
    }
}

/// See [`freeswitch_sys::switch_core_get_variable_dup`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_core_get_variable_dup(varname: *const c_char) -> *mut c_char {
    // SAFETY: the module passes null or a C string.
    let name = unsafe { text::copied(varname) };
    match name.and_then(|name| host().globals.get(&name)) {
        Some(value) => text::malloced(value),
        None => std::ptr::null_mut(),
    }
}

/// See [`freeswitch_sys::switch_version_full`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_version_full() -> *const c_char {
    VERSION.as_ptr()
}

/// See [`freeswitch_sys::switch_time_now`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_time_now() -> switch_time_t {
    host().clock.now_us()
}
