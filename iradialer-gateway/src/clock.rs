//! The time, injected: production reads the system's clock, tests set it.

use iradialer_core::failpoint::clock_offset_us;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A difference of less than this between two clocks is not told: one may be read later than the other.
const LEAST_SET_MS: u64 = 500;

/// The wall clock, which people and other machines go by and may be set at any time, and a steady one of
/// this process's own, by which it measures how long something takes. Cheap to clone; clones of a manual
/// clock show the same time. Sleeping is tokio's business, whose time a test can pause.
#[derive(Clone, Default)]
pub struct Clock {
    manual: Option<Arc<Manual>>,
}

struct Manual {
    wall_ms: AtomicU64,
    steady_ms: AtomicU64,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Clock { manual: None }
    }

    /// A clock that stands at `now_ms`, both times, until it is moved.
    pub fn manual(now_ms: u64) -> Self {
        Clock {
            manual: Some(Arc::new(Manual {
                wall_ms: AtomicU64::new(now_ms),
                steady_ms: AtomicU64::new(now_ms),
            })),
        }
    }

    /// Ms since the Unix epoch, by the wall clock.
    pub fn now_ms(&self) -> u64 {
        match &self.manual {
            Some(manual) => manual.wall_ms.load(Ordering::Relaxed),
            // A system clock before 1970 is not a case worth an error at every caller.
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as u64)
                .saturating_add_signed(clock_offset_us() / 1_000),
        }
    }

    /// Ms since a moment of this process's own choice: never set, never back. Not to be compared with
    /// anything of another process, or kept.
    pub fn steady_ms(&self) -> u64 {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        match &self.manual {
            Some(manual) => manual.steady_ms.load(Ordering::Relaxed),
            None => BEGAN.elapsed().as_millis() as u64,
        }
    }

    /// Both times, as of now.
    pub fn moment(&self) -> Moment {
        Moment {
            wall_ms: self.now_ms(),
            steady_ms: self.steady_ms(),
        }
    }

    /// Moves a manual clock forward; does nothing to the system's.
    pub fn advance(&self, ms: u64) {
        if let Some(manual) = &self.manual {
            manual.wall_ms.fetch_add(ms, Ordering::Relaxed);
            manual.steady_ms.fetch_add(ms, Ordering::Relaxed);
        }
    }

    /// Sets the wall clock of a manual one, as an operator may; does nothing to the system's.
    pub fn set_wall(&self, now_ms: u64) {
        if let Some(manual) = &self.manual {
            manual.wall_ms.store(now_ms, Ordering::Relaxed);
        }
    }
}

/// One moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Ms since the Unix epoch.
    pub wall_ms: u64,
    /// As [`Clock::steady_ms`].
    pub steady_ms: u64,
}

impl Moment {
    /// What the steady clock shows when the wall clock shows `wall_ms`, if nobody sets it; this moment for
    /// what is past.
    pub fn steady_at(&self, wall_ms: u64) -> u64 {
        self.steady_ms + wall_ms.saturating_sub(self.wall_ms)
    }

    /// By how many ms the wall clock was set since `before`: ahead above 0, back below. 0: it was not, as
    /// far as the two clocks can tell (they drift, and are not read at the very same time).
    pub fn set_since(&self, before: &Moment) -> i64 {
        let wall_ms = self.wall_ms as i64 - before.wall_ms as i64;
        let by_ms = wall_ms - (self.steady_ms as i64 - before.steady_ms as i64);
        match by_ms.unsigned_abs() < LEAST_SET_MS {
            true => 0,
            false => by_ms,
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

    #[test]
    fn a_clock_that_is_set_is_noticed_and_the_steady_one_goes_on() {
        let clock = Clock::manual(1_000_000);
        let before = clock.moment();
        clock.advance(1_000);
        assert_eq!(clock.moment().set_since(&before), 0);
        clock.set_wall(clock.now_ms() + 496_000);
        assert_eq!(clock.moment().set_since(&before), 496_000);
        clock.set_wall(2_000);
        clock.advance(10);
        let now = clock.moment();
        assert_eq!((now.wall_ms, now.steady_ms), (2_010, 1_001_010));
        assert_eq!(now.set_since(&before), -999_000);
        assert_eq!(now.steady_at(2_510), 1_001_510);
        assert_eq!(now.steady_at(0), now.steady_ms);
    }
}
