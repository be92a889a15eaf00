//! Transfers: a call waits while somebody is dialled for it, and is then connected with them.
//!
//! The one who is dialled is a call of its own, given to this switch by the router like any other. A
//! [`Meeting`] is where the two find each other: what the router says, what becomes of the new call, and the
//! thread of the one that waits all come by it.

pub mod course;
pub mod permission;

use crate::call::Call;
use course::Wanted;
use iradialer_core::call::{CallState, EndedBy, Ending, final_state};
use iradialer_core::flow::Transferred;
use iradialer_core::value::{CallUuid, DialNumber};
use iradialer_core::wire::{TransferAsk, TransferReply};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// How a call is handed over.
#[derive(Debug, Clone, PartialEq)]
pub enum Manner {
    /// Somebody is dialled for it.
    Dial(Wanted),
    /// The carrier is asked to connect it with this number (SIP REFER).
    Refer(DialNumber),
}

impl Manner {
    /// To whom.
    pub fn destination(&self) -> &DialNumber {
        match self {
            Manner::Dial(wanted) => &wanted.destination,
            Manner::Refer(number) => number,
        }
    }
}

/// A question to the routers, for the link to put.
pub struct Question {
    /// The call that waits.
    pub parent: CallUuid,
    /// What is wanted.
    pub ask: TransferAsk,
    /// About which call, and where the answer goes.
    pub meeting: Arc<Meeting>,
}

/// How the routers answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// One did.
    Reply(TransferReply),
    /// None did in time: one may have taken the question all the same.
    Nothing,
    /// Nobody could be asked, as the sentence says.
    NotAsked(String),
}

/// The transfers under way on this switch.
pub struct Transfers {
    meetings: Mutex<HashMap<CallUuid, Arc<Meeting>>>,
    questions: mpsc::UnboundedSender<Question>,
    /// Taken by the link.
    to_ask: Mutex<Option<mpsc::UnboundedReceiver<Question>>>,
}

impl Default for Transfers {
    fn default() -> Self {
        let (questions, to_ask) = mpsc::unbounded_channel();
        Transfers {
            meetings: Mutex::default(),
            questions,
            to_ask: Mutex::new(Some(to_ask)),
        }
    }
}

impl Transfers {
    /// Where the link finds what it is to ask; once.
    pub fn questions(&self) -> Option<mpsc::UnboundedReceiver<Question>> {
        self.to_ask.lock().take()
    }

    /// Whether somebody waits for this call.
    pub fn awaits(&self, call_uuid: CallUuid) -> bool {
        self.find(call_uuid)
            .is_some_and(|meeting| meeting.over().is_none())
    }

    /// The call's channel was made. False: nobody waits for it any more.
    pub fn begun(&self, call: &Call) -> bool {
        self.find(call.command.call_uuid)
            .is_some_and(|meeting| meeting.begun(call.command.attempt_id))
    }

    /// The call was answered and has heard what it was to hear: it may be connected. False: nobody waits for
    /// it any more.
    pub fn ready(&self, call: &Call) -> bool {
        self.find(call.command.call_uuid)
            .is_some_and(|meeting| meeting.ready(call.command.attempt_id))
    }

    /// A try at a call has ended.
    pub fn ended(&self, call: &Call, ending: Ending) {
        if let Some(meeting) = self.find(call.command.call_uuid) {
            meeting.ended(call.command.attempt_id, ending);
        }
    }

    fn find(&self, call_uuid: CallUuid) -> Option<Arc<Meeting>> {
        self.meetings.lock().get(&call_uuid).cloned()
    }

    fn open(&self) -> Arc<Meeting> {
        let meeting = Arc::new(Meeting {
            call_uuid: CallUuid::fresh(),
            stage: Mutex::new(Stage::Asked),
            asking: Mutex::new(Asking::default()),
        });
        let mut meetings = self.meetings.lock();
        meetings.insert(meeting.call_uuid, meeting.clone());
        meeting
    }

    fn close(&self, meeting: &Meeting) {
        self.meetings.lock().remove(&meeting.call_uuid);
    }

    fn put(&self, question: Question) {
        let meeting = question.meeting.clone();
        if self.questions.send(question).is_err() {
            meeting.told(Told::NotAsked("the switch is being shut down".to_owned()));
        }
    }
}

/// Where a call that waits and the one that is dialled for it find each other, or what may be done for it is said.
pub struct Meeting {
    /// The call that is dialled.
    pub call_uuid: CallUuid,
    stage: Mutex<Stage>,
    asking: Mutex<Asking>,
}

/// What is known of the call that is dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Whether a router has it is not known.
    Asked,
    /// A router has it, and it is not on this switch, or not any more.
    Elsewhere,
    /// It is being dialled, or answered and not ready, by this attempt.
    Live(CallUuid),
    /// It can be connected.
    Ready(CallUuid),
    /// Nobody is dialled for it: the carrier may be asked to connect it with this number.
    Permitted(DialNumber),
    /// Nothing is to be waited for any more.
    Over(Transferred),
}

/// How the questions to the routers go.
#[derive(Default)]
struct Asking {
    under_way: bool,
    /// How many in a row nobody has answered.
    unanswered: u32,
}

/// Nobody leads the routers' region where so many questions in a row stay without an answer.
const MOST_UNANSWERED: u32 = 3;

impl Meeting {
    /// How the routers answered the last question.
    pub fn told(&self, told: Told) {
        let unanswered = {
            let mut asking = self.asking.lock();
            asking.under_way = false;
            asking.unanswered = match told {
                Told::Nothing => asking.unanswered + 1,
                _ => 0,
            };
            asking.unanswered
        };
        let mut stage = self.stage.lock();
        // What is on this switch is known better here.
        let is_open = matches!(*stage, Stage::Asked | Stage::Elsewhere);
        let failed = |why: String| Stage::Over(Transferred::Failed(why));
        *stage = match told {
            _ if !is_open => return,
            Told::Reply(TransferReply::Taken { state }) if state.is_final() => {
                Stage::Over(end_of(state))
            }
            Told::Reply(TransferReply::Taken { .. }) => Stage::Elsewhere,
            Told::Reply(TransferReply::Permitted { to_number }) => Stage::Permitted(to_number),
            Told::Reply(TransferReply::Refused { detail }) => failed(detail),
            Told::Reply(TransferReply::NotNow) => return,
            Told::NotAsked(why) if *stage == Stage::Asked => failed(why),
            Told::Nothing if unanswered >= MOST_UNANSWERED => {
                failed("no router has answered".to_owned())
            }
            Told::NotAsked(_) | Told::Nothing => return,
        };
    }

    /// Whether a question may be put now; it is under way then.
    fn may_ask(&self) -> bool {
        let is_open = matches!(*self.stage.lock(), Stage::Asked | Stage::Elsewhere);
        is_open && !std::mem::replace(&mut self.asking.lock().under_way, true)
    }

    fn stage(&self) -> Stage {
        self.stage.lock().clone()
    }

    fn over(&self) -> Option<Transferred> {
        match &*self.stage.lock() {
            Stage::Over(outcome) => Some(outcome.clone()),
            _ => None,
        }
    }

    fn begun(&self, attempt: CallUuid) -> bool {
        let mut stage = self.stage.lock();
        let waits = !matches!(*stage, Stage::Over(_));
        if waits {
            *stage = Stage::Live(attempt);
        }
        waits
    }

    fn ready(&self, attempt: CallUuid) -> bool {
        let mut stage = self.stage.lock();
        let waits = *stage == Stage::Live(attempt);
        if waits {
            *stage = Stage::Ready(attempt);
        }
        waits
    }

    fn ended(&self, attempt: CallUuid, ending: Ending) {
        let mut stage = self.stage.lock();
        if !matches!(*stage, Stage::Live(of) | Stage::Ready(of) if of == attempt) {
            return;
        }
        let state = final_state(ending);
        *stage = match state {
            _ if ending.answered || ending.by == EndedBy::Request => Stage::Over(end_of(state)),
            CallState::Busy | CallState::NoAnswer => Stage::Over(end_of(state)),
            // A carrier could not place it: the router may try another trunk, and is asked.
            _ => Stage::Elsewhere,
        };
    }

    /// Nobody waits any more. Returns the attempt that is live on this switch.
    fn leave(&self) -> Left {
        let outcome = Transferred::Failed("the call that waited has gone on".to_owned());
        match std::mem::replace(&mut *self.stage.lock(), Stage::Over(outcome)) {
            Stage::Live(attempt) | Stage::Ready(attempt) => Left::Live(attempt),
            Stage::Asked | Stage::Elsewhere => Left::Elsewhere,
            Stage::Permitted(_) | Stage::Over(_) => Left::Nothing,
        }
    }
}

/// What is left of a transfer that nobody waits for any more.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    /// A router has it, or may have.
    Elsewhere,
    /// This attempt is on the switch.
    Live(CallUuid),
}

/// What the end of the call that was dialled means for the one that waited.
fn end_of(state: CallState) -> Transferred {
    match state {
        CallState::Busy => Transferred::Busy,
        CallState::NoAnswer => Transferred::NoAnswer,
        CallState::Completed => {
            Transferred::Failed("the other side hung up before it was connected".to_owned())
        }
        CallState::Expired => {
            Transferred::Failed("no trunk of its campaign had room in time".to_owned())
        }
        state => Transferred::Failed(format!("the call to the other side ended as {state}")),
    }
}
