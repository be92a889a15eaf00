//! Two live calls that are to be connected with each other.
//!
//! Each has a seat at its desk, and takes it when its turn comes. Once both are there the second steps aside,
//! so that the thread of the first can run the host's bridge on the two. Pure but for its lock.

use iradialer_core::value::CallUuid;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// Which two, and how far they are.
pub struct Pairing {
    /// The attempt that steps aside.
    second: CallUuid,
    stage: Mutex<Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Both are waited for; whether the first is there.
    Coming { first: bool },
    /// The second waits to be taken.
    Aside,
    /// The first has taken it, or nothing comes of it any more.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    First,
    Second,
}

/// The part of one of the two. Dropped before they are connected, the other one goes on without it.
pub struct Seat {
    pairing: Arc<Pairing>,
    side: Side,
}

/// What a call's thread is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Wait on.
    Wait,
    /// Leave the channel to the other thread, and say [`Seat::stepped_aside`].
    StepAside,
    /// Connect the call with this attempt.
    Bridge(CallUuid),
    /// Go on: the other one does not come.
    Over,
}

/// The seats of two calls; the second is known by its attempt.
pub fn pair(second: CallUuid) -> (Seat, Seat) {
    let stage = Mutex::new(Stage::Coming { first: false });
    let pairing = Arc::new(Pairing { second, stage });
    let seat = |side| Seat {
        pairing: pairing.clone(),
        side,
    };
    (seat(Side::First), seat(Side::Second))
}

impl Seat {
    /// What to do now. To be asked with every frame, from when the call's turn has come.
    pub fn poll(&self) -> Turn {
        let mut stage = self.pairing.stage.lock();
        match (*stage, self.side) {
            (Stage::Coming { .. }, Side::First) => {
                *stage = Stage::Coming { first: true };
                Turn::Wait
            }
            (Stage::Coming { first: true }, Side::Second) => Turn::StepAside,
            (Stage::Coming { first: false }, Side::Second) => Turn::Wait,
            (Stage::Aside, Side::First) => {
                *stage = Stage::Over;
                Turn::Bridge(self.pairing.second)
            }
            (Stage::Aside | Stage::Over, _) => Turn::Over,
        }
    }

    /// The second's channel waits to be taken. False: the first has gone meanwhile.
    pub fn stepped_aside(self) -> bool {
        let mut stage = self.pairing.stage.lock();
        let is_wanted = matches!(*stage, Stage::Coming { first: true });
        if is_wanted {
            *stage = Stage::Aside;
        }
        is_wanted
    }

    /// Gives the seat up. Returns the attempt that has stepped aside and has to be sent back.
    pub fn leave(self) -> Option<CallUuid> {
        let was = std::mem::replace(&mut *self.pairing.stage.lock(), Stage::Over);
        (was == Stage::Aside).then_some(self.pairing.second)
    }

    /// What lasts for as long as somebody has a seat.
    pub fn pairing(&self) -> Weak<Pairing> {
        Arc::downgrade(&self.pairing)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut stage = self.pairing.stage.lock();
        if matches!(*stage, Stage::Coming { .. }) {
            *stage = Stage::Over;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_steps_aside_once_both_are_there_in_whatever_order_they_come() {
        for first_comes_first in [true, false] {
            let other = CallUuid::fresh();
            let (first, second) = pair(other);
            match first_comes_first {
                true => assert_eq!(first.poll(), Turn::Wait),
                false => assert_eq!(second.poll(), Turn::Wait),
            }
            assert_eq!(first.poll(), Turn::Wait);
            assert_eq!(second.poll(), Turn::StepAside);
            assert_eq!(first.poll(), Turn::Wait, "its channel is not free yet");
            assert!(second.stepped_aside());
            assert_eq!(first.poll(), Turn::Bridge(other));
            assert_eq!(first.leave(), None, "it is taken");
        }
    }

    #[test]
    fn one_who_leaves_is_not_waited_for() {
        let (first, second) = pair(CallUuid::fresh());
        drop(second);
        assert_eq!(first.poll(), Turn::Over);
        let (first, second) = pair(CallUuid::fresh());
        drop(first);
        assert_eq!(second.poll(), Turn::Over);
    }

    #[test]
    fn one_who_has_stepped_aside_is_sent_back_or_finds_that_nobody_waits() {
        let other = CallUuid::fresh();
        let (first, second) = pair(other);
        first.poll();
        assert!(second.stepped_aside());
        assert_eq!(first.leave(), Some(other));
        let (first, second) = pair(other);
        first.poll();
        assert_eq!(second.poll(), Turn::StepAside);
        assert_eq!(first.leave(), None);
        assert!(!second.stepped_aside());
    }

    #[test]
    fn a_pairing_lasts_for_as_long_as_a_seat() {
        let (first, second) = pair(CallUuid::fresh());
        let pairing = first.pairing();
        drop(second);
        assert!(pairing.upgrade().is_some());
        drop(first);
        assert!(pairing.upgrade().is_none());
    }
}
