//! What a switch answers.

use crate::value::{CallUuid, FieldError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The names of refusals.
pub mod name {
    /// The message is not the JSON that it has to be.
    pub const INVALID_JSON: &str = "invalid_json";
    /// A field is wrong, or missing.
    pub const INVALID_FIELD: &str = "invalid_field";
    /// There is no request of that name.
    pub const UNKNOWN_REQUEST: &str = "unknown_request";
    /// The switch has no such call.
    pub const UNKNOWN_CALL: &str = "unknown_call";
    /// Nobody has answered it yet.
    pub const NOT_ANSWERED: &str = "not_answered";
    /// It is over.
    pub const CALL_ENDED: &str = "call_ended";
    /// It runs its flow.
    pub const FLOW_RUNNING: &str = "flow_running";
    /// Two others are in the conference.
    pub const CONFERENCE_FULL: &str = "conference_full";
    /// The two calls are on different switches.
    pub const OTHER_SWITCH: &str = "other_switch";
    /// It is connected with another call.
    pub const BRIDGED: &str = "bridged";
    /// As many requests wait as may; again later.
    pub const DESK_FULL: &str = "desk_full";
    /// Another request has stopped it before it began.
    pub const STOPPED: &str = "stopped";
    /// What is to be played can't be had.
    pub const PROMPT_UNAVAILABLE: &str = "prompt_unavailable";
    /// What is to be played is not ready yet; again later.
    pub const NOT_READY: &str = "not_ready";
    /// The switch does as much as it can; again later.
    pub const BUSY: &str = "busy";
    /// A call of that UUID was dialled before.
    pub const DUPLICATE: &str = "duplicate";
    /// The call can't be dialled.
    pub const NOT_DIALLED: &str = "not_dialled";
    /// The host can't do it.
    pub const FAILED: &str = "failed";
    /// This switch does not do it.
    pub const NOT_SUPPORTED: &str = "not_supported";
    /// This switch does not do it yet.
    pub const NOT_YET: &str = "not_yet";
}

/// The answer to a live request, in the form of the published API's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// `OK` or `ERR`.
    pub status: String,
    /// 0: taken; 1: refused; 2: refused, and it may be tried again.
    pub status_code: u16,
    /// A sentence for a person.
    pub message: String,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_uuid: Option<CallUuid>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<AnswerError>,
    /// What `request_get_call_details` asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_details: Option<CallDetails>,
    /// Fields of the request that are not published, and were left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerError {
    /// One of [`name`].
    pub name: String,
    /// The field, as a dotted path of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What was expected of the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// Whether the same request may be taken later.
    pub retryable: bool,
}

/// What there is to know of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallDetails {
    /// `dialing`, `ringing`, `answered` or `ended`.
    pub state: String,
    /// The tenant.
    pub tenant_id: String,
    /// The campaign.
    pub campaign_name: String,
    /// The number dialled.
    pub to_number: String,
    /// The caller's number, or empty.
    pub from_number: String,
    /// The trunk.
    pub gateway: String,
    /// Which try at the call it is.
    pub attempt: u32,
    /// The try's UUID, which is the channel's.
    pub attempt_id: CallUuid,
    /// The conference it is known by.
    pub conf_uuid: Option<String>,
    /// Ms since it was begun.
    pub duration_ms: u64,
    /// Ms since the answer; 0 before.
    pub billsec_ms: u64,
    /// The flow it runs.
    pub flow: Option<String>,
    /// The node it is at.
    pub node: Option<String>,
    /// The variables set so far.
    pub variables: BTreeMap<String, String>,
    /// `flow`, `desk` (waits for requests, or works them off), `bridge`; none before the answer.
    pub at: Option<String>,
    /// Whether a request is being done.
    pub busy: bool,
    /// How many more wait.
    pub waiting: u32,
    /// Whether nobody hears the far end.
    pub muted: bool,
    /// Whether the far end hears nothing.
    pub deaf: bool,
    /// Whether it is on hold.
    pub held: bool,
}

/// Why a request is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// One of [`name`].
    pub name: &'static str,
    /// A sentence for a person.
    pub message: String,
    /// The field, where it is one's fault.
    pub mistake: Option<FieldError>,
    /// Whether the same request may be taken later.
    pub retryable: bool,
}

impl Refused {
    /// A refusal that stands.
    pub fn new(name: &'static str, message: impl Into<String>) -> Self {
        Refused {
            name,
            message: message.into(),
            mistake: None,
            retryable: false,
        }
    }

    /// A refusal that may be another answer later.
    pub fn for_now(name: &'static str, message: impl Into<String>) -> Self {
        Refused {
            retryable: true,
            ..Refused::new(name, message)
        }
    }

    /// A refusal for a field's sake.
    pub fn field(name: &'static str, mistake: FieldError) -> Self {
        Refused {
            mistake: Some(mistake.clone()),
            ..Refused::new(name, mistake.to_string())
        }
    }

    /// The usual one of these.
    pub fn mistake(mistake: FieldError) -> Self {
        Refused::field(name::INVALID_FIELD, mistake)
    }
}

impl Answer {
    /// It was taken.
    pub fn ok(message: impl Into<String>) -> Self {
        Answer {
            status: "OK".to_owned(),
            status_code: 0,
            message: message.into(),
            call_uuid: None,
            error: None,
            call_details: None,
            ignored: Vec::new(),
        }
    }

    /// It was refused.
    pub fn refused(refused: Refused) -> Self {
        let mistake = refused.mistake.as_ref();
        let error = AnswerError {
            name: refused.name.to_owned(),
            field: mistake.map(|mistake| mistake.field.clone()),
            expected: mistake.map(|mistake| mistake.expected.clone()),
            got: mistake.map(|mistake| mistake.got.clone()),
            retryable: refused.retryable,
        };
        Answer {
            status: "ERR".to_owned(),
            status_code: 1 + u16::from(refused.retryable),
            error: Some(error),
            ..Answer::ok(refused.message)
        }
    }

    /// Whether it was taken.
    pub fn is_ok(&self) -> bool {
        self.status == "OK"
    }
}
