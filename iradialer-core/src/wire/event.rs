//! What a switch reports of an attempt.

use crate::call::{Direction, EndedBy};
use crate::flow::DncScope;
use crate::value::{CallUuid, CampaignName, NodeId, TenantId, TrunkName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest event the stream takes, bytes of JSON; its headers come on top.
pub const MAX_EVENT_BYTES: usize = 255 * 1024;

/// One step of an attempt. `(call_uuid, attempt, seq)` names it; `seq` starts at 1 and has no gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SwitchEvent {
    /// Version of the message.
    pub v: u16,
    /// The call.
    pub call_uuid: CallUuid,
    /// Which try at the call, from 1; 1 for a call begun at the switch.
    pub attempt: u32,
    /// The attempt's UUID, which is the channel's.
    pub attempt_id: CallUuid,
    /// The event's place in the attempt, from 1.
    pub seq: u32,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The switch.
    pub node_id: NodeId,
    /// The life of the switch's module.
    pub incarnation: CallUuid,
    /// When, by the switch's clock, ms since the Unix epoch.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum EventBody {
    /// The switch took the call and is about to send the INVITE, or to answer the one that came.
    Started {
        /// The number dialled; a call begun at the switch is known by it alone.
        to_number: String,
        /// The caller's number shown, or empty.
        from_number: String,
        /// The trunk dialled through, or what a call came in by: a gateway of the switch, or a profile.
        trunk: TrunkName,
        /// Which way it goes.
        #[serde(default, skip_serializing_if = "Direction::is_outbound")]
        direction: Direction,
        /// The campaign of a call that came in, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        campaign_name: Option<CampaignName>,
    },
    /// A 180 or 183 came; reported once.
    Ringing {
        /// Whether it came with early media (a 183 with SDP).
        early_media: bool,
        /// Ms since `started`.
        after_ms: u64,
    },
    /// A 200 came.
    Answered {
        /// Ms since `started`.
        after_ms: u64,
        /// SIP facts of the call, such as `call_id` and `network_ip`.
        sip: BTreeMap<String, String>,
    },
    /// The person pressed a key.
    Dtmf {
        /// One of `0-9*#A-D`.
        digit: char,
        /// How long, ms; 0 where the source does not say.
        duration_ms: u32,
        /// How it came.
        source: DigitSource,
    },
    /// A node's prompts, or those of a live request, were played to the end or cut short by a key.
    PlayDone {
        /// The node of the flow; none for a live request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// The file, or the list of them.
        prompt: String,
        /// How long it played, ms.
        played_ms: u64,
        /// The key that cut it short.
        interrupted_by: Option<char>,
    },
    /// What a live request had asked for was stopped by another one.
    PlayStopped {
        /// What was playing, as `PlayDone` has it, or the variable that digits were asked for.
        prompt: String,
        /// How long it had played, ms.
        played_ms: u64,
        /// How many more requests waited behind it and were dropped with it.
        dropped: u32,
    },
    /// A `menu`, `collect` or `confirm`, or a live request for digits, ended.
    DtmfCollected {
        /// The node of the flow; none for a live request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
        /// The variable the digits are in.
        var_name: String,
        /// The digits, without the terminator; empty when none came.
        digits: String,
        /// Whether they were what the node asked for.
        valid: bool,
        /// How many times it was asked, from 1.
        tries: u32,
    },
    /// The person wants no more calls.
    OptedOut {
        /// The node of the flow.
        node: String,
        /// Whose calls.
        scope: DncScope,
        /// The person's number.
        number: String,
    },
    /// The flow went on in another one.
    WentTo {
        /// The node that led there.
        node: String,
        /// The other flow.
        flow: String,
    },
    /// A recording is complete and on the switch's disk.
    RecordingReady {
        /// The node of the flow; none for a recording of the whole call.
        node: Option<String>,
        /// The file's name in the switch's folder of recordings.
        name: String,
        /// How long it is, ms.
        duration_ms: u64,
        /// Bytes of the file.
        bytes: u64,
        /// The SHA-256 of the file, hexadecimal.
        sha256: String,
        /// What ended it.
        ended_by: RecordingEndedBy,
        /// 1, or 2 with the person in the left one and what the person hears in the right one.
        channels: u16,
    },
    /// The flow has asked the customer's application, or was about to.
    Requested {
        /// The node of the flow.
        node: String,
        /// The HTTP status, where an answer came.
        status: Option<u16>,
        /// How long it took, ms.
        ms: u64,
        /// Why the answer could not be used, where it could not.
        error: Option<String>,
    },
    /// A transfer is over: the other side has hung up, or it did not come about.
    Transferred {
        /// The node of the flow; none where a live request asked for it.
        node: Option<String>,
        /// The number.
        destination: String,
        /// What came of it.
        result: TransferResult,
        /// How long the two were connected, ms.
        ms: u64,
        /// Why it did not come about, in a sentence.
        error: Option<String>,
    },
    /// The call hears another one from now on, and is heard by it.
    Bridged {
        /// The other one; its channel's UUID where it is no call of this module.
        peer_call_uuid: CallUuid,
    },
    /// It does not any more.
    Unbridged {
        /// The other one.
        peer_call_uuid: CallUuid,
        /// How long they were connected, ms.
        ms: u64,
    },
    /// How well the person was heard; of an answered call that audio came for.
    CallQuality(Quality),
    /// The attempt ended: the last event of it.
    Hangup(Hangup),
}

impl EventBody {
    /// The event's name, without a prefix.
    pub fn name(&self) -> &'static str {
        match self {
            EventBody::Started { .. } => "started",
            EventBody::Ringing { .. } => "ringing",
            EventBody::Answered { .. } => "answered",
            EventBody::Dtmf { .. } => "dtmf",
            EventBody::PlayDone { .. } => "play_done",
            EventBody::PlayStopped { .. } => "play_stopped",
            EventBody::DtmfCollected { .. } => "dtmf_collected",
            EventBody::OptedOut { .. } => "opted_out",
            EventBody::WentTo { .. } => "went_to",
            EventBody::RecordingReady { .. } => "recording_ready",
            EventBody::Requested { .. } => "requested",
            EventBody::Transferred { .. } => "transferred",
            EventBody::Bridged { .. } => "bridged",
            EventBody::Unbridged { .. } => "unbridged",
            EventBody::CallQuality(_) => "call_quality",
            EventBody::Hangup(_) => "hangup",
        }
    }
}

/// How well the person was heard, as the host has measured it from the packets that came.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// An estimate of the mean opinion score, 1 to 4.5.
    pub mos: f64,
    /// The part of the packets that came in time and in order, per cent.
    pub quality: f64,
    /// Packets of audio that came.
    pub packets_in: u64,
    /// Packets of audio that were sent.
    pub packets_out: u64,
}

/// What ended a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingEndedBy {
    /// A key of the step's `terminators`.
    Key,
    /// The person said no more.
    Silence,
    /// It was as long as it may be.
    Full,
    /// The call ended.
    Hangup,
    /// Somebody asked for its end.
    Request,
}

/// What came of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferResult {
    /// They were connected, or the carrier has taken the call over.
    Done,
    /// The other side was busy.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// It did not come about.
    Failed,
}

/// How a digit reached the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigitSource {
    /// RFC 4733 telephone-event.
    Rtp,
    /// SIP INFO.
    Info,
    /// A tone in the audio.
    Inband,
    /// The host does not say.
    Unknown,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hangup {
    /// The switch's name of the cause, such as `NORMAL_CLEARING`.
    pub hangup_cause: String,
    /// The SIP status that ended it, where one came: of the failed INVITE, 200 for an answered call.
    pub sip_status: Option<u16>,
    /// The phrase that came with it. Without one no answer came at all, and the status is what the switch's
    /// SIP stack ended the INVITE with: 408 when its time was up, 503 when it could not be sent.
    pub sip_phrase: Option<String>,
    /// Who ended it.
    pub by: EndedBy,
    /// Whether it was answered.
    pub answered: bool,
    /// Whether it rang before.
    pub rang: bool,
    /// Ms from `started` to the end.
    pub duration_ms: u64,
    /// Ms from the answer to the end; 0 when it was not answered.
    pub billsec_ms: u64,
    /// The variables the flow has set or collected.
    pub variables: BTreeMap<String, String>,
    /// Where the flow was when the attempt ended, if it was running one.
    pub node: Option<String>,
    /// A fault in a sentence, where there was one: a missing prompt, a limit, a panic.
    pub fault: Option<String>,
}
