//! Which attempts this life of the module has seen, so that none is dialled twice.

use crate::value::CallUuid;
use crate::wire::AttemptFate;
use std::collections::{HashMap, VecDeque};

/// How many attempts are remembered. The oldest that are over are forgotten first, and the ledger
/// remembers that it has forgotten: of an attempt it can't speak for it never says it was not dialled.
pub const REMEMBERED: usize = 200_000;

/// The attempts seen.
#[derive(Debug, Default)]
pub struct Ledger {
    fates: HashMap<CallUuid, AttemptFate>,
    over: VecDeque<CallUuid>,
    /// Attempt UUIDs are ordered by time: nothing up to this one can be vouched for.
    forgotten: Option<CallUuid>,
    highest_epoch: u64,
}

impl Ledger {
    /// What is known of an attempt; `None` when it certainly never came.
    pub fn fate(&self, attempt: CallUuid) -> Option<AttemptFate> {
        match self.fates.get(&attempt) {
            Some(fate) => Some(*fate),
            None if self.forgotten.is_some_and(|youngest| attempt <= youngest) => {
                Some(AttemptFate::Ended)
            }
            None => None,
        }
    }

    /// The attempt is about to be dialled.
    pub fn begin(&mut self, attempt: CallUuid) {
        self.fates.insert(attempt, AttemptFate::Live);
    }

    /// The attempt was about to be dialled when an earlier life of the switch ended.
    pub fn doubt(&mut self, attempt: CallUuid) {
        self.settle(attempt, AttemptFate::IntentOnly);
    }

    /// The attempt was dialled and is over.
    pub fn end(&mut self, attempt: CallUuid) {
        self.settle(attempt, AttemptFate::Ended);
    }

    /// The attempt will never be dialled.
    pub fn fence(&mut self, attempt: CallUuid) {
        self.settle(attempt, AttemptFate::NeverDialled);
    }

    /// Of an attempt up to this one it is not known any more whether it came.
    pub fn forget_up_to(&mut self, youngest: CallUuid) {
        self.forgotten = self.forgotten.max(Some(youngest));
    }

    /// Notes an epoch; false when a higher one was seen, so that its sender has lost its lease.
    pub fn epoch_is_current(&mut self, epoch: u64) -> bool {
        let current = epoch >= self.highest_epoch;
        self.highest_epoch = self.highest_epoch.max(epoch);
        current
    }

    /// The highest epoch seen.
    pub fn highest_epoch(&self) -> u64 {
        self.highest_epoch
    }

    fn settle(&mut self, attempt: CallUuid, fate: AttemptFate) {
        let before = self.fates.insert(attempt, fate);
        if before.is_none() || before == Some(AttemptFate::Live) {
            self.over.push_back(attempt);
        }
        while self.over.len() > REMEMBERED {
            if let Some(oldest) = self.over.pop_front() {
                self.fates.remove(&oldest);
                self.forget_up_to(oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_goes_from_live_to_ended() {
        let mut ledger = Ledger::default();
        let attempt = CallUuid::fresh();
        assert_eq!(ledger.fate(attempt), None);
        ledger.begin(attempt);
        assert_eq!(ledger.fate(attempt), Some(AttemptFate::Live));
        ledger.end(attempt);
        assert_eq!(ledger.fate(attempt), Some(AttemptFate::Ended));
    }

    #[test]
    fn what_was_forgotten_is_never_said_to_be_undialled() {
        let mut ledger = Ledger::default();
        let first = CallUuid::fresh();
        ledger.begin(first);
        ledger.end(first);
        let never_came = CallUuid::fresh();
        for _ in 0..=REMEMBERED {
            ledger.fence(CallUuid::fresh());
        }
        assert_eq!(ledger.fate(first), Some(AttemptFate::Ended));
        assert_ne!(ledger.fate(never_came), Some(AttemptFate::NeverDialled));
        assert_eq!(ledger.fate(CallUuid::fresh()), None);
        assert!(ledger.fates.len() <= REMEMBERED);
    }

    #[test]
    fn an_older_epoch_is_refused() {
        let mut ledger = Ledger::default();
        assert!(
            ledger.epoch_is_current(3) && ledger.epoch_is_current(3) && ledger.epoch_is_current(4)
        );
        assert!(!ledger.epoch_is_current(3));
    }
}
