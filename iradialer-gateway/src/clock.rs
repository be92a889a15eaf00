//! The time, injected: production reads the system's clock, tests set it.

use iradialer_core::failpoint::clock_offset_us;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A source of wall-clock time in ms since the Unix epoch. Cheap to clone; clones of a manual clock
/// show the same time. Sleeping is tokio's business, whose time a test can pause.
#[derive(Clone, Default)]
pub struct Clock {
    manual: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Clock { manual: None }
    }

    /// A clock that stands at `now_ms` until it is moved.
    pub fn manual(now_ms: u64) -> Self {
        Clock {
            manual: Some(Arc::new(AtomicU64::new(now_ms))),
        }
    }

    /// Ms since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        match &self.manual {
            Some(now) => now.load(Ordering::Relaxed),
            // A system clock before 1970 is not a case worth an error at every caller.
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as u64)
                .saturating_add_signed(clock_offset_us() / 1_000),
        }
    }

    /// Moves a manual clock forward; does nothing to the system's.
    pub fn advance(&self, ms: u64) {
        if let Some(now) = &self.manual {
            now.fetch_add(ms, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_manual_clock_show_the_same_time() {
        let clock = Clock::manual(1_000);
        let seen = clock.clone();
        clock.advance(500);
        assert_eq!(seen.now_ms(), 1_500);
    }
}
