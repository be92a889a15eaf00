//! Whether the carrier may be asked to connect a call with a number: the rules for that are the routers'. Else a flow
//! could have a carrier call what the tenant may not.

use super::{Meeting, Question, Stage};
use crate::admission::Closed;
use crate::call::Call;
use crate::engine::Engine;
use iradialer_core::flow::Transferred;
use iradialer_core::value::{CallUuid, DialNumber};
use iradialer_core::wire::TransferAsk;
use std::sync::{Arc, Weak};

/// The routers are asked so often, µs.
const ASK_EVERY_US: u64 = 500_000;
/// They have to answer by then, µs: somebody is on the line.
const ANSWERED_WITHIN_US: u64 = 8_000_000;

/// A question to the routers, under way. As with a transfer, it does not keep the engine.
pub struct Permission {
    engine: Weak<Engine>,
    parent: CallUuid,
    to_number: DialNumber,
    meeting: Arc<Meeting>,
    begun_us: u64,
    ask_us: u64,
}

impl Engine {
    /// Asks whether the carrier may be asked to connect a live call with the number.
    pub fn may_refer(self: &Arc<Self>, call: &Call, to_number: DialNumber) -> Permission {
        let now_us = self.host.steady_us();
        Permission {
            engine: Arc::downgrade(self),
            parent: call.command.call_uuid,
            to_number,
            meeting: self.transfers.open(),
            begun_us: now_us,
            ask_us: now_us,
        }
    }
}

impl Permission {
    /// The number as the carrier is to be given it, or why it is not; nothing where that is not known yet. To be asked
    /// again with every frame; never waits.
    pub fn poll(&mut self) -> Option<Result<DialNumber, Transferred>> {
        let failed = |why: &str| Some(Err(Transferred::Failed(why.to_owned())));
        let engine = self.engine.upgrade();
        let Some(engine) = engine.filter(|it| it.admission.load().closed != Closed::Leaving) else {
            return failed("the module is being unloaded");
        };
        match self.meeting.stage() {
            Stage::Permitted(number) => return Some(Ok(number)),
            Stage::Over(outcome) => return Some(Err(outcome)),
            _ => {}
        }
        let now_us = engine.host.steady_us();
        if now_us.saturating_sub(self.begun_us) > ANSWERED_WITHIN_US {
            return failed("no router has said in time whether the number may be called");
        }
        if now_us >= self.ask_us && self.meeting.may_ask() {
            self.ask_us = now_us + ASK_EVERY_US;
            engine.transfers.put(Question {
                parent: self.parent,
                ask: TransferAsk::Refer(self.to_number.clone()),
                meeting: self.meeting.clone(),
            });
        }
        None
    }
}

impl Drop for Permission {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.upgrade() {
            engine.transfers.close(&self.meeting);
        }
    }
}
