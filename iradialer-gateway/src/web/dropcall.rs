//! `POST /api/dropcall`: ends a call.

use super::WebState;
use super::auth::Caller;
use super::body::read_object;
use super::calls::CallStateName;
use super::error::ApiError;
use super::fields::Fields;
use super::openapi::example;
use crate::app::SwitchRequestError;
use crate::tdb::CancelOutcome;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, NodeId};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Which call is to end.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
struct DropCall {
    /// The call.
    #[schema(format = Uuid)]
    call_uuid: String,
}

/// The wish is on the disk, and its switch knows of it where one has the call.
#[derive(Serialize, ToSchema)]
#[schema(examples(json!(Dropped::example())))]
pub(super) struct Dropped {
    /// The call.
    #[schema(value_type = String, format = Uuid)]
    call_uuid: CallUuid,
    /// The cluster that has it.
    cluster: String,
    /// Where the call was then; `canceled` where it was queued.
    #[schema(value_type = CallStateName)]
    state: CallState,
    /// `OK`, or that the call has ended before.
    status: &'static str,
    /// 0.
    status_code: u8,
}

impl Dropped {
    fn example() -> Self {
        Dropped {
            call_uuid: example::uuid(),
            cluster: "ira".to_owned(),
            state: CallState::Canceled,
            status: "OK",
            status_code: 0,
        }
    }
}

/// Ends a call
///
/// A queued call ends at once. For one that a switch has, the switch is asked to hang up; its end comes by its events. A
/// call that has ended is left as it is.
#[utoipa::path(
    post, path = "/api/dropcall", tag = "calls",
    request_body = DropCall,
    responses(
        (status = 200, description = "The call ends, or has ended", body = Dropped),
        (status = 404, description = "unknown_call"),
        (status = 409, description = "refused"),
        (status = 503, description = "unreachable"),
    ),
)]
pub(super) async fn dropcall(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Dropped>, ApiError> {
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    let call_uuid = call_uuid(members)?;
    let app = &state.app;
    let now_ms = app.clock.now_ms();
    let outcome = app
        .tdb
        .request_cancel(&caller.tenant_id, call_uuid, Some(caller.author()), now_ms)
        .await?;
    let (status, now) = match outcome {
        CancelOutcome::NotFound => return Err(ApiError::UnknownCall(call_uuid.to_string())),
        CancelOutcome::Ended(now) => ("The call has ended before", now),
        CancelOutcome::Canceled => {
            app.wake.dispatcher.notify_one();
            app.wake.router.notify_one();
            ("OK", CallState::Canceled)
        }
        CancelOutcome::Live {
            node_id,
            state: now,
        } => {
            ask_switch(&state, node_id, call_uuid, now).await?;
            ("OK", now)
        }
    };
    Ok(Json(Dropped {
        call_uuid,
        cluster: app.config.cluster.to_string(),
        state: now,
        status,
        status_code: 0,
    }))
}

fn call_uuid(members: Map<String, Value>) -> Result<CallUuid, ApiError> {
    let mut fields = Fields::new(members);
    let call_uuid = fields.required("call_uuid", "the call's UUID", CallUuid::parse);
    match (fields.finish_body::<DropCall>(), call_uuid) {
        (Ok(()), Some(call_uuid)) => Ok(call_uuid),
        (Err(mistakes), _) => Err(ApiError::BadFields(mistakes)),
        (Ok(()), None) => Err(ApiError::BadFields(Vec::new())),
    }
}

async fn ask_switch(
    state: &WebState,
    node_id: NodeId,
    call_uuid: CallUuid,
    now: CallState,
) -> Result<(), ApiError> {
    match state.app.switches.drop_call(node_id, call_uuid).await {
        Ok(()) => Ok(()),
        // The dial command may still be on its way to the switch. The wish is on the disk, and the
        // router acts on it when the switch has answered that command.
        Err(_) if now == CallState::Assigned => {
            state.app.wake.router.notify_one();
            Ok(())
        }
        Err(SwitchRequestError::Unreachable(why)) => Err(ApiError::SwitchUnreachable(why)),
        Err(SwitchRequestError::Refused(why)) => Err(ApiError::SwitchRefused(why)),
    }
}
