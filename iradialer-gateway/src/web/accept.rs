//! `POST /api/makecall`: accepts a call. What is answered with OK is on the disk.

pub(super) mod batch;
pub(super) mod direct;
mod over_bus;
mod request;

pub(crate) use over_bus::Acceptance;

use super::WebState;
use super::auth::Caller;
use super::body::read_object;
use super::error::ApiError;
use super::fields::Fields;
use super::openapi::example;
use crate::catalogue::Campaign;
use crate::dispatcher::BUS;
use crate::flows::{Resolved, Unresolved};
use crate::tdb::{Accepted, CallRequest, NewCall};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use iradialer_core::license::Features;
use iradialer_core::live::EventSubject;
use iradialer_core::value::{CallUuid, FieldError, TenantId};
use request::{Ivr, MakeCall, MakeCallBody};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

/// Says that the answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The call is on the disk.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(examples(json!(CallAccepted::example())))]
pub(super) struct CallAccepted {
    #[schema(value_type = uuid::Uuid)]
    call_uuid: CallUuid,
    /// The cluster that has the call.
    cluster: String,
    /// True: the queue is long, wait 60 s.
    slowdown: bool,
    status: String,
    status_code: u8,
}

impl CallAccepted {
    fn example() -> Self {
        CallAccepted {
            call_uuid: example::uuid(),
            cluster: "ira".to_owned(),
            slowdown: false,
            status: "OK".to_owned(),
            status_code: 0,
        }
    }
}

/// The key that makes a request one that may be repeated.
#[derive(IntoParams)]
#[into_params(parameter_in = Header, rename_all = "kebab-case")]
#[expect(dead_code, reason = "read from the headers")]
struct KeyHeader {
    /// Printable ASCII; the same as the field `idempotency_key`, of which one may be given.
    #[param(min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
}

/// Places a call
///
/// The same key, or the same `call_uuid`, with the same body gets the first answer again, with the header
/// `idempotency-replayed: true`; with another body 409.
#[utoipa::path(
    post, path = "/api/makecall", tag = "calls",
    params(KeyHeader),
    request_body = MakeCallBody,
    responses(
        (status = 200, description = "The call is on the disk: it rings at most once and reaches one final record", body = CallAccepted),
        (status = 402, description = "license"),
        (status = 403, description = "outside_hours, do_not_call, destination_refused, caller_number_refused"),
        (status = 404, description = "unknown_campaign"),
        (status = 409, description = "conflict, no_trunks"),
        (status = 429, description = "queue_full"),
    ),
)]
pub(super) async fn makecall(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    answer(accept(&state, By::of(&caller), &headers, members, Vec::new()).await?)
}

/// Who asks for a call.
struct By<'b> {
    tenant_id: &'b TenantId,
    /// Where the call's events go, if not to a webhook.
    event_subject: Option<&'b EventSubject>,
    /// The id of the request.
    request_id: Option<&'b str>,
    /// The id of the token.
    token_id: Option<&'b str>,
}

impl<'b> By<'b> {
    fn of(caller: &'b Caller) -> Self {
        By {
            tenant_id: &caller.tenant_id,
            event_subject: None,
            request_id: caller.request_id.as_deref(),
            token_id: Some(&caller.token.token_id),
        }
    }
}

/// Accepts one call. `headers` are asked for its key, `mistakes` were found before. The answer, and whether it is that of an earlier request.
async fn accept(
    state: &WebState,
    caller: By<'_>,
    headers: &HeaderMap,
    members: Map<String, Value>,
    mistakes: Vec<FieldError>,
) -> Result<(CallAccepted, bool), ApiError> {
    let config = &state.app.config;
    let catalogue = state.app.catalogue();
    let now_ms = state.app.clock.now_ms();
    let body_hash = hash(&members);
    let mut fields = Fields::new(members);
    let is_sound = mistakes.is_empty();
    for mistake in mistakes {
        fields.note(mistake);
    }
    let key = request::idempotency_key(headers, &mut fields);
    let call_uuid = fields.parsed("call_uuid", CallUuid::parse);
    let before = match is_sound && (key.is_some() || call_uuid.is_some()) {
        true => {
            let (tdb, tenant) = (&state.app.tdb, caller.tenant_id);
            tdb.accepted_before(tenant, key.as_deref(), call_uuid, &body_hash)
                .await?
        }
        false => None,
    };
    // A repeated request is answered as it was, whatever the hour and the queue are by now, and also
    // when times in it are over by now.
    if let Some(replay @ Accepted::Replay(_)) = before {
        return outcome(replay, None);
    }
    let dial_timeout_s = catalogue.parameters().dial_timeout_s();
    let asked = request::read(fields, caller.tenant_id, dial_timeout_s, now_ms);
    let mut asked = asked.map_err(ApiError::BadFields)?;
    asked.to_number = config.destinations.dialled(&asked.to_number);
    if let Some(clash) = before {
        return outcome(clash, None);
    }

    let license = state.app.license.standing();
    license.allows(Features::NONE)?;
    let campaign = catalogue
        .campaign(caller.tenant_id, &asked.campaign_name)
        .ok_or_else(|| ApiError::UnknownCampaign(asked.campaign_name.to_string()))?;
    check_address(state, &asked)?;
    check_campaign(campaign, &asked, now_ms)?;
    let flow = flow(state, caller.tenant_id, campaign, asked.ivr).await?;
    license.allows(flow.as_ref().map_or(Features::NONE, |flow| flow.needs))?;
    let (ivr, documents) = flow.map(|flow| (flow.flow, flow.brings)).unzip();
    let (tenant, name) = (caller.tenant_id, &asked.campaign_name);
    if let Some(number) = &asked.from_number
        && !catalogue.may_call_from(campaign, number)
    {
        return Err(ApiError::CallerNumber(number.clone(), name.clone()));
    }
    let may_call = config.destinations.check(tenant, &asked.to_number);
    may_call.map_err(|refused| ApiError::Destination("to_number", refused))?;
    let listed = state
        .app
        .tdb
        .do_not_call(tenant, Some(name), &asked.to_number);
    if let Some(listed) = listed.await? {
        return Err(ApiError::DoNotCall("to_number", listed.scope));
    }
    let queued = state.queue.length(&state.app).await?;
    if queued >= catalogue.queue.refuse_above {
        return Err(ApiError::QueueFull);
    }

    let call_uuid = call_uuid.unwrap_or_else(CallUuid::fresh);
    let answered = CallAccepted {
        call_uuid,
        cluster: config.cluster.to_string(),
        slowdown: queued >= catalogue.queue.slow_down_above,
        status: "OK".to_owned(),
        status_code: 0,
    };
    let expires_after =
        u64::try_from(catalogue.queue.expires_after.as_millis()).unwrap_or(u64::MAX);
    let not_before_ms = asked.not_before_ms.unwrap_or(now_ms);
    let call = NewCall {
        call_uuid,
        tenant_id: caller.tenant_id.clone(),
        campaign_name: asked.campaign_name,
        to_number: asked.to_number,
        from_number: asked
            .from_number
            .unwrap_or_else(|| campaign.from_number.clone()),
        event_url: match caller.event_subject {
            Some(subject) => Some(format!("{BUS}{subject}")),
            None => asked.event_url.or_else(|| campaign.event_url.clone()),
        },
        request: CallRequest {
            call_params: asked.call_params,
            channel_vars: asked.channel_vars,
            dial_timeout_s: asked.dial_timeout_s,
            max_duration_s: asked.max_duration_s,
            on_unknown: asked.on_unknown,
            ivr,
            flow: None,
            vars: asked.vars,
            timezone: asked.timezone,
            metadata: asked.metadata,
            trunk: None,
            whisper: Vec::new(),
            license: Some(license.name()),
        },
        documents: documents.unwrap_or_default(),
        priority: asked.priority,
        created_ms: now_ms,
        not_before_ms,
        expires_ms: Some(
            asked
                .expires_ms
                .unwrap_or_else(|| not_before_ms.saturating_add(expires_after)),
        ),
        idempotency_key: key,
        request_id: caller.request_id.map(str::to_owned),
        token_id: caller.token_id.map(str::to_owned),
        body_hash,
        answer: serde_json::to_string(&answered).map_err(|_| ApiError::Unavailable)?,
    };
    iradialer_core::failpoint::hit("web.accept.commit.before");
    let accepted = state.app.tdb.accept(call).await?;
    iradialer_core::failpoint::hit("web.accept.commit.after");
    if accepted == Accepted::New {
        state.app.wake.router.notify_one();
        state.app.wake.dispatcher.notify_one();
    }
    outcome(accepted, Some(answered))
}

/// The answer, and whether it is that of an earlier request.
fn outcome(
    accepted: Accepted,
    fresh: Option<CallAccepted>,
) -> Result<(CallAccepted, bool), ApiError> {
    match accepted {
        Accepted::New => Ok((fresh.ok_or(ApiError::Unavailable)?, false)),
        Accepted::Replay(before) => {
            let before = serde_json::from_str(&before).map_err(|_| ApiError::Unavailable)?;
            Ok((before, true))
        }
        Accepted::Conflict(field) => Err(ApiError::Conflict(field)),
    }
}

fn answer((accepted, is_replay): (CallAccepted, bool)) -> Result<Response, ApiError> {
    let mut response = Json(accepted).into_response();
    if is_replay {
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, yes);
    }
    Ok(response)
}

/// A hash of what the request says, whatever the order of its keys and its white space.
fn hash(members: &Map<String, Value>) -> String {
    // A map of serde_json is sorted by key.
    let canonical = serde_json::to_vec(members).unwrap_or_default();
    Sha256::digest(canonical)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The flow the call will run: its own, one by name, or the campaign's. It stays as it is now for this call.
async fn flow(
    state: &WebState,
    tenant: &TenantId,
    campaign: &Campaign,
    ivr: Option<Ivr>,
) -> Result<Option<Resolved>, ApiError> {
    let flows = &state.flows;
    let resolved = match (ivr, &campaign.flow) {
        (None, None) => return Ok(None),
        (Some(Ivr::Document(own)), _) => {
            let resolved = flows.own(tenant, own.name("ivr.name")?, &own).await;
            if let Ok(resolved) = &resolved
                && let errors = resolved.check_gotos(&own.flow)
                && !errors.is_empty()
            {
                return Err(ApiError::BadFields(request::in_ivr(errors)));
            }
            resolved
        }
        (Some(Ivr::Named(name)), _) => flows.named(tenant, &name).await,
        (None, Some(name)) => flows.named(tenant, name).await,
    };
    match resolved {
        Ok(resolved) => Ok(Some(resolved)),
        Err(Unresolved::Tdb(error)) => Err(error.into()),
        Err(why @ Unresolved::Unknown(_)) => {
            let expected = "the name of a stored flow or one of this cluster, or a flow";
            Err(unusable(expected, &why).into())
        }
        Err(why) => Err(unusable("a flow that leads to others that are there", &why).into()),
    }
}

fn unusable(expected: &str, why: &Unresolved) -> FieldError {
    FieldError {
        field: "ivr".to_owned(),
        expected: expected.to_owned(),
        got: format!("one that can't be run: {why}"),
    }
}

/// Refuses a webhook address that every delivery would be refused for.
fn check_address(state: &WebState, asked: &MakeCall) -> Result<(), ApiError> {
    let Some(text) = &asked.event_url else {
        return Ok(());
    };
    let Ok(url) = reqwest::Url::parse(text) else {
        return Ok(());
    };
    state.addresses.check_literal(&url).map_err(|_| {
        let expected = "an address that is not loopback, private or otherwise reserved";
        FieldError::new("call_params.event_url", expected, text).into()
    })
}

fn check_campaign(campaign: &Campaign, asked: &MakeCall, now_ms: u64) -> Result<(), ApiError> {
    if campaign.trunks.is_empty() {
        return Err(ApiError::NoTrunks(campaign.name.to_string()));
    }
    let earliest_ms = asked.not_before_ms.unwrap_or(now_ms).max(now_ms);
    match &campaign.hours {
        Some(hours) if !campaign.is_open(earliest_ms, asked.timezone.as_deref()) => {
            Err(ApiError::OutsideHours(hours.to_string()))
        }
        _ => Ok(()),
    }
}
