//! `GET /api/calls…`: calls and their events.

use super::auth::Caller;
use super::error::ApiError;
use super::query::{self, in_query, limit, query_fields};
use super::{WebState, cursor, timestamp};
use crate::tdb::{Call, CallEvent, CallFilter, FinalRecord};
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, CampaignName, FieldError};
use iradialer_core::wire::CallFlow;
use serde_json::{Value, json};

/// Calls, newest first
#[utoipa::path(
    get, path = "/api/calls", tag = "calls",
    responses(
        (status = 200),
    ),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let filter = filter(query.as_deref().unwrap_or(""))?;
    let calls = state.app.tdb.calls(&caller.tenant_id, &filter).await?;
    let is_full = calls.len() == filter.limit as usize;
    let last = calls.last().filter(|_| is_full);
    let next_cursor = last.map(|call| cursor::show(call.created_ms, call.call_uuid));
    let calls: Vec<Value> = calls.iter().map(show_call).collect();
    Ok(Json(json!({ "calls": calls, "next_cursor": next_cursor })))
}

/// One call
#[utoipa::path(
    get, path = "/api/calls/{call_uuid}", tag = "calls",
    params(("call_uuid" = String, Path)),
    responses(
        (status = 200),
        (status = 404, description = "unknown_call"),
    ),
)]
pub(super) async fn one(
    State(state): State<WebState>,
    caller: Caller,
    Path(call_uuid): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let call = find(&state, &caller, &call_uuid).await?;
    let mut shown = show_call(&call);
    if call.state.is_final() {
        let late = state.app.tdb.late_end(call.call_uuid).await?;
        let prefix = &state.app.config.webhooks.event_prefix;
        shown["late_end"] = late.map_or(Value::Null, |event| show_event(&event, prefix));
    }
    Ok(Json(shown))
}

/// The events of a call
#[utoipa::path(
    get, path = "/api/calls/{call_uuid}/events", tag = "calls",
    params(("call_uuid" = String, Path)),
    responses(
        (status = 200),
        (status = 404, description = "unknown_call"),
    ),
)]
pub(super) async fn events(
    State(state): State<WebState>,
    caller: Caller,
    Path(call_uuid): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let call = find(&state, &caller, &call_uuid).await?;
    let (after_seq, limit) = query::page(query.as_deref())?;
    let events = state
        .app
        .tdb
        .events(call.call_uuid, after_seq, limit)
        .await?;
    let prefix = &state.app.config.webhooks.event_prefix;
    let events: Vec<Value> = events
        .iter()
        .map(|event| show_event(event, prefix))
        .collect();
    Ok(Json(json!({
        "call_uuid": call.call_uuid,
        "state": call.state,
        "last_seq": call.last_seq,
        "events": events,
    })))
}

pub(super) async fn find(state: &WebState, caller: &Caller, text: &str) -> Result<Call, ApiError> {
    let call_uuid = CallUuid::parse("path.call_uuid", text)?;
    let call = state.app.tdb.call(&caller.tenant_id, call_uuid).await?;
    call.ok_or_else(|| ApiError::UnknownCall(call_uuid.to_string()))
}

fn filter(query: &str) -> Result<CallFilter, ApiError> {
    let mut fields = query_fields(query)?;
    let filter = CallFilter {
        state: fields.parsed("state", |field, text| {
            CallState::parse(text)
                .ok_or_else(|| FieldError::new(field, "a state such as queued or completed", text))
        }),
        campaign_name: fields
            .parsed("campaign", CampaignName::parse)
            .map(String::from),
        from_ms: fields.parsed("from", timestamp::parse),
        after: fields.parsed("cursor", cursor::parse),
        limit: limit(&mut fields),
    };
    let known = "state, campaign, from, cursor, limit";
    fields.finish(known).map_err(in_query)?;
    Ok(filter)
}

fn show_call(call: &Call) -> Value {
    let time = |ms: Option<u64>| ms.map(timestamp::show);
    // The token is for the webhook's receiver only.
    let mut call_params = call.request.call_params.clone();
    call_params.remove("token");
    let flow = call.request.call_flow();
    json!({
        "call_uuid": call.call_uuid,
        "parent_uuid": call.parent_uuid,
        "tenant_id": call.tenant_id,
        "campaign_name": call.campaign_name,
        "origin": call.origin,
        "direction": call.origin.direction(),
        "state": call.state,
        "final": call.state.is_final(),
        "to_number": call.to_number,
        "from_number": call.from_number,
        "priority": call.priority,
        "attempt": call.attempt,
        "trunk": call.trunk,
        "node_id": call.node_id,
        "flow": flow.as_ref().map(CallFlow::name),
        "flow_version": call.request.ivr.as_ref().and_then(|flow| flow.version),
        "dial_timeout": call.request.dial_timeout_s,
        "max_duration": call.request.max_duration_s,
        "timezone": call.request.timezone,
        "on_unknown": call.request.on_unknown,
        "call_params": call_params,
        "channel_vars": call.request.channel_vars,
        "metadata": call.request.metadata,
        "vars": call.request.vars,
        "event_url": call.event_url,
        "last_seq": call.last_seq,
        "created_at": timestamp::show(call.created_ms),
        "not_before": timestamp::show(call.not_before_ms),
        "expires_at": time(call.expires_ms),
        "cancel_requested_at": time(call.cancel_requested_ms),
        "assigned_at": time(call.assigned_ms),
        "started_at": time(call.started_ms),
        "ringing_at": time(call.ringing_ms),
        "answered_at": time(call.answered_ms),
        "ended_at": time(call.ended.as_ref().map(|ended| ended.ended_ms)),
        "result": call.ended.as_ref().map(show_result),
    })
}

fn show_result(ended: &FinalRecord) -> Value {
    json!({
        "ended_by": ended.ended_by,
        "hangup_cause": ended.hangup_cause,
        "sip_status": ended.sip_status,
        "sip_phrase": ended.sip_phrase,
        "duration_ms": ended.duration_ms,
        "billsec_ms": ended.billsec_ms,
        "variables": ended.variables,
        "flow_node": ended.flow_node,
        "fault": ended.fault,
    })
}

fn show_event(event: &CallEvent, prefix: &str) -> Value {
    json!({
        "seq": event.seq,
        "event_name": format!("{prefix}{}", event.name),
        "timestamp": timestamp::show(event.at_ms),
        "attempt": event.attempt,
        "node_id": event.node_id,
        "final": event.is_final,
        "data": event.data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let all = filter("state=busy&campaign=r&from=2026-11-21T10:00:00%2B01:00&limit=7").unwrap();
        assert_eq!(all.state, Some(CallState::Busy));
        assert_eq!((all.campaign_name.as_deref(), all.limit), (Some("r"), 7));
        assert!(all.from_ms.is_some());
        assert_eq!(filter("").unwrap().limit, query::DEFAULT_LIMIT);
    }

    #[test]
    fn a_bad_query_is_refused_by_its_name() {
        for (query, field) in [
            ("state=gone", "query.state"),
            ("limit=0", "query.limit"),
            ("limit=1001", "query.limit"),
            ("limit=x", "query.limit"),
            ("cursor=x", "query.cursor"),
            ("from=yesterday", "query.from"),
            ("colour=red", "query.colour"),
            ("limit=1&limit=2", "query.limit"),
        ] {
            match filter(query) {
                Err(ApiError::BadFields(mistakes)) => assert_eq!(mistakes[0].field, field),
                other => panic!("{query}: {other:?}"),
            }
        }
    }
}
