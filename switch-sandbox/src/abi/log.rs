//! The log, on stderr.

use super::{session, text};
use crate::host::host;
use freeswitch_sys::*;
use std::ffi::{c_char, c_int};
use std::io::Write;

const LEVELS: [&str; 8] = [
    "CONSOLE", "ALERT", "CRIT", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG",
];

/// The level that a name or number stands for.
pub fn level_of(name: &str) -> Option<i32> {
    let by_name = LEVELS
        .iter()
        .position(|level| level.eq_ignore_ascii_case(name));
    let level = by_name.or_else(|| name.parse().ok().filter(|level| *level < LEVELS.len()))?;
    i32::try_from(level).ok()
}

/// Logs a line of the host's own.
pub fn write(level: switch_log_level_t, line: std::fmt::Arguments<'_>) {
    if level > host().log_level {
        return;
    }
    // Levels above DEBUG are finer grades of it.
    let name = usize::try_from(level)
        .ok()
        .and_then(|level| LEVELS.get(level))
        .unwrap_or(&"DEBUG");
    let seconds = host().clock.running_s();
    // A closed stderr is no reason to stop calls.
    let _ = writeln!(std::io::stderr().lock(), "{seconds:10.3} [{name}] {line}");
}

/// Takes a formatted line from `switch_log_printf`.
///
/// # Safety
/// `file` and `line_text` are null or C strings; `userdata` is what FreeSWITCH documents for
/// `channel`.
#[unsafe(no_mangle)]
unsafe extern "C" fn sandbox_log(
    channel: c_int,
    file: *const c_char,
    line: c_int,
    userdata: *const c_char,
    level: c_int,
    line_text: *const c_char,
) {
    if level > host().log_level {
        return;
    }
    // SAFETY: as the caller promises.
    let (file, said) = unsafe { (text::copied(file), text::copied(line_text)) };
    let about = match u32::try_from(channel) {
        Ok(SWITCH_CHANNEL_ID_SESSION) if !userdata.is_null() => {
            let session = userdata.cast_mut().cast::<switch_core_session_t>();
            Some(session::of(session, "switch_log_printf").uuid().to_owned())
        }
        // SAFETY: in the other channels it is null or a uuid.
        _ => unsafe { text::copied(userdata) },
    };
    let file = file.unwrap_or_default();
    let file = file.rsplit('/').next().unwrap_or_default();
    let about = about.map(|uuid| format!(" {uuid}")).unwrap_or_default();
    let said = said.unwrap_or_default();
    write(
        level,
        format_args!("{file}:{line}{about} {}", said.trim_end()),
    );
}
