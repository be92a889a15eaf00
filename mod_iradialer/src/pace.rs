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

/// The bound on calls being set up. Two windows, and a call has to fit both.
///
/// The first is the switch's own: from admission until the INVITE is with the SIP stack. How long that
/// takes is how long a thread waits for a processor, and the window follows it: it shrinks while the
/// wait is long and grows again when it is not. A full switch that lets in no more than it can run
/// keeps its speed; one that lets in all it is offered loses half of it to its own queues.
///
/// The second is the SIP socket's: from there until the far end says anything at all, or until
/// [`SETUP_US`] have passed, because a carrier may think for seconds and that is no fault of the switch.
/// It keeps a burst of INVITEs from getting answers that overrun the socket's buffer.
#[derive(Debug)]
pub struct SetupGate {
    limit: f64,
    shrunk_us: u64,
    /// Attempts on their way to the SIP stack, since when.
    starting: HashMap<CallUuid, u64>,
    /// Attempts whose far end has not said a word, since when.
    unheard: HashMap<CallUuid, u64>,
}

/// How long a far end that says nothing counts at the most, µs.
const SETUP_US: u64 = 100_000;
/// An INVITE handed over this quickly says the switch has room, µs.
const QUICK_US: u64 = 4_000;
/// One handed over this slowly says it has not, µs. An idle switch takes a fifth of a millisecond.
const SLOW_US: u64 = 8_000;
/// The first window shrinks once in so long, µs, because the calls of one queue are all slow together.
const SHRINK_EVERY_US: u64 = 20_000;
/// The first window's least size: 4 calls that wait 40 ms each are still 100 calls a second.
const LEAST: f64 = 4.0;
/// The first window's greatest size, and the second's: two answers to each of so many INVITEs fit the
/// kernel's default receive buffer (208 KiB).
const MOST: u32 = 48;

impl Default for SetupGate {
    fn default() -> Self {
        SetupGate {
            limit: f64::from(MOST),
            shrunk_us: 0,
            starting: HashMap::new(),
            unheard: HashMap::new(),
        }
    }
}

impl SetupGate {
    /// Enters an attempt, if there is room.
    pub fn enter(&mut self, attempt: CallUuid, now_us: u64) -> bool {
        if self.in_setup() >= MOST {
            self.unheard
                .retain(|_, since_us| now_us.saturating_sub(*since_us) < SETUP_US);
        }
        let room = self.starting.len() < self.limit as usize && self.in_setup() < MOST;
        if room {
            self.starting.insert(attempt, now_us);
        }
        room
    }

    /// The INVITE of an attempt is with the SIP stack. Repeated, it is nothing new.
    pub fn handed_over(&mut self, attempt: CallUuid, now_us: u64) {
        let Some(since_us) = self.starting.remove(&attempt) else {
            return;
        };
        self.unheard.insert(attempt, now_us);
        let took_us = now_us.saturating_sub(since_us);
        if took_us < QUICK_US {
            self.limit = (self.limit + 1.0 / self.limit).min(f64::from(MOST));
        } else if took_us > SLOW_US && now_us.saturating_sub(self.shrunk_us) > SHRINK_EVERY_US {
            self.limit = (self.limit * 0.9).max(LEAST);
            self.shrunk_us = now_us;
        }
    }

    /// The far end has said something, or the attempt is over. Repeated, it is nothing new.
    pub fn leave(&mut self, attempt: CallUuid) {
        self.starting.remove(&attempt);
        self.unheard.remove(&attempt);
    }

    /// How many are being set up.
    pub fn in_setup(&self) -> u32 {
        (self.starting.len() + self.unheard.len()) as u32
    }

    /// How many may be on their way to the SIP stack at once.
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
        fn the_gate_stays_in_its_bounds(steps in prop::collection::vec((0u8..3, 0u64..20_000, any::<prop::sample::Index>()), 1..500)) {
            let mut gate = SetupGate::default();
            let mut entered = Vec::new();
            let mut now = 0;
            for (step, time, which) in steps {
                now += time;
                let known = (!entered.is_empty()).then(|| which.index(entered.len()));
                match (step, known) {
                    (0, _) => {
                        let attempt = CallUuid::fresh();
                        if gate.enter(attempt, now) { entered.push(attempt); }
                    }
                    (1, Some(index)) => gate.handed_over(entered[index], now),
                    (2, Some(index)) => gate.leave(entered.swap_remove(index)),
                    _ => {}
                }
                prop_assert!(gate.in_setup() <= MOST);
                prop_assert!((LEAST as u32..=MOST).contains(&gate.limit()));
            }
            for attempt in entered { gate.leave(attempt); }
            prop_assert_eq!(gate.in_setup(), 0);
        }
    }

    #[test]
    fn a_carrier_that_thinks_does_not_close_the_gate() {
        let mut gate = SetupGate::default();
        let mut asked = || {
            let attempt = CallUuid::fresh();
            let entered = gate.enter(attempt, 0);
            gate.handed_over(attempt, 0);
            entered
        };
        while asked() {}
        assert!(!gate.enter(CallUuid::fresh(), SETUP_US - 1));
        assert!(gate.enter(CallUuid::fresh(), SETUP_US));
    }

    #[test]
    fn a_switch_that_is_slow_to_begin_calls_lets_in_fewer() {
        let mut gate = SetupGate::default();
        let mut now = 0;
        let mut begin = |gate: &mut SetupGate, took_us| {
            let attempt = CallUuid::fresh();
            assert!(gate.enter(attempt, now));
            now += took_us;
            gate.handed_over(attempt, now);
            gate.leave(attempt);
        };
        for _ in 0..100 {
            begin(&mut gate, SLOW_US * 3);
        }
        assert_eq!(gate.limit(), LEAST as u32);
        for _ in 0..2_000 {
            begin(&mut gate, QUICK_US / 2);
        }
        assert_eq!(gate.limit(), MOST);
    }

    #[test]
    fn a_call_that_never_reaches_the_stack_holds_its_place_until_it_is_over() {
        let mut gate = SetupGate::default();
        let first = CallUuid::fresh();
        assert!(gate.enter(first, 0));
        while gate.enter(CallUuid::fresh(), 0) {}
        assert!(!gate.enter(CallUuid::fresh(), SETUP_US * 10));
        gate.leave(first);
        assert!(gate.enter(CallUuid::fresh(), SETUP_US * 10));
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
