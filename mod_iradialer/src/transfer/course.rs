//! A transfer as the thread of the call that waits goes through it.

use super::{Left, Meeting, Question, Stage};
use crate::admission::Closed;
use crate::call::Call;
use crate::engine::Engine;
use iradialer_core::call::EndedBy;
use iradialer_core::flow::{Sound, Transferred};
use iradialer_core::value::{CallUuid, CallerNumber, DialNumber, TrunkName};
use iradialer_core::wire::{TransferAsk, TransferOrder};
use std::sync::{Arc, Weak};

/// The routers are asked so often, µs, for as long as the new call is not on this switch.
const ASK_EVERY_US: u64 = 500_000;
/// It has to be on the switch by then, µs, or nobody waits any longer: a router gives it up a little before.
const PLACED_WITHIN_US: u64 = 15_000_000;
/// What ringing, and what the one who answers hears, may take beyond the dial timeout, µs. The timers of the
/// new call end it long before.
const SLACK_US: u64 = 180_000_000;

/// Whom to connect a call with.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The number.
    pub destination: DialNumber,
    /// The caller's number shown; that of the call where there is none.
    pub from_number: Option<CallerNumber>,
    /// The trunk; any of the campaign's where there is none.
    pub trunk: Option<TrunkName>,
    /// How long it may ring, 5 to 600 s.
    pub timeout_s: u16,
    /// What the one who answers hears before the two are connected.
    pub whisper: Vec<Sound>,
}

/// What the waiting thread is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait on.
    Wait,
    /// Connect the call with this attempt.
    Bridge(CallUuid),
    /// The transfer is over.
    Over(Transferred),
}

/// A transfer under way. Dropped, nobody waits for the other side any more: it is not dialled, or cancelled
/// where it rings, or hung up. It does not keep the engine: the module may be unloaded meanwhile.
pub struct Course {
    engine: Weak<Engine>,
    parent: CallUuid,
    order: TransferOrder,
    meeting: Arc<Meeting>,
    begun_us: u64,
    /// When the routers are asked next.
    ask_us: u64,
    /// Since when the new call is on no switch.
    unplaced_us: u64,
}

impl Engine {
    /// Has somebody dialled for a live call, which waits for them.
    ///
    /// # Errors
    /// A sentence, where the switch begins none.
    pub fn transfer(self: &Arc<Self>, call: &Call, wanted: Wanted) -> Result<Course, String> {
        if self.admission.load().closed != Closed::No {
            return Err("the switch is being drained".to_owned());
        }
        let now_us = self.host.steady_us();
        Ok(Course {
            engine: Arc::downgrade(self),
            parent: call.command.call_uuid,
            order: TransferOrder {
                to_number: wanted.destination,
                from_number: wanted.from_number,
                trunk: wanted.trunk,
                dial_timeout_s: wanted.timeout_s,
                whisper: wanted.whisper,
            },
            meeting: self.transfers.open(),
            begun_us: now_us,
            ask_us: now_us,
            unplaced_us: now_us,
        })
    }
}

impl Course {
    /// What to do now. To be asked again with every frame; never waits.
    pub fn poll(&mut self) -> Next {
        let failed = |why: &str| Next::Over(Transferred::Failed(why.to_owned()));
        let engine = self.engine.upgrade();
        let Some(engine) = engine.filter(|it| it.admission.load().closed != Closed::Leaving) else {
            return failed("the module is being unloaded");
        };
        let now_us = engine.host.steady_us();
        match self.meeting.stage() {
            Stage::Over(outcome) => Next::Over(outcome),
            Stage::Ready(attempt) => Next::Bridge(attempt),
            Stage::Permitted(_) => failed("the router answered another question"),
            Stage::Live(_) => {
                self.unplaced_us = now_us;
                let most_us =
                    u64::from(self.order.dial_timeout_s) * 1_000_000 + PLACED_WITHIN_US + SLACK_US;
                match now_us.saturating_sub(self.begun_us) > most_us {
                    true => failed("the other side was not ready in time"),
                    false => Next::Wait,
                }
            }
            Stage::Asked | Stage::Elsewhere => {
                if now_us.saturating_sub(self.unplaced_us) > PLACED_WITHIN_US {
                    return failed("the other side was not dialled in time");
                }
                if now_us >= self.ask_us && self.meeting.may_ask() {
                    self.ask_us = now_us + ASK_EVERY_US;
                    self.put(&engine, TransferAsk::Dial(self.order.clone()));
                }
                Next::Wait
            }
        }
    }

    /// The other side could not be found, or not be connected: what had become of it.
    pub fn not_connected(&self) -> Transferred {
        let why = "the other side hung up before it was connected";
        self.meeting
            .over()
            .unwrap_or_else(|| Transferred::Failed(why.to_owned()))
    }

    fn put(&self, engine: &Engine, ask: TransferAsk) {
        engine.transfers.put(Question {
            parent: self.parent,
            ask,
            meeting: self.meeting.clone(),
        });
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        // Without the engine nobody is left to be told: it has ended every call that it had.
        let Some(engine) = self.engine.upgrade() else {
            return;
        };
        match self.meeting.leave() {
            Left::Nothing => {}
            Left::Elsewhere => self.put(&engine, TransferAsk::Cancel),
            Left::Live(attempt) => engine.end_attempt(attempt, EndedBy::Peer),
        }
        engine.transfers.close(&self.meeting);
    }
}
