//! The `iradialer` command of `fs_cli` and the event socket.

use super::entry;
use super::guard::guard;
use super::text::{c_string, from_c};
use crate::commands;
use freeswitch_sys as sys;
use std::ffi::{CStr, c_char};

/// The command's name.
pub const NAME: &CStr = c"iradialer";
/// What `show api` says of it.
pub const DESCRIPTION: &CStr = c"Outbound voice engine";
/// How it is used, kept by the host: must say what [`commands::USAGE`] says.
pub const SYNTAX: &CStr =
    c"status | calls | show <uuid> | originate <number> [flow] | hangup <uuid> | record start <uuid> [mixed|stereo] | record stop <uuid> | journal | drain | resume | reload";

/// Runs a command. The reply always carries its own `+OK` or `-ERR`: with any other status than
/// SUCCESS the host would add a line of its own.
pub unsafe extern "C" fn run(
    line: *const c_char,
    _session: *mut sys::switch_core_session_t,
    stream: *mut sys::switch_stream_handle_t,
) -> sys::switch_status_t {
    guard("iradialer command", sys::SWITCH_STATUS_SUCCESS, || {
        // SAFETY: the host's string, which may be null.
        let line = unsafe { from_c(line) }.unwrap_or_default();
        let reply = guard(
            "iradialer command",
            "-ERR a fault in the module\n".to_owned(),
            || entry::command(&line),
        );
        // SAFETY: the host's stream, valid until this returns.
        unsafe { write(stream, &reply) };
        sys::SWITCH_STATUS_SUCCESS
    })
}

/// # Safety
/// `stream` is null or valid.
unsafe fn write(stream: *mut sys::switch_stream_handle_t, text: &str) {
    let text = c_string(text);
    // SAFETY: by the caller's word.
    if let Some(function) = unsafe { stream.as_ref() }.and_then(|stream| stream.write_function) {
        // SAFETY: H7: the format is ours and takes one string.
        unsafe { function(stream, c"%s".as_ptr(), text.as_ptr()) };
    }
}

/// Makes tab completion know the command.
pub fn complete() {
    for words in commands::COMPLETIONS {
        set_complete(&format!("add iradialer {words}"));
    }
}

/// Makes tab completion forget it.
pub fn forget_complete() {
    set_complete("del iradialer");
}

fn set_complete(text: &str) {
    let text = c_string(text);
    // SAFETY: H1; the text is copied.
    unsafe { sys::switch_console_set_complete(text.as_ptr()) };
}
