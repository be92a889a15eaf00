//! Calls and events as the API shows them. Fields are in the order of their names.

use crate::tdb::{Call, CallEvent, FinalRecord, OnUnknown, Origin};
use crate::web::openapi::example;
use crate::web::timestamp::Time;
use iradialer_core::call::{CallState, Direction, EndedBy};
use iradialer_core::value::{CallUuid, ChannelVars};
use iradialer_core::wire::CallFlow;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOf, Ref, Type};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};

/// A page of calls.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(CallList::example())))]
pub(in crate::web) struct CallList {
    /// Newest first.
    pub calls: Vec<ShownCall>,
    /// The `cursor` of the next page; null: there is none.
    pub next_cursor: Option<String>,
}

impl CallList {
    fn example() -> Self {
        CallList {
            calls: vec![ShownCall::example()],
            next_cursor: None,
        }
    }
}

/// A call.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(ShownCall::example())))]
pub(in crate::web) struct ShownCall {
    answered_at: Option<Time>,
    /// When it was given to a switch.
    assigned_at: Option<Time>,
    /// The try under way or next, from 1.
    attempt: u32,
    /// As they came, without `token`.
    call_params: Map<String, Value>,
    #[schema(value_type = uuid::Uuid)]
    call_uuid: CallUuid,
    /// Empty for a call begun at a switch.
    campaign_name: String,
    cancel_requested_at: Option<Time>,
    /// Variables and SIP headers of the channel.
    #[schema(value_type = BTreeMap<String, String>)]
    channel_vars: ChannelVars,
    created_at: Time,
    /// How long an answer is waited for, s; 0 for a call begun at a switch.
    #[schema(maximum = 600)]
    dial_timeout: u16,
    /// `outbound`, or `inbound` of a call that came in.
    #[schema(value_type = String)]
    direction: Direction,
    ended_at: Option<Time>,
    /// Where its webhooks go; null: there are none.
    event_url: Option<String>,
    /// It ends as `expired` if it has not been dialled by then.
    expires_at: Option<Time>,
    /// Whether it has ended.
    #[serde(rename = "final")]
    is_final: bool,
    /// The name of its flow.
    flow: Option<String>,
    /// The version of its flow, of a stored one.
    flow_version: Option<u32>,
    /// The caller's number; empty where it is hidden or the trunk's own.
    from_number: String,
    /// How many events it has so far.
    last_seq: u32,
    /// The event by which a switch said later how a call ended that had ended as `unknown`; of one call alone, once
    /// it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = late_end)]
    pub late_end: Option<Option<ShownEvent>>,
    /// The longest it may last from the answer, s; 0 for a call begun at a switch.
    #[schema(maximum = 86_400)]
    max_duration: u32,
    /// The client's own.
    metadata: Map<String, Value>,
    /// The switch, once assigned.
    node_id: Option<String>,
    /// It is not dialled before.
    not_before: Time,
    /// `end` or `redial`.
    #[schema(value_type = String)]
    on_unknown: OnUnknown,
    /// `api`, `switch` (begun there) or `inbound`.
    #[schema(value_type = String)]
    origin: Origin,
    /// The call that waits to be connected with it.
    #[schema(value_type = Option<uuid::Uuid>)]
    parent_uuid: Option<CallUuid>,
    /// A higher one is dialled first.
    #[schema(maximum = 9)]
    priority: u8,
    /// The id of the request that asked for it: `x-request-id` of that request and its answer.
    request_id: Option<String>,
    /// How it ended; null: it has not.
    result: Option<CallResult>,
    ringing_at: Option<Time>,
    /// When its switch began to dial.
    started_at: Option<Time>,
    #[schema(value_type = CallStateName)]
    state: CallState,
    tenant_id: String,
    /// Where the callee is, an IANA name.
    timezone: Option<String>,
    to_number: String,
    /// The id of the token that asked for it; null: it came by another way, such as the bus.
    token_id: Option<String>,
    /// The trunk, once assigned.
    trunk: Option<String>,
    /// The variables given to its flow.
    vars: BTreeMap<String, String>,
}

/// Where a call is. `queued`, `assigned`, `dialing`, `ringing` and `answered`, in this order; the others are final.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "the names of CallState")]
pub(in crate::web) enum CallStateName {
    Queued,
    Assigned,
    Dialing,
    Ringing,
    Answered,
    Completed,
    Failed,
    Busy,
    NoAnswer,
    Rejected,
    Expired,
    Canceled,
    Unknown,
}

/// How a call ended. Where the gateway itself ended it, `fault` is the reason and the rest may be null.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct CallResult {
    /// From the answer, ms.
    billsec_ms: u64,
    /// From the moment its switch began to dial, ms.
    duration_ms: u64,
    /// Who or what ended it, such as `callee`, `caller`, `flow` or `peer`; null: the gateway.
    #[schema(value_type = Option<String>)]
    ended_by: Option<EndedBy>,
    /// What went wrong, in a sentence.
    fault: Option<String>,
    /// The node that the flow was at.
    flow_node: Option<String>,
    /// The switch's name of the cause.
    hangup_cause: Option<String>,
    sip_phrase: Option<String>,
    #[schema(minimum = 100, maximum = 699)]
    sip_status: Option<u16>,
    /// What the flow has collected.
    variables: BTreeMap<String, String>,
}

/// An event of a call.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct ShownEvent {
    /// The try it is of; 0: the gateway's own.
    attempt: u32,
    /// What it says, by its name.
    data: Map<String, Value>,
    /// Such as `iradialer::answered`.
    event_name: String,
    /// Whether it is the last one of the call.
    #[serde(rename = "final")]
    is_final: bool,
    /// The switch it is from; null: the gateway.
    node_id: Option<String>,
    /// Its place in the call, without gaps.
    #[schema(minimum = 1)]
    seq: u32,
    timestamp: Time,
}

/// The events of a call.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(EventList::example())))]
pub(in crate::web) struct EventList {
    #[schema(value_type = uuid::Uuid)]
    pub call_uuid: CallUuid,
    /// First to last.
    pub events: Vec<ShownEvent>,
    /// How many events the call has so far.
    pub last_seq: u32,
    #[schema(value_type = CallStateName)]
    pub state: CallState,
}

impl EventList {
    fn example() -> Self {
        EventList {
            call_uuid: example::uuid(),
            events: vec![ShownEvent::example()],
            last_seq: 1,
            state: CallState::Queued,
        }
    }
}

impl ShownCall {
    /// Of the call.
    pub fn of(call: Call) -> Self {
        let time = |ms: Option<u64>| ms.map(Time::of);
        let flow = call.request.call_flow();
        let request = call.request;
        // The token is for the webhook's receiver only.
        let mut call_params = request.call_params;
        call_params.remove("token");
        ShownCall {
            answered_at: time(call.answered_ms),
            assigned_at: time(call.assigned_ms),
            attempt: call.attempt,
            call_params,
            call_uuid: call.call_uuid,
            campaign_name: call.campaign_name,
            cancel_requested_at: time(call.cancel_requested_ms),
            channel_vars: request.channel_vars,
            created_at: Time::of(call.created_ms),
            dial_timeout: request.dial_timeout_s,
            direction: call.origin.direction(),
            ended_at: time(call.ended.as_ref().map(|ended| ended.ended_ms)),
            event_url: call.event_url,
            expires_at: time(call.expires_ms),
            is_final: call.state.is_final(),
            flow: flow.as_ref().map(CallFlow::name).map(str::to_owned),
            flow_version: request.ivr.as_ref().and_then(|flow| flow.version),
            from_number: call.from_number,
            last_seq: call.last_seq,
            late_end: None,
            max_duration: request.max_duration_s,
            metadata: request.metadata,
            node_id: call.node_id.map(|node| node.to_string()),
            not_before: Time::of(call.not_before_ms),
            on_unknown: request.on_unknown,
            origin: call.origin,
            parent_uuid: call.parent_uuid,
            priority: call.priority,
            request_id: call.request_id,
            result: call.ended.map(CallResult::of),
            ringing_at: time(call.ringing_ms),
            started_at: time(call.started_ms),
            state: call.state,
            tenant_id: call.tenant_id.to_string(),
            timezone: request.timezone,
            to_number: call.to_number,
            token_id: call.token_id,
            trunk: call.trunk.map(|trunk| trunk.to_string()),
            vars: request.vars,
        }
    }

    fn example() -> Self {
        ShownCall {
            answered_at: Some(Time::example()),
            assigned_at: Some(Time::example()),
            attempt: 1,
            call_params: Map::from_iter([("order".to_owned(), json!(1047))]),
            call_uuid: example::uuid(),
            campaign_name: "reminders".to_owned(),
            cancel_requested_at: None,
            channel_vars: ChannelVars::default(),
            created_at: Time::example(),
            dial_timeout: 30,
            direction: Direction::Outbound,
            ended_at: Some(Time::example()),
            event_url: Some("https://crm.example/hook".to_owned()),
            expires_at: Some(Time::example()),
            is_final: true,
            flow: Some("reminder".to_owned()),
            flow_version: Some(3),
            from_number: "+15005550009".to_owned(),
            last_seq: 9,
            late_end: Some(None),
            max_duration: 3_600,
            metadata: Map::new(),
            node_id: Some("switch-1".to_owned()),
            not_before: Time::example(),
            on_unknown: OnUnknown::End,
            origin: Origin::Api,
            parent_uuid: None,
            priority: 5,
            request_id: Some(example::uuid().to_string()),
            result: Some(CallResult::example()),
            ringing_at: Some(Time::example()),
            started_at: Some(Time::example()),
            state: CallState::Completed,
            tenant_id: "acme".to_owned(),
            timezone: Some("Europe/Paris".to_owned()),
            to_number: "+15005550006".to_owned(),
            token_id: Some(example::uuid().to_string()),
            trunk: Some("chime".to_owned()),
            vars: BTreeMap::new(),
        }
    }
}

impl CallResult {
    fn of(ended: FinalRecord) -> Self {
        CallResult {
            billsec_ms: ended.billsec_ms,
            duration_ms: ended.duration_ms,
            ended_by: ended.ended_by,
            fault: ended.fault,
            flow_node: ended.flow_node,
            hangup_cause: ended.hangup_cause,
            sip_phrase: ended.sip_phrase,
            sip_status: ended.sip_status,
            variables: ended.variables,
        }
    }

    fn example() -> Self {
        CallResult {
            billsec_ms: 12_480,
            duration_ms: 19_205,
            ended_by: Some(EndedBy::Callee),
            fault: None,
            flow_node: Some("menu".to_owned()),
            hangup_cause: Some("NORMAL_CLEARING".to_owned()),
            sip_phrase: Some("OK".to_owned()),
            sip_status: Some(200),
            variables: BTreeMap::from([("pin".to_owned(), "4711".to_owned())]),
        }
    }
}

impl ShownEvent {
    /// Of the event; `prefix` is what names begin with.
    pub fn of(event: CallEvent, prefix: &str) -> Self {
        ShownEvent {
            attempt: event.attempt,
            data: event.data,
            event_name: format!("{prefix}{}", event.name),
            is_final: event.is_final,
            node_id: event.node_id.map(|node| node.to_string()),
            seq: event.seq,
            timestamp: Time::of(event.at_ms),
        }
    }

    /// For an example.
    pub fn example() -> Self {
        ShownEvent {
            attempt: 0,
            data: Map::new(),
            event_name: "iradialer::queued".to_owned(),
            is_final: false,
            node_id: None,
            seq: 1,
            timestamp: Time::example(),
        }
    }
}

/// Null, or an event.
fn late_end() -> RefOr<Schema> {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    let event = Ref::from_schema_name("ShownEvent");
    let mut either = AnyOf::new();
    either.items = vec![null.into(), event.into()];
    either.description = Some(
        "The event by which a switch said later how a call ended that had ended as `unknown`; of one call alone, once \
         it has ended."
            .to_owned(),
    );
    RefOr::T(Schema::AnyOf(either))
}

#[cfg(test)]
mod tests {
    use super::*;
    use utoipa::PartialSchema;

    #[test]
    fn the_names_of_states() {
        let names = CallState::ALL.map(CallState::as_str);
        assert_eq!(json!(CallStateName::schema())["enum"], json!(names));
    }
}
