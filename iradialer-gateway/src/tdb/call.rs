//! A call as the TDB knows it.

use super::row::{get, json, number, optional_json, optional_number, optional_parsed, parsed};
use super::{OnUnknown, Row, Tdb, TdbError};
use iradialer_core::call::{CallState, Direction, EndedBy};
use iradialer_core::flow::{Flow, MAX_TEXT, Name, Sound};
use iradialer_core::value::{CallUuid, ChannelVars, NodeId, TenantId, TrunkName};
use iradialer_core::wire::{CallFlow, FlowRef, GivenFacts};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a request asked for beyond what has a column of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRequest {
    /// Echoed in every event; `event_url` and `token` in it direct the webhook.
    #[serde(default)]
    pub call_params: serde_json::Map<String, serde_json::Value>,
    /// Variables and SIP headers of the channel.
    #[serde(default)]
    pub channel_vars: ChannelVars,
    /// How long to wait for an answer, 5 to 600 s.
    pub dial_timeout_s: u16,
    /// The longest an answered call may last, 1 to 86,400 s.
    pub max_duration_s: u32,
    /// What to do once answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ivr: Option<FlowRef>,
    /// The same, of a call that was accepted before flows were kept by their hashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    /// The variables given to the flow.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, String>,
    /// The callee's time zone, an IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// What to do where nobody can say what became of the call.
    #[serde(default, skip_serializing_if = "OnUnknown::is_end")]
    pub on_unknown: OnUnknown,
    /// The client's own, given back with the call.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// The one trunk to dial through; any of the campaign's where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<TrunkName>,
    /// What the one who answers hears before being connected with the call that waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whisper: Vec<Sound>,
    /// The licence that it was accepted under, to explain it: `evaluation`, or its id and serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

impl CallRequest {
    /// The flow, as a switch is told of it.
    pub fn call_flow(&self) -> Option<CallFlow> {
        let named = self.ivr.clone().map(CallFlow::Named);
        named.or_else(|| self.flow.clone().map(CallFlow::Inline))
    }

    /// What a flow may use of the request. Of the metadata these are the texts, numbers and booleans whose names a
    /// template can say.
    pub fn given(&self) -> GivenFacts {
        let metadata = self.metadata.iter().filter_map(|(name, value)| {
            Name::parse(&format!("metadata.{name}")).ok()?;
            let text = match value {
                Value::String(text) => text.chars().take(MAX_TEXT).collect(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            Some((name.clone(), text))
        });
        GivenFacts {
            timezone: self.timezone.clone(),
            vars: self.vars.clone(),
            metadata: metadata.collect(),
        }
    }
}

/// How a call came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Accepted over HTTPS.
    Api,
    /// Begun at a switch (`iradialer originate`) and known by its events alone.
    Switch,
    /// Came in at a switch, and likewise.
    Inbound,
}

impl Origin {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Origin::Api => "api",
            Origin::Switch => "switch",
            Origin::Inbound => "inbound",
        }
    }

    /// Which way its calls go.
    pub fn direction(self) -> Direction {
        match self {
            Origin::Api | Origin::Switch => Direction::Outbound,
            Origin::Inbound => Direction::Inbound,
        }
    }

    /// How a call came to be that is known by its events alone.
    pub(super) fn of(direction: Direction) -> Self {
        match direction {
            Direction::Outbound => Origin::Switch,
            Direction::Inbound => Origin::Inbound,
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Origin::Api, Origin::Switch, Origin::Inbound]
            .into_iter()
            .find(|origin| origin.as_str() == text)
    }
}

/// A call. Times are ms since the Unix epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Its UUID.
    pub call_uuid: CallUuid,
    /// The call that waits to be connected with it.
    pub parent_uuid: Option<CallUuid>,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its campaign; empty for a call begun at a switch.
    pub campaign_name: String,
    /// How it came to be.
    pub origin: Origin,
    /// The number dialled.
    pub to_number: String,
    /// The caller's number, or empty.
    pub from_number: String,
    /// What else was asked for.
    pub request: CallRequest,
    /// Where its events go.
    pub event_url: Option<String>,
    /// 0 to 9; a higher one is dialled first.
    pub priority: u8,
    /// Where it is.
    pub state: CallState,
    /// The try under way or next, from 1.
    pub attempt: u32,
    /// That try's UUID, once a switch has it.
    pub attempt_id: Option<CallUuid>,
    /// The trunk, once assigned.
    pub trunk: Option<TrunkName>,
    /// The switch, once assigned.
    pub node_id: Option<NodeId>,
    /// When it was accepted, or first heard of.
    pub created_ms: u64,
    /// It is not dialled before.
    pub not_before_ms: u64,
    /// It ends as expired if it has not been dialled by then.
    pub expires_ms: Option<u64>,
    /// When its cancellation was asked for.
    pub cancel_requested_ms: Option<u64>,
    /// When the router gave it to a switch.
    pub assigned_ms: Option<u64>,
    /// When the switch began to dial.
    pub started_ms: Option<u64>,
    /// When it rang.
    pub ringing_ms: Option<u64>,
    /// When it was answered.
    pub answered_ms: Option<u64>,
    /// How many events it has so far.
    pub last_seq: u32,
    /// The id of the request that asked for it.
    pub request_id: Option<String>,
    /// The id of the token that asked for it.
    pub token_id: Option<String>,
    /// How it ended, once it has.
    pub ended: Option<FinalRecord>,
}

/// How a call ended; written once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FinalRecord {
    /// When, ms since the Unix epoch.
    pub ended_ms: u64,
    /// Who or what ended it; none where the gateway did.
    pub ended_by: Option<EndedBy>,
    /// The switch's name of the cause.
    pub hangup_cause: Option<String>,
    /// The SIP status that ended it.
    pub sip_status: Option<u16>,
    /// The phrase that came with it.
    pub sip_phrase: Option<String>,
    /// Ms from `started` to the end; 0 where it was not dialled.
    pub duration_ms: u64,
    /// Ms from the answer to the end.
    pub billsec_ms: u64,
    /// What the flow has collected.
    pub variables: BTreeMap<String, String>,
    /// Where the flow was at the end.
    pub flow_node: Option<String>,
    /// A fault in a sentence, where there was one.
    pub fault: Option<String>,
}

impl Tdb {
    /// The call, if the tenant has it.
    pub async fn call(
        &self,
        tenant: &TenantId,
        call_uuid: CallUuid,
    ) -> Result<Option<Call>, TdbError> {
        let row = sqlx::query("SELECT * FROM calls WHERE call_uuid = $1 AND tenant_id = $2")
            .bind(call_uuid.to_string())
            .bind(tenant.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| Call::from_row(&row)).transpose()
    }
}

impl Call {
    pub(super) fn from_row(row: &Row) -> Result<Self, TdbError> {
        Ok(Call {
            call_uuid: parsed(row, "call_uuid", uuid)?,
            parent_uuid: optional_parsed(row, "parent_uuid", uuid)?,
            tenant_id: parsed(row, "tenant_id", |t| TenantId::parse("tenant_id", t).ok())?,
            campaign_name: get(row, "campaign_name")?,
            origin: parsed(row, "origin", Origin::parse)?,
            to_number: get(row, "to_number")?,
            from_number: get(row, "from_number")?,
            request: json(row, "request")?,
            event_url: get(row, "event_url")?,
            priority: number(row, "priority")?,
            state: parsed(row, "state", CallState::parse)?,
            attempt: number(row, "attempt")?,
            attempt_id: optional_parsed(row, "attempt_id", uuid)?,
            trunk: optional_parsed(row, "trunk", |t| TrunkName::parse("trunk", t).ok())?,
            node_id: optional_parsed(row, "node_id", |t| NodeId::parse("node_id", t).ok())?,
            created_ms: number(row, "created_ms")?,
            not_before_ms: number(row, "not_before_ms")?,
            expires_ms: optional_number(row, "expires_ms")?,
            cancel_requested_ms: optional_number(row, "cancel_requested_ms")?,
            assigned_ms: optional_number(row, "assigned_ms")?,
            started_ms: optional_number(row, "started_ms")?,
            ringing_ms: optional_number(row, "ringing_ms")?,
            answered_ms: optional_number(row, "answered_ms")?,
            last_seq: number(row, "last_seq")?,
            request_id: get(row, "request_id")?,
            token_id: get(row, "token_id")?,
            ended: FinalRecord::from_row(row)?,
        })
    }
}

impl FinalRecord {
    fn from_row(row: &Row) -> Result<Option<Self>, TdbError> {
        let Some(ended_ms) = optional_number(row, "ended_ms")? else {
            return Ok(None);
        };
        Ok(Some(FinalRecord {
            ended_ms,
            ended_by: optional_parsed(row, "ended_by", |text| {
                serde_json::from_value(serde_json::Value::from(text)).ok()
            })?,
            hangup_cause: get(row, "hangup_cause")?,
            sip_status: optional_number(row, "sip_status")?,
            sip_phrase: get(row, "sip_phrase")?,
            duration_ms: optional_number(row, "duration_ms")?.unwrap_or(0),
            billsec_ms: optional_number(row, "billsec_ms")?.unwrap_or(0),
            variables: optional_json(row, "variables")?.unwrap_or_default(),
            flow_node: get(row, "flow_node")?,
            fault: get(row, "fault")?,
        }))
    }
}

pub(super) fn uuid(text: &str) -> Option<CallUuid> {
    CallUuid::parse("uuid", text).ok()
}
