//! `POST /api/makecalldirect`: accepts a call for the cluster it names, which is this one or none that is reached.

use super::request::MakeCallBody;
use super::{By, CallAccepted, KeyHeader, accept, answer};
use crate::web::WebState;
use crate::web::auth::Caller;
use crate::web::body::read_object;
use crate::web::error::ApiError;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use iradialer_core::value::{ClusterName, FieldError};
use serde_json::Value;
use utoipa::ToSchema;

/// What is asked for of a call, and where.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read field by field")]
struct MakeCallDirectBody {
    #[serde(flatten)]
    call: MakeCallBody,
    /// The cluster that is to place it.
    cluster: String,
}

/// Places a call through the cluster it names
///
/// As `makecall`. A gateway reaches its own cluster only.
#[utoipa::path(
    post, path = "/api/makecalldirect", tag = "calls",
    params(KeyHeader),
    request_body = MakeCallDirectBody,
    responses(
        (status = 200, description = "The call is on the disk: it rings at most once and reaches one final record", body = CallAccepted),
        (status = 402, description = "license"),
        (status = 403, description = "outside_hours, do_not_call, destination_refused, caller_number_refused"),
        (status = 404, description = "unknown_campaign"),
        (status = 409, description = "conflict, no_trunks"),
        (status = 429, description = "queue_full"),
        (status = 503, description = "clusters_unreachable"),
    ),
)]
pub(in crate::web) async fn makecalldirect(
    State(state): State<WebState>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let mut members = read_object(&headers, body, state.app.config.web.max_body_bytes).await?;
    // The same call, whichever of the two paths it was asked for at.
    let mistake = match members.remove("cluster") {
        Some(Value::String(name)) if name == state.app.config.cluster.as_str() => None,
        Some(Value::String(name)) => match ClusterName::parse("cluster", &name) {
            Ok(other) => return Err(ApiError::ClustersUnreachable(other.to_string())),
            Err(mistake) => Some(mistake),
        },
        None | Some(Value::Null) => Some(FieldError::missing("cluster", "the name of a cluster")),
        Some(other) => {
            let expected = "the name of a cluster";
            Some(FieldError::new("cluster", expected, &other.to_string()))
        }
    };
    let mistakes = mistake.into_iter().collect();
    answer(accept(&state, By::of(&caller), &headers, members, mistakes).await?)
}
