//! `GET /api/calls…`: calls and their events.

mod answer;

pub(super) use answer::{CallStateName, ShownEvent};

use super::auth::Caller;
use super::error::ApiError;
use super::openapi::params::OfCall;
use super::query::{self, PageQuery, limit, query_fields};
use super::{WebState, cursor, timestamp};
use crate::tdb::{Call, CallFilter};
use answer::{CallList, EventList, ShownCall};
use axum::Json;
use axum::extract::{Path, RawQuery, State};
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, CampaignName, FieldError};
use utoipa::IntoParams;

/// Which calls.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read field by field")]
struct CallsQuery {
    /// Only of this campaign.
    campaign: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those that were accepted, or first heard of, since then.
    #[param(format = DateTime)]
    from: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// Only in this state.
    #[param(value_type = Option<CallStateName>)]
    state: Option<String>,
}

/// Calls, newest first
#[utoipa::path(
    get, path = "/api/calls", tag = "calls",
    params(CallsQuery),
    responses((status = 200, description = "A page of them", body = CallList)),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<CallList>, ApiError> {
    let filter = filter(query.as_deref().unwrap_or(""))?;
    let calls = state.app.tdb.calls(&caller.tenant_id, &filter).await?;
    let is_full = calls.len() == filter.limit as usize;
    let last = calls.last().filter(|_| is_full);
    let next_cursor = last.map(|call| cursor::show(call.created_ms, call.call_uuid));
    let calls = calls.into_iter().map(ShownCall::of).collect();
    Ok(Json(CallList { calls, next_cursor }))
}

/// One call
#[utoipa::path(
    get, path = "/api/calls/{call_uuid}", tag = "calls",
    params(OfCall),
    responses(
        (status = 200, description = "The call", body = ShownCall),
        (status = 404, description = "unknown_call"),
    ),
)]
pub(super) async fn one(
    State(state): State<WebState>,
    caller: Caller,
    Path(call_uuid): Path<String>,
) -> Result<Json<ShownCall>, ApiError> {
    let call = find(&state, &caller, &call_uuid).await?;
    let late_end = match call.state.is_final() {
        true => {
            let late = state.app.tdb.late_end(call.call_uuid).await?;
            let prefix = &state.app.config.webhooks.event_prefix;
            Some(late.map(|event| ShownEvent::of(event, prefix)))
        }
        false => None,
    };
    let mut shown = ShownCall::of(call);
    shown.late_end = late_end;
    Ok(Json(shown))
}

/// The events of a call
#[utoipa::path(
    get, path = "/api/calls/{call_uuid}/events", tag = "calls",
    params(OfCall, PageQuery),
    responses(
        (status = 200, description = "First to last", body = EventList),
        (status = 404, description = "unknown_call"),
    ),
)]
pub(super) async fn events(
    State(state): State<WebState>,
    caller: Caller,
    Path(call_uuid): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<EventList>, ApiError> {
    let call = find(&state, &caller, &call_uuid).await?;
    let (after_seq, limit) = query::page(query.as_deref())?;
    let tdb = &state.app.tdb;
    let events = tdb.events(call.call_uuid, after_seq, limit).await?;
    let prefix = &state.app.config.webhooks.event_prefix;
    let events = events.into_iter();
    Ok(Json(EventList {
        call_uuid: call.call_uuid,
        events: events.map(|event| ShownEvent::of(event, prefix)).collect(),
        last_seq: call.last_seq,
        state: call.state,
    }))
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
    fields.finish_query::<CallsQuery>()?;
    Ok(filter)
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
