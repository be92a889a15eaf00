//! Carriers that take so many calls a second and refuse the rest, as those do that sell by the rate.

use crate::callee::{self, Script};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};

/// A second of the host's clock, µs.
const SECOND_US: i64 = 1_000_000;

/// What the carriers have taken within the last second, by the number that stands for one.
#[derive(Default)]
pub struct Carriers(Mutex<BTreeMap<String, VecDeque<i64>>>);

impl Carriers {
    /// What becomes of an INVITE to `number` at `now_us` of the host's clock, which counts.
    pub fn invited(&self, number: &str, now_us: i64) -> Script {
        match callee::rate_of(number) {
            Some(rate) if !self.takes(number, rate, now_us) => callee::too_fast(),
            _ => callee::script_of(number),
        }
    }

    fn takes(&self, number: &str, rate: usize, now_us: i64) -> bool {
        let mut all = self.0.lock();
        let taken = all.entry(number.to_owned()).or_default();
        while taken.front().is_some_and(|at| at + SECOND_US <= now_us) {
            taken.pop_front();
        }
        let room = taken.len() < rate;
        if room {
            taken.push_back(now_us);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_too_many_within_a_second_is_refused_and_does_not_count() {
        let carriers = Carriers::default();
        let number = "+1500555802";
        let placed = callee::script_of(number);
        let refused = callee::too_fast();
        for (at_us, expected) in [
            (0, &placed),
            (500_000, &placed),
            (999_999, &refused),
            (1_000_000, &placed),
            (1_400_000, &refused),
            (1_500_000, &placed),
        ] {
            assert_eq!(carriers.invited(number, at_us), *expected, "{at_us}");
        }
        // Another carrier's room, and a number that has no rate.
        assert_eq!(carriers.invited("+1500555801", 1_500_000), placed);
        for _ in 0..100 {
            let busy = carriers.invited("+15005550003", 1_500_000);
            assert_eq!(busy, callee::script_of("+15005550003"));
        }
    }
}
