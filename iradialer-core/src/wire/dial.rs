//! The dial command, its answer, and the question what became of an attempt.

use super::{CallFlow, GivenFacts};
use crate::flow::Sound;
use crate::value::{
    CallUuid, CallerNumber, CampaignName, ChannelVars, DialNumber, TenantId, TrunkName,
};
use serde::{Deserialize, Serialize};

/// Router to switch: place this call once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DialCommand {
    /// Version of the message, [`super::VERSION`].
    pub v: u16,
    /// The call.
    pub call_uuid: CallUuid,
    /// Which try at the call this is, from 1.
    pub attempt: u32,
    /// The attempt's own UUID; the switch uses it as the channel's.
    pub attempt_id: CallUuid,
    /// The router's lease epoch; a switch refuses one below the highest it has seen.
    pub epoch: u64,
    /// The journal the router believes the switch has.
    pub journal_id: CallUuid,
    /// The switch does not dial after this time, ms since the Unix epoch.
    pub not_after_ms: u64,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The campaign.
    pub campaign_name: CampaignName,
    /// The trunk: a FreeSWITCH gateway of that name.
    pub trunk: TrunkName,
    /// The number to dial.
    pub to_number: DialNumber,
    /// The caller's number, or empty for the trunk's own.
    #[serde(default)]
    pub from_number: CallerNumber,
    /// How long to wait for an answer, 5 to 600 s.
    pub dial_timeout_s: u16,
    /// The longest an answered call may last, 1 to 86,400 s.
    pub max_duration_s: u32,
    /// Channel variables and SIP headers.
    #[serde(default)]
    pub channel_vars: ChannelVars,
    /// What to do once answered. Without one the call is held in silence until it is dropped.
    #[serde(default)]
    pub flow: Option<CallFlow>,
    /// What the flow may use of the call.
    #[serde(default)]
    pub given: GivenFacts,
    /// How keys come on the trunk.
    #[serde(default)]
    pub dtmf: DtmfWay,
    /// The call on the same switch that waits for this one, to be connected with it once it is answered. It
    /// is not dialled where that call has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge_to: Option<CallUuid>,
    /// What the one who answers hears before that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whisper: Vec<Sound>,
}

/// How keys come on a trunk, and go. RFC 4733 and SIP INFO are heard on any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtmfWay {
    /// RTP events (RFC 4733), where the far end offers them.
    #[default]
    Rfc4733,
    /// SIP INFO.
    Info,
    /// Tones in the audio, which the switch listens for.
    Inband,
}

/// Switch to router: whether the call will be dialled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum DialReply {
    /// The switch has it and reports its end.
    Accepted,
    /// It was not dialled and this attempt never will be.
    Refused {
        /// Why.
        reason: RefusalReason,
        /// For a person: the field, the limit, the numbers.
        detail: String,
    },
}

/// Why a switch refused a dial command. In every case nothing was dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// It came after `not_after_ms`.
    Expired,
    /// The journal is not the one the router believes in.
    WrongJournal,
    /// The epoch is below one already seen: the sender has lost its lease.
    StaleEpoch,
    /// The attempt was seen before, and is live, ended or fenced.
    Duplicate,
    /// The switch or the module is being drained.
    Draining,
    /// The switch can't write its journal, and dials nobody without it.
    Faulty,
    /// As many calls as the switch may hold, or may set up at once.
    Busy,
    /// The licence: the switch's share of it is used up, or it has none.
    License,
    /// What the call needs was not there in time, a prompt for one; it is still being got.
    NotReady,
    /// The host has no such trunk, or it is down.
    TrunkUnavailable,
    /// The call that it was to be connected with does not wait for it any more.
    NobodyWaits,
    /// The message itself: unreadable, another version, a value out of range.
    BadRequest,
}

impl RefusalReason {
    /// Whether the same call may be tried again, later or on another switch.
    pub fn is_retryable(self) -> bool {
        !matches!(self, RefusalReason::BadRequest | RefusalReason::NobodyWaits)
    }
}

/// Router to switch: what became of this attempt? An attempt never seen is fenced before the answer,
/// so that a command still under way is refused when it arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Version of the message.
    pub v: u16,
    /// The call.
    pub call_uuid: CallUuid,
    /// The attempt's number.
    pub attempt: u32,
    /// The attempt's UUID.
    pub attempt_id: CallUuid,
    /// The asker's lease epoch.
    pub epoch: u64,
}

/// Switch to router: the answer to a [`Query`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryReply {
    /// What became of the attempt.
    pub fate: AttemptFate,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptFate {
    /// It is being dialled or is up.
    Live,
    /// It was dialled and has ended; its last event says how.
    Ended,
    /// It was about to be dialled when the switch died: whether the INVITE went out can't be known. Its
    /// last event, written at the recovery, says so too.
    IntentOnly,
    /// It was refused or never came, and is fenced: it will never be dialled.
    NeverDialled,
}
