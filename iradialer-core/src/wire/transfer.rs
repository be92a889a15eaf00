//! A switch asks the routers to dial somebody for a call that it holds.

use crate::call::CallState;
use crate::flow::Sound;
use crate::value::{CallUuid, CallerNumber, DialNumber, TrunkName};
use serde::{Deserialize, Serialize};

/// Switch to router, about a call that is to be connected with one it holds. May be repeated: the switch
/// has made the new call's UUID, and no UUID is dialled for twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferRequest {
    /// Version of the message, [`super::VERSION`].
    pub v: u16,
    /// The life of the switch's module that asks; the switch is in the subject.
    pub incarnation: CallUuid,
    /// The call that it holds.
    pub parent_uuid: CallUuid,
    /// The call to be dialled.
    pub call_uuid: CallUuid,
    /// What is wanted.
    pub ask: TransferAsk,
}

/// What a switch wants of the routers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferAsk {
    /// The call is to be dialled, on this switch; where it is being dialled already, how it stands is wanted.
    Dial(TransferOrder),
    /// Nobody waits for it any more.
    Cancel,
    /// The carrier is to be asked to connect the call that it holds with this number (SIP REFER): may it? Nobody is
    /// dialled for it by us.
    Refer(DialNumber),
}

/// Whom to dial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferOrder {
    /// The number.
    pub to_number: DialNumber,
    /// The caller's number; that of the call that waits where there is none.
    pub from_number: Option<CallerNumber>,
    /// The trunk, one of the campaign's; any of them where there is none.
    pub trunk: Option<TrunkName>,
    /// How long it may ring, 5 to 600 s.
    pub dial_timeout_s: u16,
    /// What the one who answers hears before the two are connected.
    pub whisper: Vec<Sound>,
}

/// Router to switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum TransferReply {
    /// The call exists.
    Taken {
        /// Where it is now, as far as the TDB knows.
        state: CallState,
    },
    /// The carrier may be asked.
    Permitted {
        /// The number, as it is to be given.
        to_number: DialNumber,
    },
    /// Nobody was dialled, and nobody will be.
    Refused {
        /// For a person: the field, the limit, the numbers.
        detail: String,
    },
    /// The TDB can't say now; ask again.
    NotNow,
}
