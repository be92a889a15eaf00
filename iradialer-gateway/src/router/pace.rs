//! How fast calls may be given out: to a switch, and through a trunk, where more than that counts (see
//! `trunk_pace`).

use std::collections::VecDeque;

/// How much of a second's worth of calls may start at once after a pause; at least one call may.
const BURST_S: f64 = 0.05;
/// Nothing is as slow as one call in this many ms.
const MAX_GAP_MS: f64 = 86_400_000.0;

/// Spreads starts evenly at a rate: a token bucket with a small burst, and besides never more than
/// the rate in any one second, bursts included. Times are ms by a clock that is never set back.
#[derive(Debug, Clone)]
pub struct Pace {
    rate: f64,
    tokens: f64,
    filled_ms: u64,
    recent_ms: VecDeque<u64>,
}

impl Pace {
    /// A pace of `rate` starts a second, above 0; the first may be at `now_ms`.
    pub fn new(rate: f64, now_ms: u64) -> Pace {
        let rate = rate.max(1000.0 / MAX_GAP_MS);
        Pace {
            rate,
            tokens: burst(rate),
            filled_ms: now_ms,
            recent_ms: VecDeque::new(),
        }
    }

    /// Changes the rate from now on, without a fresh burst.
    pub fn set_rate(&mut self, rate: f64, now_ms: u64) {
        if rate != self.rate {
            self.fill(now_ms);
            self.rate = rate.max(1000.0 / MAX_GAP_MS);
            self.tokens = self.tokens.min(burst(self.rate));
        }
    }

    /// When the next start may be, by the clock of `now_ms`; `now_ms` itself when it may be now.
    pub fn ready_ms(&mut self, now_ms: u64) -> u64 {
        self.fill(now_ms);
        let by_bucket = if self.tokens >= 1.0 {
            now_ms
        } else {
            now_ms + ((1.0 - self.tokens) / self.rate * 1000.0).ceil() as u64
        };
        by_bucket.max(self.window_ready_ms())
    }

    /// Counts a start at `now_ms`, which [`Pace::ready_ms`] has allowed.
    pub fn take(&mut self, now_ms: u64) {
        self.fill(now_ms);
        self.tokens -= 1.0;
        self.recent_ms.push_back(now_ms);
        while self.recent_ms.len() > self.window_starts() {
            self.recent_ms.pop_front();
        }
    }

    fn fill(&mut self, now_ms: u64) {
        let passed_s = now_ms.saturating_sub(self.filled_ms) as f64 / 1000.0;
        self.tokens = (self.tokens + passed_s * self.rate).min(burst(self.rate));
        self.filled_ms = self.filled_ms.max(now_ms);
    }

    /// The most starts in [`Pace::window_ms`].
    pub fn window_starts(&self) -> usize {
        self.rate.ceil().max(1.0) as usize
    }

    /// The time that many starts take at the rate: 1 s for a whole number of calls a second.
    pub fn window_ms(&self) -> u64 {
        (self.rate.ceil().max(1.0) / self.rate * 1000.0).ceil() as u64
    }

    fn window_ready_ms(&self) -> u64 {
        if self.recent_ms.len() < self.window_starts() {
            return 0;
        }
        let first = self.recent_ms.len() - self.window_starts();
        self.recent_ms[first] + self.window_ms()
    }
}

fn burst(rate: f64) -> f64 {
    (rate * BURST_S).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The times of starts when a caller with plenty to start looks after each of `gaps_ms`.
    fn run(rate: f64, gaps_ms: &[u64]) -> Vec<u64> {
        let mut now = 1_000_000;
        let mut pace = Pace::new(rate, now);
        let mut starts = Vec::new();
        for gap in gaps_ms {
            now += gap;
            while pace.ready_ms(now) <= now {
                pace.take(now);
                starts.push(now);
            }
        }
        starts
    }

    #[test]
    fn one_a_second_is_one_a_second() {
        let starts = run(1.0, &[10; 1000]);
        assert_eq!(starts.len(), 10, "{starts:?}");
        assert!(starts.windows(2).all(|two| two[1] - two[0] >= 1000));
    }

    #[test]
    fn a_slow_trunk_is_called_now_and_then() {
        let starts = run(0.5, &[100; 100]);
        assert_eq!(starts.len(), 5, "{starts:?}");
    }

    #[test]
    fn ready_says_when_to_look_again() {
        let mut pace = Pace::new(4.0, 0);
        assert_eq!(pace.ready_ms(0), 0);
        pace.take(0);
        assert_eq!(pace.ready_ms(0), 250);
        assert_eq!(pace.ready_ms(250), 250);
    }

    #[test]
    fn a_lower_rate_holds_at_once() {
        let mut pace = Pace::new(100.0, 0);
        pace.take(0);
        pace.set_rate(1.0, 0);
        assert!(pace.ready_ms(0) >= 1000);
    }

    proptest! {
        #[test]
        fn never_more_than_the_rate_in_a_second(
            rate in prop_oneof![Just(1.0), Just(2.5), Just(10.0), 0.2..60.0],
            gaps in proptest::collection::vec(0u64..3000, 1..400),
        ) {
            let starts = run(rate, &gaps);
            let most = rate.ceil().max(1.0) as usize;
            let window = (rate.ceil().max(1.0) / rate * 1000.0) as u64;
            for later in most..starts.len() {
                prop_assert!(starts[later] - starts[later - most] >= window);
            }
        }

        #[test]
        fn a_full_queue_is_started_at_nearly_the_rate(rate in 1.0..200.0) {
            let starts = run(rate, &[2; 5000]);
            prop_assert!(starts.len() as f64 >= 10.0 * rate * 0.9 - 1.0, "{} at {rate}", starts.len());
        }
    }
}
