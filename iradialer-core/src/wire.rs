//! The messages between the gateway and a switch, JSON on NATS. Each carries `v`, the version of its
//! form; a receiver refuses a version it does not know.

mod dial;
mod event;
mod flow;
mod heartbeat;
mod lease;
mod reconcile;
mod transfer;

pub use dial::{AttemptFate, DialCommand, DialReply, DtmfWay, Query, QueryReply, RefusalReason};
pub use event::{
    DigitSource, EventBody, Hangup, MAX_EVENT_BYTES, Quality, RecordingEndedBy, SwitchEvent,
    TransferResult,
};
pub use flow::{CallFlow, FlowOf, FlowQuery, FlowRef, FlowReply, GivenFacts, MOST_OTHERS};
pub use heartbeat::{Heartbeat, SwitchState};
pub use lease::{LeaseAsk, LeaseReply, Use};
pub use reconcile::{
    ConfirmQuery, ConfirmReply, EndedAttempt, HeldAttempt, HeldQuery, HeldReply, MOST_ATTEMPTS,
};

pub use transfer::{TransferAsk, TransferOrder, TransferReply, TransferRequest};

/// The version of the messages in this crate.
pub const VERSION: u16 = 1;
