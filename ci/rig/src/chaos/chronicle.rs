//! What was done to whom and when, by the wall's clock: the checks need it to know whose fault something
//! may be, and a report shows it.

use super::target::Target;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// Ms since the Unix epoch.
pub fn now_ms() -> u64 {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

/// Something that happened to a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It died at once: killed by us or at a failpoint. What it had only in memory is gone.
    Died,
    /// What it had on its disk was removed while it was down.
    Wiped,
    /// It was started.
    Started,
    /// It stood still, or was cut off, up to a time.
    Hindered {
        /// Until when, ms since the Unix epoch.
        until_ms: u64,
    },
    /// Its clock was off, up to a time.
    ClockMoved {
        /// By how many ms, and which way.
        off_ms: i64,
        /// Until when, ms since the Unix epoch.
        until_ms: u64,
    },
    /// A fault of this kind struck it.
    Struck(&'static str),
    /// It ended though nobody had a hand in it, with the end of its log.
    Broke(String),
    /// For a person.
    Note(String),
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it began, ms since the Unix epoch.
    pub at_ms: u64,
    /// To whom.
    pub target: Target,
    /// What.
    pub what: What,
}

/// All of them.
#[derive(Default)]
pub struct Chronicle {
    entries: Mutex<Vec<Entry>>,
    aloud: bool,
}

impl Chronicle {
    /// An empty one; `aloud` shows each entry as it is made.
    pub fn new(aloud: bool) -> Self {
        Chronicle {
            aloud,
            ..Chronicle::default()
        }
    }

    /// Notes something that happens now.
    pub fn note(&self, target: Target, what: What) {
        self.note_at(now_ms(), target, what);
    }

    /// Notes something that began at `at_ms`.
    pub fn note_at(&self, at_ms: u64, target: Target, what: What) {
        if let (true, What::Note(text) | What::Broke(text)) = (self.aloud, &what) {
            println!("{at_ms} {:<10} {text}", target.name());
        }
        let entry = Entry {
            at_ms,
            target,
            what,
        };
        self.lock().push(entry);
    }

    /// Everything so far, by time.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = self.lock().clone();
        entries.sort_by_key(|entry| entry.at_ms);
        entries
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.entries
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
