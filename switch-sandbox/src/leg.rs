//! One call leg as the host sees it: channel state, media flags, digits, and who still holds
//! it. The rules are FreeSWITCH's (`switch_channel.c`, `switch_core_session.c`).

use freeswitch_sys::*;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::thread::ThreadId;
use std::time::Instant;

/// Digits that a channel keeps for whoever reads them; the oldest goes first when it is full.
const DIGITS_KEPT: usize = 1000;

/// What came of an attempt to change the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is the state now.
    Made {
        /// The state it was in.
        from: switch_channel_state_t,
    },
    /// It is the state already, or the leg is further on its way down: nothing changed.
    None,
    /// A change that the host treats as a fault of the program and dies of.
    Forbidden {
        /// The state it is in.
        from: switch_channel_state_t,
    },
}

/// What came of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The leg is answered from now on.
    Now,
    /// It was answered before.
    Before,
    /// It is going down.
    TooLate,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The time came.
    Time,
    /// A digit waits.
    Digit,
    /// The leg is in another state than the one whose handlers run.
    State,
}

/// A leg. All of it may be used from any thread.
#[derive(Debug, Default)]
pub struct Leg {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    state: switch_channel_state_t,
    running: switch_channel_state_t,
    cause: switch_call_cause_t,
    hung_up: bool,
    ringing: bool,
    early_media: bool,
    answered: bool,
    digits: VecDeque<switch_dtmf_t>,
    own_thread: Option<ThreadId>,
    holders: usize,
    closed: bool,
}

impl Inner {
    fn is_down(&self) -> bool {
        self.state >= CS_HANGUP
    }

    /// Whether the leg is up and settled in a state beyond routing.
    fn is_ready(&self) -> bool {
        // Only the leg's own thread can know that it has yet to act on a new state.
        let pending =
            self.own_thread == Some(std::thread::current().id()) && self.running != self.state;
        self.cause == SWITCH_CAUSE_NONE
            && self.state > CS_ROUTING
            && self.state < CS_HANGUP
            && self.state != CS_RESET
            && !pending
    }
}

impl Leg {
    /// The state it is in, which may lie ahead of the one whose handlers run.
    pub fn state(&self) -> switch_channel_state_t {
        self.inner.lock().state
    }

    /// The state whose handlers run.
    pub fn running(&self) -> switch_channel_state_t {
        self.inner.lock().running
    }

    /// Says that the handlers of `state` run from now on.
    pub fn run(&self, state: switch_channel_state_t) {
        self.inner.lock().running = state;
    }

    /// Moves to `to` if the rules let it, and wakes the leg's thread.
    pub fn change(&self, to: switch_channel_state_t) -> Change {
        let mut inner = self.inner.lock();
        let from = inner.state;
        if from == to || (from >= CS_HANGUP && to < from) {
            return Change::None;
        }
        if to > CS_DESTROY || !may_follow(from, to) {
            return Change::Forbidden { from };
        }
        inner.state = to;
        if to == CS_HANGUP && inner.cause == SWITCH_CAUSE_NONE {
            inner.cause = SWITCH_CAUSE_NORMAL_CLEARING;
        }
        self.changed.notify_all();
        Change::Made { from }
    }

    /// Hangs up with `cause`. False, and nothing changes, when somebody did before.
    pub fn hang_up(&self, cause: switch_call_cause_t) -> bool {
        let mut inner = self.inner.lock();
        if inner.hung_up || inner.is_down() {
            return false;
        }
        inner.hung_up = true;
        inner.cause = cause;
        inner.state = CS_HANGUP;
        self.changed.notify_all();
        true
    }

    /// The hangup cause; `SWITCH_CAUSE_NONE` while the call is up.
    pub fn cause(&self) -> switch_call_cause_t {
        self.inner.lock().cause
    }

    /// The far end rings. False when that was known, or it has answered.
    pub fn mark_ringing(&self) -> bool {
        let mut inner = self.inner.lock();
        let news = !inner.ringing && !inner.answered;
        inner.ringing |= news;
        news
    }

    /// The far end sends media before the answer. False when that was known, or it has
    /// answered.
    pub fn mark_early_media(&self) -> bool {
        let mut inner = self.inner.lock();
        let news = !inner.early_media && !inner.answered;
        inner.early_media |= news;
        news
    }

    /// The far end answered.
    pub fn mark_answered(&self) -> Answered {
        let mut inner = self.inner.lock();
        if inner.is_down() {
            return Answered::TooLate;
        }
        match std::mem::replace(&mut inner.answered, true) {
            true => Answered::Before,
            false => Answered::Now,
        }
    }

    /// Whether the far end answered.
    pub fn is_answered(&self) -> bool {
        self.inner.lock().answered
    }

    /// Whether media flows: answered or early.
    pub fn has_media(&self) -> bool {
        let inner = self.inner.lock();
        inner.answered || inner.early_media
    }

    /// Whether the leg is up, beyond routing and, on its own thread, with no state change
    /// pending.
    pub fn is_ready(&self) -> bool {
        self.inner.lock().is_ready()
    }

    /// Whether it is going down.
    pub fn is_down(&self) -> bool {
        self.inner.lock().is_down()
    }

    /// Puts a digit behind those that wait.
    pub fn push_digit(&self, digit: switch_dtmf_t) {
        let mut inner = self.inner.lock();
        if inner.digits.len() == DIGITS_KEPT {
            inner.digits.pop_front();
        }
        inner.digits.push_back(digit);
        self.changed.notify_all();
    }

    /// Takes the oldest digit.
    pub fn pop_digit(&self) -> Option<switch_dtmf_t> {
        self.inner.lock().digits.pop_front()
    }

    /// How many digits wait.
    pub fn digits(&self) -> usize {
        self.inner.lock().digits.len()
    }

    /// Makes the calling thread the leg's own.
    pub fn own_by_this_thread(&self) {
        self.inner.lock().own_thread = Some(std::thread::current().id());
    }

    /// Sleeps until the state is another than the one whose handlers ran.
    pub fn sleep_until_changed(&self) {
        let mut inner = self.inner.lock();
        while inner.state == inner.running {
            self.changed.wait(&mut inner);
        }
    }

    /// Waits for `deadline`, a change of state or, if `for_digits`, a digit.
    pub fn wait(&self, deadline: Instant, for_digits: bool) -> Woken {
        let mut inner = self.inner.lock();
        loop {
            if inner.is_down() || inner.state != inner.running {
                return Woken::State;
            }
            if for_digits && !inner.digits.is_empty() {
                return Woken::Digit;
            }
            if self.changed.wait_until(&mut inner, deadline).timed_out() {
                return Woken::Time;
            }
        }
    }

    /// Keeps the leg from being destroyed until [`Leg::release`]. False when it is closed, or
    /// going down unless `also_down`.
    pub fn hold(&self, also_down: bool) -> bool {
        let mut inner = self.inner.lock();
        let granted = !inner.closed && (also_down || !inner.is_down());
        inner.holders += usize::from(granted);
        granted
    }

    /// Gives back one [`Leg::hold`]. False when there was none.
    pub fn release(&self) -> bool {
        let mut inner = self.inner.lock();
        let held = inner.holders > 0;
        inner.holders -= usize::from(held);
        self.changed.notify_all();
        held
    }

    /// Waits until nobody holds the leg, and lets nobody hold it again.
    pub fn close(&self) {
        let mut inner = self.inner.lock();
        while inner.holders > 0 {
            self.changed.wait(&mut inner);
        }
        inner.closed = true;
    }
}

/// A state's name as the host logs it.
pub fn state_name(state: switch_channel_state_t) -> &'static str {
    match state {
        CS_NEW => "CS_NEW",
        CS_INIT => "CS_INIT",
        CS_ROUTING => "CS_ROUTING",
        CS_SOFT_EXECUTE => "CS_SOFT_EXECUTE",
        CS_EXECUTE => "CS_EXECUTE",
        CS_EXCHANGE_MEDIA => "CS_EXCHANGE_MEDIA",
        CS_PARK => "CS_PARK",
        CS_CONSUME_MEDIA => "CS_CONSUME_MEDIA",
        CS_HIBERNATE => "CS_HIBERNATE",
        CS_RESET => "CS_RESET",
        CS_HANGUP => "CS_HANGUP",
        CS_REPORTING => "CS_REPORTING",
        CS_DESTROY => "CS_DESTROY",
        _ => "UNKNOWN",
    }
}

/// Whether the host lets a channel go from one state to another, `CS_HANGUP` apart: that is
/// reached by hanging up, from anywhere.
fn may_follow(from: switch_channel_state_t, to: switch_channel_state_t) -> bool {
    let working = matches!(
        to,
        CS_EXCHANGE_MEDIA
            | CS_SOFT_EXECUTE
            | CS_ROUTING
            | CS_EXECUTE
            | CS_PARK
            | CS_CONSUME_MEDIA
            | CS_HIBERNATE
            | CS_RESET
    );
    match from {
        CS_NEW | CS_RESET => true,
        CS_INIT | CS_EXCHANGE_MEDIA | CS_SOFT_EXECUTE | CS_ROUTING | CS_EXECUTE | CS_PARK
        | CS_CONSUME_MEDIA => working,
        CS_HIBERNATE => working || to == CS_INIT,
        CS_HANGUP => matches!(to, CS_REPORTING | CS_DESTROY),
        CS_REPORTING => to == CS_DESTROY,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
