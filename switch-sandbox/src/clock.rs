//! The sandbox's clock, which may run faster than the wall's.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Starts at the real time of day and runs `rate` times as fast from there.
#[derive(Debug)]
pub struct Clock {
    rate: f64,
    started: Instant,
    epoch_us: i64,
}

impl Clock {
    /// A clock that starts now. `rate` has to be above 0.
    pub fn start(rate: f64) -> Self {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let epoch_us = i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX);
        Self {
            rate,
            started: Instant::now(),
            epoch_us,
        }
    }

    /// How many times as fast as the wall's it runs.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Microseconds since 1970 on this clock.
    pub fn now_us(&self) -> i64 {
        self.epoch_us + (self.started.elapsed().as_secs_f64() * self.rate * 1e6) as i64
    }

    /// Seconds on this clock since it was started.
    pub fn running_s(&self) -> f64 {
        self.started.elapsed().as_secs_f64() * self.rate
    }

    /// The moment of the wall's clock at which this clock shows `at_us`; its start for a time
    /// before that.
    pub fn instant(&self, at_us: i64) -> Instant {
        let ahead_us = at_us.saturating_sub(self.epoch_us).max(0) as f64;
        self.started + Duration::from_secs_f64(ahead_us / self.rate / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_at_its_rate() {
        let clock = Clock::start(1000.0);
        let before = Instant::now();
        let from_us = clock.now_us();
        let begun = Instant::now();
        std::thread::sleep(Duration::from_millis(5));
        let ended = Instant::now();
        let passed_us = u128::try_from(clock.now_us() - from_us).unwrap();
        // The clock's two readings lie between these four, however slow the machine is; one
        // virtual millisecond more or less is what rounding may make of them.
        let least_us = (ended - begun).as_micros() * 1000;
        let most_us = before.elapsed().as_micros() * 1000;
        assert!(
            passed_us + 1000 >= least_us,
            "{passed_us} of at least {least_us}"
        );
        assert!(
            passed_us <= most_us + 1000,
            "{passed_us} of at most {most_us}"
        );
    }

    #[test]
    fn instants_lie_where_the_clock_will_show_them() {
        let clock = Clock::start(20.0);
        let at_us = clock.epoch_us + 2_000_000;
        assert_eq!(
            clock.instant(at_us) - clock.started,
            Duration::from_millis(100)
        );
        assert_eq!(clock.instant(0), clock.started);
    }
}
