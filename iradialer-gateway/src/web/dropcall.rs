//! `POST /api/dropcall`: ends a call.

use super::WebState;
use super::auth::Caller;
use super::body::read_object;
use super::error::ApiError;
use super::fields::Fields;
use crate::app::SwitchRequestError;
use crate::tdb::CancelOutcome;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use iradialer_core::call::CallState;
use iradialer_core::value::{CallUuid, NodeId};
use serde_json::{Map, Value, json};

pub(super) async fn dropcall(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    let call_uuid = call_uuid(members)?;
    let app = &state.app;
    let now_ms = app.clock.now_ms();
    let outcome = app
        .tdb
        .request_cancel(&caller.tenant_id, call_uuid, now_ms)
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
    Ok(Json(json!({
        "status": status,
        "status_code": 0,
        "call_uuid": call_uuid,
        "state": now,
        "cluster": app.config.cluster,
    })))
}

fn call_uuid(members: Map<String, Value>) -> Result<CallUuid, ApiError> {
    let mut fields = Fields::new(members);
    let call_uuid = fields.required("call_uuid", "the call's UUID", CallUuid::parse);
    match (fields.finish("call_uuid"), call_uuid) {
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
