//! Channel variables.

use super::{log, session, text};
use crate::host::host;
use freeswitch_sys::*;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ffi::{CString, c_char, c_int};

/// The variables of one channel.
#[derive(Default)]
pub struct Variables {
    set: Mutex<HashMap<String, CString>>,
    /// Copies that the module was given: they stay as long as the session.
    lent: Mutex<Vec<CString>>,
}

impl Variables {
    /// Sets a variable, or removes it for `None` and the empty text.
    pub fn set(&self, name: &str, value: Option<&str>) {
        let mut set = self.set.lock();
        match value.filter(|value| !value.is_empty()) {
            Some(value) => drop(set.insert(name.to_owned(), text::for_c(value))),
            None => drop(set.remove(name)),
        }
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<String> {
        self.set
            .lock()
            .get(name)
            .map(|value| value.to_string_lossy().into_owned())
    }

    fn lend(&self, value: &str) -> *const c_char {
        let value = text::for_c(value);
        // The text itself does not move when the list of texts grows.
        let pointer = value.as_ptr();
        self.lent.lock().push(value);
        pointer
    }
}

/// See [`freeswitch_sys::switch_channel_set_variable_var_check`].
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_channel_set_variable_var_check(
    channel: *mut switch_channel_t,
    varname: *const c_char,
    value: *const c_char,
    var_check: switch_bool_t,
) -> switch_status_t {
    let session = session::of_channel(channel, "switch_channel_set_variable_var_check");
    // SAFETY: the module passes null or C strings.
    let (name, value) = unsafe { (text::copied(varname), text::copied(value)) };
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return SWITCH_STATUS_FALSE;
    };
    let holds_variable = value.as_ref().is_some_and(|value| value.contains("${"));
    if var_check != SWITCH_FALSE && holds_variable {
        log::write(
            SWITCH_LOG_CRIT,
            format_args!("Invalid data (${{{name}}} contains a variable)"),
        );
    } else {
        session.variables.set(&name, value.as_deref());
    }
    SWITCH_STATUS_SUCCESS
}

/// See [`freeswitch_sys::switch_channel_get_variable_dup`]. What it returns always lives as
/// long as the session, asked to `dup` or not.
///
/// # Safety
/// As documented there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn switch_channel_get_variable_dup(
    channel: *mut switch_channel_t,
    varname: *const c_char,
    _dup: switch_bool_t,
    _idx: c_int,
) -> *const c_char {
    let session = session::of_channel(channel, "switch_channel_get_variable_dup");
    // SAFETY: the module passes null or a C string.
    let Some(name) = (unsafe { text::copied(varname) }) else {
        return std::ptr::null();
    };
    let value = session.variables.get(&name);
    let value = value.or_else(|| session.profile.field(&name).map(str::to_owned));
    match value.or_else(|| host().globals.get(&name).cloned()) {
        Some(value) => session.variables.lend(&value),
        None => std::ptr::null(),
    }
}
