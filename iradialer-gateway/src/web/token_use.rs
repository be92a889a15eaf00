//! What this process remembers of the tokens it has lately seen: how fast each may go on, and when its use was
//! last written down.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How often the use of a token is written down, ms.
const NOTE_EVERY_MS: u64 = 60_000;

/// How many requests a token may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateLimit {
    /// A second; 0: any number.
    pub per_s: u32,
    /// At once.
    pub burst: u32,
}

/// The tokens in use. One that was not used for a while is forgotten: nothing is lost by it.
#[derive(Default)]
pub(super) struct TokenUse {
    seen: Mutex<HashMap<String, Seen>>,
}

struct Seen {
    bucket: Bucket,
    /// When its use was last written down, by the steady clock.
    noted_ms: Option<u64>,
}

/// Holds up to `burst` requests and fills up at `per_s`. A request takes one out.
struct Bucket {
    limit: RateLimit,
    left: f64,
    at_ms: u64,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// It may go on. Whether the use of its token is to be written down now.
    Passed { is_to_be_noted: bool },
    /// It is one too many; the next may come after so many ms.
    TooMany { wait_ms: u64 },
}

impl TokenUse {
    /// Counts a request at `now_ms` (of the steady clock). Of many at once one alone is told to note the use.
    pub fn count(&self, token_id: &str, limit: RateLimit, now_ms: u64) -> Counted {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains_key(token_id) {
            seen.retain(|_, seen| !seen.may_be_forgotten(now_ms));
        }
        let seen = seen
            .entry(token_id.to_owned())
            .or_insert_with(|| Seen::new(limit, now_ms));
        seen.bucket.limit = limit;
        if let Err(wait_ms) = seen.bucket.take(now_ms) {
            return Counted::TooMany { wait_ms };
        }
        let is_to_be_noted = !seen.is_noted(now_ms);
        if is_to_be_noted {
            seen.noted_ms = Some(now_ms);
        }
        Counted::Passed { is_to_be_noted }
    }
}

impl Seen {
    fn new(limit: RateLimit, now_ms: u64) -> Self {
        Seen {
            bucket: Bucket {
                limit,
                left: f64::from(limit.burst),
                at_ms: now_ms,
            },
            noted_ms: None,
        }
    }

    fn is_noted(&self, now_ms: u64) -> bool {
        let since = |noted_ms| now_ms.saturating_sub(noted_ms);
        self.noted_ms.is_some_and(|at| since(at) < NOTE_EVERY_MS)
    }

    /// Whether a new one would be the same.
    fn may_be_forgotten(&mut self, now_ms: u64) -> bool {
        self.bucket.fill(now_ms);
        let is_full = self.bucket.left >= f64::from(self.bucket.limit.burst);
        !self.is_noted(now_ms) && (is_full || self.bucket.limit.per_s == 0)
    }
}

impl Bucket {
    fn fill(&mut self, now_ms: u64) {
        let since_ms = now_ms.saturating_sub(self.at_ms);
        let more = f64::from(self.limit.per_s) * since_ms as f64 / 1_000.0;
        self.left = (self.left + more).min(f64::from(self.limit.burst));
        self.at_ms = self.at_ms.max(now_ms);
    }

    /// Takes one out, or says how many ms it is until there is one.
    fn take(&mut self, now_ms: u64) -> Result<(), u64> {
        self.fill(now_ms);
        if self.limit.per_s == 0 {
            return Ok(());
        }
        if self.left < 1.0 {
            let wait_ms = (1.0 - self.left) * 1_000.0 / f64::from(self.limit.per_s);
            return Err(wait_ms.ceil() as u64);
        }
        self.left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit { per_s: 2, burst: 3 };
    const ANY: RateLimit = RateLimit { per_s: 0, burst: 1 };

    fn passes(tokens: &TokenUse, token: &str, now_ms: u64) -> bool {
        matches!(tokens.count(token, LIMIT, now_ms), Counted::Passed { .. })
    }

    #[test]
    fn as_many_at_once_as_its_burst_then_at_its_rate() {
        let tokens = TokenUse::default();
        for _ in 0..3 {
            assert!(passes(&tokens, "a", 1_000));
        }
        let told = tokens.count("a", LIMIT, 1_000);
        assert_eq!(told, Counted::TooMany { wait_ms: 500 });
        assert_eq!(
            tokens.count("a", LIMIT, 1_400),
            Counted::TooMany { wait_ms: 100 }
        );
        assert!(passes(&tokens, "b", 1_400), "each has its own");
        assert!(passes(&tokens, "a", 1_500), "as it was told");
        assert!(!passes(&tokens, "a", 1_500));
        // A long pause saves up no more than a burst.
        let passed = (0..10).filter(|_| passes(&tokens, "a", 99_000)).count();
        assert_eq!(passed, 3);
    }

    #[test]
    fn a_rate_is_kept_over_a_minute_of_steps_of_a_ms() {
        let tokens = TokenUse::default();
        let passed = (0..60_000).filter(|ms| passes(&tokens, "a", *ms)).count();
        // The burst, and two for each second.
        assert!((122..=123).contains(&passed), "{passed}");
    }

    #[test]
    fn no_limit_is_none() {
        let tokens = TokenUse::default();
        for _ in 0..1_000 {
            let counted = tokens.count("a", ANY, 5);
            assert!(matches!(counted, Counted::Passed { .. }));
        }
    }

    #[test]
    fn a_use_is_noted_once_a_minute() {
        let tokens = TokenUse::default();
        let noted = |now_ms| match tokens.count("a", ANY, now_ms) {
            Counted::Passed { is_to_be_noted } => is_to_be_noted,
            Counted::TooMany { .. } => panic!("too many"),
        };
        assert!(noted(7));
        assert!(!noted(7) && !noted(60_006));
        assert!(noted(60_007) && !noted(60_008));
    }

    #[test]
    fn tokens_that_are_not_used_are_forgotten_and_those_that_owe_are_not() {
        let tokens = TokenUse::default();
        for token in 0..100 {
            assert!(passes(&tokens, &token.to_string(), 0));
        }
        let slow = RateLimit {
            per_s: 1,
            burst: 1_000,
        };
        for _ in 0..1_000 {
            tokens.count("owes", slow, 0);
        }
        assert!(passes(&tokens, "new", 61_000));
        assert_eq!(tokens.seen.lock().unwrap().len(), 2);
        let told = tokens.count("owes", slow, 61_000);
        assert!(matches!(told, Counted::Passed { .. }), "61 have come");
        let left = tokens.seen.lock().unwrap()["owes"].bucket.left;
        assert!((left - 60.0).abs() < 0.001, "{left}");
    }
}
