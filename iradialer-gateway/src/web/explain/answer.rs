//! Why a call is where it is, as the API shows it. Fields are in the order of their names.

use crate::tdb::{AttemptRecord, Call, CallEvent, Decision, OnUnknown, Origin};
use crate::web::calls::CallStateName;
use crate::web::openapi::example;
use crate::web::timestamp::Time;
use iradialer_core::call::CallState;
use iradialer_core::value::CallUuid;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// Every decision on the path of a call, and what it waits for.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Explanation::example())))]
pub(in crate::web) struct Explanation {
    /// The try under way or next, from 1.
    pub attempt: u32,
    #[schema(value_type = uuid::Uuid)]
    pub call_uuid: CallUuid,
    /// In the order of time.
    pub path: Vec<Step>,
    #[schema(value_type = CallStateName)]
    pub state: CallState,
    /// What keeps it from being dialled now; null: it is not queued.
    pub waiting: Option<ShownWaiting>,
}

/// Something that was decided or has happened: `what`, and when.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::web) enum Step {
    Accepted(AcceptedStep),
    Assigned(AssignedStep),
    Outcome(OutcomeStep),
    Event(EventStep),
    Decision(DecisionStep),
    CancelRequested(CancelStep),
}

/// The call was accepted, or first heard of.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct AcceptedStep {
    pub at: Time,
    pub campaign_name: String,
    pub expires_at: Option<Time>,
    /// The campaign's, as they are now.
    pub hours: Option<String>,
    pub idempotency_key: Option<String>,
    /// The licence that allowed it: its id and serial, or `evaluation`.
    pub license: Option<String>,
    #[schema(value_type = String)]
    pub on_unknown: OnUnknown,
    #[schema(value_type = String)]
    pub origin: Origin,
    pub priority: u8,
    /// The campaign's, as it is now.
    pub region: Option<String>,
    pub timezone: Option<String>,
    /// `accepted`.
    pub what: &'static str,
}

/// It was given to a switch.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct AssignedStep {
    pub at: Time,
    pub attempt: u32,
    pub attempt_id: String,
    /// Of the router's lease.
    pub epoch: u64,
    pub node_id: String,
    /// The switch must not dial after this.
    pub not_after: Time,
    pub trunk: String,
    /// `assigned`.
    pub what: &'static str,
    /// What the router considered: each trunk and switch with its verdict.
    #[schema(value_type = Object)]
    pub why: Value,
}

/// What came of a try.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct OutcomeStep {
    pub at: Time,
    pub attempt: u32,
    /// What the carrier, the switch or the gateway said.
    pub reason: Option<String>,
    /// `not_dialled`, `queued_again`, `ended` or `given_up`.
    pub what: String,
}

/// An event of the call, but for those within an answered one.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct EventStep {
    pub at: Time,
    pub attempt: u32,
    pub data: Map<String, Value>,
    #[serde(rename = "final")]
    pub is_final: bool,
    pub node_id: Option<String>,
    pub seq: u32,
    /// The event's name.
    pub what: String,
}

/// A decision that leaves no other trace: `put_off`, `do_not_call`, `destination_refused`, `asked_switch`, with what it was
/// made by.
#[derive(Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = DecisionFacts)]
pub(in crate::web) struct DecisionStep(Map<String, Value>);

/// A decision, with what it was made by.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what is in a DecisionStep")]
pub(in crate::web) struct DecisionFacts {
    at: Time,
    attempt: u32,
    /// What kind of number it is, where its destination is refused.
    #[schema(required = false, value_type = String)]
    kind: Option<String>,
    /// The switch that was asked.
    #[schema(required = false, value_type = String)]
    node: Option<String>,
    #[schema(required = false, value_type = String)]
    reason: Option<String>,
    /// By which its destination is refused.
    #[schema(required = false, value_type = String)]
    rule: Option<String>,
    /// Whose do-not-call list its number is on.
    #[schema(required = false, value_type = String)]
    scope: Option<String>,
    /// Until when it is put off.
    #[schema(required = false, value_type = Time)]
    until: Option<Time>,
    what: String,
}

/// A wish to end it came.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct CancelStep {
    pub at: Time,
    /// `cancel_requested`.
    pub what: &'static str,
}

/// What a queued call waits for.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct ShownWaiting {
    /// Everything that keeps it from being dialled now.
    pub reasons: Vec<Reason>,
    /// Whose router and switches it waits for.
    pub region: String,
    /// What the router last noted of its switches; null: nothing.
    pub switches: Option<SwitchesSeen>,
    /// The campaign's trunks.
    pub trunks: Vec<TrunkVerdict>,
}

/// Why it is not dialled now, with what that is known by.
#[derive(Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = ReasonFacts)]
pub(in crate::web) struct Reason(Map<String, Value>);

/// Why a call is not dialled now: `license`, `do_not_call`, `destination_refused`, `not_before`, `outside_hours`, `campaign_full`,
/// `campaign_inactive`, `no_calls_are_fired`,
/// `no_trunk_with_room`, `others_first`, `no_router`, `no_switch_heard`, `no_switch_with_room`, `bus_down` or
/// `unknown_campaign`, with what that is known by.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what is in a Reason")]
pub(in crate::web) struct ReasonFacts {
    /// How many of its campaign go first.
    #[schema(required = false, value_type = u32)]
    calls: Option<u32>,
    /// What kind of number it is, where its destination is refused.
    #[schema(required = false, value_type = String)]
    kind: Option<String>,
    /// Why its number is on the do-not-call list.
    #[schema(required = false, value_type = String)]
    listed_for: Option<String>,
    #[schema(required = false, value_type = u32)]
    live_calls: Option<u32>,
    #[schema(required = false, value_type = u32)]
    max_calls: Option<u32>,
    /// Why the licence does not let it be dialled.
    #[schema(required = false, value_type = String)]
    message: Option<String>,
    reason: String,
    /// By which its destination is refused.
    #[schema(required = false, value_type = String)]
    rule: Option<String>,
    /// How the licence stands.
    #[schema(required = false, value_type = String)]
    state: Option<String>,
    #[schema(required = false, value_type = Time)]
    until: Option<Time>,
}

/// Whether a trunk could take the call now.
#[derive(Default, Serialize, ToSchema)]
pub(in crate::web) struct TrunkVerdict {
    /// What the carrier said that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub answer: Option<Option<String>>,
    /// The calls that it may be given in a second now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64)]
    pub cps: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32)]
    pub live_calls: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u32)]
    pub max_calls: Option<u32>,
    /// The most calls that it may be given in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = f64)]
    pub max_cps: Option<f64>,
    pub name: String,
    /// How many it was given in the last second, or longer where its rate is below one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = usize)]
    pub started_lately: Option<usize>,
    /// When it may be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Time)]
    pub until: Option<Time>,
    /// `room`, `full`, `at_its_rate`, `breaker_open`, `breaker_half_open`, `carrier_has_no_room`,
    /// `refused_this_call`, `disabled` or `not_configured`.
    pub verdict: &'static str,
}

/// What a router noted of its switches.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct SwitchesSeen {
    #[schema(value_type = Vec<SwitchVerdict>)]
    pub considered: Vec<Value>,
    /// At most 5 s ago, where a router is up.
    pub seen_at: Time,
}

/// What a router thought of a switch.
#[derive(ToSchema)]
#[expect(dead_code, reason = "what the router has noted")]
pub(in crate::web) struct SwitchVerdict {
    /// Calls that it holds or was sent.
    calls: u32,
    /// The most it holds.
    max_calls: u32,
    /// The switch.
    node: String,
    /// `room`, `full`, `busy`, `at_its_rate`, `silent`, `draining`, `leaving`, `faulty`, `refused_lately`,
    /// `does_not_answer`, `trunk_unavailable`, `two_of_one_name`, or `license`: its lease lets it begin no call.
    verdict: String,
}

impl AcceptedStep {
    /// Of the call; what is its campaign's is left out.
    pub fn of(call: &Call, idempotency_key: Option<String>) -> Self {
        AcceptedStep {
            at: Time::of(call.created_ms),
            campaign_name: call.campaign_name.clone(),
            expires_at: call.expires_ms.map(Time::of),
            hours: None,
            idempotency_key,
            license: call.request.license.clone(),
            on_unknown: call.request.on_unknown,
            origin: call.origin,
            priority: call.priority,
            region: None,
            timezone: call.request.timezone.clone(),
            what: "accepted",
        }
    }
}

impl From<&AttemptRecord> for AssignedStep {
    fn from(attempt: &AttemptRecord) -> Self {
        AssignedStep {
            at: Time::of(attempt.assigned_ms),
            attempt: attempt.attempt,
            attempt_id: attempt.attempt_id.clone(),
            epoch: attempt.epoch,
            node_id: attempt.node_id.to_string(),
            not_after: Time::of(attempt.not_after_ms),
            trunk: attempt.trunk.to_string(),
            what: "assigned",
            why: attempt.why.clone(),
        }
    }
}

impl From<CallEvent> for EventStep {
    fn from(event: CallEvent) -> Self {
        EventStep {
            at: Time::of(event.at_ms),
            attempt: event.attempt,
            data: event.data,
            is_final: event.is_final,
            node_id: event.node_id.map(|node| node.to_string()),
            seq: event.seq,
            what: event.name,
        }
    }
}

impl From<Decision> for DecisionStep {
    fn from(decision: Decision) -> Self {
        let mut facts = decision.data;
        if let Some(until_ms) = facts["until_ms"].as_u64() {
            facts["until"] = json!(Time::of(until_ms));
        }
        facts["at"] = json!(Time::of(decision.at_ms));
        facts["attempt"] = json!(decision.attempt);
        facts["what"] = json!(decision.what);
        DecisionStep(members(facts))
    }
}

impl Reason {
    /// By its name and what it is known by.
    pub fn of(reason: &str, mut facts: Value) -> Self {
        facts["reason"] = json!(reason);
        Reason(members(facts))
    }
}

fn members(facts: Value) -> Map<String, Value> {
    match facts {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

impl Explanation {
    fn example() -> Self {
        let at = Time::example;
        let accepted = AcceptedStep {
            at: at(),
            campaign_name: "reminders".to_owned(),
            expires_at: Some(at()),
            hours: Some("0900-1900".to_owned()),
            idempotency_key: Some("order-1047".to_owned()),
            license: Some("evaluation".to_owned()),
            on_unknown: OnUnknown::End,
            origin: Origin::Api,
            priority: 5,
            region: Some("default".to_owned()),
            timezone: None,
            what: "accepted",
        };
        let trunk = TrunkVerdict {
            answer: Some(Some("403 Forbidden".to_owned())),
            name: "chime".to_owned(),
            until: Some(at()),
            verdict: "breaker_open",
            ..TrunkVerdict::default()
        };
        let switch = json!({"node": "switch-1", "verdict": "room", "calls": 3, "max_calls": 500});
        let waiting = ShownWaiting {
            reasons: vec![Reason::of("no_trunk_with_room", json!({}))],
            region: "default".to_owned(),
            switches: Some(SwitchesSeen {
                considered: vec![switch],
                seen_at: at(),
            }),
            trunks: vec![trunk],
        };
        Explanation {
            attempt: 1,
            call_uuid: example::uuid(),
            path: vec![Step::Accepted(accepted)],
            state: CallState::Queued,
            waiting: Some(waiting),
        }
    }
}
