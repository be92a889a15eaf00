//! Names in the log what the database can't do: once when it begins, and once when it is over.

use super::TdbError;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// One thing that a database can do or not.
pub(super) struct Outage {
    /// `written` or `read`.
    what: &'static str,
    begun: Mutex<Option<Begun>>,
}

struct Begun {
    at: Instant,
    said: String,
}

impl Outage {
    /// Of what can't be done, a participle.
    pub(super) fn of(what: &'static str) -> Self {
        Outage {
            what,
            begun: Mutex::new(None),
        }
    }

    /// It can't be done. Said again only for another reason.
    pub(super) fn began(&self, error: &TdbError) {
        let said = error.to_string();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match &*begun {
            Some(before) if before.said == said => return,
            Some(before) => before.at,
            None => Instant::now(),
        };
        tracing::error!(error = %said, "the database can't be {}, trying until it can", self.what);
        *begun = Some(Begun { at, said });
    }

    /// It can be done.
    pub(super) fn is_over(&self) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = begun.take() {
            let seconds = begun.at.elapsed().as_secs();
            tracing::info!(after_s = seconds, "the database can be {} again", self.what);
        }
    }
}
