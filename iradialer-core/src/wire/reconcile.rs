//! How a switch and the gateway find out what the other has: the attempts a switch holds, and the
//! attempts whose every event the TDB has.

use crate::call::CallState;
use crate::value::CallUuid;
use serde::{Deserialize, Serialize};

/// The most attempts in one [`HeldReply`] or [`ConfirmQuery`].
pub const MOST_ATTEMPTS: usize = 256;

/// Router to switch: which attempts do you hold? Asked page by page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldQuery {
    /// Version of the message, [`super::VERSION`].
    pub v: u16,
    /// The asker's lease epoch.
    pub epoch: u64,
    /// Only attempts after this one, in the order of their UUIDs.
    pub after: Option<CallUuid>,
}

/// Switch to router: the attempts it holds, by their UUIDs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldReply {
    /// The switch's journal.
    pub journal_id: CallUuid,
    /// At most [`MOST_ATTEMPTS`] of them.
    pub attempts: Vec<HeldAttempt>,
    /// Whether there are more after the last of these.
    pub more: bool,
}

/// An attempt a switch holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAttempt {
    /// The call.
    pub call_uuid: CallUuid,
    /// Which try at the call.
    pub attempt: u32,
    /// The attempt's UUID.
    pub attempt_id: CallUuid,
    /// Where it is: `dialing`, `ringing` or `answered`.
    pub state: CallState,
}

/// Switch to collector: of these ended attempts, which have all their events in the TDB? A switch
/// forgets an attempt only after that answer, and until then sends again what may have been lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmQuery {
    /// Version of the message.
    pub v: u16,
    /// At most [`MOST_ATTEMPTS`] of them.
    pub attempts: Vec<EndedAttempt>,
}

/// An attempt that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedAttempt {
    /// The call.
    pub call_uuid: CallUuid,
    /// Which try at the call.
    pub attempt: u32,
    /// The attempt's UUID.
    pub attempt_id: CallUuid,
    /// The number of its last event: it has the events 1 to this one.
    pub last_seq: u32,
}

/// Collector to switch: the `attempt_id`s of those whose every event is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmReply {
    /// The attempts that may be forgotten.
    pub stored: Vec<CallUuid>,
}
