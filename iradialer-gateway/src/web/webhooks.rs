//! What became of webhooks: each call's deliveries and dead letters, and sending them again.

mod answer;

use super::auth::Caller;
use super::body::read_object;
use super::calls::find;
use super::error::ApiError;
use super::fields::Fields;
use super::openapi::params::OfCall;
use super::query::{self, MAX_LIMIT, PageQuery, limit, query_fields};
use super::{WebState, cursor, receivers, timestamp};
use crate::tdb::{DeadLetterFilter, Redeliver, Replay};
use answer::{
    DeadLetterList, Delivery, DeliveryList, Redelivered, Replayed, ShownLetter, webhook_id,
};
use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use iradialer_core::value::{CallUuid, CampaignName, FieldError};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The paths of this module.
pub(super) fn routes() -> OpenApiRouter<WebState> {
    OpenApiRouter::new()
        .routes(routes!(deliveries))
        .routes(routes!(redeliver))
        .routes(routes!(receivers::list))
        .routes(routes!(dead_letters))
        .routes(routes!(replay))
}

/// What of a call is sent again. Without anything: what was given up, and what waits for another try.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
struct Redelivery {
    /// All of it, also what was delivered.
    #[schema(default = false)]
    all: Option<bool>,
    /// The event with this place in the call alone; not together with `all`.
    #[schema(minimum = 1)]
    seq: Option<u32>,
}

/// Which webhooks that were given up are sent again: `webhook_id`, or else one of `campaign`, `from` and `until` at
/// least.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
struct ReplayOf {
    /// Those of this campaign.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,60}$")]
    campaign: Option<String>,
    /// Those that were given up since then.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// How many, the oldest first.
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
    /// Those that were given up before.
    #[schema(format = DateTime)]
    until: Option<String>,
    /// This one: `CALL_UUID_SEQ`.
    webhook_id: Option<String>,
}

/// Which webhooks that were given up.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read field by field")]
struct DeadLetterQuery {
    /// Only of this campaign.
    campaign: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those that were given up since then.
    #[param(format = DateTime)]
    from: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// What became of the webhooks of a call, try by try
#[utoipa::path(
    get, path = "/api/calls/{call_uuid}/deliveries", tag = "webhooks",
    params(OfCall, PageQuery),
    responses(
        (status = 200, description = "By `seq`, with every try", body = DeliveryList),
        (status = 404, description = "unknown_call"),
    ),
)]
async fn deliveries(
    State(state): State<WebState>,
    caller: Caller,
    Path(call_uuid): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<DeliveryList>, ApiError> {
    let call = find(&state, &caller, &call_uuid).await?;
    let (after_seq, limit) = query::page(query.as_deref())?;
    let tdb = &state.app.tdb;
    let deliveries = tdb.deliveries(call.call_uuid, after_seq, limit).await?;
    let prefix = &state.app.config.webhooks.event_prefix;
    let shown = deliveries
        .into_iter()
        .map(|noted| Delivery::of(call.call_uuid, noted, prefix));
    Ok(Json(DeliveryList {
        call_uuid: call.call_uuid,
        deliveries: shown.collect(),
        last_seq: call.last_seq,
    }))
}

/// Sends the webhooks of a call again
#[utoipa::path(
    post, path = "/api/calls/{call_uuid}/redeliver", tag = "webhooks",
    params(OfCall),
    request_body = Option<Redelivery>,
    responses(
        (status = 200, description = "They are due", body = Redelivered),
        (status = 404, description = "unknown_call"),
    ),
)]
async fn redeliver(
    State(state): State<WebState>,
    caller: Caller,
    Path(call_uuid): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Redelivered>, ApiError> {
    let call = find(&state, &caller, &call_uuid).await?;
    let members = read_optional(&state, &headers, body).await?;
    let which = which(members)?;
    let app = &state.app;
    let now_ms = app.clock.now_ms();
    let events = app
        .tdb
        .redeliver(
            &caller.tenant_id,
            call.call_uuid,
            which,
            caller.author(),
            now_ms,
        )
        .await?;
    if let (Redeliver::One(seq), true) = (which, events.is_empty()) {
        let expected = "the seq of an event of this call that has a webhook";
        return Err(FieldError::new("seq", expected, &seq.to_string()).into());
    }
    app.wake.dispatcher.notify_one();
    Ok(Json(Redelivered {
        call_uuid: call.call_uuid,
        redelivered: events,
        status: "OK",
        status_code: 0,
    }))
}

fn which(members: Map<String, Value>) -> Result<Redeliver, ApiError> {
    let mut fields = Fields::new(members);
    // 0 is no event.
    let seq = fields.number("seq", 1..=u32::MAX, 0);
    let all = fields.bool("all", false);
    if all && seq > 0 {
        let expected = "false, or not there, where seq is given";
        fields.note(FieldError::new("all", expected, "true"));
    }
    fields
        .finish_body::<Redelivery>()
        .map_err(ApiError::BadFields)?;
    Ok(match (all, seq) {
        (true, _) => Redeliver::All,
        (false, 0) => Redeliver::Missing,
        (false, seq) => Redeliver::One(seq),
    })
}

/// Webhooks that were given up, the last first
#[utoipa::path(
    get, path = "/api/webhooks/deadletters", tag = "webhooks",
    params(DeadLetterQuery),
    responses(
        (status = 200, description = "A page of them", body = DeadLetterList),
    ),
)]
async fn dead_letters(
    State(state): State<WebState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<DeadLetterList>, ApiError> {
    let mut fields = query_fields(query.as_deref().unwrap_or(""))?;
    let filter = DeadLetterFilter {
        campaign_name: campaign(&mut fields),
        from_ms: fields.parsed("from", timestamp::parse),
        after: fields.parsed("cursor", cursor::parse_with_seq),
        limit: limit(&mut fields),
    };
    fields.finish_query::<DeadLetterQuery>()?;
    let tdb = &state.app.tdb;
    let letters = tdb.dead_letters(&caller.tenant_id, &filter).await?;
    let is_full = letters.len() == filter.limit as usize;
    let last = letters.last().filter(|_| is_full);
    let next_cursor =
        last.map(|last| cursor::show_with_seq((last.dead_ms, last.call_uuid, last.seq)));
    let prefix = &state.app.config.webhooks.event_prefix;
    let letters = letters.into_iter();
    Ok(Json(DeadLetterList {
        deadletters: letters
            .map(|letter| ShownLetter::of(letter, prefix))
            .collect(),
        next_cursor,
    }))
}

/// Sends webhooks that were given up again
#[utoipa::path(
    post, path = "/api/webhooks/deadletters/replay", tag = "webhooks",
    request_body = ReplayOf,
    responses(
        (status = 200, description = "They are due", body = Replayed),
        (status = 404, description = "unknown_deadletter"),
    ),
)]
async fn replay(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Replayed>, ApiError> {
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    let app = &state.app;
    let (tenant, now_ms) = (&caller.tenant_id, app.clock.now_ms());
    let (deliveries, more) = match chosen(members)? {
        Chosen::One(call_uuid, seq) => {
            let one = app
                .tdb
                .replay_one(tenant, call_uuid, seq, caller.author(), now_ms)
                .await?;
            if !one {
                return Err(ApiError::UnknownDeadLetter(webhook_id(call_uuid, seq)));
            }
            (1, false)
        }
        Chosen::Those(which) => {
            let replayed = app
                .tdb
                .replay(tenant, which, caller.author(), now_ms)
                .await?;
            (replayed.deliveries, replayed.more)
        }
    };
    app.wake.dispatcher.notify_one();
    Ok(Json(Replayed {
        more,
        replayed: deliveries,
        status: "OK",
        status_code: 0,
    }))
}

/// Which dead letters a request is about.
#[derive(Debug)]
enum Chosen {
    One(CallUuid, u32),
    Those(Replay),
}

fn chosen(members: Map<String, Value>) -> Result<Chosen, ApiError> {
    let mut fields = Fields::new(members);
    let given = ["campaign", "from", "until"].map(|name| fields.has(name));
    let by_filter = given.contains(&true);
    let by_id = fields.has("webhook_id");
    let one = fields.parsed("webhook_id", parse_webhook_id);
    if by_filter == by_id {
        let got = if by_id { "both" } else { "neither" };
        let expected = "the webhook_id of a dead letter, or else campaign, from or until";
        fields.note(FieldError::new("webhook_id", expected, got));
    }
    let those = Replay {
        campaign_name: campaign(&mut fields),
        from_ms: fields.parsed("from", timestamp::parse),
        until_ms: fields.parsed("until", timestamp::parse),
        limit: fields.number("limit", 1..=MAX_LIMIT, MAX_LIMIT),
    };
    fields
        .finish_body::<ReplayOf>()
        .map_err(ApiError::BadFields)?;
    Ok(match one {
        Some((call_uuid, seq)) => Chosen::One(call_uuid, seq),
        None => Chosen::Those(those),
    })
}

fn campaign(fields: &mut Fields) -> Option<String> {
    let name = fields.parsed("campaign", CampaignName::parse);
    name.map(String::from)
}

/// The body's members; none where there is no body.
async fn read_optional(
    state: &WebState,
    headers: &HeaderMap,
    body: Body,
) -> Result<Map<String, Value>, ApiError> {
    if body.is_end_stream() {
        return Ok(Map::new());
    }
    read_object(headers, body, state.app.config.web.max_body_bytes).await
}

fn parse_webhook_id(field: &str, text: &str) -> Result<(CallUuid, u32), FieldError> {
    let parts = text.split_once('_');
    let parsed = parts.and_then(|(call_uuid, seq)| {
        let call_uuid = CallUuid::parse(field, call_uuid).ok()?;
        Some((call_uuid, seq.parse().ok()?))
    });
    parsed.ok_or_else(|| FieldError::new(field, "a webhook-id: CALL_UUID_SEQ", text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn members(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_of_a_call_is_delivered_again() {
        let which = |value| which(members(value));
        assert_eq!(which(json!({})).unwrap(), Redeliver::Missing);
        assert_eq!(which(json!({ "seq": 3 })).unwrap(), Redeliver::One(3));
        assert_eq!(which(json!({ "all": true })).unwrap(), Redeliver::All);
        for (value, field) in [
            (json!({ "seq": 0 }), "seq"),
            (json!({ "seq": "3" }), "seq"),
            (json!({ "seq": 3, "all": true }), "all"),
            (json!({ "all": 1 }), "all"),
            (json!({ "colour": 1 }), "colour"),
        ] {
            match which(value) {
                Err(ApiError::BadFields(mistakes)) => assert_eq!(mistakes[0].field, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_replay_says_of_what() {
        let call = CallUuid::fresh();
        let one = chosen(members(json!({ "webhook_id": format!("{call}_7") })));
        assert!(matches!(one, Ok(Chosen::One(of, 7)) if of == call));
        let those = chosen(members(json!({ "campaign": "a", "limit": 5 })));
        assert!(matches!(those, Ok(Chosen::Those(Replay { limit: 5, .. }))));
        for (value, field) in [
            (json!({}), "webhook_id"),
            (json!({ "limit": 5 }), "webhook_id"),
            (json!({ "webhook_id": "7" }), "webhook_id"),
            (json!({ "webhook_id": format!("{call}_x") }), "webhook_id"),
            (
                json!({ "webhook_id": format!("{call}_7"), "campaign": "a" }),
                "webhook_id",
            ),
            (json!({ "from": "yesterday" }), "from"),
            (json!({ "campaign": "a b" }), "campaign"),
            (json!({ "campaign": "a", "limit": 1001 }), "limit"),
        ] {
            match chosen(members(value.clone())) {
                Err(ApiError::BadFields(mistakes)) => assert_eq!(mistakes[0].field, field),
                other => panic!("{value}: {other:?}"),
            }
        }
    }
}
