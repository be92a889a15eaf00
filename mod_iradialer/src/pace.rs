//! How fast the switch begins calls: the configured rate, and a bound on calls being set up that
//! follows how long a set-up takes. Without the bound a switch offered more than it can do collapses
//! far below its peak and calls time out; with it the rest is refused at once and can go elsewhere.

use iradialer_core::value::CallUuid;
use std::collections::HashMap;

/// Calls a second, with a small burst.
#[derive(Debug)]
pub struct TokenBucket {
    per_second: f64,
    tokens: f64,
    filled_us: u64,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(per_second: f64, now_us: u64) -> Self {
        TokenBucket {
            per_second,
            tokens: Self::burst(per_second),
            filled_us: now_us,
        }
    }

    /// A tenth of a second's worth, and at least one call.
    fn burst(per_second: f64) -> f64 {
        (per_second / 10.0).max(1.0)
    }

    /// The rate.
    pub fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Changes the rate.
    pub fn set_rate(&mut self, per_second: f64, now_us: u64) {
        self.fill(now_us);
        self.per_second = per_second;
        self.tokens = self.tokens.min(Self::burst(per_second));
    }

    /// Takes one token if there is one.
    pub fn take(&mut self, now_us: u64) -> bool {
        self.fill(now_us);
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }

    /// Gives back a token that was taken for a call that was not begun.
    pub fn put_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(Self::burst(self.per_second));
    }

    fn fill(&mut self, now_us: u64) {
        let passed = now_us.saturating_sub(self.filled_us) as f64 / 1e6;
        self.filled_us = self.filled_us.max(now_us);
        self.tokens = (self.tokens + passed * self.per_second).min(Self::burst(self.per_second));
    }
}

/// The bound on calls being set up: from admission until the far end says anything at all, or until
/// [`SETUP_US`] have passed, because a carrier may think for seconds and that is no fault of the switch.
/// With a far end that answers at once this is a window that the switch's own speed moves along; what
/// it keeps from happening is a burst of INVITEs whose answers overrun the SIP socket. The window
/// shrinks while the switch is slow to hand INVITEs to its SIP stack, and grows again when it is not.
#[derive(Debug)]
pub struct SetupGate {
    limit: f64,
    in_setup: HashMap<CallUuid, u64>,
    shrunk_us: u64,
}

/// How long a call counts as being set up at the most, µs.
const SETUP_US: u64 = 100_000;
/// An INVITE handed over this quickly says the switch has room, µs.
const QUICK_US: u64 = 40_000;
/// One handed over this slowly says it has not, µs.
const SLOW_US: u64 = 120_000;
/// The window shrinks once in so long, µs, because the calls of one queue are all slow together.
const SHRINK_EVERY_US: u64 = 100_000;
const LEAST: f64 = 4.0;
/// Two answers to each of so many INVITEs fit the kernel's default receive buffer (208 KiB).
const MOST: f64 = 48.0;

impl Default for SetupGate {
    fn default() -> Self {
        SetupGate {
            limit: MOST,
            in_setup: HashMap::new(),
            shrunk_us: 0,
        }
    }
}

impl SetupGate {
    /// Enters an attempt, if there is room.
    pub fn enter(&mut self, attempt: CallUuid, now_us: u64) -> bool {
        if self.is_full() {
            self.in_setup
                .retain(|_, entered_us| now_us.saturating_sub(*entered_us) < SETUP_US);
        }
        let room = !self.is_full();
        if room {
            self.in_setup.insert(attempt, now_us);
        }
        room
    }

    fn is_full(&self) -> bool {
        self.in_setup.len() >= self.limit as usize
    }

    /// The INVITE of an attempt is with the SIP stack, so long after the attempt began.
    pub fn handed_over(&mut self, took_us: u64, now_us: u64) {
        if took_us < QUICK_US {
            self.limit = (self.limit + 1.0 / self.limit).min(MOST);
        } else if took_us > SLOW_US && now_us.saturating_sub(self.shrunk_us) > SHRINK_EVERY_US {
            self.limit = (self.limit * 0.9).max(LEAST);
            self.shrunk_us = now_us;
        }
    }

    /// The far end has said something, or the attempt is over. Repeated, it is nothing new.
    pub fn leave(&mut self, attempt: CallUuid) {
        self.in_setup.remove(&attempt);
    }

    /// How many are being set up.
    pub fn in_setup(&self) -> u32 {
        self.in_setup.len() as u32
    }

    /// How many may be.
    pub fn limit(&self) -> u32 {
        self.limit as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn never_more_than_the_rate_and_one_burst(rate in 0.1f64..500.0, gaps in prop::collection::vec(0u64..200_000, 1..400)) {
            let mut bucket = TokenBucket::new(rate, 0);
            let (mut now, mut taken) = (0, 0u32);
            for gap in gaps {
                now += gap;
                taken += u32::from(bucket.take(now));
            }
            let most = TokenBucket::burst(rate) + rate * now as f64 / 1e6;
            prop_assert!(f64::from(taken) <= most + 1e-6);
        }

        #[test]
        fn the_gate_stays_in_its_bounds(steps in prop::collection::vec((0u8..3, 0u64..400_000), 1..500)) {
            let mut gate = SetupGate::default();
            let mut entered = Vec::new();
            let mut now = 0;
            for (step, time) in steps {
                now += time / 20;
                match step {
                    0 => {
                        let attempt = CallUuid::fresh();
                        if gate.enter(attempt, now) { entered.push(attempt); }
                    }
                    1 => gate.handed_over(time, now),
                    _ => if let Some(attempt) = entered.pop() { gate.leave(attempt); },
                }
                prop_assert!(gate.in_setup() <= MOST as u32);
                prop_assert!((LEAST as u32..=MOST as u32).contains(&gate.limit()));
            }
        }
    }

    #[test]
    fn a_carrier_that_thinks_does_not_close_the_gate() {
        let mut gate = SetupGate::default();
        while gate.enter(CallUuid::fresh(), 0) {}
        assert!(!gate.enter(CallUuid::fresh(), SETUP_US - 1));
        assert!(gate.enter(CallUuid::fresh(), SETUP_US));
    }

    #[test]
    fn a_slow_clock_gives_nothing_twice() {
        let mut bucket = TokenBucket::new(1.0, 1_000_000);
        assert!(bucket.take(1_000_000));
        assert!(!bucket.take(900_000), "time that goes back fills nothing");
        assert!(!bucket.take(1_999_999));
        assert!(bucket.take(2_000_000));
    }
}
