//! `POST /api/makecalls`: accepts up to 1,000 calls, each by itself: one that is refused keeps no other from being
//! accepted.

use super::request::MakeCallBody;
use super::{By, CallAccepted, accept};
use crate::web::WebState;
use crate::web::auth::Caller;
use crate::web::body::read_object;
use crate::web::error::{ApiError, Detail, ErrorFacts, FlowFinding};
use crate::web::fields::Fields;
use crate::web::openapi::example;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use futures::{StreamExt, stream};
use iradialer_core::value::{CallUuid, FieldError};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The most calls of one request.
const MAX_CALLS: usize = 1_000;
/// Room for so many, in bytes: 4 KiB each.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
/// How many of them are looked at at once: as many as the TDB writes in one transaction.
const AT_ONCE: usize = 256;

/// What is asked for of each call.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
struct MakeCallsBody {
    /// Each as the body of `makecall`. Their order is kept in the answer, not in the queue.
    #[schema(min_items = 1, max_items = 1000)]
    calls: Vec<MakeCallBody>,
}

/// What became of each call.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(MadeCalls::example())))]
pub(in crate::web) struct MadeCalls {
    /// How many are on the disk.
    accepted: usize,
    cluster: String,
    /// How many are not.
    refused: usize,
    /// One of each call, in the order of the request.
    results: Vec<MadeCall>,
    /// True: the queue is long, wait 60 s.
    slowdown: bool,
    status: &'static str,
    status_code: u8,
}

/// What became of one call: the answer that `makecall` would have given, with its HTTP status.
#[derive(Default, Serialize, ToSchema)]
pub(in crate::web) struct MadeCall {
    /// Of a call that is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = uuid::Uuid)]
    call_uuid: Option<CallUuid>,
    /// Every mistake, with names of fields as in the body of `makecall`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    detail: Vec<Detail>,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ErrorFacts)]
    error: Option<ErrorFacts>,
    /// What was found in its flow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<FlowFinding>,
    /// What `makecall` would have answered with; 200: it is accepted.
    http_status: u16,
    /// True: this is the answer of an earlier request, with the same key or `call_uuid`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
    /// `OK`, or why it is refused, in a sentence.
    status: String,
    /// 0 is OK.
    #[schema(maximum = 3)]
    status_code: u8,
}

/// Places up to 1,000 calls
///
/// Each is checked, accepted or refused by itself. A key for each (`idempotency_key`) makes the whole request one that
/// may be repeated.
#[utoipa::path(
    post, path = "/api/makecalls", tag = "calls",
    request_body = MakeCallsBody,
    responses((status = 200, description = "What became of each", body = MadeCalls)),
)]
pub(in crate::web) async fn makecalls(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<MadeCalls>, ApiError> {
    if headers.contains_key("idempotency-key") {
        let expected = "nothing: each call has an idempotency_key of its own";
        let mistake = FieldError::new("header.idempotency-key", expected, "a key");
        return Err(mistake.into());
    }
    let members = read_object(&headers, body, MAX_BODY_BYTES).await?;
    let calls = read(members).map_err(ApiError::BadFields)?;
    let results: Vec<_> = stream::iter(calls)
        .map(|call| one(&state, &caller, call))
        // What comes to the TDB together is written together.
        .buffered(AT_ONCE)
        .collect()
        .await;
    let accepted = results.iter().filter(|(made, _)| made.error.is_none());
    let accepted = accepted.count();
    Ok(Json(MadeCalls {
        accepted,
        cluster: state.app.config.cluster.to_string(),
        refused: results.len() - accepted,
        slowdown: results.iter().any(|(_, slowdown)| *slowdown),
        results: results.into_iter().map(|(made, _)| made).collect(),
        status: "OK",
        status_code: 0,
    }))
}

/// What became of it, and whether to ask for calls more slowly.
async fn one(state: &WebState, caller: &Caller, call: Value) -> (MadeCall, bool) {
    let accepted = match call {
        Value::Object(members) => {
            accept(
                state,
                By::of(caller),
                &HeaderMap::new(),
                members,
                Vec::new(),
            )
            .await
        }
        other => {
            let mistake = FieldError::new("body", "a JSON object", &other.to_string());
            Err(ApiError::BadFields(vec![mistake]))
        }
    };
    match accepted {
        Ok((accepted, replayed)) => {
            let slowdown = accepted.slowdown;
            (MadeCall::of(accepted, replayed), slowdown)
        }
        Err(error) => {
            let (status, refusal) = error.answer();
            let made = MadeCall {
                detail: refusal.detail,
                error: Some(refusal.error),
                findings: refusal.findings,
                http_status: status.as_u16(),
                status: refusal.status,
                status_code: refusal.status_code,
                ..MadeCall::default()
            };
            (made, refusal.slowdown.unwrap_or(false))
        }
    }
}

fn read(members: Map<String, Value>) -> Result<Vec<Value>, Vec<FieldError>> {
    let mut fields = Fields::new(members);
    let expected = format!("a list of 1 to {MAX_CALLS} calls");
    let calls = match fields.value("calls") {
        Some(Value::Array(calls)) if (1..=MAX_CALLS).contains(&calls.len()) => calls,
        Some(Value::Array(calls)) => {
            let got = format!("{} of them", calls.len());
            fields.note(FieldError::new("calls", expected, &got));
            Vec::new()
        }
        Some(other) => fields
            .refuse("calls", &expected, &other)
            .unwrap_or_default(),
        None => {
            fields.note(FieldError::missing("calls", expected));
            Vec::new()
        }
    };
    fields.finish_body::<MakeCallsBody>()?;
    Ok(calls)
}

impl MadeCall {
    fn of(accepted: CallAccepted, replayed: bool) -> Self {
        MadeCall {
            call_uuid: Some(accepted.call_uuid),
            http_status: 200,
            replayed,
            status: accepted.status,
            status_code: accepted.status_code,
            ..MadeCall::default()
        }
    }
}

impl MadeCalls {
    fn example() -> Self {
        let (_, unknown) = ApiError::UnknownCampaign("reminder".to_owned()).answer();
        let refused = MadeCall {
            error: Some(unknown.error),
            http_status: 404,
            status: unknown.status,
            status_code: unknown.status_code,
            ..MadeCall::default()
        };
        let accepted = MadeCall {
            call_uuid: Some(example::uuid()),
            http_status: 200,
            status: "OK".to_owned(),
            ..MadeCall::default()
        };
        MadeCalls {
            accepted: 1,
            cluster: "ira".to_owned(),
            refused: 1,
            results: vec![accepted, refused],
            slowdown: false,
            status: "OK",
            status_code: 0,
        }
    }
}
