//! `GET /api/stream`: the tenant's events as they happen, as server-sent events. What is sent is read from the TDB when
//! the client takes it, in the order of the commits: nothing is kept for a slow one, and one that comes back goes on
//! where it stopped.

mod places;

pub(super) use places::Places;

use super::WebState;
use super::auth::Caller;
use super::error::ApiError;
use super::query::query_fields;
use crate::dispatcher::body;
use crate::tdb::Streamed;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use futures::stream;
use iradialer_core::value::{CallUuid, CampaignName, FieldError};
use places::Place;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use utoipa::IntoParams;

/// Where a client that comes back goes on.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How many events are read, and held for a client, at once.
const PAGE: u32 = 100;
/// How often it is looked for new ones.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A comment is sent after so long without an event.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the token is looked at.
const TOKEN_EVERY: Duration = Duration::from_secs(5);
/// How long a client may take for what it was sent before it is too slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read field by field")]
struct StreamQuery {
    /// Only of this call.
    call_uuid: Option<uuid::Uuid>,
    /// Only of this campaign.
    campaign: Option<String>,
}

/// Where to go on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read from the headers")]
struct LastEventId {
    /// The `id` of the last event that came: it goes on with the next one. Without it, with what happens from now on.
    #[param(rename = "last-event-id")]
    last_event_id: Option<u64>,
}

/// The tenant's events as they happen
///
/// Server-sent events: `id`, `event` (the event's name) and `data`, the `event_data` of a webhook without `token` of
/// `call_params`. Comments come every 15 s where nothing happens. An event `closed` says in `reason` why the stream ends:
/// `too_slow`, `token` or `unavailable`.
#[utoipa::path(
    get, path = "/api/stream", tag = "calls",
    params(StreamQuery, LastEventId),
    responses(
        (status = 200, description = "Events, until one of the two sides has enough", body = String, content_type = "text/event-stream"),
        (status = 429, description = "too_many_streams"),
    ),
)]
pub(super) async fn follow(
    State(state): State<WebState>,
    caller: Caller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut fields = query_fields(query.as_deref().unwrap_or(""))?;
    let campaign = fields.parsed("campaign", CampaignName::parse);
    let call_uuid = fields.parsed("call_uuid", CallUuid::parse);
    fields.finish_query::<StreamQuery>()?;
    let last = state.app.tdb.last_place(&caller.tenant_id).await?;
    let after = asked_place(&headers, last)?.unwrap_or(last);
    let place = state
        .streams
        .take(&caller.token.token_id, &caller.tenant_id);
    let follower = Follower {
        after,
        campaign,
        call_uuid,
        ready: VecDeque::from([Bytes::from(format!(
            "retry: 2000\n: hello\nid: {after}\n\n"
        ))]),
        given: Instant::now(),
        token_seen: Instant::now(),
        is_over: false,
        _place: place.ok_or(ApiError::TooManyStreams)?,
        state,
        caller,
    };
    let frames = stream::unfold(follower, |mut follower| async move {
        let frame = follower.next().await?;
        Some((Ok::<_, Infallible>(frame), follower))
    });
    let buffering = HeaderName::from_static("x-accel-buffering");
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        (buffering, "no"),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}

/// The place after which the client goes on, if it says so. One after the last was given by another database.
fn asked_place(headers: &HeaderMap, last: u64) -> Result<Option<u64>, ApiError> {
    let Some(header) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(header.as_bytes());
    let place = text.parse().ok().filter(|place| *place <= last);
    match place {
        Some(place) => Ok(Some(place)),
        None => {
            let expected = "the id of an event of this stream";
            Err(FieldError::new("header.last-event-id", expected, &text).into())
        }
    }
}

/// A client that follows the events, and how far it is.
struct Follower {
    state: WebState,
    caller: Caller,
    campaign: Option<CampaignName>,
    call_uuid: Option<CallUuid>,
    /// The place of the last event that was read.
    after: u64,
    /// What it is given next.
    ready: VecDeque<Bytes>,
    /// When it was last given something.
    given: Instant,
    /// When its token was last looked at.
    token_seen: Instant,
    is_over: bool,
    /// Of the streams that there may be.
    _place: Place,
}

impl Follower {
    /// What is sent next. This is asked for when the client has taken what came before, or nearly so.
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        if self.given.elapsed() > PATIENCE {
            return Some(self.close("too_slow"));
        }
        let begun = Instant::now();
        loop {
            if self.token_seen.elapsed() >= TOKEN_EVERY {
                if !self.may_go_on().await {
                    return Some(self.close("token"));
                }
                self.token_seen = Instant::now();
            }
            if !self.ready.is_empty() {
                break;
            }
            let all = match self.read().await {
                Ok(all) => all,
                Err(error) => {
                    tracing::debug!(?error, "a stream can't be read");
                    return Some(self.close("unavailable"));
                }
            };
            if !self.ready.is_empty() {
                break;
            }
            if begun.elapsed() >= HEARTBEAT {
                let beat = format!(": nothing new\nid: {}\n\n", self.after);
                self.ready.push_back(Bytes::from(beat));
                break;
            }
            // Events of others are left behind as fast as they can be read.
            if all {
                sleep(LOOK_EVERY).await;
            }
        }
        self.given = Instant::now();
        self.ready.pop_front()
    }

    /// Reads what has happened since. Returns whether that was all.
    async fn read(&mut self) -> Result<bool, ApiError> {
        let (tdb, tenant) = (&self.state.app.tdb, &self.caller.tenant_id);
        let events = tdb.events_after(tenant, self.after, PAGE).await?;
        let all = events.len() < PAGE as usize;
        for streamed in events {
            self.after = streamed.place;
            if self.wants(&streamed) {
                let frame = self.frame(streamed).await?;
                self.ready.push_back(frame);
            }
        }
        Ok(all)
    }

    fn wants(&self, streamed: &Streamed) -> bool {
        let call = &streamed.call;
        let campaign = self.campaign.as_ref();
        campaign.is_none_or(|name| name.as_str() == call.campaign_name)
            && self.call_uuid.is_none_or(|uuid| uuid == call.call_uuid)
    }

    async fn frame(&self, streamed: Streamed) -> Result<Bytes, ApiError> {
        let config = &self.state.app.config;
        let answer = self.state.app.tdb.answer_before(&streamed.event).await?;
        let (place, prefix) = (streamed.place, &config.webhooks.event_prefix);
        let name = format!("{prefix}{}", streamed.event.name);
        let data = body::event_data(&streamed.into_delivery(answer), &config.cluster);
        let frame = format!("id: {place}\nevent: {name}\ndata: {data}\n\n");
        Ok(Bytes::from(frame))
    }

    /// Whether its token is still good.
    async fn may_go_on(&self) -> bool {
        let (tdb, token) = (&self.state.app.tdb, &self.caller.token);
        let (tenant, now_ms) = (&token.spec.tenant_id, self.state.app.clock.now_ms());
        match tdb.token_of(tenant, &token.token_id).await {
            Ok(Some(info)) => info.revoked_ms.is_none() && !info.has_expired(now_ms),
            Ok(None) => false,
            // That the database is away is found at the next look.
            Err(_) => true,
        }
    }

    /// Ends the stream with the reason.
    fn close(&mut self, reason: &'static str) -> Bytes {
        let token = &self.caller.token.token_id;
        tracing::info!(token, reason, after = self.after, "a stream is ended");
        self.is_over = true;
        let data = format!("{{\"reason\":\"{reason}\"}}");
        Bytes::from(format!("event: closed\ndata: {data}\n\n"))
    }
}
