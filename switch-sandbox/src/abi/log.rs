//! The log, on stderr. As in the real switch a thread of its own writes it, so that no call
//! waits for whoever reads it; lines that find the queue full are counted and dropped.

use super::{session, text};
use crate::host::host;
use freeswitch_sys::*;
use std::ffi::{c_char, c_int};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

/// Lines that may wait to be written.
const QUEUE: usize = 10_000;
/// How long the end of the process waits for the lines before it.
const LAST_WORDS: Duration = Duration::from_secs(1);

static WRITER: LazyLock<mpsc::SyncSender<Entry>> = LazyLock::new(start_writer);
static DROPPED: AtomicUsize = AtomicUsize::new(0);

enum Entry {
    Line(String),
    /// Everything before it is written: say so.
    Flush(mpsc::Sender<()>),
}

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
    let line = format!("{seconds:10.3} [{name}] {line}\n");
    if WRITER.try_send(Entry::Line(line)).is_err() {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until the lines logged so far are written, or a moment has passed.
pub fn flush() {
    let (done, written) = mpsc::channel();
    if WRITER.try_send(Entry::Flush(done)).is_ok() {
        let _ = written.recv_timeout(LAST_WORDS);
    }
}

fn start_writer() -> mpsc::SyncSender<Entry> {
    let (lines, queue) = mpsc::sync_channel(QUEUE);
    let thread = std::thread::Builder::new().name("log".to_owned());
    // Without the thread the queue has no reader, and every line counts as dropped.
    let _ = thread.spawn(move || queue.into_iter().for_each(put));
    lines
}

fn put(entry: Entry) {
    let mut stderr = std::io::stderr().lock();
    // A closed stderr is no reason to stop calls.
    let _ = match DROPPED.swap(0, Ordering::Relaxed) {
        0 => Ok(()),
        dropped => writeln!(stderr, "{dropped} log lines were dropped"),
    };
    match entry {
        Entry::Line(line) => drop(stderr.write_all(line.as_bytes())),
        Entry::Flush(done) => drop(done.send(())),
    }
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
