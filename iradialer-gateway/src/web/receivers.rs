//! `GET /api/webhooks`: how the tenant's webhooks are, by receiver.

use super::WebState;
use super::auth::Caller;
use super::error::ApiError;
use super::query::{limit, query_fields};
use super::timestamp::Time;
use crate::tdb::ReceiverFigures;
use axum::Json;
use axum::extract::{RawQuery, State};
use iradialer_core::value::FieldError;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// The longest origin there is: of the longest URL.
const MAX_ORIGIN: usize = 2_048;

/// How webhooks are.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(WebhooksAnswer::example())))]
pub(super) struct WebhooksAnswer {
    /// The `cursor` of the next page; null where there is none.
    next_cursor: Option<String>,
    /// Each receiver that was ever tried, in the order of their origins.
    receivers: Vec<Receiver>,
}

/// A receiver.
#[derive(Serialize, ToSchema)]
struct Receiver {
    /// `closed`, or `open`: it fails, and gets one at a time until it takes one.
    breaker: &'static str,
    /// Since when it is open.
    breaker_open_since: Option<Time>,
    /// How many it has taken so far.
    delivered: u64,
    /// How many are dead letters.
    given_up: u64,
    /// How many of those that wait were tried and failed.
    in_retry: u64,
    /// When the event was stored that waits longest.
    oldest_waiting_at: Option<Time>,
    /// `scheme://host:port`, as in the URLs; `nats:SUBJECT` where events go to the bus.
    origin: String,
    /// How many are to be delivered yet.
    waiting: u64,
}

impl WebhooksAnswer {
    fn example() -> Self {
        let figures = ReceiverFigures {
            origin: "https://crm.example".to_owned(),
            waiting: 12,
            in_retry: 9,
            given_up: 3,
            delivered: 48_211,
            oldest_ms: Some(1_795_252_908_501),
            breaker_open_ms: Some(1_795_252_949_113),
        };
        WebhooksAnswer {
            next_cursor: None,
            receivers: vec![Receiver::of(&figures)],
        }
    }
}

impl Receiver {
    fn of(figures: &ReceiverFigures) -> Self {
        let is_open = figures.breaker_open_ms.is_some();
        Receiver {
            breaker: if is_open { "open" } else { "closed" },
            breaker_open_since: figures.breaker_open_ms.map(Time::of),
            delivered: figures.delivered,
            given_up: figures.given_up,
            in_retry: figures.in_retry,
            oldest_waiting_at: figures.oldest_ms.map(Time::of),
            origin: figures.origin.clone(),
            waiting: figures.waiting,
        }
    }
}

/// Which page of the receivers.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read field by field")]
struct ReceiversQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// How webhooks are, by receiver
#[utoipa::path(
    get, path = "/api/webhooks", tag = "webhooks",
    params(ReceiversQuery),
    responses((status = 200, description = "What waits for each, what it took, what was given up", body = WebhooksAnswer)),
)]
pub(super) async fn list(
    State(state): State<WebState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<WebhooksAnswer>, ApiError> {
    let mut fields = query_fields(query.as_deref().unwrap_or(""))?;
    let after = fields.parsed("cursor", origin);
    let limit = limit(&mut fields);
    fields.finish_query::<ReceiversQuery>()?;
    let (tdb, after) = (&state.app.tdb, after.unwrap_or_default());
    let receivers = tdb.receivers(&caller.tenant_id, &after, limit).await?;
    let last = receivers.last();
    let last = last.filter(|_| receivers.len() == limit as usize);
    Ok(Json(WebhooksAnswer {
        next_cursor: last.map(|last| last.origin.clone()),
        receivers: receivers.iter().map(Receiver::of).collect(),
    }))
}

/// A page goes on after an origin.
fn origin(field: &str, text: &str) -> Result<String, FieldError> {
    let is_origin = text.len() <= MAX_ORIGIN
        && text.contains(':')
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    match is_origin {
        true => Ok(text.to_owned()),
        false => Err(FieldError::new(
            field,
            "the next_cursor of another page",
            text,
        )),
    }
}
