//! How much each receiver may be sent, by how it answers: its places, and its breaker.

use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How many deliveries a receiver may be sent at once, each of another call.
pub const PER_RECEIVER: usize = 16;
/// How many deliveries may be under way in all, and to the receivers of one tenant. A receiver that has none under way
/// may have one beyond that, so that no number of slow ones stops another.
const IN_ALL: usize = 1_024;
const OF_TENANT: usize = 512;
/// With those that are beyond it there are at the most so many: each is a connection.
const MOST_IN_ALL: usize = 4_096;
const MOST_OF_TENANT: usize = 1_024;
/// So many failures in a row open a receiver's breaker.
const FAILURES: u32 = 5;

/// A receiver that failed and was not asked for so long is begun with anew: by the published schedule nothing waits for
/// it any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(25 * 3_600);

/// What a delivery says of its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It takes deliveries.
    Well,
    /// It does not.
    Ill,
    /// It was not asked.
    None,
}

/// The receivers that have deliveries under way, or that fail.
pub struct Receivers {
    known: HashMap<String, Receiver>,
    under_way: usize,
    /// Of the tenants that have any.
    of_tenants: HashMap<String, usize>,
    rest: Duration,
}

#[derive(Default)]
struct Receiver {
    under_way: usize,
    /// Failures in a row.
    failures: u32,
    /// Nothing is sent to it before.
    rests_until: Option<Instant>,
}

impl Receiver {
    fn is_open(&self) -> bool {
        self.failures >= FAILURES
    }

    fn room(&self, now: Instant) -> usize {
        let places = match self.is_open() {
            false => PER_RECEIVER,
            true if self.rests_until.is_some_and(|until| now < until) => 0,
            true => 1,
        };
        places.saturating_sub(self.under_way)
    }
}

impl Receivers {
    /// None yet. A receiver whose breaker is open gets one delivery at a time, and nothing for `rest` after each
    /// that failed.
    pub fn new(rest: Duration) -> Receivers {
        Receivers {
            known: HashMap::new(),
            under_way: 0,
            of_tenants: HashMap::new(),
            rest,
        }
    }

    /// How many more it may be sent now.
    pub fn room(&self, name: &str, now: Instant) -> usize {
        let known = self.known.get(name);
        let own = known.map_or(PER_RECEIVER, |known| known.room(now));
        let of_tenant = self.of_tenants.get(tenant(name)).copied().unwrap_or(0);
        let in_all = IN_ALL.saturating_sub(self.under_way);
        let shared = in_all.min(OF_TENANT.saturating_sub(of_tenant));
        let has_none = known.is_none_or(|known| known.under_way == 0);
        let one_beyond = self.under_way < MOST_IN_ALL && of_tenant < MOST_OF_TENANT;
        own.min(shared.max(usize::from(has_none && one_beyond)))
    }

    /// Whether it has failed last.
    pub fn is_ill(&self, name: &str) -> bool {
        self.known.get(name).is_some_and(|known| known.failures > 0)
    }

    /// How long it is left alone from now on.
    pub fn rest(&self, name: &str, now: Instant) -> Option<Duration> {
        let known = self.known.get(name).filter(|known| known.is_open())?;
        let rest = known.rests_until?.checked_duration_since(now)?;
        (rest > Duration::ZERO).then_some(rest)
    }

    /// Forgets the receivers that failed and have had nothing to get since. Returns those whose breaker was open.
    pub fn forget_idle(&mut self, now: Instant) -> Vec<String> {
        let idle = self.known.extract_if(|_, known| {
            let since = known
                .rests_until
                .map(|until| now.saturating_duration_since(until));
            known.under_way == 0 && since.is_some_and(|since| since > FORGOTTEN_AFTER)
        });
        let open = idle.filter(|(_, known)| known.is_open());
        open.map(|(name, _)| name).collect()
    }

    /// One more delivery to it is under way.
    pub fn begins(&mut self, name: &str) {
        self.under_way += 1;
        *self.of_tenants.entry(tenant(name).to_owned()).or_default() += 1;
        self.known.entry(name.to_owned()).or_default().under_way += 1;
    }

    /// A delivery to it is over. Returns whether its breaker is open now, where that is new.
    pub fn ends(&mut self, name: &str, sign: Sign, now: Instant) -> Option<bool> {
        self.under_way = self.under_way.saturating_sub(1);
        match self.of_tenants.get_mut(tenant(name)) {
            Some(of_tenant) if *of_tenant > 1 => *of_tenant -= 1,
            _ => drop(self.of_tenants.remove(tenant(name))),
        }
        let known = self.known.get_mut(name)?;
        known.under_way = known.under_way.saturating_sub(1);
        let was_open = known.is_open();
        match sign {
            Sign::None => {}
            Sign::Well => {
                known.failures = 0;
                known.rests_until = None;
            }
            Sign::Ill => {
                known.failures = known.failures.saturating_add(1);
                known.rests_until = Some(now + self.rest);
            }
        }
        match (was_open, known.is_open()) {
            (false, true) => tracing::warn!(
                receiver = name,
                "webhooks fail: this receiver gets one at a time until it takes one"
            ),
            (true, false) => tracing::info!(receiver = name, "webhooks are taken again"),
            _ => {}
        }
        let news = (was_open != known.is_open()).then(|| known.is_open());
        if known.under_way == 0 && known.failures == 0 {
            self.known.remove(name);
        }
        news
    }
}

/// Whose receiver it is: a receiver is named `TENANT scheme://host:port`.
fn tenant(receiver: &str) -> &str {
    receiver.split(' ').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(5);

    fn ends(receivers: &mut Receivers, name: &str, sign: Sign, now: Instant) {
        receivers.begins(name);
        receivers.ends(name, sign, now);
    }

    #[test]
    fn a_receiver_that_fails_gets_one_at_a_time_until_it_takes_one() {
        let now = Instant::now();
        let mut receivers = Receivers::new(REST);
        assert_eq!(receivers.room("a", now), PER_RECEIVER);
        for _ in 1..FAILURES {
            ends(&mut receivers, "a", Sign::Ill, now);
        }
        assert_eq!(receivers.room("a", now), PER_RECEIVER);
        ends(&mut receivers, "a", Sign::Ill, now);
        assert_eq!(
            (receivers.room("a", now), receivers.rest("a", now)),
            (0, Some(REST))
        );
        assert_eq!(receivers.room("b", now), PER_RECEIVER);

        let later = now + REST;
        assert_eq!(
            (receivers.room("a", later), receivers.rest("a", later)),
            (1, None)
        );
        receivers.begins("a");
        assert_eq!(receivers.room("a", later), 0);
        receivers.ends("a", Sign::Ill, later);
        assert_eq!(receivers.rest("a", later), Some(REST));
        ends(&mut receivers, "a", Sign::None, later);
        assert_eq!(receivers.room("a", later), 0, "that says nothing");
        ends(&mut receivers, "a", Sign::Well, later);
        assert_eq!(receivers.room("a", later), PER_RECEIVER);
        assert!(receivers.known.is_empty());
    }

    #[test]
    fn those_that_failed_long_ago_are_forgotten() {
        let now = Instant::now();
        let mut receivers = Receivers::new(REST);
        for _ in 0..FAILURES {
            ends(&mut receivers, "open", Sign::Ill, now);
        }
        for name in ["failed", "under way"] {
            ends(&mut receivers, name, Sign::Ill, now);
        }
        receivers.begins("under way");
        assert_eq!(receivers.forget_idle(now + FORGOTTEN_AFTER), [""; 0]);
        let later = now + REST + FORGOTTEN_AFTER + REST;
        assert_eq!(receivers.forget_idle(later), ["open"]);
        assert_eq!(receivers.known.len(), 1);
    }

    #[test]
    fn one_that_takes_some_is_not_ill() {
        let now = Instant::now();
        let mut receivers = Receivers::new(REST);
        for _ in 0..FAILURES {
            ends(&mut receivers, "a", Sign::Ill, now);
            ends(&mut receivers, "a", Sign::Well, now);
        }
        assert_eq!(receivers.room("a", now), PER_RECEIVER);
    }

    #[test]
    fn no_number_of_slow_ones_stops_another() {
        let now = Instant::now();
        let mut receivers = Receivers::new(REST);
        for name in 0..1_000 {
            let name = name.to_string();
            for _ in 0..receivers.room(&name, now) {
                receivers.begins(&name);
            }
        }
        assert_eq!(receivers.under_way, IN_ALL + 1_000 - IN_ALL / PER_RECEIVER);
        assert_eq!(receivers.room("another", now), 1);
        assert_eq!(receivers.room("999", now), 0);
    }

    #[test]
    fn no_number_of_receivers_of_one_tenant_takes_the_places_of_another() {
        let now = Instant::now();
        let mut receivers = Receivers::new(REST);
        for name in 0..3_000 {
            let name = format!("many https://{name}.example:443");
            for _ in 0..receivers.room(&name, now) {
                receivers.begins(&name);
            }
        }
        assert_eq!(receivers.under_way, MOST_OF_TENANT);
        assert_eq!(receivers.room("other https://a.example:443", now), 1);
        receivers.begins("other https://a.example:443");
        for name in 0..MOST_OF_TENANT {
            let name = format!("many https://{name}.example:443");
            while receivers
                .known
                .get(&name)
                .is_some_and(|known| known.under_way > 0)
            {
                receivers.ends(&name, Sign::Well, now);
            }
        }
        assert_eq!(receivers.under_way, 1);
        assert_eq!(receivers.of_tenants.len(), 1);
        assert_eq!(
            receivers.room("other https://a.example:443", now),
            PER_RECEIVER - 1
        );
    }
}
