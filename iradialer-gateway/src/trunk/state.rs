//! What a trunk has shown of itself: the rate that its carrier bears, whether to wait, and its breaker.
//!
//! Pure: evidence and the time go in, the next state comes out. It is kept in the TDB, so that it holds
//! for every router and through a takeover.

use super::evidence::Evidence;

/// So many faults more than good calls open the breaker: one number that is refused everywhere, or a
/// carrier that refuses one call in ten, does not.
pub const FAULTS_TO_OPEN: u32 = 5;
/// How long the breaker is open at first, ms; each probe that fails doubles it.
pub const FIRST_OPEN_MS: u64 = 5_000;
/// The longest it is open before the next probe, ms.
pub const MAX_OPEN_MS: u64 = 300_000;
/// Where a person has to put something right, the first probe comes so many doublings later.
const MISUSE_DOUBLINGS: u32 = 3;
/// How long the verdict on a probe is waited for, ms, before another call is let through.
pub const PROBE_WAIT_MS: u64 = 60_000;
/// How long a trunk waits whose carrier has no room for another call, unless one of its calls ends, ms.
pub const ROOM_WAIT_MS: u64 = 3_000;
/// A learned rate creeps up: it doubles in so many ms.
pub const CREEP_MS: u64 = 60_000;
/// The lowest rate that is learned, calls in a thousand seconds.
const LEAST_CPS_MILLI: u64 = 100;

/// What a trunk has shown of itself. Times are ms since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrunkState {
    /// The rate its carrier was found to bear; none: it never refused one for its rate.
    pub learned: Option<Learned>,
    /// No call before this time: the carrier has no room.
    pub wait_until_ms: Option<u64>,
    /// Whether calls are let through.
    pub breaker: Breaker,
    /// Open: until when. Half open: until when the verdict on the probe is waited for.
    pub breaker_until_ms: u64,
    /// What the carrier said that opened it.
    pub breaker_reason: Option<String>,
    /// By how much faults outnumber good calls; while the breaker is not closed it grows with each probe
    /// that fails.
    pub failures: u32,
    /// When any of this last changed.
    pub updated_ms: u64,
}

/// A rate that was learned from refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learned {
    /// Calls in a thousand seconds, as of `at_ms`.
    pub cps_milli: u64,
    /// When it was learned, ms since the Unix epoch. It has crept up since.
    pub at_ms: u64,
}

/// Whether a trunk's calls are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Breaker {
    /// All are.
    #[default]
    Closed,
    /// None is until a time, then one.
    Open,
    /// One was, and what becomes of it decides.
    HalfOpen,
}

impl Breaker {
    /// `closed`, `open`, `half_open`.
    pub fn as_str(self) -> &'static str {
        match self {
            Breaker::Closed => "closed",
            Breaker::Open => "open",
            Breaker::HalfOpen => "half_open",
        }
    }

    /// The one of that name.
    pub fn parse(text: &str) -> Option<Breaker> {
        let all = [Breaker::Closed, Breaker::Open, Breaker::HalfOpen];
        all.into_iter().find(|breaker| breaker.as_str() == text)
    }
}

/// What goes with a piece of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// When the call was assigned, ms since the Unix epoch.
    pub assigned_ms: u64,
    /// How many calls the trunk was given in the second that ends with this one, itself included.
    pub in_second: u32,
    /// Now, ms since the Unix epoch.
    pub now_ms: u64,
}

/// Whether a trunk may have a call now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Open,
    /// It may have one, which decides whether the breaker closes.
    Probe,
    /// Not before this time, ms since the Unix epoch.
    Shut(u64, Shut),
}

/// Why a trunk may have no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// Its breaker is open.
    BreakerOpen,
    /// A probe is on its way.
    Probing,
    /// Its carrier has no room.
    NoRoom,
}

impl Shut {
    /// For the explanation of a decision.
    pub fn as_str(self) -> &'static str {
        match self {
            Shut::BreakerOpen => "breaker_open",
            Shut::Probing => "breaker_half_open",
            Shut::NoRoom => "carrier_has_no_room",
        }
    }
}

impl TrunkState {
    /// Calls a second that the trunk may have now: what is configured, or less where less was learned.
    pub fn rate(&self, max_cps: f64, now_ms: u64) -> f64 {
        let learned = self.learned_cps(now_ms);
        learned.map_or(max_cps, |learned| learned.min(max_cps))
    }

    /// The learned rate as it has crept up until now, calls a second.
    pub fn learned_cps(&self, now_ms: u64) -> Option<f64> {
        let learned = self.learned?;
        let doublings = now_ms.saturating_sub(learned.at_ms) as f64 / CREEP_MS as f64;
        Some(learned.cps_milli as f64 / 1_000.0 * doublings.min(32.0).exp2())
    }

    /// Whether the trunk may have a call now. A time further off than any that is ever set was set by
    /// a clock that has been set back since.
    pub fn gate(&self, now_ms: u64) -> Gate {
        let holds =
            |until_ms: u64, longest_ms| until_ms > now_ms && until_ms <= now_ms + longest_ms;
        match self.breaker {
            Breaker::Open if holds(self.breaker_until_ms, MAX_OPEN_MS) => {
                Gate::Shut(self.breaker_until_ms, Shut::BreakerOpen)
            }
            Breaker::HalfOpen if holds(self.breaker_until_ms, PROBE_WAIT_MS) => {
                Gate::Shut(self.breaker_until_ms, Shut::Probing)
            }
            Breaker::Open | Breaker::HalfOpen => Gate::Probe,
            Breaker::Closed => match self.wait_until_ms {
                Some(until_ms) if holds(until_ms, ROOM_WAIT_MS) => {
                    Gate::Shut(until_ms, Shut::NoRoom)
                }
                _ => Gate::Open,
            },
        }
    }

    /// The state once a probe is assigned.
    pub fn probing(&self, now_ms: u64) -> TrunkState {
        TrunkState {
            breaker: Breaker::HalfOpen,
            breaker_until_ms: now_ms + PROBE_WAIT_MS,
            updated_ms: now_ms,
            ..self.clone()
        }
    }

    /// The state after a piece of evidence; an equal one where it changes nothing.
    pub fn after(&self, evidence: &Evidence, seen: Observed) -> TrunkState {
        let mut next = self.clone();
        match evidence {
            Evidence::Works => next.is_good(seen),
            Evidence::Ended => next.wait_until_ms = None,
            Evidence::Fault(said) => next.fails(said, seen, 0),
            Evidence::Misused(said) => next.fails(said, seen, MISUSE_DOUBLINGS),
            Evidence::TooFast => {
                next.is_good(seen);
                next.slow_down(seen);
            }
            Evidence::NoRoom => {
                next.is_good(seen);
                next.wait_until_ms = Some(seen.now_ms + ROOM_WAIT_MS);
            }
            Evidence::Nothing => next.says_nothing(seen),
        }
        if next != *self {
            next.updated_ms = seen.now_ms;
        }
        next
    }

    /// The carrier answers as it should.
    fn is_good(&mut self, seen: Observed) {
        match self.breaker {
            Breaker::Closed => self.failures = self.failures.saturating_sub(1),
            Breaker::HalfOpen if self.is_probe(seen) => {
                *self = TrunkState {
                    breaker: Breaker::Closed,
                    breaker_until_ms: 0,
                    breaker_reason: None,
                    failures: 0,
                    ..self.clone()
                };
            }
            // A call of before it opened.
            Breaker::Open | Breaker::HalfOpen => {}
        }
    }

    /// A fault; one that is ours to put right opens the breaker at once, for so many doublings longer.
    fn fails(&mut self, said: &str, seen: Observed, misuse_doublings: u32) {
        match self.breaker {
            Breaker::Closed => self.failures = self.failures.saturating_add(1),
            Breaker::HalfOpen if self.is_probe(seen) => {
                self.failures = self.failures.saturating_add(1).max(FAULTS_TO_OPEN);
            }
            // One of those that were on their way when it opened.
            Breaker::Open | Breaker::HalfOpen => return,
        }
        if misuse_doublings > 0 {
            self.failures = self.failures.max(FAULTS_TO_OPEN + misuse_doublings);
        }
        if self.failures < FAULTS_TO_OPEN {
            return;
        }
        let doublings = (self.failures - FAULTS_TO_OPEN).min(16);
        let open_ms = (FIRST_OPEN_MS << doublings).min(MAX_OPEN_MS);
        self.breaker = Breaker::Open;
        self.breaker_until_ms = seen.now_ms + open_ms;
        self.breaker_reason = Some(said.to_owned());
    }

    /// A probe that says nothing of the carrier: the next one may go.
    fn says_nothing(&mut self, seen: Observed) {
        if self.is_probe(seen) {
            self.breaker = Breaker::Open;
            self.breaker_until_ms = seen.now_ms;
        }
    }

    /// Half of what the trunk was really offered. Of calls refused together the first one says it all:
    /// the others were offered at the rate that is no longer.
    fn slow_down(&mut self, seen: Observed) {
        let known = self.learned.filter(|learned| learned.at_ms <= seen.now_ms);
        if known.is_some_and(|learned| seen.assigned_ms <= learned.at_ms) {
            return;
        }
        let offered = f64::from(seen.in_second.max(1));
        let rate = self.rate(offered, seen.assigned_ms);
        let half_milli = (rate / 2.0 * 1_000.0) as u64;
        self.learned = Some(Learned {
            cps_milli: half_milli.max(LEAST_CPS_MILLI),
            at_ms: seen.now_ms,
        });
    }

    /// Whether the call is the one whose outcome decides: it was assigned since the breaker is half open.
    fn is_probe(&self, seen: Observed) -> bool {
        self.breaker == Breaker::HalfOpen
            && seen.assigned_ms.saturating_add(PROBE_WAIT_MS) >= self.breaker_until_ms
    }
}

#[cfg(test)]
mod tests;
